"""The table's keys, as pure functions. No other module builds a key.

This is the table. ``<t>`` is the tenant's id, which cannot contain ``#``. Each kind of item has its own partition key,
so that a role can be limited to the kinds that it needs.

| item            | pk                       | sk                              | written by               |
|-----------------|--------------------------|---------------------------------|--------------------------|
| incident        | TENANT#<t>#INCIDENT      | <incident id>                   | every change             |
| change          | TENANT#<t>#CHANGE        | <incident id>#<version>         | every change             |
| number          | TENANT#<t>#NUMBER        | <incident number>               | create                   |
| idempotency     | TENANT#<t>#IDEMPOTENCY   | <sha256(app, operation, key)>   | create that has a key    |
| counter         | TENANT#<t>#COUNTER       | <year>                          | create, in advance       |
| finding         | TENANT#<t>#FINDING       | <sha256(canonical key)>         | intake                   |
| evidence        | TENANT#<t>#EVIDENCE      | <incident id>#<time>#<hash>     | intake                   |
| settings        | TENANT#<t>#SETTINGS      | <name>                          | an operator              |
| version         | TENANT#<t>#SETTINGS      | <name>#<version>                | an operator              |
| bucket          | TENANT#<t>#METRIC        | <ALL or APP#<app>>#<kind>#<day> | metrics job              |
| part            | TENANT#<t>#METRIC        | <bucket's sk>#<read_from>#<n>   | metrics job, if needed   |
| metric day      | TENANT#<t>#METRIC        | DAY#<kind>#<day>                | metrics job              |
| head            | TENANT#<t>#DEADLINE      | OF#<incident id>                | announce_deadlines       |
| board row       | TENANT#<t>#DEADLINE      | DUE#<time or ~>#<incident id>   | announce_deadlines       |
| alert           | ALERTDUE#<shard>         | <time>#<t>#<incident id>        | announce_deadlines       |
| marked incident | DEADLINEDUE#<shard>      | <t>#<incident id>               | follow_incidents         |
| marked day      | METRICDUE#<shard>        | <t>#<kind>#<day>                | follow_incidents         |
| marked tenant   | SEALDUE#<shard>          | <t>                             | follow_incidents         |
| account         | ACCOUNTS                 | <AWS account id>                | an operator              |
| producer        | ACCOUNTS                 | <AWS account id>#<event source> | an operator              |

``settings`` is the item of a tenant's current settings with one name. Each write also stores a version, which has the
value, the author and the time.

An incident with deadlines has one head, at most one board row and at most one alert. The head names the row and the
alert, and one transaction replaces the three items. The time of a board row is the date of the incident's soonest open
stage. The time of an alert is the time at which the job must check the incident next.

The last six kinds belong to the system, not to a tenant. ``ACCOUNTS`` is the account map: the tenants of AWS accounts
and of producers. ``METRICDUE#<shard>`` has marks for the days whose metrics must be computed again.
``DEADLINEDUE#<shard>`` has marks for the incidents whose deadlines must be computed again. ``SEALDUE#<shard>`` has
marks for the tenants whose histories must be sealed.

These are the indexes. Each index but the last is sorted by the incident's id, and therefore by the time of creation. An
incident without the index's attribute is not in the index.

| index            | attribute          | value                        | the attribute exists while             |
|------------------|--------------------|------------------------------|----------------------------------------|
| active           | active_pk          | TENANT#<t>                   | not deleted                            |
| active-by-status | active_status_pk   | TENANT#<t>#STATUS#<status>   | not deleted                            |
| active-by-app    | active_app_pk      | TENANT#<t>#APP#<app>         | not deleted, created by an application |
| by-detected-day  | detected_day_pk    | TENANT#<t>#DETECTED#<day>    | detected_at is set                     |
| by-closed-day    | closed_day_pk      | TENANT#<t>#CLOSED#<day>      | closed_at is set                       |
| by-updated       | pk                 | TENANT#<t>#INCIDENT          | always; sorted by updated_at           |

The day indexes also contain deleted and dismissed incidents, because the metrics report how many are excluded.
``by-updated`` uses only attributes that incidents already have. So an old table fills it without new writes. Only
incidents have the attribute ``updated_at``. So no other kind of item is in this index, and no other kind may get this
attribute.
"""

import json
from hashlib import sha256
from typing import NamedTuple

from ..domain.model import Incident

ACTIVE = "active"
ACTIVE_BY_STATUS = "active-by-status"
ACTIVE_BY_APP = "active-by-app"
BY_DETECTED_DAY = "by-detected-day"
BY_CLOSED_DAY = "by-closed-day"
BY_UPDATED = "by-updated"
INDEXES = (ACTIVE, ACTIVE_BY_STATUS, ACTIVE_BY_APP, BY_DETECTED_DAY, BY_CLOSED_DAY, BY_UPDATED)

# Each tenant has one partition for each kind.
KINDS = (
    "INCIDENT", "CHANGE", "NUMBER", "COUNTER", "IDEMPOTENCY", "FINDING", "EVIDENCE", "SETTINGS", "METRIC", "DEADLINE"
)  # fmt: skip
EVIDENCE_DIGITS = 32  # a key has 128 bits of the hash, so that hash and time fit into a cursor
_BASE_32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # the digits of Crockford's Base 32


class Key(NamedTuple):
    """The primary key of one item."""

    pk: str
    sk: str


class MarkKind(NamedTuple):
    """A kind of mark. ``partition`` is the prefix of its partition keys, and ``name_parts`` are the parts of a name.

    Each of the ``shards`` is one partition, which accepts 1 000 marks a second.
    """

    partition: str
    name_parts: tuple[str, ...]
    shards: int = 8  # the number is small, because each scheduled run reads all shards


METRIC_DAYS = MarkKind("METRICDUE", ("kind", "day"))
DEADLINES = MarkKind("DEADLINEDUE", ("incident_id",))
SEALS = MarkKind("SEALDUE", ())
MARK_KINDS = (METRIC_DAYS, DEADLINES, SEALS)
"""All kinds of marks, for the guard and for the erasure of a tenant."""

ALERT_SHARDS = 8  # few shards, because each run of the job reads all of them
_ALERTS, _HEAD, _ROW, _NO_TIME = "ALERTDUE#", "OF#", "DUE#", "~"


def incident(tenant_id: str, incident_id: str) -> Key:
    return Key(f"TENANT#{tenant_id}#INCIDENT", incident_id)


def change(tenant_id: str, incident_id: str, version: int) -> Key:
    """Return the key of a change. The version has ten digits, so that its order as text is its numeric order."""
    return Key(f"TENANT#{tenant_id}#CHANGE", f"{incident_id}#{version:010d}")


def number(tenant_id: str, incident_number: str) -> Key:
    return Key(f"TENANT#{tenant_id}#NUMBER", incident_number)


def idempotency(tenant_id: str, app_id: str | None, operation: str, key: str) -> Key:
    """Return the key of an idempotency record.

    The sort key is a hash, so that the caller's key may contain any character. The hashed parts are a JSON list, so
    that the keys of two callers cannot collide.
    """
    framed = json.dumps([app_id, operation, key])
    return Key(f"TENANT#{tenant_id}#IDEMPOTENCY", sha256(framed.encode()).hexdigest())


def counter(tenant_id: str, year: int) -> Key:
    return Key(f"TENANT#{tenant_id}#COUNTER", f"{year:04d}")


def finding(tenant_id: str, finding_key: str) -> Key:
    """Return the key of a finding. The sort key is a hash, because the canonical key may have any length."""
    return Key(f"TENANT#{tenant_id}#FINDING", sha256(finding_key.encode()).hexdigest())


def evidence(tenant_id: str, incident_id: str, observed_at: str, sha256_of_event: str) -> Key:
    """Return the key of a stored event of an incident. The keys of an incident's events are in the order of time.

    The key has the event's hash instead of the event's own id, because the id can have any form.
    """
    return Key(f"TENANT#{tenant_id}#EVIDENCE", f"{incident_id}#{observed_at}#{sha256_of_event[:EVIDENCE_DIGITS]}")


def evidence_after(tenant_id: str, incident_id: str, position: str) -> tuple[Key, Key]:
    """Return the first and the last possible key of an incident's evidence after a position. ``""`` is the beginning.

    A position is the part of a sort key after the incident's id. ``~`` sorts after every digit.
    """
    first = Key(f"TENANT#{tenant_id}#EVIDENCE", f"{incident_id}#{position}{'~' if position else ''}")
    return first, first._replace(sk=f"{incident_id}#~")


def settings(tenant_id: str, name: str) -> Key:
    """Return the key of a tenant's current settings of a name, such as ``intake``."""
    return Key(f"TENANT#{tenant_id}#SETTINGS", name)


def settings_version(tenant_id: str, name: str, version: int) -> Key:
    """Return the key of one version of a tenant's settings. The version has ten digits, as in ``change``."""
    return Key(f"TENANT#{tenant_id}#SETTINGS", f"{name}#{version:010d}")


def account(account_id: str) -> Key:
    return Key("ACCOUNTS", account_id)


def producer(account_id: str, source: str) -> Key:
    return Key("ACCOUNTS", f"{account_id}#{source}")


def metric_bucket(tenant_id: str, app_id: str | None, kind: str, day: str) -> Key:
    """Return the key of a day's bucket for one application or, if ``app_id`` is None, for the complete tenant."""
    scope = "ALL" if app_id is None else f"APP#{app_id}"  # the prefix is for an application that is named ALL
    return Key(f"TENANT#{tenant_id}#METRIC", f"{scope}#{kind.upper()}#{day}")


def metric_chunk(bucket: Key, read_from: int, chunk: int) -> Key:
    """Return the key of part number ``chunk`` of a bucket. The part sorts after its bucket.

    ``read_from`` is in the key, so that each version of the bucket has its own parts.
    """
    return bucket._replace(sk=f"{bucket.sk}#{read_from:015d}#{chunk:04d}")


def metric_buckets(tenant_id: str, app_id: str | None, kind: str, first_day: str, last_day: str) -> tuple[Key, Key]:
    """Return the first and the last possible key of these days' buckets, including the parts of the buckets."""
    first, last = (metric_bucket(tenant_id, app_id, kind, day) for day in (first_day, last_day))
    return first, last._replace(sk=f"{last.sk}#~")


def metric_day(tenant_id: str, kind: str, day: str) -> Key:
    """Return the key of a day's own item.

    The item holds the time at which the day's incidents were last read, and the applications that have a bucket.
    """
    return Key(f"TENANT#{tenant_id}#METRIC", f"DAY#{kind.upper()}#{day}")


def deadline_head(tenant_id: str, incident_id: str) -> Key:
    """Return the key of an incident's head. The head has the stored facts about the incident's deadlines."""
    return Key(f"TENANT#{tenant_id}#DEADLINE", f"{_HEAD}{incident_id}")


def incident_of_head(sort_key: str) -> str | None:
    """Return the incident id in the sort key of a head, or None for the sort key of a board row."""
    return sort_key.removeprefix(_HEAD) if sort_key.startswith(_HEAD) else None


def board_row(tenant_id: str, at: str | None, incident_id: str) -> Key:
    """Return the key of a board row. Rows without a time sort after all other rows."""
    return Key(f"TENANT#{tenant_id}#DEADLINE", f"{_ROW}{at or _NO_TIME}#{incident_id}")


def board_rows(tenant_id: str, after: str = "", before: str | None = None) -> tuple[Key, Key]:
    """Return the first and the last key of a range of board rows. The range begins after a position, and ends before a
    time or with the last row.

    A position is the part of a sort key after its prefix. ``!`` sorts before every character of a position.
    """
    first = Key(f"TENANT#{tenant_id}#DEADLINE", f"{_ROW}{after}{'!' if after else ''}")
    return first, first._replace(sk=f"{_ROW}{before or '~~'}")


def position_of_row(sort_key: str) -> str:
    """Return the position of a board row among all rows of the tenant."""
    return sort_key.removeprefix(_ROW)


def alert(tenant_id: str, at: str, incident_id: str) -> Key:
    """Return the key of an alert. All alerts of a tenant are in one shard."""
    return Key(alert_partition(_shard(tenant_id, ALERT_SHARDS)), f"{at}#{tenant_id}#{incident_id}")


def alert_partition(shard: int) -> str:
    return f"{_ALERTS}{shard}"


def has_alerts(partition: str) -> bool:
    return partition.startswith(_ALERTS)


def parts_of_alert(sort_key: str) -> tuple[str, str, str] | None:
    """Return the time, the tenant and the incident in the sort key of an alert, or None if the key has another form."""
    parts = sort_key.split("#")
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 and all(parts) else None


def mark(kind: MarkKind, tenant_id: str, *name: str) -> Key:
    """Return the key of a mark.

    All marks of a tenant are in one shard, so one query finds them. The tenants are spread over the shards.
    """
    return Key(mark_partition(kind, _shard(tenant_id, kind.shards)), "#".join((tenant_id, *name)))


def marks_of_tenant(kind: MarkKind, tenant_id: str) -> tuple[Key, Key]:
    """Return the first and the last possible key of a tenant's marks. ``~`` sorts after every character of a key."""
    return mark(kind, tenant_id), mark(kind, tenant_id, "~")


def tenant_of_mark(sort_key: str) -> str:
    """Return the tenant in a mark's sort key. Return "" if no ``#`` ends the tenant."""
    tenant_id, ends, _ = sort_key.partition("#")
    return tenant_id if ends else ""


def mark_partition(kind: MarkKind, shard: int) -> str:
    return f"{kind.partition}#{shard}"


def partitions(tenant_id: str) -> dict[str, str]:
    """Return every partition of the table that belongs to this tenant, by the kind of its items."""
    return {kind: f"TENANT#{tenant_id}#{kind}" for kind in KINDS}


def belongs_to_tenant(tenant_id: str, partition: str) -> bool:
    """Return whether a partition of the table or of an index belongs to this tenant."""
    return partition == f"TENANT#{tenant_id}" or partition.startswith(f"TENANT#{tenant_id}#")


def belongs_to_system(partition: str) -> bool:
    """Return whether a partition belongs to the system: the account map, the marks and the alerts."""
    return partition == "ACCOUNTS" or has_marks(partition) or has_alerts(partition)


def has_marks(partition: str) -> bool:
    return partition.startswith(tuple(f"{kind.partition}#" for kind in MARK_KINDS))


def _shard(tenant_id: str, shards: int) -> int:
    return int(sha256(tenant_id.encode()).hexdigest(), 16) % shards


def ids_made_at(milliseconds: int) -> tuple[str, str]:
    """Return the first and the last possible id of an incident created in this millisecond since 1970."""
    digits = "".join(_BASE_32[milliseconds >> 5 * place & 31] for place in reversed(range(10)))
    return f"inc_{digits}{'0' * 16}", f"inc_{digits}{'Z' * 16}"


def active(tenant_id: str) -> str:
    return f"TENANT#{tenant_id}"


def active_by_status(tenant_id: str, status: str) -> str:
    return f"TENANT#{tenant_id}#STATUS#{status}"


def active_by_app(tenant_id: str, app_id: str) -> str:
    return f"TENANT#{tenant_id}#APP#{app_id}"


def by_detected_day(tenant_id: str, day: str) -> str:
    return f"TENANT#{tenant_id}#DETECTED#{day}"


def by_closed_day(tenant_id: str, day: str) -> str:
    return f"TENANT#{tenant_id}#CLOSED#{day}"


INDEX_ATTRIBUTES = frozenset({"active_pk", "active_status_pk", "active_app_pk", "detected_day_pk", "closed_day_pk"})


def index_attributes(incident: Incident) -> dict[str, str]:
    """Return an incident's index attributes. An index attribute that is not returned must not be in the item."""
    tenant_id = incident["tenant_id"]
    attributes: dict[str, str] = {}
    if not incident["is_deleted"]:
        attributes["active_pk"] = active(tenant_id)
        attributes["active_status_pk"] = active_by_status(tenant_id, incident["status"])
        if app_id := incident.get("app_id"):
            attributes["active_app_pk"] = active_by_app(tenant_id, app_id)
    if detected_at := incident["detected_at"]:
        attributes["detected_day_pk"] = by_detected_day(tenant_id, detected_at[:10])
    if closed_at := incident["closed_at"]:
        attributes["closed_day_pk"] = by_closed_day(tenant_id, closed_at[:10])
    return attributes
