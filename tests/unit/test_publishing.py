"""Tests of the published events: exactly one for each version of an incident, in the form of the published schema."""

import json
from typing import Any

import pytest
from incidents.domain import model
from incidents.findings import Skipped, read
from incidents.publishing import SOURCE, announcement
from jsonschema import Draft202012Validator

from tests.support.incidents import item
from tests.support.templates import CHECKOUT

SCHEMA = json.loads((CHECKOUT / "functions" / "incidents" / "incident_event.v1.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
CLOSED = {"status": "closed", "closed_at": "2026-11-23T08:00:00.000Z"}
DELETED = {"is_deleted": True, "deleted_at": "2026-11-23T08:00:00.000Z", "deleted_by": "grace"}


@pytest.mark.parametrize(
    ("before", "after", "detail_type", "changed"),
    [
        (None, {}, "IncidentCreated", []),
        (None, CLOSED, "IncidentCreated", []),
        ({}, {"severity": "low"}, "IncidentUpdated", ["severity"]),
        ({}, {"status": "review"}, "IncidentUpdated", ["status"]),
        ({}, CLOSED, "IncidentClosed", ["closed_at", "status"]),
        (CLOSED, {}, "IncidentReopened", ["closed_at", "status"]),
        (CLOSED, CLOSED | {"severity": "low"}, "IncidentUpdated", ["severity"]),
        ({}, DELETED, "IncidentDeleted", ["deleted_at", "deleted_by", "is_deleted"]),
        (DELETED, {}, "IncidentRestored", ["deleted_at", "deleted_by", "is_deleted"]),
        (DELETED, CLOSED, "IncidentRestored", ["closed_at", "deleted_at", "deleted_by", "is_deleted", "status"]),
    ],
)
def test_each_version_gives_one_event_with_the_first_matching_type(
    before: dict[str, Any] | None, after: dict[str, Any], detail_type: str, changed: list[str]
) -> None:
    told = announcement(None if before is None else item(4, **before), item(1 if before is None else 5, **after))

    assert told is not None
    assert (told.detail_type, told.detail["changed_fields"]) == (detail_type, changed)
    assert (told.detail["version"], told.detail["by"]) == (1 if before is None else 5, "grace")
    assert list(VALIDATOR.iter_errors(told.detail)) == []
    assert "secret" not in json.dumps(told.detail)


def test_an_erased_item_or_an_unchanged_version_gives_no_event() -> None:
    assert announcement(item(3), None) is None
    assert announcement(item(3), {**item(3), "added": {"S": "by a backfill"}}) is None


def test_the_event_of_an_application_s_incident_has_its_app_id() -> None:
    told = announcement(None, item(1, app_id="soc-portal"))
    assert told is not None
    assert told.detail["app_id"] == "soc-portal"
    assert list(VALIDATOR.iter_errors(told.detail)) == []


def test_the_service_s_own_events_are_skipped_at_intake() -> None:
    told = announcement(None, item(1))
    assert told is not None
    for detail_type in ("Alert Escalated", told.detail_type):
        assert read({"source": SOURCE, "detail-type": detail_type, "detail": told.detail}) == [Skipped("own", SOURCE)]


def test_the_event_schema_has_the_model_s_statuses_and_severities() -> None:
    properties = SCHEMA["properties"]
    assert tuple(properties["status"]["enum"]) == model.STATUSES
    assert tuple(properties["severity"]["enum"]) == (*model.SEVERITIES, None)
