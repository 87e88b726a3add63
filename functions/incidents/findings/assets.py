"""Give each asset the same form, whichever hub named it: the asset's ARN if it has one. Placeholders are not assets."""

import re
from typing import NamedTuple

from .nodes import Node

_EC2 = {
    "i": "instance", "vol": "volume", "snap": "snapshot", "ami": "image", "sg": "security-group", "subnet": "subnet",
    "vpc": "vpc", "eni": "network-interface",
}  # fmt: skip
_WITHOUT_ACCOUNT = {"snapshot", "image"}  # ARNs of snapshots and images have no account
_EC2_ID = re.compile(r"(?P<prefix>[a-z]+)-[0-9a-f]{4,17}")
_TYPED = re.compile(r"AWS::[A-Za-z0-9]*::[A-Za-z0-9]+:(?P<id>.*)", re.DOTALL)  # such as AWS::IAM::AccessKey:AKIA...
_PLACEHOLDERS = frozenset({"null", "none", "unknown", "n/a", "na", "-", "no trails", "notapplicable", "not available"})
_ACCOUNT = re.compile(r"[0-9]{12}")
_PATHS_OF_GUARDDUTY = (
    "eksClusterDetails.arn", "ecsClusterDetails.arn", "ecsClusterDetails.taskDetails.arn", "lambdaDetails.functionArn",
    "rdsDbInstanceDetails.dbInstanceArn", "rdsLimitlessDbDetails.dbShardGroupArn", "ebsSnapshotDetails.snapshotArn",
    "ec2ImageDetails.imageArn", "recoveryPointDetails.recoveryPointArn", "bedrockGuardrailDetails.guardrailArn",
)  # fmt: skip


class Place(NamedTuple):
    """Where an asset is: the partition, the region and the account that its ARN names."""

    partition: str
    region: str
    account_id: str


def place_of(arn: str | None, region: str | None, account_id: str) -> Place:
    """Return the place of a finding's assets. The partition and a missing region come from the ARN of the finding."""
    parts = (arn or "").split(":")
    is_arn = parts[0] == "arn" and len(parts) > 4
    return Place(parts[1] if is_arn and parts[1] else "aws", region or (parts[3] if is_arn else ""), account_id)


def one_form(asset: str | None, place: Place) -> str | None:
    """Return an asset in its one form, or None for a placeholder."""
    if not asset:
        return None
    if typed := _TYPED.fullmatch(asset):
        asset = typed["id"]
    if asset.strip().lower() in _PLACEHOLDERS or _ACCOUNT.fullmatch(asset) or asset.startswith("AWS::::Account:"):
        return None
    matched = _EC2_ID.fullmatch(asset)
    if matched and place.region and (thing := _EC2.get(matched["prefix"])):
        account = "" if thing in _WITHOUT_ACCOUNT else place.account_id
        return f"arn:{place.partition}:ec2:{place.region}:{account}:{thing}/{asset}"
    return asset or None


def is_same(asset: str, other: str) -> bool:
    """Return whether two ids name one asset: they are equal, or one id is an ARN that ends with the other id."""
    longer, shorter = (asset, other) if len(asset) >= len(other) else (other, asset)
    if longer == shorter:
        return True
    is_last_part = longer.endswith(shorter) and longer[-len(shorter) - 1] in "/:"
    return bool(shorter) and is_last_part and longer.startswith(("arn:", "AWS::")) and not shorter.startswith("arn:")


def principal(name: str | None, kind: str | None, place: Place) -> str | None:
    """Return the ARN of the user or the role whose credentials were used. ``kind`` is GuardDuty's ``userType``."""
    if not name or name.strip().lower() in _PLACEHOLDERS:
        return None
    if kind == "Root":
        return f"arn:{place.partition}:iam::{place.account_id}:root"
    if kind == "IAMUser":
        return f"arn:{place.partition}:iam::{place.account_id}:user/{name}"
    if kind in ("AssumedRole", "Role"):
        return f"arn:{place.partition}:iam::{place.account_id}:role/{name}"
    return name


def of_guardduty(resource: Node, place: Place) -> list[str | None]:
    """Return everything that the ``Resource`` of a GuardDuty finding names.

    GuardDuty's API reference lists the members of ``Resource``.
    """
    key, workload = resource.at("accessKeyDetails"), resource.at("kubernetesDetails.kubernetesWorkloadDetails")
    container, model_ids = resource.at("containerDetails"), resource.at("modelDetails").each()
    named = [
        one_form(resource.at("instanceDetails.instanceId").text(), place),
        one_form(key.at("accessKeyId").text(), place),
        principal(key.at("userName").text(), key.at("userType").text(), place),
        *(resource.at(path).text() for path in _PATHS_OF_GUARDDUTY),
    ]
    for bucket in resource.at("s3BucketDetails").each():
        named += [
            bucket.at("arn").text(),
            *(item.at("objectArn").text() for item in bucket.at("s3ObjectDetails").each()),
        ]
    named += [volume.at("volumeArn").text() for volume in resource.at("ebsVolumeDetails.scannedVolumeDetails").each()]
    if name := workload.at("name").text():
        kind, space = workload.at("type").text() or "workloads", workload.at("namespace").text() or "default"
        named.append(f"kubernetes:{space}/{kind}/{name}")
    if user := resource.at("kubernetesDetails.kubernetesUserDetails.username").text():
        named.append(f"kubernetes:user/{user}")
    if user := resource.at("rdsDbUserDetails.user").text():
        named.append(f"database:user/{user}")
    if name := container.at("id").text() or container.at("name").text():
        named.append(f"container:{name}")
    return [*named, *(each.at("modelId").text() for each in model_ids)]


def of_asff(resource: Node, place: Place) -> list[str | None]:
    """Return the things that one entry of ASFF's ``Resources`` names."""
    place = place._replace(region=resource.at("Region").text() or place.region)
    named = [one_form(resource.at("Id").text(), place)]
    if resource.at("Type").text() == "AwsIamAccessKey":
        key = resource.at("Details.AwsIamAccessKey")
        name = key.at("PrincipalName").text() or key.at("UserName").text()
        named.append(principal(name, key.at("PrincipalType").text(), place))
    return named


def of_ocsf(resource: Node, place: Place) -> list[str | None]:
    """Return the things that one entry of OCSF's ``resources`` names.

    OCSF does not name the owner of an access key. A temporary key begins with ASIA, and is read as the key of a role.
    """
    account_id = resource.at("owner.account.uid").text() or place.account_id
    place = Place(
        resource.at("cloud_partition").text() or place.partition,
        resource.at("region").text() or place.region,
        account_id,
    )
    uid = resource.at("uid").text()
    named = [one_form(uid, place)]
    if resource.at("type").text() in ("AWS::IAM::AccessKey", "AwsIamAccessKey"):
        kind = "AssumedRole" if (named[0] or "").startswith("ASIA") else "IAMUser"
        named.append(principal(resource.at("name").text(), kind, place))
    return named
