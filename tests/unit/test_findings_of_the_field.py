"""Tests that events that once failed in production give the right findings.

Also tests that each event gives the same finding in every way in which AWS publishes the event.
"""

import itertools
import json
from typing import Any

import pytest
from incidents import findings
from incidents.domain import intake_policy
from incidents.findings import Finding, Skipped

from tests.support import hubs
from tests.support.recorded import FOLDER, event

FIELD = FOLDER / "field"
BUCKET = "arn:aws:s3:::example-uploads"


def reports(name: str) -> list[Any]:
    read = json.loads((FIELD / f"{name}.json").read_text(encoding="utf-8"))
    return [report for one in (read if isinstance(read, list) else [read]) for report in findings.read(one)]


def only(name: str) -> Finding:
    (one,) = reports(name)
    assert isinstance(one, Finding)
    return one


def reason(finding: Finding) -> str | None:
    return intake_policy.decide(intake_policy.DEFAULT, finding.facts).reason


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("02a_guardduty_type_of_hub",
         {"category": "unauthorized_access", "tags": ["Discovery:IAMUser/AnomalousBehavior"]}),
        ("02b_guardduty_type_of_hub", {"category": "data_breach", "tags": ["Exfiltration:IAMUser/AnomalousBehavior"]}),
        ("03b_guardduty_malicious_object",
         {"category": "malware", "asset_ids": [BUCKET, f"{BUCKET}/invoice.exe"]}),
        ("05_effects_namespace", {"category": "misconfiguration", "tags": ["RDS.1"]}),
        ("06_cve_of_another_scanner", {"category": "vulnerability", "kind": "vulnerability", "occurred_at": None}),
        ("08_scanner_first_observed", {"occurred_at": None, "kind": "posture"}),
        ("12_alert_id_longer_than_128", {"alert_ids": [
            "arn:aws:securityhub:eu-central-1:111122223333:subscription/aws-foundational-security-best-practices/v/"
            "1.0.0/AutoScaling.1/finding/9ddd8926-a71c-490c-956d-5b1e9e3c76e3"]}),
        ("13_type_longer_than_64",
         {"tags": ["UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS"]}),
        ("16_malware_scan_result",
         {"severity": "high", "category": "malware", "asset_ids": [BUCKET, f"{BUCKET}/invoice.exe"]}),
        ("17_own_product", {"source": "electriceye.electriceye"}),
    ],
)  # fmt: skip
def test_an_event_of_the_field_has_its_right_values(name: str, values: dict[str, Any]) -> None:
    finding = only(name)

    assert {field: getattr(finding, field) for field in values} == values


@pytest.mark.parametrize(
    ("name", "asset"),
    [
        ("04a_guardduty_asset", "arn:aws:ecs:eu-central-1:111122223333:task/prod/abc"),
        ("04c_guardduty_asset", "arn:aws:ec2:eu-central-1::image/ami-0a1b"),
        ("04e_guardduty_asset", "arn:aws:ec2:eu-central-1:111122223333:volume/vol-0a1b"),
    ],
)
def test_a_guardduty_asset_is_read(name: str, asset: str) -> None:
    assert asset in only(name).asset_ids


@pytest.mark.parametrize(
    ("name", "skipped"),
    [
        ("01_guardduty_sample_through_security_hub", "sample"), ("11a_alarm_suppressed", "suppressed"),
        ("asff-compliance-notavailable", "not_available"), ("asff-compliance-warning", "warning"),
    ],
)  # fmt: skip
def test_an_event_that_reports_nothing_is_skipped_with_its_reason(name: str, skipped: str) -> None:
    (one,) = reports(name)

    assert isinstance(one, Skipped)
    assert one.reason == skipped


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("05_effects_namespace", "posture"), ("06_cve_of_another_scanner", "vulnerability"),
        ("07_failed_control_by_both_hubs", "posture"), ("08_scanner_first_observed", "posture"),
        ("asff-compliance-failed", "posture"), ("asff-compliance-failed-informational", "posture"),
    ],
)  # fmt: skip
def test_posture_and_vulnerabilities_become_nothing_by_default(name: str, refused: str) -> None:
    assert {reason(one) for one in reports(name)} == {refused}


def test_a_failed_control_is_the_same_through_both_hubs() -> None:
    asff, ocsf = reports("07_failed_control_by_both_hubs")

    assert (asff.key, asff.kind, asff.category, asff.tags, asff.severity) == (
        ocsf.key, ocsf.kind, ocsf.category, ocsf.tags, ocsf.severity
    )  # fmt: skip


def test_a_public_outage_has_one_key_and_all_affected_accounts() -> None:
    outage = reports("10_public_outage_of_three_accounts")

    assert len({one.key for one in outage}) == 1
    assert [one.account_ids for one in outage] == [[f"11112222333{n}"] for n in (1, 2, 3)]
    assert {reason(one) for one in outage} == {None}


def test_the_same_assets_come_through_both_ways_once() -> None:
    direct, hub = reports("14_same_asset_by_two_hubs")

    assert direct.asset_ids == hub.asset_ids
    assert len(direct.asset_ids) == 2


SAME = ("key", "source", "account_id", "category", "severity", "tags", "kind", "asset_ids", "alert_ids", "account_ids")
WAYS: list[tuple[str, list[Any]]] = [
    ("guardduty", [hubs.as_asff, hubs.as_ocsf]), ("guardduty_attack_sequence", [hubs.as_asff, hubs.as_ocsf]),
    ("macie_policy", [hubs.as_asff, hubs.as_ocsf]), ("macie_sensitive_data", [hubs.as_asff, hubs.as_ocsf]),
    ("health", [hubs.as_asff]), ("health_abuse", [hubs.as_asff]), ("health_page_2", [hubs.as_asff]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "ways"), WAYS, ids=[name for name, _ in WAYS])
def test_a_recorded_event_is_the_same_in_every_published_way(name: str, ways: list[Any]) -> None:
    (direct,) = findings.read(event(name))
    for way in ways:
        (through,) = findings.read(way(event(name)))
        assert isinstance(direct, Finding)
        assert isinstance(through, Finding)
        assert {field: _unordered(getattr(through, field)) for field in SAME} == {
            field: _unordered(getattr(direct, field)) for field in SAME
        }
        assert through.title == direct.title
        assert reason(through) == reason(direct)


def _unordered(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


def test_every_published_type_of_guardduty_has_its_category_and_tag_in_every_way() -> None:
    assert len(hubs.guardduty_types()) > 210
    for own, asff in hubs.guardduty_types():
        direct = event("guardduty", detail__type=own)
        ways = [direct, hubs.as_ocsf(direct)]
        if asff:
            ways.append(event("security_hub_asff_guardduty", detail__findings__0__Types=[asff]))
        found = [one for way in ways for one in findings.read(way) if isinstance(one, Finding)]
        assert {(*one.tags,) for one in found} == {(own,)}, asff
        assert len({one.category for one in found} - {None}) == 1, asff
        assert {one.kind for one in found} == {"detection"}


@pytest.mark.parametrize("namespace", ["Software and Configuration Checks", "TTPs", "Effects", "Unusual Behaviors",
                                       "Sensitive Data Identifications"])  # fmt: skip
def test_every_namespace_of_asff_has_a_category_and_a_kind(namespace: str) -> None:
    for text, product in itertools.product((namespace, f"{namespace}/Any/thing"), ("aws/securityhub", "acme/scan")):
        changed = {"Types": [text], "ProductArn": f"arn:aws:securityhub:eu-central-1::product/{product}"}
        (one,) = findings.read(
            event("security_hub_asff_guardduty", **{f"detail__findings__0__{k}": v for k, v in changed.items()})
        )
        assert isinstance(one, Finding)
        assert one.category
        assert one.kind in intake_policy.KINDS


def test_words_of_crowdstrike_become_one_tag_in_the_form_of_asff() -> None:
    types = ["Namespace: TTPs", "Category: Execution", "Classifier: Command-Line"]
    (one,) = findings.read(event(
        "security_hub_asff_guardduty", detail__findings__0__Types=types,
        detail__findings__0__ProductArn="arn:aws:securityhub:eu-central-1:517716713836:product/crowdstrike/crowdstrike-falcon",
    ))  # fmt: skip
    assert isinstance(one, Finding)
    assert (one.source, one.tags) == ("crowdstrike.crowdstrike-falcon", ["TTPs/Execution/Command-Line"])
    assert (one.category, one.kind) == ("unauthorized_access", "detection")


@pytest.mark.parametrize(
    ("company", "name", "source"),
    [
        ("ElectricEye", "ElectricEye", "electriceye.electriceye"), ("Acme Corp.", "Cloud Scan", "acme-corp.cloud-scan"),
        ("AWS", "GuardDuty", "own.aws.guardduty"), ("aws.guardduty", None, "own.aws.guardduty"),
        ("edm", "x", "own.edm.x"), ("grc.incidents", None, "own.grc.incidents"), (None, None, "own.product"),
        ("\u00fc", "\u00fc", "own.product"), ("a" * 80, "b", "a" * 64),
    ],
)  # fmt: skip
def test_a_customer_s_own_product_names_the_source_and_never_poses_as_aws(
    company: str | None, name: str | None, source: str
) -> None:
    own = "arn:aws:securityhub:eu-central-1:111122223333:product/111122223333/default"
    changed = {"ProductArn": own, "CompanyName": company, "ProductName": name}
    (one,) = findings.read(
        event("security_hub_asff_guardduty", **{f"detail__findings__0__{k}": v for k, v in changed.items()})
    )
    assert isinstance(one, Finding)
    assert one.source == source
