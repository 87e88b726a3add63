"""The service against a plain model of it: whatever is done in whatever order, by whomever, both must say the same."""

import json
import operator
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from itertools import count
from typing import Any, NamedTuple, cast

import pytest
from create_incident import handler as create
from delete_incident import handler as delete
from get_incident import handler as get
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from incidents.observability import logger
from list_incident_changes import handler as list_changes
from list_incidents import handler as list_
from update_incident import handler as update

from tests.support import oracle, scale
from tests.support.drawn import (
    APPS,
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
    preconditions,
    rewritten,
    shown_too,
    statuses,
    times,
    values,
    which,
)  # fmt: skip
from tests.support.events import (
    Context,
    changes_event,
    claims,
    create_event,
    delete_event,
    get_event,
    list_event,
    patch_event,
)
from tests.support.oracle import Actor, Document, Record, Verdict, World, canonical

STEPS = scale.of(short=3_000, full=30_000)
STEPS_A_LIFE = 75

LIVES_A_SEED = 10  # hypothesis makes the lives after its tenth from copies of others

one_seed = settings(
    max_examples=LIVES_A_SEED,
    stateful_step_count=STEPS_A_LIFE,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


class Tally:
    """What was done, and how it was answered."""

    def __init__(self) -> None:
        self.fired: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.tenants = count()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str
    between: tuple[str, str]  # the moments of the question and of the answer

    @property
    def document(self) -> Document:
        return cast("Document", json.loads(self.body))


class Opened(NamedTuple):
    """A list that somebody has read in part."""

    actor: Actor
    parameters: Document
    cursor: str
    behind: str  # the id of the last incident that was shown


RULES: list[str] = []


def step(**strategies: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule that is counted."""

    def decorate(function: Callable[..., None]) -> Any:
        RULES.append(function.__name__)

        @wraps(function)
        def counted(self: "LifeOfIncidents", **drawn: Any) -> None:
            self.tally.fired[function.__name__] += 1
            self.unsettled = True
            function(self, **drawn)
            self.unsettled = False

        return rule(**strategies)(cast("Callable[..., None]", counted))

    return decorate


def now() -> str:
    return oracle.text_of(datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1000, UTC))


class LifeOfIncidents(RuleBasedStateMachine):
    """Two tenants with the same two people and two applications each; tenants of a life of their own."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self.tally, self.world = tally, World()
        tenant = f"acme-{next(tally.tenants)}"
        self.actors = [
            Actor(one, subject, app)
            for one in (tenant, f"{tenant}-b")
            for subject, app in (("ada", None), ("grace", None), ("ada", APPS[0]), ("machine", APPS[1]))
        ]
        self.sent: list[tuple[Actor, Document, str]] = []
        self.opened: list[Opened] = []
        self.refusal: str | None = None
        self.looks, self.asked_for_a_change = 0, False
        self.unsettled = False  # from the beginning of a step to its good end

    @initialize(bodies=st.lists(values, min_size=8, max_size=8), status=statuses)
    def everybody_has_an_incident(self, bodies: list[Document], status: str) -> None:
        for actor, body in zip(self.actors, bodies, strict=True):
            body.pop("closed_at", None)
            self.create(actor, body | {"title": "x", "status": status})

    # --- create

    @step(who=actors, body=values, status=st.none() | statuses)
    def create_one(self, who: int, body: Document, status: str | None) -> None:
        self.create(self.actors[who], body | {"title": "x"} | ({"status": status} if status else {}))

    @step(who=actors, when=times, status=statuses, more=values)
    def create_from_elsewhere(self, who: int, when: Document, status: str, more: Document) -> None:
        closed = {} if status == "closed" else {"closed_at": None}
        self.create(self.actors[who], {"title": "import", "status": status} | more | when | closed)

    @step(who=actors, number=st.sampled_from(NUMBERS) | which, body=values)
    def create_with_a_number(self, who: int, number: str | int, body: Document) -> None:
        if isinstance(number, int):  # one that somebody, of whatever tenant, has already
            in_use = sorted(number for _, number in self.world.numbers)
            number = in_use[number % len(in_use)] if in_use else "IR-1"
        self.create(self.actors[who], body | {"title": "x", "incident_number": number})

    @step(who=actors, key=keys, body=values)
    def create_with_a_key(self, who: int, key: str, body: Document) -> None:
        self.create(self.actors[who], body | {"title": "x"}, key)

    @step(who=actors, key=keys, n=which, by_another=st.booleans(), how=st.sampled_from(["same", "rewritten", "other"]))
    def send_a_create_again(self, who: int, key: str, n: int, by_another: bool, how: str) -> None:
        if not self.sent:
            self.create(self.actors[who], {"title": "first"}, key)
        actor, body, key = self.sent[n % len(self.sent)]
        same = {"root_cause": None, "status": "new"} | rewritten(body)
        said = {"same": body, "rewritten": same, "other": body | {"title": "y"}}[how]
        self.create(self.actors[who] if by_another else actor, said, key)

    @step(who=actors, bad=st.sampled_from([*BAD, {"is_deleted": False}]), body=values)
    def create_with_a_bad_value(self, who: int, bad: Document, body: Document) -> None:
        self.create(self.actors[who], body | {"title": "x"} | bad)

    # --- change

    @step(aim=aims, status=statuses, match=preconditions)
    def move(self, aim: Aim, status: str, match: str) -> None:
        self.patch(*self.found(aim), {"status": status}, match)

    @step(aim=aims, place=st.integers(0, 4), more=values, when=times)
    def move_as_allowed(self, aim: Aim, place: int, more: Document, when: Document) -> None:
        actor, incident_id = self.found(aim)
        record = self.world.reach(actor, incident_id)
        allowed = oracle.MOVES[record.document["status"]] if record else ["closed"]
        self.patch(actor, incident_id, more | when | {"status": allowed[place % len(allowed)]})

    @step(aim=aims, body=values, match=preconditions)
    def change_values(self, aim: Aim, body: Document, match: str) -> None:
        self.patch(*self.found(aim), body, match)

    @step(aim=aims, body=times)
    def change_times(self, aim: Aim, body: Document) -> None:
        self.patch(*self.found(aim), body)

    @step(aim=aims, names=st.lists(st.sampled_from([*FIELDS, *FIELDS, "status"]), min_size=1, max_size=3))
    def clear(self, aim: Aim, names: list[str]) -> None:
        self.patch(*self.found(aim), dict.fromkeys(names))

    @step(aim=aims, names=st.lists(st.sampled_from([*FIELDS, "status", "incident_number"]), max_size=5))
    def change_nothing(self, aim: Aim, names: list[str]) -> None:
        actor, incident_id = self.found(aim)
        record = self.world.reach(actor, incident_id)
        self.patch(actor, incident_id, rewritten({name: record.document[name] for name in names} if record else {}))

    @step(aim=aims, bad=st.sampled_from([*BAD, {"incident_number": "IR"}, {"incident_number": None}]), body=values)
    def change_to_a_bad_value(self, aim: Aim, bad: Document, body: Document) -> None:
        self.patch(*self.found(aim), body | bad)

    @step(aim=aims, match=preconditions, again=st.booleans())
    def delete_one(self, aim: Aim, match: str, again: bool) -> None:
        found = self.found(aim)
        self.delete(*found, match)
        if again:
            self.delete(*found, match)

    @step(aim=aims, gone=st.sampled_from([False, False, True]), more=values)
    def restore_or_delete_by_a_patch(self, aim: Aim, gone: bool, more: Document) -> None:
        self.patch(*self.found(aim, deleted=not gone), more | {"is_deleted": gone})

    @step(aim=aims)
    def restore(self, aim: Aim) -> None:
        self.patch(*self.found(aim, deleted=True), {"is_deleted": False})

    # --- read

    @step(aim=aims, match=preconditions)
    def read(self, aim: Aim, match: str) -> None:
        self.get(*self.found(aim), match)

    @step(aim=aims, limit=limits)
    def read_history(self, aim: Aim, limit: int) -> None:
        self.history(*self.found(aim), limit)

    @step(who=actors, narrowed=filters, more=shown_too, limit=limits)
    def read_list(self, who: int, narrowed: Document, more: Document, limit: int) -> None:
        self.walk(self.actors[who], self.parameters(narrowed) | more, limit)

    @step(who=actors, narrowed=filters, more=shown_too, limit=st.integers(1, 2))
    def open_list(self, who: int, narrowed: Document, more: Document, limit: int) -> None:
        if opened := self.turn(self.actors[who], self.parameters(narrowed) | more, limit):
            self.opened.append(opened)

    @step(who=actors, n=which, limit=limits)
    def turn_a_page_later(self, who: int, n: int, limit: int) -> None:
        opened = self.opened[n % len(self.opened)] if self.opened else self.turn(self.actors[who], {}, 1)
        if opened and (next_one := self.turn(opened.actor, opened.parameters, limit, opened)):
            self.opened.append(next_one)

    @step(who=actors, n=which, other=st.sampled_from([{}, {"order": "asc"}, {"order": "desc"}, {"tag": ["other"]}]))
    def use_the_cursor_of_another_list(self, who: int, n: int, other: Document) -> None:
        opened = self.opened[n % len(self.opened)] if self.opened else self.turn(self.actors[0], {}, 1)
        if opened:
            actor, parameters = self.actors[who], opened.parameters | other
            is_theirs = (actor.tenant, actor.app) == (opened.actor.tenant, opened.actor.app)
            if is_theirs and {"order": "desc"} | parameters == {"order": "desc"} | opened.parameters:
                self.turn(actor, parameters, 1, opened)
            else:
                answer = self.ask(list_, list_event(claims_of(actor), cursor=opened.cursor, **parameters))
                assert answer.status == 400, answer

    @invariant()
    def what_everybody_can_list_is_what_the_model_says(self) -> None:
        """After whatever asked for a change: everybody in turn."""
        if self.asked_for_a_change:
            self.asked_for_a_change = False
            self.looks += 1
            self.turn(self.actors[self.looks % 8], {}, 100)

    # --- how it is done

    def create(self, actor: Actor, body: Document, key: str | None = None) -> None:
        headers = {} if key is None else {"idempotency-key": key}
        answer = self.ask(create, create_event(body, caller=claims_of(actor), headers=headers))
        made = answer.document if answer.status == 201 else {}
        verdict = self.world.create(actor, body, key, made.get("id", ""), made.get("created_at", answer.between[0]))
        self.agree(answer, verdict)
        if verdict.record is not None:
            self.shows(answer, verdict.record)
            assert answer.headers["location"] == f"/api/v1/grc/incidents/{made['id']}"
            assert answer.headers.get("idempotency-replayed") == ("true" if verdict.replayed else None)
            if verdict.wrote:
                assert made["created_at"] == oracle.made_at(made["id"])
            if key is not None:
                self.sent.append((actor, body, key))

    def patch(self, actor: Actor, incident_id: str, body: Document, match: str = "none") -> None:
        header, versions = self.versions(incident_id, match)
        answer = self.ask(
            update, patch_event(incident_id, body, caller=claims_of(actor), headers=header and {"if-match": header})
        )
        moment = answer.document["updated_at"] if answer.status == 200 else answer.between[0]
        verdict = self.world.patch(actor, incident_id, body, versions, moment)
        self.agree(answer, verdict)
        if verdict.record is not None:
            self.shows(answer, verdict.record)

    def delete(self, actor: Actor, incident_id: str, match: str) -> None:
        header, versions = self.versions(incident_id, match)
        answer = self.ask(
            delete, delete_event(incident_id, caller=claims_of(actor), headers=header and {"if-match": header})
        )
        moment = answer.between[0]
        if answer.status == 204:
            moment = self.ask(get, get_event(incident_id, caller=claims_of(actor))).document["updated_at"]
        self.agree(answer, self.world.delete(actor, incident_id, versions, moment))
        self.get(actor, incident_id)

    def get(self, actor: Actor, incident_id: str, match: str = "none") -> None:
        header, versions = self.versions(incident_id, match)
        sent = header and {"if-none-match": header}
        answer = self.ask(get, get_event(incident_id, caller=claims_of(actor), headers=sent))
        record = self.world.reach(actor, incident_id)
        if record is None:
            self.agree(answer, Verdict(404))
        elif header is not None and (versions is None or record.version in versions or match == "weak"):
            self.agree(answer, Verdict(304))
            assert (answer.body, answer.headers["etag"]) == ("", f'"{record.version}"')
        else:
            self.agree(answer, Verdict(200))
            self.shows(answer, record)

    def history(self, actor: Actor, incident_id: str, limit: int) -> None:
        record = self.world.reach(actor, incident_id)
        seen, cursor = 0, dict[str, str]()
        while True:
            answer = self.ask(list_changes, changes_event(incident_id, caller=claims_of(actor), limit=limit, **cursor))
            self.agree(answer, Verdict(200 if record else 404))
            if record is None:
                return
            page = answer.document
            assert canonical(page["items"]) == canonical(record.history[seen : seen + limit])
            seen += limit
            assert (page["next_cursor"] is None) == (seen >= record.version)
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    def walk(self, actor: Actor, parameters: Document, limit: int) -> None:
        opened = self.turn(actor, parameters, limit)
        while opened:
            opened = self.turn(actor, parameters, limit, opened)

    def turn(self, actor: Actor, parameters: Document, limit: int, opened: Opened | None = None) -> Opened | None:
        """Read a page. No life is so long that a request would reach its bound: every page but the last is full."""
        asked = {**parameters, "limit": limit} | ({"cursor": opened.cursor} if opened else {})
        answer = self.ask(list_, list_event(claims_of(actor), **asked))
        self.agree(answer, Verdict(200))
        page, left = answer.document, self.world.select(actor, parameters)
        if opened:
            is_left = operator.gt if parameters.get("order") == "asc" else operator.lt
            left = [one for one in left if is_left(one["id"], opened.behind)]
        assert [one["id"] for one in page["items"]] == [one["id"] for one in left[:limit]], (actor, asked)
        for shown, right in zip(page["items"], left, strict=False):
            assert differences(shown, right) == {}
        assert (page["next_cursor"] is None) == (len(left) <= limit)
        if page["next_cursor"] is None:
            return None
        return Opened(actor, parameters, page["next_cursor"], page["items"][-1]["id"])

    def ask(self, handler: Any, event: dict[str, Any]) -> Answer:
        before = now()
        answer = handler(event, Context)
        self.tally.statuses[answer["statusCode"]] += 1
        self.asked_for_a_change |= handler in (create, update, delete)
        return Answer(answer["statusCode"], answer["headers"], answer["body"], (before, now()))

    def agree(self, answer: Answer, verdict: Verdict) -> None:
        assert answer.status == verdict.status, (answer, verdict)
        if answer.status >= 400:
            assert answer.document["status"] == answer.status
        if answer.status == 404:  # whatever is out of reach looks like what does not exist
            assert answer.body == (self.refusal or answer.body)
            self.refusal = answer.body
        if answer.status == 409:
            assert answer.document.get("allowed_transitions") == verdict.allowed
        if verdict.wrote and verdict.record is not None:
            assert answer.between[0] <= verdict.record.history[-1]["at"] <= answer.between[1]

    def shows(self, answer: Answer, record: Record) -> None:
        assert differences(answer.document, record.document) == {}
        assert answer.headers["etag"] == f'"{record.version}"'

    def found(self, aim: Aim, *, deleted: bool = False) -> tuple[Actor, str]:
        """Return who asks, and for which incident; for a deleted one if wanted, where there is any."""
        actor = self.actors[aim.who]
        all_of_them = [one for one in self.world.records if aim.is_stranger or self.world.reach(actor, one)]
        gone = [one for one in all_of_them if self.world.records[one].document["is_deleted"]]
        choice = (gone if deleted else []) or all_of_them or [UNKNOWN_ID]
        return actor, choice[aim.n % len(choice)]

    def versions(self, incident_id: str, match: str) -> tuple[str | None, set[int] | None]:
        """A header of preconditions, and the versions that it names; None for any."""
        record = self.world.records.get(incident_id)
        version = record.version if record else 1
        named: dict[str, tuple[str | None, set[int] | None]] = {
            "none": (None, None),
            "any": ("*", None),
            "right": (f'"{version}"', {version}),
            "stale": (f'"{version - 1}"', {version - 1}),
            "next": (f'"{version + 1}"', {version + 1}),
            "several": (f'"{version + 1}", "{version}"', {version + 1, version}),
            "weak": (f'W/"{version}"', set()),
        }
        return named[match]

    def parameters(self, narrowed: Document) -> Document:
        """Return filters with moments and numbers of incidents that are there, and ranges the right way round."""
        parameters, there = dict(narrowed), [record.document for record in self.world.records.values()]
        for name, field in (("created_from", "created_at"), ("created_to", "created_at"), ("incident_number",) * 2):
            if name in parameters:
                parameters[name] = there[parameters[name] % len(there)][field]
        for first, last in (("created_from", "created_to"), ("detected_from", "detected_to")):
            if first in parameters and last in parameters:
                ends = sorted((parameters[first], parameters[last]), key=datetime.fromisoformat)
                parameters |= {first: ends[0], last: ends[1]}
        return parameters

    def teardown(self) -> None:
        """At the end of a life: everything, once as it was made and once as somebody else sees it."""
        if self.unsettled or not self.looks:
            return
        for actor in self.actors[1:4] + self.actors[5:]:
            self.walk(actor, {"include_deleted": "true"}, 10)
        for n, (incident_id, record) in enumerate(self.world.records.items()):
            self.get(self.actors[n % 8], incident_id)
            self.history(Actor(record.document["tenant_id"], "auditor", None), incident_id, 100)


def claims_of(actor: Actor) -> dict[str, str]:
    return claims(actor.tenant, sub=actor.subject, app_id=actor.app)


def differences(shown: Document, right: Document) -> dict[str, tuple[object, object]]:
    """What is shown, and what would be right, by field."""
    absent = "absent"
    pairs = {name: (shown.get(name, absent), right.get(name, absent)) for name in {**right, **shown}}
    return {name: (one, other) for name, (one, other) in pairs.items() if canonical(one) != canonical(other)}


def test_the_service_behaves_as_a_plain_model_of_it_says(
    service: str, promise: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "info", lambda *_, **__: None)
    tally = Tally()

    for number in count():
        if tally.fired.total() >= STEPS:
            break
        life = seed(number)(lambda: LifeOfIncidents(tally))
        run_state_machine_as_test(cast("type[LifeOfIncidents]", life), settings=one_seed)

    assert set(tally.fired) == set(RULES)
    assert {200, 201, 204, 304, 400, 404, 409, 412, 422} <= set(tally.statuses)
    figure = f"{tally.fired.total():,} steps, 0 differences"
    promise("The service behaves as a plain model of it says", figure)
