"""Tests every fault at every call to the table, for every operation, and checks the invariants after each fault.

After a fault, the caller follows docs/api.md and sends the same request again.
"""

import itertools
import json
import multiprocessing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from incidents.edges import http
from incidents.storage import dynamodb

from tests.faults.clock import Clock
from tests.faults.injection import ENDS, EXIT_STATUS, OF_TRANSACTIONS, Attempt, Choose, Faults, Kind
from tests.faults.scenarios import SCENARIOS, Event, Scenario, prepare
from tests.support import invariants, templates
from tests.support.events import Context

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FUNCTION_SECONDS = templates.service()["Globals"]["Function"]["Timeout"]


def test_the_scenarios_cover_every_operation() -> None:
    assert len({scenario.handler for scenario in SCENARIOS.values()}) == len(templates.operations())


def calls_of(scenario: Scenario, clock: Clock) -> int:
    _, event = prepare(scenario)
    with Faults(dynamodb.client(), lambda _: None, clock.hang).at_work() as faults:
        scenario.handler(event, Context)
    return faults.calls


def under_fault(handler: http.Handler, event: Event, clock: Clock, choose: Choose) -> Any:
    with Faults(dynamodb.client(), choose, clock.hang).at_work():
        return handler(event, Context)


def in_a_process_that_ends(handler: http.Handler, event: Event, plan: "PlannedFault") -> None:
    def work() -> None:
        dynamodb.client.cache_clear()  # a process must not share a connection with its parent
        with Faults(dynamodb.client(), plan, lambda: None).at_work():
            handler(event, Context)

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(60)
    assert process.exitcode == EXIT_STATUS


def check_what_holds(table: list[Any], scenario: Scenario) -> None:
    """Check that the table is consistent, and that the request had its effect once or not at all."""
    assert invariants.violations(table) == []
    assert count(table, "INCIDENT") in (1, scenario.incidents)
    assert count(table, "CHANGE") in (1 + scenario.deleted, scenario.changes)


def check_what_was_done(table: list[Any], scenario: Scenario) -> None:
    assert invariants.violations(table) == []
    assert (count(table, "INCIDENT"), count(table, "CHANGE")) == (scenario.incidents, scenario.changes)


def count(table: list[Any], kind: str) -> int:
    return sum(item["pk"]["S"].endswith(f"#{kind}") for item in table)


class PlannedFault:
    """A plan for a fault of one kind at one call.

    The fault happens at the first attempt only or, if ``lasting``, at every attempt from then on.
    """

    def __init__(self, call: int, kind: Kind, *, lasting: bool) -> None:
        self.call, self.kind, self.lasting = call, kind, lasting
        self.hits = 0

    def __call__(self, attempt: Attempt) -> Kind | None:
        meets = self.kind not in OF_TRANSACTIONS or attempt.operation == "TransactWriteItems"
        if attempt.call < self.call or (self.hits and not self.lasting) or not meets:
            return None
        self.hits += 1
        return self.kind


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_invariants_hold_after_every_fault_at_every_call(
    name: str, service: str, dynamodb: "DynamoDBClient", clock: Clock, promise: Callable[[str, str], None]
) -> None:
    scenario = SCENARIOS[name]
    busy = 0
    calls = calls_of(scenario, clock)
    for call, kind, lasting in itertools.product(range(1, calls + 1), Kind, (False, True)):
        who, event = prepare(scenario)
        plan, started = PlannedFault(call, kind, lasting=lasting), clock.seconds
        if kind in ENDS:
            in_a_process_that_ends(scenario.handler, event, plan)
            status = None
        else:
            answer = under_fault(scenario.handler, event, clock, plan)
            status = answer["statusCode"]
            # This kind of fault happens only to transactions, and the request makes no further transaction.
            if not plan.hits:
                continue
        waited = clock.seconds - started
        FIGURES[name, call, kind, lasting] = waited
        assert waited < FUNCTION_SECONDS, "Lambda would end the function, and the gateway would answer a bare 502"

        table = invariants.of_tenant(dynamodb, service, who["tenant_id"])
        check_what_holds(table, scenario)
        if status == 503:
            busy += 1
            assert answer["headers"]["retry-after"] == "1"
            assert json.loads(answer["body"])["type"] == "urn:problem-type:incidents:busy"
        elif status is not None:
            assert status in scenario.statuses
            check_what_was_done(table, scenario)
        if scenario.repeatable:
            assert scenario.handler(event, Context)["statusCode"] in scenario.statuses
            check_what_was_done(invariants.of_tenant(dynamodb, service, who["tenant_id"]), scenario)
    assert busy > 0, "some of these faults must reach the caller as a 503"
    promise(
        "A fault at any call leaves the table consistent",
        f"{len(FIGURES)} faults of {len(Kind)} kinds were injected, once and lasting, at every call to the "
        f"table during {len({figure[0] for figure in FIGURES})} requests: 0 rules for stored items were broken",
    )
    promise(
        "If the table hangs, the API answers with 503 before the function's timeout",
        f"In each request, one call to the table hangs: the slowest answer came after {max(FIGURES.values()):.1f} s "
        f"of at most {FUNCTION_SECONDS} s on a simulated clock",
    )


@pytest.mark.parametrize("name", [name for name, one in SCENARIOS.items() if one.changes > 1 and one.repeatable])
def test_a_lost_answer_before_a_conflict_still_gives_one_write(
    name: str, service: str, dynamodb: "DynamoDBClient", clock: Clock
) -> None:
    scenario = SCENARIOS[name]
    who, event = prepare(scenario)
    faults = iter((Kind.CUT_AFTER, Kind.CONFLICT))

    answer = under_fault(
        scenario.handler, event, clock,
        lambda attempt: next(faults, None) if attempt.operation == "TransactWriteItems" else None,
    )  # fmt: skip

    assert answer["statusCode"] == scenario.statuses[0]
    check_what_was_done(invariants.of_tenant(dynamodb, service, who["tenant_id"]), scenario)


FIGURES: dict[tuple[str, int, Kind, bool], float] = {}
"""Seconds of waiting, by request, call, kind of fault, and whether the fault lasted."""
