"""Incidents for the tests."""

from typing import Any, cast

from incidents.domain import model
from incidents.storage import stored_form

# An incident with every field that a create may have. A test would notice any value that is lost, cut or rounded.
FULL: dict[str, Any] = {
    "incident_number": "IR 2026/17",
    "title": "Datenabfluss über ein Backup 🔐",
    "description": 'Line one\r\nline two\ttab \u2028 separator \u200f right to left \\ "quoted"',
    "root_cause": "=cmd|' /C calc'!A0",
    "category": "data_breach",
    "severity": "critical",
    "status": "closed",
    "source": "frontdesk",
    "source_type": "frontend",
    "occurred_at": "2026-01-31T23:30:00.999999+05:30",
    "detected_at": "2026-02-01T00:00:00Z",
    "reported_at": "2026-02-01T01:00:00Z",
    "contained_at": "2026-02-01T02:00:00Z",
    "closed_at": "2026-02-03T12:00:59.999Z",
    "realized_risk_ids": ["RISK-2", "RISK-1"],
    "affected_asset_ids": ["arn:aws:s3:::backups"],
    "affected_account_ids": ["111122223333"],
    "consolidated_investigation_ids": ["INV-1"],
    "triggered_by_alert_ids": ["alert-1", "alert-0"],
    "commander_ids": ["ada", "grace"],
    "corrective_action_ids": ["CA-1"],
    "reportable_to": ["GDPR"],
    "owner_id": "team-red",
    "lessons_learned": {"": [1e200, -0.5, None, True, {"ключ": "значение"}], "n": 12345678901234567890},
    "regulatory_reports": {
        "eu-gdpr": {
            "anchors": {"aware": "2026-02-01T01:00:00.000Z"},
            "stages": {"authority": {"submitted_at": "2026-02-02T00:00:00.000Z", "reference": "A ключ"}},
        }
    },
    "reported_to_regulators_at": "2026-02-02T00:00:00Z",
    "customer_notified_at": "2026-02-02T00:00:00Z",
    "financial_impact": 123456789012345.6789,
    "mttd_minutes": 359,
    "mttr_minutes": 3600,
    "tags": ["gdpr", "backup"],
}

OPEN = {
    "id": "inc_01M83J8EHSBKC38ZQ0R08TEPS6", "tenant_id": "acme", "created_at": "2026-11-23T07:00:00.000Z",
    "updated_at": "2026-11-23T07:00:00.000Z", "created_by": "ada", "updated_by": "grace", "schema_version": 1,
    "incident_number": "INC-2026-000001", "title": "secret", "status": "investigating", "source": "edm",
    "source_type": "api",
}  # fmt: skip


def item(version: int, **changed: Any) -> stored_form.Item:
    """Return the stored item of an incident at a version."""
    return stored_form.from_incident(
        cast("model.Incident", model.unset_fields() | OPEN | changed | {"version": version})
    )
