"""Tenants whose incidents have a history, and the jobs that compute the tenants' metrics from the stream."""

import json
from datetime import UTC, datetime
from itertools import count, product
from random import Random
from typing import TYPE_CHECKING, Any

import compute_metrics
import create_incident
import delete_incident
import follow_incidents
import get_incident
import get_incident_metrics
import schedule_metrics
import update_incident
from incidents.storage import marks

from tests.support.events import (
    Context,
    claims,
    create_event,
    delete_event,
    get_event,
    metrics_event,
    patch_event,
    stream_event,
)
from tests.support.queues import sqs_event
from tests.support.streams import TableStream, shuffled

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

APPS = ["scanner", "ALL", None]  # an application may have any name, even ALL
FIRST, LAST = "2026-01-30", "2026-02-14"

_runs = count()


class Queue:
    """A replacement for SQS that keeps the messages of the schedule."""

    def __init__(self) -> None:
        self.bodies: list[str] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        self.bodies += [entry["MessageBody"] for entry in Entries]
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


class MetricClock:
    """The clock of all code under test, in nanoseconds since 1970. It starts on a day within the metrics' window."""

    def __init__(self) -> None:
        self.now = int(datetime(2026, 2, 5, 6, tzinfo=UTC).timestamp() * 1e9)

    def __call__(self) -> int:
        self.now += 1_000_000  # the step makes every reading of the clock different
        return self.now


class MetricWorld:
    """Some tenants with a history of incidents, and the records of their stream.

    Some records were delivered, and all other records still wait.
    """

    def __init__(self, stream: TableStream, queue: Queue, clock: MetricClock) -> None:
        self._stream, self._queue, self._clock = stream, queue, clock
        run = next(_runs)
        self.tenants = [f"tenant-{run}", f"tenant-{run}-b"]
        self.callers = [claims(tenant, app_id=app) for tenant, app in product(self.tenants, APPS)]
        self.incidents: list[tuple[dict[str, str], str]] = []
        self.waiting: list[dict[str, Any]] = []
        self.told: list[list[dict[str, Any]]] = []

    def do(self, action: str, n: int, what: Any) -> None:
        if action == "create":
            caller = self.callers[n]
            for incident in what:
                answer = create_incident.handler(create_event(incident, caller=caller), Context)
                assert answer["statusCode"] == 201, answer["body"]
                self.incidents.append((caller, json.loads(answer["body"])["id"]))
        elif action == "wait":
            self.wait(what)
        elif action == "deliver":
            self.deliver(Random(n))
        elif action == "compute":
            self.compute()
        elif self.incidents:
            caller, incident_id = self.incidents[n % len(self.incidents)]
            if action == "delete":
                delete_incident.handler(delete_event(incident_id, caller=caller), Context)
            else:
                patch = {"update": what, "move": {"status": what}, "restore": {"is_deleted": False}}[action]
                update_incident.handler(patch_event(incident_id, patch, caller=caller), Context)

    def wait(self, seconds: float) -> None:
        self._clock.now += int(seconds * 1e9)

    def marked(self) -> list[str]:
        """Return all days that are still marked, of all tenants."""
        return [mark.name[1] for mark in marks.metric_days().of_all_tenants()]

    def fetch(self) -> list[dict[str, Any]]:
        """Return the records that wait in the stream. The caller must deliver them."""
        self.waiting += self._stream.incidents()
        taken, self.waiting = self.waiting, []
        return taken

    def deliver(self, random: Random, *, everything: bool = False) -> None:
        """Deliver some of the waiting records.

        The records of one item keep their order. The records of different items come in any order, and some records
        come twice.
        """
        self.waiting += self._stream.incidents()
        if self.told and random.random() < 0.3:
            mark(random.choice(self.told))
        count = len(self.waiting) if everything else random.randint(0, len(self.waiting))
        batch, self.waiting = shuffled(self.waiting, random, count)
        while batch:
            size = random.randint(1, len(batch))
            for _ in range(random.choice([1, 1, 2])):
                mark(batch[:size])
            self.told.append(batch[:size])
            batch = batch[size:]

    def compute(self) -> None:
        schedule_metrics.handler({}, Context)
        bodies, self._queue.bodies = self._queue.bodies, []
        if bodies:
            assert compute_metrics.handler(sqs_event(*bodies), Context) == {"batchItemFailures": []}

    def documents(self, tenant: str) -> list[dict[str, Any]]:
        answers = [
            get_incident.handler(get_event(incident_id, caller=caller), Context)
            for caller, incident_id in self.incidents
            if caller["tenant_id"] == tenant
        ]
        return [json.loads(answer["body"]) for answer in answers]


def mark(records: list[dict[str, Any]]) -> None:
    assert follow_incidents.handler(stream_event(records), Context) == {"batchItemFailures": []}


def ask(caller: dict[str, str], group_by: str, interval: str, first: str = FIRST, last: str = LAST) -> dict[str, Any]:
    parameters = {"from": first, "to": last, "group_by": group_by, "interval": interval}
    answer = get_incident_metrics.handler(metrics_event(caller, **parameters), Context)
    assert answer["statusCode"] == 200, answer["body"]
    told: dict[str, Any] = json.loads(answer["body"])
    return told


def buckets(dynamodb: "DynamoDBClient", table: str, tenants: list[str]) -> list[dict[str, Any]]:
    """Return every stored part, without the time of its computation."""
    found = [
        item
        for tenant in tenants
        for item in dynamodb.query(
            TableName=table, KeyConditionExpression="pk = :pk", ConsistentRead=True,
            ExpressionAttributeValues={":pk": {"S": f"TENANT#{tenant}#METRIC"}},
        )["Items"]
    ]  # fmt: skip
    return [{name: value for name, value in item.items() if name != "read_from"} for item in found]
