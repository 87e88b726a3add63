"""A caller's question and its answer: what the values of a window of days come to. Pure."""

import re
from bisect import bisect
from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal, NamedTuple, cast, get_args

from .. import model, timestamps
from ..errors import MalformedRequest
from .definitions import DEFINITIONS, METRICS, METRICS_OF, REASONS, Kind
from .tally import Row, Tally

GroupBy = Literal["severity", "category", "app", "none"]
Interval = Literal["day", "week", "month"]

PARAMETERS = ("from", "to", "group_by", "interval")
DAYS_MAX = 366
DAYS_DEFAULT = 30
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Known = Iterable[tuple[str, Row, Tally]]
"""What is known of the days of a window, in their order: the day (``2026-11-23``), a row of it, and its sum."""


class Window(NamedTuple):
    """What a caller asks for; the first and the last day are included."""

    first: date
    last: date
    group_by: GroupBy
    interval: Interval


def from_parameters(parameters: Mapping[str, list[str]], now: int) -> Window:
    """Read the query string; ``now`` is in milliseconds since 1970. Raises MalformedRequest, naming the parameter."""
    for name, values in parameters.items():
        if name not in PARAMETERS:
            known = ", ".join(PARAMETERS)
            raise MalformedRequest(f"The parameter {name[:64]!a} is not known; known are {known}.")
        if len(values) > 1:
            raise MalformedRequest(f"The parameter {name} must be given once.")
    single = {name: values[0] for name, values in parameters.items()}
    today = datetime.fromtimestamp(now // 1000, UTC).date()
    last = _date("to", single["to"]) if "to" in single else today
    first = _date("from", single["from"]) if "from" in single else last - timedelta(days=DAYS_DEFAULT - 1)
    if first > last:
        meant = "" if "to" in single else ", which is today unless given"
        raise MalformedRequest(f"The parameter from must not be after to{meant}.")
    if (last - first).days >= DAYS_MAX:
        raise MalformedRequest(f"The parameters from and to must span at most {DAYS_MAX} days, both included.")
    return Window(
        first,
        last,
        cast("GroupBy", _choice(single, "group_by", get_args(GroupBy))),
        cast("Interval", _choice(single, "interval", get_args(Interval))),
    )


def answer(window: Window, as_of: int, detected: Known, closed: Known) -> dict[str, Any]:
    """Return the metrics of a window, in the order in which they are shown; ``as_of`` in milliseconds since 1970."""
    groups: dict[str | None, Tally] = {}
    trend: list[dict[str, Any]] = [
        {"from": first.isoformat(), "to": last.isoformat(), **_metrics(Tally())} for first, last in _spans(window)
    ]
    by_kind: dict[Kind, Known] = {"detected": detected, "closed": closed}
    for kind, known in by_kind.items():
        # One span after the other, so that no more than one is held with all its values.
        for span, rows in groupby(known, key=lambda one: bisect(trend, one[0], key=itemgetter("from")) - 1):
            tally = Tally()
            for _, row, piece in rows:
                group = None if window.group_by == "none" else getattr(row, window.group_by)
                groups.setdefault(group, Tally()).merge(piece)
                tally.merge(piece)
            told = _metrics(tally)
            trend[span] |= {metric: told[metric] for metric in METRICS_OF[kind]}
    whole = Tally()
    for group in groups.values():
        whole.merge(group)
    return {
        "from": window.first.isoformat(),
        "to": window.last.isoformat(),
        "as_of": timestamps.from_milliseconds(as_of),
        **_metrics(whole),
        "groups": [
            {"group": group, **_metrics(groups[group]), "open": _open(groups[group], as_of)}
            for group in sorted(groups, key=_rank)
            if window.group_by != "none"
        ],
        "trend": trend,
        "open": _open(whole, as_of),
        "excluded": {reason: {metric: whole.excluded[reason, metric] for metric in METRICS} for reason in REASONS},
        "definitions": DEFINITIONS,
    }


def _metrics(tally: Tally) -> dict[str, Any]:
    values: dict[str, Counter[int]] = {metric: Counter() for metric in METRICS}
    for (metric, value), count in tally.minutes.items():
        values[metric][value] = count
    return {
        metric: {
            "n": values[metric].total(),
            "mean": _mean(values[metric]),
            **_ranked(values[metric], p50=50, p90=90, p95=95, min=0, max=100),
            "imported": tally.imported[metric],
        }
        for metric in METRICS
    }


def _open(tally: Tally, as_of: int) -> dict[str, int | None]:
    ages = Counter(max(0, as_of - since) // 60_000 for since in tally.open_since)
    return {"n": ages.total(), **_ranked(ages, p50=50, p90=90, max=100)}


def _mean(values: Counter[int]) -> float | None:
    n = values.total()
    return float(round(Fraction(sum(value * count for value, count in values.items()), n), 2)) if n else None


def _ranked(values: Counter[int], **percents: int) -> dict[str, int | None]:
    """Return percentiles by nearest rank: the smallest value that at least so many percent of all do not exceed."""
    n = values.total()
    ranks = {name: max(1, -(-n * percent // 100)) for name, percent in percents.items()}
    found: dict[str, int | None] = dict.fromkeys(percents)
    passed = 0
    for value, count in sorted(values.items()):
        for name, rank in ranks.items():
            if passed < rank <= passed + count:
                found[name] = value
        passed += count
    return found


def _rank(group: str | None) -> tuple[bool, int, str]:
    """Severities from critical down, other groups by name, and last the incidents that have none."""
    place = model.SEVERITIES.index(group) if group in model.SEVERITIES else len(model.SEVERITIES)
    return group is None, place, group or ""


def _spans(window: Window) -> Iterable[tuple[date, date]]:
    """Yield the first and the last day of each day, week (from Monday, ISO 8601) or month, as far as the window has."""
    first = window.first
    while first <= window.last:
        match window.interval:
            case "day":
                last = first
            case "week":
                last = first + timedelta(days=6 - first.weekday())
            case "month":
                last = first.replace(day=monthrange(first.year, first.month)[1])
        last = min(last, window.last)
        yield first, last
        first = last + timedelta(days=1)


def _date(name: str, text: str) -> date:
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError as error:
        raise MalformedRequest(f"The parameter {name} must be a date like 2026-11-23.") from error
    if not timestamps.FIRST_YEAR <= day.year <= timestamps.LAST_YEAR:
        raise MalformedRequest(
            f"The parameter {name} must be a date from {timestamps.FIRST_YEAR} to {timestamps.LAST_YEAR}."
        )
    return day


def _choice(single: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = single.get(name, choices[0])
    if value not in choices:
        raise MalformedRequest(f"The parameter {name} must be one of {', '.join(choices)}.")
    return value
