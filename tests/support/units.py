"""Measures the read and write units of each operation, as AWS counts them.

DynamoDB Local reports a wrong number of units for a transaction. AWS counts the units of the table twice and the units
of the indexes once. So this module makes the writes of a transaction one by one, and counts the reported units of each
write.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from incidents import evidence, feed, findings, intake, queries
from incidents.commands import creating, deleting, updating
from incidents.domain import evidence as events
from incidents.domain.identity import Identity
from incidents.edges import parameters
from incidents.findings import Finding
from incidents.storage import dynamodb
from incidents.storage.evidence_reader import EvidenceReader
from incidents.storage.feed_reader import FeedReader
from incidents.storage.incident_repository import IncidentRepository
from incidents.storage.stored_form import Attribute, Item

from tests.support import recorded, releases

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KB = 1024
LATER = {
    "detail__updatedAt": "2026-11-18T00:00:00Z", "detail__resource__instanceDetails__instanceId": "i-0a1b2c3d4e5f60719"
}  # fmt: skip
# Bytes for the attributes that later changes add: timestamps, minutes, an index attribute.
_ROOM = 120


class Units(NamedTuple):
    read: float
    written: float


class Metered:
    """A client of the table that counts units, and makes each write of a transaction as a separate call."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self.units = Units(0, 0)
        # The written units by partition: a partition key of the table, or the name of an index.
        self.partitions = Counter[str]()

    def get_item(self, **parameters: Any) -> Any:
        return self._read(self._client.get_item, parameters)

    def query(self, **parameters: Any) -> Any:
        return self._read(self._client.query, parameters)

    def batch_get_item(self, **parameters: Any) -> Any:
        answer = self._client.batch_get_item(**parameters | {"ReturnConsumedCapacity": "TOTAL"})
        (used,) = answer["ConsumedCapacity"]
        self.units = self.units._replace(read=self.units.read + used["CapacityUnits"])
        return answer

    def update_item(self, **parameters: Any) -> Any:
        return self._write(self._client.update_item, parameters, times=1)

    def transact_write_items(self, **parameters: Any) -> None:
        for member in parameters["TransactItems"]:
            if "Put" in member:
                self._write(self._client.put_item, member["Put"], times=2)
            elif "ConditionCheck" in member:
                self._check(member["ConditionCheck"])
            else:
                self._write(self._client.update_item, member["Update"], times=2)

    def _check(self, check: dict[str, Any]) -> None:
        """Count a check as AWS does: like a write of the checked item. A missing item counts as 1 KB."""
        item = self._client.get_item(TableName=check["TableName"], Key=check["Key"]).get("Item", {})
        self.units = self.units._replace(written=self.units.written + 2 * max(1, -(-size(item) // KB)))

    def _read(self, call: Callable[..., Any], parameters: dict[str, Any]) -> Any:
        answer = call(**parameters | {"ReturnConsumedCapacity": "TOTAL"})
        self.units = self.units._replace(read=self.units.read + answer["ConsumedCapacity"]["CapacityUnits"])
        return answer

    def _write(self, call: Callable[..., Any], parameters: dict[str, Any], *, times: int) -> Any:
        answer = call(**parameters | {"ReturnConsumedCapacity": "INDEXES"})
        used = answer["ConsumedCapacity"]
        indexes = {name: index["CapacityUnits"] for name, index in used.get("GlobalSecondaryIndexes", {}).items()}
        of_table = times * used["Table"]["CapacityUnits"]
        written = of_table + sum(indexes.values())
        key = parameters["Item"] if "Item" in parameters else parameters["Key"]
        self.partitions.update(indexes | {key["pk"]["S"]: of_table})
        self.units = self.units._replace(written=self.units.written + written)
        return answer


class Used:
    """The units and calls that were used so far.

    For a transaction, these are the units that DynamoDB Local reports.
    """

    def __init__(self) -> None:
        self.units = Units(0, 0)
        self.calls = 0


@contextmanager
def of_calls() -> Iterator[Used]:
    """Count the calls and units of the functions' own client within the block; yield the counts."""
    used = Used()
    events = dynamodb.client().meta.events

    # The guard permits ReturnConsumedCapacity for queries only. So this hook adds it after the guard's check.
    def ask(params: dict[str, Any], **_: object) -> None:
        params["body"] = json.dumps(json.loads(params["body"]) | {"ReturnConsumedCapacity": "TOTAL"})

    def note(parsed: dict[str, Any], model: Any, **_: object) -> None:
        consumed = parsed["ConsumedCapacity"]
        units = sum(one["CapacityUnits"] for one in (consumed if isinstance(consumed, list) else [consumed]))
        is_read = model.name in ("Query", "GetItem", "BatchGetItem")
        used.units = Units(used.units.read + units * is_read, used.units.written + units * (not is_read))
        used.calls += 1

    events.register_last("before-call.dynamodb", ask)
    events.register("after-call.dynamodb", note)
    try:
        yield used
    finally:
        events.unregister("before-call.dynamodb", ask)
        events.unregister("after-call.dynamodb", note)


def of_operations(client: "DynamoDBClient", table: str, kilobytes: int) -> dict[str, Units]:
    """Return the units of each operation, on incidents of up to this many KB including their keys.

    The incidents belong to a separate tenant.
    """
    metered = Metered(client)
    tenant = f"units-{kilobytes}-kb"

    def incidents(app: str | None = None) -> IncidentRepository:
        return IncidentRepository(Identity(tenant, "ada", app, frozenset()), cast("DynamoDBClient", metered), table)

    person = incidents()
    body = _body(person, kilobytes * KB - _ROOM)
    found: dict[str, Units] = {}

    def cost(operation: str, call: Callable[[], Any]) -> Any:
        metered.units = Units(0, 0)
        answer = call()
        found[operation] = metered.units
        return answer

    def update(incident_id: str, **patch: Any) -> None:
        item = updating.update_incident(incident_id, patch, None, person).item
        assert kilobytes * KB - KB < size(item) <= kilobytes * KB

    made = cost("create", lambda: creating.create_incident(body, person)).stored
    assert kilobytes * KB - KB < size(made.item) <= kilobytes * KB
    other = cost("create with a key", lambda: creating.create_incident(body, person, "a-key")).stored.incident["id"]
    cost("create by an application", lambda: creating.create_incident(body, incidents("soc-portal")))
    incident_id = made.incident["id"]
    cost("get", lambda: person.get(incident_id))
    cost("update", lambda: update(incident_id, owner_id="grace"))
    cost("update of what metrics count by", lambda: update(incident_id, severity="low"))
    cost("move", lambda: update(incident_id, status="investigating"))
    cost("close", lambda: update(incident_id, status="closed"))
    cost("delete", lambda: deleting.delete_incident(other, None, person))
    for _ in range(51):
        creating.create_incident(body, person)
    page = cost("list 50", lambda: queries.list_incidents(parameters.list_request({"limit": ["50"]}), person))
    assert len(page.items) == 50
    assert page.next_cursor
    reader = FeedReader(person.identity, cast("DynamoDBClient", metered), table)
    newest = parameters.updates_request({"limit": ["50"]})
    assert len(cost("list 50 updates", lambda: feed.list_incident_updates(newest, reader)).items) == 50
    system = IncidentRepository(
        Identity(tenant, "system:aws.guardduty", None, frozenset()), cast("DynamoDBClient", metered), table
    )
    for operation, later in (
        ("ingest a finding", {}),
        ("ingest it again, with an asset", LATER),
        ("ingest it again, with nothing new", LATER | {"detail__updatedAt": "2026-11-18T01:00:00Z"}),
    ):
        (finding,) = findings.read(recorded.event("guardduty", detail__description=body["description"], **later))
        assert isinstance(finding, Finding)
        cost(operation, partial(intake.take_finding, finding, system))
    for n in range(10):
        one = events.of_event(
            recorded.event("guardduty", n=n), observed_at=f"2026-11-18T00:00:{n:02}.000Z", source="aws.guardduty",
            adapter="guardduty", rule="the kind detection is taken by default",
        )  # fmt: skip
        system.write(system.evidence_write(incident_id, one))
    kept = EvidenceReader(person.identity, cast("DynamoDBClient", metered), table)
    wanted = parameters.changes_request({"limit": ["10"]})
    assert len(cost("list 10 events", lambda: evidence.list_incident_findings(incident_id, wanted, kept)).items) == 10
    return found


def of_sizes(client: "DynamoDBClient", table: str, sizes: Iterable[int]) -> dict[str, list[float]]:
    """Return the write units of a create, an update and a deletion, on an incident of each size in bytes.

    A size is the size of the item in release 0.1.0, with its key and without hashes.
    """
    metered = Metered(client)
    person = IncidentRepository(Identity("sizes", "ada", None, frozenset()), cast("DynamoDBClient", metered), table)
    with releases.without_hashes():
        smallest = size(creating.create_incident({"title": "x", "description": "x"}, person).stored.item)
    found: dict[str, list[float]] = {"create": [], "update": [], "delete": []}
    for wanted in sizes:
        body = {"title": "x", "description": "x" * (1 + wanted - smallest)}
        metered.units = Units(0, 0)
        incident_id = creating.create_incident(body, person).stored.incident["id"]
        found["create"].append(metered.units.written)
        metered.units = Units(0, 0)
        updating.update_incident(incident_id, {"title": "y"}, None, person)
        found["update"].append(metered.units.written)
        metered.units = Units(0, 0)
        deleting.delete_incident(incident_id, None, person)
        found["delete"].append(metered.units.written)
    return found


def creates_a_second(client: "DynamoDBClient", table: str, size_of_item: int) -> int:
    """Return how many incidents of this size in bytes a tenant can create in a second.

    A partition accepts 1 000 write units a second, and no incident's key lets DynamoDB divide the partitions of a
    tenant, because the newest id is always the last. Source: "Partitions and data distribution" and "Adaptive
    capacity" in the DynamoDB developer guide.
    """
    metered = Metered(client)
    person = IncidentRepository(Identity("creates", "ada", None, frozenset()), cast("DynamoDBClient", metered), table)
    texts = ("description", "root_cause", "lessons_learned")  # one text cannot have more than 32 KB
    smallest = size(creating.create_incident(dict.fromkeys(("title", *texts), "x"), person).stored.item)
    metered.partitions.clear()
    text = "x" * ((size_of_item - smallest) // len(texts))
    creating.create_incident({"title": "x"} | dict.fromkeys(texts, text), person)
    return int(1_000 / max(metered.partitions.values()))


def _body(incidents: IncidentRepository, wanted: int) -> dict[str, Any]:
    """Return the body of a create whose item has this many bytes and all kinds of attributes."""
    body: dict[str, Any] = {
        "title": "Credentials of a build server used from an unknown network",
        "description": "x",
        "severity": "high",
        "category": "unauthorized_access",
        "occurred_at": "2026-03-14T08:12:45.000Z",
        "detected_at": "2026-03-14T11:42:10.000Z",
        "affected_asset_ids": ["arn:aws:s3:::release-artifacts"],
        "tags": ["laptop", "build"],
        "financial_impact": 12500,
    }
    smallest = size(creating.create_incident(body, incidents).stored.item)
    return body | {"description": "x" * (1 + wanted - smallest)}


def size(item: Item) -> int:
    """Return the bytes of an item as AWS counts them.

    Source: "DynamoDB item sizes and formats" in the DynamoDB developer guide.
    """
    return sum(len(name.encode()) + _size(attribute) for name, attribute in item.items())


def _size(attribute: Attribute) -> int:
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            return 1 + (len(value.lstrip("-").replace(".", "")) + 1) // 2
        case "L":
            return 3 + sum(1 + _size(one) for one in value)
    return 1  # the size of the kinds BOOL and NULL
