"""Tests of the events that give no finding. A metric counts each such event by its reason."""

from typing import Any

import pytest
from incidents import findings
from incidents.findings import Skipped

from tests.support.recorded import GONE, event

INSPECTOR = {"aws.inspector2"}
F = "detail__findings__0__"
INFO = F + "finding_info__"

SKIPS: list[tuple[str, dict[str, Any], str, str]] = [
    ("guardduty", {"detail__service__archived": True}, "archived", "aws.guardduty"),
    ("guardduty", {"detail__service__additionalInfo": {"sample": True}}, "sample", "aws.guardduty"),
    ("guardduty", {"detail__service__additionalInfo__value": '{"sample":true}'}, "sample", "aws.guardduty"),
    ("guardduty", {"detail__title": "[SAMPLE] An instance"}, "sample", "aws.guardduty"),
    ("security_hub_asff_guardduty", {F + "RecordState": "ARCHIVED"}, "archived", "aws.guardduty"),
    ("security_hub_asff_guardduty", {F + "Workflow__Status": "SUPPRESSED"}, "suppressed", "aws.guardduty"),
    ("security_hub_asff_guardduty", {F + "Workflow__Status": "RESOLVED"}, "resolved", "aws.guardduty"),
    ("security_hub_asff_guardduty", {F + "Compliance__Status": "PASSED"}, "passed", "aws.guardduty"),
    ("security_hub_asff_guardduty", {F + "Sample": True}, "sample", "aws.guardduty"),
    ("security_hub_asff_guardduty", {F + "Title": "[SAMPLE] An instance"}, "sample", "aws.guardduty"),
    (
        "security_hub_asff_custom_action",
        {"detail-type": "Security Hub Findings - Imported"},
        "not_a_detection",
        "aws.inspector2",
    ),
    ("security_hub_ocsf_guardduty", {F + "class_uid": 2003}, "not_a_detection", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {F + "class_uid": 2002}, "not_a_detection", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {F + "class_uid": 2006}, "not_a_detection", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {F + "status_id": 2, F + "status": "In Progress"}, "in_progress", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {F + "status_id": 3, F + "status": "Suppressed"}, "suppressed", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {F + "status_id": GONE, F + "status": "Resolved"}, "resolved", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {F + "status_id": 5, F + "status": GONE}, "archived", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {F + "activity_id": 3}, "resolved", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {INFO + "title": "[SAMPLE] An instance"}, "sample", "aws.guardduty"),
    ("cloudwatch_alarm", {"detail__state__value": "OK"}, "ok_state", "aws.cloudwatch"),
    ("cloudwatch_alarm", {"detail__state__value": "INSUFFICIENT_DATA"}, "insufficient_data", "aws.cloudwatch"),
    ("cloudwatch_alarm", {"detail__previousState__value": "ALARM"}, "already_in_alarm", "aws.cloudwatch"),
    ("health", {"detail__backupEvent": "true"}, "backup", "aws.health"),
    ("health", {"detail__statusCode": "closed"}, "closed", "aws.health"),
    ("macie_policy", {"detail__archived": True}, "archived", "aws.macie"),
    ("macie_policy", {"detail__sample": True}, "sample", "aws.macie"),
    ("inspector", {"detail__status": "CLOSED"}, "closed", "aws.inspector2"),
    ("inspector", {"detail__status": "SUPPRESSED"}, "suppressed", "aws.inspector2"),
    ("inspector", {"detail__severity": "HIGH"}, "not_a_detection", "aws.inspector2"),
    ("inspector", {"detail__exploitAvailable": "NO"}, "not_a_detection", "aws.inspector2"),
    ("alert_escalated", {"source": "grc.incidents"}, "own", "grc.incidents"),
    ("guardduty", {"source": "grc.incidents", "detail-type": "IncidentCreated"}, "own", "grc.incidents"),
]


@pytest.mark.parametrize(("name", "changed", "reason", "source"), SKIPS)
def test_a_skipped_event_has_its_reason_and_source(
    name: str, changed: dict[str, Any], reason: Any, source: str
) -> None:
    assert findings.read(event(name, **changed), INSPECTOR) == [Skipped(reason, source)]


def test_every_reason_for_a_skip_is_tested() -> None:
    assert {reason for _, _, reason, _ in SKIPS} | {"disabled"} == set(findings.REASONS)


def test_inspector_is_disabled_by_default() -> None:
    assert findings.read(event("inspector")) == [Skipped("disabled", "aws.inspector2")]
