"""Compute the stored facts about an incident's deadlines: the board entry, and the dates to watch.

The result depends only on the incident, the tenant's settings, the rules and the current time. ``assessment`` computes
the dates.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from .. import board_entry, timestamps
from ..json_text import dumps
from ..model import Change
from . import alerts, assessment, clocks
from .alerts import Watched
from .assessment import Known
from .rules import Regimes, Rule, Settings

AWARENESS = ("aware", "aware_personal_data", "detected")
"""The anchors for the time at which the organization became aware of the incident.

All other anchors are decisions or later events.
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CAP_MS = clocks.WARN_HOURS * 3_600_000
_IN_TIME, _LATE = "submitted", "submitted_late"

NamedSince = Callable[[], Mapping[str, str]]
"""A function that returns the time at which ``reportable_to`` named each regime, by the id of the regime."""


class Plan(NamedTuple):
    """The stored facts about an incident's deadlines.

    ``entry`` is the JSON text of the board entry, or None if the incident is not on the board. ``soonest`` is the date
    of the soonest open stage, or None without a date.
    """

    entry: str | None
    soonest: str | None
    watched: Sequence[Watched]

    @property
    def is_empty(self) -> bool:
        """Whether the incident needs no head."""
        return self.entry is None and not self.watched


def is_off(incident: Mapping[str, Any]) -> bool:
    """Return whether an incident is deleted or dismissed, so that it has no place on the board and no alerts.

    A closed incident still has its place and its alerts.
    """
    return bool(incident["is_deleted"] or incident["status"] == "dismissed")


def plan(incident: Mapping[str, Any], settings: Settings, now: int, named_since: NamedSince) -> Plan:
    """Return the facts to store about an incident. ``now`` is in milliseconds since 1970.

    An incident that is off has no entry, and all its dates are paused. The function calls ``named_since`` only if the
    awareness and the detection are missing.
    """
    facts, at = assessment.known(incident), _EPOCH + timedelta(milliseconds=now)
    regimes = Regimes(settings)
    stages = [
        _Stage(entry["regime"], stage, _rule_of(regimes, entry["regime"], stage["stage"]))
        for entry in assessment.deadlines(facts, settings, at)["regimes"]
        for stage in entry["stages"]
    ]
    opened = [
        stored
        for each in stages
        if (stored := board_entry.open_stage(each.regime, each.stage, ends_day=each.ends_day)) is not None
    ]
    watched = [date for each in stages if (date := each.watched(settings.alerts)) is not None]
    if "anchor_missing" in settings.alerts and (unaware := [each for each in stages if each.is_unaware]):
        watched += _without_awareness(unaware, facts, settings, at, named_since)
    if is_off(incident):
        return Plan(None, None, [date._replace(is_paused=True) for date in watched])
    if not opened:
        return Plan(None, None, watched)
    ordered = board_entry.in_order(opened)
    entry = {
        "incident_id": incident["id"],
        "incident_number": incident["incident_number"],
        "app_id": incident.get("app_id"),
        "status": incident["status"],
        "version": incident["version"],
        "stages": ordered,
    }
    return Plan(dumps(entry), board_entry.date(ordered[0]), watched)


def named_since(incident: Mapping[str, Any], changes: Iterable[Change], settings: Settings) -> dict[str, str]:
    """Return the time since which each regime in ``reportable_to`` is there. ``changes`` is the trail, newest first.

    If no change added a regime, the create named it.
    """
    regimes = Regimes(settings)

    def ids(names: Iterable[str] | None) -> set[str]:
        return {regime["id"] for name in names or () if (regime := regimes.find(name)) is not None}

    left = ids(incident["reportable_to"])
    since: dict[str, str] = {}
    for change in changes:
        if not left:
            break
        if "reportable_to" in change.changes:
            before = ids(change.changes["reportable_to"][0])
            since |= dict.fromkeys(left - before, change.at)
            left &= before
    return since | dict.fromkeys(left, incident["created_at"])


class _Stage(NamedTuple):
    """A stage in the answer of ``assessment``, with its regime and its rule."""

    regime: str
    stage: Mapping[str, Any]
    rule: Rule

    @property
    def ends_day(self) -> bool:
        """Whether the due date is the last second of a day."""
        due = self.rule["due"]
        ends = {term.get("end") for term in (due, *self.rule.get("readings", ()))} if due else set()
        return "end_of_day" in ends and str(self.stage["due_at"]).endswith(":59.000Z")

    @property
    def is_unaware(self) -> bool:
        """Whether the term of the stage, or its cap, begins with an awareness that nobody has recorded."""
        due = self.rule["due"]
        if self.stage["state"] != "pending_anchor" or due is None or self.stage["warn_at"] is not None:
            return False
        return self.stage["anchor_missing"] in AWARENESS or due.get("cap", {}).get("from") in AWARENESS

    def watched(self, wanted: Sequence[str]) -> Watched | None:
        """Return the date of the stage with its thresholds, or None if the stage has no date to watch."""
        stage, state = self.stage, self.stage["state"]
        if stage["due_at"] is not None and state in ("running", "overdue", _IN_TIME, _LATE):
            late_from = board_entry.late_from(stage["due_at"], ends_day=self.ends_day)
            thresholds = alerts.of_due_date(
                stage["anchor_at"], stage["due_at"], late_from, wanted, is_open=state != _LATE
            )
            return Watched(self.regime, stage["stage"], stage["due_at"], True, thresholds, state == _IN_TIME)
        if stage["warn_at"] is not None and state == "pending_anchor" and "not_classified" in wanted:
            warn_at = timestamps.to_milliseconds(stage["warn_at"])
            cap = timestamps.from_milliseconds(warn_at + _CAP_MS)
            return Watched(self.regime, stage["stage"], cap, False, [alerts.Threshold("not_classified", warn_at)])
        return None


def _without_awareness(
    stages: Sequence[_Stage], facts: Known, settings: Settings, at: datetime, named: NamedSince
) -> Iterable[Watched]:
    """Yield the dates that stages would have if the organization had become aware at the detection.

    If the detection is unknown, the function uses the time at which the regime was named. The dates are not due dates.
    So if the zone is unknown, the function uses UTC.
    """
    detected, ids = facts.detected_at, dict.fromkeys(each.regime for each in stages)
    base = dict.fromkeys(ids, detected) if detected is not None else {name: named().get(name) for name in ids}
    reports = dict(facts.reports)
    for name, begin in base.items():
        report = reports.get(name)
        report = report if isinstance(report, dict) else {}
        anchors = report.get("anchors")
        anchors = anchors if isinstance(anchors, dict) else {}
        reports[name] = {**report, "anchors": {**dict.fromkeys(AWARENESS, begin), **anchors}}
    if settings.zone is None and settings.member_state is None:
        settings = settings._replace(zone="UTC")
    answer = assessment.deadlines(facts._replace(reports=reports), settings, at)
    aware = {(entry["regime"], stage["stage"]): stage for entry in answer["regimes"] for stage in entry["stages"]}
    for each in stages:
        begin, stage = base[each.regime], aware.get((each.regime, each.stage["stage"]))
        if stage is None:  # with an awareness, the tenant's own rule cannot be read
            continue
        date = stage["due_at"]
        if date is None and stage["warn_at"] is not None:
            date = timestamps.from_milliseconds(timestamps.to_milliseconds(stage["warn_at"]) + _CAP_MS)
        if begin is not None and date is not None:
            threshold = alerts.of_missing_awareness(begin, date)
            yield Watched(each.regime, each.stage["stage"], date, False, [threshold])


def _rule_of(regimes: Regimes, regime_id: str, stage_id: str) -> Rule:
    regime = regimes.find(regime_id)
    if regime is None:
        raise AssertionError("a regime with stages has a rule")
    stage: Rule = next(stage for stage in regime["stages"] if stage["id"] == stage_id)
    return stage
