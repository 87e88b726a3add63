"""Tests the metrics jobs under every fault and in parallel: after all jobs have finished, every metric is right."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import compute_metrics
import follow_incidents
import pytest
from incidents.domain import tally
from incidents.runtime import deadline
from incidents.storage import dynamodb as table_client

from tests.faults.clock import Clock
from tests.faults.injection import ENDS, EXIT_STATUS, OF_TRANSACTIONS, Attempt, Faults, Kind
from tests.support import metric_oracle, scale
from tests.support.events import Context, claims, stream_event
from tests.support.metric_world import APPS, FIRST, LAST, MetricWorld, ask, mark
from tests.support.queues import sqs_event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KINDS = [kind for kind in Kind if kind not in OF_TRANSACTIONS]
# The short tests use three kinds of fault: a refusal, an error after the commit, and the end of the process.
if not scale.FULL:
    KINDS = [Kind.THROTTLE, Kind.ERROR_AFTER, Kind.END_AFTER]
# The short tests put a fault, or a concurrent run of the job, at every third call to the table. The full
# tests put one at every call.
STRIDE = scale.of(short=3, full=1)
CLOSED = {
    "title": "x", "status": "closed",
    "occurred_at": "2026-02-01T08:00:00Z", "detected_at": "2026-02-02T08:00:00Z", "closed_at": "2026-02-03T08:00:00Z"
}  # fmt: skip


@pytest.fixture(autouse=True)
def small_parts_and_pages(monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    """Make parts and pages so small that the few incidents here need several of each, as in a large tenant."""
    monkeypatch.setattr(tally, "CHUNK_BYTES", 150)

    def few(params: dict[str, Any], **_: object) -> None:
        params["Limit"] = 2

    table_client.client().meta.events.register_last("before-parameter-build.dynamodb.Query", few)


def begun(world: Callable[[], MetricWorld]) -> MetricWorld:
    """Return a world with computed days and two later changes.

    One change moved an application's incident to another day.
    """
    here = world()
    for place in (0, 1, 2):  # one incident each for two applications and a person, in one tenant
        here.do("create", place, [CLOSED])
    here.deliver(Random(1), everything=True)
    here.compute()
    here.do("update", 0, {"detected_at": "2026-02-01T20:00:00Z", "severity": "low"})
    here.do("update", 2, {"closed_at": "2026-02-04T08:00:00Z"})
    return here


def differences(here: MetricWorld) -> list[str]:
    """Return each tenant and application whose metrics are wrong."""
    found = []
    for tenant in here.tenants:
        documents = here.documents(tenant)
        for app in APPS:
            told = ask(claims(tenant, app_id=app), "app", "day")
            for name in ("definitions", "computed_at", "pending_days", "approximate"):
                del told[name]
            mine = [one for one in documents if app is None or one.get("app_id") == app]
            if told != metric_oracle.answer(mine, FIRST, LAST, "app", "day", told["as_of"], 100):
                found.append(f"{tenant} {app}")
    return found


def settled(here: MetricWorld) -> None:
    here.deliver(Random(2), everything=True)
    here.compute()
    here.compute()  # if an answer was lost, the first run left its day to the second run
    assert here.marked() == []
    assert differences(here) == []


class Once:
    """A plan for one fault, at the first attempt of one call."""

    def __init__(self, call: int, kind: Kind) -> None:
        self.call, self.kind, self.done = call, kind, False

    def __call__(self, attempt: Attempt) -> Kind | None:
        if self.done or attempt.call < self.call:
            return None
        self.done = True
        return self.kind


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.value)
def test_the_metrics_are_right_in_the_end_after_a_fault_at_any_call(
    world: Callable[[], MetricWorld], clock: Clock, kind: Kind, promise: Callable[[str, str], None]
) -> None:
    call = 1 - STRIDE + KINDS.index(kind) % STRIDE
    while True:
        call += STRIDE
        here = begun(world)
        records, plan = here.fetch(), Once(call, kind)
        run = partial(run_under, plan, clock, records, here.tenants[0])
        if kind in ENDS:
            if not ended(run):
                break
            mark(records)
        else:
            run()
            if not plan.done:
                break
        settled(here)
    assert call > 12
    SHOWN[kind.value] = call // STRIDE
    promise(
        "After a fault in the metrics jobs, one more run makes all metrics right",
        f"{sum(SHOWN.values())} faults of {len(SHOWN)} kinds were injected: 0 metrics are wrong after one more run",
    )


SHOWN: dict[str, int] = {}


def run_under(plan: "Once", clock: Clock, records: list[dict[str, Any]], tenant: str) -> None:
    """Run the jobs of one tenant under a fault."""
    with Faults(table_client.client(), plan, clock.hang).at_work():
        told = follow_incidents.handler(stream_event(records), Context)
        if told["batchItemFailures"]:  # the stream would deliver the records again
            mark(records)
        compute_metrics.handler(sqs_event({"tenant_id": tenant}), Context)


def ended(run: Callable[[], None]) -> bool:
    """Call a function in a separate process; return whether a fault ended the process."""

    def work() -> None:
        table_client.client.cache_clear()  # a process must not share a connection with its parent
        run()

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(60)
    assert process.exitcode in (0, EXIT_STATUS)
    return process.exitcode == EXIT_STATUS


@contextmanager
def interrupted(client: "DynamoDBClient", at: int, by: Callable[[], None]) -> Iterator[list[int]]:
    """Call ``by`` just before call number ``at`` to the table.

    Yield a list with the number of calls so far.
    """
    calls = [0]

    def count(**_: object) -> None:
        calls[0] += 1
        if calls[0] == at:
            by()

    client.meta.events.register("before-call.dynamodb", count)
    try:
        yield calls
    finally:
        client.meta.events.unregister("before-call.dynamodb", count)


def changed_and_computed(here: MetricWorld) -> None:
    """Make every kind of change that another run can meet, and compute the metrics."""
    here.do("update", 0, {"detected_at": "2026-02-05T20:00:00Z", "closed_at": "2026-02-06T00:00:00Z"})
    here.do("update", 1, {"severity": "critical"})
    here.do("create", 1, [{"title": "x", "status": "investigating", "detected_at": "2026-02-02T12:00:00Z"}])
    here.do("delete", 2, None)
    here.deliver(Random(3), everything=True)
    here.compute()


def changed(here: MetricWorld) -> None:
    """Change incidents and mark their days.

    A run that started earlier must leave the new marks to the next run.
    """
    here.do("update", 0, {"detected_at": "2026-02-05T20:00:00Z", "closed_at": "2026-02-06T00:00:00Z"})
    here.do("update", 1, {"severity": "critical"})
    here.deliver(Random(3), everything=True)


@pytest.mark.parametrize("meanwhile", [changed, changed_and_computed])
def test_a_run_that_another_run_overtakes_at_any_call_leaves_no_wrong_metric(
    world: Callable[[], MetricWorld], monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[MetricWorld], None]
) -> None:
    monkeypatch.setattr(deadline, "sleep", lambda _: None)
    at = 0
    while True:
        at += STRIDE
        here = begun(world)
        here.deliver(Random(0), everything=True)
        with interrupted(table_client.client(), at, partial(meanwhile, here)) as calls:
            compute_metrics.handler(sqs_event({"tenant_id": here.tenants[0]}), Context)
        if calls[0] < at:
            break
        settled(here)
    assert at > 12


def test_a_day_stays_marked_until_its_index_has_had_time_to_update(
    world: Callable[[], MetricWorld], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK_SETTLE_SECONDS", "300")
    here = world()
    hidden: list[str] = []

    def hide(parsed: Any, model: Any, **_: object) -> None:
        parsed["Items"] = [item for item in parsed["Items"] if item["sk"]["S"] not in hidden]

    table_client.client().meta.events.register("after-call.dynamodb.Query", hide)

    def later(seconds: float) -> list[str]:
        here.wait(seconds)
        here.compute()
        return here.marked()

    here.do("create", 0, [CLOSED])
    here.deliver(Random(0), everything=True)
    assert len(later(1)) == 2
    assert differences(here) != [], "a mark younger than the index's possible lag must wait"
    assert later(300) == []
    assert differences(here) == []

    here.do("create", 1, [CLOSED])
    hidden.append(here.incidents[-1][1])
    here.deliver(Random(0), everything=True)
    assert len(later(290)) == 2
    here.do("create", 2, [CLOSED])
    here.deliver(Random(0), everything=True)
    assert len(later(20)) == 2, "a day that keeps changing is computed and stays marked"
    assert differences(here) != []
    hidden.clear()
    assert later(300) == []
    assert differences(here) == []


def test_each_day_of_an_answer_is_consistent_while_its_parts_are_replaced(
    world: Callable[[], MetricWorld],
) -> None:
    at = 0
    while True:
        at += 1
        here = begun(world)
        here.deliver(Random(0), everything=True)
        person = claims(here.tenants[0])
        before = ask(person, "app", "day")

        def replace(here: MetricWorld = here) -> None:
            here.do("create", 0, [CLOSED, CLOSED | {"category": "phishing"}, CLOSED | {"severity": "low"}])
            here.deliver(Random(0), everything=True)
            here.compute()

        with interrupted(table_client.client(), at, replace) as calls:
            between = ask(person, "app", "day")
        if calls[0] < at:
            break
        after = ask(person, "app", "day")
        for day, *moments in zip(between["trend"], before["trend"], after["trend"], strict=True):
            for metric in ("mttd", "mttr"):
                assert day[metric] in [moment[metric] for moment in moments], f"{day['from']}, call {at}"
    assert at > 4
