"""Tests of the findings in events: the exact result for each recorded event, and the special cases of each source."""

from typing import Any

import pytest
from incidents import findings
from incidents.findings import Finding, MalformedEvent, Skipped, UnknownEvent

from tests.support.recorded import GONE, NAMES, event, expected, without_events

F = "detail__findings__0__"
INFO = F + "finding_info__"


def only(name: str, **changed: Any) -> Finding:
    """Return the only finding of a recorded event with changes."""
    (one,) = findings.read(event(name, **changed))
    assert isinstance(one, Finding)
    return one


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_event_gives_exactly_the_expected_findings(name: str) -> None:
    assert without_events(findings.read(event(name))) == expected(name)


def test_a_guardduty_finding_is_the_same_directly_and_through_both_hubs() -> None:
    three = [only(name) for name in ("guardduty", "security_hub_asff_guardduty", "security_hub_ocsf_guardduty")]

    for field in (
        "key",
        "source",
        "account_id",
        "title",
        "severity",
        "category",
        "occurred_at",
        "detected_at",
        "seen_at",
    ):
        assert len({getattr(one, field) for one in three}) == 1, field
    assert len({(*one.alert_ids, *one.tags) for one in three}) == 1


def test_a_macie_key_is_the_same_through_the_hub_and_depends_on_bucket_and_type() -> None:
    direct = only("macie_sensitive_data")
    (_, hub, _) = findings.read(event("security_hub_asff_several"))
    assert isinstance(hub, Finding)
    assert hub.key == direct.key
    assert only("macie_sensitive_data", detail__id="another").key == direct.key
    assert only("macie_sensitive_data", detail__type="SensitiveData:S3Object/Financial").key != direct.key
    assert only("macie_policy", detail__id="another").key != only("macie_policy").key


def test_the_account_comes_from_the_finding_and_never_from_the_envelope() -> None:
    assert event("guardduty")["account"] == "999988887777"
    assert only("guardduty").account_id == "111122223333"
    for missing in (GONE, None, "", "1111222233334", 111122223333):
        with pytest.raises(MalformedEvent, match=r"detail\.accountId must be an AWS account id"):
            findings.read(event("guardduty", detail__accountId=missing))


def test_a_health_finding_has_the_affected_account_or_else_the_recipient() -> None:
    assert (event("health")["account"], only("health").account_id) == ("999988887777", "111122223333")
    assert only("health_abuse").account_id == "111122223333"
    assert only("health", detail__affectedAccount="444455556666").key != only("health").key
    with pytest.raises(MalformedEvent, match=r"detail\.affectedAccount"):
        findings.read(event("health", detail__affectedAccount="all"))


@pytest.mark.parametrize(
    ("value", "severity"),
    [(10, "critical"), (9.0, "critical"), (8.9, "high"), (7, "high"), (6.9, "medium"), (4.0, "medium"), (3.9, "low"),
     (1, "low"), (0.9, "informational"), ("8", None), (True, None), (None, None), (10**400, None)],
)  # fmt: skip
def test_a_guardduty_severity_is_read_from_a_number(value: Any, severity: str | None) -> None:
    assert only("guardduty", detail__severity=value).severity == severity


def test_a_hub_severity_is_read_from_a_word_or_a_number() -> None:
    asff, ocsf = "security_hub_asff_guardduty", "security_hub_ocsf_guardduty"
    for normalized, severity in ((0, "informational"), (1, "low"), (40, "medium"), (70, "high"), (90, "critical")):
        assert only(asff, **{F + "Severity": {"Normalized": normalized}}).severity == severity
    for number, severity in (
        (1, "informational"),
        (2, "low"),
        (3, "medium"),
        (4, "high"),
        (5, "critical"),
        (6, "critical"),
    ):
        assert only(ocsf, **{F + "severity_id": number, F + "severity": GONE}).severity == severity
    assert only(ocsf, **{F + "severity_id": 99, F + "severity": "Fatal"}).severity == "critical"
    assert only(asff, **{F + "Severity": {}}).severity is None


@pytest.mark.parametrize("code", ["Unknown", "Manual", "Warning", "Pass", "Failed"])
def test_a_status_code_of_a_detection_is_no_result_of_a_check(code: str) -> None:
    detection = only("security_hub_ocsf_guardduty", **{F + "status_code": code})

    assert (detection.kind, detection.finding_class) == ("detection", "detection")


def test_a_custom_action_accepts_an_archived_finding_and_sets_the_time_seen() -> None:
    chosen = only("security_hub_asff_custom_action", **{F + "RecordState": "ARCHIVED"})

    assert chosen.seen_at == "2026-11-19T12:30:00.000Z"


def test_only_an_aws_product_may_give_an_arn_as_the_key() -> None:
    arn = only("guardduty").key
    for product in ("product/111122223333/default", "product/kestrel-labs/kestrel-endpoint"):
        forged = only(
            "security_hub_asff_guardduty", **{F + "ProductArn": f"arn:aws:securityhub:eu-central-1::{product}"}
        )
        assert forged.alert_ids == [arn]
        assert forged.key != arn


def test_an_ocsf_date_is_read_from_milliseconds_if_its_text_is_absent() -> None:
    texts = dict.fromkeys((INFO + "created_time_dt", INFO + "first_seen_time_dt", INFO + "modified_time_dt"), GONE)

    assert only("security_hub_ocsf_guardduty", **texts)[9:12] == only("security_hub_ocsf_guardduty")[9:12]


@pytest.mark.parametrize(
    "data", ["", "no json", "[" * 100_000, "9" * 5000, "{}", '{"startDate":"soon"}', None, {"a": 1}]
)
def test_alarm_reason_data_without_a_readable_start_gives_no_occurrence(data: Any) -> None:
    alarm = only("cloudwatch_alarm", detail__state__reasonData=data)

    assert alarm.occurred_at is None
    assert alarm.detected_at == "2026-11-20T13:56:40.987Z"


def test_the_first_word_of_an_alarm_s_name_gives_its_severity() -> None:
    assert only("cloudwatch_alarm", detail__alarmName="[HIGH] queue age").severity == "high"
    assert only("cloudwatch_alarm", detail__alarmName="highest-queue-age").severity is None
    assert only("cloudwatch_alarm", detail__alarmName="4711").severity is None


def test_an_alarm_without_a_previous_state_is_accepted() -> None:
    assert only("cloudwatch_alarm", detail__previousState=GONE).severity == "critical"


def test_pages_of_a_health_event_share_key_and_time_and_have_their_numbers() -> None:
    first = only("health_page_2", detail__page="1", detail__affectedEntities=[{"entityValue": "i-1"}])
    second = only("health_page_2")

    assert (first.key, first.seen_at) == (second.key, second.seen_at)
    assert (first.page, second.page) == (1, 2)
    odd: list[Any] = [3, "0", "x", [], 10**9, None]
    assert [only("health", detail__page=page).page for page in odd] == [3, 1, 1, 1, 1, 1]


def test_a_planned_start_is_not_the_time_of_occurrence() -> None:
    planned = only(
        "health", detail__eventTypeCategory="scheduledChange", detail__startTime="Fri, 20 Nov 2026 05:00:00 GMT",
        detail__eventTypeCode="AWS_EC2_MAINTENANCE_SCHEDULED",
    )  # fmt: skip

    assert (planned.occurred_at, planned.severity) == (None, "informational")
    assert planned.dates["occurred_at"] == "detail.startTime, dropped: later than detected_at"


def test_a_macie_finding_has_a_start_only_if_an_api_call_has_one() -> None:
    assert only("macie_sensitive_data").occurred_at is None
    assert only("macie_policy").occurred_at == "2026-11-16T15:31:40.000Z"
    assert only("macie_policy", detail__policyDetails=None).occurred_at is None


def test_a_bad_secondary_date_does_not_refuse_a_finding() -> None:
    bad = only("guardduty", detail__service__eventFirstSeen="once", detail__createdAt=[], detail__updatedAt={})

    assert (bad.occurred_at, bad.detected_at) == (None, "2026-11-17T02:45:03.000Z")
    assert bad.dates == {
        "occurred_at": "detail.service.eventFirstSeen, dropped: not a date",
        "detected_at": "time",
        "seen_at": "detail.service.eventLastSeen",
    }


@pytest.mark.parametrize(
    ("source", "detail_type"),
    [("aws.guardduty", "Alert Escalated"), ("aws.ec2", "EC2 Instance State-change Notification"),
     ("acme.soc", "GuardDuty Finding"), ("acme.soc", "Alert escalated"), ("*", "GuardDuty Finding")],
)  # fmt: skip
def test_an_event_without_an_adapter_is_unknown(source: str, detail_type: str) -> None:
    with pytest.raises(UnknownEvent, match="no adapter takes this source and detail-type"):
        findings.read(event("guardduty", source=source, **{"detail-type": detail_type}))


@pytest.mark.parametrize("blank", ["", " ", "\u00a0", "\u3000", "\t\n", "\x00", "\u200b", "\u3164"])
def test_a_blank_text_of_an_alert_counts_as_absent(blank: str) -> None:
    detail = {**event("alert_escalated")["detail"], "title": blank, "alert_ids": ["alert-1", blank]}
    (one,) = findings.read(event("alert_escalated", detail=detail | {"description": blank, "category": blank}))

    assert isinstance(one, Finding)
    assert (one.title, one.category, one.alert_ids) == ("(untitled)", None, ["alert-1"])
    assert one.description is None or one.description.strip() in (blank, detail["url"], f"{blank}\n\n{detail['url']}")


TITLED = {
    "guardduty": "detail__title", "inspector": "detail__title", "macie_policy": "detail__title",
    "security_hub_asff_guardduty": "detail__findings__0__Title",
    "security_hub_ocsf_guardduty": "detail__findings__0__finding_info__title",
}  # fmt: skip


@pytest.mark.parametrize(("name", "path"), TITLED.items())
@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u200b"])
def test_a_finding_with_a_blank_title_is_untitled(name: str, path: str, blank: str) -> None:
    one = findings.read(event(name, **{path: blank}))[0]

    assert isinstance(one, Finding)
    assert one.title == "(untitled)"


@pytest.mark.parametrize(("name", "path"), TITLED.items())
@pytest.mark.parametrize("title", [None, 7, ["x"], GONE])
def test_a_finding_without_a_title_is_malformed(name: str, path: str, title: Any) -> None:
    with pytest.raises(MalformedEvent, match="itle must be a text"):
        findings.read(event(name, **{path: title}))


@pytest.mark.parametrize("whole", [None, 1, "text", [], {}, {"source": 1}, {"source": "aws.guardduty"}])
def test_a_value_that_is_not_an_event_is_malformed(whole: Any) -> None:
    with pytest.raises(MalformedEvent):
        findings.read(whole)


@pytest.mark.parametrize("name", ["security_hub_asff_several", "security_hub_ocsf_guardduty"])
def test_one_bad_finding_is_refused_alone_and_the_error_has_its_place_without_values(name: str) -> None:
    whole = event(name)
    bad = {"ProductArn": "arn:aws:securityhub:eu-central-1::product/aws/guardduty", "AwsAccountId": "secret"}
    whole["detail"]["findings"].insert(1, bad)

    first, refused, *_ = findings.read(whole)

    assert without_events([first]) == without_events(findings.read(event(name))[:1])
    assert isinstance(refused, MalformedEvent)
    assert refused.reason.startswith("detail.findings[1].")
    assert "secret" not in refused.reason
    whole["detail"]["findings"] = [bad, bad]
    with pytest.raises(MalformedEvent, match=r"detail.findings\[0\]"):
        findings.read(whole)


@pytest.mark.parametrize(
    ("name", "title", "archived"),
    [
        ("guardduty", "detail__title", {"detail__service__archived": True}),
        ("macie_policy", "detail__title", {"detail__archived": True}),
        ("security_hub_asff_guardduty", "detail__findings__0__Title", {"detail__findings__0__RecordState": "ARCHIVED"}),
        ("security_hub_ocsf_guardduty", INFO + "title", {"detail__findings__0__status_id": 5}),
    ],
)
def test_an_archived_finding_is_skipped_even_without_a_title(name: str, title: str, archived: dict[str, Any]) -> None:
    (one,) = findings.read(event(name, **{title: GONE}, **archived))
    assert isinstance(one, Skipped)
    assert one.reason == "archived"


def test_a_date_long_after_the_envelope_s_date_is_ignored() -> None:
    one = only("guardduty", detail__updatedAt="2999-01-01T00:00:00Z", detail__createdAt="2999-01-01T00:00:00Z")
    assert (one.seen_at[:10], one.detected_at[:10]) == ("2026-11-17", "2026-11-17")
    assert one.dates["detected_at"] == "time"


def test_the_severity_may_follow_the_word_incident_in_an_alarm_s_name() -> None:
    for name, severity in (
        ("critical-orders-5xx", "critical"), ("incident-critical-orders-5xx", "critical"), ("Incident_LOW_disk", "low"),
        ("orders-are-critical", None), ("incident-orders", None),
    ):  # fmt: skip
        assert only("cloudwatch_alarm", detail__alarmName=name).severity == severity


def test_findings_that_may_share_a_key_are_marked_as_grouped() -> None:
    grouped = {name for name in NAMES for one in findings.read(event(name)) if getattr(one, "grouped", False)}
    assert grouped == {
        "access_analyzer", "alert_escalated", "cloudtrail_root_sign_in", "cloudtrail_stop_logging",
        "macie_sensitive_data", "security_hub_asff_several",
    }  # fmt: skip


def test_only_a_simulated_event_of_an_aws_source_is_treated_as_from_aws() -> None:
    simulated = {**event("guardduty"), "source": "simulated.aws.guardduty"}
    assert findings.as_from_aws(simulated) == event("guardduty")
    assert simulated["source"] == "simulated.aws.guardduty"
    others: list[Any] = [
        event("guardduty"),
        {"source": "simulated.acme"},
        {"source": 1},
        {},
        [],
        None,
        "simulated.aws.",
    ]
    assert all(findings.as_from_aws(other) is other for other in others)


@pytest.mark.parametrize(
    ("description", "code", "title"),
    [
        ("We are investigating API errors. More soon.", "AWS_EC2_OPERATIONAL_ISSUE",
         "We are investigating API errors (EC2, eu-central-1)"),
        ("Line one\nLine two", "AWS_EC2_OPERATIONAL_ISSUE", "Line one (EC2, eu-central-1)"),
        (None, "AWS_EC2_OPERATIONAL_ISSUE", "Operational issue (EC2, eu-central-1)"),
        ("w" * 500, "AWS_EC2_OPERATIONAL_ISSUE", f"{'w' * 200} (EC2, eu-central-1)"),
    ],
)  # fmt: skip
def test_a_health_title_has_the_event_s_words_its_service_and_its_region(
    description: str | None, code: str, title: str
) -> None:
    words = [{"language": "en_US", "latestDescription": description}] if description else []
    one = only("health_page_2", detail__eventDescription=words, detail__eventTypeCode=code)
    assert one.title == title


@pytest.mark.parametrize(
    ("code", "category", "kind"),
    [
        ("AWS_EC2_OPERATIONAL_ISSUE", "issue", "alarm"), ("AWS_LAMBDA_RUNTIME_UPDATE", "accountNotification", "notice"),
        ("AWS_RDS_MAINTENANCE_SCHEDULED", "scheduledChange", "notice"), ("AWS_X_ODD", "investigation", "alarm"),
        ("AWS_RISK_CREDENTIALS_EXPOSED", "issue", "detection"), ("AWS_ABUSE_DOS_REPORT", "issue", "detection"),
        ("AWS_S3_OPEN_ACCESS_BUCKET_NOTIFICATION", "accountNotification", "exposure"),
        ("AWS_SHIELD_IS_RESPONDING_TO_A_DDOS_ATTACK_AGAINST_YOUR_AWS_RESOURCES", "issue", "detection"),
    ],
)  # fmt: skip
def test_a_health_event_is_a_detection_an_exposure_an_alarm_or_a_notice(code: str, category: str, kind: str) -> None:
    assert only("health_page_2", detail__eventTypeCode=code, detail__eventTypeCategory=category).kind == kind
