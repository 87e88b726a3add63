"""Tests that no fault leaves a finding without its event, or an event without its finding."""

import itertools
import multiprocessing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ingest_finding
import pytest
from incidents.storage import dynamodb as client_module
from incidents.storage.account_map import AccountMap

from tests.faults.clock import Clock
from tests.faults.injection import ENDS, EXIT_STATUS, OF_TRANSACTIONS, Attempt, Faults, Kind
from tests.support import invariants
from tests.support.events import Context
from tests.support.queues import sqs_event
from tests.support.recorded import event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NEWER = {"detail__updatedAt": "2026-11-18T00:00:00Z", "detail__service__eventLastSeen": "2026-11-18T00:00:00Z"}
ANOTHER_ASSET = {"detail__resource__instanceDetails__instanceId": "i-0ffffffffffffffff"}
# Each pair: the event that arrives under a fault, and whether its incident already exists.
ARRIVALS: dict[str, tuple[dict[str, Any], bool]] = {
    "creates the incident": ({}, False),
    "changes the incident": (NEWER | ANOTHER_ASSET, True),
    "changes only the finding": (NEWER, True),
}
accounts = (f"{n:012}" for n in itertools.count(1))


class Intake:
    """The function, and the table of a tenant that has its own account."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.account = next(accounts)
        self._client, self._table, self._tenant = client, table, f"evidence-{self.account}"
        AccountMap(client_module.client(), table).link(self.account, self._tenant)

    def take(self, changed: dict[str, Any]) -> None:
        ingest_finding.handler(sqs_event(event("guardduty", detail__accountId=self.account, **changed)), Context)

    def stored(self) -> tuple[int, int, int]:
        """Check the table. Return the numbers of changes, of counted events and of stored events."""
        found = invariants.of_tenant(self._client, self._table, self._tenant)
        assert invariants.violations(found) == []
        kinds = [item["pk"]["S"].rpartition("#")[2] for item in found]
        events = sum(int(item["events"]["N"]) for item in found if item["pk"]["S"].endswith("#FINDING"))
        return kinds.count("CHANGE"), events, kinds.count("EVIDENCE")


@pytest.mark.parametrize("name", ARRIVALS)
def test_a_fault_at_any_call_stores_an_event_and_its_finding_or_neither(
    name: str, service: str, dynamodb: "DynamoDBClient", clock: Clock, promise: Callable[[str, str], None]
) -> None:
    changed, is_there = ARRIVALS[name]

    def prepared() -> Intake:
        intake = Intake(dynamodb, service)
        if is_there:
            intake.take({})
        return intake

    intake = prepared()
    before = intake.stored()
    with Faults(client_module.client(), lambda _: None, clock.hang).at_work() as counted:
        intake.take(changed)
    after = intake.stored()
    assert (after[1:], before[1:]) == ((1 + is_there, 1 + is_there), (int(is_there), int(is_there)))

    for call, kind in itertools.product(range(1, counted.calls + 1), Kind):
        intake = prepared()

        def choose(attempt: Attempt, call: int = call, kind: Kind = kind) -> Kind | None:
            return kind if attempt.call == call else None

        if kind in ENDS:
            in_a_process_that_ends(intake, changed, choose)
        else:
            with Faults(client_module.client(), choose, clock.hang).at_work() as faults:
                intake.take(changed)
            assert faults.injected or kind in OF_TRANSACTIONS
        assert intake.stored() in (before, after)
        intake.take(changed)
        assert intake.stored() == after
        TRIED.add((name, call, kind))
    promise(
        "No finding is without its event, and no event is without its finding",
        f"{len(TRIED)} faults were injected at every call of {len({name for name, *_ in TRIED})} arrivals: "
        "0 findings are without their event, and 0 events are without their finding",
    )


def in_a_process_that_ends(intake: Intake, changed: dict[str, Any], choose: Callable[[Attempt], Kind | None]) -> None:
    def work() -> None:
        client_module.client.cache_clear()  # a process must not share a connection with its parent
        with Faults(client_module.client(), choose, lambda: None).at_work():
            intake.take(changed)

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(60)
    assert process.exitcode == EXIT_STATUS


TRIED: set[tuple[str, int, Kind]] = set()
