"""Tests of the guard behind the repositories.

The guard never sends a call that names a foreign partition, or a call that it cannot parse.
"""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from incidents.domain.identity import Identity
from incidents.edges.request import Request
from incidents.storage import dynamodb, guard, keys

from tests.support.events import claims
from tests.support.operations import OPERATIONS, call

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OWN = {"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": "inc_1"}}
FOREIGN = {"pk": {"S": "TENANT#acme-corp#INCIDENT"}, "sk": {"S": "inc_1"}}
SYSTEM = {"pk": {"S": "ACCOUNTS"}, "sk": {"S": "111122223333"}}

Call = Callable[["DynamoDBClient", Any], object]


def update(client: "DynamoDBClient", key: Any, expression: str = "SET title = :title", **values: str) -> object:
    given = {f":{name}": {"S": value} for name, value in {"title": "x", **values}.items()}
    return client.update_item(
        TableName="t", Key=key, UpdateExpression=expression, ExpressionAttributeValues=given,
        ExpressionAttributeNames={"#0": "active_pk", "#1": "title"},
    )  # fmt: skip


def query(client: "DynamoDBClient", value: str, condition: str = "#p = :p AND #i > :p", **more: Any) -> object:
    return client.query(
        TableName="t", KeyConditionExpression=condition, ExpressionAttributeValues={":p": {"S": value}},
        ExpressionAttributeNames={"#p": "active_pk", "#i": "id"}, **more,
    )  # fmt: skip


def put_with(attribute: str) -> Call:
    return lambda client, key: client.put_item(TableName="t", Item={**OWN, attribute: key["pk"]})


CALLS: dict[str, Call] = {
    "get": lambda client, key: client.get_item(TableName="t", Key=key),
    "put": lambda client, key: client.put_item(TableName="t", Item={**key, "title": {"S": "TENANT#other#INCIDENT"}}),
    "put into an index": lambda client, key: client.put_item(TableName="t", Item={**OWN, "active_pk": key["pk"]}),
    "update": update,
    "update of an index": lambda client, key: update(client, OWN, "SET #0 = :to, #1 = :title", to=key["pk"]["S"]),
    "query": lambda client, key: query(client, key["pk"]["S"]),
    "query from a position": lambda client, key: query(client, "TENANT#acme", ExclusiveStartKey=key),
    "query from a position in an index": lambda client, key: query(
        client, "TENANT#acme", ExclusiveStartKey={**OWN, "active_pk": key["pk"]}
    ),
    "query of updates": lambda client, key: query(
        client, key["pk"]["S"], "pk = :p AND updated_at BETWEEN :p AND :p", IndexName="by-updated"
    ),
    "query of updates from a position": lambda client, key: query(
        client,
        "TENANT#acme#INCIDENT",
        "pk = :p AND updated_at BETWEEN :p AND :p",
        ExclusiveStartKey={**key, "updated_at": {"S": "2026"}},
    ),
    "batch": lambda client, key: client.batch_get_item(RequestItems={"t": {"Keys": [OWN, key]}}),
    "batch of two tables": lambda client, key: client.batch_get_item(
        RequestItems={"t": {"Keys": [OWN], "ConsistentRead": True}, "u": {"Keys": [key]}}
    ),
    "delete": lambda client, key: client.delete_item(TableName="t", Key=key),
    **{f"put with {name}": put_with(name) for name in sorted(keys.INDEX_ATTRIBUTES)},
    "transaction": lambda client, key: client.transact_write_items(
        TransactItems=[{"Put": {"TableName": "t", "Item": OWN}}, {"Put": {"TableName": "t", "Item": key}}]
    ),
    "transaction with a delete": lambda client, key: client.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": "t", "Item": OWN}},
            {"Delete": {"TableName": "t", "Key": key, "ConditionExpression": "#1 = :x"}},
        ]
    ),
    "transaction with an update": lambda client, key: client.transact_write_items(
        TransactItems=[{"Update": {"TableName": "t", "Key": key, "UpdateExpression": "SET a = :a"}}]
    ),
    "transaction with a check": lambda client, key: client.transact_write_items(
        TransactItems=[{"ConditionCheck": {"TableName": "t", "Key": key, "ConditionExpression": "#1 = :x"}}]
    ),
}
every_call = pytest.mark.parametrize("name", CALLS)


@pytest.fixture
def sent() -> Iterator[list[str]]:
    """Yield the names of the calls that reach DynamoDB's client. No call leaves the process."""
    names: list[str] = []

    def answer(model: Any, **_: object) -> tuple[object, dict[str, object]]:
        names.append(model.name)
        return SimpleNamespace(status_code=200), {}  # replaces the network's response

    dynamodb.client.cache_clear()
    dynamodb.client().meta.events.register("before-call.dynamodb", answer)  # type: ignore[arg-type]
    yield names
    dynamodb.client.cache_clear()


@every_call
def test_a_tenant_s_request_may_use_the_tenant_s_partition(sent: list[str], name: str) -> None:
    with guard.serving_tenant("acme"):
        CALLS[name](dynamodb.client(), OWN)
    assert len(sent) == 1


@every_call
@pytest.mark.parametrize("key", [FOREIGN, SYSTEM], ids=["another tenant", "the system"])
def test_a_tenant_s_request_may_not_use_any_other_partition(sent: list[str], name: str, key: Any) -> None:
    with guard.serving_tenant("acme"), pytest.raises(guard.Breach):
        CALLS[name](dynamodb.client(), key)
    assert sent == []


@every_call
def test_the_system_may_not_use_a_tenant_s_partition(sent: list[str], name: str) -> None:
    with guard.serving_system(), pytest.raises(guard.Breach):
        CALLS[name](dynamodb.client(), OWN)
    assert sent == []


@every_call
def test_a_call_outside_any_request_may_not_use_any_partition(sent: list[str], name: str) -> None:
    for key in (OWN, SYSTEM):
        with pytest.raises(guard.Breach):
            CALLS[name](dynamodb.client(), key)
    assert sent == []


def marks(client: "DynamoDBClient", first: str, last: str, **more: Any) -> None:
    values = {":p": {"S": "METRICDUE#3"}, ":first": {"S": first}, ":last": {"S": last}}
    condition = more.pop("condition", "pk = :p AND sk BETWEEN :first AND :last")
    client.query(TableName="t", KeyConditionExpression=condition, ExpressionAttributeValues=values, **more)


def test_a_tenant_s_request_may_query_the_tenant_s_own_marks(sent: list[str]) -> None:
    after: dict[str, Any] = {"pk": {"S": "METRICDUE#3"}, "sk": {"S": "acme#closed#2026-01-02"}}
    with guard.serving_tenant("acme"):
        marks(dynamodb.client(), "acme#closed#2026-01-01", "acme#closed#2026-12-31")
        marks(dynamodb.client(), "acme#closed#2026-01-01", "acme#closed#2026-12-31", ExclusiveStartKey=after)
    assert len(sent) == 2


@pytest.mark.parametrize(
    ("first", "last", "condition"),
    [
        ("acme2#closed#2026-01-01", "acme2#closed#2026-12-31", None),
        ("Acme#closed#2026-01-01", "Acme#closed#2026-12-31", None),
        ("acme#closed#2026-01-01", "globex#closed#2026-12-31", None),
        ("acm", "acme#closed#2026-12-31", None),
        ("acme", "acme~", None),
        ("acme#", "acme~", None),
        ("acme#a", "acme#b", "pk = :p"),
        ("acme#a", "acme#b", "pk = :p AND sk > :first"),
        ("acme#a", "acme#b", "pk = :p AND sk = :first"),
    ],
)
def test_a_tenant_s_request_may_not_query_other_marks(
    sent: list[str], first: str, last: str, condition: str | None
) -> None:
    more = {} if condition is None else {"condition": condition}
    with guard.serving_tenant("acme"), pytest.raises(guard.Breach):
        marks(dynamodb.client(), first, last, **more)
    assert sent == []


ALERT: dict[str, Any] = {"pk": {"S": "ALERTDUE#3"}, "sk": {"S": "2026-06-09T18:00:00.000Z#acme#inc_1"}}
READ: list[Any] = [{"Get": {"TableName": "t", "Key": OWN}}]
TRANSACTION: list[Any] = [
    {"Put": {"TableName": "t", "Item": {"pk": {"S": "TENANT#acme#DEADLINE"}, "sk": {"S": "OF#inc_1"}}}},
    {"Put": {"TableName": "t", "Item": ALERT}},
    {"Delete": {"TableName": "t", "Key": ALERT | {"sk": {"S": "2026-06-10T18:00:00.000Z#acme#inc_1"}}}},
]


def alert_of(sort_key: str) -> dict[str, Any]:
    return ALERT | {"sk": {"S": sort_key}}


def test_the_job_of_deadlines_may_use_one_tenant_s_partitions_and_its_alerts(sent: list[str]) -> None:
    with guard.serving_deadlines("acme"):
        dynamodb.client().transact_write_items(TransactItems=TRANSACTION)
        dynamodb.client().get_item(TableName="t", Key=OWN)
        dynamodb.client().delete_item(TableName="t", Key=ALERT)
    assert sent == ["TransactWriteItems", "GetItem", "DeleteItem"]


@pytest.mark.parametrize(
    "key",
    [
        FOREIGN,
        SYSTEM,
        {"pk": {"S": "METRICDUE#3"}, "sk": {"S": "acme#closed#2026-01-01"}},
        {"pk": {"S": "DEADLINEDUE#3"}, "sk": {"S": "acme#inc_1"}},
        {"pk": {"S": "DEADLINEDUE#3"}, "sk": {"S": "2026-06-09T18:00:00.000Z#acme#inc_1"}},
        {"pk": {"S": "ACCOUNTS"}, "sk": {"S": "2026-06-09T18:00:00.000Z#acme#inc_1"}},
        {"pk": {"S": "ALERTDUE"}, "sk": {"S": "2026-06-09T18:00:00.000Z#acme#inc_1"}},
        {"pk": {"S": "TENANT#acme-corp#DEADLINE"}, "sk": {"S": "2026-06-09T18:00:00.000Z#acme#inc_1"}},
        alert_of("2026-06-09T18:00:00.000Z#globex#inc_1"),
        alert_of("2026-06-09T18:00:00.000Z#Acme#inc_1"),
        alert_of("2026-06-09T18:00:00.000Z#acme2#inc_1"),
        alert_of("2026-06-09T18:00:00.000Z#globex#acme"),
        alert_of("acme#globex#inc_1"),
        alert_of("2026-06-09T18:00:00.000Z#acme#inc_1#x"),
        alert_of("2026-06-09T18:00:00.000Z#acme#"),
        alert_of("#acme#inc_1"),
        alert_of("2026-06-09T18:00:00.000Z#acme"),
        alert_of("acme"),
        {"pk": ALERT["pk"]},
    ],
    ids=lambda key: " ".join(value["S"] for value in key.values()),
)
@pytest.mark.parametrize("name", [name for name in CALLS if not name.startswith(("query", "put ", "update of"))])
def test_the_job_of_deadlines_may_not_use_anything_else(sent: list[str], name: str, key: Any) -> None:
    with guard.serving_deadlines("acme"), pytest.raises(guard.Breach):
        CALLS[name](dynamodb.client(), key)
    assert sent == []


@pytest.mark.parametrize(
    "condition",
    ["pk = :p", "pk = :p AND sk <= :first", "pk = :p AND sk BETWEEN :first AND :last", "pk = :p AND sk = :first"],
)
def test_the_job_of_deadlines_may_not_query_alerts_as_a_tenant(sent: list[str], condition: str) -> None:
    first, last = "2026-06-09T18:00:00.000Z#acme#inc_1", "2026-06-09T18:00:00.000Z#acme#inc_2"
    values = {":p": ALERT["pk"], ":first": {"S": first}, ":last": {"S": last}}
    starts: list[dict[str, Any]] = [{}, {"ExclusiveStartKey": ALERT}]
    for more in starts:
        with guard.serving_deadlines("acme"), pytest.raises(guard.Breach):
            dynamodb.client().query(
                TableName="t", KeyConditionExpression=condition, ExpressionAttributeValues=values, **more
            )
    assert sent == []


@pytest.mark.parametrize("serving", [lambda: guard.serving_tenant("acme"), lambda: guard.serving_deadlines("globex")])
def test_nobody_else_may_use_an_alert_of_a_tenant(sent: list[str], serving: Any) -> None:
    for name in ("get", "put", "update", "delete", "batch", "transaction", "transaction with a delete"):
        with serving(), pytest.raises(guard.Breach):
            CALLS[name](dynamodb.client(), ALERT)
    assert sent == []


def test_the_system_reads_alerts_of_all_tenants_and_no_deadlines_of_a_tenant(sent: list[str]) -> None:
    values = {":p": ALERT["pk"], ":now": {"S": "2026"}}
    with guard.serving_system():
        dynamodb.client().query(
            TableName="t", KeyConditionExpression="pk = :p AND sk <= :now", ExpressionAttributeValues=values
        )
        with pytest.raises(guard.Breach):
            dynamodb.client().transact_write_items(TransactItems=TRANSACTION)
    assert sent == ["Query"]


def test_the_system_may_use_its_own_partitions(sent: list[str]) -> None:
    with guard.serving_system():
        dynamodb.client().get_item(TableName="t", Key=SYSTEM)
        dynamodb.client().delete_item(TableName="t", Key=SYSTEM)
        dynamodb.client().put_item(TableName="t", Item={"pk": {"S": "METRICDUE#1"}, "sk": {"S": "acme"}})
    assert len(sent) == 3


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.scan(TableName="t"),
        lambda client: client.execute_statement(Statement="SELECT * FROM t"),
        lambda client: client.batch_execute_statement(Statements=[]),
        lambda client: client.execute_transaction(TransactStatements=[]),
        lambda client: client.batch_get_item(RequestItems={"t": {"Keys": [{"sk": OWN["sk"]}]}}),
        lambda client: client.batch_get_item(RequestItems={"t": {"Keys": [OWN], "AttributesToGet": ["title"]}}),
        lambda client: client.batch_get_item(RequestItems={"t": {"Keys": [OWN], "ProjectionExpression": "title"}}),
        lambda client: client.batch_get_item(RequestItems={"t": {"Keys": [OWN]}}, ReturnConsumedCapacity="TOTAL"),
        lambda client: client.batch_write_item(RequestItems={"t": []}),
        lambda client: client.describe_table(TableName="t"),
        lambda client: client.put_item(TableName="t", Item={"sk": {"S": "x"}}),
        lambda client: query(client, "TENANT#acme", "#i > :p"),
        lambda client: query(client, "TENANT#acme", "#p=:p"),
        lambda client: query(client, "TENANT#acme", "pk = :p AND #p = :p"),
        lambda client: update(client, OWN, "SET #0 = if_not_exists(#0, :title)"),
        lambda client: update(client, OWN, "SET active_pk = #1"),
        lambda client: update(client, OWN, "SET #1 = n, #0 = n"),
        lambda client: client.query(TableName="t", KeyConditions={}),
        lambda client: update(client, OWN, "ADD n :n REMOVE title SET active_pk = :title"),
        lambda client: update(client, OWN, "REMOVE title SET active_pk = :title"),
        lambda client: update(client, OWN, "set active_pk = :title"),
        lambda client: update(client, OWN, "ADD #0 :title"),
        lambda client: update(client, OWN, "ADD n :title, #0 :title"),
        lambda client: update(client, OWN, "SET #1 = :title ADD n :title, active_pk :title"),
        lambda client: update(client, OWN, "SET #1 = if_not_exists(#1, :title), #0 = if_not_exists(#0, :title)"),
        lambda client: update(client, OWN, "SET #1 = if_not_exists(#1, :title) SET #0 = :title"),
        lambda client: update(client, OWN, "ADD n :title SET #0 = :title"),
        lambda client: update(client, OWN, "SET #1 = :title, #0 = :title + :title"),
        lambda client: update(client, OWN, ""),
        lambda client: client.update_item(
            TableName="t", Key=OWN, AttributeUpdates={"active_pk": {"Value": FOREIGN["pk"]}}
        ),
        lambda client: client.transact_write_items(
            TransactItems=[{"Delete": {"TableName": "t", "Key": OWN, "ReturnValuesOnConditionCheckFailure": "NONE"}}]
        ),
        lambda client: client.transact_get_items(TransactItems=[{"Get": {"TableName": "t", "Key": OWN}}]),
    ],
)
def test_a_call_that_the_guard_cannot_parse_is_refused(
    sent: list[str], call: Callable[["DynamoDBClient"], object]
) -> None:
    with guard.serving_tenant("acme"), pytest.raises(guard.Breach):
        call(dynamodb.client())
    assert sent == []


def test_a_breach_names_the_operation_that_is_not_allowed(sent: list[str]) -> None:
    with guard.serving_tenant("acme"), pytest.raises(guard.Breach) as breach:
        dynamodb.client().scan(TableName="t")
    assert str(breach.value) == "the operation Scan is not allowed"
    assert sent == []


def test_a_breach_names_the_parameters_that_are_not_allowed(sent: list[str]) -> None:
    with guard.serving_tenant("acme"), pytest.raises(guard.Breach) as breach:
        dynamodb.client().query(TableName="t", QueryFilter={}, KeyConditions={})
    assert str(breach.value) == "Query is not allowed with the parameters KeyConditions, QueryFilter"
    assert sent == []


def test_a_breach_names_a_member_of_a_transaction_that_is_not_allowed(sent: list[str]) -> None:
    with guard.serving_tenant("acme"), pytest.raises(guard.Breach) as breach:
        dynamodb.client().transact_write_items(TransactItems=READ)
    assert str(breach.value) == "the operation Get is not allowed"
    assert sent == []


def test_an_update_may_remove_an_index_attribute(sent: list[str]) -> None:
    with guard.serving_tenant("acme"):
        update(dynamodb.client(), OWN, "SET #1 = :title REMOVE #0")
    assert sent == ["UpdateItem"]


def test_an_update_without_an_index_attribute_passes(sent: list[str]) -> None:
    with guard.serving_tenant("acme"):
        update(dynamodb.client(), OWN, "SET #1 = if_not_exists(#1, :title), b = :title REMOVE c, #0 ADD n :title")
        update(dynamodb.client(), OWN, "ADD n :title, m :title")
        update(dynamodb.client(), OWN, "SET #1 = :title ADD n :title")
        update(dynamodb.client(), OWN, "SET n = #1, #1 = :title")
    assert len(sent) == 4


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_guard_stops_a_repository_with_a_wrong_tenant_before_any_call(
    sent: list[str], monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    def mistaken(self: Request, repository: Callable[[Identity, "DynamoDBClient", str], object]) -> object:
        return repository(self.identity._replace(tenant_id="globex"), dynamodb.client(), "t")

    monkeypatch.setattr(Request, "reach", mistaken)

    answer = call(operation, claims("acme"))

    assert (answer["statusCode"], sent) == (500, [])
