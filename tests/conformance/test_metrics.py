"""Tests that the metrics equal a brute-force computation, for any history of incidents and any order of the stream."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from incidents.domain import metric_answer, tally

from tests.support import metric_oracle, scale
from tests.support.events import claims
from tests.support.metric_world import APPS, FIRST, LAST, MetricWorld, ask, buckets, mark

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HISTORIES = scale.of(short=60, full=2_000)
LEFT_OUT = [set(), set(), {"occurred_at"}, {"detected_at"}, {"contained_at"}, {"occurred_at", "detected_at"}]
QUESTIONS = {None: [("severity", "day"), ("category", "week"), ("app", "month"), ("none", "day")],
             "scanner": [("app", "week")], "ALL": [("severity", "month")]}  # fmt: skip


def moment(minutes: float) -> str:
    """Return the time this many minutes after 2026-01-30T20:00:40.5Z. The result is never on a full minute."""
    return (datetime(2026, 1, 30, 20, 0, 40, 500_000, tzinfo=UTC) + timedelta(minutes=minutes)).isoformat()


def case(start: int, gaps: tuple[int, int, int], left_out: set[str], status: str, **fields: Any) -> dict[str, Any]:
    """Return an incident as a caller might report it.

    The milestones are in order, and some of them are missing.
    """
    at = [start, start + gaps[0], start + gaps[0] + gaps[1], start + sum(gaps)]
    names = ("occurred_at", "detected_at", "contained_at", "closed_at")
    known = {name: moment(minutes) for name, minutes in zip(names, at, strict=True) if name not in left_out}
    if status != "closed":
        known.pop("closed_at", None)
    if "occurred_at" in known and "detected_at" in known:
        fields.pop("mttd_minutes")
    if status != "closed" or {"detected_at", "closed_at"} <= set(known):
        fields.pop("mttr_minutes")
    given = {"title": "x", "status": status, **known, **fields}
    return {name: value for name, value in given.items() if value is not None}


fields: dict[str, st.SearchStrategy[Any]] = {
    "severity": st.sampled_from(["critical", "low", None]),
    "category": st.sampled_from(["phishing", "Ausfall ü", None]),
    "mttd_minutes": st.sampled_from([None, 0, 7]),
    "mttr_minutes": st.sampled_from([None, 0, 11, 4_000_000]),
}
gaps = st.sampled_from([0, 1, 59, 60, 700, 1_440, 2_881])
cases = st.builds(
    case,
    st.integers(0, 14_000),
    st.tuples(gaps, gaps, gaps),
    st.sampled_from(
        [set[str](), set[str](), {"occurred_at"}, {"detected_at"}, {"contained_at"}, {"occurred_at", "detected_at"}]
    ),
    st.sampled_from(["new", "investigating", "contained", "closed", "closed", "closed", "dismissed"]),
    **fields,
)
moments = st.none() | st.integers(0, 20_000).map(moment)
edits = st.one_of(
    *(st.fixed_dictionaries({name: moments}) for name in ("occurred_at", "detected_at", "contained_at", "closed_at")),
    *(st.fixed_dictionaries({name: values}) for name, values in fields.items()),
)
statuses = st.sampled_from(["new", "investigating", "contained", "closed", "closed", "dismissed"])
which = st.integers(0, 40)
actions = st.one_of(
    st.tuples(st.just("create"), st.integers(0, 5), st.lists(cases, min_size=1, max_size=4)),
    st.tuples(st.just("create"), st.integers(0, 5), st.lists(cases, min_size=1, max_size=4)),
    st.tuples(st.just("update"), which, edits),
    st.tuples(st.just("update"), which, edits),
    st.tuples(st.just("move"), which, statuses),
    st.tuples(st.just("delete"), which, st.none()),
    st.tuples(st.just("restore"), which, st.none()),
    st.tuples(st.just("deliver"), st.integers(0, 2**16), st.none()),
    st.tuples(st.just("compute"), st.just(0), st.none()),
    # Each value is a time to wait, in seconds. A negative value sets the clock back for the next
    # write, mark or computation.
    st.tuples(st.just("wait"), st.just(0), st.sampled_from([0.001, 20.0, 11_000.0, -240.0])),
)


def test_every_metrics_answer_equals_brute_force(
    world: Callable[[], MetricWorld],
    dynamodb: "DynamoDBClient",
    service: str,
    promise: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = telling = cut = approximated = 0

    @settings(max_examples=HISTORIES, database=None, deadline=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.lists(actions, min_size=10, max_size=24), st.integers(0, 2**16))
    def check(history: list[tuple[str, int, Any]], last: int) -> None:
        nonlocal compared, telling, cut, approximated
        # Three of four histories have so many groups that a day cannot store and an answer cannot show all of them.
        monkeypatch.setattr(metric_answer, "GROUPS", 1 if last % 4 else 100)
        monkeypatch.setattr(tally, "CATEGORIES_OF_DAY", 1 if last % 4 else 1_000)
        here = world()
        for action in history:
            here.do(*action)
        here.deliver(Random(last), everything=True)
        here.wait(3_600)  # the clock was never this far ahead
        for _ in range(3):
            here.compute()
            here.wait(1)
        assert here.marked() == []

        stored = buckets(dynamodb, service, here.tenants)
        for tenant in here.tenants:
            documents = here.documents(tenant)
            for app in APPS:
                mine = [one for one in documents if app is None or one.get("app_id") == app]
                for group_by, interval in QUESTIONS[app]:
                    told = ask(claims(tenant, app_id=app), group_by, interval)
                    assert told.pop("definitions")
                    assert told.pop("pending_days") == 0
                    computed_at = told.pop("computed_at")
                    assert computed_at is None or app is None
                    assert computed_at or app or told["mttd"]["n"] == told["mttr"]["n"] == 0
                    expected = metric_oracle.answer(
                        mine, FIRST, LAST, group_by, interval, told["as_of"], metric_answer.GROUPS
                    )
                    approximate = told.pop("approximate")
                    assert approximate <= (group_by == "category")
                    if approximate:
                        approximated += 1
                        for answer in (told, expected):
                            del answer["groups"], answer["other"]
                    assert told == expected
                    cut += told.get("other") is not None
                    compared += 1
                    telling += told["mttd"]["n"] > 1 or told["mttr"]["n"] > 1

        # Deliver all records once more and run every job.
        mark([record for batch in here.told for record in batch])
        here.wait(1)
        here.compute()
        here.wait(1)
        here.compute()
        assert buckets(dynamodb, service, here.tenants) == stored

    check()
    assert telling > compared / 4, "too few answers cover several incidents"
    assert cut > compared / 20, "too few answers lack groups"
    assert approximated > 5, "too few answers are approximate"
    promise(
        "Every metrics answer equals a brute-force computation",
        f"{compared:,} answers after {HISTORIES:,} histories were compared: 0 differ; {telling:,} of the answers "
        f"contain several incidents, {cut:,} have more groups than are shown, and {approximated:,} are marked as "
        "approximate",
    )
