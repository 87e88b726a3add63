"""The due dates after each change of an incident, from its trail.

The trail has the old and the new values of each change. So the former states are computed backwards from the present
state, and the newest changes of the trail are enough. All dates are computed with today's rules and settings. So the
history shows the effect of each change, and not the answer that an earlier release would have given.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from ..model import Change
from .assessment import due_dates, known
from .rules import Settings

FIELDS = ("reportable_to", "regulatory_reports", "detected_at")
"""The fields of an incident on which its due dates depend."""

CHANGES = 100
"""The most changes that an answer covers, which are the newest. The limit bounds the time, read units and size."""

DATES = 15_000
"""After so many due dates, an answer covers no older change. With 500 stages, 100 changes have 50,000 due dates.

A due date takes up to 250 bytes in the answer, which then has about 4 MB. Lambda permits 6 MB.
"""


def due_history(
    incident: Mapping[str, Any],
    changes: Iterable[Change],
    settings: Settings,
    now: datetime,
    has_time: Callable[[], bool] = lambda: True,
) -> tuple[list[dict[str, Any]], int]:
    """Return each change that moved a due date, oldest first, with the old and the new date of each stage.

    Also return the version of the oldest change that was looked at. ``incident`` is the present incident. ``changes``
    has all changes since one of its versions, in any order. If ``has_time`` returns false, or after DATES due dates,
    all older changes are left out.
    """
    state = {field: incident[field] for field in FIELDS}
    entries: list[dict[str, Any]] = []
    since, dates, computed = incident["version"] + 1, None, 0
    for change in sorted(changes, key=lambda change: change.version, reverse=True):
        if not has_time() or computed >= DATES:
            break
        since = change.version
        moving = [field for field in FIELDS if field in change.changes]
        if change.version > 1 and not moving:
            continue
        after = due_dates(known(state), settings, now) if dates is None else dates
        for field in moving:
            former = change.changes[field][0]
            state[field] = [] if former is None and field == "reportable_to" else former
        # There were no due dates before the first change.
        before = dates = due_dates(known(state), settings, now) if change.version > 1 else {}
        computed += len(before)
        moved = [
            {"regime": regime, "stage": stage, "from": before.get((regime, stage)), "to": after.get((regime, stage))}
            for regime, stage in dict.fromkeys([*before, *after])
            if before.get((regime, stage)) != after.get((regime, stage))
        ]
        if moved:
            entries.append({"version": change.version, "at": change.at, "by": change.by, "due_dates": moved})
    return entries[::-1], since
