"""Read the times of day in a column next to a column of dates.

If the meaning of a cell is not clear, the cell is refused. Otherwise an incident could get a wrong time, or the
midnight of its date, without a warning.
"""

import re
from typing import Any, NamedTuple

from . import moments

ABOUT = "is about this time, as the cell says; the time is taken"
WITHOUT_TIME_TAG = "{}-without-time"
"""The tag of an incident whose date is taken without the time of its row."""

_DAY_SECONDS = 86_400
# Words for an estimate in English, German, French and Spanish. Words for a limit are not here, such as `vor` or `ab`.
_ABOUT = re.compile(
    r"(?:(?:ca|circa|etwa|ungefähr|ungef|gegen|rund|about|around|approx|approximately|environ|env|vers|hacia|aprox)\b"
    r"\.?|[~≈]) ?",
    re.IGNORECASE,
)
_AT = re.compile(r"(?:um|at|à) ", re.IGNORECASE)
_DOT = re.compile(r"(?!0[.,])([0-9]{1,2})[.,]([0-5][0-9])")  # 0.50 may also be the half of a day
_DIGITS = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9])")
_UNIT_BETWEEN = re.compile(r"([0-9]{1,2}) ?(?:Uhr|h) ?([0-5][0-9])", re.IGNORECASE)
_FRACTION = re.compile(r"0[.,](?:[0-9]|[0-9]{3,})")  # the number of a spreadsheet for a time
# 09:00-10:00 is a period, so a negative offset needs the word UTC.
_ZONED = re.compile(
    r"(.+?) ?\(?(MESZ|MEZ|CEST|CET|UTC|GMT|Z|(?:(?:UTC|GMT)[+-]|\+)[0-9]{2}(?::?[0-9]{2})?)\)?", re.IGNORECASE
)
_DAY_ZERO = re.compile(r"(?:1899-12-3[01]|1900-01-0[01]|1904-01-01|3[01]\.12\.1899)[T ](.+)")
_OF_SEASON = ("cet", "cest", "mez", "mesz")
"""Zones that people also write in the wrong season, so they must agree with the zone of the mapping."""


class TimeOfDay(NamedTuple):
    """A time of day as ``moments.parse`` reads it, and its zone or an empty text. ``is_about`` is true for ``ca.``."""

    text: str
    zone: str = ""
    is_about: bool = False

    @property
    def must_agree(self) -> bool:
        """Whether the zone must be the zone of the mapping on that day."""
        return self.zone.casefold() in _OF_SEASON


def read(cell: Any) -> TimeOfDay | None:
    """Return the time of day of a cell, or None. A number of a workbook below 1 is the part of a day that has passed.

    Readable are ``14:30``, ``8.15``, ``14,30``, ``1430``, ``9 Uhr``, ``9h15``, ``14:30 (MEZ)``, ``ca. 14:30``,
    ``0.5625`` and ``1899-12-30 14:30:00``.
    """
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        is_clock = isinstance(cell, int) and (plain := _plain(str(cell)))
        return TimeOfDay(plain) if is_clock and plain else TimeOfDay(_of_fraction(cell)) if 0 < cell < 1 else None
    text = " ".join(str(cell).split())
    if len(text) > 40:  # a sentence
        return None
    if about := _ABOUT.match(text):
        clock = read(text[about.end() :])
        return clock and clock._replace(is_about=True)
    if at := _AT.match(text):
        text = text[at.end() :]
    if day := _DAY_ZERO.fullmatch(text):
        text = day[1]
    if plain := _plain(text):
        return TimeOfDay(plain)
    zoned = _ZONED.fullmatch(text)
    return TimeOfDay(plain, zoned[2]) if zoned and (plain := _plain(zoned[1])) else None


def _plain(text: str) -> str | None:
    if moments.is_clock(text):
        return text
    if match := _DOT.fullmatch(text) or _UNIT_BETWEEN.fullmatch(text) or _DIGITS.fullmatch(text):
        return f"{match[1]}:{match[2]}"
    return _of_fraction(float(text.replace(",", "."))) if _FRACTION.fullmatch(text) else None


def _of_fraction(part: float) -> str:
    minutes, seconds = divmod(round(part * _DAY_SECONDS), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
