"""Tests that resources that hold data keep their identity from one version of the templates to the next.

CloudFormation replaces a resource if its logical id changes, or if a property changes that can only be set at creation.
The replacement of a full table would be an empty table. Therefore, a change to a line in this module may replace a
resource in every deployed stack.
"""

from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.support import templates

TABLE_KEYS = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
QUEUES = {
    "Queue": "findings",
    "DeadLetters": "dead-letters",
    "Unannounced": "unannounced",
    "MetricsQueue": "metrics",
    "MetricsDeadLetters": "metrics-dead-letters",
    "Unmarked": "unmarked",
}
DEPLOYED: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("template.yaml", "Storage"): ("AWS::Serverless::Application", {}),
    ("template.yaml", "Eventing"): ("AWS::Serverless::Application", {}),
    ("template.yaml", "Api"): ("AWS::Serverless::HttpApi", {}),  # the callers' URL contains the API's id
    ("template.yaml", "CursorKey"): ("AWS::SecretsManager::Secret", {}),
    ("template.yaml", "CursorKeyBefore"): ("AWS::SecretsManager::Secret", {}),
    # With the same logical id, the stream reader continues where it stopped. SAM once generated this logical id for the
    # event Stream of the function MarkMetricDays.
    ("template.yaml", "MarkMetricDaysStream"): (
        "AWS::Lambda::EventSourceMapping",
        {"EventSourceArn": {"Fn::GetAtt": ["Storage", "Outputs.StreamArn"]}, "StartingPosition": "TRIM_HORIZON"},
    ),
    ("infra/storage.yaml", "Incidents"): ("AWS::DynamoDB::Table", {"KeySchema": TABLE_KEYS}),
    ("template.yaml", "History"): ("AWS::Serverless::Application", {}),
    ("infra/history.yaml", "Manifests"): ("AWS::S3::Bucket", {}),
    ("infra/history.yaml", "Key"): ("AWS::KMS::Key", {}),
    ("infra/eventing.yaml", "Bus"): ("AWS::Events::EventBus", {"Name": {"Ref": "Prefix"}}),
    **{
        ("infra/eventing.yaml", name): ("AWS::SQS::Queue", {"QueueName": {"Fn::Sub": f"${{Prefix}}-{queue}"}})
        for name, queue in QUEUES.items()
    },
}
INDEXES_OF_0_1_0 = {"active", "active-by-status", "active-by-app", "by-detected-day", "by-closed-day"}


def only_at_creation(kind: str) -> set[str]:
    """Return the properties whose change replaces a resource, according to the schema of the resource's provider."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    named = [*schema.get("createOnlyProperties", []), *schema.get("conditionalCreateOnlyProperties", [])]
    return {one.split("/")[2] for one in named}


@pytest.mark.parametrize("place", DEPLOYED, ids="/".join)
def test_a_resource_that_holds_data_keeps_its_identity(place: tuple[str, str]) -> None:
    (file, name), (kind, identity) = place, DEPLOYED[place]
    resource = templates.read(templates.CHECKOUT / file)["Resources"][name]
    assert resource["Type"] == kind
    if kind.startswith("AWS::Serverless::"):
        return  # a type of SAM has no such schema, so only the logical id is checked
    replacing = only_at_creation(kind)
    assert set(identity) <= replacing
    assert {one: value for one, value in resource["Properties"].items() if one in replacing} == identity


def test_an_update_of_the_stack_keeps_every_index_and_adds_one() -> None:
    """CloudFormation creates or deletes one index of a table in each update."""
    indexes = {index["IndexName"]: index for index in templates.table()["GlobalSecondaryIndexes"]}
    assert set(indexes) == INDEXES_OF_0_1_0 | {"by-updated"}
    # Nobody can change a projection. So it already has chain_head, for a later version.
    assert indexes["by-updated"]["Projection"] == {
        "ProjectionType": "INCLUDE", "NonKeyAttributes": ["app_id", "chain_head", "is_deleted", "version"]
    }  # fmt: skip
