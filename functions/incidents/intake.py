"""Turn findings into incidents: one incident per finding, even if several hubs report the finding several times.

HTTP requests and events both create incidents with ``creating.create_incident``. This module has the steps that only
findings need. It checks whether a finding already has an incident, and in which state the incident is.

Each finding is stored in one transaction. So an event may be delivered twice, and its processing may stop at any point.
The next delivery finds either the complete result or nothing.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal, NamedTuple

from .commands import creating, read_alter_write
from .commands.creating import Origin
from .domain import evidence, intake_policy, model, timestamps
from .domain.errors import Busy, IncidentTooLarge, NotFound
from .domain.evidence import EVENTS_KEPT, Evidence
from .domain.model import Incident
from .findings import EventRefused, Finding, Skipped, assets
from .reports import Unmapped, mapped, reports_of
from .runtime import deadline
from .storage.account_map import AccountMap
from .storage.incident_repository import EvidenceThere, IncidentRepository, Sighting, SightingMoved
from .storage.settings import INTAKE, MAPPINGS, TenantSettings

Serving = Callable[[str, str], AbstractContextManager[IncidentRepository]]
"""A function that takes a tenant and a source, and returns a context that gives access to the tenant's incidents."""

SettingsOf = Callable[[str], TenantSettings]
"""A function that returns a tenant's settings."""


Outcome = Literal["created", "recurred", "attached", "attached_in_part", "known", "late", "suppressed", "held"]

DISMISSED_FOR = timedelta(days=30)  # a dismissed incident suppresses its finding for 30 days
RELATED_INCIDENTS = 20  # the most related findings that are looked up for an event

_TRIES = 8
_SEVERITIES = model.SEVERITIES[::-1]  # from low to high


def ingest_finding(
    event: Any,
    accounts: AccountMap,
    serving: Serving,
    settings_of: SettingsOf,
    enabled: frozenset[str],
    received: Any = None,
) -> list[str]:
    """Process every finding of an EventBridge event. Return one outcome for each, such as ``created``.

    ``received`` is the original event if ``event`` was changed. The original event is stored as evidence of the
    incident. If a report does not become an incident, its outcome is the reason. If a finding can never be accepted,
    the function processes all other findings and then raises EventRefused. Raises Busy if a later attempt may succeed.
    """
    outcomes: list[str] = []
    refused: EventRefused | None = None

    def mappings_of(tenant_id: str) -> Any:
        with serving(tenant_id, "mappings"):
            stored = settings_of(tenant_id).read(MAPPINGS)
        return stored and stored.value

    for report in reports_of(event, received, lambda node: mapped(node, accounts, mappings_of)):
        if isinstance(report, EventRefused):
            refused = report
            continue
        try:
            outcomes.append(_take(report, accounts, serving, settings_of, enabled))
        except Unmapped as error:
            refused = error
    if refused:
        raise refused
    return outcomes


def _take(
    report: Finding | Skipped, accounts: AccountMap, serving: Serving, settings_of: SettingsOf, enabled: frozenset[str]
) -> str:
    """Process one report, and return its outcome.

    If a report says that a check is solved, no incident is created. Only the finding's sighting records the solution.
    Raises Unmapped if the account map has no tenant for the finding. A finding that the default policy leaves out
    raises no error then.
    """
    if isinstance(report, Skipped):
        if report.solved is None:
            return report.reason
        finding, skipped_for = report.solved, str(report.reason)
    else:
        finding, skipped_for = report, ""
    try:
        tenant_id = tenant_of(finding, accounts)
    except Unmapped:
        if outcome := skipped_for or intake_policy.decide(intake_policy.DEFAULT, finding.facts, enabled).reason:
            return outcome
        raise
    with serving(tenant_id, finding.source) as incidents:
        refusal, rule = intake_policy.decide(policy_in(settings_of(tenant_id)), finding.facts, enabled)
        if not skipped_for:
            return refusal or take_finding(finding, incidents, rule)
        # The hub gives every passed check the lowest severity. So a passed check counts even if the tenant's settings
        # leave out the lowest severity.
        if refusal in (None, "below_severity"):
            _note_solved(finding, skipped_for, incidents)
        return skipped_for


def policy_in(settings: TenantSettings) -> intake_policy.Policy:
    """Return the policy of a tenant from its settings, or the default policy without settings. Raises Busy."""
    stored = settings.read(INTAKE)
    return intake_policy.parse(stored.value) if stored else intake_policy.DEFAULT


def tenant_of(finding: Finding, accounts: AccountMap) -> str:
    """Return the finding's tenant from the account map. Raises Unmapped if the map does not give exactly one tenant.

    If an event names a tenant, the producer must be allowed for this tenant. The event need not name a tenant if the
    producer is allowed for exactly one tenant.
    """
    if finding.producer is not None:
        allowed = accounts.tenants_of(finding.account_id, finding.producer)
        named = [finding.tenant_id] if finding.tenant_id is not None else allowed
        if len(named) != 1 or named[0] not in allowed:
            raise Unmapped(
                "the producer must be allowed to escalate alerts for the tenant in detail.tenant_id or, if the event "
                "names no tenant, for exactly one tenant"
            )
        return named[0]
    mapped = accounts.tenant_of(finding.account_id)
    if mapped is None:
        raise Unmapped("the account belongs to no tenant")
    return mapped


def take_finding(finding: Finding, incidents: IncidentRepository, rule: str = "") -> Outcome:
    """Create or update the finding's incident, and return the outcome. Raises Busy.

    ``rule`` says why the finding becomes an incident. An event that creates an incident, or is attached to it, is
    stored as evidence in the same transaction. At most 100 events of a finding are stored. Further events are counted.

    - An unknown finding creates an incident (``created``).
    - An event that is not newer than the finding's newest accepted event changes nothing (``known``). There is one
      exception: another report of the same problem, with different alert ids, is attached while the incident is open.
    - An open incident gets the event's new alerts, assets and accounts (``attached``), at most 500 of each. If the
      incident cannot take all of them, the outcome is ``attached_in_part``. The severity rises only if the event's
      severity is above the severity of all earlier events and above the incident's current severity, which an analyst
      may have set. An event that a person sent by hand also adds its tags. It does not count as the newest event.
    - If the incident was closed or deleted, a later event is a recurrence. The recurrence creates a new incident, with
      the old incident's number in a tag (``recurred``). An event from before the closing or the deletion is ``late``.
    - If the incident was dismissed, an event within 30 days of the incident's last change is ``suppressed``. A later
      event is a recurrence. An event that a person sent by hand is a recurrence even within the 30 days.
    - If the incident of a check (posture) has ended, an event is ``held`` until the check has passed after the newest
      failure that the incident knows.
    """
    event = _Event(finding, rule)
    for attempt in range(_TRIES):
        known = _known(finding, incidents)
        try:
            if known is None:
                return _create(finding, event, None, None, incidents)
            return _meet_again(finding, event, known, incidents)
        except EvidenceThere:
            event.is_stored = True
        except SightingMoved:
            deadline.pause(attempt, first=0.05)
    raise Busy


class _Event:
    """The event of a finding. ``is_stored`` is true if the incident has it already, so that it does not count again."""

    def __init__(self, finding: Finding, rule: str) -> None:
        self._finding, self._rule = finding, rule
        self.is_stored = False

    @cached_property
    def evidence(self) -> Evidence:
        """The event as evidence. It is computed only when it is needed, because most repeated events change nothing."""
        finding, rule = self._finding, self._rule
        return evidence.of_event(
            finding.received, observed_at=finding.seen_at, source=finding.source, adapter=finding.adapter, rule=rule,
            summary=finding.summary,
        )  # fmt: skip


class _Known(NamedTuple):
    """The last sighting of a finding. ``is_moved`` is true if a former key of the finding has the sighting."""

    sighting: Sighting
    is_moved: bool

    @property
    def before(self) -> Sighting | None:
        """The sighting that a write under the finding's current key replaces, or None."""
        return None if self.is_moved else self.sighting


def _known(finding: Finding, incidents: IncidentRepository) -> _Known | None:
    for key in (finding.key, *finding.former_keys):
        if sighting := incidents.sighting(key):
            return _Known(sighting, is_moved=key != finding.key)
    return None


def _note_solved(finding: Finding, reason: str, incidents: IncidentRepository) -> None:
    """Record in a known finding's sighting that the check passed or was resolved. The incident does not change."""
    how: Literal["passed_at", "resolved_at"] = "passed_at" if reason == "passed" else "resolved_at"
    for key in (finding.key, *finding.former_keys):
        sighting = incidents.sighting(key)
        if sighting is not None:
            if (getattr(sighting, how) or "") < finding.seen_at:
                incidents.note_solved(key, how, finding.seen_at)
            return


def incident_of(finding: Finding, more_tags: Iterable[str] = ()) -> dict[str, Any]:
    """Return a finding as the body of a create request."""
    tags = [*finding.tags, *(tag[: model.TAG_CHARACTERS] for tag in more_tags)]
    values = {
        "title": finding.title, "description": finding.description, "category": finding.category,
        "severity": finding.severity, "source": finding.source, "source_type": "system",
        "occurred_at": finding.occurred_at, "detected_at": finding.detected_at,
        "triggered_by_alert_ids": finding.alert_ids, "affected_asset_ids": finding.asset_ids,
        "affected_account_ids": finding.account_ids, "tags": tags[-model.TAGS :],
    }  # fmt: skip
    return {field: value for field, value in values.items() if value is not None}


def _create(
    finding: Finding, event: _Event, known: _Known | None, recurrence_of: str | None, incidents: IncidentRepository
) -> Outcome:
    origin = Origin(
        finding.key, known and known.sighting, finding.seen_at, finding.page, finding.severity, finding.dates,
        event.evidence, is_moved=known is not None and known.is_moved,
    )  # fmt: skip
    tags = [*_related(finding, incidents), *([f"recurrence-of:{recurrence_of}"] if recurrence_of else [])]
    creating.create_incident(incident_of(finding, tags), incidents, origin=origin)
    return "recurred" if recurrence_of else "created"


def _related(finding: Finding, incidents: IncidentRepository) -> list[str]:
    """Return a tag for the incident of each related finding, such as a signal of an attack sequence."""
    tags: dict[str, None] = {}
    for key in finding.related_keys[:RELATED_INCIDENTS]:
        if key == finding.key or (sighting := incidents.sighting(key)) is None:
            continue
        try:
            tags[f"related:{incidents.get(sighting.incident_id).incident['incident_number']}"] = None
        except NotFound:  # the incident was erased
            continue
    return list(tags)


def _meet_again(finding: Finding, event: _Event, known: _Known, incidents: IncidentRepository) -> Outcome:
    last = known.sighting
    another_page = finding.seen_at == last.seen_at and finding.page not in last.pages
    is_newer = finding.seen_at > last.seen_at or another_page
    if not is_newer and not finding.grouped:
        return "known"
    try:
        incident = incidents.get(last.incident_id).incident
    except NotFound:  # the incident was erased
        return _create(finding, event, known, None, incidents) if is_newer else "known"
    ended_at = _ended_at(incident, finding)
    if not is_newer and (ended_at is not None or _has_all(incident, finding)):
        return "known"
    if ended_at is None:
        return _attach(finding, event, known, incidents)
    if finding.seen_at > ended_at:
        if _still_fails(finding, last):
            return "held"
        return _create(finding, event, known, incident["incident_number"], incidents)
    # Store this failure, which is from before the incident's end. So a pass before this failure does not count as a
    # pass since the newest failure.
    if finding.kind == "posture" and not finding.by_hand:
        now = last._replace(seen_at=finding.seen_at, pages=frozenset({finding.page}))
        incidents.write(incidents.sighting_write(finding.key, known.before, now))
    return "suppressed" if incident["status"] == "dismissed" and not incident["is_deleted"] else "late"


def _still_fails(finding: Finding, last: Sighting) -> bool:
    """Return whether a check did not pass between the last failure that the ended incident has and this failure."""
    if finding.kind != "posture" or finding.by_hand:
        return False
    return not (last.passed_at and last.seen_at < last.passed_at < finding.seen_at)


def _ended_at(incident: Incident, finding: Finding) -> str | None:
    """Return the time after which an event is a recurrence of the incident, or None while the incident is open."""
    if incident["is_deleted"]:
        return incident["deleted_at"]
    if incident["status"] == "dismissed" and finding.by_hand:
        return incident["updated_at"]
    if incident["status"] == "dismissed":
        quiet_until = timestamps.to_milliseconds(incident["updated_at"]) + DISMISSED_FOR // timedelta(milliseconds=1)
        return timestamps.from_milliseconds(quiet_until)
    closed_at = incident["closed_at"]
    # A caller can close an incident in the future, for example with a mistyped year. The last change is a better end
    # then. Otherwise, no later event would become an incident before that day.
    return closed_at and min(closed_at, incident["updated_at"])


def _attach(finding: Finding, event: _Event, known: _Known, incidents: IncidentRepository) -> Outcome:
    last = known.sighting
    seen_at, pages = last.seen_at, last.pages
    # The time of an event that a person sent is the time of the click. An update from before the click may come later.
    if not finding.by_hand:
        seen_at = max(finding.seen_at, last.seen_at)
        pages = last.pages if last.seen_at == seen_at else frozenset[int]()
        pages |= {finding.page} if finding.seen_at == seen_at else set()
    newest = last._replace(seen_at=seen_at, pages=pages, events=last.events + (not event.is_stored))
    highest = max(last.severity, finding.severity, key=_rank)
    sighting = incidents.sighting_write(finding.key, known.before, newest._replace(severity=highest))
    kept = []
    if not event.is_stored and last.events < EVENTS_KEPT:
        kept.append(incidents.evidence_write(last.incident_id, event.evidence))
    named = event.evidence.sha256 if kept else None
    rises = _rank(finding.severity) > _rank(last.severity)
    new_tags = [*_related(finding, incidents), *(finding.tags if finding.by_hand else [])]

    def unchanged(incident: Incident, _: str) -> Incident:
        if _ended_at(incident, finding) is not None:  # the incident has ended since ``_meet_again`` read it
            raise SightingMoved
        return incident.copy()

    def raised(incident: Incident, now: str) -> Incident:
        after = unchanged(incident, now)
        if rises and _rank(finding.severity) > _rank(incident["severity"]):
            after["severity"] = finding.severity
        return after

    def attached(incident: Incident, now: str) -> Incident:
        after = raised(incident, now)
        after["triggered_by_alert_ids"] = _with(incident["triggered_by_alert_ids"], finding.alert_ids)
        new_assets = _new_assets(incident, finding)
        after["affected_asset_ids"] = _with(incident["affected_asset_ids"], new_assets)
        after["affected_account_ids"] = _with(incident["affected_account_ids"], finding.account_ids)
        after["tags"] = list(dict.fromkeys((*incident["tags"], *new_tags)))[: max(len(incident["tags"]), model.TAGS)]
        return after

    try:
        incident = read_alter_write.change_incident(
            last.incident_id, attached, None, incidents, sighting, *kept, evidence=named
        ).incident
    except IncidentTooLarge:  # no room for the ids: only record the sighting and raise the severity
        try:
            read_alter_write.change_incident(last.incident_id, raised, None, incidents, sighting, *kept, evidence=named)
        except IncidentTooLarge:  # there is no room even for the severity alone; a later event may raise it
            sighting = incidents.sighting_write(finding.key, known.before, newest)
            read_alter_write.change_incident(last.incident_id, unchanged, None, incidents, sighting, *kept)
        return "attached_in_part"
    return "attached" if _has_all(incident, finding) else "attached_in_part"


def _has_all(incident: Incident, finding: Finding) -> bool:
    """Return whether an incident has all alerts, accounts and assets of a finding."""
    there = {*incident["triggered_by_alert_ids"], *incident["affected_account_ids"]}
    return there >= {*finding.alert_ids, *finding.account_ids} and not _new_assets(incident, finding)


def _new_assets(incident: Incident, finding: Finding) -> list[str]:
    """Return the assets of a finding that an incident does not have yet, neither by ARN nor by the ARN's last part."""
    there = incident["affected_asset_ids"]
    exact = set(there)
    return [
        asset
        for asset in finding.asset_ids
        if asset not in exact and not any(assets.is_same(asset, known) for known in there)
    ]


def _with(ids: list[str], more: list[str]) -> list[str]:
    return list(dict.fromkeys((*ids, *more)))[: max(len(ids), model.LIST_IDS)]


def _rank(severity: str | None) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else -1
