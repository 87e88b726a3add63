"""Check a row of an import and compute its idempotency key, without a call of the API.

This module uses the rules of the service's own modules, with two exceptions. This machine's Python may know fewer
characters than the service's Python, so this module accepts an unassigned character. A tenant may have its own rules
for reports, so this module accepts a report of an unknown regime. For these two values, the service decides.
"""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any, NamedTuple, cast

from incidents.domain import json_text, model, payloads, reports, texts, timestamps, wire_form
from incidents.domain.errors import IncidentTooLarge, InvalidIncident, Violation

from .convert import DATES
from .ends import LAST_KNOWN_TAGS, is_early
from .job import ClosedWithoutDate
from .rows import NO_INCIDENT, Row

_ENDS = {"closed": "closed_at", "contained": "contained_at"}
"""The statuses that need a date. Without the date, the API would stamp the time of the import, which is wrong."""
_NUMBER_BYTES = 16
_DAY = timedelta(days=1) // timedelta(milliseconds=1)
_REGIME = re.compile("[a-z0-9][a-z0-9-]{0,63}")  # the pattern of ids in deadlines/rules.v1.schema.json
_NAME = re.compile("[a-z][a-z0-9_]{0,63}")
_KNOWN = ("occurred_at", "detected_at", "reported_at", "contained_at")


class CheckedRow(NamedTuple):
    """A row that the service will accept, unless the row's incident number is taken.

    ``given`` has the row's values in the model's forms. ``key`` is the idempotency key. It depends on the tenant and on
    the row's values, but not on the row's spelling or position in the file.
    """

    row: Row
    given: dict[str, Any]
    key: str

    @property
    def fields(self) -> dict[str, Any]:
        """The row's values as the client sends them, with the fields ``model.JSON_TEXTS`` as JSON values."""
        values = {field: json_text.loads(self.given[field]) for field in model.JSON_TEXTS if field in self.given}
        return self.given | values


def check(row: Row, now: str, app: str | None = None, without_date: ClosedWithoutDate | None = None) -> dict[str, Any]:
    """Check a row, and return its values in the model's forms. Raises InvalidIncident with all invalid values.

    ``app`` is the token's application, or None for the token of a person. ``without_date`` says how to import a closed
    or contained row that lacks the date of the closing or containment.
    """
    if row.unreadable:
        is_incident = NO_INCIDENT.isdisjoint(violation.detail for violation in row.unreadable)
        raise InvalidIncident([*row.unreadable, *(_errors_of_body(row) if is_incident else ())])
    given = _with_end(_new_incident(row.body), row, without_date)
    incident = cast("model.Incident", model.unset_fields() | given)
    violations = model.apply_rules(incident, given, now)
    if row.is_mapped and (future := in_future(given, now)):
        # A typo of a year also contradicts the other dates.
        typos = [f" {violation.pointer[1:]}, which is " for violation in future]
        violations = [each for each in violations if not any(typo in each.detail for typo in typos)] + future
    if app is not None:
        violations += model.rules_for_applications(given)
    if violations:
        raise InvalidIncident(violations)
    try:
        wire_form.check_size(incident)
    except IncidentTooLarge:
        raise InvalidIncident([Violation("", wire_form.SIZE_RULE)]) from None
    return given


def in_future(given: dict[str, Any], now: str) -> list[Violation]:
    """Return an error for each date more than one day in the future. One day allows for clocks and zones.

    The API accepts such dates. But an imported file has past incidents, so a later date is probably a typo.
    """
    last = timestamps.from_milliseconds(timestamps.to_milliseconds(now) + _DAY)
    return [
        Violation(f"/{field}", f"is in the future: {given[field]}; correct the date")
        for field in sorted(DATES & given.keys()) if given[field] > last
    ]  # fmt: skip


def before_report(given: dict[str, Any]) -> Iterator[Violation]:
    """Yield a warning for each end before the report, and for a detection more than a year before it.

    The API accepts such dates, but one of the two dates is often wrong.
    """
    for field in _ENDS.values():
        if field in given and given[field] < given.get("reported_at", ""):
            yield Violation(f"/{field}", f"{field} is before reported_at; check the two dates")
    if "detected_at" in given and "reported_at" in given and is_early(given["detected_at"], given["reported_at"]):
        yield Violation("/detected_at", "is more than a year before reported_at; check the two years")


def _new_incident(body: object) -> dict[str, Any]:
    """Return the checked values of a body. Raises InvalidIncident if the service would refuse the body."""
    known = reports.RELEASED | dict(_possible_rules(body))
    return payloads.new_incident(body, held=_undecided(body), known=known)


def _possible_rules(body: object) -> Iterator[tuple[str, reports.Names]]:
    """Yield the regimes in a body's reports that this release does not know, with the names that the body uses."""
    named = body.get("regulatory_reports") if isinstance(body, dict) else None
    for regime, report in named.items() if isinstance(named, dict) else ():
        parts = report if isinstance(report, dict) else {}
        anchors, stages = (
            [name for name in values if _NAME.fullmatch(name)] if isinstance(values := parts.get(part), dict) else []
            for part in ("anchors", "stages")
        )
        if regime not in reports.RELEASED and _REGIME.fullmatch(regime):
            yield regime, reports.Names(tuple(anchors), tuple(stages))


def _undecided(body: object) -> dict[str, list[str]]:
    """Return, by field, the characters about which the service must decide, because this Python does not know them."""
    values = body if isinstance(body, dict) else {}
    fields = {name: value if isinstance(value, list) else [value] for name, value in values.items()}
    return {
        name: [letter for text in fields[name] if isinstance(text, str) for letter in texts.undecided(text)]
        for name in model.LINES.intersection(fields)
    }


def _errors_of_body(row: Row) -> list[Violation]:
    """Return the further errors of a row in which some cells could not be read."""
    if row.body is None:
        return []
    unread = {violation.pointer for violation in row.unreadable}
    try:
        _new_incident(row.body)
    except InvalidIncident as invalid:
        return [violation for violation in invalid.violations if violation.pointer not in unread]
    return []


def _with_end(given: dict[str, Any], row: Row, without_date: ClosedWithoutDate | None) -> dict[str, Any]:
    """Return the values of a closed or contained row with the date of its end. No date is invented.

    If the row lacks the date, ``without_date`` decides how the row is imported, and a tag records this decision. Raises
    InvalidIncident if the row lacks the date and ``without_date`` is None, or if the tag or the date is impossible.
    """
    status = given["status"]
    field = _ENDS.get(status)
    if field is None or field in given:
        return given
    wanted = f"is missing, although status is {status}; add the date, or pass"
    if without_date is None:
        raise InvalidIncident(
            [Violation(f"/{field}", f"{wanted} --closed-without-date=last-known or --closed-without-date=review")]
        )
    if without_date == "review":
        chosen = {"status": "review"}
        tag = _without_date(status)
    else:
        known = [moment for moment in (*map(given.get, _KNOWN), row.last_known) if moment]
        if not known:
            raise InvalidIncident(
                [Violation(f"/{field}", f"{wanted} --closed-without-date=review: the row has no other date")]
            )
        chosen = {field: max(known)}
        tag = LAST_KNOWN_TAGS[field]
    tags = [*given.get("tags", []), tag]
    if len(set(tags)) > model.TAGS:
        raise InvalidIncident([Violation("/tags", f"has no room for {tag}; remove one of the {model.TAGS} tags")])
    return given | chosen | {"tags": tags}


def number(row: Row, given: dict[str, Any] | None) -> bytes | None:
    """Return a hash of a row's incident number, or None if the row has none.

    ``given`` has the values of a valid row. For an invalid row, ``given`` is None.
    """
    values = row.body if given is None and isinstance(row.body, dict) else given or {}
    number = values.get("incident_number")
    if not isinstance(number, str) or not number:
        return None
    return sha256(number.encode(errors="surrogatepass")).digest()[:_NUMBER_BYTES]


def clash(line: int) -> Violation:
    """Return the error of a row that has the same incident number as a different row."""
    return Violation(
        "/incident_number", f"is also the number of line {line}, and the two rows differ; leave one of them out, or "
        "give each incident its own number",
    )  # fmt: skip


def chosen_end(row: Row, without_date: ClosedWithoutDate | None) -> Iterator[Violation]:
    """Yield a warning if the row lacks the date of its end, so that ``without_date`` was applied."""
    status = row.body.get("status")
    field = _ENDS.get(status)
    if without_date is None or field is None or row.body.get(field) is not None:
        return
    if without_date == "review":
        chosen = f"the status becomes review, tag {_without_date(status)}"
    else:
        chosen = f"the last known date is taken, tag {LAST_KNOWN_TAGS[field]}"
    yield Violation(f"/{field}", f"is missing, although status is {status}; {chosen}")


def _without_date(status: str) -> str:
    return f"{status}-without-date"


def repeats(line: int) -> Violation:
    """Return the warning of a row that is equal to an earlier row, and has the same incident number."""
    return Violation("/incident_number", f"is also the number of line {line}, and the two rows are equal; they become "
                     "one incident")  # fmt: skip


def fingerprint(given: dict[str, Any], row: Row, tenant: str, sheet: str | None = None) -> bytes:
    """Return a hash of the tenant, the row's values and the sheet of a workbook.

    Rows of one sheet with equal values have equal hashes.
    """
    values = [tenant, payloads.fingerprint(given), row.is_deleted, *([] if sheet is None else [sheet])]
    return sha256(json.dumps(values).encode()).digest()


def key(fingerprint: bytes, nth: int) -> str:
    """Return the idempotency key of the nth row with this fingerprint.

    So each of several equal rows gets its own incident.
    """
    return "import-" + sha256(fingerprint + nth.to_bytes(8)).hexdigest()
