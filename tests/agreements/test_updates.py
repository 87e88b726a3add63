"""What holds data keeps its identity from one version of the templates to the next.

CloudFormation replaces a resource whose logical id, or a property that only a creation can set, is another one: an
empty table in the place of a full one. Whoever changes a line here decides to do that to every stack that is deployed.
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
    ("template.yaml", "Api"): ("AWS::Serverless::HttpApi", {}),  # its id is in the URL that callers know
    ("template.yaml", "CursorKey"): ("AWS::SecretsManager::Secret", {}),
    ("template.yaml", "CursorKeyBefore"): ("AWS::SecretsManager::Secret", {}),
    # Only so does it know how far it had read. It was MarkMetricDays's event Stream, of which SAM made this name.
    ("template.yaml", "MarkMetricDaysStream"): (
        "AWS::Lambda::EventSourceMapping",
        {"EventSourceArn": {"Fn::GetAtt": ["Storage", "Outputs.StreamArn"]}, "StartingPosition": "TRIM_HORIZON"},
    ),
    ("infra/storage.yaml", "Incidents"): ("AWS::DynamoDB::Table", {"KeySchema": TABLE_KEYS}),
    ("infra/eventing.yaml", "Bus"): ("AWS::Events::EventBus", {"Name": {"Ref": "Prefix"}}),
    **{
        ("infra/eventing.yaml", name): ("AWS::SQS::Queue", {"QueueName": {"Fn::Sub": f"${{Prefix}}-{queue}"}})
        for name, queue in QUEUES.items()
    },
}
INDEXES = {"active", "active-by-status", "active-by-app", "by-detected-day", "by-closed-day"}


def only_at_creation(kind: str) -> set[str]:
    """Return the properties of a resource whose change replaces it, as its provider's schema says."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    named = [*schema.get("createOnlyProperties", []), *schema.get("conditionalCreateOnlyProperties", [])]
    return {one.split("/")[2] for one in named}


@pytest.mark.parametrize("place", DEPLOYED, ids="/".join)
def test_what_holds_data_is_the_resource_that_it_was(place: tuple[str, str]) -> None:
    (file, name), (kind, identity) = place, DEPLOYED[place]
    resource = templates.read(templates.CHECKOUT / file)["Resources"][name]
    assert resource["Type"] == kind
    if kind.startswith("AWS::Serverless::"):
        return  # SAM's own: its logical id is all there is to keep
    replacing = only_at_creation(kind)
    assert set(identity) <= replacing
    assert {one: value for one, value in resource["Properties"].items() if one in replacing} == identity


def test_an_update_of_the_stack_removes_no_index_that_code_reads() -> None:
    assert {index["IndexName"] for index in templates.table()["GlobalSecondaryIndexes"]} == INDEXES
