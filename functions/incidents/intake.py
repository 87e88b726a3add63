"""What becomes of a finding: one incident, however often and by whichever hub it is reported.

HTTP and events meet in ``creating.create_incident``; what is particular to findings is here: whether it is known, and
what its incident has become meanwhile. Each outcome is one transaction, so an event may come twice or be cut off
anywhere: the next delivery finds the whole outcome or none of it.
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
"""From a tenant and a source to that tenant's incidents, while they are served."""

Outcome = Literal["created", "recurred", "attached", "attached_in_part", "known", "late", "suppressed"]

DISMISSED_FOR = timedelta(days=30)  # how long a dismissed incident keeps its finding quiet

_TRIES = 8
_SEVERITIES = model.SEVERITIES[::-1]  # from low to high


class Unmapped(EventRefused):
    """Nobody has said whose findings these are: there is no default tenant."""


def ingest_finding(event: Any, accounts: AccountMap, serving: Serving, enabled: frozenset[str]) -> list[str]:
    """Take every finding of an EventBridge event; return what came of each, in one word.

    Raises EventRefused for what can never be taken, after all else of the event was; Busy for what may be, later.
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
    """Return the tenant whose finding this is: the account map says, or the list of producers. Raises Unmapped.

    A producer that is allowed for one tenant need not name it.
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
    """Make the finding's incident, or bring it up to date. Raises Busy.

    - unknown: an incident is created;
    - not newer than the newest event that counted: nothing happens (``known``), unless it is another report of the
      same problem, with alerts of its own: that is attached while the incident is open;
    - its incident is open: new alerts and assets are attached (500 of each at most: else ``attached_in_part``), and a
      severity above the highest that was seen raises the incident's, never below what an analyst has set;
    - closed or deleted: an event after that moment is a recurrence and makes a new incident, tagged with the number of
      the old one; an earlier one is ``late``;
    - dismissed: an event within 30 days of the incident's last change is ``suppressed``, a later one recurs, and so
      does one that somebody sent by hand.
    """
    for attempt in range(_TRIES):
        known = incidents.sighting(finding.key)
        try:
            return _create(finding, None, None, incidents) if known is None else _meet_again(finding, known, incidents)
        except SightingMoved:
            deadline.pause(attempt, first=0.05)
    raise Busy


def incident_of(finding: Finding, recurrence_of: str | None = None) -> dict[str, Any]:
    """Return the body of the create that a finding stands for."""
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
    """Return until when an event belongs to an incident that takes no more of them; None while it is open."""
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
        if _ended_at(incident, finding) is not None:  # meanwhile
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
    except IncidentTooLarge:  # what does not fit is not attached; the event counts as seen all the same
        try:
            read_alter_write.change_incident(known.incident_id, raised, None, incidents, sighting)
        except IncidentTooLarge:  # a longer word than the last, at the very bound: a later event may still raise it
            unraised = Sighting(known.incident_id, seen_at, pages, known.severity)
            incidents.write(incidents.sighting_write(finding.key, known, unraised))
        return "attached_in_part"
    there = {*incident["triggered_by_alert_ids"], *incident["affected_asset_ids"], *incident["affected_account_ids"]}
    return "attached" if there >= {*finding.alert_ids, *finding.asset_ids, *finding.account_ids} else "attached_in_part"


def _with(ids: list[str], more: list[str]) -> list[str]:
    return list(dict.fromkeys((*ids, *more)))[: max(len(ids), model.LIST_IDS)]


def _rank(severity: str | None) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else -1
