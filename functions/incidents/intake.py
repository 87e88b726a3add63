"""From findings to incidents: one incident per finding, no matter how often and through which hub it is reported.

HTTP requests and events both create incidents with ``creating.create_incident``. This module holds what only findings
need: whether the finding is known, and what has happened to its incident since.

Each outcome is one transaction. So an event may be delivered twice, or its handling may stop at any point: the next
delivery finds either the complete outcome or nothing.
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
"""From a tenant and a source to a context in which that tenant's incidents can be reached."""

Outcome = Literal["created", "recurred", "attached", "attached_in_part", "known", "late", "suppressed"]

DISMISSED_FOR = timedelta(days=30)  # how long a dismissed incident suppresses its finding

_TRIES = 8
_SEVERITIES = model.SEVERITIES[::-1]  # from low to high


class Unmapped(EventRefused):
    """The account map names no tenant for these findings, and there is no default tenant."""


def ingest_finding(event: Any, accounts: AccountMap, serving: Serving, enabled: frozenset[str]) -> list[str]:
    """Take every finding of an EventBridge event; return one word for the outcome of each.

    Raises EventRefused if a finding can never be taken; it does so after all other findings were taken. Raises Busy if
    a later attempt may succeed.
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
    """Return the tenant that owns the finding, from the account map's accounts or producers. Raises Unmapped.

    A producer that is allowed for exactly one tenant need not name that tenant.
    """
    if finding.producer is not None:
        allowed = accounts.tenants_of(finding.account_id, finding.producer)
        named = [finding.tenant_id] if finding.tenant_id is not None else allowed
        if len(named) != 1 or named[0] not in allowed:
            raise Unmapped("the producer is not allowed to escalate alerts for this tenant")
        return named[0]
    mapped = accounts.tenant_of(finding.account_id)
    if mapped is None:
        raise Unmapped("the account belongs to no tenant")
    return mapped


def take_finding(finding: Finding, incidents: IncidentRepository) -> Outcome:
    """Create the finding's incident, or update it, and return the outcome. Raises Busy.

    - The finding is unknown: create an incident (``created``).
    - The event is not newer than the newest event that counted: do nothing (``known``). One exception: another report
      of the same problem, with alert ids of its own, is attached while the incident is open.
    - The incident is open: attach new alerts, assets and accounts (``attached``), at most 500 of each; report
      ``attached_in_part`` if some do not fit. Raise the severity only if the event's severity is above every earlier
      event's and above the incident's current one, which an analyst may have set.
    - The incident was closed or deleted: an event after that moment is a recurrence. It creates a new incident, tagged
      with the number of the old one (``recurred``). An earlier event is ``late``.
    - The incident was dismissed: an event within 30 days of the incident's last change is ``suppressed``. A later event
      recurs, and so does an event that a person sent by hand.
    """
    for attempt in range(_TRIES):
        known = incidents.sighting(finding.key)
        try:
            return _create(finding, None, None, incidents) if known is None else _meet_again(finding, known, incidents)
        except SightingMoved:
            deadline.pause(attempt, first=0.05)
    raise Busy


def incident_of(finding: Finding, recurrence_of: str | None = None) -> dict[str, Any]:
    """Return the body of the create request for a finding."""
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
    except NotFound:  # erased for good
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
    """Return the time after which an event is a recurrence of this ended incident; None while the incident is open."""
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
        if _ended_at(incident, finding) is not None:  # it ended since it was read
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
    except IncidentTooLarge:  # attach nothing, but record the sighting and raise the severity
        try:
            read_alter_write.change_incident(known.incident_id, raised, None, incidents, sighting)
        except IncidentTooLarge:  # even the longer severity word does not fit; a later event may still raise it
            unraised = Sighting(known.incident_id, seen_at, pages, known.severity)
            incidents.write(incidents.sighting_write(finding.key, known, unraised))
        return "attached_in_part"
    there = {*incident["triggered_by_alert_ids"], *incident["affected_asset_ids"], *incident["affected_account_ids"]}
    return "attached" if there >= {*finding.alert_ids, *finding.asset_ids, *finding.account_ids} else "attached_in_part"


def _with(ids: list[str], more: list[str]) -> list[str]:
    return list(dict.fromkeys((*ids, *more)))[: max(len(ids), model.LIST_IDS)]


def _rank(severity: str | None) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else -1
