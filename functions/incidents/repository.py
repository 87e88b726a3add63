"""One tenant's incidents in the table. Built for one identity: no method takes a tenant or a partition key."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from . import items, keys, timestamps
from .dynamodb import ConditionFailed, only_under_its_condition, refusals_as_busy, transact
from .errors import NotFound, NumberTaken
from .filters import Filters
from .identity import Identity
from .items import Stored
from .listing import Page, Partition, Reader, Selection
from .model import Change, Incident

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


_NUMBER = 2  # its place in the transaction of a create


class Claim(NamedTuple):
    """An idempotency key and what it stands for. ``expires_at`` is in seconds since 1970."""

    key: str
    fingerprint: str
    expires_at: int
    incident_id: str = ""


class Sighting(NamedTuple):
    """What is known of a finding that became an incident: the newest, if there were several.

    ``seen_at`` is the time of the newest event that counted, ``pages`` are its parts that came, ``severity`` is the
    highest that any event gave.
    """

    incident_id: str
    seen_at: str
    pages: frozenset[int]
    severity: str | None


class Beside(NamedTuple):
    """A write that goes with a create or an update, all or nothing, and what to raise where its condition fails."""

    write: dict[str, Any]
    refused: type[Exception]


class KeyClaimed(Exception):
    """Another create holds the idempotency key; this one wrote nothing."""


class SightingMoved(Exception):
    """Another event of the same finding came in between; nothing was written."""


class StaleVersion(Exception):
    """The incident has moved on since it was read; nothing was written."""


class IncidentRepository:
    """The incidents that one caller may reach: its tenant's, and of these an application reaches its own."""

    def __init__(self, identity: Identity, client: "DynamoDBClient", table_name: str) -> None:
        self.identity = identity
        self._tenant_id = identity.tenant_id
        self._client = client
        self._table = table_name

    def get(self, incident_id: str) -> Stored:
        """Return the incident as its last write left it, deleted or not. Raises NotFound, also for no id at all."""
        if not keys.INCIDENT_ID.fullmatch(incident_id):
            raise NotFound
        item = self._item(keys.incident(self._tenant_id, incident_id))
        if item is None:
            raise NotFound
        stored = items.to_incident(item)
        if self.identity.app_id is not None and stored.incident.get("app_id") != self.identity.app_id:
            raise NotFound
        return stored

    def page(self, filters: Filters, limit: int, *, newest_first: bool, after: str | None) -> Page:
        """Return up to ``limit`` incidents, from behind the incident id ``after``.

        Fewer come back where filters leave little of what one request may read. Eventually consistent, as every index
        is; with deleted incidents it is the table itself that is read.
        """
        ids = filters.id_range()
        if filters.incident_number is not None:
            incident_id = self._id_of(filters.incident_number)
            if incident_id is None or not ids[0] <= incident_id <= ids[1]:
                return Page([], None)
            ids = (incident_id, incident_id)
        own = self.identity.app_id
        if own is not None:
            if own not in filters.any_of.get("app_id", (own,)):
                return Page([], None)
            filters = filters._replace(any_of={**filters.any_of, "app_id": (own,)})
        reader = Reader(self._client, self._table, self._tenant_id)
        return reader.page(self._partitions(filters), Selection(filters, ids, newest_first), limit, after)

    def changes(self, incident_id: str, limit: int, after_version: int) -> tuple[list[Change], bool]:
        """Return up to ``limit`` changes behind a version, oldest first, and whether more follow. Raises NotFound."""
        self.get(incident_id)  # who may not reach the incident may not reach its history
        partition, start = keys.change(self._tenant_id, incident_id, after_version + 1)
        last = keys.change(self._tenant_id, incident_id, 10**10 - 1).sk
        with refusals_as_busy():
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues={":pk": {"S": partition}, ":first": {"S": start}, ":last": {"S": last}},
                ConsistentRead=True,
                Limit=limit + 1,
            )
        found = [items.to_change(item) for item in answer["Items"]]
        return found[:limit], len(found) > limit or "LastEvaluatedKey" in answer

    def create(self, incident: Incident, *beside: Beside, dates: Mapping[str, str] | None = None) -> Stored:
        """Write the incident, its change 1, its number and what goes beside them: all or nothing.

        ``dates`` say where a finding's dates were read, for change 1. Raises NumberTaken, Busy, or what a write beside
        is refused with.
        """
        self._check_tenant(incident)
        first = Change(1, incident["created_at"], incident["created_by"], "created", {}, dates)
        item = items.from_incident(incident, 1)
        # A fresh id cannot meet another; the conditions make sure that whatever happens, nothing is overwritten.
        writes = [
            self._put(new, "attribute_not_exists(pk)")
            for new in (item, items.from_change(incident, first), items.number(incident))
        ]
        try:
            transact(self._client, [*writes, *(one.write for one in beside)])
        except ConditionFailed as failed:
            _raise_refused(failed, beside, len(writes))
            if failed.places == [_NUMBER]:
                raise NumberTaken from failed
            raise
        return Stored(incident, 1, item)

    def update(self, stored: Stored, incident: Incident, change: Change, *beside: Beside) -> Stored:
        """Write what differs between ``stored`` and ``incident``, the change, and what goes beside: all or nothing.

        Raises StaleVersion if the incident is no longer what was read, Busy, or what a write beside is refused with.
        """
        self._check_tenant(incident)
        item = items.from_incident(incident, change.version)
        changed, removed = items.difference(stored.item, item)
        place = {name: str(n) for n, name in enumerate((*changed, *removed))}
        expression = "SET " + ", ".join(f"#{place[name]} = :{place[name]}" for name in changed)
        if removed:
            expression += " REMOVE " + ", ".join(f"#{place[name]}" for name in removed)
        values = {f":{place[name]}": attribute for name, attribute in changed.items()}
        still_as_read = "#version = :read"
        update = {
            "TableName": self._table,
            "Key": {"pk": item["pk"], "sk": item["sk"]},
            "UpdateExpression": expression,
            "ConditionExpression": still_as_read,
            "ExpressionAttributeNames": {f"#{n}": name for name, n in place.items()} | {"#version": "version"},
            "ExpressionAttributeValues": values | {":read": {"N": str(stored.version)}},
        }
        record = self._put(items.from_change(incident, change), "attribute_not_exists(pk)")
        writes = [{"Update": update}, record]
        try:
            transact(self._client, [*writes, *(one.write for one in beside)])
        except ConditionFailed as failed:
            _raise_refused(failed, beside, len(writes))
            raise StaleVersion from failed
        unknown = {name: attribute for name, attribute in stored.item.items() if name not in removed}
        return Stored(incident, change.version, unknown | item)

    def sighting(self, finding_key: str) -> Sighting | None:
        """Return what is known of a finding, or None."""
        item = self._item(keys.finding(self._tenant_id, finding_key))
        if item is None:
            return None
        severity = item.get("severity")
        pages = frozenset(int(page) for page in item["pages"]["NS"])
        return Sighting(item["incident_id"]["S"], item["seen_at"]["S"], pages, severity["S"] if severity else None)

    def sight(self, finding_key: str, before: Sighting | None, now: Sighting) -> Beside:
        """Return the write that a finding is known as ``now``, which was known as ``before`` until then."""
        item = items.key(keys.finding(self._tenant_id, finding_key)) | {
            "incident_id": {"S": now.incident_id},
            "seen_at": {"S": now.seen_at},
            "pages": _numbers(now.pages),
            **({"severity": {"S": now.severity}} if now.severity else {}),
        }
        if before is None:
            return Beside(self._put(item, "attribute_not_exists(pk)"), SightingMoved)
        still_as_read = "incident_id = :incident_id AND seen_at = :seen_at AND pages = :pages"
        read = {
            ":incident_id": {"S": before.incident_id},
            ":seen_at": {"S": before.seen_at},
            ":pages": _numbers(before.pages),
        }
        return Beside(self._put(item, still_as_read, read), SightingMoved)

    def write(self, beside: Beside) -> None:
        """Write what otherwise goes beside an incident, alone. Raises Busy, or what it is refused with."""
        try:
            transact(self._client, [beside.write])
        except ConditionFailed as failed:
            raise beside.refused from failed

    def claimed(self, key: str, now: int) -> Claim | None:
        """Return who holds an idempotency key. What has expired and TTL has not swept yet counts as absent."""
        item = self._item(self._claim_key(key))
        if item is None or int(item["expires_at"]["N"]) <= now:
            return None
        return Claim(key, item["fingerprint"]["S"], int(item["expires_at"]["N"]), item["incident_id"]["S"])

    def claim(self, claim: Claim, incident: Incident) -> Beside:
        """Return the write that an idempotency key stands for this incident, unless somebody holds it."""
        item = items.key(self._claim_key(claim.key)) | {
            "incident_id": {"S": incident["id"]},
            "fingerprint": {"S": claim.fingerprint},
            "expires_at": {"N": str(claim.expires_at)},
        }
        never_sent = "attribute_not_exists(pk)"
        expired_but_not_swept = "expires_at <= :now"
        now = timestamps.to_milliseconds(incident["created_at"]) // 1000
        put = self._put(item, f"{never_sent} OR {expired_but_not_swept}", {":now": {"N": str(now)}})
        return Beside(put, KeyClaimed)

    def next_count(self, year: int) -> int:
        """Draw the next count of a year. Whoever draws gets its own; one that is not used is a gap.

        Outside the create's transaction, where every two creates of a tenant would conflict over it.
        """
        with refusals_as_busy():
            answer = self._client.update_item(
                **self._counter(year),
                UpdateExpression="ADD #count :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
            )
        return int(answer["Attributes"]["count"]["N"])

    def raise_count(self, year: int, count: int) -> None:
        """Make sure that the counts drawn from now on are above ``count``."""
        never_drawn = "attribute_not_exists(#count)"
        still_below = "#count < :count"
        with only_under_its_condition():
            self._client.update_item(
                **self._counter(year),
                UpdateExpression="SET #count = :count",
                ConditionExpression=f"{never_drawn} OR {still_below}",
                ExpressionAttributeValues={":count": {"N": str(count)}},
            )

    def _item(self, key: keys.Key) -> items.Item | None:
        with refusals_as_busy():
            answer = self._client.get_item(
                TableName=self._table,
                Key=items.key(key),
                ConsistentRead=True,  # who has just written must see it
            )
        return answer.get("Item")

    def _id_of(self, incident_number: str) -> str | None:
        item = self._item(keys.number(self._tenant_id, incident_number))
        return None if item is None else item["incident_id"]["S"]

    def _partitions(self, filters: Filters) -> list[Partition]:
        """Choose what to read: the smallest partitions that hold everything the filters let through."""
        tenant = self._tenant_id
        if filters.include_deleted:
            return [Partition(None, "pk", keys.incident(tenant, "").pk)]
        if apps := filters.any_of.get("app_id"):
            return [
                Partition(keys.ACTIVE_BY_APP, "active_app_pk", keys.active_by_app(tenant, app), selected="app_id")
                for app in apps
            ]
        if statuses := filters.any_of.get("status"):
            return [
                Partition(
                    keys.ACTIVE_BY_STATUS, "active_status_pk", keys.active_by_status(tenant, one), selected="status"
                )
                for one in statuses
            ]
        return [Partition(keys.ACTIVE, "active_pk", keys.active(tenant))]

    def _put(self, item: items.Item, condition: str, values: items.Item | None = None) -> dict[str, Any]:
        put: dict[str, Any] = {"TableName": self._table, "Item": item, "ConditionExpression": condition}
        return {"Put": put | ({"ExpressionAttributeValues": values} if values else {})}

    def _claim_key(self, key: str) -> keys.Key:
        return keys.idempotency(self._tenant_id, self.identity.app_id, "create_incident", key)

    def _counter(self, year: int) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": items.key(keys.counter(self._tenant_id, year)),
            "ExpressionAttributeNames": {"#count": "count"},  # a reserved word
        }

    def _check_tenant(self, incident: Incident) -> None:
        if incident["tenant_id"] != self._tenant_id:
            raise ValueError("an incident of another tenant")


def _raise_refused(failed: ConditionFailed, beside: tuple[Beside, ...], first: int) -> None:
    for place, one in enumerate(beside, start=first):
        if place in failed.places:
            raise one.refused from failed


def _numbers(pages: frozenset[int]) -> items.Attribute:
    return {"NS": [str(page) for page in sorted(pages)]}
