"""Compute one due date: a term from an anchor, in the authority's zone, with the authority's calendar.

Moments are aware ``datetime`` values in UTC. The arithmetic has no clock. Its rules have names that the tests use:

A1   hours run on the line of UTC. Nothing stops them: neither a change of the clocks, nor a weekend.
A2   periods of hours are never extended. Regulation (EEC, Euratom) 1182/71 Art. 3(4) extends only other periods.
A3   days are calendar days after the anchor's local date. They end at 23:59:59 local time.
A4   months end on the anchor's day of the month, or on the last day of a shorter month (1182/71 Art. 3(2)(c)).
A6   business days are the working days of the authority after the anchor's local date.
A7   a roll moves a date from a closed day to a working day; see ``_roll``.
A9   a date is the date in the zone of the authority, never the date in UTC.
"""

from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, NamedTuple

from ..timestamps import LAST_YEAR
from .calendars import Calendar

_END_OF_DAY = time(23, 59, 59)
_NOON = time(12)
_DAY = timedelta(days=1)
DORA_EXEMPT = "dora_exempt"
"""The fact of an entity that Del. Reg. (EU) 2025/301 Art. 5(5) or 5(6) exempts from the roll of the first reports."""


class Place(NamedTuple):
    """Where a term runs: the zone of the authority, its calendar, and whether the entity is exempt from DORA's roll."""

    zone: tzinfo
    calendar: Calendar
    is_exempt: bool = False


class Due(NamedTuple):
    """A due date. ``unrolled`` is the date before the roll. ``is_capped`` is true if the cap has decided (DORA)."""

    at: datetime
    unrolled: datetime
    is_capped: bool = False


def needs_zone(term: Mapping[str, Any]) -> bool:
    """Return whether a term depends on local dates. Hours do not, except for their roll."""
    return bool(term["unit"] != "hour")


def due(term: Mapping[str, Any], anchor: datetime, place: Place, cap_anchor: datetime | None = None) -> Due:
    """Return when a term ends that begins at an anchor.

    ``cap_anchor`` is the anchor of the term's cap. A term with a cap needs it. Raises OverflowError if the date is
    later than the year 9998.
    """
    if term["unit"] == "hour":
        end = anchor + timedelta(hours=term["n"])
        if term["end"] == "next_hour":
            local = end.astimezone(place.zone)
            end += timedelta(hours=1) - timedelta(
                minutes=local.minute, seconds=local.second, microseconds=local.microsecond
            )
    else:
        last = _last_day(term, anchor.astimezone(place.zone).date(), place.calendar)
        end = _local(last, _clock(term["end"]), place.zone)
    is_capped = False
    if (cap := term.get("cap")) is not None:
        if cap_anchor is None:
            raise ValueError("the term has a cap, which needs its anchor")
        latest = cap_anchor + timedelta(hours=cap["n"])
        is_capped = anchor <= latest < end
        end = latest if is_capped else end
    due_ = Due(_roll(term, end, anchor, place), end, is_capped)
    if due_.at.year > LAST_YEAR:
        raise OverflowError("the date is too late")
    return due_


def _last_day(term: Mapping[str, Any], first: date, calendar: Calendar) -> date:
    """Return the local date on which a term ends that begins on the date ``first``."""
    n = term["n"]
    match term["unit"]:
        case "day":
            return first + timedelta(days=n)
        case "month":
            months = first.year * 12 + first.month - 1 + n
            year, month = months // 12, months % 12 + 1
            if year > LAST_YEAR:
                raise OverflowError("the date is too late")
            return date(year, month, min(first.day, monthrange(year, month)[1]))
        case "day_after_year_end":
            return date(first.year, 12, 31) + timedelta(days=n)
        case "business_day":
            day = first
            for _ in range(n):
                day = calendar.next_open(day)
            return day
    raise ValueError(f"{term['unit']} is not a unit of a term")


def _roll(term: Mapping[str, Any], end: datetime, anchor: datetime, place: Place) -> datetime:
    """Return the end of a term after its roll.

    ``eu_working_day`` (R1, 1182/71 Art. 3(4) and 3(5)): from a closed day to the end of the next working day. A period
    of two days or more then has at least two working days.

    ``dora_noon`` (R2, Del. Reg. (EU) 2025/301 Art. 5(4)): from a closed day to noon of the next working day, unless the
    entity is exempt (Art. 5(5), 5(6)). ``dora_noon_all``: for each entity.
    """
    roll, calendar = term.get("roll"), place.calendar
    local = end.astimezone(place.zone)
    if roll == "eu_working_day":
        day = local.date() if calendar.is_open(local.date()) else calendar.next_open(local.date())
        first = anchor.astimezone(place.zone).date()
        is_short = term["unit"] == "day" and term["n"] < 2
        while not is_short and sum(calendar.is_open(first + n * _DAY) for n in range(1, (day - first).days + 1)) < 2:
            day = calendar.next_open(day)
        return end if day == local.date() else _local(day, _END_OF_DAY, place.zone)
    noon = roll == "dora_noon_all" or (roll == "dora_noon" and not place.is_exempt)
    if noon and not calendar.is_open(local.date()):
        return _local(calendar.next_open(local.date()), _NOON, place.zone)
    return end


def _clock(end: str) -> time:
    return _END_OF_DAY if end == "end_of_day" else time.fromisoformat(end)


def _local(day: date, clock: time, zone: tzinfo) -> datetime:
    """Return a local time in UTC.

    A time that occurs twice is the first one. A time that the change of the clocks skips is taken with the offset from
    before the change.
    """
    return datetime.combine(day, clock, zone).astimezone(UTC)
