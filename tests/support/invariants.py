"""Checks the invariants of the table, which hold even after a fault.

The invariants are the rules of `incidents verify`, applied to all items.
"""

from itertools import groupby
from typing import TYPE_CHECKING, Any

from incidents.domain import model
from incidents.storage import keys
from incidents_cli.operate.tenants import invariants, trails
from incidents_cli.operate.tenants.violations import Violation

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]


def everything(client: "DynamoDBClient", table: str) -> list[Item]:
    """Return all items, sorted by key."""
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return sorted(
        (item for page in pages for item in page["Items"]), key=lambda item: (item["pk"]["S"], item["sk"]["S"])
    )


def of_tenant(client: "DynamoDBClient", table: str, tenant: str) -> list[Item]:
    """Return all items of one tenant, sorted by key.

    One statement reads all partitions. A query for each partition would cost six times as much CPU.
    """
    partitions = keys.partitions(tenant).values()
    request: dict[str, Any] = {
        "Statement": f'SELECT * FROM "{table}" WHERE pk IN [{",".join("?" * len(partitions))}]',  # noqa: S608
        "Parameters": [{"S": pk} for pk in partitions],
        "ConsistentRead": True,
    }
    found: list[Item] = []
    while True:
        page = client.execute_statement(**request)
        found += page["Items"]
        if "NextToken" not in page:
            return sorted(found, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))
        request["NextToken"] = page["NextToken"]


def in_the_index_of_updates(item: Item) -> bool:
    """Return whether an item is in the index ``by-updated``. Only incidents may be there."""
    return "updated_at" in item


def violations(found: list[Item]) -> list[str]:
    """Return every violation as text, or an empty list if there is none. The metrics are not checked."""
    tenants: dict[str, dict[str, dict[str, Item]]] = {}
    for item in found:
        assert in_the_index_of_updates(item) is item["pk"]["S"].endswith("#INCIDENT"), item["pk"]
        _, tenant, kind = item["pk"]["S"].split("#")
        tenants.setdefault(tenant, {kind: {} for kind in keys.KINDS})[kind][item["sk"]["S"]] = item
    return [f"{tenant} {violation}" for tenant, kinds in tenants.items() for violation in _of_tenant(tenant, kinds)]


def _of_tenant(tenant: str, kinds: dict[str, dict[str, Item]]) -> list[Violation]:
    broken: list[Violation] = []
    incidents, numbers, counters = kinds["INCIDENT"], kinds["NUMBER"], kinds["COUNTER"]
    told = {incident_id: trails.history(tenant, incident_id, ()) for incident_id in incidents}
    for incident_id, changes in groupby(sorted(kinds["CHANGE"]), key=lambda sk: sk.partition("#")[0]):
        told[incident_id] = trails.history(tenant, incident_id, [kinds["CHANGE"][sk] for sk in changes])
    events: dict[str, set[str]] = {}
    for sk, item in kinds["EVIDENCE"].items():
        incident_id = sk.partition("#")[0]
        events.setdefault(incident_id, set()).add(item["sha256"]["S"])
        broken += invariants.of_evidence(tenant, sk, item, incidents.get(incident_id))
    for incident_id, history in told.items():
        incident = incidents.get(incident_id)
        number = numbers.get(incident["incident_number"]["S"]) if incident else None
        broken += invariants.of_incident(tenant, incident_id, incident, history, number, events.get(incident_id, set()))
    for sk, item in numbers.items():
        counted = model.parse_generated(sk)
        counter = counters.get(f"{counted[0]:04d}") if counted else None
        count = int(counter["count"]["N"]) if counter else None
        ignored = invariants.ignored_counts(counter)
        broken += invariants.of_number(sk, item, incidents.get(item["incident_id"]["S"]), count, ignored)
    for sk, item in counters.items():
        broken += invariants.of_counter(sk, item)
    for sk, item in kinds["IDEMPOTENCY"].items():
        broken += invariants.of_key_record(sk, item, incidents.get(item["incident_id"]["S"]))
    for sk, item in kinds["FINDING"].items():
        named = item["incident_id"]["S"]
        broken += invariants.of_sighting(sk, item, incidents.get(named), len(events.get(named, set())))
    return broken
