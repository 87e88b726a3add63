"""The due dates after each change of an incident, from its trail.

The trail holds the old and the new values of each change. So the former states follow from the present one, backwards,
and the newest changes of a trail are enough. The dates are computed with the rules and the settings of now: the history
shows what each change did, not what an earlier release would have answered.
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
"""How many changes an answer looks at: the newest ones. The number bounds the time, the read units and the size."""


def due_history(
    incident: Mapping[str, Any], changes: Iterable[Change], settings: Settings, now: datetime
) -> list[dict[str, Any]]:
    """Return each change that moved a due date, oldest first, with the old and the new date of each stage.

    ``incident`` is the present incident. ``changes`` are all changes of its trail since some version, in any order.
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
    # ``state`` is now the state before the oldest of the changes. Before change 1, there were no due dates.
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
