"""Read an event's dates, in all forms that sources write, and choose the dates of the finding.

``occurred_at`` comes from a first-seen field or is None. Every finding needs ``detected_at``. ``seen_at`` only orders
the events of a finding. ``detected_at`` and ``seen_at`` come from the envelope's time if their own fields are missing.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from ..domain import timestamps
from .nodes import MalformedEvent, Node

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_CLOCK = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?"
_ZONE = r"(?:GMT|UTC|(?P<offset>[+-][0-9]{4}))"
_SPELLED_OUT = (
    # This pattern is for dates of RFC 1123, such as Fri, 10 Jun 2022 05:01:10 GMT.
    rf"[A-Z][a-z]{{2}}, (?P<day>[0-9]{{1,2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_CLOCK} {_ZONE}",
    # This pattern is for dates such as Wed Sep 04 16:59:44.356 UTC 2024.
    rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[0-9]{{1,2}}) {_CLOCK} (?:GMT|UTC) (?P<year>[0-9]{{4}})",
    # This pattern is for dates such as Mar 20, 2023, 6:08:05 PM. Java 20 and later write a no-break space before PM.
    rf"{_MONTH} (?P<day>[0-9]{{1,2}}), (?P<year>[0-9]{{4}}), {_CLOCK}[ \u00a0\u202f](?P<half>[AP]M)",
)
_PATTERNS = tuple(re.compile(pattern) for pattern in _SPELLED_OUT)
_DIGITS = re.compile(r"[0-9]{9,14}")
_EARLIEST = "1971"  # a date in 1970 is a zero that a source formatted as a date
LATEST_MS = 24 * 3_600_000
"""A date more than 24 h after the envelope's time is ignored. Otherwise, a date in 2999 would make later events look
old."""
_MILLISECONDS_FROM = 10**11  # a higher number is in milliseconds (from 1973), because in seconds it would be after 5138


class Dates(NamedTuple):
    """The three dates of a finding, as texts in the form of ``timestamps``.

    ``read_from`` names the field of the event from which each date was read.
    """

    occurred_at: str | None
    detected_at: str
    seen_at: str
    read_from: dict[str, str]


def parse(value: Any) -> str | None:
    """Return the UTC text of a date in any form that sources write, or None for everything else.

    The forms are those of ``timestamps``, of RFC 1123 and of Inspector (read as UTC). A date may also be a number of
    seconds or milliseconds since 1970, or a text with the digits of such a number.
    """
    if isinstance(value, str):
        value = value.strip()
        if not _DIGITS.fullmatch(value):
            return _no_zero(_from_text(value))
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _no_zero(_from_number(value))


def _no_zero(text: str | None) -> str | None:
    return text if text and text > _EARLIEST else None


def _from_text(text: str) -> str | None:
    if text[:1].isalpha():
        match = next((match for pattern in _PATTERNS if (match := pattern.fullmatch(text))), None)
        text = _written_out(match.groupdict()) if match else ""
    try:
        return timestamps.parse(text)
    except ValueError:
        return None


def _written_out(parts: dict[str, str | None]) -> str:
    hour = int(parts["hour"] or 0)
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            return ""
        hour = hour % 12 + (12 if half == "PM" else 0)
    month = _MONTHS.index(parts["month"] or "") + 1
    date = f"{parts['year']}-{month:02d}-{parts['day']:0>2}"
    return f"{date}T{hour:02d}:{parts['minute']}:{parts['second']}.{parts['fraction'] or 0}{parts.get('offset') or 'Z'}"


def _from_number(number: float) -> str | None:
    exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    if not exact.is_finite() or not 0 <= exact < 10**15:
        return None
    try:
        return timestamps.parse(
            timestamps.from_milliseconds(int(exact if exact >= _MILLISECONDS_FROM else exact * 1000))
        )
    except (ValueError, OverflowError):
        return None


def choose_dates(time: Node, *, occurred: Sequence[Node], detected: Sequence[Node], last_seen: Sequence[Node]) -> Dates:
    """Return the dates of a finding. Raises MalformedEvent if no date can be read for ``detected_at``.

    ``occurred_at`` is the first readable date in ``occurred``, and ``detected_at`` is the first readable date in
    ``detected``. ``seen_at`` is the newest date in ``last_seen``. ``time`` is the envelope's time. A date in
    ``detected`` or ``last_seen`` is ignored if it is more than 24 h after ``time``. An ``occurred_at`` after
    ``detected_at`` is dropped, because the clocks disagree.
    """
    latest = latest_of(time.value)
    detections = [*_readable(detected, latest), *_readable([time])]
    if not detections:
        raise MalformedEvent(" or ".join(node.path for node in (*detected, time)) + " must be a date")
    detected_at, detected_from = detections[0]
    seen_at, seen_from = max([*_readable(last_seen, latest)] or [*_readable([time])] or detections[:1])
    read_from = {"detected_at": detected_from, "seen_at": seen_from}
    occurred_at = None
    for occurred_at, occurred_from in _readable(occurred)[:1]:
        read_from["occurred_at"] = occurred_from
        if occurred_at > detected_at:
            occurred_at = None
            read_from["occurred_at"] += ", dropped: later than detected_at"
    if "occurred_at" not in read_from and (unreadable := [node.path for node in occurred if node.value is not None]):
        read_from["occurred_at"] = f"{unreadable[0]}, dropped: not a date"
    return Dates(occurred_at, detected_at, seen_at, read_from)


def latest_of(time: Any) -> str | None:
    """Return the latest date that counts in an event with this envelope time, or None if the time is not a date."""
    now = parse(time)
    return now and timestamps.from_milliseconds(timestamps.to_milliseconds(now) + LATEST_MS)


def _readable(nodes: Sequence[Node], latest: str | None = None) -> list[tuple[str, str]]:
    readable = [(text, node.path) for node in nodes if (text := parse(node.value)) is not None]
    return [(text, path) for text, path in readable if latest is None or text <= latest]
