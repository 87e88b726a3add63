"""Tests that the board and the alerts are right after any history of incidents, faults and outages.

The tests compare the board with a computation from the final incidents. They compare the alerts with those of an oracle
that follows the history.
"""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from random import Random
from typing import TYPE_CHECKING

import pytest
from incidents import deadline_jobs
from incidents.runtime import deadline
from incidents.runtime.log import logger
from incidents.storage import keys
from incidents_cli.operate.tenants.deadline_items import DeadlineItems
from incidents_cli.operate.tenants.reading import TenantReader

from tests.functions.test_regulatory_reports import OWN
from tests.support import scale
from tests.support.deadline_world import AlertOracle, DeadlineWorld

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INCIDENTS = 50  # each incident has its own random history; the incidents of a world share its clock and its runs
WORLDS = scale.of(short=4, full=200)
STEPS = 12  # each step changes a fifth of the incidents
MINUTES = (1, 60, 300, 300, 700, 1500, 1500, 4400, 12_000)  # the possible minutes between two steps
_runs = count()


@pytest.fixture
def deadline_world(
    service: str, dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> Callable[[], DeadlineWorld]:
    """Return a function that makes a world. Each world has its own tenants."""
    monkeypatch.setenv("EVENT_BUS_NAME", "incidents")
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    for name in ("info", "error"):
        monkeypatch.setattr(logger, name, lambda *_, **__: None)
    monkeypatch.setattr(deadline, "sleep", lambda _: None)
    monkeypatch.setattr(deadline, "left", lambda: 60.0)
    # The number of shards only determines the number of queries in a run.
    monkeypatch.setattr(keys, "ALERT_SHARDS", 1)
    monkeypatch.setattr(keys, "DEADLINES", keys.DEADLINES._replace(shards=1))

    def make() -> DeadlineWorld:
        world = DeadlineWorld(dynamodb, service, next(_runs), monkeypatch)
        monkeypatch.setattr(deadline_jobs, "put", world.put)
        return world

    return make


def live(world: DeadlineWorld, random: Random) -> AlertOracle:
    """Run a random history, and return the oracle that followed it."""
    oracle = AlertOracle(world)
    world.choose(random, [OWN])
    for step in range(STEPS):
        if len(world.documents) < INCIDENTS:
            for _ in range(INCIDENTS // 5):
                world.create(random)
        for incident_id in random.sample(sorted(world.documents), len(world.documents) // 5):
            world.clock.moment += timedelta(milliseconds=random.choice([1, 60_000]))
            world.change(random, incident_id)
        if random.random() < 0.2:
            world.choose(random, [OWN])
        world.deliver(random)
        if random.random() < 0.7 or step == STEPS - 1:  # otherwise the job has an outage
            world.bus_works = random.random() < 0.85
            oracle.before_run()
            if random.random() < 0.5 and world.bus_works:
                world.run_with_a_fault(random)
            world.run()
            assert world.bus_works is False or world.marked() == set()
        world.clock.moment += timedelta(minutes=random.choice(MINUTES))
    world.bus_works = True
    world.deliver(random, everything=True)
    oracle.before_run()
    world.run()
    return oracle


@pytest.mark.parametrize("seed", range(WORLDS))
def test_the_board_and_the_alerts_are_right_after_any_history(
    deadline_world: Callable[[], DeadlineWorld],
    service: str,
    dynamodb: "DynamoDBClient",
    seed: int,
    promise: Callable[[str, str], None],
) -> None:
    world = deadline_world()
    oracle = live(world, Random(seed))

    assert world.marked() == set()
    for caller in world.callers:
        shown = world.board(caller)
        assert [{name: entry[name] for name in ("incident_id", "stages")} for entry in shown] == world.expected_board(
            caller
        )
    assert {*world.told} == oracle.expected
    for tenant in world.tenants:
        reader = TenantReader(dynamodb, service, tenant)
        checked = DeadlineItems(reader).look([*reader.items("DEADLINE")])
        assert [violation for _, violations in checked for violation in violations] == []
    SHOWN.append(len(world.documents))
    ALERTS.append(len({*world.told}))
    promise(
        "The board of deadlines and its alerts are right after any history",
        f"{sum(SHOWN)} random histories had faults and outages, and {sum(ALERTS)} alerts were due: 0 boards differ, "
        "0 alerts are missing, and 0 wrong alerts were sent",
    )


SHOWN: list[int] = []
ALERTS: list[int] = []
