"""Test vectors for the deadlines. Each has a stage's anchors, zone and closed days, and the correct due date.

Other people computed the vectors V, from published examples and from the acts. We computed the vectors W by hand from
the acts.
"""

import json
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from incidents.domain.deadlines import calendars, clocks, rules
from incidents.domain.deadlines.arithmetic import Place
from incidents.domain.deadlines.calendars import Calendar
from incidents.domain.deadlines.clocks import Setting, StageClock
from incidents.domain.deadlines.starts import Report, Submission

from tests.support.templates import CHECKOUT

VECTORS: list[dict[str, Any]] = json.loads((CHECKOUT / "tests" / "deadlines" / "vectors.json").read_text())
SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)


class DueDates(NamedTuple):
    """The due date of a stage, and the other date if the law can be read in two ways."""

    due: datetime | None
    alternative: datetime | None


def wanted(vector: dict[str, Any]) -> DueDates:
    """Return the two dates that a vector gives."""
    moments = (vector["due"], vector.get("alternative"))
    return DueDates(*(None if text is None else clocks.utc(text) for text in moments))


def clock(vector: dict[str, Any]) -> StageClock:
    """Return the clock of a vector's stage."""
    regime_id, stage_id = vector["rule"].split("/")
    regime = next(regime for regime in rules.released()["regimes"] if regime["id"] == regime_id)
    anchors, sent = {}, {}
    for name, text in vector["anchors"].items():
        if name.startswith("stage:"):
            sent[name.split(":")[1]] = Submission(clocks.utc(text), clocks.utc(text), None)
        else:
            anchors[name] = clocks.utc(text)
    place = Place(ZoneInfo(vector["zone"]), _calendar(vector), vector.get("dora_exempt", False))
    done = clocks.run(regime, Report(anchors, sent, None), Setting(place, True, None), SOME_TIME)
    return next(clock for clock in done if clock.stage["id"] == stage_id)


def answer(vector: dict[str, Any]) -> DueDates:
    """Return the due date and the alternative that the service computes for a vector.

    If the vector gives no alternative, the result has none."""
    done = clock(vector)
    return DueDates(done.due_at, done.alternative if "alternative" in vector else None)


def _calendar(vector: dict[str, Any]) -> Calendar:
    if "calendar" in vector:
        return calendars.named(vector["calendar"]) or calendars.WEEKENDS
    closed, unsure = (frozenset(map(date.fromisoformat, vector.get(kind, ()))) for kind in ("closed", "unsure"))
    return Calendar(None, closed, unsure)
