"""Describe the reason for a due date in words: the term, its anchor, and the steps of the computation."""

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Any

from .arithmetic import Due, Place

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
    """Return a moment in a zone, such as ``2026-03-27 18:00 Europe/Paris``. Seconds are shown if they are not 0."""
    local = at.astimezone(zone)
    clock = local.isoformat(sep=" ", timespec="seconds" if local.second else "minutes")[: 19 if local.second else 16]
    return f"{clock} {zone}"


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


def run(rule: Mapping[str, Any], due: Due, place: Place, cap: tuple[str, datetime] | None) -> Iterable[str]:
    """Yield the steps of a term's computation in words: its units, cap, calendar and roll."""
    yield _RUN[rule["unit"]]
    if due.is_capped and cap is not None:
        yield f"at most {rule['cap']['n']} h after {cap[0]} {moment(cap[1], place.zone)}"
    roll = rule.get("roll")
    if rule["unit"] == "business_day" or roll:
        name = place.calendar.name
        yield f"working days by the calendar {name}" if name else "no calendar is known, so only weekends are closed"
    if due.at != due.unrolled:
        yield f"moved from {moment(due.unrolled, place.zone)} to the next working day"
    elif roll == "dora_noon" and place.is_exempt:
        yield "the entity is exempt from the roll to a working day"
    if roll or rule["unit"] == "business_day":
        day = due.at.astimezone(place.zone).date()
        if not place.calendar.covers(day):
            yield f"the holidays of {day.year} are not known"
