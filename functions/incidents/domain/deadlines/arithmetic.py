"""Compute one due date: a term from an anchor, in the authority's zone, with the authority's calendar.

Moments are aware ``datetime`` values in UTC. The arithmetic reads no clock. The tests refer to its rules by name:

A1   hours are counted in UTC. Neither a change of the clocks nor a weekend interrupts the count.
A2   periods of hours are never extended. Regulation (EEC, Euratom) 1182/71 Art. 3(4) extends only other periods.
A3   days are calendar days after the anchor's local date. They end with the last second of a local day.
A4   months end on the anchor's day of the month, or on the last day of a shorter month (1182/71 Art. 3(2)(c)).
A6   business days are the working days of the authority after the anchor's local date.
A7   a roll moves a date from a closed day to a working day. See ``_extended`` and ``_at_noon``.
A9   a date is always the date in the authority's zone, and never the date in UTC.
"""

from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, NamedTuple

from ..timestamps import LAST_YEAR
from .calendars import Calendar

_LAST_SECOND = time(23, 59, 59, fold=1)
_NOON = time(12)
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_ON_THE_LINE = {"minute": timedelta(minutes=1), "hour": _HOUR}  # these units do not depend on dates
DORA_EXEMPT = "dora_exempt"
"""The fact of an entity that Del. Reg. (EU) 2025/301 Art. 5(5) or 5(6) exempts from the roll of the first reports."""


class Place(NamedTuple):
    """The place of a term: the authority's zone and calendar, and whether the entity is exempt from DORA's roll."""

    zone: tzinfo
    calendar: Calendar
    is_exempt: bool = False


class Due(NamedTuple):
    """A due date. ``unrolled`` is the date before the roll. ``is_capped`` is true if the cap has decided (DORA)."""

    at: datetime
    unrolled: datetime
    is_capped: bool = False


def needs_zone(term: Mapping[str, Any]) -> bool:
    """Return whether a term depends on local dates. A term of minutes or hours depends on dates only through a roll."""
    return term["unit"] not in _ON_THE_LINE


def due(term: Mapping[str, Any], anchor: datetime, place: Place, cap_anchor: datetime | None = None) -> Due:
    """Return the due date of a term that begins at an anchor.

    A term with a cap needs ``cap_anchor``, the anchor of the cap. Raises OverflowError if the date is later than the
    year 9998.
    """
    if (unit := _ON_THE_LINE.get(term["unit"])) is not None:
        begin = _next_hour(anchor, place.zone) if term["end"] == "next_hour" else anchor
        unrolled = end = begin + unit * term["n"]
    else:
        first = _first_day(term, anchor.astimezone(place.zone).date())
        last = _last_day(term, first, place.calendar)
        unrolled = _at_end(term, last, place.zone)
        end = _at_end(term, _extended(term, first, last, place.calendar), place.zone)
    is_capped = False
    if (cap := term.get("cap")) is not None:
        if cap_anchor is None:
            raise ValueError("the term has a cap, which needs its anchor")
        latest = cap_anchor + timedelta(hours=cap["n"])
        is_capped = anchor <= latest < end
        if is_capped:
            unrolled = end = latest
    due_ = Due(_at_noon(term, end, place), unrolled, is_capped)
    if due_.at.year > LAST_YEAR:
        raise OverflowError("the date is too late")
    return due_


def _first_day(term: Mapping[str, Any], day: date) -> date:
    """Return the local date before the first day that a term counts. ``day`` is the local date of the anchor."""
    return date(day.year, 12, 31) if term["unit"] == "day_after_year_end" else day


def _last_day(term: Mapping[str, Any], first: date, calendar: Calendar) -> date:
    """Return the last local date of a term. The term counts its days after the date ``first``."""
    n = term["n"]
    match term["unit"]:
        case "day" | "day_after_year_end":
            return first + timedelta(days=n)
        case "month":
            months = first.year * 12 + first.month - 1 + n
            year, month = months // 12, months % 12 + 1
            if year > LAST_YEAR:
                raise OverflowError("the date is too late")
            return date(year, month, min(first.day, monthrange(year, month)[1]))
        case "business_day":
            day = first
            for _ in range(n):
                day = calendar.next_open(day)
            return day
    raise ValueError(f"{term['unit']} is not a unit of a term")


def _extended(term: Mapping[str, Any], first: date, last: date, calendar: Calendar) -> date:
    """Return the last day of a term of days after the roll ``eu_working_day`` (R1, 1182/71 Art. 3(4) and 3(5)).

    The term ends on a working day. A term of two days or more has at least two working days.
    """
    if term.get("roll") != "eu_working_day":
        return last
    working_days = 2 if term["n"] > 1 or term["unit"] == "month" else 0
    while not calendar.is_open(last) or _working_days(first, last, calendar) < working_days:
        last += _DAY
    return last


def _working_days(first: date, last: date, calendar: Calendar) -> int:
    """Return the number of working days after ``first`` up to and including ``last``, but at most 2."""
    n, day = 0, first
    while n < 2 and (day := calendar.next_open(day)) <= last:
        n += 1
    return n


def _at_noon(term: Mapping[str, Any], end: datetime, place: Place) -> datetime:
    """Return the end of a term after the roll of DORA (R2, Del. Reg. (EU) 2025/301 Art. 5(4)).

    ``dora_noon`` moves an end on a closed day to noon of the next working day, unless the entity is exempt (Art. 5(5),
    5(6)). ``dora_noon_all`` moves the end for every entity.
    """
    rolls = term.get("roll") == "dora_noon_all" or (term.get("roll") == "dora_noon" and not place.is_exempt)
    day = end.astimezone(place.zone).date()
    if not rolls or place.calendar.is_open(day):
        return end
    return datetime.combine(place.calendar.next_open(day), _NOON, place.zone).astimezone(UTC)


def _next_hour(at: datetime, zone: tzinfo) -> datetime:
    """Return the beginning of the next full hour in a zone. This hour is the first that counts (1182/71 Art. 3(1))."""
    while True:
        local = at.astimezone(zone)
        at += _HOUR - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        if not at.astimezone(zone).minute:
            return at


def _at_end(term: Mapping[str, Any], day: date, zone: tzinfo) -> datetime:
    """Return the moment in UTC at which a term ends on a given day.

    The end of a day is its last second, even if a change of the clocks repeats or skips 23:59:59. If any other time
    occurs twice, the first occurrence counts. A skipped time has the offset from before the change of the clocks.
    """
    clock = _LAST_SECOND if term["end"] == "end_of_day" else time.fromisoformat(term["end"])
    return datetime.combine(day, clock, zone).astimezone(UTC)
