"""The metrics against brute force: whatever happens to incidents, in whatever order the stream tells of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import metric_oracle, scale
from tests.support.events import claims
from tests.support.metric_world import APPS, FIRST, LAST, World, ask, buckets, mark

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HISTORIES = scale.of(short=200, full=2_000)
QUESTIONS = {None: [("severity", "day"), ("category", "week"), ("app", "month"), ("none", "day")],
             "scanner": [("app", "week")], "ALL": [("severity", "month")]}  # fmt: skip


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
                for group_by, interval in QUESTIONS[app]:
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
