"""Correct or complete the dates of an imported incident, such as its containment and its closing.

This module never invents the date of an end.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from incidents.domain import model, timestamps
from incidents.domain.errors import Violation

LAST_KNOWN_TAGS = {"contained_at": "contained-at-last-known", "closed_at": model.LAST_KNOWN_END}
"""The tags of incidents whose containment or closing has only the last known date."""

REST = "where `rest` says"
"""The place of a cell that no field takes. ``convert`` replaces the text with the place."""
_YEAR = 366 * 86_400_000  # milliseconds

_BEFORE = {
    "detected_at": ("occurred_at",),
    "reported_at": ("occurred_at", "detected_at"),
    "contained_at": ("occurred_at", "detected_at"),
    "closed_at": ("occurred_at", "detected_at", "contained_at"),
}


_MEASURED_FROM = {"detected_at": "occurred_at", "contained_at": "detected_at", "closed_at": "detected_at"}
"""For the end of each measured duration, its beginning. If both are the same day without a time, the duration is 0."""


def keep_order_in_a_day(body: dict[str, Any], days: Mapping[str, str]) -> Iterator[Violation]:
    """Change a date that has no time and is on the day of an earlier date, and yield a warning for each change.

    A date without a time would be the beginning of its day, and so not after the earlier date. The changed date is the
    earlier date. If the report was later on that day, a changed end is the time of the report. The true time of such an
    end is unknown. So the incident gets the tag of a last known date, and its MTTR stays unset. For each field without
    a time, ``days`` has the beginning of the next day.
    """
    for field, before in _BEFORE.items():
        last = max((body[other] for other in before if other in body), default="")
        start = body.get(_MEASURED_FROM.get(field, ""))
        is_affected = field in body and (body[field] < last or body[field] == start)
        if not is_affected or last >= days.get(field, ""):
            continue
        reported = body.get("reported_at", "") if field in LAST_KNOWN_TAGS else ""
        body[field] = max(last, reported) if reported < days[field] else last
        wrong = "has no time, and is on the day of an earlier date; the last known time of that day is taken"
        if tag := LAST_KNOWN_TAGS.get(field):
            body["tags"] = list(dict.fromkeys([*body.get("tags", []), tag]))
            wrong += f", tag {tag}"
        elif last == start:
            wrong += ", so MTTD is 0"
        yield Violation(f"/{field}", wrong)


def whole_day(body: Mapping[str, Any], days: Mapping[str, str]) -> Iterator[Violation]:
    """Yield a warning if the occurrence has no time, and the detection was on the same day."""
    if body.get("occurred_at", "") < body.get("detected_at", "") < days.get("occurred_at", ""):
        yield Violation("/occurred_at", "has no time, and is on the day of the detection; MTTD begins with the day")


def is_early(detected: str, reported: str) -> bool:
    """Return whether a detection is more than a year before the report, so that its year is probably mistyped."""
    return timestamps.to_milliseconds(reported) - timestamps.to_milliseconds(detected) > _YEAR


def misplaced_closing(body: dict[str, Any]) -> Iterator[Violation]:
    """Yield a warning if an incident with a closing date is open again. A dismissed incident needs no warning."""
    if body["status"] != "dismissed":
        yield Violation("/closed_at", f"goes {REST}, because the status is {body['status']}")
