"""One tenant's incidents in the table.

A repository has one identity, so no method takes a tenant or a partition key.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..domain import model, timestamps
from ..domain.errors import NumberTaken
from ..domain.identity import Identity
from ..domain.model import Change, Incident
from ..domain.questions import Filters
from . import keys, stored_form
from .dynamodb import ConditionFailed, only_under_its_condition, read_incident, refusals_as_busy, transact
from .page_reader import OpenPartition, Page, PageReader, PageRequest, id_range
from .stored_form import Stored

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ..domain.evidence import Evidence


_NUMBER = 2  # the position of the number's item in the transaction of a create
_COUNTS_SKIPPED = 1000  # the most numbers that one request skips; it reads up to 14 units


class KeyRecord(NamedTuple):
    """An idempotency record: a key, the hash of its request's body, and the incident that the request created.

    ``expires_at`` is in seconds since 1970.
    """

    key: str
    fingerprint: str
    expires_at: int
    incident_id: str = ""


class Sighting(NamedTuple):
    """The newest sighting of a finding.

    ``incident_id`` is the finding's newest incident. ``seen_at`` is the time of the newest accepted event. ``pages``
    are the received pages of that event. ``severity`` is the highest severity of all events. ``passed_at`` is the
    newest time at which the check passed. ``resolved_at`` is the newest time at which the hub reported it as resolved.
    ``events`` counts the events that created or confirmed the incident. The first ones are stored as evidence.
    """

    incident_id: str
    seen_at: str
    pages: frozenset[int]
    severity: str | None
    passed_at: str | None = None
    resolved_at: str | None = None
    events: int = 0


class ExtraWrite(NamedTuple):
    """A write or a check in a transaction, and the exception to raise if its condition fails."""

    write: dict[str, Any]
    on_conflict: type[Exception]


class KeyReserved(Exception):
    """Another create has reserved the idempotency key. This create wrote nothing."""


class SightingMoved(Exception):
    """Another event of the same finding was stored first. Nothing was written."""


class EvidenceThere(Exception):
    """The incident has this event as evidence already. Nothing was written."""


class StaleVersion(Exception):
    """The incident was changed after it was read. Nothing was written."""


class IncidentRepository:
    """The incidents that one caller may reach. A person reaches all of the tenant's, an application its own."""

    def __init__(self, identity: Identity, client: "DynamoDBClient", table_name: str) -> None:
        self.identity = identity
        self._tenant_id = identity.tenant_id
        self._client = client
        self._table = table_name

    def get(self, incident_id: str) -> Stored:
        """Return the latest state of an incident, deleted or not. Raises NotFound, also for a malformed id."""
        return read_incident(self._client, self._table, self.identity, incident_id)

    def page(self, filters: Filters, limit: int, *, newest_first: bool, after: str | None) -> Page:
        """Return up to ``limit`` incidents after the incident id ``after``.

        One request reads only a limited number of items. So the page is shorter if too few of these items pass the
        filters. The read is eventually consistent. It queries an index, or the table itself if deleted incidents are
        included.
        """
        ids = id_range(filters)
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
        if not all(filters.any_of.values()):  # two filters exclude each other: no value is accepted
            return Page([], None)
        reader = PageReader(self._client, self._table, self._tenant_id)
        return reader.page(self._partitions(filters), PageRequest(filters, ids, newest_first), limit, after)

    def changes(
        self, incident_id: str, limit: int, after_version: int, *, newest_before: int | None = None
    ) -> tuple[list[Change], bool]:
        """Return up to ``limit`` changes after a version, oldest first, and whether more follow. Raises NotFound.

        With ``newest_before``, only changes before this version count, and the newest are first.
        """
        self.get(incident_id)  # a caller who may not reach the incident may not reach its trail
        partition, start = keys.change(self._tenant_id, incident_id, after_version + 1)
        last = keys.change(self._tenant_id, incident_id, (newest_before or 10**10) - 1).sk
        with refusals_as_busy():
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues={":pk": {"S": partition}, ":first": {"S": start}, ":last": {"S": last}},
                ConsistentRead=True,
                ScanIndexForward=newest_before is None,
                Limit=limit + 1,
            )
        changes = [stored_form.to_change(item) for item in answer["Items"]]
        return changes[:limit], len(changes) > limit or "LastEvaluatedKey" in answer

    def create(
        self,
        incident: Incident,
        *extra_writes: ExtraWrite,
        dates: Mapping[str, str] | None = None,
        evidence: str | None = None,
    ) -> Stored:
        """Write the incident, its first change, its number and the extra writes in one transaction.

        If a finding creates the incident, ``dates`` names the field of the event from which each date was read, and
        ``evidence`` is the SHA-256 of the event. The first change stores both. Raises NumberTaken, Busy, or the
        ``on_conflict`` of an extra write.
        """
        self._require_own_tenant(incident)
        first = Change(1, incident["created_at"], incident["created_by"], "created", {}, dates, evidence)
        first = stored_form.chained(first, incident, None)
        item = stored_form.from_incident(incident) | stored_form.chain_head(first)
        # A new id never equals an existing id. The conditions are a second safeguard against an overwritten item.
        writes = [
            self._put(new, "attribute_not_exists(pk)")
            for new in (item, stored_form.from_change(incident, first), stored_form.number(incident))
        ]
        try:
            transact(self._client, [*writes, *(extra.write for extra in extra_writes)])
        except ConditionFailed as failed:
            _raise_on_conflict(failed, extra_writes, len(writes))
            if failed.places == [_NUMBER]:
                raise NumberTaken from failed
            raise
        return Stored(incident, item)

    def update(self, stored: Stored, incident: Incident, change: Change, *extra_writes: ExtraWrite) -> Stored:
        """Write the new values of ``incident``, the change and the extra writes in one transaction.

        Raises StaleVersion if the incident was changed after it was read, Busy, or the ``on_conflict`` of an extra
        write.
        """
        self._require_own_tenant(incident)
        change = stored_form.chained(change, incident, stored)
        item = stored_form.from_incident(incident) | stored_form.chain_head(change)
        changed, removed = stored_form.difference(stored.item, item)
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
        record = self._put(stored_form.from_change(incident, change), "attribute_not_exists(pk)")
        writes = [{"Update": update}, record]
        try:
            transact(self._client, [*writes, *(extra.write for extra in extra_writes)])
        except ConditionFailed as failed:
            _raise_on_conflict(failed, extra_writes, len(writes))
            raise StaleVersion from failed
        unknown = {name: attribute for name, attribute in stored.item.items() if name not in removed}
        return Stored(incident, unknown | item)

    def sighting(self, finding_key: str) -> Sighting | None:
        """Return the last sighting of a finding, or None."""
        item = self._item(keys.finding(self._tenant_id, finding_key))
        if item is None:
            return None
        pages = frozenset(int(page) for page in item["pages"]["NS"])
        severity, passed_at, resolved_at = (
            item[name]["S"] if name in item else None for name in ("severity", "passed_at", "resolved_at")
        )
        events = int(item["events"]["N"]) if "events" in item else 0  # release 0.1.0 did not count them
        return Sighting(item["incident_id"]["S"], item["seen_at"]["S"], pages, severity, passed_at, resolved_at, events)

    def sighting_write(self, finding_key: str, before: Sighting | None, now: Sighting) -> ExtraWrite:
        """Build the write that replaces the sighting ``before`` with ``now``. ``before`` is None for a new finding."""
        item = stored_form.key(keys.finding(self._tenant_id, finding_key)) | {
            "incident_id": {"S": now.incident_id},
            "seen_at": {"S": now.seen_at},
            "pages": _numbers(now.pages),
        }
        optional = {"severity": now.severity, "passed_at": now.passed_at, "resolved_at": now.resolved_at}
        item |= {name: {"S": value} for name, value in optional.items() if value}
        item |= {"events": {"N": str(now.events)}} if now.events else {}
        if before is None:
            return ExtraWrite(self._put(item, "attribute_not_exists(pk)"), SightingMoved)
        still_as_read = "incident_id = :incident_id AND seen_at = :seen_at AND pages = :pages"
        read = {
            ":incident_id": {"S": before.incident_id},
            ":seen_at": {"S": before.seen_at},
            ":pages": _numbers(before.pages),
        }
        for name, value in (("passed_at", before.passed_at), ("resolved_at", before.resolved_at)):
            still_as_read += f" AND {name} = :{name}" if value else f" AND attribute_not_exists({name})"
            read |= {f":{name}": {"S": value}} if value else {}
        still_as_read += " AND events = :events" if before.events else " AND attribute_not_exists(events)"
        read |= {":events": {"N": str(before.events)}} if before.events else {}
        return ExtraWrite(self._put(item, still_as_read, read), SightingMoved)

    def note_solved(self, finding_key: str, how: Literal["passed_at", "resolved_at"], at: str) -> None:
        """Store with a finding that its check passed, or that the hub resolved it, at a time. An older time is ignored.

        Raises Busy.
        """
        is_known = "attribute_exists(pk)"
        is_newer = f"(attribute_not_exists({how}) OR {how} < :at)"
        with only_under_its_condition():
            self._client.update_item(
                TableName=self._table,
                Key=stored_form.key(keys.finding(self._tenant_id, finding_key)),
                UpdateExpression=f"SET {how} = :at",
                ConditionExpression=f"{is_known} AND {is_newer}",
                ExpressionAttributeValues={":at": {"S": at}},
            )

    def evidence_write(self, incident_id: str, evidence: "Evidence") -> ExtraWrite:
        """Build the write that stores an event as evidence of an incident."""
        item = stored_form.from_evidence(self._tenant_id, incident_id, evidence)
        return ExtraWrite(self._put(item, "attribute_not_exists(pk)"), EvidenceThere)

    def unchanged_check(self, stored: Stored) -> ExtraWrite:
        """Build the check that nobody has changed an incident since it was read.

        A change is stored under the incident's new version. The check reads the place of the next change. This place is
        empty, so the check costs 2 write units. A check of the incident would cost 2 write units for each KB.
        """
        place = keys.change(self._tenant_id, stored.incident["id"], stored.version + 1)
        check = {
            "TableName": self._table, "Key": stored_form.key(place), "ConditionExpression": "attribute_not_exists(pk)",
        }  # fmt: skip
        return ExtraWrite({"ConditionCheck": check}, StaleVersion)

    def write(self, *extra_writes: ExtraWrite) -> None:
        """Execute extra writes without a create or an update, in one transaction.

        Raises Busy, or the ``on_conflict`` of a write.
        """
        try:
            transact(self._client, [extra.write for extra in extra_writes])
        except ConditionFailed as failed:
            _raise_on_conflict(failed, extra_writes, 0)
            raise

    def find_key(self, key: str, now: int) -> KeyRecord | None:
        """Return the record of an idempotency key, or None. An expired record that still exists counts as None."""
        item = self._item(self._key_of_record(key))
        if item is None or int(item["expires_at"]["N"]) <= now:
            return None
        return KeyRecord(key, item["fingerprint"]["S"], int(item["expires_at"]["N"]), item["incident_id"]["S"])

    def reserve_key(self, record: KeyRecord, incident: Incident) -> ExtraWrite:
        """Build the conditional put that reserves the idempotency key for this incident."""
        item = stored_form.key(self._key_of_record(record.key)) | {
            "incident_id": {"S": incident["id"]},
            "fingerprint": {"S": record.fingerprint},
            "expires_at": {"N": str(record.expires_at)},
        }
        never_sent = "attribute_not_exists(pk)"
        expired_but_not_swept = "expires_at <= :now"
        now = timestamps.to_milliseconds(incident["created_at"]) // 1000
        put = self._put(item, f"{never_sent} OR {expired_but_not_swept}", {":now": {"N": str(now)}})
        return ExtraWrite(put, KeyReserved)

    def next_count(self, year: int) -> int:
        """Return the next count of a year for an incident number. No two calls get the same count.

        An unused count leaves a gap. The counter is not updated in the transaction of the create, because then any two
        simultaneous creates of a tenant would conflict.
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
        """Raise the counter of a year so that later counts are above ``count``.

        An operator may have lowered the counter below a mistyped number. The numbers from there up to the counter at
        that time do not raise the counter again.
        """
        not_ignored = "attribute_not_exists(ignored_from) OR ignored_from > :count OR ignored_to < :count"
        self._raise_count(year, count, f" AND ({not_ignored})")

    def skip_counts(self, year: int, taken: int) -> None:
        """Raise the counter of a year past an existing number, and past the numbers that follow it without a gap.

        One call skips up to 1 000 numbers. The read is eventually consistent: the next create tries the number anyway.
        """
        first = keys.number(self._tenant_id, model.generated_number(year, taken))
        width = max(6, len(str(taken)))  # numbers with the same number of digits are in numeric order
        last = keys.number(self._tenant_id, model.generated_number(year, 10**width - 1))
        with refusals_as_busy():
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues={
                    ":pk": {"S": first.pk}, ":first": {"S": first.sk}, ":last": {"S": last.sk},
                },
                Limit=_COUNTS_SKIPPED,
            )  # fmt: skip
        end = taken
        for item in answer["Items"]:
            if item["sk"]["S"] == model.generated_number(year, end + 1):
                end += 1
        if end > taken:
            self._raise_count(year, end)

    def _raise_count(self, year: int, count: int, only_if: str = "") -> None:
        with only_under_its_condition():
            self._client.update_item(
                **self._counter(year),
                UpdateExpression="SET #count = :count",
                ConditionExpression=f"(attribute_not_exists(#count) OR #count < :count){only_if}",
                ExpressionAttributeValues={":count": {"N": str(count)}},
            )

    def _item(self, key: keys.Key) -> stored_form.Item | None:
        with refusals_as_busy():
            answer = self._client.get_item(
                TableName=self._table,
                Key=stored_form.key(key),
                ConsistentRead=True,  # a caller must see its own last write
            )
        return answer.get("Item")

    def _id_of(self, incident_number: str) -> str | None:
        item = self._item(keys.number(self._tenant_id, incident_number))
        return None if item is None else item["incident_id"]["S"]

    def _partitions(self, filters: Filters) -> list[OpenPartition]:
        """Return the smallest partitions that together hold every incident that passes the filters."""
        tenant = self._tenant_id
        if filters.include_deleted:
            return [OpenPartition(None, "pk", keys.incident(tenant, "").pk)]
        if apps := filters.any_of.get("app_id"):
            return [
                OpenPartition(keys.ACTIVE_BY_APP, "active_app_pk", keys.active_by_app(tenant, app), selected="app_id")
                for app in apps
            ]
        if statuses := filters.any_of.get("status"):
            return [
                OpenPartition(
                    keys.ACTIVE_BY_STATUS, "active_status_pk", keys.active_by_status(tenant, status), selected="status"
                )
                for status in statuses
            ]
        return [OpenPartition(keys.ACTIVE, "active_pk", keys.active(tenant))]

    def _put(self, item: stored_form.Item, condition: str, values: stored_form.Item | None = None) -> dict[str, Any]:
        put: dict[str, Any] = {"TableName": self._table, "Item": item, "ConditionExpression": condition}
        return {"Put": put | ({"ExpressionAttributeValues": values} if values else {})}

    def _key_of_record(self, key: str) -> keys.Key:
        return keys.idempotency(self._tenant_id, self.identity.app_id, "create_incident", key)

    def _counter(self, year: int) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": stored_form.key(keys.counter(self._tenant_id, year)),
            "ExpressionAttributeNames": {"#count": "count"},  # ``count`` is a reserved word of DynamoDB
        }

    def _require_own_tenant(self, incident: Incident) -> None:
        if incident["tenant_id"] != self._tenant_id:
            raise ValueError("the incident belongs to another tenant")


def _raise_on_conflict(failed: ConditionFailed, extra_writes: tuple[ExtraWrite, ...], first: int) -> None:
    for place, extra in enumerate(extra_writes, start=first):
        if place in failed.places:
            raise extra.on_conflict from failed


def _numbers(pages: frozenset[int]) -> stored_form.Attribute:
    return {"NS": [str(page) for page in sorted(pages)]}
