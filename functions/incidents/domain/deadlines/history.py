"""The due dates after each change of an incident, from its trail.

The trail has the old and the new values of each change. So the former states are computed backwards from the present
state, and the newest changes of the trail are enough. All dates are computed with today's rules and settings. So the
history shows the effect of each change, and not the answer that an earlier release would have given.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ..model import Change
from .assessment import due_dates, known
from .rules import Settings

FIELDS = ("reportable_to", "regulatory_reports", "detected_at")
"""The fields of an incident on which its due dates depend."""

CHANGES = 100
"""The most changes that an answer covers, which are the newest. The limit bounds the time, read units and size."""


def due_history(
    incident: Mapping[str, Any], changes: Iterable[Change], settings: Settings, now: datetime
) -> list[dict[str, Any]]:
    """Return each change that moved a due date, oldest first, with the old and the new date of each stage.

    ``incident`` is the present incident. ``changes`` has all changes since one of its versions, in any order.
    """
    state = {field: incident[field] for field in FIELDS}
    trail = sorted(changes, key=lambda change: change.version, reverse=True)
    states = []
    for change in trail:
        states.append((change, dict(state)))
        for field in FIELDS:
            if field in change.changes:
                former = change.changes[field][0]
                state[field] = [] if former is None and field == "reportable_to" else former
    entries: list[dict[str, Any]] = []
    # ``state`` is now the state before the oldest of the changes. There were no due dates before the first change.
    is_complete = not trail or trail[-1].version == 1
    before: dict[tuple[str, str], str | None] = {} if is_complete else due_dates(known(state), settings, now)
    for change, after in reversed(states):
        if change.version > 1 and not any(field in change.changes for field in FIELDS):
            continue
        dates = due_dates(known(after), settings, now)
        moved = [
            {"regime": regime, "stage": stage, "from": before.get((regime, stage)), "to": dates.get((regime, stage))}
            for regime, stage in dict.fromkeys([*before, *dates])
            if before.get((regime, stage)) != dates.get((regime, stage))
        ]
        if moved:
            entries.append({"version": change.version, "at": change.at, "by": change.by, "due_dates": moved})
        before = dates
    return entries
