"""Sends requests to the real handlers and to the plain model, and checks that the answers are the same."""

import json
import operator
import time
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any, NamedTuple, cast

from create_incident import handler as create
from delete_incident import handler as delete
from get_incident import handler as get
from grc_client import Change, Incident, history_faults
from list_incident_changes import handler as list_changes
from list_incident_updates import handler as list_updates
from list_incidents import handler as list_
from update_incident import handler as update

from tests.support import oracle
from tests.support.drawn import APPS
from tests.support.events import (
    Context,
    changes_event,
    claims,
    create_event,
    delete_event,
    get_event,
    list_event,
    patch_event,
    updates_event,
)  # fmt: skip
from tests.support.oracle import Actor, Document, Life, PlainService, Verdict, canonical

HASHES = ("nonce", "state_hash", "hash")


class TalkCount:
    """Counts of the steps of a conversation and of its answers."""

    def __init__(self) -> None:
        self.fired: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.actions: Counter[str] = Counter()
        self.tenants = count()
        self.falsified = 0


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str
    between: tuple[str, str]  # the times just before the request and just after the answer

    @property
    def document(self) -> Document:
        return cast("Document", json.loads(self.body))


class Opened(NamedTuple):
    """A list of which a caller has read some pages."""

    actor: Actor
    parameters: Document
    cursor: str
    behind: str  # the id of the last incident that the caller has read


class Followed(NamedTuple):
    """The state of a follower after a drain: its cursor, and the version of each incident that it has received."""

    cursor: str | None
    versions: dict[str, int]


def now() -> str:
    return oracle.text_of(datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1000, UTC))


class Both:
    """The service and its model, with two tenants.

    Each tenant has the same two people and the same two applications.
    """

    def __init__(self, tally: TalkCount) -> None:
        self.tally, self.world = tally, PlainService()
        tenant = f"acme-{next(tally.tenants)}"
        self.actors = [
            Actor(one, subject, app)
            for one in (tenant, f"{tenant}-b")
            for subject, app in (("ada", None), ("grace", None), ("ada", APPS[0]), ("machine", APPS[1]))
        ]
        # All creates so far that had an idempotency key.
        self.sent: list[tuple[Actor, Document, str]] = []
        self.followed: dict[Actor, list[Followed]] = {}  # the states that each follower had after it read all updates
        self.refusal: str | None = None
        self.asked_for_a_change = False

    def create(self, actor: Actor, body: Document, key: str | None = None) -> None:
        headers = {} if key is None else {"idempotency-key": key}
        answer = self.ask(create, create_event(body, caller=claims_of(actor), headers=headers))
        made = answer.document if answer.status == 201 else {}
        verdict = self.world.create(actor, body, key, made.get("id", ""), made.get("created_at", answer.between[0]))
        self.agree(answer, verdict)
        if verdict.record is not None:
            self.shows(answer, verdict.record)
            assert answer.headers["location"] == f"incidents/{made['id']}"
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
        seen, cursor, changes = 0, dict[str, str](), list[Change]()
        while True:
            answer = self.ask(list_changes, changes_event(incident_id, caller=claims_of(actor), limit=limit, **cursor))
            self.agree(answer, Verdict(200 if record else 404))
            if record is None:
                return
            page = answer.document
            changes += map(Change.model_validate, json.loads(answer.body, parse_float=Decimal)["items"])
            shown = [{name: value for name, value in one.items() if name not in HASHES} for one in page["items"]]
            assert canonical(shown) == canonical(record.history[seen : seen + limit])
            seen += limit
            assert (page["next_cursor"] is None) == (seen >= record.version)
            if page["next_cursor"] is None:
                assert [bool(one.state_hash) for one in changes] == [one.version == 1 for one in changes]
                incident = Incident.model_validate(json.loads(json.dumps(record.document), parse_float=Decimal))
                assert history_faults(incident, changes) == []
                return
            cursor = {"cursor": page["next_cursor"]}

    def walk(self, actor: Actor, parameters: Document, limit: int) -> None:
        opened = self.turn(actor, parameters, limit)
        while opened:
            opened = self.turn(actor, parameters, limit, opened)

    def turn(self, actor: Actor, parameters: Document, limit: int, opened: Opened | None = None) -> Opened | None:
        """Read one page of a list and check it, and return the rest of the list, or None after the last page.

        Every page except the last must be full, because the test data never reaches the read limit of a request.
        """
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

    def follow(self, actor: Actor, limit: int, is_killed: bool = False) -> None:
        """Receive the updates of one caller until none waits. Check that none is missing or foreign.

        A killed follower has lost its last page. It continues at the cursor before this page.
        """
        states = self.followed.setdefault(actor, [])
        if is_killed and states:
            states.pop()
        cursor, versions = states[-1] if states else Followed(None, {})
        reached = {one["id"]: one for one in self.world.select(actor, {"include_deleted": "true"})}
        stale = {incident_id for incident_id, one in reached.items() if versions.get(incident_id) != one["version"]}
        received, moments, caught_up = dict(versions), [""], False
        time.sleep(0.002)  # the feed shows only changes that are older than a millisecond
        while not caught_up:
            asked = {"limit": limit} | ({} if cursor is None else {"cursor": cursor})
            answer = self.ask(list_updates, updates_event(claims_of(actor), **asked))
            self.agree(answer, Verdict(200))
            page = answer.document
            for shown in page["items"]:
                assert differences(shown, reached[shown["id"]]) == {}
                stale.remove(shown["id"])
                received[shown["id"]] = shown["version"]
                moments.append(shown["updated_at"])
            cursor, caught_up = page["next_cursor"], page["caught_up"]
        assert stale == set(), "a follower missed a change"
        assert moments == sorted(moments)
        assert received == {incident_id: one["version"] for incident_id, one in reached.items()}
        states.append(Followed(cursor, received))

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
        # An incident outside the caller's reach gives the same answer as an unknown id.
        if answer.status == 404:
            assert answer.body == (self.refusal or answer.body)
            self.refusal = answer.body
        if answer.status == 409:
            assert answer.document.get("allowed_transitions") == verdict.allowed
        if verdict.wrote and verdict.record is not None:
            self.tally.actions[verdict.record.history[-1]["action"]] += 1
            assert answer.between[0] <= verdict.record.history[-1]["at"] <= answer.between[1]

    def shows(self, answer: Answer, record: Life) -> None:
        assert differences(answer.document, record.document) == {}
        assert answer.headers["etag"] == f'"{record.version}"'

    def use_elsewhere(self, actor: Actor, parameters: Document, opened: Opened) -> None:
        """Use a cursor for a list that may be another list.

        The service must accept the cursor only for the same list, in the same tenant and application.
        """
        is_theirs = (actor.tenant, actor.app) == (opened.actor.tenant, opened.actor.app)
        if is_theirs and {"order": "desc"} | parameters == {"order": "desc"} | opened.parameters:
            self.turn(actor, parameters, 1, opened)
        else:
            self.agree(self.ask(list_, list_event(claims_of(actor), cursor=opened.cursor, **parameters)), Verdict(400))

    def versions(self, incident_id: str, match: str) -> tuple[str | None, set[int] | None]:
        """Return a precondition header, and the versions that it matches (None for any version)."""
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


def claims_of(actor: Actor) -> dict[str, str]:
    return claims(actor.tenant, sub=actor.subject, app_id=actor.app)


def differences(shown: Document, right: Document) -> dict[str, tuple[object, object]]:
    """Return the fields that differ, each with its actual and its expected value."""
    if canonical(shown) == canonical(right):
        return {}
    absent = "absent"
    pairs = {name: (shown.get(name, absent), right.get(name, absent)) for name in {**right, **shown}}
    return {name: (one, other) for name, (one, other) in pairs.items() if canonical(one) != canonical(other)}
