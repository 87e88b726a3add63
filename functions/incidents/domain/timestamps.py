"""Strict RFC 3339 timestamps, stored and answered as UTC text with milliseconds: ``2026-11-23T06:16:30.125Z``.

The text has one width, so its order as text is its order in time: comparing two of them needs no parsing.
"""

import re
from datetime import UTC, datetime, timedelta

FIRST_YEAR, LAST_YEAR = 1970, 9998
WANTED = f"an RFC 3339 date and time with an offset, from {FIRST_YEAR} to {LAST_YEAR}, like 2026-11-23T06:16:30Z"

# RFC 3339 section 5.6, with its upper and lower case t and z. ASCII digits only: \d would take every script's.
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse(text: str) -> str:
    """Return ``text`` as UTC text with milliseconds; digits past milliseconds are cut, not rounded.

    Raises ValueError, saying what would be right, for anything else: no offset, a date that no calendar has, a leap
    second (which no clock here can hold), a year outside 1970 to 9998 after conversion to UTC.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"must be {WANTED}")
    date, clock, fraction, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=UTC)
        moment = moment + offset if sign == "-" else moment - offset
    except (ValueError, OverflowError) as impossible:
        raise ValueError(f"must be {WANTED}; there is no such date and time") from impossible
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"must be {WANTED}")
    return f"{moment.isoformat()[:19]}.{(fraction or '')[:3]:0<3}Z"  # strftime takes three times as long


def from_milliseconds(milliseconds: int) -> str:
    """Return the text of a moment given as milliseconds since 1970."""
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return f"{moment.isoformat(timespec='milliseconds')[:23]}Z"


def to_milliseconds(text: str) -> int:
    """Return the milliseconds since 1970 of a text that ``parse`` returned."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)


def minutes_between(start: str, end: str) -> int:
    """Return the whole minutes from ``start`` to ``end``, floored once at the end of the calculation."""
    return (to_milliseconds(end) - to_milliseconds(start)) // 60_000
