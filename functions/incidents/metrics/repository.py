"""One tenant's days and buckets in the table. Built for one identity: no method takes a tenant or a partition key."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from .. import items, keys, timeouts
from ..dynamodb import ConditionFailed, refusals_as_busy, transact
from ..errors import Busy
from ..identity import Identity
from . import tally
from .definitions import Kind
from .tally import Rows, Seen, Tally

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_INDEX = {
    "detected": (keys.BY_DETECTED_DAY, "detected_day_pk", keys.by_detected_day),
    "closed": (keys.BY_CLOSED_DAY, "closed_day_pk", keys.by_closed_day),
}
_TRIES = 4


class Overtaken(Exception):
    """A run that read later has this day; what an earlier one knows is not written any more."""


class Day(NamedTuple):
    """What a day's buckets must cover: every application that ever had an incident on it, and the most parts."""

    apps: frozenset[str]
    parts: int


class MetricRepository:
    """The metrics that one caller may reach: its tenant's; an application reaches those of its own incidents."""

    def __init__(self, identity: Identity, client: "DynamoDBClient", table_name: str) -> None:
        self._identity = identity
        self._tenant_id = identity.tenant_id
        self._client = client
        self._table = table_name

    def buckets(self, kind: Kind, first_day: str, last_day: str) -> dict[str, Rows]:
        """Return what is known of these days, both included. Eventually consistent. Raises Busy."""
        for attempt in range(_TRIES):
            by_day: dict[str, list[items.Item]] = {}
            for part in self._parts(kind, first_day, last_day):
                by_day.setdefault(part["day"]["S"], []).append(part)
            # A day in several parts may be replaced while it is read.
            if all(_is_whole(parts) for parts in by_day.values()):
                return {day: _rows(parts) for day, parts in by_day.items()}
            timeouts.pause(attempt, first=0.05)
        raise Busy

    def incidents(self, kind: Kind, day: str) -> Iterator[Seen]:
        """Yield the incidents of a day, deleted and dismissed ones among them. As late as its index may be."""
        index, attribute, partition = _INDEX[kind]
        for item in self._query(
            IndexName=index,
            KeyConditionExpression=f"{attribute} = :partition",
            ExpressionAttributeValues={":partition": {"S": partition(self._tenant_id, day)}},
        ):
            yield tally.seen(item)

    def take_day(self, kind: Kind, day: str, read_from: int, now: Day) -> Day:
        """Begin to replace a day's buckets by what was read at a moment, in milliseconds since 1970.

        Returns what the buckets must cover, ``now`` included. Raises Overtaken, or Busy.
        """
        nobody_yet = "attribute_not_exists(read_from)"
        read_earlier = "read_from < :read_from"
        expression = "SET read_from = :read_from ADD parts :parts"
        values: dict[str, Any] = {":read_from": {"N": str(read_from)}, ":parts": {"NS": [str(now.parts)]}}
        if now.apps:
            expression += ", apps :apps"
            values[":apps"] = {"SS": sorted(now.apps)}
        try:
            with refusals_as_busy():
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=items.key(keys.metric_day(self._tenant_id, kind, day)),
                    UpdateExpression=expression,
                    ConditionExpression=f"{nobody_yet} OR {read_earlier}",
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_NEW",
                )
        except ClientError as error:
            raise _overtaken_or(error) from error
        known = answer["Attributes"]
        apps = known["apps"]["SS"] if "apps" in known else []
        return Day(frozenset(apps), max(int(parts) for parts in known["parts"]["NS"]))

    def replace(self, app_id: str | None, kind: Kind, day: str, read_from: int, parts: list[str]) -> None:
        """Replace one bucket, all its parts or none, unless a later reading has. Raises Overtaken, or Busy."""
        nobody_yet = "attribute_not_exists(pk)"
        read_earlier = "read_from < :read_from"
        puts: list[Any] = [
            {
                "TableName": self._table,
                "Item": {
                    **items.key(keys.metric_bucket(self._tenant_id, app_id, kind, day, n)),
                    "day": {"S": day},
                    "read_from": {"N": str(read_from)},
                    "parts": {"N": str(len(parts))},
                    "rows": {"S": part},
                },
            }
            for n, part in enumerate(parts)
        ]
        puts[0] |= {
            "ConditionExpression": f"{nobody_yet} OR {read_earlier}",
            "ExpressionAttributeValues": {":read_from": {"N": str(read_from)}},
        }
        try:
            if len(puts) == 1:
                with refusals_as_busy():
                    self._client.put_item(**puts[0])
            else:
                transact(self._client, [{"Put": put} for put in puts])
        except ConditionFailed as failed:
            raise Overtaken from failed
        except ClientError as error:
            raise _overtaken_or(error) from error

    def days(self) -> Iterator[tuple[Kind, str]]:
        """Yield, some of them often, every day that has an incident or ever had a bucket. Reads all; for operators."""
        for item in self._query(**self._everything(keys.incident(self._tenant_id, "").pk)):
            if "detected_at" in item:
                yield "detected", item["detected_at"]["S"][:10]
            if "closed_at" in item:
                yield "closed", item["closed_at"]["S"][:10]
        for item in self._query(**self._everything(keys.metric_day(self._tenant_id, "", "").pk, "DAY#")):
            _, kind, day = item["sk"]["S"].split("#")
            yield ("detected" if kind == "DETECTED" else "closed"), day

    def _parts(self, kind: Kind, first_day: str, last_day: str) -> Iterator[items.Item]:
        first, last = keys.metric_buckets(self._tenant_id, self._identity.app_id, kind, first_day, last_day)
        return self._query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={":pk": {"S": first.pk}, ":first": {"S": first.sk}, ":last": {"S": last.sk}},
        )

    def _everything(self, partition: str, behind: str = "!") -> dict[str, Any]:
        return {
            "KeyConditionExpression": "pk = :pk AND sk > :behind",
            "ExpressionAttributeValues": {":pk": {"S": partition}, ":behind": {"S": behind}},
        }

    def _query(self, **parameters: Any) -> Iterator[items.Item]:
        while True:
            with refusals_as_busy():
                answer = self._client.query(TableName=self._table, **parameters)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _is_whole(parts: list[items.Item]) -> bool:
    (first, *_) = parts
    return len(parts) == int(first["parts"]["N"]) and len({part["read_from"]["N"] for part in parts}) == 1


def _rows(parts: list[items.Item]) -> Rows:
    rows: Rows = {}
    for row, piece in tally.from_parts(part["rows"]["S"] for part in parts):
        rows.setdefault(row, Tally()).merge(piece)
    return rows


def _overtaken_or(error: ClientError) -> Exception:
    return Overtaken() if error.response["Error"]["Code"] == "ConditionalCheckFailedException" else error
