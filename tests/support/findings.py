"""Stores evidence of an incident without an event, and reads an incident's findings from the API's function."""

import json
from typing import Any

from incidents.domain import evidence
from incidents.domain.identity import Identity
from incidents.storage import dynamodb, guard
from incidents.storage.incident_repository import IncidentRepository
from list_incident_findings import handler as list_findings

from tests.support.events import Context, changes_event


def store_evidence(tenant_id: str, incident_id: str, title: str, count: int) -> None:
    """Store this number of events with this title as evidence of an incident."""
    identity = Identity(tenant_id, "system:test", None, frozenset())
    with guard.serving_tenant(tenant_id):
        incidents = IncidentRepository(identity, dynamodb.client(), dynamodb.table_name())
        for n in range(count):
            made = evidence.of_event(
                {"title": title, "n": n}, observed_at=f"2026-11-20T08:00:00.{n:03}Z", source="test", adapter="test",
                rule="test",
            )  # fmt: skip
            incidents.write(incidents.evidence_write(incident_id, made))


def findings_of(incident_id: str, caller: dict[str, str] | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """Return all findings of an incident, read page by page."""
    found: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        answer = list_findings(changes_event(incident_id, caller=caller, limit=limit, **more), Context)
        assert answer["statusCode"] == 200, answer["body"]
        page = json.loads(answer["body"])
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        more = {"cursor": page["next_cursor"]}
