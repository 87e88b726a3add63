"""Which days of which tenants are due. Belongs to no tenant: the guard keeps it from every tenant's items."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import uuid4

from .. import guard, items, keys, measures
from ..dynamodb import only_under_its_condition, refusals_as_busy
from ..observability import logger
from .definitions import Kind

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Mark(NamedTuple):
    """A day that is due: since when, when it was last marked, in milliseconds since 1970, and that marking's token.

    ``since`` is its first marking, or the last time it was computed and not settled yet.
    """

    tenant_id: str
    kind: Kind
    day: str
    since: int
    marked_at: int
    token: str


class MarkedDays:
    """The marked days of all tenants."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table = table_name

    def mark(self, tenant_id: str, kind: Kind, day: str, now: int) -> None:
        """Mark a day, or mark it again. Raises Busy."""
        with guard.serving_system(), refusals_as_busy():
            self._client.update_item(
                TableName=self._table,
                Key=items.key(keys.marked_day(tenant_id, kind, day)),
                UpdateExpression="SET since = if_not_exists(since, :now), marked_at = :now, #token = :token",
                ExpressionAttributeNames={"#token": "token"},  # a reserved word
                ExpressionAttributeValues={":now": {"N": str(now)}, ":token": {"S": str(uuid4())}},
            )

    def defer(self, mark: Mark, now: int) -> None:
        """Note that a marked day was computed, and begin to wait again, for what came last. Raises Busy."""
        is_still_marked = "attribute_exists(pk)"
        with guard.serving_system(), only_under_its_condition():
            self._client.update_item(
                TableName=self._table,
                Key=items.key(keys.marked_day(*mark[:3])),
                UpdateExpression="SET since = :now",
                ConditionExpression=is_still_marked,
                ExpressionAttributeValues={":now": {"N": str(now)}},
            )

    def unmark(self, mark: Mark) -> None:
        """Take a mark away, unless its day was marked again since it was read. Raises Busy."""
        not_marked_again = "#token = :token"
        with guard.serving_system(), only_under_its_condition():
            self._client.delete_item(
                TableName=self._table,
                Key=items.key(keys.marked_day(*mark[:3])),
                ConditionExpression=not_marked_again,
                ExpressionAttributeNames={"#token": "token"},
                ExpressionAttributeValues={":token": {"S": mark.token}},
            )

    def of(self, tenant_id: str) -> Iterator[Mark]:
        """Yield a tenant's marks. Raises Busy."""
        first, last = keys.marked_days_of(tenant_id)
        yield from self._marks(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={":pk": {"S": first.pk}, ":first": {"S": first.sk}, ":last": {"S": last.sk}},
        )

    def all(self) -> Iterator[Mark]:
        """Yield every mark, those of one tenant behind each other. Raises Busy."""
        for shard in range(keys.MARK_SHARDS):
            yield from self._marks(
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": keys.marked_days(shard)}},
            )

    def _marks(self, **parameters: Any) -> Iterator[Mark]:
        while True:
            with guard.serving_system(), refusals_as_busy():
                answer = self._client.query(TableName=self._table, ConsistentRead=True, **parameters)
            yield from filter(None, map(_to_mark, answer["Items"]))
            if "LastEvaluatedKey" not in answer:
                return
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _to_mark(item: items.Item) -> Mark | None:
    """Return a mark, or None for what is none: it must not keep the others from being seen."""
    try:
        tenant_id, kind, day = item["sk"]["S"].split("#")
        since, marked_at, token = int(item["since"]["N"]), int(item["marked_at"]["N"]), item["token"]["S"]
    except (KeyError, ValueError) as error:
        logger.error("unreadable mark", extra={"error": type(error).__qualname__, "partition": item["pk"]["S"]})
        measures.count("UnreadableRecords", "operation", {"marked_days": 1})
        return None
    return Mark(tenant_id, cast("Kind", kind), day, since, marked_at, token)
