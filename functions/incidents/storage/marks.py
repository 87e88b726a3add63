"""What is marked, to be computed later: marked by whoever sees a change, unmarked by whoever computed what it touched.

One mechanism for whatever is computed from incidents: a ``keys.MarkKind`` each. A mark has a token, new with each
marking. Whoever computes reads the mark first, and takes it away afterwards only if the token is unchanged: so a change
that came meanwhile is never lost. Marks belong to no tenant: the guard keeps them from every tenant's items.
"""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import uuid4

from ..runtime import cloudwatch
from ..runtime.log import logger
from . import dynamodb, guard, keys, stored_form
from .dynamodb import only_under_its_condition, refusals_as_busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


Outcome = Literal["settling", "unsettled", "computed"]


class Mark(NamedTuple):
    """A mark: since when, when it was last made, in milliseconds since 1970, and that marking's token.

    ``name`` says what of the tenant is marked: a metric day is (kind, day). ``since`` is its first marking, or the last
    time it was computed and not settled yet.
    """

    tenant_id: str
    name: tuple[str, ...]
    since: int
    marked_at: int
    token: str


def metric_days() -> "Marks":
    """Return the marked days, whose metrics must be computed again."""
    return Marks(keys.METRIC_DAYS, dynamodb.client(), dynamodb.table_name())


class Marks:
    """The marks of one kind, of all tenants."""

    def __init__(self, kind: keys.MarkKind, client: "DynamoDBClient", table_name: str) -> None:
        self._kind = kind
        self._client = client
        self._table = table_name

    def mark(self, tenant_id: str, *name: str, now: int) -> None:
        """Mark something of a tenant, or mark it again. Raises Busy."""
        with guard.serving_system(), refusals_as_busy():
            self._client.update_item(
                TableName=self._table,
                Key=stored_form.key(keys.mark(self._kind, tenant_id, *name)),
                UpdateExpression="SET since = if_not_exists(since, :now), marked_at = :now, #token = :token",
                ExpressionAttributeNames={"#token": "token"},  # a reserved word
                ExpressionAttributeValues={":now": {"N": str(now)}, ":token": {"S": str(uuid4())}},
            )

    def work_off(self, mark: Mark, settle_ms: int, compute: Callable[[int], None]) -> Outcome:
        """Compute what is marked, and take the mark away once nothing new came for ``settle_ms`` milliseconds.

        ``compute`` is told a moment before all that it reads, in milliseconds since 1970. A mark that is younger waits:
        an index may not show yet what the stream has told. What goes on being marked is computed all the same, and
        stays marked. Raises what ``compute`` raises, and Busy.
        """
        now = time.time_ns() // 1_000_000
        # A clock that was far ahead when it marked must not hold the work up until then.
        if abs(now - mark.since) < settle_ms:
            return "settling"
        compute(now)
        if abs(now - mark.marked_at) < settle_ms:
            self._wait_again(mark, now)
            return "unsettled"
        self._unmark(mark)
        return "computed"

    def of_tenant(self, tenant_id: str) -> Iterator[Mark]:
        """Yield a tenant's marks. Raises Busy."""
        first, last = keys.marks_of_tenant(self._kind, tenant_id)
        yield from self._read(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={":pk": {"S": first.pk}, ":first": {"S": first.sk}, ":last": {"S": last.sk}},
        )

    def of_all_tenants(self) -> Iterator[Mark]:
        """Yield every mark, those of one tenant behind each other. Raises Busy."""
        for shard in range(self._kind.shards):
            yield from self._read(
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": keys.mark_partition(self._kind, shard)}},
            )

    def _wait_again(self, mark: Mark, now: int) -> None:
        """Note that what is marked was computed, and begin to wait again, for what came last. Raises Busy."""
        is_still_marked = "attribute_exists(pk)"
        with guard.serving_system(), only_under_its_condition():
            self._client.update_item(
                TableName=self._table,
                Key=self._key(mark),
                UpdateExpression="SET since = :now",
                ConditionExpression=is_still_marked,
                ExpressionAttributeValues={":now": {"N": str(now)}},
            )

    def _unmark(self, mark: Mark) -> None:
        """Take a mark away, unless it was made again since it was read. Raises Busy."""
        not_marked_again = "#token = :token"
        with guard.serving_system(), only_under_its_condition():
            self._client.delete_item(
                TableName=self._table,
                Key=self._key(mark),
                ConditionExpression=not_marked_again,
                ExpressionAttributeNames={"#token": "token"},
                ExpressionAttributeValues={":token": {"S": mark.token}},
            )

    def _read(self, **parameters: Any) -> Iterator[Mark]:
        while True:
            with guard.serving_system(), refusals_as_busy():
                answer = self._client.query(TableName=self._table, ConsistentRead=True, **parameters)
            yield from filter(None, map(self._to_mark, answer["Items"]))
            if "LastEvaluatedKey" not in answer:
                return
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _key(self, mark: Mark) -> stored_form.Item:
        return stored_form.key(keys.mark(self._kind, mark.tenant_id, *mark.name))

    def _to_mark(self, item: stored_form.Item) -> Mark | None:
        """Return a mark, or None for what is none: it must not keep the others from being seen."""
        try:
            tenant_id, *name = item["sk"]["S"].split("#")
            since, marked_at, token = int(item["since"]["N"]), int(item["marked_at"]["N"]), item["token"]["S"]
            if len(name) != len(self._kind.name_parts):
                raise ValueError("not a name of this kind")
        except (KeyError, ValueError) as error:
            logger.error("unreadable mark", extra={"error": type(error).__qualname__, "partition": item["pk"]["S"]})
            cloudwatch.count("UnreadableRecords", "operation", {"marks": 1})
            return None
        return Mark(tenant_id, tuple(name), since, marked_at, token)
