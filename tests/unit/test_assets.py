"""Tests that each asset has one form, and that every resource of a GuardDuty finding is read."""

import gzip
import json
from functools import cache
from importlib import resources
from typing import Any

import pytest
from incidents.findings.assets import Place, is_same, of_guardduty, one_form, place_of, principal
from incidents.findings.nodes import Node

PLACE = Place("aws", "eu-central-1", "111122223333")
EC2 = "arn:aws:ec2:eu-central-1"


@pytest.mark.parametrize(
    ("asset", "form"),
    [
        ("i-0a1b2c3d4e5f60718", f"{EC2}:111122223333:instance/i-0a1b2c3d4e5f60718"),
        ("vol-0a1b", f"{EC2}:111122223333:volume/vol-0a1b"), ("ami-0a1b", f"{EC2}::image/ami-0a1b"),
        ("snap-0a1b", f"{EC2}::snapshot/snap-0a1b"), ("AWS::IAM::AccessKey:ASIAEXAMPLE", "ASIAEXAMPLE"),
        ("AWS::IAM::AccessKey:null", None), ("AWS::::Account:111122223333", None), ("111122223333", None),
        ("No trails", None), ("None", None), ("", None), (None, None), ("i-later", "i-later"),
        ("arn:aws:s3:::bucket/i-0a1b", "arn:aws:s3:::bucket/i-0a1b"), ("laptop-4711", "laptop-4711"),
    ],
)  # fmt: skip
def test_an_asset_has_its_arn_if_it_has_one_and_a_placeholder_is_none(asset: str | None, form: str | None) -> None:
    assert one_form(asset, PLACE) == form


def test_an_instance_of_another_partition_has_that_partition() -> None:
    place = place_of("arn:aws-us-gov:guardduty:us-gov-west-1:111122223333:detector/d/finding/f", None, "111122223333")
    assert one_form("i-0a1b", place) == "arn:aws-us-gov:ec2:us-gov-west-1:111122223333:instance/i-0a1b"


def test_a_principal_has_the_arn_of_its_kind() -> None:
    assert principal("ada", "IAMUser", PLACE) == "arn:aws:iam::111122223333:user/ada"
    assert principal("worker", "AssumedRole", PLACE) == "arn:aws:iam::111122223333:role/worker"
    assert principal("Root", "Root", PLACE) == "arn:aws:iam::111122223333:root"
    assert principal("x", "FederatedUser", PLACE) == "x"
    assert principal("null", "IAMUser", PLACE) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("i-0a1b", f"{EC2}:111122223333:instance/i-0a1b", True), ("a", "a", True), ("a", "b", False),
        ("AWS::IAM::AccessKey:AKIA", "AKIA", True), ("b", "arn:aws:s3:::b", True), ("b", "arn:aws:s3:::ab", False),
        ("arn:aws:s3:::b", "arn:aws:s3:::a/arn:aws:s3:::b", False), ("1", "task:1", False),
    ],
)  # fmt: skip
def test_an_id_and_its_arn_name_the_same_asset(one: str, other: str, same: bool) -> None:
    assert is_same(one, other) is same
    assert is_same(other, one) is same


@cache
def shapes() -> dict[str, Any]:
    """Return the shapes of GuardDuty's API, from botocore's description of the API."""
    described = resources.files("botocore") / "data" / "guardduty" / "2017-11-28" / "service-2.json.gz"
    found: dict[str, Any] = json.loads(gzip.decompress(described.read_bytes()))["shapes"]
    return found


def filled(name: str, path: str = "", depth: int = 0) -> Any:
    """Return a value of a shape in which every text is its own path."""
    shape = shapes()[name]
    match shape["type"]:
        case "structure" if depth < 8:
            return {
                member.get("locationName", key): filled(member["shape"], f"{path}.{key}", depth + 1)
                for key, member in shape["members"].items()
            }
        case "list":
            return [filled(shape["member"]["shape"], path, depth + 1)]
        case "string":
            return path
    return None


def test_every_kind_of_resource_of_guardduty_s_api_gives_an_asset() -> None:
    resource = filled("Resource")
    without_name = {"resourceType"}
    for kind in {*resource} - without_name:
        found = [one for one in of_guardduty(Node({kind: resource[kind]}), PLACE) if one]
        assert found, f"{kind} gives no asset"
