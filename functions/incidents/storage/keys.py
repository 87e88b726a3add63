"""Every key of the table, as pure functions. No other module writes a key.

Table: one partition key a kind of item, so that a role can be held to the kinds that it needs, and each begins with the
tenant's name, which cannot contain ``#``.

| item        | pk                       | sk                              | written by         |
|-------------|--------------------------|---------------------------------|--------------------|
| incident    | TENANT#<t>#INCIDENT      | <incident id>                   | every change       |
| change      | TENANT#<t>#CHANGE        | <incident id>#<version>         | every change       |
| number      | TENANT#<t>#NUMBER        | <incident number>               | create             |
| idempotency | TENANT#<t>#IDEMPOTENCY   | <sha256(app, operation, key)>   | create with a key  |
| counter     | TENANT#<t>#COUNTER       | <year>                          | create, before it  |
| finding     | TENANT#<t>#FINDING       | <sha256(canonical key)>         | intake             |
| bucket      | TENANT#<t>#METRIC        | <ALL or APP#<app>>#<kind>#<day> | metrics job        |
| its chunks  | TENANT#<t>#METRIC        | <bucket>#<read_from>#<chunk>    | metrics job        |
| metric day  | TENANT#<t>#METRIC        | DAY#<kind>#<day>                | metrics job        |
| marked day  | METRICDUE#<shard>        | <t>#<kind>#<day>                | follow_incidents   |
| account     | ACCOUNTS                 | <AWS account id>                | an operator        |
| producer    | ACCOUNTS                 | <AWS account id>#<event source> | an operator        |

What belongs to no tenant is the system's: ``ACCOUNTS`` says whose an AWS account's findings are, and who may escalate;
``METRICDUE#<shard>`` says which days of which tenants must be computed again.

Indexes: all sorted by the incident's id, which is its time of creation. Absent attribute, absent from the index.

| index            | attribute          | value                        | present while               |
|------------------|--------------------|------------------------------|-----------------------------|
| active           | active_pk          | TENANT#<t>                   | not deleted                 |
| active-by-status | active_status_pk   | TENANT#<t>#STATUS#<status>   | not deleted                 |
| active-by-app    | active_app_pk      | TENANT#<t>#APP#<app>         | not deleted and app-made    |
| by-detected-day  | detected_day_pk    | TENANT#<t>#DETECTED#<day>    | detected_at is set          |
| by-closed-day    | closed_day_pk      | TENANT#<t>#CLOSED#<day>      | closed_at is set            |

The day indexes keep deleted and dismissed incidents, so that the metrics can leave them out and count them.
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
INDEXES = (ACTIVE, ACTIVE_BY_STATUS, ACTIVE_BY_APP, BY_DETECTED_DAY, BY_CLOSED_DAY)

KINDS = ("INCIDENT", "CHANGE", "NUMBER", "COUNTER", "IDEMPOTENCY", "FINDING", "METRIC")  # each a partition of a tenant
_BASE_32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's


class Key(NamedTuple):
    """The primary key of one item."""

    pk: str
    sk: str


class MarkKind(NamedTuple):
    """What is marked, to be computed later: its partitions, and what a mark's name is made of.

    Each of the shards takes 1 000 marks a second.
    """

    partition: str
    name_parts: tuple[str, ...]
    shards: int = 8  # few, because a schedule reads them all


METRIC_DAYS = MarkKind("METRICDUE", ("kind", "day"))
MARK_KINDS = (METRIC_DAYS,)
"""Whoever guards the table, or erases a tenant from it, knows each of them."""


def incident(tenant_id: str, incident_id: str) -> Key:
    return Key(f"TENANT#{tenant_id}#INCIDENT", incident_id)


def change(tenant_id: str, incident_id: str, version: int) -> Key:
    """Ten digits, so that the order as text is the order of versions."""
    return Key(f"TENANT#{tenant_id}#CHANGE", f"{incident_id}#{version:010d}")


def number(tenant_id: str, incident_number: str) -> Key:
    return Key(f"TENANT#{tenant_id}#NUMBER", incident_number)


def idempotency(tenant_id: str, app_id: str | None, operation: str, key: str) -> Key:
    """Hashed, so that a key may hold any character; the parts are framed, so that no two callers' keys can meet."""
    framed = json.dumps([app_id, operation, key])
    return Key(f"TENANT#{tenant_id}#IDEMPOTENCY", sha256(framed.encode()).hexdigest())


def counter(tenant_id: str, year: int) -> Key:
    return Key(f"TENANT#{tenant_id}#COUNTER", f"{year:04d}")


def finding(tenant_id: str, finding_key: str) -> Key:
    """Hashed, because a finding's canonical key is somebody else's text, of any length."""
    return Key(f"TENANT#{tenant_id}#FINDING", sha256(finding_key.encode()).hexdigest())


def account(account_id: str) -> Key:
    return Key("ACCOUNTS", account_id)


def producer(account_id: str, source: str) -> Key:
    return Key("ACCOUNTS", f"{account_id}#{source}")


def metric_bucket(tenant_id: str, app_id: str | None, kind: str, day: str) -> Key:
    """Return the key of a day's bucket: of one application's incidents, or of all of the tenant's."""
    scope = "ALL" if app_id is None else f"APP#{app_id}"  # an application may have any name, ALL among them
    return Key(f"TENANT#{tenant_id}#METRIC", f"{scope}#{kind.upper()}#{day}")


def metric_chunk(bucket: Key, read_from: int, chunk: int) -> Key:
    """Return the key of a further chunk of a bucket; each writing of it has chunks of its own, behind their bucket."""
    return bucket._replace(sk=f"{bucket.sk}#{read_from:015d}#{chunk:04d}")


def metric_buckets(tenant_id: str, app_id: str | None, kind: str, first_day: str, last_day: str) -> tuple[Key, Key]:
    """Return the first and the last key that the buckets of these days, and their chunks, can have."""
    first, last = (metric_bucket(tenant_id, app_id, kind, day) for day in (first_day, last_day))
    return first, last._replace(sk=f"{last.sk}#~")


def metric_day(tenant_id: str, kind: str, day: str) -> Key:
    """Return the key of what is known of a day beside its buckets: who computed it last, and of which applications."""
    return Key(f"TENANT#{tenant_id}#METRIC", f"DAY#{kind.upper()}#{day}")


def mark(kind: MarkKind, tenant_id: str, *name: str) -> Key:
    """All marks of a tenant stand in one partition, so that one query finds them; tenants spread over several."""
    shard = int(sha256(tenant_id.encode()).hexdigest(), 16) % kind.shards
    return Key(mark_partition(kind, shard), "#".join((tenant_id, *name)))


def marks_of_tenant(kind: MarkKind, tenant_id: str) -> tuple[Key, Key]:
    """Return the first and the last key that a tenant's marks can have: ``~`` comes behind whatever a key holds."""
    return mark(kind, tenant_id), mark(kind, tenant_id, "~")


def mark_partition(kind: MarkKind, shard: int) -> str:
    return f"{kind.partition}#{shard}"


def partitions(tenant_id: str) -> dict[str, str]:
    """Return every partition of the table that is this tenant's alone, by the kind of items in it."""
    return {kind: f"TENANT#{tenant_id}#{kind}" for kind in KINDS}


def belongs_to_tenant(tenant_id: str, partition: str) -> bool:
    """Tell whether a partition, of the table or of an index, is one of this tenant's."""
    return partition == f"TENANT#{tenant_id}" or partition.startswith(f"TENANT#{tenant_id}#")


def belongs_to_system(partition: str) -> bool:
    """Tell whether a partition is one that no tenant has: the account map, and the days whose metrics are due."""
    return partition == "ACCOUNTS" or partition.startswith(tuple(f"{kind.partition}#" for kind in MARK_KINDS))


def ids_made_at(milliseconds: int) -> tuple[str, str]:
    """Return the first and the last id that an incident made in this millisecond since 1970 can have."""
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
    """Return the index attributes that an incident in this state has. Whatever is not in the answer is absent."""
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
