"""Describe the reason for a due date in words: the term, its anchor, and the steps of the computation."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from .arithmetic import Due, Place

_DAY = timedelta(days=1)
_UNITS = {
    "minute": "min",
    "hour": "h",
    "day": "calendar days",
    "month": "months",
    "business_day": "working days",
    "day_after_year_end": "days",
}
_RUN = {
    "minute": "minutes run through weekends and changes of the clocks",
    "hour": "hours run through weekends and changes of the clocks",
    "day": "the day of the event is not counted",
    "month": "the same day of the month, or the last day of a shorter month",
    "business_day": "the day of the event is not counted",
    "day_after_year_end": "counted in calendar days from 31 December",
}


def moment(at: datetime, zone: tzinfo) -> str:
    """Return a moment in a zone, such as ``2026-03-27 18:00 Europe/Paris``. Seconds are shown if they are not 0.

    If the clocks of the zone show a time twice, the text has the offset, too: ``2026-10-25 02:30 Europe/Paris
    (UTC+01:00)``.
    """
    local = at.astimezone(zone)
    precision = "milliseconds" if local.microsecond else "seconds" if local.second else "minutes"
    clock = local.replace(tzinfo=None).isoformat(sep=" ", timespec=precision)
    is_twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
    return f"{clock} {zone} (UTC{local.isoformat(timespec='seconds')[19:]})" if is_twice else f"{clock} {zone}"


def term(rule: Mapping[str, Any], name: str, at: datetime, zone: tzinfo) -> str:
    """Return a term and its anchor in words, such as ``72 h after aware 2026-03-27 18:00 Europe/Paris``."""
    unit = _UNITS[rule["unit"]]
    unit = unit.removesuffix("s") if rule["n"] == 1 else unit
    after = "after the end of the year of" if rule["unit"] == "day_after_year_end" else "after"
    return f"{rule['n']} {unit} {after} {anchor(name)} {moment(at, zone)}"


def anchor(name: str) -> str:
    """Return an anchor in words, such as ``aware`` or ``the submission of notification``."""
    if not name.startswith("stage:"):
        return name
    _, stage, *latest = name.split(":")
    return f"the latest submission of {stage}" if latest else f"the submission of {stage}"


def run(
    rule: Mapping[str, Any], due: Due, place: Place, cap: tuple[str, datetime] | None, start: datetime
) -> Iterable[str]:
    """Yield the steps of a term's computation in words: its units, cap, calendar and roll. ``start`` is the moment at
    which the term begins.
    """
    yield _RUN[rule["unit"]]
    if cap is not None:
        limit = f"{rule['cap']['n']} h after {cap[0]} {moment(cap[1], place.zone)}"
        if due.is_capped:
            yield f"at most {limit}"
        elif start > cap[1] + timedelta(hours=rule["cap"]["n"]):
            yield f"the term begins later than {limit}, so this limit does not apply"
    roll = rule.get("roll")
    if rule["unit"] == "business_day" or roll:
        name = place.calendar.name
        yield f"working days by the calendar {name}" if name else "no calendar is known, so only weekends are closed"
    if due.at != due.unrolled:
        day, last = (at.astimezone(place.zone).date() for at in (due.unrolled, due.at))
        working_day = day if place.calendar.is_open(day) else place.calendar.next_open(day)
        moved = f"moved from {moment(due.unrolled, place.zone)}"
        if roll == "eu_working_day" and last > working_day:
            yield f"{moved}, because the period has at least two working days (1182/71 Art. 3(5))"
        else:
            yield f"{moved} to the next working day"
    elif roll == "dora_noon" and place.is_exempt:
        yield "the entity is exempt from the roll to a working day"
    yield from gaps(rule, due, place, start)


def gaps(rule: Mapping[str, Any], due: Due, place: Place, start: datetime) -> Iterable[str]:
    """Yield the years of a term that are not in its calendar, if the term depends on working days."""
    is_counted = rule["unit"] == "business_day"
    if not is_counted and not rule.get("roll"):
        return
    first = start.astimezone(place.zone).date() + _DAY if is_counted else due.unrolled.astimezone(place.zone).date()
    years = range(first.year, due.at.astimezone(place.zone).year + 1)
    if unknown := [str(year) for year in years if not place.calendar.covers(year)]:
        first_to_last = unknown[0] if len(unknown) == 1 else f"{unknown[0]} to {unknown[-1]}"
        yield f"the holidays of {first_to_last} are not known"
