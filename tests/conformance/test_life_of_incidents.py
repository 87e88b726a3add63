"""Tests the service against a plain model.

After any operations by any callers in any order, the service and the model must agree.
"""

from collections.abc import Callable
from functools import partial, wraps
from random import Random
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from incidents.runtime.log import logger

from tests.support import damage, history_world, invariants, oracle, scale
from tests.support.conversation import Both, Opened, TalkCount
from tests.support.drawn import (
    BAD,
    FIELDS,
    NUMBERS,
    UNKNOWN_ID,
    Aim,
    actors,
    aims,
    filters,
    keys,
    limits,
    list_edits,
    one_value,
    preconditions,
    rewritten,
    shown_too,
    statuses,
    times,
    values,
    which,
    written,
)  # fmt: skip
from tests.support.oracle import Actor, Document

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

STEPS = scale.of(short=1_500, full=30_000)
STEPS_A_LIFE = 75

# With more lives for one seed, hypothesis would copy earlier lives.
LIVES_A_SEED = 9
SEEDS = -(-STEPS // (LIVES_A_SEED * (STEPS_A_LIFE - 1)))  # the first step of a life only creates incidents

one_seed = settings(
    max_examples=LIVES_A_SEED,
    stateful_step_count=STEPS_A_LIFE,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


RULES: list[str] = []


def step(**strategies: Any) -> Callable[[Callable[..., None]], Any]:
    """Return a decorator that makes a rule from a function and counts the calls of the rule."""

    def decorate(function: Callable[..., None]) -> Any:
        RULES.append(function.__name__)

        @wraps(function)
        def counted(self: "LifeOfIncidents", **drawn: Any) -> None:
            self.both.tally.fired[function.__name__] += 1
            self.unsettled = True
            function(self, **drawn)
            self.unsettled = False

        as_rule: Any = rule(**strategies)
        return as_rule(counted)

    return decorate


class LifeOfIncidents(RuleBasedStateMachine):
    """A state machine with all operations that may happen, in any order."""

    def __init__(
        self,
        tally: TalkCount,
        items_of: Callable[[str], list[Document]],
        faults_of_sealed: Callable[[str], list[str]],
    ) -> None:
        super().__init__()
        self.items_of = items_of  # returns all stored items of a tenant
        self.faults_of_sealed = faults_of_sealed
        self.both = Both(tally)
        self.opened: list[Opened] = []
        self.looks = 0
        self.unsettled = False  # true from the start of a step until the step succeeds

    @initialize(bodies=st.lists(values, min_size=8, max_size=8), status=statuses)
    def everybody_has_an_incident(self, bodies: list[Document], status: str) -> None:
        for actor, body in zip(self.both.actors, bodies, strict=True):
            self.both.create(actor, {"tags": ["one"]} | body | {"title": "x", "status": status, "closed_at": None})

    # --- create

    @step(who=actors, body=values, status=st.none() | statuses)
    def create_one(self, who: int, body: Document, status: str | None) -> None:
        self.both.create(self.both.actors[who], body | {"title": "x"} | ({"status": status} if status else {}))

    @step(who=actors, when=times, status=statuses, more=values)
    def create_from_elsewhere(self, who: int, when: Document, status: str, more: Document) -> None:
        closed = {} if status == "closed" else {"closed_at": None}
        self.both.create(self.both.actors[who], {"title": "import", "status": status} | more | when | closed)

    @step(who=actors, number=st.sampled_from(NUMBERS) | which, body=values)
    def create_with_a_number(self, who: int, number: str | int, body: Document) -> None:
        if isinstance(number, int):  # the integer selects a number that some tenant already uses
            in_use = sorted(number for _, number in self.both.world.numbers)
            number = in_use[number % len(in_use)] if in_use else "IR-1"
        self.both.create(self.both.actors[who], body | {"title": "x", "incident_number": number})

    @step(who=actors, key=keys, body=values)
    def create_with_a_key(self, who: int, key: str, body: Document) -> None:
        self.both.create(self.both.actors[who], body | {"title": "x"}, key)

    @step(who=actors, key=keys, n=which, by_another=st.booleans(), how=st.sampled_from(["same", "rewritten", "other"]))
    def send_a_create_again(self, who: int, key: str, n: int, by_another: bool, how: str) -> None:
        if not self.both.sent:
            self.both.create(self.both.actors[who], {"title": "first"}, key)
        actor, body, key = self.both.sent[n % len(self.both.sent)]
        same = {"root_cause": None, "status": "new"} | rewritten(body)
        said = {"same": body, "rewritten": same, "other": body | {"title": "y"}}[how]
        self.both.create(self.both.actors[who] if by_another else actor, said, key)

    @step(who=actors, bad=st.sampled_from([*BAD, {"is_deleted": False}]), body=values)
    def create_with_a_bad_value(self, who: int, bad: Document, body: Document) -> None:
        self.both.create(self.both.actors[who], body | {"title": "x"} | bad)

    # --- change

    @step(aim=aims, place=st.integers(0, 4))
    def advance(self, aim: Aim, place: int) -> None:
        actor, incident_id = self.found(aim)
        record = self.both.world.reach(actor, incident_id)
        allowed = oracle.MOVES[record.document["status"]] if record else ["closed"]
        self.both.patch(actor, incident_id, {"status": allowed[place % len(allowed)]})

    @step(aim=aims, status=statuses, match=preconditions)
    def move(self, aim: Aim, status: str, match: str) -> None:
        self.both.patch(*self.found(aim), {"status": status}, match)

    @step(aim=aims, status=statuses, more=values, when=times)
    def move_and_change(self, aim: Aim, status: str, more: Document, when: Document) -> None:
        self.both.patch(*self.found(aim), more | when | {"status": status})

    @step(aim=aims, body=values, match=preconditions)
    def change_values(self, aim: Aim, body: Document, match: str) -> None:
        self.both.patch(*self.found(aim), body, match)

    @step(aim=aims, body=one_value)
    def change_one_value(self, aim: Aim, body: Document) -> None:
        self.both.patch(*self.found(aim), body)

    @step(aim=aims, edits=list_edits, more=values, match=preconditions)
    def change_lists(self, aim: Aim, edits: Document, more: Document, match: str) -> None:
        self.both.patch(*self.found(aim), edits | more, match)

    @step(aim=aims, body=times)
    def change_times(self, aim: Aim, body: Document) -> None:
        self.both.patch(*self.found(aim), body)

    @step(aim=aims, places=st.lists(which, min_size=1, max_size=3))
    def clear_what_it_holds(self, aim: Aim, places: list[int]) -> None:
        actor, incident_id = self.found(aim)
        record = self.both.world.reach(actor, incident_id)
        held = [name for name in oracle.OPTIONAL if record and record.document[name] not in (None, [])] or ["owner_id"]
        self.both.patch(actor, incident_id, {held[place % len(held)]: None for place in places})

    @step(aim=aims, names=st.lists(st.sampled_from([*FIELDS, "status", "incident_number"]), max_size=5))
    def change_nothing(self, aim: Aim, names: list[str]) -> None:
        actor, incident_id = self.found(aim)
        record = self.both.world.reach(actor, incident_id)
        self.both.patch(
            actor, incident_id, rewritten({name: record.document[name] for name in names} if record else {})
        )

    @step(aim=aims, bad=st.sampled_from([*BAD, {"incident_number": "IR"}, {"incident_number": None}]), body=values)
    def change_to_a_bad_value(self, aim: Aim, bad: Document, body: Document) -> None:
        self.both.patch(*self.found(aim), body | bad)

    @step(aim=aims, match=preconditions, again=st.booleans())
    def delete_one(self, aim: Aim, match: str, again: bool) -> None:
        found = self.found(aim)
        self.both.delete(*found, match)
        if again:
            self.both.delete(*found, match)

    @step(aim=aims, gone=st.sampled_from([False, False, True]), more=values)
    def restore_or_delete_by_a_patch(self, aim: Aim, gone: bool, more: Document) -> None:
        self.both.patch(*self.found(aim, deleted=not gone), more | {"is_deleted": gone})

    @step(aim=aims)
    def restore(self, aim: Aim) -> None:
        self.both.patch(*self.found(aim, deleted=True), {"is_deleted": False})

    # --- read

    @step(aim=aims, match=preconditions)
    def read(self, aim: Aim, match: str) -> None:
        self.both.get(*self.found(aim), match)

    @step(aim=aims, limit=limits)
    def read_history(self, aim: Aim, limit: int) -> None:
        self.both.history(*self.found(aim), limit)

    @step(who=actors, narrowed=filters, more=shown_too, limit=limits)
    def read_list(self, who: int, narrowed: Document, more: Document, limit: int) -> None:
        self.both.walk(self.both.actors[who], self.parameters(narrowed) | more, limit)

    @step(who=actors, among=st.sampled_from(["status", "app_id"]), more=shown_too, limit=st.integers(2, 6))
    def read_a_list_of_everything_by_name(self, who: int, among: str, more: Document, limit: int) -> None:
        actor = self.both.actors[who]
        names = {one.get(among, "other") for one in self.both.world.select(actor, {"include_deleted": "true"})}
        self.both.walk(actor, {among: sorted(names)} | more, limit)

    @step(who=actors, narrowed=filters, more=shown_too, limit=st.integers(1, 2))
    def open_list(self, who: int, narrowed: Document, more: Document, limit: int) -> None:
        if opened := self.both.turn(self.both.actors[who], self.parameters(narrowed) | more, limit):
            self.opened.append(opened)

    @step(who=actors, n=which, limit=limits)
    def turn_a_page_later(self, who: int, n: int, limit: int) -> None:
        opened = self.opened[n % len(self.opened)] if self.opened else self.both.turn(self.both.actors[who], {}, 1)
        if opened and (next_one := self.both.turn(opened.actor, opened.parameters, limit, opened)):
            self.opened.append(next_one)

    @step(who=actors, n=which, other=st.sampled_from([{}, {"order": "asc"}, {"order": "desc"}, {"tag": ["other"]}]))
    def use_the_cursor_of_another_list(self, who: int, n: int, other: Document) -> None:
        opened = self.opened[n % len(self.opened)] if self.opened else self.both.turn(self.both.actors[0], {}, 1)
        if opened:
            self.both.use_elsewhere(self.both.actors[who], opened.parameters | other, opened)

    @step(who=actors, limit=limits, is_killed=st.booleans())
    def follow(self, who: int, limit: int, is_killed: bool) -> None:
        self.both.follow(self.both.actors[who], limit, is_killed)

    @invariant()
    def what_everybody_can_list_is_what_the_model_says(self) -> None:
        """After each request for a change, list everything as one caller. The callers take turns from list to list."""
        if self.both.asked_for_a_change:
            self.both.asked_for_a_change = False
            self.looks += 1
            self.both.turn(self.both.actors[self.looks % 8], {}, 100)

    def found(self, aim: Aim, *, deleted: bool = False) -> tuple[Actor, str]:
        """Return a caller and the id of an incident.

        If ``deleted`` is set and a deleted incident exists, the incident is a deleted one.
        """
        actor = self.both.actors[aim.who]
        all_of_them = [one for one in self.both.world.records if aim.is_stranger or self.both.world.reach(actor, one)]
        gone = [one for one in all_of_them if self.both.world.records[one].document["is_deleted"]]
        choice = (gone if deleted else []) or all_of_them or [UNKNOWN_ID]
        return actor, choice[aim.n % len(choice)]

    def parameters(self, narrowed: Document) -> Document:
        """Return the filters for a list, with times and numbers of existing incidents.

        The two ends of each range are in order.
        """
        parameters, there = dict(narrowed), [record.document for record in self.both.world.records.values()]
        for name, place in narrowed.items():
            field = {"created": "created_at", "detected": "detected_at"}.get(name.partition("_")[0], name)
            if isinstance(place, int):
                parameters[name] = there[place % len(there)][field] or written(4, 0)
        for first, last in (("created_from", "created_to"), ("detected_from", "detected_to")):
            if first in parameters and last in parameters:
                ends = sorted((parameters[first], parameters[last]), key=oracle.moment_of)
                parameters |= {first: ends[0], last: ends[1]}
        return parameters

    def teardown(self) -> None:
        """At the end of a life, read everything that callers can see: all lists, and each incident and its trail."""
        if self.unsettled or not self.looks:
            return
        for actor in self.both.actors[1:4] + self.both.actors[5:]:
            self.both.walk(actor, {"include_deleted": "true"}, 10)
            self.both.follow(actor, 7)
        for n, (incident_id, record) in enumerate(self.both.world.records.items()):
            self.both.get(self.both.actors[n % 8], incident_id)
            self.both.history(Actor(record.document["tenant_id"], "auditor", None), incident_id, 100)
        self.every_falsified_history_is_found(self.both.actors[0].tenant)
        assert self.faults_of_sealed(self.both.actors[0].tenant) == []

    def every_falsified_history_is_found(self, tenant: str) -> None:
        items = self.items_of(tenant)
        assert invariants.violations(items) == []
        random = Random(tenant)
        trails = {item["sk"]["S"]: (item, list[Any]()) for item in items if item["pk"]["S"].endswith("#INCIDENT")}
        for item in items:
            if item["pk"]["S"].endswith("#CHANGE"):
                trails[item["sk"]["S"].partition("#")[0]][1].append(item)
        for incident, changes in trails.values():
            unseen, tried = damage.missed(random, incident, changes)
            assert unseen == []
            self.both.tally.falsified += tried


def test_the_service_behaves_as_its_plain_model(
    service: str, dynamodb: "DynamoDBClient", promise: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "info", lambda *_, **__: None)
    monkeypatch.setenv("FEED_SETTLE_SECONDS", "0.001")  # so no later write has the time of an update that was shown
    tally, items_of = TalkCount(), partial(invariants.of_tenant, dynamodb, service)
    faults_of_sealed = partial(history_world.faults_of_sealed, dynamodb, service)

    for number in range(SEEDS):
        life = seed(number)(lambda: LifeOfIncidents(tally, items_of, faults_of_sealed))
        run_state_machine_as_test(cast("type[LifeOfIncidents]", life), settings=one_seed)

    assert tally.fired.total() >= STEPS
    assert set(tally.actions) == {"created", "updated", "closed", "reopened", "deleted", "restored"}
    assert set(tally.fired) == set(RULES)
    assert {200, 201, 204, 304, 400, 404, 409, 412, 422} <= set(tally.statuses)
    figure = f"{tally.fired.total():,} steps were compared: 0 differences"
    promise("The service behaves like a plain model of the service", figure)
    falsified = f"{tally.falsified:,} falsified histories of {SEEDS * LIVES_A_SEED} tenants were checked: 0 were missed"
    promise("A falsified history is found", falsified)
