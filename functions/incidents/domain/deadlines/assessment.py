"""The deadlines of one incident at a moment, in the form of the API's answer.

``reportable_to`` names the regimes. ``regulatory_reports`` has the recorded facts of each report. Stored values are
not checked again. A stored regime, anchor or stage that the rules do not know is kept and shown, but has no clock.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from . import calendars, clocks, rules
from .arithmetic import DORA_EXEMPT, Place
from .clocks import Setting, StageClock
from .rules import Regimes, Rule, Settings
from .starts import Report, Submission

_NO_TIME, _MINUTE = timedelta(), timedelta(minutes=1)
NO_ADVICE = "This is not legal advice. Check each date against the act."


class Known(NamedTuple):
    """The facts of an incident about its reports. ``reports`` is the value of ``regulatory_reports``."""

    reportable_to: list[str]
    reports: Mapping[str, Any]
    detected_at: str | None


def known(incident: Mapping[str, Any]) -> Known:
    """Return the facts about the reports in an incident, or in one of the incident's former states."""
    stored = json.loads(incident["regulatory_reports"] or "{}")
    return Known(incident["reportable_to"], stored if isinstance(stored, dict) else {}, incident["detected_at"])


def deadlines(report_facts: Known, settings: Settings, now: datetime) -> dict[str, Any]:
    """Return the deadlines of an incident at a moment, as JSON."""
    return {
        "as_of": _utc_text(now),
        "rules_version": rules.released()["rules_version"],
        "calendars_generated_on": calendars.generated_on(),
        "notice": NO_ADVICE,
        "regimes": [*_entries(report_facts, settings, now)],
    }


def due_dates(report_facts: Known, settings: Settings, now: datetime) -> dict[tuple[str, str], str | None]:
    """Return the due dates by regime and stage. Stages that are switched off are left out."""
    return {
        (entry["regime"], stage["stage"]): stage["due_at"]
        for entry in _entries(report_facts, settings, now)
        for stage in entry["stages"]
        if stage["state"] != "off"
    }


def _entries(report_facts: Known, settings: Settings, now: datetime) -> Iterator[dict[str, Any]]:
    regimes = Regimes(settings)
    shown: set[str] = set()
    for name in report_facts.reportable_to:
        regime = regimes.find(name)
        if regime is None:
            unread = settings.unread.get(name.strip().casefold())
            why = unread or "no rule: the name is neither a regime nor an alias of one"
            yield {"named": name, "regime": None, "state": "no_rule", "why": why, "stages": []}
        elif regime["id"] not in shown:
            shown.add(regime["id"])
            try:
                entry = _entry(name, regime, regimes, report_facts, settings, now)
            except rules.NOT_OF_THE_FORM:
                if not regimes.is_own(regime):
                    raise
                why = rules.UNREADABLE.format("it does not have the form of this release")
                entry = {"named": name, "regime": regime["id"], "state": "no_rule", "why": why, "stages": []}
            yield entry
    for regime_id in report_facts.reports:
        if regime_id not in shown:
            state, why = "not_reportable", "reportable_to does not name the regime, so its report has no clocks"
            if regimes.find(regime_id) is None:
                unread = settings.unread.get(regime_id.casefold())
                state, why = "no_rule", unread or "there is no rule of the regime, so its report has no clocks"
            yield {"named": None, "regime": regime_id, "state": state, "why": why, "stages": []}


def _entry(
    name: str, regime: Rule, regimes: Regimes, report_facts: Known, settings: Settings, now: datetime
) -> dict[str, Any]:
    stored = _object(report_facts.reports.get(regime["id"]))
    facts = {**settings.facts, **_object(stored.get("facts"))}
    why_off = {stage["id"]: regimes.why_off(regime, stage) for stage in regime["stages"]}
    off = frozenset(stage for stage, why in why_off.items() if why)
    setting = place_of(regime, settings, facts)._replace(off=off)
    version = f"rules {rules.released()['rules_version']}"
    if regimes.is_own(regime):
        version = "the tenant's own rules" + (
            f", version {settings.version} of its settings" if settings.version else ""
        )
    stages = [
        _stage(clock, why_off[clock.stage["id"]], setting, version)
        for clock in clocks.run(regime, _report(stored, report_facts.detected_at), setting, now)
    ]
    own_state = facts.get("member_state")
    state = own_state if isinstance(own_state, str) else settings.member_state
    reasons = {stage["why_off"] for stage in stages if stage["state"] == "off"}
    all_off = len(reasons) == 1 and all(stage["state"] == "off" for stage in stages)
    notes = [regime.get("note"), regime.get("national_notes", {}).get(state), *settings.unknown]
    return {
        "named": name,
        "regime": regime["id"],
        "state": "off" if all_off else "on",
        "why": reasons.pop() if all_off else None,
        "applies_to": regime["applies_to"],
        "trigger": regime["trigger"],
        "citation": regime["citation"],
        "note": " ".join(filter(None, notes)) or None,
        "zone": str(setting.place.zone) if setting.has_zone else None,
        "member_state": setting.member_state,
        "calendar": setting.place.calendar.name,
        "stages": stages,
    }


def place_of(regime: Rule, settings: Settings, facts: Mapping[str, Any]) -> Setting:
    """Return the zone, the calendar and the Member State for the clocks of a regime.

    Some regimes name the zone or the calendar of their authority. For other regimes, the Member State decides. The
    incident's Member State takes precedence over the tenant's. The tenant's zone is used if no Member State is known,
    or if the deciding Member State is the tenant's. Otherwise, the zone of the Member State is used.
    """
    zones = calendars.member_states()
    own = facts.get("member_state")
    state = own if calendars.is_member_state(own) else settings.member_state
    zone = regime["zone"]
    if zone == "entity":
        is_tenants = settings.zone is not None and state == settings.member_state
        zone = settings.zone if is_tenants or state is None else zones[state]
    name = state if regime["calendar"] == "entity" else regime["calendar"]
    calendar = (name and calendars.named(name)) or calendars.WEEKENDS
    place = Place(calendars.zone(zone) if zone else UTC, calendar, facts.get(DORA_EXEMPT) is True)
    is_on = settings.regimes.get(regime["id"]) == rules.ON
    return Setting(place, zone is not None, state if regime["calendar"] == "entity" else None, is_on)


def _stage(clock: StageClock, why_off: str | None, setting: Setting, version: str) -> dict[str, Any]:
    """Return a stage of the answer. ``version`` names the version of the rules that gave the date."""
    stage = clock.stage
    conditions = stage.get("condition"), stage.get("national_conditions", {}).get(setting.member_state)
    answer = {
        "stage": stage["id"],
        "recipient": stage["recipient"],
        "condition": "; ".join(filter(None, conditions)) or None,
        "state": clock.state,
        "due_at": _utc_text(clock.due_at),
        "due_local": _local(clock.due_at, setting),
        "alternative": _utc_text(clock.alternative),
        "projected_at": _utc_text(clock.projected_at),
        "why": clock.why,
        "anchor": clock.anchor,
        "anchor_at": _utc_text(clock.anchor_at),
        "anchor_missing": clock.anchor_missing,
        "setting_missing": clock.setting_missing,
        "warn_at": _utc_text(clock.warn_at),
        "elapsed_minutes": None if clock.elapsed is None else int(clock.elapsed.total_seconds() // 60),
        "submitted_at": clock.submission and _utc_text(clock.submission.first),
        "resubmitted_at": _resubmitted(clock.submission),
        "reference": clock.submission and clock.submission.reference,
        "note": stage.get("note"),
        "citation": stage["citation"],
        "source_kind": stage["source_kind"],
        "why_off": why_off,
        "unconfirmed_at": None,
    }
    answer["why"] = "; ".join(filter(None, (clock.why, stage["citation"], version)))
    if why_off is not None:
        would_be = answer["due_at"] or answer["projected_at"]
        answer |= {
            "state": "off", "unconfirmed_at": would_be, "due_at": None, "due_local": None, "alternative": None,
            "projected_at": None, "warn_at": None,
        }  # fmt: skip
    return answer


def _report(stored: Mapping[str, Any], detected_at: str | None) -> Report:
    """Return a stored report with its moments.

    A newer release may have stored values in another form. These values are left out.
    """
    anchors = {name: at for name, text in _object(stored.get("anchors")).items() if (at := _moment(text))}
    submissions = {}
    for name, submission in _object(stored.get("stages")).items():
        sent = _object(submission)
        if (first := _moment(sent.get("submitted_at"))) is not None:
            reference = sent.get("reference")
            last = max(first, _moment(sent.get("resubmitted_at")) or first)
            submissions[name] = Submission(first, last, reference if isinstance(reference, str) else None)
    return Report(anchors, submissions, _moment(detected_at))


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _moment(value: object) -> datetime | None:
    try:
        return clocks.utc(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _resubmitted(submission: Submission | None) -> str | None:
    return _utc_text(submission.last) if submission and submission.last != submission.first else None


def _utc_text(at: datetime | None) -> str | None:
    return None if at is None else f"{at.astimezone(UTC).isoformat(timespec='milliseconds')[:23]}Z"


def _local(at: datetime | None, setting: Setting) -> str | None:
    """Return a due date with the offset of its zone, or None without a zone.

    RFC 3339 does not allow an offset with seconds, such as Liberia's until 1972. So a date with such an offset is in
    UTC.
    """
    if at is None or not setting.has_zone:
        return None
    local = at.astimezone(setting.place.zone)
    local = local if (local.utcoffset() or _NO_TIME) % _MINUTE == _NO_TIME else at.astimezone(UTC)
    return local.isoformat(timespec="milliseconds" if local.microsecond else "seconds")
