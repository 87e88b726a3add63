"""Decide about the ends of an imported incident: the dates of its containment and closing. No end is invented."""

from collections.abc import Iterator, Mapping
from typing import Any

from incidents.domain import model
from incidents.domain.errors import Violation

LAST_KNOWN_TAGS = {"contained_at": "contained-at-last-known", "closed_at": model.LAST_KNOWN_END}
"""The tag of an incident whose end is only its last known date."""

_BEFORE = ("occurred_at", "detected_at", "contained_at")


def keep_order_in_a_day(body: dict[str, Any], days: Mapping[str, str]) -> Iterator[Violation]:
    """Change an end that has no time and is on the day of an earlier date, and yield a warning for each change.

    Such an end would be the beginning of its day, which is before the earlier date. The end becomes this earlier date,
    and the incident gets the tag of a last known date, so its MTTR stays unset. ``days`` has, for each field without a
    time, the beginning of the next day.
    """
    for end, tag in LAST_KNOWN_TAGS.items():
        last = max((body[field] for field in _BEFORE if field != end and field in body), default="")
        if end in body and body[end] < last < days.get(end, ""):
            body[end] = last
            body["tags"] = list(dict.fromkeys([*body.get("tags", []), tag]))
            yield Violation(
                f"/{end}", f"has no time, and is on the day of an earlier date; this date is taken, tag {tag}"
            )


def misplaced_closing(body: dict[str, Any]) -> Iterator[Violation]:
    """Yield a warning if an incident with a closing date is open again. A dismissed incident needs no warning."""
    if body["status"] != "dismissed":
        yield Violation("/closed_at", f"is kept as text, because the status is {body['status']}")
