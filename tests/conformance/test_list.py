"""Lists on AWS's own DynamoDB Local: paging, and what a page costs at any size of tenant."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest
from incidents import items, model, queries
from incidents.identity import Identity
from incidents.model import Incident
from incidents.repository import IncidentRepository
from ulid import ULID

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SOME_TIME = 1_700_000_000_000


def fill(client: "DynamoDBClient", table: str, tenant: str, count: int) -> list[str]:
    """Store incidents, a second apart, as a create would; return their ids, oldest first."""
    ids = [f"inc_{ULID.from_timestamp((SOME_TIME + n * 1000) / 1000)}" for n in range(count)]
    puts: list[Any] = []
    for incident_id in ids:
        stamps = {"id": incident_id, "tenant_id": tenant, "created_at": "t", "updated_at": "t", "created_by": "ada"}
        values = {"title": "An incident " * 20, "status": "new", "schema_version": 1, "description": "words " * 200}
        incident = cast("Incident", model.blank() | stamps | values)
        puts.append({"PutRequest": {"Item": items.from_incident(incident, 1)}})
    for start in range(0, count, 25):
        answer = client.batch_write_item(RequestItems={table: puts[start : start + 25]})
        assert not answer["UnprocessedItems"]
    return ids


@pytest.fixture
def metered(dynamodb: "DynamoDBClient") -> Iterator[list[dict[str, Any]]]:
    """What each query reads and costs."""
    answers: list[dict[str, Any]] = []

    def ask(params: dict[str, Any], **_: object) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def note(parsed: dict[str, Any], **_: object) -> None:
        answers.append(parsed)

    dynamodb.meta.events.register("provide-client-params.dynamodb.Query", ask)
    dynamodb.meta.events.register("after-call.dynamodb.Query", note)
    yield answers
    dynamodb.meta.events.unregister("provide-client-params.dynamodb.Query", ask)
    dynamodb.meta.events.unregister("after-call.dynamodb.Query", note)


def test_the_first_page_costs_the_same_at_100_and_at_10_000_incidents(
    dynamodb: "DynamoDBClient", table_name: str, metered: list[dict[str, Any]]
) -> None:
    costs = {}
    for tenant, count in (("small", 100), ("large", 10_000)):
        ids = fill(dynamodb, table_name, tenant, count)
        repository = IncidentRepository(Identity(tenant, "ada", None, frozenset()), dynamodb, table_name)
        metered.clear()

        found = queries.list_incidents({}, repository)

        assert [incident["id"] for incident in found.items] == ids[: -queries.LIMIT_DEFAULT - 1 : -1]
        (answer,) = metered
        assert answer["ScannedCount"] == answer["Count"] == queries.LIMIT_DEFAULT + 1
        costs[tenant] = answer["ConsumedCapacity"]["CapacityUnits"]
    assert costs["small"] == costs["large"] > 0


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(("count", "limit"), [(0, 5), (1, 1), (5, 5), (6, 5), (10, 5), (23, 7)])
def test_pages_hold_each_incident_once(
    acme: IncidentRepository, dynamodb: "DynamoDBClient", table_name: str, count: int, limit: int, order: str
) -> None:
    ids = fill(dynamodb, table_name, "acme", count)
    fill(dynamodb, table_name, "acme2", 3)
    seen: list[str] = []
    parameters = {"limit": [str(limit)], "order": [order]}
    pages = 0
    while pages == 0 or "cursor" in parameters:
        found = queries.list_incidents(parameters, acme)
        seen += [incident["id"] for incident in found.items]
        pages += 1
        parameters.pop("cursor", None)
        if found.next_cursor:
            parameters["cursor"] = [found.next_cursor]

    assert seen == (ids if order == "asc" else ids[::-1])
    assert pages == max(1, -(-count // limit))


def test_a_page_of_large_incidents_ends_early_and_goes_on(
    acme: IncidentRepository, dynamodb: "DynamoDBClient", table_name: str
) -> None:
    ids = fill(dynamodb, table_name, "acme", 30)
    for incident_id in ids:  # over the 1 MB that DynamoDB reads for one page
        dynamodb.update_item(
            TableName=table_name,
            Key={"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": incident_id}},
            UpdateExpression="SET description = :long",
            ExpressionAttributeValues={":long": {"S": "x" * 100_000}},
        )

    first = queries.list_incidents({"limit": ["100"]}, acme)
    assert 0 < len(first.items) < 30
    seen, cursor = [incident["id"] for incident in first.items], first.next_cursor
    while cursor:
        found = queries.list_incidents({"limit": ["100"], "cursor": [cursor]}, acme)
        seen += [incident["id"] for incident in found.items]
        cursor = found.next_cursor
    assert seen == ids[::-1]
