"""The board entry of an incident: its open stages, soonest first, as JSON.

A stage is open if it is on, applies, and is not submitted. The date of a stage is its due date or, without one, its
projection. Stages without a date are last. Time alone changes only one thing in an entry: a running stage becomes
overdue. So an entry is stored, and ``shown`` gives it as of a moment.

This module must not load the rules, which would slow down the start of the functions that only read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from . import timestamps
from .questions import OPEN_STAGES

_SHOWN = ("regime", "stage", "state", "due_at", "projected_at", "anchor_missing", "setting_missing")
_ENDS_DAY = "ends_day"  # only in a stored entry
_LAST = "~"  # sorts after every date


def open_stage(regime: str, stage: Mapping[str, Any], *, ends_day: bool) -> dict[str, Any] | None:
    """Return the form of a stage in a stored entry; None if the stage is not open.

    ``stage`` is a stage of the answer of ``deadlines.assessment``. ``ends_day`` is true if its term ends with a day:
    then it is in time up to the end of the last second.
    """
    if stage["state"] not in OPEN_STAGES:
        return None
    stored = {name: stage[name] for name in _SHOWN[1:]} | {"regime": regime}
    if ends_day and stage["due_at"] is not None:
        stored[_ENDS_DAY] = True
    return stored


def in_order(stages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return open stages, soonest first, stages without a date last."""
    return sorted(stages, key=lambda stage: (sort_key(stage), stage["regime"], stage["stage"]))


def sort_key(stage: Mapping[str, Any]) -> str:
    """Return a text that puts open stages into the order of their dates, and stages without a date last."""
    return date(stage) or _LAST


def date(stage: Mapping[str, Any]) -> str | None:
    """Return when an open stage is due or projected; None without a date."""
    at: str | None = stage["due_at"] or stage["projected_at"]
    return at


def late_from(due_at: str, *, ends_day: bool) -> int:
    """Return the first millisecond since 1970 at which a stage is late. On the dot is in time (A11)."""
    return timestamps.to_milliseconds(due_at) + (1000 if ends_day else 1)


def shown(entry: Mapping[str, Any], now: int) -> dict[str, Any]:
    """Return a stored entry as of a moment, in milliseconds since 1970."""
    return {**entry, "stages": [_shown(stage, now) for stage in entry["stages"]]}


def _shown(stage: Mapping[str, Any], now: int) -> dict[str, Any]:
    answer = {name: stage[name] for name in _SHOWN}
    if stage["due_at"] is not None:
        is_late = now >= late_from(stage["due_at"], ends_day=stage.get(_ENDS_DAY, False))
        answer["state"] = "overdue" if is_late else "running"
    return answer
