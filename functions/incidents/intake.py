"""Turn findings into incidents: one incident per finding, even if several hubs report the finding several times.

HTTP requests and events both create incidents with ``creating.create_incident``. This module has the steps that only
findings need. It checks whether a finding already has an incident, and in which state the incident is.

Each finding is stored in one transaction. So an event may be delivered twice, and its processing may stop at any point.
The next delivery finds either the complete result or nothing.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Literal

from . import findings
from .commands import creating, read_alter_write
from .commands.creating import Origin
from .domain import model, timestamps
from .domain.errors import Busy, IncidentTooLarge, NotFound
from .domain.model import Incident
from .findings import EventRefused, Finding, Skipped
from .runtime import deadline
from .storage.account_map import AccountMap
from .storage.incident_repository import IncidentRepository, Sighting, SightingMoved

Serving = Callable[[str, str], AbstractContextManager[IncidentRepository]]
"""A function that takes a tenant and a source, and returns a context that gives access to the tenant's incidents."""

Outcome = Literal["created", "recurred", "attached", "attached_in_part", "known", "late", "suppressed"]

DISMISSED_FOR = timedelta(days=30)  # a dismissed incident suppresses its finding for 30 days

_TRIES = 8
_SEVERITIES = model.SEVERITIES[::-1]  # from low to high


class Unmapped(EventRefused):
    """The account map has no tenant for the finding. There is no default tenant."""


def ingest_finding(event: Any, accounts: AccountMap, serving: Serving, enabled: frozenset[str]) -> list[str]:
    """Process every finding of an EventBridge event. Return one outcome for each, such as ``created``.

    If a finding was skipped, its outcome is the reason. If a finding can never be accepted, the function processes all
    other findings and then raises EventRefused. Raises Busy if a later attempt may succeed.
    """
    outcomes: list[str] = []
    refused: EventRefused | None = None
    for report in findings.read(event, enabled):
        if isinstance(report, Skipped):
            outcomes.append(report.reason)
            continue
        if isinstance(report, EventRefused):
            refused = report
            continue
        try:
            with serving(tenant_of(report, accounts), report.source) as incidents:
                outcomes.append(take_finding(report, incidents))
        except Unmapped as error:
            refused = error
    if refused:
        raise refused
    return outcomes


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


def take_finding(finding: Finding, incidents: IncidentRepository) -> Outcome:
    """Create or update the finding's incident, and return the outcome. Raises Busy.

    - An unknown finding creates an incident (``created``).
    - An event that is not newer than the finding's newest accepted event changes nothing (``known``). There is one
      exception: another report of the same problem, with different alert ids, is attached while the incident is open.
    - An open incident gets the event's new alerts, assets and accounts (``attached``), at most 500 of each. If some do
      not fit, the outcome is ``attached_in_part``. The severity rises only if the event's severity is above the
      severity of all earlier events and above the incident's current severity, which an analyst may have set.
    - If the incident was closed or deleted, a later event is a recurrence. The recurrence creates a new incident, with
      the old incident's number in a tag (``recurred``). An event from before the closing or the deletion is ``late``.
    - If the incident was dismissed, an event within 30 days of the incident's last change is ``suppressed``. A later
      event is a recurrence. An event that a person sent by hand is a recurrence even within the 30 days.
    """
    for attempt in range(_TRIES):
        known = incidents.sighting(finding.key)
        try:
            return _create(finding, None, None, incidents) if known is None else _meet_again(finding, known, incidents)
        except SightingMoved:
            deadline.pause(attempt, first=0.05)
    raise Busy


def incident_of(finding: Finding, recurrence_of: str | None = None) -> dict[str, Any]:
    """Return a finding as the body of a create request."""
    tags = [*finding.tags, *([f"recurrence-of:{recurrence_of}"[: model.TAG_CHARACTERS]] if recurrence_of else [])]
    values = {
        "title": finding.title, "description": finding.description, "category": finding.category,
        "severity": finding.severity, "source": finding.source, "source_type": "system",
        "occurred_at": finding.occurred_at, "detected_at": finding.detected_at,
        "triggered_by_alert_ids": finding.alert_ids, "affected_asset_ids": finding.asset_ids,
        "affected_account_ids": finding.account_ids, "tags": tags[-model.TAGS :],
    }  # fmt: skip
    return {field: value for field, value in values.items() if value is not None}


def _create(
    finding: Finding, before: Sighting | None, recurrence_of: str | None, incidents: IncidentRepository
) -> Outcome:
    origin = Origin(finding.key, before, finding.seen_at, finding.page, finding.severity, finding.dates)
    creating.create_incident(incident_of(finding, recurrence_of), incidents, origin=origin)
    return "recurred" if recurrence_of else "created"


def _meet_again(finding: Finding, known: Sighting, incidents: IncidentRepository) -> Outcome:
    another_page = finding.seen_at == known.seen_at and finding.page not in known.pages
    is_newer = finding.seen_at > known.seen_at or another_page
    if not is_newer and not finding.grouped:
        return "known"
    try:
        incident = incidents.get(known.incident_id).incident
    except NotFound:  # the incident was erased
        return _create(finding, known, None, incidents) if is_newer else "known"
    ended_at = _ended_at(incident, finding)
    if not is_newer and (ended_at is not None or {*finding.alert_ids} <= {*incident["triggered_by_alert_ids"]}):
        return "known"
    if ended_at is None:
        return _attach(finding, known, incidents)
    if finding.seen_at > ended_at:
        return _create(finding, known, incident["incident_number"], incidents)
    return "suppressed" if incident["status"] == "dismissed" and not incident["is_deleted"] else "late"


def _ended_at(incident: Incident, finding: Finding) -> str | None:
    """Return the time after which an event is a recurrence of the incident; None while the incident is open."""
    if incident["is_deleted"]:
        return incident["deleted_at"]
    if incident["status"] == "dismissed" and finding.by_hand:
        return incident["updated_at"]
    if incident["status"] == "dismissed":
        quiet_until = timestamps.to_milliseconds(incident["updated_at"]) + DISMISSED_FOR // timedelta(milliseconds=1)
        return timestamps.from_milliseconds(quiet_until)
    return incident["closed_at"]


def _attach(finding: Finding, known: Sighting, incidents: IncidentRepository) -> Outcome:
    highest = max(known.severity, finding.severity, key=_rank)
    seen_at = max(finding.seen_at, known.seen_at)
    pages = known.pages if known.seen_at == seen_at else frozenset[int]()
    pages |= {finding.page} if finding.seen_at == seen_at else set()
    sighting = incidents.sighting_write(finding.key, known, Sighting(known.incident_id, seen_at, pages, highest))
    rises = _rank(finding.severity) > _rank(known.severity)

    def raised(incident: Incident, _: str) -> Incident:
        if _ended_at(incident, finding) is not None:  # the incident has ended since ``_meet_again`` read it
            raise SightingMoved
        after = incident.copy()
        if rises and _rank(finding.severity) > _rank(incident["severity"]):
            after["severity"] = finding.severity
        return after

    def attached(incident: Incident, now: str) -> Incident:
        after = raised(incident, now)
        after["triggered_by_alert_ids"] = _with(incident["triggered_by_alert_ids"], finding.alert_ids)
        after["affected_asset_ids"] = _with(incident["affected_asset_ids"], finding.asset_ids)
        after["affected_account_ids"] = _with(incident["affected_account_ids"], finding.account_ids)
        return after

    try:
        incident = read_alter_write.change_incident(known.incident_id, attached, None, incidents, sighting).incident
    except IncidentTooLarge:  # attach nothing; only record the sighting and raise the severity
        try:
            read_alter_write.change_incident(known.incident_id, raised, None, incidents, sighting)
        except IncidentTooLarge:  # even the new severity does not fit; a later event may raise the severity
            unraised = Sighting(known.incident_id, seen_at, pages, known.severity)
            incidents.write(incidents.sighting_write(finding.key, known, unraised))
        return "attached_in_part"
    there = {*incident["triggered_by_alert_ids"], *incident["affected_asset_ids"], *incident["affected_account_ids"]}
    return "attached" if there >= {*finding.alert_ids, *finding.asset_ids, *finding.account_ids} else "attached_in_part"


def _with(ids: list[str], more: list[str]) -> list[str]:
    return list(dict.fromkeys((*ids, *more)))[: max(len(ids), model.LIST_IDS)]


def _rank(severity: str | None) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else -1
