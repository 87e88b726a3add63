"""Reading a list: from one partition or from several, merged by id, within a bound on what one request reads.

A partition is read in growing steps until the page is full. Where filters leave little, a request stops at the bound
and answers with a short page and the position up to which everything has been read.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from . import items, keys
from .dynamodb import refusals_as_busy
from .filters import Filters
from .items import Stored
from .model import Incident

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ITEMS_READ = 1_000
UNITS_READ = 128  # 1 MB, eventually consistent


class Page(NamedTuple):
    """Some incidents in order, and the id behind which to go on; None at the end of the list."""

    incidents: list[Incident]
    position: str | None


class Selection(NamedTuple):
    """What a list shows, in which direction: incidents that pass the filters, with ids in a range, ends included."""

    filters: Filters
    ids: tuple[str, str]
    newest_first: bool


class Partition:
    """One partition of the table or of an index, read in one direction."""

    def __init__(self, index: str | None, attribute: str, value: str, *, selected: str | None = None) -> None:
        self.index, self.attribute, self.value = index, attribute, value
        self.selected = selected  # the field whose filter the choice of this partition has already answered
        self.waiting: list[Stored] = []  # read, and not yet shown
        self.reached: str | None = None  # the last id that was looked at
        self.ended = False

    def query(self, selection: Selection, tenant_id: str, after: str | None) -> dict[str, Any]:
        """Return the parameters of the next query, but for its limit."""
        filters, (first, last), newest_first = selection
        sort_key = "id" if self.index else "sk"
        expression, names, values = filters.expression(already_selected=self.selected)
        parameters: dict[str, Any] = {
            "KeyConditionExpression": "#partition = :partition AND #id BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#partition": self.attribute, "#id": sort_key} | names,
            "ExpressionAttributeValues": values
            | {":partition": {"S": self.value}, ":first": {"S": first}, ":last": {"S": last}},
            "ScanIndexForward": not newest_first,
        }
        if self.index:
            parameters["IndexName"] = self.index
        if expression:
            parameters["FilterExpression"] = expression
        if start := self.reached or after:
            position = items.key(keys.incident(tenant_id, start))
            parameters["ExclusiveStartKey"] = (
                {**position, self.attribute: {"S": self.value}, "id": {"S": start}} if self.index else position
            )
        return parameters


class Reader:
    """Reads one page of a tenant's list."""

    def __init__(self, client: "DynamoDBClient", table: str, tenant_id: str) -> None:
        self._client, self._table, self._tenant_id = client, table, tenant_id
        self._items_left, self._units_left = ITEMS_READ, float(UNITS_READ)

    def page(self, partitions: list[Partition], selection: Selection, limit: int, after: str | None) -> Page:
        """Return up to ``limit`` incidents of all partitions, in order, from behind the id ``after``."""
        newest_first = selection.newest_first
        found: list[Incident] = []
        # One more than wanted tells whether there is a next page, without an empty last one. Several share it.
        step = max(2, -(-(limit + 1) // max(1, len(partitions))))
        while True:
            open_ = [partition for partition in partitions if not partition.ended]
            unread = [partition for partition in open_ if partition.reached is None]
            if not unread:
                found += _in_order(partitions, open_, newest_first)
                if len(found) > limit:
                    return Page(found[:limit], found[limit - 1]["id"])
                if not open_:
                    return Page(found, None)
                if self._items_left <= 0 or self._units_left <= 0:
                    return Page(found, _least_advanced(open_, newest_first).reached)
                self._read(_least_advanced(open_, newest_first), step, selection, after)
                step *= 2
            else:
                self._read(unread[0], step, selection, after)

    def _read(self, partition: Partition, step: int, selection: Selection, after: str | None) -> None:
        with refusals_as_busy():
            answer = self._client.query(
                TableName=self._table,
                Limit=max(1, min(step, self._items_left)) if self._units_left > 0 else 1,
                ReturnConsumedCapacity="TOTAL",
                **partition.query(selection, self._tenant_id, after),
            )
        partition.waiting += [items.to_incident(item) for item in answer["Items"]]
        self._items_left -= answer["ScannedCount"]
        self._units_left -= answer["ConsumedCapacity"]["CapacityUnits"]
        if last := answer.get("LastEvaluatedKey"):
            partition.reached = last["sk"]["S"]
        else:
            partition.ended = True


def _least_advanced(partitions: list[Partition], newest_first: bool) -> Partition:
    def reached(partition: Partition) -> str:
        return partition.reached or ""

    return max(partitions, key=reached) if newest_first else min(partitions, key=reached)


def _in_order(partitions: list[Partition], open_: list[Partition], newest_first: bool) -> list[Incident]:
    """Take from all partitions what nothing that is still unread can come before."""
    bound = _least_advanced(open_, newest_first).reached if open_ else None
    taken: dict[str, Stored] = {}
    for partition in partitions:
        ready = [one for one in partition.waiting if bound is None or _up_to(one.incident["id"], bound, newest_first)]
        partition.waiting = partition.waiting[len(ready) :]
        for one in ready:
            # An incident that moves between two partitions while they are read stands in both: its newer state counts.
            other = taken.setdefault(one.incident["id"], one)
            if one.version > other.version:
                taken[one.incident["id"]] = one
    return [taken[incident_id].incident for incident_id in sorted(taken, reverse=newest_first)]


def _up_to(incident_id: str, bound: str, newest_first: bool) -> bool:
    return incident_id >= bound if newest_first else incident_id <= bound
