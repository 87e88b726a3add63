"""Makes a tenant with items of every kind through the service's own functions, and gives tests an operator's tools."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import create_incident
import pytest
from incidents.commands import creating
from incidents.commands.creating import Origin
from incidents.domain import evidence
from incidents.domain.identity import Identity
from incidents.storage import dynamodb, keys
from incidents.storage.incident_repository import IncidentRepository
from incidents_cli import main
from incidents_cli.operate import metrics
from incidents_cli.operate.deployment import Deployment
from incidents_cli.operate.tenants import commands as tenant_commands
from incidents_cli.operate.tenants.reading import TenantReader, batches

from tests.support import invariants
from tests.support.events import Context, create_event
from tests.support.metric_world import MetricWorld

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HISTORY: list[tuple[str, int, Any]] = [
    ("create", 0, [{"title": "of an application", "severity": "low", "category": "phishing"}]),
    ("create", 2, [{"title": "nothing known"}]),
    ("create", 2, [{"title": "closed at once", "status": "closed", "severity": "critical",
                    "occurred_at": "2026-02-01T00:00:00Z", "detected_at": "2026-02-01T01:00:00Z",
                    "closed_at": "2026-02-03T00:00:00Z", "financial_impact": 1.5, "lessons_learned": {"": [1e200]}}]),
    ("create", 2, [{"title": "imported", "status": "closed", "mttr_minutes": 7, "closed_at": "2026-02-02T00:00:00Z"}]),
    ("create", 2, [{"title": "of its own number", "incident_number": "IR 1/2026", "tags": ["a", "a"]}]),
    ("create", 2, [{"title": "deleted", "detected_at": "2026-02-01T00:00:00Z"}]),
    ("create", 0, [{"title": "of an application, too", "detected_at": "2026-02-01T00:00:00Z"}]),
    ("update", 0, {"detected_at": "2026-02-04T00:00:00Z", "occurred_at": "2026-02-03T00:00:00Z"}),
    ("move", 0, "contained"),
    ("update", 0, {"title": "another title", "severity": None, "affected_asset_ids": ["a", "b"]}),
    ("move", 0, "closed"),
    ("move", 0, "investigating"),
    ("move", 2, "review"),
    ("move", 2, "closed"),
    ("update", 2, {"financial_impact": 123456789012345.6789, "lessons_learned": {"ü": None}}),
    ("delete", 5, None),
    ("delete", 6, None),
    ("restore", 6, None),
    ("update", 4, {"description": "text", "tags": None, "owner_id": "ada"}),
]  # fmt: skip


def live(world: MetricWorld, service: str, dynamodb: "DynamoDBClient") -> str:
    """Make a tenant with incidents, trails, keys, a finding and up-to-date metrics, and return the tenant's name."""
    tenant = world.tenants[0]
    for action, n, what in HISTORY:
        world.do(action, n, what)
    caller = world.callers[2]
    answer = create_incident.handler(
        create_event({"title": "x"}, caller=caller, headers={"idempotency-key": "key-1"}), Context
    )
    assert answer["statusCode"] == 201
    world.incidents.append((caller, json.loads(answer["body"])["id"]))
    repository = IncidentRepository(Identity(tenant, "system:aws.guardduty", None, frozenset()), dynamodb, service)
    seen_at = "2026-02-04T00:00:00.000Z"
    event = evidence.of_event({"title": "found"}, observed_at=seen_at, source="test", adapter="test", rule="test")
    origin = Origin("finding", None, seen_at, 1, "high", {"detected_at": "time"}, event)
    found = {"title": "found", "detected_at": "2026-02-04T00:00:00Z", "source_type": "system"}
    creating.create_incident(found, repository, origin=origin)
    world.deliver(Random(0), everything=True)
    world.compute()
    assert world.marked() == []
    return tenant


class Table:
    """The table of a tenant, with all rights."""

    def __init__(self, client: "DynamoDBClient", name: str, tenant: str) -> None:
        self.client, self.name, self.tenant = client, name, tenant
        self.reader = TenantReader(client, name, tenant)

    def titled(self, title: str) -> dict[str, Any]:
        """Return the item of the incident with this title."""
        return next(item for item in self.reader.items("INCIDENT") if item["title"]["S"] == title)

    def first(self, kind: str) -> dict[str, Any]:
        return next(self.reader.items(kind))

    def of(self, key: keys.Key) -> dict[str, Any]:
        item = self.reader.item(key)
        assert item is not None
        return item

    def put(self, item: dict[str, Any], *without: str, **changed: Any) -> None:
        """Store an item with some attributes changed and others removed."""
        left = {name: value for name, value in (item | changed).items() if name not in without}
        self.client.put_item(TableName=self.name, Item=left)

    def delete(self, *items: dict[str, Any]) -> None:
        for item in items:
            self.client.delete_item(TableName=self.name, Key={"pk": item["pk"], "sk": item["sk"]})

    def make_exactly(self, wanted: list[dict[str, Any]]) -> None:
        """Make the table contain exactly these items."""
        places = [(item["pk"]["S"], item["sk"]["S"]) for item in wanted]
        for item in invariants.everything(self.client, self.name):
            if (item["pk"]["S"], item["sk"]["S"]) not in places:
                self.delete(item)
        self.put_all(wanted)

    def put_all(self, items: Iterable[dict[str, Any]]) -> None:
        for some in batches(items, 25):
            self.client.batch_write_item(RequestItems={self.name: [{"PutRequest": {"Item": one}} for one in some]})


def operator(monkeypatch: pytest.MonkeyPatch, table: Table, folder: Path) -> None:
    """Make the operator's commands work on this table, in this folder."""
    for module in (metrics, tenant_commands):
        monkeypatch.setattr(module, "Deployment", lambda *_: OwnDeployment(table.client, table.name))
    monkeypatch.chdir(folder)


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run the command `incidents` in this process, and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["incidents", *words])
    with pytest.raises(SystemExit) as ended:
        main.app()
    return int(ended.value.code or 0)


ADA = "arn:aws:iam::111122223333:user/ada"


class OwnDeployment(Deployment):
    """A deployment on DynamoDB Local. It uses the functions' own client, and its caller is Ada."""

    table_name = ""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client, self.table_name = client, table_name

    def client(self, service: str) -> "DynamoDBClient":
        assert service == "dynamodb"
        return self._client

    @property
    def guarded_dynamodb(self) -> "DynamoDBClient":
        return dynamodb.client()

    def caller(self) -> str:
        return ADA
