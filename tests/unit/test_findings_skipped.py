"""Tests of the events that give no finding. A metric counts each such event by its reason."""

from typing import Any, get_args

import pytest
from incidents import findings
from incidents.domain import intake_policy
from incidents.findings import Skipped

from tests.support.recorded import GONE, event, without_events

F = "detail__findings__0__"
INFO = F + "finding_info__"
CHECK: dict[str, Any] = {F + "class_uid": 2003}  # the class of a check in OCSF
SAMPLE, JSON = (f"aws/guardduty/service/additionalInfo/{name}" for name in ("sample", "value"))

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
    ("security_hub_asff_guardduty", {F + "Compliance__Status": "WARNING"}, "warning", "aws.guardduty"),
    ("security_hub_asff_guardduty", {F + "Compliance__Status": "NOT_AVAILABLE"}, "not_available", "aws.guardduty"),
    ("security_hub_asff_guardduty", {F + "ProductFields": {SAMPLE: "true"}}, "sample", "aws.guardduty"),
    ("security_hub_asff_guardduty", {F + "ProductFields": {JSON: '{"sample":true}'}}, "sample", "aws.guardduty"),
    ("security_hub_asff_guardduty", {F + "Title": "Calls of GeneratedFindingUserName"}, "sample", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {F + "unmapped": {SAMPLE: "true"}}, "sample", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", CHECK | {F + "status_code": "PASS"}, "passed", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", CHECK | {F + "status_code": "MANUAL"}, "not_available", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {F + "compliance": {"status": "Warning"}}, "warning", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {F + "compliance": {"status_id": 1}}, "passed", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {F + "status_id": 2, F + "status": "In Progress"}, "in_progress", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {F + "status_id": 3, F + "status": "Suppressed"}, "suppressed", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {F + "status_id": GONE, F + "status": "Resolved"}, "resolved", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {F + "status_id": 5, F + "status": GONE}, "archived", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {F + "activity_id": 3}, "resolved", "aws.guardduty"),
    ("security_hub_ocsf_guardduty", {INFO + "title": "[SAMPLE] An instance"}, "sample", "aws.guardduty"),
    ("cloudwatch_alarm", {"detail__state__value": "OK"}, "ok_state", "aws.cloudwatch"),
    ("cloudwatch_alarm", {"detail__state__value": "INSUFFICIENT_DATA"}, "insufficient_data", "aws.cloudwatch"),
    ("cloudwatch_alarm", {"detail__previousState__value": "ALARM"}, "already_in_alarm", "aws.cloudwatch"),
    ("cloudwatch_alarm", {"detail__state__actionsSuppressedBy": "Alarm"}, "suppressed", "aws.cloudwatch"),
    ("cloudwatch_alarm", {"detail__state__actionsSuppressedBy": "ExtensionPeriod"}, "suppressed", "aws.cloudwatch"),
    ("cloudwatch_alarm", {"detail__muteDetail": {"mutedByArn": "arn:aws:x"}}, "suppressed", "aws.cloudwatch"),
    (
        "malware_scan",
        {"detail__scanResultDetails__scanResultStatus": "NO_THREATS_FOUND"},
        "no_threats",
        "aws.guardduty",
    ),
    ("health", {"detail__backupEvent": "true"}, "backup", "aws.health"),
    ("health", {"detail__statusCode": "closed"}, "closed", "aws.health"),
    ("macie_policy", {"detail__archived": True}, "archived", "aws.macie"),
    ("macie_policy", {"detail__sample": True}, "sample", "aws.macie"),
    ("inspector", {"detail__status": "CLOSED"}, "closed", "aws.inspector2"),
    ("inspector", {"detail__status": "SUPPRESSED"}, "suppressed", "aws.inspector2"),
    ("access_analyzer", {"detail__status": "ARCHIVED"}, "archived", "aws.access-analyzer"),
    ("access_analyzer", {"detail__status": "RESOLVED"}, "resolved", "aws.access-analyzer"),
    ("access_analyzer", {"detail__isDeleted": True}, "closed", "aws.access-analyzer"),
    (
        "access_analyzer",
        {"detail__error": "ACCESS_DENIED", "detail__principal": GONE},
        "not_available",
        "aws.access-analyzer",
    ),
    ("cloudtrail_root_sign_in", {"detail__userIdentity__type": "IAMUser"}, "not_watched", "aws.cloudtrail"),
    ("cloudtrail_root_sign_in", {"detail__eventName": "PasswordRecoveryRequested"}, "not_watched", "aws.cloudtrail"),
    ("cloudtrail_root_sign_in", {"detail__responseElements__ConsoleLogin": "Failure"}, "failed", "aws.cloudtrail"),
    ("cloudtrail_root_sign_in", {"detail__errorMessage": "Failed authentication"}, "failed", "aws.cloudtrail"),
    ("cloudtrail_stop_logging", {"detail__errorCode": "AccessDenied"}, "failed", "aws.cloudtrail"),
    ("cloudtrail_stop_logging", {"detail__eventName": "StartLogging"}, "not_watched", "aws.cloudtrail"),
    ("cloudtrail_stop_logging", {"detail__eventSource": "s3.amazonaws.com"}, "not_watched", "aws.cloudtrail"),
    ("alert_escalated", {"source": "grc.incidents"}, "own", "grc.incidents"),
    ("guardduty", {"source": "grc.incidents", "detail-type": "IncidentCreated"}, "own", "grc.incidents"),
]


@pytest.mark.parametrize(("name", "changed", "reason", "source"), SKIPS)
def test_a_skipped_event_has_its_reason_and_source(
    name: str, changed: dict[str, Any], reason: Any, source: str
) -> None:
    assert findings.read(event(name, **changed)) == [Skipped(reason, source)]


def test_every_reason_for_a_skip_is_tested() -> None:
    of_policy = set(get_args(intake_policy.Reason))
    of_mappings = {"not_mapped"}  # tests/unit/test_mapping.py tests this reason
    assert {reason for _, _, reason, _ in SKIPS} | of_policy | of_mappings == set(findings.REASONS)


@pytest.mark.parametrize("reason", ["passed", "resolved"])
def test_a_solved_check_is_skipped_with_its_finding(reason: str) -> None:
    states = {"passed": {F + "Compliance__Status": "PASSED"}, "resolved": {F + "Workflow__Status": "RESOLVED"}}
    skipped, *_ = findings.read(event("security_hub_asff_several", **states[reason]))
    failed, *_ = findings.read(event("security_hub_asff_several"))

    assert isinstance(skipped, Skipped)
    assert (skipped.reason, [skipped.solved]) == (reason, without_events([failed]))
