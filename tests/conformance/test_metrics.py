"""The metrics against brute force: whatever happens to incidents, in whatever order the stream tells of it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count, product
from random import Random
from typing import TYPE_CHECKING, Any

import compute_metrics
import create_incident
import delete_incident
import get_incident
import get_incident_metrics
import mark_metric_days
import pytest
import schedule_metrics
import update_incident
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from incidents.metrics import edge
from incidents.observability import logger

from tests.support import metric_oracle, scale
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
from tests.support.streams import TableStream

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HISTORIES = scale.of(short=200, full=2_000)
FIRST, LAST = "2026-01-30", "2026-02-14"
APPS = ["scanner", "ALL", None]

run_numbers = count()


def moment(n: int) -> str:
    """Moments over some days, in an odd rhythm, across the end of a month; never on a whole minute."""
    return (datetime(2026, 1, 30, 20, tzinfo=UTC) + n * timedelta(hours=9, minutes=7, seconds=40.5)).isoformat()


moments = st.none() | st.integers(0, 36).map(moment)
fields = st.fixed_dictionaries(
    {},
    optional={
        "occurred_at": moments,
        "detected_at": moments,
        "contained_at": moments,
        "closed_at": moments,
        "severity": st.sampled_from(["critical", "low", None]),
        "category": st.sampled_from(["phishing", "Ausfall ü", None]),
        "mttd_minutes": st.sampled_from([0, 7, None]),
        "mttr_minutes": st.sampled_from([0, 11, 4_000_000, None]),
    },
)
statuses = st.sampled_from(["new", "investigating", "contained", "closed", "closed", "dismissed"])
actions = st.one_of(
    st.tuples(st.just("create"), st.integers(0, 5), st.tuples(fields, statuses)),
    st.tuples(st.just("create"), st.integers(0, 5), st.tuples(fields, statuses)),
    st.tuples(st.just("update"), st.integers(0, 9), fields),
    st.tuples(st.just("update"), st.integers(0, 9), fields),
    st.tuples(st.just("move"), st.integers(0, 9), statuses),
    st.tuples(st.just("move"), st.integers(0, 9), statuses),
    st.tuples(st.just("delete"), st.integers(0, 9), st.none()),
    st.tuples(st.just("restore"), st.integers(0, 9), st.none()),
    st.tuples(st.just("deliver"), st.integers(0, 2**16), st.none()),
    st.tuples(st.just("compute"), st.just(0), st.none()),
)


class Queue:
    """Stands where SQS is: the messages that the schedule sends."""

    def __init__(self) -> None:
        self.bodies: list[str] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        self.bodies += [entry["MessageBody"] for entry in Entries]
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


class World:
    """Some tenants, what happened to their incidents, and how much of it the stream has told."""

    def __init__(self, stream: TableStream, queue: Queue) -> None:
        self._stream, self._queue = stream, queue
        run = next(run_numbers)
        self.tenants = [f"tenant-{run}", f"tenant-{run}-b"]
        self.callers = [claims(tenant, app_id=app) for tenant, app in product(self.tenants, APPS)]
        self.incidents: list[tuple[dict[str, str], str]] = []
        self.waiting: list[dict[str, Any]] = []
        self.told: list[list[dict[str, Any]]] = []

    def do(self, action: str, n: int, what: Any) -> None:
        if action == "create":
            given, status = what
            sent = {
                "title": "x",
                "status": status,
                **{name: value for name, value in given.items() if value is not None},
            }
            caller = self.callers[n]
            answer = create_incident.handler(create_event(sent, caller=caller), Context)
            if answer["statusCode"] == 201:
                self.incidents.append((caller, json.loads(answer["body"])["id"]))
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

    def deliver(self, random: Random, *, everything: bool = False) -> None:
        """Bring some of what the stream holds: in order for each item, in any order across items, some of it again."""
        self.waiting += self._stream.incidents()
        if self.told and random.random() < 0.3:
            mark(random.choice(self.told))
        by_item: dict[str, list[dict[str, Any]]] = {}
        for record in self.waiting:
            by_item.setdefault(record["dynamodb"]["Keys"]["sk"]["S"], []).append(record)
        batch: list[dict[str, Any]] = []
        for _ in range(len(self.waiting) if everything else random.randint(0, len(self.waiting))):
            batch.append(by_item[random.choice([name for name, left in by_item.items() if left])].pop(0))
        self.waiting = [record for left in by_item.values() for record in left]
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
    assert mark_metric_days.handler(stream_event(records), Context) == {"batchItemFailures": []}


def ask(caller: dict[str, str], group_by: str, interval: str, first: str = FIRST, last: str = LAST) -> dict[str, Any]:
    parameters = {"from": first, "to": last, "group_by": group_by, "interval": interval}
    answer = get_incident_metrics.handler(metrics_event(caller, **parameters), Context)
    assert answer["statusCode"] == 200, answer["body"]
    told: dict[str, Any] = json.loads(answer["body"])
    return told


@pytest.fixture
def world(
    service: str, dynamodb_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Callable[[], World]:
    """Make a new world, in tenants of its own."""
    monkeypatch.setenv("MARK_SETTLE_SECONDS", "0")
    monkeypatch.setenv("METRICS_QUEUE_URL", "metrics")
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    monkeypatch.setattr(logger, "info", lambda *_, **__: None)
    queue = Queue()
    monkeypatch.setattr(edge, "_queues", lambda: queue)
    stream = TableStream(dynamodb_url, service)
    return lambda: World(stream, queue)


def buckets(dynamodb: "DynamoDBClient", table: str, tenants: list[str]) -> list[dict[str, Any]]:
    """Return every stored part, but for the moment at which it was computed."""
    found = [
        item
        for tenant in tenants
        for item in dynamodb.query(
            TableName=table, KeyConditionExpression="pk = :pk", ConsistentRead=True,
            ExpressionAttributeValues={":pk": {"S": f"TENANT#{tenant}#METRIC"}},
        )["Items"]
    ]  # fmt: skip
    return [{name: value for name, value in item.items() if name != "read_from"} for item in found]


def test_every_answer_is_what_brute_force_says(
    world: Callable[[], World],
    dynamodb: "DynamoDBClient",
    service: str,
    promise: Callable[[str, str], None],
) -> None:
    compared = 0

    @settings(max_examples=HISTORIES, database=None, deadline=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.lists(actions, min_size=8, max_size=24), st.integers(0, 2**16))
    def check(history: list[tuple[str, int, Any]], last: int) -> None:
        nonlocal compared
        here = world()
        for action in history:
            here.do(*action)
        here.deliver(Random(last), everything=True)
        here.compute()

        stored = buckets(dynamodb, service, here.tenants)
        for tenant in here.tenants:
            documents = here.documents(tenant)
            for app in APPS:
                mine = [one for one in documents if app is None or one.get("app_id") == app]
                for group_by, interval in (
                    ("severity", "day"),
                    ("category", "week"),
                    ("app", "month"),
                    ("none", "day"),
                ):
                    told = ask(claims(tenant, app_id=app), group_by, interval)
                    assert told.pop("definitions")
                    assert told == metric_oracle.answer(mine, FIRST, LAST, group_by, interval, told["as_of"])
                    compared += 1

        mark([record for batch in here.told for record in batch])  # all of it once more, and every job
        here.compute()
        here.compute()
        assert buckets(dynamodb, service, here.tenants) == stored

    check()
    promise(
        "Metrics that differ from brute force over the incidents", f"0 of {compared} answers, {HISTORIES} histories"
    )
