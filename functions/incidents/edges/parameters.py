"""Read the parameters of a query string, for every operation that has parameters.

Every error is a MalformedRequest that names the parameter and describes a correct value.
"""

import os
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import cast, get_args

from ..domain import model, timestamps
from ..domain.errors import MalformedRequest
from ..domain.questions import (
    DAYS_DEFAULT,
    DAYS_MAX,
    FILTERS,
    OPEN_STAGES,
    BoardFilters,
    BoardRequest,
    ChangesRequest,
    Filters,
    GroupBy,
    Interval,
    ListRequest,
    UpdatesRequest,
    Window,
    folded,
)

REPEATABLE = tuple(FILTERS)
RANGES = ("created_from", "created_to", "detected_from", "detected_to")
SINGLE = ("limit", "cursor", "order", *RANGES, "incident_number", "include_deleted", "open", "unowned", "q")
CHANGES = ("limit", "cursor")
UPDATES = ("since", "cursor", "limit")
DEADLINES = ("history",)
BOARD, BOARD_REPEATABLE = ("due_before", "limit", "cursor"), ("state", "regime", "incident_id")
METRICS = ("from", "to", "group_by", "interval")
APP_CHARACTERS = 128  # an app_id is a part of a key, and DynamoDB limits the length of a key
VALUES_MAX = 10  # the most values of a parameter; each value of status and app_id costs a query
BOARD_INCIDENTS = 100  # the most items of one BatchGetItem
BOARD_CHARACTERS = 64  # of a regime's id and of an incident's id; a URL with 100 ids stays below the gateway's 10 KB
LONGEST = {"app_id": APP_CHARACTERS, "regime": BOARD_CHARACTERS, "incident_id": BOARD_CHARACTERS}
"""The most characters of a value of these parameters. For any other parameter, the limit of its field applies."""
Q_CHARACTERS = model.TITLE_CHARACTERS
LIMIT_DEFAULT, LIMIT_MAX = 50, 100
ORDERS = ("desc", "asc")

_VOCABULARIES = {"status": model.STATUSES, "severity": model.SEVERITIES, "state": OPEN_STAGES}
_FIRST, _LAST = "1970-01-01T00:00:00.000Z", "9998-12-31T23:59:59.999Z"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Given = Mapping[str, Sequence[str]]
"""The values of each parameter, in the order of the query string."""


def list_request(given: Given) -> ListRequest:
    """Read the parameters of a list of incidents. Raises MalformedRequest."""
    single = _single(given, SINGLE, REPEATABLE)
    number = single.get("incident_number")
    detected = _range("detected", single) if {"detected_from", "detected_to"} & set(single) else None
    if number is not None and not 1 <= len(number) <= model.NUMBER_CHARACTERS:
        raise MalformedRequest(f"The parameter `incident_number` must be 1 to {model.NUMBER_CHARACTERS} characters.")
    any_of = {name: _accepted(name, given[name]) for name in REPEATABLE if name in given}
    if (wanted := _true_or_false(single, "open")) is not None:
        statuses = any_of.get("status", model.STATUSES)
        any_of["status"] = tuple(status for status in statuses if (status in model.OPEN_STATUSES) is wanted)
    filters = Filters(
        any_of=any_of,
        created=_range("created", single),
        detected=detected,
        incident_number=number,
        include_deleted=_choice(single, "include_deleted", ("false", "true")) == "true",
        unowned=_true_or_false(single, "unowned"),
        words=_words(single),
    )
    newest_first = _choice(single, "order", ORDERS) == "desc"
    return ListRequest(filters, _limit(single), newest_first, single.get("cursor"))


def changes_request(given: Given) -> ChangesRequest:
    """Read the parameters of a list of changes. Raises MalformedRequest."""
    single = _single(given, CHANGES)
    return ChangesRequest(_limit(single), single.get("cursor"))


def deadlines_request(given: Given) -> bool:
    """Return whether a request asks for the history of an incident's deadlines. Raises MalformedRequest."""
    return bool(_true_or_false(_single(given, DEADLINES), "history"))


def board_request(given: Given) -> BoardRequest:
    """Read the parameters of the board of deadlines. Raises MalformedRequest."""
    single = _single(given, BOARD, BOARD_REPEATABLE, {"incident_id": BOARD_INCIDENTS})
    if "incident_id" in given and len(given) > 1:
        raise MalformedRequest("The parameter `incident_id` must not be given together with other parameters.")
    due_before = None
    if "due_before" in single:
        due_before = _moment("due_before", single["due_before"])
    filters = BoardFilters(
        states=_accepted("state", given.get("state", ())),
        regimes=_accepted("regime", given.get("regime", ())),
        due_before=due_before,
    )
    incident_ids = _accepted("incident_id", given.get("incident_id", ()))
    return BoardRequest(filters, incident_ids, _limit(single), single.get("cursor"), time.time_ns() // 1_000_000)


def updates_request(given: Given) -> UpdatesRequest:
    """Read the parameters of a list of updates. Raises MalformedRequest.

    The list ends some time before now. Every write with an earlier ``updated_at`` has already ended and has reached
    the index, even if clocks differ.
    """
    single = _single(given, UPDATES)
    if "since" in single and "cursor" in single:
        raise MalformedRequest(
            "The parameters `since` and `cursor` must not be given together; a cursor continues after its own page."
        )
    since = _moment("since", single.get("since", _FIRST))
    settle_ms = int(float(os.environ.get("FEED_SETTLE_SECONDS", "120")) * 1000)
    until = timestamps.from_milliseconds(time.time_ns() // 1_000_000 - settle_ms)
    return UpdatesRequest(since, until, _limit(single), single.get("cursor"))


def metrics_window(given: Given) -> Window:
    """Read the parameters of the metrics. ``as_of`` is the current time. Raises MalformedRequest."""
    single = _single(given, METRICS)
    as_of = time.time_ns() // 1_000_000
    today = datetime.fromtimestamp(as_of // 1000, UTC).date()
    last = _date("to", single["to"]) if "to" in single else today
    first = _date("from", single["from"]) if "from" in single else last - timedelta(days=DAYS_DEFAULT - 1)
    if first > last:
        meant = "" if "to" in single else ", which is today by default"
        raise MalformedRequest(f"The parameter `from` must not be after `to`{meant}.")
    if (last - first).days >= DAYS_MAX:
        raise MalformedRequest(f"The window from `from` to `to` must have at most {DAYS_MAX} days.")
    group_by = cast("GroupBy", _choice(single, "group_by", get_args(GroupBy)))
    interval = cast("Interval", _choice(single, "interval", get_args(Interval)))
    return Window(first, last, group_by, interval, as_of)


def _single(
    given: Given, single: Sequence[str], repeatable: Sequence[str] = (), most: Mapping[str, int] | None = None
) -> dict[str, str]:
    """Check all parameters, and return the values of those that may be given only once. Raises MalformedRequest."""
    known = (*repeatable, *single)
    for name, values in given.items():
        if name not in known:
            filters = [filter_ for filter_, field in FILTERS.items() if field == name and filter_ in known]
            meant = filters[0] if filters else f"one of {', '.join(known)}"
            raise MalformedRequest(f"The parameter {name[:64]!a} is not known; use {meant}.")
        if name in single and len(values) > 1:
            raise MalformedRequest(f"The parameter `{name}` must be given once.")
        if len(values) > (times := (most or {}).get(name, VALUES_MAX)):
            raise MalformedRequest(f"The parameter `{name}` must be given at most {times} times.")
    return {name: values[0] for name, values in given.items() if name in single}


def _limit(single: Mapping[str, str]) -> int:
    text = single.get("limit", str(LIMIT_DEFAULT))
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= LIMIT_MAX:
        raise MalformedRequest(f"The parameter `limit` must be a whole number from 1 to {LIMIT_MAX}.")
    return int(text)


def _accepted(name: str, values: Sequence[str]) -> tuple[str, ...]:
    longest = LONGEST.get(name, model.ID_CHARACTERS)
    for value in values:
        if name in _VOCABULARIES and value not in _VOCABULARIES[name]:
            raise MalformedRequest(f"The parameter `{name}` must be one of {', '.join(_VOCABULARIES[name])}.")
        if not 1 <= len(value) <= longest:
            instead = "; to list incidents without an owner, use unowned=true" if name == "owner_id" else ""
            raise MalformedRequest(f"The parameter `{name}` must be 1 to {longest} characters{instead}.")
    return tuple(dict.fromkeys(values))


def _choice(single: Mapping[str, str], name: str, choices: Sequence[str]) -> str:
    """Return a parameter's value, or the first choice if the parameter is not given. Raises MalformedRequest."""
    value = single.get(name, choices[0])
    if value not in choices:
        listed = " or ".join(choices) if len(choices) == 2 else f"one of {', '.join(choices)}"
        raise MalformedRequest(f"The parameter `{name}` must be {listed}.")
    return value


def _true_or_false(single: Mapping[str, str], name: str) -> bool | None:
    """Return a parameter's value, or None if the parameter is not given. Raises MalformedRequest."""
    return _choice(single, name, ("true", "false")) == "true" if name in single else None


def _words(single: Mapping[str, str]) -> tuple[str, ...]:
    """Return the different words of the parameter q, folded. Raises MalformedRequest."""
    text = single.get("q")
    if text is None:
        return ()
    words = tuple(dict.fromkeys(folded(text).split()))
    if not words or len(text) > Q_CHARACTERS:
        raise MalformedRequest(f"The parameter `q` must have at least one word, and at most {Q_CHARACTERS} characters.")
    return words


def _range(name: str, single: Mapping[str, str]) -> tuple[str, str]:
    unset = {f"{name}_from": _FIRST, f"{name}_to": _LAST}
    ends = [_moment(parameter, single.get(parameter, end)) for parameter, end in unset.items()]
    if ends[0] > ends[1]:
        raise MalformedRequest(f"The parameter `{name}_from` must not be after `{name}_to`.")
    return ends[0], ends[1]


def _moment(name: str, text: str) -> str:
    try:
        return timestamps.parse(text)
    except ValueError as error:
        raise MalformedRequest(f"The parameter `{name}` {error}.") from error


def _date(name: str, text: str) -> date:
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError as error:
        raise MalformedRequest(f"The parameter `{name}` must be a date like 2026-11-23.") from error
    if not timestamps.FIRST_YEAR <= day.year <= timestamps.LAST_YEAR:
        raise MalformedRequest(
            f"The parameter `{name}` must be a date from {timestamps.FIRST_YEAR} to {timestamps.LAST_YEAR}."
        )
    return day
