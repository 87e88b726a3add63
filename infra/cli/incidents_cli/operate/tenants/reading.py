"""Read all items of a tenant page by page. The reads are strongly consistent. Only a few pages are in memory."""

import re
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from heapq import merge
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from incidents.domain import model, timestamps
from incidents.domain.errors import Busy
from incidents.runtime import deadline
from incidents.storage import keys, stored_form
from incidents.storage.stored_form import Item
from ulid import ULID

from ...console import StepFailed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")

AT_ONCE = 100  # the most items that one BatchGetItem accepts
_TRIES = 12  # after this many tries without progress, the table counts as unreachable
_HASH = re.compile(r"[0-9a-f]{64}")


class IncidentWithTrail(NamedTuple):
    """An incident's item and the items of its changes, oldest first. ``item`` is None if the incident is missing."""

    incident_id: str
    item: Item | None
    changes: Iterator[Item]


def nothing_of(reader: "TenantReader", outcome: str = "") -> StepFailed:
    """Return the failure for a tenant without any item in the table. It says that the id may be misspelled."""
    return StepFailed(
        f"The table has no items of the tenant {reader.tenant_id}. {outcome}".rstrip(), f"  {reader.table_arn()}",
        "Check that --tenant is the claim tenant_id of the tenant's tokens, also in upper and lower case. If it is, "
        "and the tenant has created incidents, this table lost these incidents or never had them.",
    )  # fmt: skip


class TenantReader:
    """Reads the stored items of one tenant, in the order of their keys."""

    def __init__(self, client: "DynamoDBClient", table_name: str, tenant_id: str) -> None:
        self.client = client
        self.table_name = table_name
        self.tenant_id = tenant_id
        self.partitions = keys.partitions(tenant_id)

    def is_empty(self) -> bool:
        """Return whether the table has no item in a partition of the tenant."""
        return all(next(self.items(kind), None) is None for kind in self.partitions)

    def items(self, kind: str, after: str | None = None) -> Iterator[Item]:
        """Yield the tenant's items of a kind, such as ``INCIDENT``. With ``after``, begin after that sort key."""
        behind, values = "", {":pk": {"S": self.partitions[kind]}}
        if after is not None:
            behind, values = " AND sk > :after", values | {":after": {"S": after}}
        return self.query(KeyConditionExpression=f"pk = :pk{behind}", ExpressionAttributeValues=values)

    def changes(self, incident_id: str) -> Iterator[Item]:
        """Yield the items of an incident's changes, oldest first."""
        first, last = (keys.change(self.tenant_id, incident_id, version) for version in (0, 10**10 - 1))
        return self.query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={":pk": {"S": first.pk}, ":first": {"S": first.sk}, ":last": {"S": last.sk}},
        )

    def events(self, incident_id: str) -> set[str]:
        """Return the hashes of the stored events of an incident."""
        first, last = keys.evidence_after(self.tenant_id, incident_id, "")
        items = self.query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last", ProjectionExpression="sha256",
            ExpressionAttributeValues={":pk": {"S": first.pk}, ":first": {"S": first.sk}, ":last": {"S": last.sk}},
        )  # fmt: skip
        return {item["sha256"]["S"] for item in items if "sha256" in item}

    def query(self, **parameters: Any) -> Iterator[Item]:
        """Query the table, and yield the items of all pages."""
        while True:
            answer = self.client.query(TableName=self.table_name, ConsistentRead=True, **parameters)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def item(self, key: keys.Key) -> Item | None:
        return self.client.get_item(TableName=self.table_name, Key=stored_form.key(key), ConsistentRead=True).get(
            "Item"
        )

    def references(self, wanted: Iterable[keys.Key]) -> dict[keys.Key, Item]:
        """Return the items that exist for the wanted keys, by key.

        The items have only the attributes pk, sk, incident_number and incident_id.
        """
        items_by_key: dict[keys.Key, Item] = {}
        for batch in batches(dict.fromkeys(wanted), AT_ONCE):
            left: dict[str, Any] = {
                self.table_name: {
                    "Keys": [stored_form.key(key) for key in batch],
                    "ConsistentRead": True,
                    "ProjectionExpression": "pk, sk, incident_number, incident_id",
                }
            }
            attempt = 0
            while left:
                answer = self.client.batch_get_item(RequestItems=left)
                came = answer["Responses"].get(self.table_name, [])
                items_by_key |= {keys.Key(item["pk"]["S"], item["sk"]["S"]): item for item in came}
                left = answer.get("UnprocessedKeys") or {}
                attempt = 0 if came else attempt + 1
                if left:
                    give_way(attempt)
        return items_by_key

    def incidents(self, after: str | None = None) -> Iterator[IncidentWithTrail]:
        """Yield the incidents with their changes, in the order of ids. Changes without an incident are included."""
        changes_after = keys.change(self.tenant_id, after, 10**10 - 1).sk if after is not None else None
        side_by_side = merge(self.items("INCIDENT", after), self.items("CHANGE", changes_after), key=_incident_id)
        for incident_id, group in groupby(side_by_side, key=_incident_id):
            first = next(group)
            is_there = first["pk"]["S"] == self.partitions["INCIDENT"]
            yield IncidentWithTrail(incident_id, first if is_there else None, chain([] if is_there else [first], group))  # noqa: B031

    def incident(self, incident_id: str) -> IncidentWithTrail:
        """Return an incident with all its changes, as the incident and the changes were at one moment.

        If somebody writes the incident between the reads, read again. Raises Busy after 12 attempts.
        """
        for attempt in range(_TRIES):
            item = self.item(keys.incident(self.tenant_id, incident_id))
            changes = list(self.changes(incident_id))
            if item == self.item(keys.incident(self.tenant_id, incident_id)):
                return IncidentWithTrail(incident_id, item, iter(changes))
            deadline.pause(attempt, first=0.05)
        raise Busy

    def missing_indexes(self) -> set[str]:
        """Return the names of the indexes that the table lacks. A restored table may lack some."""
        indexes = self.client.describe_table(TableName=self.table_name)["Table"].get("GlobalSecondaryIndexes", [])
        return {*keys.INDEXES} - {index["IndexName"] for index in indexes}

    def now(self) -> str:
        """Return the time of the table's service, cut to a second."""
        answer = self.client.describe_table(TableName=self.table_name)
        date = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return timestamps.from_milliseconds(round(date.timestamp() * 1000))

    def table_arn(self) -> str:
        """Return the table's ARN. Raises botocore's ClientError if the table does not exist."""
        return self.client.describe_table(TableName=self.table_name)["Table"]["TableArn"]


class Progress:
    """Estimates which part of a tenant's items is finished, from the sort key that a command has reached.

    A sort key begins with an incident's id, which contains the time of the create, or with a hash. Hashes are evenly
    distributed.
    """

    def __init__(self, reader: TenantReader) -> None:
        ends = [
            reader.client.query(
                TableName=reader.table_name, KeyConditionExpression="pk = :pk", Limit=1, ScanIndexForward=forward,
                ExpressionAttributeValues={":pk": {"S": reader.partitions["INCIDENT"]}}, ProjectionExpression="sk",
            )["Items"]
            for forward in (True, False)
        ]  # fmt: skip
        self._first, self._last = (made_at(end[0]["sk"]["S"]) if end else None for end in ends)

    def at(self, sk: str) -> float | None:
        """Return the finished part of the items at a sort key, from 0 to 1, or None if the part is unknown."""
        if _HASH.fullmatch(sk):
            return int(sk[:8], 16) / 16**8
        now = made_at(sk.partition("#")[0])
        if now is None or self._first is None or self._last is None or self._first == self._last:
            return None
        return min(1.0, max(0.0, (now - self._first) / (self._last - self._first)))


def batches(things: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(things)
    while batch := list(islice(rest, size)):
        yield batch


def give_way(attempt: int) -> None:
    """Wait before the rest of a batch is sent again. ``attempt`` is the number of attempts without progress.

    Raises Busy after 12 attempts.
    """
    if attempt == _TRIES:
        raise Busy
    deadline.pause(attempt, first=0.05, longest=10)


def _incident_id(item: Item) -> str:
    sk: str = item["sk"]["S"]
    return sk.partition("#")[0]


def made_at(incident_id: str) -> int | None:
    """Return the time in an incident's id, in milliseconds since 1970, or None if the text is not an incident's id."""
    return ULID.from_str(incident_id[4:]).milliseconds if model.INCIDENT_ID.fullmatch(incident_id) else None
