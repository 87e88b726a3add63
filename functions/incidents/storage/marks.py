"""Marks: items that say "compute this again". Marks belong to no tenant.

The guard separates marks from the items of tenants.

A function that sees a change sets a mark. A job computes the result and removes the mark. Each time a mark is set, the
mark gets a new token. The job reads the mark before the data, and removes the mark only if the token is unchanged. So a
change during the computation is never lost:

    follow_incidents   mark, token A                  mark again, token B
    ──────────────────────●────────────────────────────────●───────────────────────────────────────▶ time
    compute_metrics              read the mark (A)     compute     remove if A: it is B, so it stays

Marks can be used for every result that is computed from incidents. Each kind of mark is a ``keys.MarkKind``.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import uuid4

from ..domain import model
from ..runtime import cloudwatch
from ..runtime.log import logger
from . import dynamodb, guard, keys, stored_form
from .dynamodb import only_under_its_condition, refusals_as_busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


_SET = "SET since = if_not_exists(since, :now), marked_at = :now, #token = :token"
Outcome = Literal["settling", "unsettled", "computed"]


class Mark(NamedTuple):
    """A mark of one tenant. All times are in milliseconds since 1970.

    ``name`` identifies the marked subject, such as (kind, day) for a day's metrics. ``marked_at`` is the time at which
    the mark was last set, and ``token`` is from that time. ``since`` is the time at which the mark was first set. If a
    job computes the subject and keeps the mark, ``since`` becomes the time of the computation.
    """

    tenant_id: str
    name: tuple[str, ...]
    since: int
    marked_at: int
    token: str


def metric_days() -> "Marks":
    """Return the marks of the days whose metrics must be computed again."""
    return Marks(keys.METRIC_DAYS, dynamodb.client(), dynamodb.table_name())


def deadlines() -> "Marks":
    """Return the marks of the incidents whose deadlines must be computed again."""
    return Marks(keys.DEADLINES, dynamodb.client(), dynamodb.table_name())


def seals() -> "Marks":
    """Return the marks of the tenants whose histories must be sealed."""
    return Marks(keys.SEALS, dynamodb.client(), dynamodb.table_name())


class Marks:
    """All marks of one kind, for all tenants."""

    def __init__(self, kind: keys.MarkKind, client: "DynamoDBClient", table_name: str) -> None:
        self._kind = kind
        self._client = client
        self._table = table_name

    def mark(self, tenant_id: str, *name: str, now: int, apps: Collection[str] = ()) -> None:
        """Set a mark of a tenant, or set it again. Raises Busy.

        ``apps`` are the applications whose incidents changed. The mark collects them. An application's answer uses the
        mark only if the mark names the application.
        """
        update, values = _SET, dict[str, Any]({":now": {"N": str(now)}, ":token": {"S": str(uuid4())}})
        if apps:
            update += " ADD apps :apps"
            values[":apps"] = {"SS": sorted(apps)}
        with guard.serving_system(), refusals_as_busy():
            self._client.update_item(
                TableName=self._table,
                Key=stored_form.key(keys.mark(self._kind, tenant_id, *name)),
                UpdateExpression=update,
                ExpressionAttributeNames={"#token": "token"},  # ``token`` is a reserved word of DynamoDB
                ExpressionAttributeValues=values,
            )

    def work_off(self, mark: Mark, settle_ms: int, compute: Callable[[int], None]) -> Outcome:
        """Compute the marked subject, remove the mark if possible, and return the outcome.

        ``compute`` receives a time before all its reads, in milliseconds since 1970. The outcomes are:

        - ``settling``: Nothing was computed, because the mark is younger than ``settle_ms`` milliseconds. The index may
          not show the reported change yet.
        - ``unsettled``: The subject was computed. The mark stays, because it was set again in the last ``settle_ms``.
        - ``computed``: The subject was computed. The mark was removed, unless it was set again in the meantime.

        Raises Busy, and the errors of ``compute``.
        """
        now = time.time_ns() // 1_000_000
        # abs() is for a mark from a clock that was far ahead. Without abs(), the work would wait until that time.
        if abs(now - mark.since) < settle_ms:
            return "settling"
        compute(now)
        if abs(now - mark.marked_at) < settle_ms:
            self._wait_again(mark, now)
            return "unsettled"
        self._unmark(mark)
        return "computed"

    def of_tenant(
        self, tenant_id: str, first_name: tuple[str, ...] = (), last_name: tuple[str, ...] = ("~",)
    ) -> Iterator[Mark]:
        """Yield a tenant's marks with names from ``first_name`` to ``last_name``, both included. Raises Busy."""
        first, last = (keys.mark(self._kind, tenant_id, *name) for name in (first_name, last_name))
        yield from self._read(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={":pk": {"S": first.pk}, ":first": {"S": first.sk}, ":last": {"S": last.sk}},
        )

    def of_all_tenants(self) -> Iterator[Mark]:
        """Yield every mark, tenant by tenant. Raises Busy."""
        for partition in self._partitions():
            yield from self._read(
                KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": partition}}
            )

    def by_tenant(self, at_once: int) -> Iterator[list[Mark]]:
        """Yield pages of marks with at least the first ``at_once`` marks of each tenant. Raises Busy.

        If a page has marks of one tenant only, skip the tenant's other marks. So a tenant with a million marks takes no
        more time than one with ``at_once`` marks. Marks of a tenant can be in two consecutive pages. The order of the
        shards is random. So runs that end early do not always leave out the same tenants.
        """
        for partition in random.sample(self._partitions(), self._kind.shards):
            first = "!"
            while first:
                page, reached = self._page(partition, first, "~", at_once)
                first = f"{reached}!" if reached else ""
                if reached and page and page[0].tenant_id == (tenant_id := keys.tenant_of_mark(reached)):
                    first = max(first, keys.marks_of_tenant(self._kind, tenant_id)[1].sk)
                yield page

    def in_turns(self, at_once: int) -> Iterator[Mark]:
        """Yield all marks. After ``at_once`` marks of a tenant, yield marks of other tenants first. Raises Busy.

        The method reads marks only when the caller needs them. So if a run ends early, it has not read the other marks.
        """
        ranges = deque((partition, "!", "~") for partition in self._partitions())
        while ranges:
            partition, first, last = ranges.popleft()
            page, reached = self._page(partition, first, last, at_once)
            if reached:
                tenant_id, after = keys.tenant_of_mark(reached), f"{reached}!"
                end_of_tenant = keys.marks_of_tenant(self._kind, tenant_id)[1].sk if tenant_id else after
                # Read the marks of the shard's other tenants first, and then the remaining marks of this tenant.
                rest = ((end_of_tenant, last), (after, end_of_tenant))
                ranges += [(partition, start, end) for start, end in rest if start < end]
            yield from page

    def _page(self, partition: str, first: str, last: str, at_once: int) -> tuple[list[Mark], str]:
        """Return the first marks between two sort keys, and the sort key at which the page ends.

        The sort key is "" if the page has the last mark of the range. Raises Busy.
        """
        with guard.serving_system(), refusals_as_busy():
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues={":pk": {"S": partition}, ":first": {"S": first}, ":last": {"S": last}},
                ConsistentRead=True,
                Limit=at_once,
            )
        reached = answer["LastEvaluatedKey"]["sk"]["S"] if "LastEvaluatedKey" in answer else ""
        return [*filter(None, map(self._to_mark, answer["Items"]))], reached

    def _partitions(self) -> list[str]:
        return [keys.mark_partition(self._kind, shard) for shard in range(self._kind.shards)]

    def _wait_again(self, mark: Mark, now: int) -> None:
        """Restart the waiting time of a mark that stays after its computation. Raises Busy."""
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
        """Remove a mark, unless it was set again after it was read. Raises Busy."""
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
        """Return the mark in an item, or None for an unreadable item. An unreadable mark must not block other marks."""
        try:
            tenant_id, *name = item["sk"]["S"].split("#")
            since, marked_at, token = int(item["since"]["N"]), int(item["marked_at"]["N"]), item["token"]["S"]
            if len(name) != len(self._kind.name_parts) or not model.TENANT_ID.fullmatch(tenant_id):
                raise ValueError("the mark's name has another form")
        except (KeyError, ValueError) as error:
            logger.error("unreadable mark", extra={"error": type(error).__qualname__, "partition": item["pk"]["S"]})
            cloudwatch.count("UnreadableRecords", "operation", {"marks": 1})
            return None
        return Mark(tenant_id, tuple(name), since, marked_at, token)
