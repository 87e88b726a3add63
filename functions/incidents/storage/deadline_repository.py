"""The stored items for the deadlines of one tenant's incidents: heads, board rows and alerts.

A repository serves one tenant, so no method takes a tenant or a partition key. The head of an incident names its board
row and its alert. One transaction replaces the three items. Its condition is that the stored head still has the token
that was read:

    head, token A    board row    alert
      ●                ●            ●
      └── names ───────┴────────────┘        replace: put the new three and delete the old ones, if the token is still A

``DueAlerts`` reads the alerts of all tenants. The partitions of alerts belong to no tenant. So only the guard separates
the alerts of different tenants.
"""

import json
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from ..runtime import cloudwatch
from ..runtime.log import logger
from . import dynamodb, guard, keys, stored_form
from .dynamodb import ConditionFailed, refusals_as_busy, transact

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Overtaken(Exception):
    """Another run replaced the head after this run had read it. Nothing was written."""


class Head(NamedTuple):
    """The stored facts about one incident's deadlines. All times are texts of ``timestamps``.

    ``version`` is the version of the incident from which the head was computed. ``rules_version`` is the version of the
    rules. ``entry`` is the JSON text of the board entry, or None if the incident is not on the board. ``soonest`` is
    the date of the soonest open stage. For each watched date, ``kept`` has the kinds of alerts that are done.
    ``alert_at`` is the time at which the job must check the incident next.
    """

    version: int
    rules_version: str
    app_id: str | None
    entry: str | None
    soonest: str | None
    kept: Mapping[str, Sequence[str]]
    alert_at: str | None


class StoredHead(NamedTuple):
    """A head in the table, with the token of the write that stored it."""

    head: Head
    token: str


class DueAlert(NamedTuple):
    """An alert whose time has come. The job must check the incident."""

    at: str
    tenant_id: str
    incident_id: str


class DeadlineRepository:
    """The heads, board rows and alerts of one tenant."""

    def __init__(self, tenant_id: str, client: "DynamoDBClient", table_name: str) -> None:
        self._tenant_id = tenant_id
        self._client = client
        self._table = table_name

    def head(self, incident_id: str) -> StoredHead | None:
        """Return the head of an incident, or None if the incident has no head. The read is consistent. Raises Busy."""
        key = stored_form.key(keys.deadline_head(self._tenant_id, incident_id))
        with refusals_as_busy():
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return to_head(answer["Item"]) if "Item" in answer else None

    def replace(
        self,
        incident_id: str,
        before: StoredHead | None,
        after: Head | None,
        stray_alert_at: str | None = None,
        *,
        repairs: bool = False,
    ) -> StoredHead | None:
        """Replace the head, the board row and the alert of an incident in one transaction, and return the new head.

        If the new items equal the old items, the method writes nothing. With ``repairs``, it also writes equal items,
        because the row or the alert may be missing. ``stray_alert_at`` is the time of an alert that the run found. If
        the new head does not name this alert, the transaction also deletes it. Raises Overtaken or Busy.
        """
        old = None if before is None else before.head
        old_places, new_places = self._places(incident_id, old), self._places(incident_id, after)
        if stray_alert_at is not None:
            old_places[keys.alert(self._tenant_id, stray_alert_at, incident_id)] = {}
        gone = [key for key in old_places if key not in new_places]
        if old == after and not gone and not (repairs and after is not None):
            return before
        stored = None if after is None else StoredHead(after, str(uuid4()))
        at = keys.deadline_head(self._tenant_id, incident_id)
        unchanged: dict[str, Any] = {"TableName": self._table, "ConditionExpression": "attribute_not_exists(pk)"}
        if before is not None:
            unchanged |= {
                "ConditionExpression": "#token = :read",
                "ExpressionAttributeNames": {"#token": "token"},
                "ExpressionAttributeValues": {":read": {"S": before.token}},
            }
        if stored is not None:
            first = {"Put": unchanged | {"Item": stored_form.key(at) | _from_head(stored)}}
        else:
            first = {"Delete": unchanged | {"Key": stored_form.key(at)}}
        puts = [
            {"Put": {"TableName": self._table, "Item": stored_form.key(key) | item}}
            for key, item in new_places.items()
            if repairs or old_places.get(key) != item
        ]
        deletes = [{"Delete": {"TableName": self._table, "Key": stored_form.key(key)}} for key in gone]
        try:
            transact(self._client, [first, *puts, *deletes])
        except ConditionFailed as failed:
            raise Overtaken from failed
        return stored

    def _places(self, incident_id: str, head: Head | None) -> dict[keys.Key, stored_form.Item]:
        """Return the board row and the alert that belong to a head, by key. The items do not contain their keys."""
        places: dict[keys.Key, stored_form.Item] = {}
        if head is not None and head.entry is not None:
            row = {"entry": {"S": head.entry}}
            places[keys.board_row(self._tenant_id, head.soonest, incident_id)] = row | _app(head)
        if head is not None and head.alert_at is not None:
            places[keys.alert(self._tenant_id, head.alert_at, incident_id)] = {"tenant_id": {"S": self._tenant_id}}
        return places


class DueAlerts:
    """The alerts of all tenants."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table = table_name

    def in_turns(self, now: str, at_once: int) -> Iterator[DueAlert]:
        """Yield the alerts whose time is at most ``now``, oldest first in each shard.

        After ``at_once`` alerts of a tenant, yield the alerts of all other tenants first. The read is eventually
        consistent. If it misses a new alert, the next run finds this alert. Raises Busy.
        """
        pages: deque[dict[str, Any]] = deque(
            {
                "KeyConditionExpression": "pk = :pk AND sk <= :until",
                "ExpressionAttributeValues": {":pk": {"S": keys.alert_partition(shard)}, ":until": {"S": f"{now}#~"}},
            }
            for shard in range(keys.ALERT_SHARDS)
        )
        given: Counter[str] = Counter()
        later: list[DueAlert] = []
        while pages:
            page = pages.popleft()
            with guard.serving_system(), refusals_as_busy():
                answer = self._client.query(TableName=self._table, **page)
            if "LastEvaluatedKey" in answer:
                pages.append(page | {"ExclusiveStartKey": answer["LastEvaluatedKey"]})
            for alert in filter(None, (_to_alert(item["sk"]["S"]) for item in answer["Items"])):
                given[alert.tenant_id] += 1
                if given[alert.tenant_id] > at_once:
                    later.append(alert)
                else:
                    yield alert
        yield from later


def due_alerts() -> DueAlerts:
    """Return the alerts of all tenants."""
    return DueAlerts(dynamodb.client(), dynamodb.table_name())


def to_head(item: stored_form.Item) -> StoredHead:
    """Return the head in an item. Raises KeyError or ValueError if the item does not have the form of a head."""

    def text(name: str) -> str | None:
        return item[name]["S"] if name in item else None

    head = Head(
        version=int(item["version"]["N"]),
        rules_version=item["rules_version"]["S"],
        app_id=text("app_id"),
        entry=text("entry"),
        soonest=text("soonest"),
        kept=json.loads(item["kept"]["S"]),
        alert_at=text("alert_at"),
    )
    return StoredHead(head, item["token"]["S"])


def _from_head(stored: StoredHead) -> stored_form.Item:
    head = stored.head
    optional = {"entry": head.entry, "soonest": head.soonest, "alert_at": head.alert_at}
    return {
        "token": {"S": stored.token},
        "version": {"N": str(head.version)},
        "rules_version": {"S": head.rules_version},
        "kept": {"S": json.dumps(head.kept, separators=(",", ":"))},
        **{name: {"S": text} for name, text in optional.items() if text is not None},
        **_app(head),
    }


def _app(head: Head) -> stored_form.Item:
    return {} if head.app_id is None else {"app_id": {"S": head.app_id}}


def _to_alert(sort_key: str) -> DueAlert | None:
    """Return the alert in a sort key, or None for an unreadable key. An unreadable alert must not block others."""
    parts = keys.parts_of_alert(sort_key)
    if parts is None:
        logger.error("unreadable alert")
        cloudwatch.count("UnreadableRecords", "operation", {"alerts": 1})
        return None
    return DueAlert(*parts)
