"""Read one page of a list from one or several partitions, and merge the incidents by id.

A partition is read in growing steps until the page is full. One request may read only a limited number of items. If few
items pass the filters, the request stops at this limit. Then it returns a short page, and the position up to which all
items were read. DynamoDB applies all filters except the words, because it cannot ignore the case of letters.

An incident may get another status between the queries of two statuses. Then no query finds it. So after the queries,
the reader searches the index ``by-updated`` for incidents that have just changed. It then reads the changed incidents
that the queries did not find.
"""

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from ..domain import timestamps
from ..domain.errors import Busy
from ..domain.model import LISTS, Incident
from ..domain.questions import FILTERS, Filters
from ..runtime import deadline
from . import keys, stored_form
from .dynamodb import refusals_as_busy
from .stored_form import Stored

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ITEMS_READ = 1_000
UNITS_READ = 128  # eventually consistent reads of 1 MB use this number of units
MOVED_READ = 100  # the most items that one BatchGetItem accepts
# Milliseconds from an incident's ``updated_at`` until the change is in the indexes. A slower change may be missed.
_ARRIVES_WITHIN = 3_000
_ATTEMPTS = 8


class Page(NamedTuple):
    """Incidents in order, and the id after which the next page continues. The id is None at the end of the list."""

    incidents: list[Incident]
    position: str | None


class PageRequest(NamedTuple):
    """A request for the incidents that pass the filters and have an id in the range ``ids``, both ends included."""

    filters: Filters
    ids: tuple[str, str]
    newest_first: bool


class OpenPartition:
    """One partition of the table or of an index, read in one direction."""

    def __init__(self, index: str | None, attribute: str, value: str, *, selected: str | None = None) -> None:
        self.index, self.attribute, self.value = index, attribute, value
        # The filter field that this partition already applies, or None. Its queries need no filter for this field.
        self.selected = selected
        self.waiting: list[Stored] = []  # the incidents that were read, but are not on a page yet
        self.reached: str | None = None  # the last id that was read
        self.ended = False

    def query(self, request: PageRequest, tenant_id: str, after: str | None) -> dict[str, Any]:
        """Return the parameters of the next query, except its limit."""
        filters, (first, last), newest_first = request
        sort_key = "id" if self.index else "sk"
        expression, names, values = filter_expression(filters, already_selected=self.selected)
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
            position = stored_form.key(keys.incident(tenant_id, start))
            parameters["ExclusiveStartKey"] = (
                {**position, self.attribute: {"S": self.value}, "id": {"S": start}} if self.index else position
            )
        return parameters


class PageReader:
    """A reader of one page of a tenant's list."""

    def __init__(self, client: "DynamoDBClient", table: str, tenant_id: str) -> None:
        self._client, self._table, self._tenant_id = client, table, tenant_id
        self._items_left, self._units_left = ITEMS_READ, float(UNITS_READ)

    def page(self, partitions: list[OpenPartition], request: PageRequest, limit: int, after: str | None) -> Page:
        """Return up to ``limit`` incidents of all partitions, in order, that come after the id ``after``."""
        since = timestamps.from_milliseconds(time.time_ns() // 1_000_000 - _ARRIVES_WITHIN)
        page = self._merged(partitions, request, limit, after)
        if len(partitions) == 1 or partitions[0].selected != "status":  # an incident never changes its application
            return page
        return self._with_moved(page, request, limit, after, since)

    def _merged(self, partitions: list[OpenPartition], request: PageRequest, limit: int, after: str | None) -> Page:
        newest_first = request.newest_first
        incidents: list[Incident] = []
        # Read one incident more than the limit, to know whether there is a next page. All partitions share this number.
        step = max(2, -(-(limit + 1) // max(1, len(partitions))))
        while True:
            open_ = [partition for partition in partitions if not partition.ended]
            unread = [partition for partition in open_ if partition.reached is None]
            if not unread:
                incidents += _in_order(partitions, open_, newest_first)
                if len(incidents) > limit:
                    return Page(incidents[:limit], incidents[limit - 1]["id"])
                if not open_:
                    return Page(incidents, None)
                if self._items_left <= 0 or self._units_left <= 0:
                    return Page(incidents, _least_advanced(open_, newest_first).reached)
                self._read(_least_advanced(open_, newest_first), step, request, after)
                step *= 2
            else:
                self._read(unread[0], step, request, after)

    def _with_moved(self, page: Page, request: PageRequest, limit: int, after: str | None, since: str) -> Page:
        """Add the incidents that have changed since a time, if they pass the filters and belong on the page.

        The page ends earlier if it would become too long, or if too many incidents have changed.
        """
        filters, (first, last), newest_first = request
        if newest_first:
            low, high = page.position or first, after or last
        else:
            low, high = after or first, page.position or last
        by_id = {incident["id"]: incident for incident in page.incidents}
        moved = sorted(
            (each for each in self._changed(since) if low <= each <= high and each != after and each not in by_id),
            reverse=newest_first,
        )
        position = page.position
        if len(moved) > MOVED_READ:
            moved = moved[:MOVED_READ]
            position = moved[-1]
        by_id |= {incident["id"]: incident for incident in self._incidents(moved) if filters.accepts(incident)}
        ids = sorted(by_id, reverse=newest_first)
        if position != page.position:
            ids = [each for each in ids if position is None or _up_to(each, position, newest_first)]
        if len(ids) > limit:
            ids = ids[:limit]
            position = ids[-1]
        return Page([by_id[each] for each in ids], position)

    def _changed(self, since: str) -> set[str]:
        """Return the ids of the incidents that have changed since a time. The set is empty if the index is missing."""
        parameters: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": keys.BY_UPDATED,
            "KeyConditionExpression": "pk = :pk AND updated_at >= :since",
            "ExpressionAttributeValues": {
                ":pk": {"S": keys.incident(self._tenant_id, "").pk}, ":since": {"S": since},
            },
        }  # fmt: skip
        ids: set[str] = set()
        while True:
            try:
                with refusals_as_busy():
                    answer = self._client.query(**parameters)
            except ClientError as error:
                if keys.BY_UPDATED in error.response["Error"].get("Message", ""):
                    return ids
                raise
            ids |= {entry["sk"]["S"] for entry in answer["Items"] if entry["version"]["N"] != "1"}  # 1 has not moved
            if "LastEvaluatedKey" not in answer:
                return ids
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _incidents(self, ids: list[str]) -> list[Incident]:
        """Return the incidents with these ids as they are now. Raises Busy."""
        wanted: Any = [stored_form.key(keys.incident(self._tenant_id, each)) for each in ids]
        incidents: list[Incident] = []
        for attempt in range(_ATTEMPTS):
            if not wanted:
                return incidents
            if attempt:
                deadline.pause(attempt, first=0.02, longest=0.5)
            with refusals_as_busy():
                answer: Any = self._client.batch_get_item(
                    RequestItems={self._table: {"Keys": wanted, "ConsistentRead": True}}
                )
            incidents += [stored_form.to_incident(item).incident for item in answer["Responses"].get(self._table, [])]
            wanted = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
        if wanted:
            raise Busy
        return incidents

    def _read(self, partition: OpenPartition, step: int, request: PageRequest, after: str | None) -> None:
        with refusals_as_busy():
            answer = self._client.query(
                TableName=self._table,
                Limit=max(1, min(step, self._items_left)) if self._units_left > 0 else 1,
                ReturnConsumedCapacity="TOTAL",
                **partition.query(request, self._tenant_id, after),
            )
        read = map(stored_form.to_incident, answer["Items"])
        partition.waiting += [stored for stored in read if request.filters.has_words(stored.incident)]
        self._items_left -= answer["ScannedCount"]
        self._units_left -= answer["ConsumedCapacity"]["CapacityUnits"]
        if last := answer.get("LastEvaluatedKey"):
            partition.reached = last["sk"]["S"]
        else:
            partition.ended = True


def id_range(filters: Filters) -> tuple[str, str]:
    """Return the first and the last possible id for the filter ``created``. An id begins with the time of creation."""
    first, last = (timestamps.to_milliseconds(end) for end in filters.created)
    return keys.ids_made_at(first)[0], keys.ids_made_at(last)[1]


def filter_expression(filters: Filters, *, already_selected: str | None) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Return a filter expression, its names and its values. They skip the filter that the partition selects.

    The placeholders are numbers, because DynamoDB limits an expression to 4096 bytes.
    """
    parts: list[str] = []
    names: dict[str, str] = {}
    values: dict[str, Any] = {}

    def name(field: str) -> str:
        names[place := f"#{len(names)}"] = field
        return place

    def value(text: str) -> str:
        values[place := f":{len(values)}"] = {"S": text}
        return place

    for filter_, accepted in filters.any_of.items():
        if filter_ == already_selected:
            continue
        field = FILTERS[filter_]
        compared, places = name(field), [value(text) for text in accepted]
        if field in LISTS:
            parts.append(f"({' OR '.join(f'contains({compared},{place})' for place in places)})")
        else:
            parts.append(f"{compared} IN ({','.join(places)})")
    if filters.detected:
        first, last = filters.detected
        parts.append(f"{name('detected_at')} BETWEEN {value(first)} AND {value(last)}")
    if filters.unowned is not None:
        parts.append(f"attribute_{'not_' if filters.unowned else ''}exists({name('owner_id')})")
    return " AND ".join(parts), names, values


def _least_advanced(partitions: list[OpenPartition], newest_first: bool) -> OpenPartition:
    def reached(partition: OpenPartition) -> str:
        return partition.reached or ""

    return max(partitions, key=reached) if newest_first else min(partitions, key=reached)


def _in_order(partitions: list[OpenPartition], open_: list[OpenPartition], newest_first: bool) -> list[Incident]:
    """Remove and return the waiting incidents that no unread incident can precede. The result is in order."""
    bound = _least_advanced(open_, newest_first).reached if open_ else None
    taken: dict[str, Stored] = {}
    for partition in partitions:
        ready = [
            stored
            for stored in partition.waiting
            if bound is None or _up_to(stored.incident["id"], bound, newest_first)
        ]
        partition.waiting = partition.waiting[len(ready) :]
        for stored in ready:
            # An incident that moves to another partition during the read may appear twice. Keep the newer version.
            other = taken.setdefault(stored.incident["id"], stored)
            if stored.version > other.version:
                taken[stored.incident["id"]] = stored
    return [taken[incident_id].incident for incident_id in sorted(taken, reverse=newest_first)]


def _up_to(incident_id: str, bound: str, newest_first: bool) -> bool:
    return incident_id >= bound if newest_first else incident_id <= bound
