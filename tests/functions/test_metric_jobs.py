"""Tests of the metrics jobs: their behavior after errors, and the metrics that they send to CloudWatch."""

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import compute_metrics
import follow_incidents
import get_incident_metrics
import pytest
import schedule_metrics
from incidents import metric_jobs
from incidents.domain.errors import Busy
from incidents.domain.identity import Identity
from incidents.domain.tally import DayBucket
from incidents.edges import metrics_queue, queues
from incidents.runtime import deadline
from incidents.storage import dynamodb, guard, keys, stored_form
from incidents.storage.marks import Marks
from incidents.storage.metric_repository import MetricRepository

from tests.support.events import Context, claims, metrics_event, record, stream_event
from tests.support.incidents import item
from tests.support.queues import sqs_event

DETECTED = {"detected_at": "2026-11-20T08:00:00.000Z"}
WHOLE: dict[str, Any] = {
    **DETECTED, "occurred_at": "2026-11-20T07:00:00.000Z", "mttd_minutes": 60, "status": "closed",
    "contained_at": "2026-11-20T09:30:00.000Z", "closed_at": "2026-11-21T08:00:00.000Z", "mttr_minutes": 1440,
    "severity": "high",
}  # fmt: skip
Told = Callable[[], dict[str, list[dict[str, Any]]]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Return a function that returns the metrics that were sent to CloudWatch since its last call.

    The metrics are by name, with their dimensions and values. The function reads the log lines in CloudWatch's embedded
    metric format.
    """

    def read() -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for line in map(json.loads, filter(lambda line: "_aws" in line, capsys.readouterr().out.splitlines())):
            (metrics,) = line["_aws"]["CloudWatchMetrics"]
            assert metrics["Namespace"] == "Incidents"
            (dimensions,) = metrics["Dimensions"]
            assert {"stage", "service"} <= set(dimensions) <= {"stage", "service", "severity", "outcome", "operation"}
            for metric in metrics["Metrics"]:
                found[metric["Name"]].append({name: value for name, value in line.items() if name != "_aws"})
        return found

    return read


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARK_SETTLE_SECONDS", "0")
    monkeypatch.setenv("METRICS_QUEUE_URL", "metrics")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "incidents")
    monkeypatch.setenv("STAGE", "here")
    monkeypatch.setattr(deadline, "sleep", lambda _: None)


def put(*found: stored_form.Item) -> None:
    for one in found:
        with guard.serving_tenant(one["tenant_id"]["S"]):
            dynamodb.client().put_item(TableName=os.environ["TABLE_NAME"], Item=one)


def marked_days() -> Marks:
    return Marks(keys.METRIC_DAYS, dynamodb.client(), os.environ["TABLE_NAME"])


def marks() -> list[tuple[str, ...]]:
    return [(mark.tenant_id, *mark.name) for mark in marked_days().of_all_tenants()]


def mark(*changes: tuple[Any, Any]) -> list[str]:
    records = [record(old, new, 100 + n) for n, (old, new) in enumerate(changes)]
    answer = follow_incidents.handler(stream_event(records), Context)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_a_changed_date_marks_the_old_day_and_the_new_day() -> None:
    assert mark((item(1, **WHOLE), item(2, **(WHOLE | {"detected_at": "2026-11-19T00:00:00.000Z"})))) == []

    # The change does not affect the counts of the day on which the incident was closed.
    assert marks() == [("acme", "detected", "2026-11-19"), ("acme", "detected", "2026-11-20")]


@pytest.mark.parametrize(
    "changed",
    [{"title": "another"}, {"owner_id": "ada"}, {"tags": ["x"]}, {"reported_at": "2026-11-22T00:00:00.000Z"}],
)
def test_a_change_that_affects_no_metric_marks_no_day(changed: dict[str, Any]) -> None:
    mark((item(1, **WHOLE), item(2, **(WHOLE | changed))))
    mark((item(1, **DETECTED, status="new"), item(2, **DETECTED, status="investigating")))
    mark((None, item(1)))
    assert marks() == []


def test_an_erased_incident_marks_its_days() -> None:
    mark((item(1, **WHOLE), None))
    assert marks() == [("acme", "closed", "2026-11-21"), ("acme", "detected", "2026-11-20")]


@pytest.mark.parametrize(
    "poisoned",
    [
        item(1, **DETECTED) | {"status": {"N": "1"}},
        item(1) | {"status": {"N": "1"}},
        item(1, **DETECTED) | {"detected_at": {"S": "yesterday"}},
        item(1, **DETECTED) | {"occurred_at": {"NULL": True}},
        {"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": "x"}},
    ],
)
def test_an_unreadable_record_is_counted_and_stops_no_other(told: Told, poisoned: stored_form.Item) -> None:
    assert mark((None, item(1, **DETECTED)), (None, poisoned), (None, item(1, **WHOLE))) == []

    assert marks() == [("acme", "closed", "2026-11-21"), ("acme", "detected", "2026-11-20")]
    (counted,) = told()["UnreadableRecords"]
    assert (counted["operation"], counted["UnreadableRecords"]) == ("follow_incidents", [1.0])


def test_a_record_that_cannot_be_marked_is_retried_and_emits_no_minutes_yet(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_one = Marks.mark

    def busy_for_globex(self: Marks, tenant_id: str, *name: str, now: int, apps: Collection[str]) -> None:
        if tenant_id == "globex":
            raise Busy
        mark_one(self, tenant_id, *name, now=now, apps=apps)

    monkeypatch.setattr(Marks, "mark", busy_for_globex)
    changes = [(None, item(1, **WHOLE, tenant_id=tenant)) for tenant in ("acme", "globex", "initech")]

    assert mark(*changes) == ["101"]

    assert [line["tenant_id"] for line in told()["MTTDMinutes"]] == ["acme"]


def test_the_minutes_of_an_incident_are_emitted_once_when_they_are_known(told: Told) -> None:
    opened, detected = item(1), item(2, **DETECTED, severity="high")
    contained = item(3, **DETECTED, severity="high", contained_at=WHOLE["contained_at"])
    closed = item(4, **(WHOLE | {"occurred_at": None, "mttd_minutes": None}))
    found_out, retitled = item(5, **WHOLE), item(6, **WHOLE, title="x")
    steps = [None, opened, detected, contained, closed, found_out, retitled]

    mark(*pairwise(steps))

    lines = told()
    assert [line["TimeToContainMinutes"] for line in lines["TimeToContainMinutes"]] == [[90.0]]
    assert [line["MTTRMinutes"] for line in lines["MTTRMinutes"]] == [[1440.0]]
    (mttd,) = lines["MTTDMinutes"]
    assert mttd == {
        "service": "incidents", "stage": "here", "severity": "high", "tenant_id": "acme", "MTTDMinutes": [60.0],
        "incident_id": opened["id"]["S"],
    }  # fmt: skip


def test_openings_and_ends_are_counted_by_severity(told: Told) -> None:
    opened, closed = item(1, severity="high"), item(2, severity="high", status="closed")
    reopened, deleted = item(3, severity="low"), item(4, severity="low", is_deleted=True)
    steps = [None, opened, closed, reopened, deleted, None]

    mark(*pairwise(steps))

    lines = told()
    assert {line["severity"]: line["IncidentsOpened"] for line in lines["IncidentsOpened"]} == {
        "high": [1.0],
        "low": [1.0],
    }
    assert {line["severity"]: line["IncidentsEnded"] for line in lines["IncidentsEnded"]} == {
        "high": [1.0],
        "low": [1.0],
    }


@pytest.mark.parametrize("left_out", [{"is_deleted": True}, {"status": "dismissed", "closed_at": None}])
def test_deleted_and_dismissed_incidents_emit_no_metrics(told: Told, left_out: dict[str, Any]) -> None:
    mark((None, item(1, **(WHOLE | left_out))))
    assert not {"MTTDMinutes", "MTTRMinutes", "TimeToContainMinutes", "IncidentsOpened"} & set(told())


def test_a_failed_day_of_one_tenant_is_counted_and_stops_no_other(told: Told) -> None:
    broken = item(1, **DETECTED) | {"mttd_minutes": {"S": "many"}}
    good = {"tenant_id": "globex", **DETECTED}
    put(broken, item(1, **good), item(1, id="inc_01M83J8EHSBKC38ZQ0R08TEPS7", **(WHOLE | {"detected_at": None})))
    mark((None, item(1, **DETECTED)), (None, item(1, **good)), (None, item(1, **(WHOLE | {"detected_at": None}))))
    event = sqs_event({"tenant_id": "acme"}, {"tenant_id": "globex"})

    answer = compute_metrics.handler(event, Context)

    assert answer == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    assert marks() == [("acme", "detected", "2026-11-20")]
    assert {line["outcome"]: line["MetricDays"] for line in told()["MetricDays"]} == {
        "failed": [1.0],
        "computed": [2.0],
    }
    for tenant, mttr in (("globex", 0), ("acme", 1)):
        window = metrics_event(claims(tenant), **{"from": "2026-11-01", "to": "2026-11-30"})
        assert json.loads(get_incident_metrics.handler(window, Context)["body"])["mttr"]["n"] == mttr


@pytest.mark.parametrize("body", ["no JSON", "{}", "[]", '{"tenant_id":"A#B"}', '{"tenant_id":null}'])
def test_a_message_without_a_tenant_fails_alone(body: str) -> None:
    event = sqs_event(body, {"tenant_id": "acme"})
    answer = compute_metrics.handler(event, Context)
    assert answer == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}


def test_a_run_without_enough_time_postpones_the_days(told: Told) -> None:
    class Late(Context):
        @staticmethod
        def get_remaining_time_in_millis() -> int:
            return 9_000

    mark((None, item(1, **WHOLE)))
    assert compute_metrics.handler(sqs_event({"tenant_id": "acme"}), Late) == {"batchItemFailures": []}
    assert len(marks()) == 2
    assert [line["outcome"] for line in told()["MetricDays"]] == ["postponed"]


def test_all_pages_of_a_tenant_s_marks_are_read() -> None:
    mark(*((None, item(1, **(WHOLE | {"detected_at": f"2026-11-{day:02d}T08:00:00.000Z"}))) for day in range(1, 20)))

    def few(params: dict[str, Any], **_: object) -> None:
        params["Limit"] = 3

    events = dynamodb.client().meta.events
    events.register_last("before-parameter-build.dynamodb.Query", few)
    try:
        assert len(marks()) == 20
        compute_metrics.handler(sqs_event({"tenant_id": "acme"}), Context)
    finally:
        events.unregister("before-parameter-build.dynamodb.Query", few)
    assert marks() == []


def test_a_day_computed_before_its_settle_time_keeps_its_mark_and_waits_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns() // 1_000_000
    monkeypatch.setenv("MARK_SETTLE_SECONDS", "300")
    for ago in (7_200_000, 1_000):
        marked_days().mark("acme", "closed", "2026-11-20", now=now - ago)

    compute_metrics.handler(sqs_event({"tenant_id": "acme"}), Context)

    (still,) = marked_days().of_all_tenants()
    assert (still.since >= now, still.marked_at) == (True, now - 1_000)


@pytest.mark.parametrize("ahead", [10 * 86_400_000, -10 * 86_400_000])
def test_a_mark_from_a_clock_that_is_days_off_delays_no_computation(
    monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    monkeypatch.setenv("MARK_SETTLE_SECONDS", "300")
    now = time.time_ns() // 1_000_000
    put(item(1, **WHOLE))
    with guard.serving_tenant("acme"):
        identity = Identity("acme", "x", None, frozenset())
        MetricRepository(identity, dynamodb.client(), os.environ["TABLE_NAME"]).take_day(
            "closed", "2026-11-21", now + ahead, frozenset()
        )
    marked_days().mark("acme", "closed", "2026-11-21", now=now + ahead)

    compute_metrics.handler(sqs_event({"tenant_id": "acme"}), Context)

    assert marks() == []
    window = metrics_event(claims("acme"), **{"from": "2026-11-01", "to": "2026-11-30"})
    assert json.loads(get_incident_metrics.handler(window, Context)["body"])["mttr"]["n"] == 1


def test_a_day_that_always_fails_does_not_starve_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    put(item(1, **DETECTED) | {"mttd_minutes": {"S": "many"}})
    mark(*((None, item(1, detected_at=f"2026-11-{day}T08:00:00.000Z")) for day in ("20", "21", "22")))
    for _ in range(60):
        left = iter([60.0, 0.0, 0.0, 0.0])  # the seconds that are left, so a run has time for one day
        with monkeypatch.context() as short:
            short.setattr(metric_jobs, "deadline", SimpleNamespace(left=left.__next__))
            with guard.serving_tenant("acme"):
                message = metrics_queue.Message('{"tenant_id": "acme"}')
                metric_jobs.compute_metrics("acme", message.marked_days, message.metrics, 0)
    assert marks() == [("acme", "detected", "2026-11-20")]


class Queue:
    """A replacement for SQS that refuses the first ``refuse`` messages of the next batch and accepts all others."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.refuse = 0

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl == "metrics"
        refused, self.refuse = Entries[: self.refuse], 0
        self.batches.append([json.loads(one["MessageBody"])["tenant_id"] for one in Entries if one not in refused])
        return {"Failed": [{"Id": one["Id"], "Code": "InternalError", "SenderFault": False} for one in refused]}


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    made = Queue()
    monkeypatch.setattr(queues, "client", lambda: made)
    return made


def test_the_schedule_sends_one_message_for_each_tenant_with_marks(queue: Queue, told: Told) -> None:
    queue.refuse = 1
    mark(*((None, item(1, **WHOLE, tenant_id=f"tenant-{n}")) for n in range(23)))
    now = time.time_ns() // 1_000_000
    marked_days().mark("late", "closed", "2026-11-20", now=now - 7_200_000)

    assert schedule_metrics.handler({}, Context) == {"tenants": 24}

    assert max(map(len, queue.batches)) <= 10
    assert sorted(tenant for batch in queue.batches for tenant in batch) == sorted(
        ["late", *(f"tenant-{n}" for n in range(23))]
    )
    assert told()["OldestMarkMinutes"] == [{"service": "incidents", "stage": "here", "OldestMarkMinutes": [120.0]}]


def test_a_queue_that_accepts_no_message_fails_the_schedule(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    mark((None, item(1, **WHOLE)))

    def refuse_all(**sent: Any) -> dict[str, Any]:
        return {"Failed": [{"Id": one["Id"]} for one in sent["Entries"]]}

    monkeypatch.setattr(queue, "send_message_batch", refuse_all)
    with pytest.raises(Busy):
        schedule_metrics.handler({}, Context)


def test_a_flood_of_marks_costs_the_schedule_no_more_queries(
    queue: Queue, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "METRIC_DAYS", keys.METRIC_DAYS._replace(shards=1))
    monkeypatch.setattr(metric_jobs, "_AT_ONCE", 5)
    now = time.time_ns() // 1_000_000
    for tenant, number in {"acme": 2, "evil": 60, "evil-2": 30, "globex": 4, "initech": 1}.items():
        for n in range(number):
            marked_days().mark(tenant, "closed", str(datetime(1970, 1, 1, tzinfo=UTC).date() + timedelta(n)), now=now)
    marked_days().mark("globex", "detected", "2026-11-20", now=now - 7_200_000)
    queries: list[Any] = []

    def count(params: dict[str, Any], **_: object) -> None:
        queries.append(params)

    events = dynamodb.client().meta.events
    events.register_last("before-parameter-build.dynamodb.Query", count)
    try:
        assert schedule_metrics.handler({}, Context) == {"tenants": 5}
    finally:
        events.unregister("before-parameter-build.dynamodb.Query", count)

    assert sorted(tenant for batch in queue.batches for tenant in batch) == [
        "acme", "evil", "evil-2", "globex", "initech"
    ]  # fmt: skip
    assert len(queries) <= 6
    assert told()["OldestMarkMinutes"][0]["OldestMarkMinutes"] == [120.0]


def test_a_schedule_that_ends_early_has_sent_what_it_read(queue: Queue) -> None:
    tenants = [f"tenant-{n}" for n in range(23)]
    shard_of = {tenant: keys.mark(keys.METRIC_DAYS, tenant).pk for tenant in tenants}
    for tenant in tenants:
        marked_days().mark(tenant, "closed", "2026-11-20", now=0)
    shards: list[str] = []

    def busy_at_the_last_shard(params: dict[str, Any], **_: object) -> None:
        shards.append(params["ExpressionAttributeValues"][":pk"]["S"])
        if len(shards) == 8:
            raise Busy

    events = dynamodb.client().meta.events
    events.register_last("before-parameter-build.dynamodb.Query", busy_at_the_last_shard)
    try:
        with pytest.raises(Busy):
            schedule_metrics.handler({}, Context)
    finally:
        events.unregister("before-parameter-build.dynamodb.Query", busy_at_the_last_shard)
    sent = [tenant for batch in queue.batches for tenant in batch]
    assert sorted(sent) == sorted(tenant for tenant in tenants if shard_of[tenant] in shards[:7])


def test_an_unreadable_mark_does_not_hide_the_others(queue: Queue) -> None:
    with guard.serving_system():
        dynamodb.client().put_item(
            TableName=os.environ["TABLE_NAME"],
            Item=stored_form.key(keys.mark(keys.METRIC_DAYS, "acme", "closed", "2026-11-19")),
        )
    mark((None, item(1, **WHOLE)))
    assert len(marks()) == 2
    assert schedule_metrics.handler({}, Context) == {"tenants": 1}


def acme() -> MetricRepository:
    return MetricRepository(Identity("acme", "x", None, frozenset()), dynamodb.client(), os.environ["TABLE_NAME"])


def test_a_run_that_a_newer_run_overtook_leaves_the_day_s_mark() -> None:
    """The newer run may have stopped before it wrote its buckets. Then only the mark causes another computation."""
    now = time.time_ns() // 1_000_000
    put(item(1, **WHOLE))
    marked_days().mark("acme", "closed", "2026-11-21", now=now)
    with guard.serving_tenant("acme"):
        acme().take_day("closed", "2026-11-21", now + 60_000, frozenset())

    compute_metrics.handler(sqs_event({"tenant_id": "acme"}), Context)

    assert marks() == [("acme", "closed", "2026-11-21")]


def test_a_run_computes_the_recent_days_before_a_flood_of_other_days(monkeypatch: pytest.MonkeyPatch) -> None:
    today = datetime.now(UTC).date()
    recent = [str(today - timedelta(days=days)) for days in (0, 30, 366, -1)]
    others = [str(today - timedelta(days=days)) for days in range(367, 397)] + [str(today + timedelta(days=367))]
    for day in [*recent, *others]:
        marked_days().mark("acme", "detected", day, now=0)
    left = iter([60.0] * len(recent))
    monkeypatch.setattr(metric_jobs, "deadline", SimpleNamespace(left=lambda: next(left, 0.0)))

    compute_metrics.handler(sqs_event({"tenant_id": "acme"}), Context)

    assert {day for _, _, day in marks()} == set(others)


def test_a_run_reads_a_part_of_a_flood_and_all_recent_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_jobs, "_MARKS_READ", 5)
    today = datetime.now(UTC).date()
    recent = [str(today - timedelta(days=days)) for days in (-366, 0, 366)]
    flood = [str(today - timedelta(days=days)) for days in range(367, 387)]
    for kind, day in [*(("closed", day) for day in flood), *(("detected", day) for day in recent)]:
        marked_days().mark("acme", kind, day, now=0)

    for left in (15, 10):
        compute_metrics.handler(sqs_event({"tenant_id": "acme"}), Context)
        assert [kind for _, kind, _ in marks()] == ["closed"] * left


def pending(caller: dict[str, str], first: str, last: str) -> int:
    window = metrics_event(caller, **{"from": first, "to": last})
    number = json.loads(get_incident_metrics.handler(window, Context)["body"])["pending_days"]
    assert isinstance(number, int)
    return number


def test_an_answer_tells_how_many_of_its_days_wait_to_be_computed() -> None:
    number = "INC-2026-000002"
    of_app = item(2, id="inc_01M83J8EHSBKC38ZQ0R08TEPS7", incident_number=number, app_id="scanner", **WHOLE)
    put(item(1, **DETECTED), of_app)
    mark((None, item(1, **DETECTED)), (None, of_app))
    marked_days().mark("acme", "closed", "2026-11-25", now=0)
    marked_days().mark("acme-2", "closed", "2026-11-19", now=0)

    assert pending(claims("acme"), "2026-11-01", "2026-11-30") == 3
    assert pending(claims("acme"), "2026-11-20", "2026-11-20") == 1
    assert pending(claims("acme"), "2026-11-22", "2026-11-24") == 0
    assert pending(claims("acme", app_id="scanner"), "2026-11-01", "2026-11-30") == 2
    assert pending(claims("acme", app_id="other"), "2026-11-01", "2026-11-30") == 0
    assert pending(claims("acme-2"), "2026-11-01", "2026-11-30") == 1

    compute_metrics.handler(sqs_event({"tenant_id": "acme"}), Context)

    assert pending(claims("acme"), "2026-11-01", "2026-11-30") == 0
    for caller, is_told in ((claims("acme"), True), (claims("acme", app_id="scanner"), False)):
        window = metrics_event(caller, **{"from": "2026-11-01", "to": "2026-11-30"})
        answer = json.loads(get_incident_metrics.handler(window, Context)["body"])
        assert answer["mttr"]["n"] == 1
        assert (answer["computed_at"] is not None) == is_told, "another's change causes the computation of a day"


def test_a_bucket_with_a_missing_part_is_refused() -> None:
    """Another run may be replacing the bucket, so the repository reads the bucket again.

    If the bucket is still incomplete, the answer is 503.
    """
    rows = '[[[null,null,null],{"minutes":[["mttr",5,1]],"imported":{},"excluded":[],"open_since":[]}]]'
    with guard.serving_tenant("acme"):
        metrics = acme()
        stored = DayBucket("2026-11-21", 1_000, [rows, rows], b"packed")
        metrics.replace(None, "closed", stored)
        assert list(metrics.buckets("closed", "2026-11-21", "2026-11-21")) == [stored]
        bucket = keys.metric_bucket("acme", None, "closed", "2026-11-21")
        dynamodb.client().delete_item(
            TableName=os.environ["TABLE_NAME"], Key=stored_form.key(keys.metric_chunk(bucket, 1_000, 1))
        )

        with pytest.raises(Busy):
            list(metrics.buckets("closed", "2026-11-21", "2026-11-21"))
