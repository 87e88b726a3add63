"""What must hold in the table at every moment, whatever went wrong: each sentence is a check over all items."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from incidents import items, model

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
KINDS = ("INCIDENT", "CHANGE", "NUMBER", "IDEMPOTENCY", "COUNTER")


def everything(client: "DynamoDBClient", table: str) -> list[Item]:
    """Return all items, sorted by key."""
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return sorted(
        (item for page in pages for item in page["Items"]), key=lambda item: (item["pk"]["S"], item["sk"]["S"])
    )


def of_tenant(client: "DynamoDBClient", table: str, tenant: str) -> list[Item]:
    """Return all items of one tenant, sorted by key."""
    found: list[Item] = []
    for kind in sorted(KINDS):
        partition = {":pk": {"S": f"TENANT#{tenant}#{kind}"}}
        for page in client.get_paginator("query").paginate(
            TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=partition, ConsistentRead=True
        ):
            found += page["Items"]
    return found


def violations(found: list[Item]) -> list[str]:
    """Return what does not hold, in words; an empty list is what everybody hopes for."""
    by_kind: dict[str, dict[tuple[str, str], Item]] = {}
    for item in found:
        _, tenant, kind = item["pk"]["S"].split("#")
        by_kind.setdefault(kind, {})[tenant, item["sk"]["S"]] = item
    return [sentence for check in (_of_incidents, _of_changes, _of_numbers, _of_claims) for sentence in check(by_kind)]


def _of_incidents(kinds: dict[str, dict[tuple[str, str], Item]]) -> Iterator[str]:
    versions = defaultdict(list)
    for tenant, key in kinds.get("CHANGE", {}):
        versions[tenant, key[:-11]].append(int(key[-10:]))
    for (tenant, incident_id), item in kinds.get("INCIDENT", {}).items():
        incident, version, _ = items.to_incident(item)
        about = f"{tenant} {incident_id}"
        if (incident["tenant_id"], incident["id"]) != (tenant, incident_id):
            yield f"{about} says that it is {incident['tenant_id']} {incident['id']}"
        index = {name: attribute["S"] for name, attribute in item.items() if name.endswith("_pk")}
        if index != _index_entries(incident):
            yield f"{about} stands in the indexes as {index}, and should as {_index_entries(incident)}"
        number = kinds.get("NUMBER", {}).get((tenant, incident["incident_number"]))
        if number is None or number["incident_id"]["S"] != incident_id:
            yield f"{about} has the number {incident['incident_number']}, which does not point back"
        if versions[tenant, incident_id] != list(range(1, version + 1)):
            yield f"{about} is at version {version} with the changes {versions[tenant, incident_id]}"
        if incident["is_deleted"] != (incident["deleted_at"] is not None):
            yield f"{about} is deleted: {incident['is_deleted']}, at {incident['deleted_at']}"
        if (incident["status"] == "closed") != (incident["closed_at"] is not None):
            yield f"{about} is {incident['status']}, closed at {incident['closed_at']}"
        for field, start, end in (
            ("mttd_minutes", "occurred_at", "detected_at"),
            ("mttr_minutes", "detected_at", "closed_at"),
        ):
            if incident[start] and incident[end] and incident[field] != _minutes(incident[start], incident[end]):  # type: ignore[literal-required]
                yield f"{about} says {field} {incident[field]}"  # type: ignore[literal-required]


def _index_entries(incident: model.Incident) -> dict[str, str]:
    """In which indexes an incident in this state stands; written here once more, not taken from the code."""
    tenant = f"TENANT#{incident['tenant_id']}"
    entries = {
        "active_pk": tenant if not incident["is_deleted"] else None,
        "active_status_pk": f"{tenant}#STATUS#{incident['status']}" if not incident["is_deleted"] else None,
        "active_app_pk": f"{tenant}#APP#{incident['app_id']}"
        if "app_id" in incident and not incident["is_deleted"]
        else None,
        "detected_day_pk": f"{tenant}#DETECTED#{incident['detected_at'][:10]}" if incident["detected_at"] else None,
        "closed_day_pk": f"{tenant}#CLOSED#{incident['closed_at'][:10]}" if incident["closed_at"] else None,
    }
    return {name: entry for name, entry in entries.items() if entry is not None}


def _of_changes(kinds: dict[str, dict[tuple[str, str], Item]]) -> Iterator[str]:
    """The history, folded back from the incident as it stands, must lead to a value that each change left."""
    changes = kinds.get("CHANGE", {})
    for (tenant, incident_id), group in groupby(changes, key=lambda key: (key[0], key[1][:-11])):
        item = kinds.get("INCIDENT", {}).get((tenant, incident_id))
        if item is None:
            yield f"{tenant} {incident_id} has changes and does not exist"
            continue
        values: dict[str, Any] = dict(items.to_incident(item).incident)
        for key in sorted(group, reverse=True):
            change = items.to_change(changes[key])
            if (change.version == 1) != (change.action == "created"):
                yield f"{tenant} {key[1]} is {change.action}"
            for field, (before, after) in change.changes.items():
                if values[field] != after:
                    yield f"{tenant} {key[1]} left {field} at {after}, and then it was {values[field]}"
                values[field] = before


def _of_numbers(kinds: dict[str, dict[tuple[str, str], Item]]) -> Iterator[str]:
    for (tenant, number), item in kinds.get("NUMBER", {}).items():
        if (tenant, item["incident_id"]["S"]) not in kinds.get("INCIDENT", {}):
            yield f"{tenant} {number} is the number of no incident"
        if counted := model.counted(number):
            counter = kinds.get("COUNTER", {}).get((tenant, f"{counted[0]:04d}"))
            if counter is None or int(counter["count"]["N"]) < counted[1]:
                yield f"{tenant} {number} is ahead of its counter"


def _of_claims(kinds: dict[str, dict[tuple[str, str], Item]]) -> Iterator[str]:
    for (tenant, key), item in kinds.get("IDEMPOTENCY", {}).items():
        if (tenant, item["incident_id"]["S"]) not in kinds.get("INCIDENT", {}):
            yield f"{tenant} {key} is the key of no incident"


def _minutes(start: str, end: str) -> int:
    return int((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() // 60)
