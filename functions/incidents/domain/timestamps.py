"""Timestamps as callers send them, stored and returned as UTC text with milliseconds: ``2026-11-23T06:16:30.125Z``.

``parse`` is the only reader of timestamps: for bodies, parameters, imports and findings. It takes RFC 3339 and three
forms of ISO 8601 that clients send: an offset without a colon (``+0100``), an offset of hours only (``+01``), and a
comma before the fraction. It also takes a space in place of the ``+``, because a bare ``+`` in a query string arrives
as a space.

It refuses leap seconds, which ``datetime`` cannot represent; 24:00, which RFC 3339 does not have; and a space or
nothing in place of the ``T``.

All these texts have the same length, so their order as text is their order in time. Comparing them needs no parsing.
"""

import re
from datetime import UTC, datetime, timedelta

FIRST_YEAR, LAST_YEAR = 1970, 9998
WANTED = f"an RFC 3339 date and time with an offset, from {FIRST_YEAR} to {LAST_YEAR}, like 2026-11-23T06:16:30Z"

# The form of RFC 3339 section 5.6. The letters T and Z may be in lower case. The pattern has [0-9], because \d would
# match the digits of every script.
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])(?:[.,]([0-9]+))?"
    r"(?:[Zz]|([+ -])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?)"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse(text: str) -> str:
    """Return ``text`` as UTC text with milliseconds. Digits after the milliseconds are cut off, not rounded.

    Raises ValueError if the text has another form, if the date does not exist, or if the year in UTC is not from 1970
    to 9998. The error's text describes a correct timestamp.
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(f"must be {WANTED}")
    date, clock, fraction, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=UTC)
        moment = moment + offset if sign == "-" else moment - offset
    except (ValueError, OverflowError) as impossible:
        raise ValueError(f"must be {WANTED}; there is no such date") from impossible
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"must be {WANTED}")
    return f"{moment.isoformat()[:19]}.{(fraction or '')[:3]:0<3}Z"  # strftime would take three times as long


def from_milliseconds(milliseconds: int) -> str:
    """Return the UTC text of a time in milliseconds since 1970."""
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return f"{moment.isoformat(timespec='milliseconds')[:23]}Z"


def to_milliseconds(text: str) -> int:
    """Return the milliseconds since 1970 of a text from ``parse``."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)


def minutes_between(start: str, end: str) -> int:
    """Return the minutes from ``start`` to ``end``, rounded down once, at the end of the calculation."""
    return (to_milliseconds(end) - to_milliseconds(start)) // 60_000
