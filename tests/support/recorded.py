"""Reads the recorded events of ``tests/events``.

They have the documented form of real events, with made-up accounts and names.
"""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from incidents.findings import Finding, Report

from tests.support.templates import CHECKOUT

FOLDER = CHECKOUT / "tests" / "events"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
ACCOUNT = "111122223333"
"""The account of most recorded events."""

GONE: Any = object()


def event(name: str, **changed: Any) -> dict[str, Any]:
    """Return a recorded event with changes at paths like ``detail__findings__0__Title``; ``GONE`` removes a member."""
    recorded: dict[str, Any] = json.loads(_read(FOLDER / f"{name}.json"))
    for path, value in changed.items():
        *way, last = path.split("__")
        at: Any = recorded
        for step in way:
            at = at[int(step)] if step.isdecimal() else at.setdefault(step, {})
        if value is GONE:
            del at[last]
        else:
            at[last] = copy.deepcopy(value)
    return recorded


def expected(name: str) -> list[Finding]:
    """Return the findings that the recorded event must give if all sources are enabled."""
    return [Finding(**one) for one in json.loads(_read(FOLDER / "expected" / f"{name}.json"))]


def without_events(reports: Sequence[Report]) -> list[Report]:
    """Return the reports with findings that lack their events, because the adapters alone do not set the events."""
    return [report._replace(received=None, adapter="") if isinstance(report, Finding) else report for report in reports]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
