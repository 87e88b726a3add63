"""Tests of the figures in docs/runbooks/costs.md.

The page must state the units and bytes that each request uses, as the tests measure them. The page's sums must be
right.
"""

import json
import math
from typing import Any

import boto3
import pytest
from create_incident import handler as create
from delete_incident import handler as delete
from get_incident_deadlines import handler as get_deadlines
from incidents.runtime import cloudwatch
from incidents.storage import dynamodb
from incidents.storage.account_map import AccountMap
from incidents_cli.documents import costs
from ingest_finding import handler as ingest_finding
from update_incident import handler as update

from tests.support import templates
from tests.support.deadlines import STAGE, put_on_board
from tests.support.events import Context, create_event, deadlines_event, delete_event, patch_event
from tests.support.queues import sqs_event
from tests.support.recorded import event

PAGE = (templates.CHECKOUT / "docs" / "runbooks" / "costs.md").read_text()
INDEXES = templates.table()["GlobalSecondaryIndexes"]
Item = dict[str, Any]
Key = tuple[str, str]
OVERHEAD = 100  # the bytes that DynamoDB adds to each stored item and index entry


def size(item: Item) -> int:
    """Return an item's bytes, as DynamoDB counts them."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(attribute: dict[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            return math.ceil(len(value.strip("-").replace(".", "")) / 2) + 1
        case "L":
            return 3 + sum(1 + _size(one) for one in value)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _size(one) for name, one in value.items())
        case "B":
            return len(value)
    return 1


def entry(index: dict[str, Any], item: Item | None) -> Item | None:
    """Return the part of an item that an index holds, or None if the item lacks the index's keys."""
    keys = {one["AttributeName"] for one in index["KeySchema"]}
    if item is None or not keys <= set(item):
        return None
    projection = index["Projection"]
    if projection["ProjectionType"] == "ALL":
        return item
    kept = {"pk", "sk", *keys, *projection["NonKeyAttributes"]}
    return {name: value for name, value in item.items() if name in kept}


def units_of_index(index: dict[str, Any], old: Item | None, new: Item | None) -> int:
    before, after = entry(index, old), entry(index, new)
    if before == after:
        return 0
    keys = [one["AttributeName"] for one in index["KeySchema"]]
    if before and after and [before[key] for key in keys] != [after[key] for key in keys]:
        return _kb(size(before)) + _kb(size(after))
    return _kb(max(size(one) for one in (before, after) if one))


def units(old: Item | None, new: Item | None) -> int:
    """Return the write units of one write.

    The table's units count twice in a transaction. Each index counts once.
    """
    written = _kb(max(size(one) for one in (old, new) if one))
    plain = (new or old or {})["pk"]["S"].split("#")[2] == "COUNTER"
    return written * (1 if plain else 2) + sum(units_of_index(index, old, new) for index in INDEXES)


def _kb(n: int) -> int:
    return math.ceil(n / 1024)


def items(table: str) -> dict[Key, Item]:
    client = boto3.client("dynamodb", region_name="us-east-1")
    found = [item for page in client.get_paginator("scan").paginate(TableName=table) for item in page["Items"]]
    return {(item["pk"]["S"], item["sk"]["S"]): item for item in found}


class Meter:
    """Measures the write units of the requests that are made through it."""

    def __init__(self, table: str) -> None:
        self._table = table

    def of(self, event: Any, handler: Any) -> tuple[int, Item]:
        before = items(self._table)
        answer = handler(event, Context)
        assert answer["statusCode"] < 300, answer["body"]
        after = items(self._table)
        changed = {key for key in before | after if before.get(key) != after.get(key)}
        used = sum(units(before.get(key), after.get(key)) for key in changed)
        return used, json.loads(answer["body"] or "{}")


INCIDENT = {
    "title": "Access key used from an unknown network",
    "description": "x" * 1150,
    "severity": "high",
    "category": "unauthorized_access",
    "detected_at": "2026-11-17T03:55:00Z",
    "occurred_at": "2026-11-17T02:12:00Z",
    "affected_asset_ids": ["asset-1", "asset-2"],
    "owner_id": "team-red",
}


@pytest.fixture
def life(table: str) -> tuple[dict[str, int], str]:
    """Return the write units of each kind of request, and the incident's id. The incident has 2 KB."""
    meter = Meter(table)
    create(create_event({"title": "the year's first, which makes its counter"}), Context)
    used: dict[str, int] = {}
    used["create"], incident = meter.of(create_event(INCIDENT), create)
    identity = incident["id"]
    used["update"], _ = meter.of(patch_event(identity, {"root_cause": "A leaked key"}), update)
    used["update of the status"], _ = meter.of(patch_event(identity, {"status": "investigating"}), update)
    used["closing"], _ = meter.of(patch_event(identity, {"status": "closed"}), update)
    _, other = meter.of(create_event(INCIDENT), create)
    used["deletion"], _ = meter.of(delete_event(other["id"]), delete)
    return used, identity


def test_the_documented_units_of_a_write_match_the_items_written(life: tuple[dict[str, int], str], table: str) -> None:
    used, identity = life
    stored = items(table)["TENANT#acme#INCIDENT", identity]
    assert 1600 < size(stored) <= 2048
    assert used == {name: costs.REQUESTS[name].writes for name in used}


def test_the_documented_units_of_a_read_match_the_items_read(table: str) -> None:
    create(create_event(INCIDENT), Context)
    (item,) = [one for (partition, _), one in items(table).items() if partition.endswith("#INCIDENT")]
    assert math.ceil(size(item) / 4096) == costs.REQUESTS["get"].reads
    # DynamoDB reads one incident more than the page shows. Each incident has the largest size for two write units.
    of_a_page = 51 * 2048
    assert math.ceil(of_a_page / 4096 + 1) / 2 <= costs.REQUESTS["list of 50"].reads
    # A page of updates reads 51 small entries of the index, and then reads each incident consistently.
    entry_bytes = max(size(found) for index in INDEXES if index["IndexName"] == "by-updated"
                      if (found := entry(index, item)))  # fmt: skip
    of_entries = math.ceil(51 * entry_bytes / 4096) / 2
    assert 50 * math.ceil(size(item) / 4096) + of_entries <= costs.REQUESTS["50 updates"].reads
    # The deadlines read the incident and the tenant's settings consistently. A missing item costs 1.
    assert reads_of(get_deadlines, deadlines_event(item["sk"]["S"])) == costs.REQUESTS["deadlines"].reads
    # A page of the board reads 51 rows. In this test, each row has three stages.
    put_on_board("acme", item["sk"]["S"])
    (row,) = [one for (_, sk), one in items(table).items() if sk.startswith("DUE#")]
    of_rows = 51 * (size(row) + 2 * len(json.dumps(STAGE)))
    assert math.ceil(of_rows / 4096) / 2 == costs.REQUESTS["board of 50"].reads
    assert all(costs.REQUESTS[name].reads == 1 for name in ("update", "update of the status", "closing", "deletion"))


def reads_of(handler: Any, request: Any) -> int:
    """Return the number of items that a handler reads. Each item has at most 4 KB."""
    read: list[str] = []
    client = dynamodb.client()

    def note(model: Any, **_: object) -> None:
        if model.name == "GetItem":
            read.append(model.name)

    client.meta.events.register("before-parameter-build.dynamodb", note)
    handler(request, Context)
    client.meta.events.unregister("before-parameter-build.dynamodb", note)
    return len(read)


def test_the_documented_units_of_a_finding_match_the_items_written(table: str) -> None:
    create(create_event({"title": "the year's first"}), Context)
    AccountMap(dynamodb.client(), table).link("111122223333", "acme")
    before = items(table)
    read = reads_of(ingest_finding, sqs_event(event("guardduty")))
    after = items(table)
    used = sum(units(before.get(key), after[key]) for key in after if before.get(key) != after[key])
    assert (used, read) == (costs.REQUESTS["finding, new"].writes, costs.REQUESTS["finding, new"].reads)


def test_the_documented_units_of_a_page_of_events_match_the_items_read(table: str) -> None:
    create(create_event({"title": "the year's first"}), Context)
    AccountMap(dynamodb.client(), table).link("111122223333", "acme")
    ingest_finding(sqs_event(event("guardduty")), Context)
    (stored,) = [item for (partition, _), item in items(table).items() if partition.endswith("#EVIDENCE")]
    # The costs of a consistent read of the incident, and of a consistent query
    assert 1 + math.ceil(10 * size(stored) / 4096) == costs.REQUESTS["10 events"].reads


def test_the_documented_storage_of_an_incident_matches_its_stored_items(table: str) -> None:
    create(create_event({"title": "the year's first"}), Context)
    others = set(items(table))
    incident = json.loads(create(create_event(INCIDENT), Context)["body"])
    patches = [{"root_cause": f"A leaked key {n}"} for n in range(3)]
    for patch in [*patches, {"status": "investigating"}, {"status": "contained"}, {"status": "closed"}]:
        assert update(patch_event(incident["id"], patch), Context)["statusCode"] == 200
    kept = [item for key, item in items(table).items() if key not in others]
    base = sum(size(item) + OVERHEAD for item in kept) / 1024
    indexed = sum(size(found) + OVERHEAD for item in kept for index in INDEXES if (found := entry(index, item))) / 1024
    assert [base, indexed] == pytest.approx(list(costs.STORED_KB.values()), abs=0.05)


def test_the_cost_page_has_exactly_the_tables_that_the_command_prints() -> None:
    ours = costs.tables()
    for table in ours.values():
        assert table in PAGE, f"uv run incidents costs prints:\n{table}"
    assert PAGE.count("| --- |") == sum(table.count("| --- |") for table in ours.values())
    assert costs.REGION in PAGE
    assert costs.DATE in PAGE


def test_the_costs_count_the_number_of_indexes_of_the_table() -> None:
    assert len(INDEXES) == costs.INDEXES


def test_the_totals_are_the_sums_of_their_parts() -> None:
    """The test adds the printed parts, so the sums are exact only within the rounding to cents."""
    for line in costs.tables()["lives"].splitlines()[2:]:
        _, *parts, total = (float(cell.strip(" *$").replace(",", "")) for cell in line.strip("| ").split("|"))
        assert sum(parts) == pytest.approx(total, abs=0.005 * (len(parts) + 1))
    for line in costs.tables()["requests"].splitlines()[2:]:
        _, _, *parts, total = (float(cell.strip(" *")) for cell in line.strip("| ").split("|")[1:])
        assert sum(parts) == pytest.approx(total, abs=0.005 * (len(parts) + 1))


def test_the_fixed_monthly_costs_match_the_templates() -> None:
    resources = templates.read(templates.CHECKOUT / "infra" / "observability.yaml")["Resources"].values()
    alarms = [one["Properties"] for one in resources if one["Type"] == "AWS::CloudWatch::Alarm"]
    watched = sum(len([q for q in one["Metrics"] if "MetricStat" in q]) if "Metrics" in one else 1 for one in alarms)
    secrets = [one for one in templates.service()["Resources"].values() if one["Type"] == "AWS::SecretsManager::Secret"]
    dashboards = [one for one in resources if one["Type"] == "AWS::CloudWatch::Dashboard"]
    body = json.loads(
        next(one["Properties"]["DashboardBody"]["Fn::Sub"] for one in resources if "Dashboard" in one["Type"])
    )
    shown = {
        tuple(part for part in metric if isinstance(part, str))
        for widget in body["widgets"]
        for metric in widget["properties"].get("metrics", [])
        if metric[0] == cloudwatch.NAMESPACE
    }
    filtered = [one for one in resources if one["Type"] == "AWS::Logs::MetricFilter"]
    assert costs.FIXED["own metric"] == len(shown) + len(filtered)
    assert costs.FIXED["alarm metric"] == watched
    assert (costs.FIXED["secret"], costs.FIXED["dashboard"]) == (len(secrets), len(dashboards))
