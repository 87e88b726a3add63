"""Put incidents on the board of deadlines, as the job does."""

import json
import os
from typing import Any

from incidents.storage import dynamodb, guard
from incidents.storage.deadline_repository import DeadlineRepository, Head

STAGE: dict[str, Any] = {
    "regime": "eu-gdpr", "stage": "authority", "state": "running", "due_at": "2027-06-11T06:00:00.000Z",
    "projected_at": None, "anchor_missing": None, "setting_missing": None,
}  # fmt: skip


def put_on_board(tenant_id: str, incident_id: str, *, app_id: str | None = None, **changed: Any) -> None:
    """Put an incident with one open stage on the board of its tenant."""
    stage = STAGE | changed
    entry = {
        "incident_id": incident_id, "incident_number": "INC-2026-000001", "app_id": app_id, "status": "new",
        "version": 1, "stages": [stage],
    }  # fmt: skip
    head = Head(1, "2026-11", app_id, json.dumps(entry), stage["due_at"] or stage["projected_at"], {}, None)
    with guard.serving_deadlines(tenant_id):
        deadlines = DeadlineRepository(tenant_id, dynamodb.client(), os.environ["TABLE_NAME"])
        deadlines.replace(incident_id, deadlines.head(incident_id), head)
