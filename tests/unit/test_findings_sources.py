"""Tests of the adapters for Access Analyzer, CloudTrail, Security Incident Response, and Security Hub insights."""

from typing import Any

import pytest
from incidents import findings
from incidents.findings import Finding, MalformedEvent, cloudtrail

from tests.support.recorded import GONE, event

F = "detail__findings__0__"


def only(name: str, **changed: Any) -> Finding:
    """Return the only finding of a recorded event after changes to the event."""
    (one,) = findings.read(event(name, **changed))
    assert isinstance(one, Finding)
    return one


def through_the_hub(**changed: Any) -> Finding:
    """Return the finding that Security Hub imports for the recorded external access."""
    analyzer = "arn:aws:access-analyzer:eu-central-1:111122223333:analyzer/organization"
    return only(
        "security_hub_asff_guardduty",
        **{
            F + "Id": f"{analyzer}/arn:aws:s3:::example-invoices",
            F + "ProductArn": "arn:aws:securityhub:eu-central-1::product/aws/access-analyzer",
            F + "GeneratorId": "aws/access-analyzer",
            F + "AwsAccountId": "111122223333",
            F + "Types": ["Software and Configuration Checks/AWS Security Best Practices/External Access Granted"],
            F + "Title": "AwsS3Bucket/arn:aws:s3:::example-invoices/ allows cross-account access",
            F + "Severity": {"Label": "LOW", "Normalized": 1},
            F + "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::example-invoices"}],
            **changed,
        },
    )


def test_access_from_outside_is_one_problem_for_each_resource_on_both_routes() -> None:
    direct, hub = only("access_analyzer"), through_the_hub()
    for field in ("key", "source", "account_id", "kind", "category", "asset_ids", "tags", "grouped"):
        assert getattr(direct, field) == getattr(hub, field), field
    assert hub.former_keys == ["arn:aws:access-analyzer:eu-central-1:111122223333:analyzer/organization/"
                               "arn:aws:s3:::example-invoices"]  # fmt: skip
    another = only("access_analyzer", detail__id="another", detail__principal={"AWS": "777788889999"})
    assert (another.key, another.alert_ids) == (direct.key, ["another"])
    assert only("access_analyzer", detail__resource="arn:aws:s3:::b").key != direct.key


def test_unused_access_keeps_its_own_key_through_the_hub() -> None:
    unused = through_the_hub(**{
        F + "Types": ["Software and Configuration Checks/AWS Security Best Practices/Unused Permission"]
    })  # fmt: skip
    assert (unused.kind, unused.grouped) == ("posture", False)
    assert unused.key != only("access_analyzer").key


def test_public_access_is_high_and_names_everybody() -> None:
    public = only("access_analyzer", detail__isPublic=True, detail__principal={"AWS": "*"})
    assert (public.severity, public.title) == ("high", "External access to arn:aws:s3:::example-invoices for everybody")
    limited = only("access_analyzer", detail__condition={"aws:SourceVpc": "vpc-1"}, detail__action=GONE)
    assert limited.description == "Conditions: aws:SourceVpc is vpc-1."
    assert only("access_analyzer", detail__principal=GONE).title.endswith("for a principal outside")


def test_a_sign_in_of_root_is_one_problem_for_each_account_and_says_what_it_knows_of_mfa() -> None:
    without, name = only("cloudtrail_root_sign_in"), "cloudtrail_root_sign_in"
    with_mfa = only(name, detail__additionalEventData__MFAUsed="Yes", detail__eventID="another")
    unknown = only(name, detail__additionalEventData=GONE)
    assert with_mfa.key == without.key
    assert [one.severity for one in (without, with_mfa, unknown)] == ["high", "medium", "high"]
    assert [one.title.partition("signed in")[2] for one in (without, with_mfa, unknown)] == [
        " without MFA", " with MFA", "",
    ]  # fmt: skip
    assert only(name, detail__recipientAccountId="444455556666").key != without.key


@pytest.mark.parametrize(("service", "name"), [(s, n) for s, names in cloudtrail.SWITCHES_OFF.items() for n in names])
def test_every_call_of_the_list_is_a_finding_of_its_own(service: str, name: str) -> None:
    source = f"aws.{service.removesuffix('.amazonaws.com')}"
    found = only("cloudtrail_stop_logging", source=source, detail__eventSource=service, detail__eventName=name)
    assert (found.source, found.kind, found.severity, found.tags) == ("aws.cloudtrail", "detection", "high", [name])
    assert found.title == f"arn:aws:iam::111122223333:role/deploy called {name} of {source[4:]}"


def test_a_call_names_its_user_and_its_things_in_their_one_form() -> None:
    parameters = {"detectorId": "d1", "enable": False, "accountIds": ["444455556666"], "ids": "444455556666", "x": None}
    user = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve", "userName": "eve"}
    found = only("cloudtrail_stop_logging", detail__requestParameters=parameters, detail__userIdentity=user,
                 detail__resources=[{"ARN": "arn:aws:s3:::trail"}, "x"])  # fmt: skip
    assert found.title == "eve called StopLogging of cloudtrail"
    assert found.asset_ids == ["arn:aws:iam::111122223333:user/eve", "arn:aws:s3:::trail", "d1"]


@pytest.mark.parametrize(
    ("name", "changed", "path"),
    [
        ("access_analyzer", {"detail__resource": GONE}, r"detail\.resource"),
        ("access_analyzer", {"detail__accountId": "1"}, r"detail\.accountId"),
        ("cloudtrail_stop_logging", {"detail__eventName": 1}, r"detail\.eventName"),
        ("cloudtrail_stop_logging", {"detail__recipientAccountId": "1"}, r"detail\.recipientAccountId"),
        ("security_ir", {"detail__caseId": GONE}, r"detail\.caseId"),
        ("security_hub_insight", {"detail__insightArn": GONE}, r"detail\.insightArn"),
    ],
)
def test_an_event_without_what_identifies_its_problem_is_malformed(name: str, changed: Any, path: str) -> None:
    with pytest.raises(MalformedEvent, match=path):
        findings.read(event(name, **changed))


def test_an_insight_counts_by_other_attributes_too_and_survives_odd_results() -> None:
    odd = [{"eve": 3}, {"x": "many"}, "y", None, {}, {"z": True}]
    found = only("security_hub_insight", detail__resultType="ResourceAwsIamAccessKeyUserName",
                 detail__insightResults=odd)  # fmt: skip
    assert found.asset_ids == []
    assert found.description == "The findings by ResourceAwsIamAccessKeyUserName:\neve: 3"
    assert found.facts.by_hand
    assert only("security_hub_insight", detail__insightResults=GONE, detail__resultType=GONE).description is None
