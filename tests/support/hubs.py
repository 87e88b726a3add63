"""Converts an event of a product to the event that Security Hub would send, by the mappings that AWS publishes:

- GuardDuty to ASFF: "Integrating with AWS Security Hub CSPM" in the GuardDuty user guide. It gives the ids, dates,
  severities and resources by its example of a finding, and the types by the table in ``tests/events``.
- Health to ASFF: "Interpreting AWS Health finding names in Security Hub" in the Security Hub user guide.
- Macie to ASFF: "Evaluating Macie findings with AWS Security Hub CSPM" in the Macie user guide.
- Inspector to ASFF: "Viewing Amazon Inspector findings in AWS Security Hub CSPM" in the Inspector user guide.
- A custom action: "Custom action events" in the Security Hub user guide. It sends the finding in ASFF.
- OCSF: "OCSF findings in Security Hub". The types of GuardDuty and Macie are unchanged. A finding of Inspector is a
  vulnerability finding (class 2002).

There is no published mapping for CloudWatch, because its alarms come only directly.
"""

import csv
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any

from tests.support.templates import CHECKOUT

Event = dict[str, Any]


@cache
def guardduty_types() -> list[tuple[str, str]]:
    """Return each published type of GuardDuty with its spelling in ASFF, which is empty if none is published."""
    with (CHECKOUT / "tests" / "events" / "guardduty_types.tsv").open(encoding="utf-8") as table:
        return [(own, asff) for own, asff in csv.reader(table, delimiter="\t")]


def envelope(event: Event, detail_type: str, finding: Event) -> Event:
    return {
        **{name: event[name] for name in ("version", "id", "account", "time", "region") if name in event},
        "source": "aws.securityhub", "detail-type": detail_type, "resources": [], "detail": {"findings": [finding]},
    }  # fmt: skip


def as_asff(event: Event) -> Event:
    """Return a GuardDuty, Macie, Health or Inspector event as the hub imports it."""
    make = {
        "aws.guardduty": _asff_of_guardduty, "aws.macie": _asff_of_macie, "aws.health": _asff_of_health,
        "aws.inspector2": _asff_of_inspector,
    }  # fmt: skip
    return envelope(event, "Security Hub Findings - Imported", make[event["source"]](event))


def as_custom_action(event: Event) -> Event:
    """Return an event as a person sends it from the hub, after all other ways."""
    sent = envelope(event, "Security Hub Findings - Custom Action", as_asff(event)["detail"]["findings"][0])
    sent["detail"]["actionName"] = "Open an incident"
    return sent | {"time": "2026-11-19T23:59:59Z"}


def as_ocsf(event: Event) -> Event:
    """Return a GuardDuty, Macie or Inspector event as the second version of the hub imports it."""
    detail = event["detail"]
    if event["source"] == "aws.inspector2":
        return envelope(event, "Findings Imported V2", _ocsf_of_inspector(event))
    is_macie = event["source"] == "aws.macie"
    level = _macie_level(detail) if is_macie else _level(detail["severity"])
    resources = _macie_resources(detail) if is_macie else _guardduty_resources(detail)
    finding = {
        "class_uid": 2006 if is_macie and detail["type"].startswith("Sensitive") else 2004, "activity_id": 1,
        "cloud": {"account": {"uid": detail["accountId"]}, "region": detail["region"], "cloud_partition": "aws"},
        "metadata": {"product": {"uid": f"arn:aws:securityhub:{event['region']}::productv2/aws/{event['source'][4:]}"}},
        "severity_id": {"LOW": 2, "MEDIUM": 3, "HIGH": 4, "CRITICAL": 5}[level], "status_id": 1, "status": "New",
        "finding_info": {
            "uid": detail.get("arn", detail["id"]), "title": detail["title"], "desc": detail["description"],
            "types": ["Threats", detail["type"]], "created_time_dt": detail["createdAt"],
            "first_seen_time_dt": detail.get("service", {}).get("eventFirstSeen", detail["createdAt"]),
            "last_seen_time_dt": detail.get("service", {}).get("eventLastSeen", detail["updatedAt"]),
            "modified_time_dt": detail["updatedAt"],
            "related_events": [
                {"uid": signal["uid"], "type": signal["type"]}
                for signal in detail.get("service", {}).get("detection", {}).get("sequence", {}).get("signals", [])
            ],
        },
        "resources": [
            {"type": _AWS_TYPES[one["Type"]], "uid": one["Id"].removeprefix("AWS::IAM::AccessKey:"),
             "region": detail["region"], "owner": {"account": {"uid": detail["accountId"]}},
             "name": one.get("Details", {}).get("AwsIamAccessKey", {}).get("PrincipalName")}
            for one in resources
        ],
    }  # fmt: skip
    return envelope(event, "Findings Imported V2", finding)


_AWS_TYPES = {
    "AwsEc2Instance": "AWS::EC2::Instance", "AwsIamAccessKey": "AWS::IAM::AccessKey", "AwsS3Bucket": "AWS::S3::Bucket",
    "AwsS3Object": "AWS::S3::Object", "Other": "Other",
}  # fmt: skip


def _asff(event: Event, product: str, **more: Any) -> Event:
    return {
        "SchemaVersion": "2018-10-08", "RecordState": "ACTIVE", "Workflow": {"Status": "NEW"},
        "Region": event["region"],
        "ProductArn": f"arn:aws:securityhub:{event['region']}::product/aws/{product}", **more,
    }  # fmt: skip


def _asff_of_guardduty(event: Event) -> Event:
    detail = event["detail"]
    sequence = detail["service"].get("detection", {}).get("sequence", {})
    signals = [{"Id": one["uid"], "Type": one["type"]} for one in sequence.get("signals", [])]
    return _asff(
        event, "guardduty", Id=detail["arn"], AwsAccountId=detail["accountId"],
        Types=[dict(guardduty_types())[detail["type"]]], Title=detail["title"], Description=detail["description"],
        CreatedAt=detail["createdAt"], UpdatedAt=detail["updatedAt"],
        FirstObservedAt=detail["service"]["eventFirstSeen"], LastObservedAt=detail["service"]["eventLastSeen"],
        Severity={"Product": detail["severity"], "Label": _level(detail["severity"])},
        Resources=_guardduty_resources(detail), Detection={"Sequence": {"Signals": signals}},
    )  # fmt: skip


def _guardduty_resources(detail: Event) -> list[Event]:
    resource, found = detail["resource"], []
    if key := resource.get("accessKeyDetails"):
        principal = {"PrincipalName": key.get("userName"), "PrincipalType": key.get("userType")}
        found.append({"Type": "AwsIamAccessKey", "Id": f"AWS::IAM::AccessKey:{key['accessKeyId']}",
                      "Details": {"AwsIamAccessKey": principal}})  # fmt: skip
    if instance := resource.get("instanceDetails"):
        arn = f"arn:aws:ec2:{detail['region']}:{detail['accountId']}:instance/{instance['instanceId']}"
        found.append({"Type": "AwsEc2Instance", "Id": arn})
    for bucket in resource.get("s3BucketDetails", []):
        found.append({"Type": "AwsS3Bucket", "Id": bucket["arn"]})
        found += [{"Type": "AwsS3Object", "Id": one["objectArn"]} for one in bucket.get("s3ObjectDetails", [])]
    sequence = detail["service"].get("detection", {}).get("sequence", {})
    return found + [{"Type": "Other", "Id": one["uid"]} for one in sequence.get("resources", [])]


def _asff_of_macie(event: Event) -> Event:
    detail = event["detail"]
    name = detail["type"].replace("/", "-")
    space = "Effects/Data Exposure" if name.startswith("Policy") else "Sensitive Data Identifications/PII"
    return _asff(
        event, "macie", Id=detail["id"], AwsAccountId=detail["accountId"], Types=[f"{space}/{name}"],
        Title=detail["title"], Description=detail["description"], CreatedAt=detail["createdAt"],
        UpdatedAt=detail["updatedAt"], Severity={"Label": _macie_level(detail)}, Sample=detail["sample"],
        Resources=_macie_resources(detail),
    )  # fmt: skip


def _macie_resources(detail: Event) -> list[Event]:
    touched = detail["resourcesAffected"]
    found = [{"Type": "AwsS3Bucket", "Id": touched["s3Bucket"]["arn"]}]
    if touched.get("s3Object"):
        found.append({"Type": "AwsS3Object", "Id": f"arn:aws:s3:::{touched['s3Object']['path']}"})
    return found


def _asff_of_inspector(event: Event) -> Event:
    detail = event["detail"]
    return _asff(
        event, "inspector", Id=detail["findingArn"], AwsAccountId=detail["awsAccountId"], GeneratorId="AWSInspector",
        ProductName="Inspector", CompanyName="Amazon", Types=["Software and Configuration Checks/Vulnerabilities/CVE"],
        Title=detail["title"], Description=detail["description"], Severity={"Label": detail["severity"]},
        FirstObservedAt=_of_inspector(detail["firstObservedAt"]), CreatedAt=_of_inspector(detail["firstObservedAt"]),
        LastObservedAt=_of_inspector(detail["lastObservedAt"]), UpdatedAt=_of_inspector(detail["updatedAt"]),
        Resources=[{"Type": "AwsEc2Instance", "Id": _instance(event, one["id"])} for one in detail["resources"]],
        Vulnerabilities=[{"Id": detail["packageVulnerabilityDetails"]["vulnerabilityId"],
                          "ExploitAvailable": detail["exploitAvailable"]}],
    )  # fmt: skip


def _ocsf_of_inspector(event: Event) -> Event:
    detail = event["detail"]
    return {
        "class_uid": 2002, "activity_id": 1, "status_id": 1, "status": "New",
        "cloud": {"account": {"uid": detail["awsAccountId"]}, "region": event["region"], "cloud_partition": "aws"},
        "metadata": {"product": {"uid": f"arn:aws:securityhub:{event['region']}::productv2/aws/inspector"}},
        "severity_id": {"LOW": 2, "MEDIUM": 3, "HIGH": 4, "CRITICAL": 5}[detail["severity"]],
        "finding_info": {
            "uid": detail["findingArn"], "title": detail["title"], "desc": detail["description"],
            "types": ["Software and Configuration Checks/Vulnerabilities/CVE"],
            "created_time_dt": _of_inspector(detail["firstObservedAt"]),
            "last_seen_time_dt": _of_inspector(detail["lastObservedAt"]),
            "modified_time_dt": _of_inspector(detail["updatedAt"]),
        },
        "resources": [{"type": "AWS::EC2::Instance", "uid": _instance(event, one["id"]), "region": one["region"],
                       "owner": {"account": {"uid": detail["awsAccountId"]}}} for one in detail["resources"]],
        "vulnerabilities": [{"cve": {"uid": detail["packageVulnerabilityDetails"]["vulnerabilityId"]},
                             "is_exploit_available": detail["exploitAvailable"] == "YES"}],
    }  # fmt: skip


def _instance(event: Event, instance_id: str) -> str:
    return f"arn:aws:ec2:{event['region']}:{event['detail']['awsAccountId']}:instance/{instance_id}"


def _of_inspector(date: str) -> str:
    """Return a date of Inspector, such as ``Thu Nov 12 16:59:44.356 UTC 2026``, in ISO 8601."""
    moment = datetime.strptime(date, "%a %b %d %H:%M:%S.%f %Z %Y").replace(tzinfo=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _asff_of_health(event: Event) -> Event:
    detail = event["detail"]
    account = detail.get("affectedAccount", event["account"])
    parts = detail["eventArn"].split(":")
    parts[4] = account
    entities = [one["entityValue"] for one in detail.get("affectedEntities", [])] or [account]
    description = next(
        (one["latestDescription"] for one in detail.get("eventDescription", []) if one["language"] == "en_US"), None
    )
    return _asff(
        event, "health", Id=f"{':'.join(parts)}/{sha256(detail['startTime'].encode()).hexdigest().upper()}",
        AwsAccountId=account, GeneratorId=detail["eventTypeCode"], Types=["Software and Configuration Checks"],
        Title=f"AWS Health - {detail['eventTypeCode']}", Description=description, CreatedAt=detail["startTime"],
        UpdatedAt=event["time"], Severity={"Label": "CRITICAL" if detail["service"] == "RISK" else "HIGH"},
        Resources=[{"Type": "Other", "Id": entity} for entity in entities],
    )  # fmt: skip


def _level(severity: float) -> str:
    bands = ((9.0, "CRITICAL"), (7.0, "HIGH"), (4.0, "MEDIUM"))
    return next((level for lowest, level in bands if severity >= lowest), "LOW")


def _macie_level(detail: Event) -> str:
    level: str = detail["severity"]["description"].upper()
    return level
