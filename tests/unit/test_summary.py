"""Tests of the summary of an event, with the main facts from the events of each source."""

import json
from typing import Any

import pytest
from incidents.domain import summary
from incidents.domain.summary import summary_of
from incidents.findings import ADAPTERS

from tests.support import recorded
from tests.support.recorded import event

F = "detail__findings__0__"
ENDPOINT = {"ip": "203.0.113.77", "port": 443, "domain": "c2.example"}
FIELDS = {
    "aws/guardduty/service/action/portProbeAction/portProbeDetails.0_/remoteIpDetails/ipAddressV4": "203.0.113.5",
    "aws/guardduty/service/action/portProbeAction/portProbeDetails.1_/remoteIpDetails/ipAddressV4": "203.0.113.6",
    "aws/guardduty/service/archived": "false",
}
NOTHING: dict[str, Any] = {
    "remote_addresses": [], "principals": [], "link": None, "remediation": None, "processes": [], "images": [],
    "upstream_state": {},
}  # fmt: skip

# The values that a recorded event has, by the event's name. Every other member of its summary is empty.
RECORDED: dict[str, dict[str, Any]] = {
    "access_analyzer": {"principals": ["444455556666"], "upstream_state": {"status": "ACTIVE"}},
    "alert_escalated": {"link": "https://soc.acme.example/cases/5120"},
    "alert_escalated_minimal": {},
    "cloudwatch_alarm": {"upstream_state": {"state.value": "ALARM"}},
    "cloudwatch_alarm_composite": {"upstream_state": {"state.value": "ALARM"}},
    "cloudtrail_root_sign_in": {
        "remote_addresses": ["198.51.100.23"], "principals": ["arn:aws:iam::111122223333:root"],
    },
    "cloudtrail_stop_logging": {
        "remote_addresses": ["198.51.100.23"],
        "principals": [
            "arn:aws:sts::111122223333:assumed-role/deploy/eve", "arn:aws:iam::111122223333:role/deploy",
        ],
    },
    "guardduty": {
        "remote_addresses": ["198.51.100.23"],
        "principals": ["orders-worker", "AROAEXAMPLEORDERS001:i-0a1b2c3d4e5f60718"],
        "images": ["ami-0123456789abcdef0"],
        "upstream_state": {"service.archived": "false"},
    },
    "guardduty_attack_sequence": {"principals": ["reporting"], "upstream_state": {"service.archived": "false"}},
    "health": {"upstream_state": {"statusCode": "open"}},
    "health_abuse": {"upstream_state": {"statusCode": "open"}},
    "health_page_2": {"upstream_state": {"statusCode": "open"}},
    "inspector": {
        "remediation": "Update the package.\nexample-logger: fixed in 2.17.0", "upstream_state": {"status": "ACTIVE"},
    },
    "inspector_older_dates": {
        "remediation": "Update the package.\nexample-logger: fixed in 2.17.0", "upstream_state": {"status": "ACTIVE"},
    },
    "macie_policy": {
        "remote_addresses": ["203.0.113.9"],
        "principals": ["press-editor"],
        "upstream_state": {"archived": "false"},
    },
    "macie_sensitive_data": {"upstream_state": {"archived": "false"}},
    "malware_scan": {"upstream_state": {"scanResultDetails.scanResultStatus": "THREATS_FOUND"}},
    "security_hub_insight": {},
    "security_ir": {},
    "security_hub_asff_custom_action": {"upstream_state": {"RecordState": "ACTIVE", "Workflow.Status": "NEW"}},
    "security_hub_asff_guardduty": {
        "principals": ["orders-worker", "AROAEXAMPLEORDERS001:i-0a1b2c3d4e5f60718"],
        "link": "https://eu-central-1.console.aws.amazon.com/guardduty/home?region=eu-central-1"
        "#/findings?fId=06c95f0cfdfd3b579b977e20e9da1aa4",
        "upstream_state": {"RecordState": "ACTIVE", "Workflow.Status": "NEW"},
    },
    "security_hub_asff_several": {
        "remediation": "See the documentation of the control.\n"
        "https://docs.aws.amazon.com/console/securityhub/S3.8/remediation",
        "upstream_state": {"RecordState": "ACTIVE", "Workflow.Status": "NEW", "Compliance.Status": "FAILED"},
    },
    "security_hub_ocsf_exposure": {"principals": ["orders-worker"], "upstream_state": {"status": "New"}},
    "security_hub_ocsf_guardduty": {
        "remote_addresses": ["198.51.100.23"], "principals": ["orders-worker"], "upstream_state": {"status": "New"},
    },
}  # fmt: skip

# Further members that the sources document, but that the recorded events lack.
DOCUMENTED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("guardduty", {
        "detail__service__action": {"networkConnectionAction": {"remoteIpDetails": {"ipAddressV6": "2001:db8::7"},
                                                                "localIpDetails": {"ipAddressV4": "10.0.0.5"}}},
     }, {"remote_addresses": ["2001:db8::7"]}),
    ("guardduty", {"detail__service__action": {"dnsRequestAction": {"domain": "c2.example"}}},
     {"remote_addresses": ["c2.example"]}),
    ("guardduty", {
        "detail__service__runtimeDetails": {"process": {"name": "xmrig", "executablePath": "/opt/xmrig"}},
        "detail__resource__containerDetails": {"name": "web", "image": "shop/web:1"},
     }, {"processes": ["/opt/xmrig", "xmrig"], "images": ["shop/web:1", "ami-0123456789abcdef0"]}),
    ("guardduty_attack_sequence", {"detail__service__detection__sequence__endpoints": [ENDPOINT]},
     {"remote_addresses": ["203.0.113.77", "c2.example"]}),
    ("security_hub_asff_guardduty", {F + "ProductFields": FIELDS},
     {"remote_addresses": ["203.0.113.5", "203.0.113.6"]}),
    ("security_hub_asff_guardduty", {F + "Action": {"AwsApiCallAction": {
        "RemoteIpDetails": {"IpAddressV4": "203.0.113.8"}}}}, {"remote_addresses": ["203.0.113.8"]}),
    ("security_hub_asff_guardduty", {F + "Network": {
        "Direction": "OUT", "SourceIpV4": "10.0.0.5", "DestinationIpV4": "203.0.113.9"}},
     {"remote_addresses": ["203.0.113.9"]}),
    ("security_hub_asff_guardduty", {F + "Network": {
        "Direction": "IN", "SourceIpV4": "203.0.113.9", "DestinationIpV4": "10.0.0.5"}},
     {"remote_addresses": ["203.0.113.9"]}),
    ("security_hub_asff_guardduty", {F + "Process": {"Name": "sh", "Path": "/bin/sh"}},
     {"processes": ["/bin/sh", "sh"]}),
    ("security_hub_asff_guardduty", {F + "ThreatIntelIndicators": [
        {"Type": "IPV4_ADDRESS", "Value": "203.0.113.10"}, {"Type": "HASH_MD5", "Value": "d41d8cd98f00b204"}]},
     {"remote_addresses": ["203.0.113.10"]}),
    ("security_hub_ocsf_guardduty", {F + "evidences": [{
        "src_endpoint": {"ip": "10.0.0.5"}, "dst_endpoint": {"ip": "203.0.113.11"},
        "connection_info": {"direction": "Outbound"}, "actor": {"user": {"name": "eve"}},
        "process": {"name": "curl", "cmd_line": "curl c2.example"}}],
        F + "finding_info__src_url": "https://hub.example/f/1",
        F + "remediation": {"desc": "Rotate the key.", "references": ["https://docs.example/rotate"]}},
     {"remote_addresses": ["203.0.113.11"], "principals": ["eve", "orders-worker"],
      "processes": ["curl", "curl c2.example"], "link": "https://hub.example/f/1",
      "remediation": "Rotate the key.\nhttps://docs.example/rotate"}),
    ("health", {"detail__eventMetadata": {"publicKey": "AKIAEXAMPLELEAKED001", "userName": "ci",
                                          "exposedUrl": "https://code.example/leak.py"}},
     {"principals": ["ci"], "link": "https://code.example/leak.py"}),
    ("macie_policy", {"detail__policyDetails__actor__userIdentity": {
        "type": "AssumedRole", "assumedRole": {"arn": "arn:aws:sts::111122223333:assumed-role/press/eve"}}},
     {"principals": ["arn:aws:sts::111122223333:assumed-role/press/eve"]}),
    ("inspector", {"detail__remediation__recommendation__Url": "https://docs.example/fix",
                   "detail__resources__0__details": {"awsEc2Instance": {"imageId": "ami-1"}}},
     {"remediation": "Update the package.\nhttps://docs.example/fix\nexample-logger: fixed in 2.17.0",
      "images": ["ami-1"]}),
    ("inspector", {"detail__remediation__recommendation__text": "Step 1: isolate\nStep 2:\r\n\tpatch\u2028Step 3"},
     {"remediation": "Step 1: isolate Step 2: patch Step 3\nexample-logger: fixed in 2.17.0"}),
    ("inspector", {
        "detail__remediation__recommendation__text": "None Provided",
        "detail__packageVulnerabilityDetails": {
            "sourceUrl": "https://alas.example/CVE-2024-35195.json",
            "vulnerablePackages": [
                {"name": "requests", "fixedInVersion": "0:2.6.0-10", "remediation": "yum update requests"},
                {"name": "no-fix", "fixedInVersion": "NotAvailable"}]}},
     {"remediation": "yum update requests\nrequests: fixed in 0:2.6.0-10",
      "link": "https://alas.example/CVE-2024-35195.json"}),
    ("security_hub_asff_custom_action", {F + "Vulnerabilities": [{
        "Id": "CVE-1", "Vendor": {"Name": "ALAS", "Url": "https://alas.example/1"},
        "VulnerablePackages": [{"Name": "openssl", "FixedInVersion": "1.1", "Remediation": "yum update openssl"}]}],
        F + "Remediation": {"Recommendation": {"Text": "None Provided"}}},
     {"remediation": "yum update openssl\nopenssl: fixed in 1.1", "link": "https://alas.example/1"}),
    ("security_hub_ocsf_guardduty", {F + "vulnerabilities": [{
        "cve": {"uid": "CVE-1"}, "affected_packages": [
            {"name": "openssl", "fixed_in_version": "1.1", "remediation": {"desc": "yum update openssl"}}]}]},
     {"remediation": "yum update openssl\nopenssl: fixed in 1.1"}),
    ("guardduty", {"detail__service__action": {"awsApiCallAction": {
        "domainDetails": {"domain": "c2.example"}, "remoteAccountDetails": {"accountId": "444455556666"}}},
        "detail__resource__accessKeyDetails": {"userName": "eve"}},
     {"remote_addresses": ["c2.example"], "principals": ["eve", "444455556666"]}),
    ("guardduty", {"detail__resource__kubernetesDetails": {
        "kubernetesUserDetails": {"username": "system:anonymous", "impersonatedUser": {"username": "admin"}},
        "kubernetesWorkloadDetails": {"containers": [{"image": "shop/web:2"}]}},
        "detail__service__action": {"kubernetesApiCallAction": {"sourceIps": ["203.0.113.4"]}}},
     {"remote_addresses": ["203.0.113.4"], "images": ["shop/web:2", "ami-0123456789abcdef0"],
      "principals": ["orders-worker", "AROAEXAMPLEORDERS001:i-0a1b2c3d4e5f60718", "system:anonymous", "admin"]}),
    ("guardduty", {"detail__service__runtimeDetails": {
        "process": {"name": "sshd", "executablePath": "/usr/bin/ssh", "user": "root"},
        "context": {"modifyingProcess": {"name": "bash"}, "targetProcess": {"name": "init"}, "scriptPath": "/opt/a.sh",
                    "threatFilePath": "/opt/b", "commandLineExample": "curl c2.example"}}},
     {"processes": ["/usr/bin/ssh", "sshd", "bash", "init", "/opt/a.sh", "/opt/b", "curl c2.example"]}),
    ("security_hub_asff_guardduty", {F + "Malware": [{"Name": "Stringler", "Path": "/usr/sbin/stringler"}]},
     {"processes": ["/usr/sbin/stringler"]}),
    ("security_hub_asff_guardduty", {
        F + "ProductArn": "arn:aws:securityhub:eu-central-1::product/aws/access-analyzer",
        F + "ProductFields": {"External Principal Type": "AWS", "External Principal": "444455556666"},
        F + "Resources": [{"Type": "AwsS3Bucket"}]}, {"principals": ["444455556666"]}),
    ("security_hub_ocsf_guardduty", {F + "evidences": [{
        "src_endpoint": {"ip": "10.0.0.1"}, "dst_endpoint": {"ip": "198.51.100.7"},
        "connection_info": {"direction_id": 2}}]}, {"remote_addresses": ["198.51.100.7"]}),
    ("security_hub_ocsf_guardduty", {F + "resources": [{
        "type": "AWS::IAM::AccessKey", "name": "deploy", "data": {"principal_id": "AROAEXAMPLE:session"}}]},
     {"principals": ["deploy", "AROAEXAMPLE:session"]}),
    ("cloudtrail_stop_logging", {
        "detail__sourceIPAddress": "cloudtrail.amazonaws.com",
        "detail__userIdentity": {"type": "IdentityCenterUser", "onBehalfOf": {"userId": "94"}}},
     {"remote_addresses": [], "principals": ["94"]}),
    ("cloudtrail_stop_logging", {"detail__userIdentity": {
        "type": "AWSService", "invokedBy": "config.amazonaws.com"}}, {"principals": ["config.amazonaws.com"]}),
]  # fmt: skip


@pytest.mark.parametrize("name", recorded.NAMES)
def test_the_summary_of_a_recorded_event_has_what_the_event_has(name: str) -> None:
    assert summary_of(event(name)) == NOTHING | RECORDED[name]


def test_every_source_has_a_recorded_event() -> None:
    recorded_ones = {(event(name)["source"], event(name)["detail-type"]) for name in RECORDED}
    assert {kind for _, kind in ADAPTERS} <= {kind for _, kind in recorded_ones}


@pytest.mark.parametrize(("name", "changed", "wanted"), DOCUMENTED)
def test_the_summary_has_what_a_source_documents(name: str, changed: Any, wanted: Any) -> None:
    made = summary_of(event(name, **changed))
    assert {member: made[member] for member in wanted} == wanted


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "https://a b", 'https://a"onload="x', " "])
def test_a_link_is_only_a_web_address(url: str) -> None:
    assert summary_of(event("alert_escalated", detail__url=url))["link"] is None


def test_hostile_texts_are_within_limits_and_without_control_characters() -> None:
    hostile = "\x1b[31m\u202e" + "x" * 10_000
    names = [{"remoteIpDetails": {"ipAddressV4": f"{hostile[:8]}{n}"}} for n in range(500)]
    many = {"action": {"networkConnectionAction": names}}
    made = summary_of({"detail": {"service": many, "url": hostile, "actor": {"user": {"name": hostile}}}})

    assert len(made["remote_addresses"]) == summary.VALUES
    assert [text[summary.CHARACTERS - 5 :] for text in made["principals"]] == ["xxx (cut: 7958 more characters)"]
    assert "\x1b" not in json.dumps(made, ensure_ascii=False)
    assert "\u202e" not in json.dumps(made, ensure_ascii=False)


@pytest.mark.parametrize("whole", [None, [], "text", 1, {"detail": None}, {"detail": {"findings": [1, None, []]}},
                                   {"detail-type": "Findings Imported V2", "detail": {"findings": [1, None, []]}},
                                   {"detail": {"findings": {"ProductFields": "x"}}}])  # fmt: skip
def test_a_summary_of_any_value_is_empty_but_complete(whole: Any) -> None:
    assert summary_of(whole) == NOTHING


def test_product_fields_that_contradict_each_other_do_no_harm() -> None:
    fields = {"a": "1", "a/b": "2", "a/b/c": "3", "b/remoteIpDetails/ipAddressV4": "203.0.113.1", "b": "x"}
    named = {f"aws/guardduty/service/action/{name}": value for name, value in fields.items()}
    one = {"ProductArn": "arn:aws:securityhub:eu-central-1::product/aws/guardduty", "ProductFields": named}
    assert summary_of({"detail-type": "Findings Imported V2", "detail": {"findings": [one]}})["remote_addresses"] == [
        "203.0.113.1"
    ]


PLANTED: dict[str, Any] = {
    "sourceIPAddress": "192.0.2.66", "userName": "planted", "arn": "planted", "invokedBy": "planted", "url": "planted",
    "userIdentity": {"arn": "planted", "userName": "planted"}, "remoteIpDetails": {"ipAddressV4": "192.0.2.66"},
    "src_endpoint": {"ip": "192.0.2.66"}, "actor": {"user": {"name": "planted"}}, "Type": "IPV4_ADDRESS",
    "value": "192.0.2.66", "External Principal": "planted", "process": {"name": "planted"}, "image": "planted",
    "container": {"image": {"name": "planted"}}, "remediation": {"desc": "planted"}, "sourceUrl": "https://x.example",
    "aws/guardduty/service/action/x/remoteIpDetails/ipAddressV4": "192.0.2.66", "name": "planted",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("security_hub_asff_several", F + "Resources__0__Tags"), ("security_hub_asff_several", F + "UserDefinedFields"),
        ("security_hub_asff_several", F + "ProductFields"), ("security_hub_asff_several", F + "Resources__0__Details"),
        ("security_hub_asff_guardduty", F + "UserDefinedFields"),
        ("security_hub_ocsf_guardduty", F + "resources__0__tags"), ("security_hub_ocsf_guardduty", F + "unmapped"),
        ("security_hub_ocsf_guardduty", F + "resources__0__data"), ("guardduty", "detail__resource__tags"),
        ("guardduty", "detail__resource__lambdaDetails"), ("guardduty", "detail__service__additionalInfo"),
        ("inspector", "detail__resources__0__tags"), ("inspector", "detail__resources__0__details"),
        ("macie_policy", "detail__resourcesAffected__s3Bucket__tags"), ("access_analyzer", "detail__condition"),
        ("cloudtrail_stop_logging", "detail__requestParameters"),
        ("cloudtrail_stop_logging", "detail__responseElements"),
        ("cloudtrail_stop_logging", "detail__additionalEventData"), ("health", "detail__affectedEntities"),
        ("cloudwatch_alarm", "detail__configuration"), ("alert_escalated", "detail__details"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("wrapped", [False, True])
def test_nobody_can_plant_a_value_in_a_place_with_free_names(name: str, place: str, wrapped: bool) -> None:
    planted = [{"Variables": PLANTED, "Labels": PLANTED, "Other": PLANTED}] if wrapped else PLANTED
    assert summary_of(event(name, **{place: planted})) == summary_of(event(name, **{place: {}}))


@pytest.mark.parametrize("name", ["alert_escalated", "guardduty", "access_analyzer", "cloudwatch_alarm"])
def test_only_an_event_of_security_hub_has_a_list_of_findings(name: str) -> None:
    planted = [PLANTED | {"status": "planted", "url": "https://x.example"}]

    assert summary_of(event(name, detail__findings=planted)) == summary_of(event(name))


@pytest.mark.parametrize(
    "url",
    [
        "https://u:p@evil.example/", "https://aws.amazon.com@evil.example", "https://ex.example/\u202egnp.exe",
        "https://ex.example/\u200b", "https://ex.example/" + "a" * summary.CHARACTERS,
    ],
)  # fmt: skip
def test_a_link_that_cannot_be_shown_as_it_is_is_left_out(url: str) -> None:
    """A cut or cleaned link leads to another page. A user name in a link looks like the name of the host."""
    assert summary_of(event("alert_escalated", detail__url=url))["link"] is None
    assert summary_of(event("alert_escalated", detail__url=None), {"link": [url]})["link"] is None


@pytest.mark.parametrize(
    "url", ["https://ex.example/a@b?c=d@e#f", "HTTP://ex.example", "https://ex.example:8443/\u00e9"]
)
def test_a_link_is_shown_as_the_event_has_it(url: str) -> None:
    assert summary_of(event("alert_escalated", detail__url=f" {url} "))["link"] == url
