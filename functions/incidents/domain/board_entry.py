"""The entry of an incident on the board: the incident's open stages, in the order of their dates, as JSON.

A stage is open if it is on, applies, and is not submitted. The date of a stage is its due date or, without one, its
projection. Stages without a date are last. Entries are stored. As time passes, only one thing changes in an entry: a
running stage becomes overdue. ``shown`` returns an entry with the right states at a given moment.

This module must not load the rules, because they would slow down the start of the functions that only read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from . import timestamps
from .questions import OPEN_STAGES

_SHOWN = ("regime", "stage", "state", "due_at", "projected_at", "anchor_missing", "setting_missing")
_ENDS_DAY = "ends_day"  # the API does not show this member of a stored stage
_LAST = "~"  # this character sorts after every date


def open_stage(regime: str, stage: Mapping[str, Any], *, ends_day: bool) -> dict[str, Any] | None:
    """Return a stage in the form for a stored entry, or None if the stage is not open.

    ``stage`` is a stage of the answer of ``deadlines.assessment``. ``ends_day`` is true if the term of the stage ends
    with the end of a day. Then a submission is in time until the end of the last second.
    """
    if stage["state"] not in OPEN_STAGES:
        return None
    stored = {name: stage[name] for name in _SHOWN[1:]} | {"regime": regime}
    if ends_day and stage["due_at"] is not None:
        stored[_ENDS_DAY] = True
    return stored


def in_order(stages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return open stages in the order of their dates. Stages without a date are last."""
    return sorted(stages, key=lambda stage: (sort_key(stage), stage["regime"], stage["stage"]))


def sort_key(stage: Mapping[str, Any]) -> str:
    """Return a text for sorting. It sorts open stages by their dates, and stages without a date last."""
    return date(stage) or _LAST


def date(stage: Mapping[str, Any]) -> str | None:
    """Return the date at which an open stage is due or projected, or None without a date."""
    at: str | None = stage["due_at"] or stage["projected_at"]
    return at


def late_from(due_at: str, *, ends_day: bool) -> int:
    """Return the first moment at which a stage is late, in milliseconds since 1970.

    A submission at exactly the due date is in time (A11).
    """
    return timestamps.to_milliseconds(due_at) + (1000 if ends_day else 1)


def shown(entry: Mapping[str, Any], now: int) -> dict[str, Any]:
    """Return a stored entry with the states that its stages have at ``now``, in milliseconds since 1970."""
    return {**entry, "stages": [_shown(stage, now) for stage in entry["stages"]]}


def _shown(stage: Mapping[str, Any], now: int) -> dict[str, Any]:
    answer = {name: stage[name] for name in _SHOWN}
    if stage["due_at"] is not None:
        is_late = now >= late_from(stage["due_at"], ends_day=stage.get(_ENDS_DAY, False))
        answer["state"] = "overdue" if is_late else "running"
    return answer
