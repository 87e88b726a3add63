"""Records the table of a release, and the release's answers from this table, for all later upgrade tests.

``uv run python -m tests.releases.record tests/releases/0.1.0.jsonl`` writes that file, and ``0.1.0.answers.json`` next
to it. ``tests/support/releases.py`` describes their content. Release 0.1.0 was recorded at commit fd5dee0, with this
program as it was at that commit. A later release is recorded at its own commit. A recorded file is never written again.

The real handlers write every item, and the operator's own code writes the account map. Three things differ from AWS.
The program sets the clock. A list replaces SQS. A part of a bucket has at most 300 bytes (250,000 on AWS), so that
small days have several parts.

The recording lacks two things. Publishing leaves nothing in the table. No handler can write a document of schema
version 0.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import boto3
import create_incident
import delete_incident
import ingest_finding
import pytest
import typer
import update_incident
from incidents.domain import model, tally
from incidents.edges import queues
from incidents.runtime.log import logger
from incidents.storage import dynamodb
from incidents.storage.account_map import AccountMap

from tests.support import dynamodb_local, invariants, recorded, templates
from tests.support.events import ISSUER, Context, claims, create_event, delete_event, patch_event
from tests.support.incidents import FULL
from tests.support.metric_world import MetricClock, MetricWorld, Queue, mark
from tests.support.queues import sqs_event
from tests.support.releases import Caller, Item, Question, Recorded, Replay, ask, kind
from tests.support.streams import TableStream

ACME: Caller = {"tenant": "acme"}
SCANNER: Caller = {"tenant": "acme", "sub": "machine", "app_id": "scanner"}
GLOBEX: Caller = {"tenant": "globex", "sub": "grace"}
# the accounts that the events in tests/events name
ACME_ACCOUNT, GLOBEX_ACCOUNT, PRODUCER_ACCOUNT = "111122223333", "444455556666", "777766665555"

BEGIN = datetime(2026, 11, 23, 6, tzinfo=UTC)
HOUR, DAY = 3600, 86_400  # in seconds
PAGE = 20  # the number of incidents in one page of a list
WINDOW = {"from": "2026-01-01", "to": "2026-12-31", "group_by": "severity", "interval": "month"}

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "CURSOR_KEY": "the key of the tests",
    "JWT_ISSUER": ISSUER,
    "TABLE_NAME": "incidents",
    "ENABLED_SOURCES": "aws.inspector2",
    "MARK_SETTLE_SECONDS": "0",
    "METRICS_QUEUE_URL": "metrics",
    "POWERTOOLS_METRICS_DISABLED": "true",
}

Document = dict[str, Any]


class Made(NamedTuple):
    """An incident and its creator."""

    caller: Caller
    id: str


def main(file: Path) -> None:
    """Record the release of this checkout, and write it to a file."""
    with service() as (world, clock, patch):
        replays = live(world)
        world.wait(1)
        items, moment = everything(), clock.now // 1_000_000
        patch.setattr(time, "time_ns", lambda: moment * 1_000_000)
        answers = [ask(question) for question in questions(items)]
        answers += next_pages(answers)
        world.compute()
        assert world.marked() == []
        computed = [ask(question) for question in metrics_questions()]
    write(file, items)
    told = {"moment": moment, "answers": plain(answers), "computed": plain(computed)}
    replayed = {"replays": [replay._asdict() for replay in replays]}
    text = json.dumps(told | replayed, ensure_ascii=False, indent=1)
    file.with_suffix(".answers.json").write_text(text + "\n", encoding="utf-8")


@contextmanager
def service() -> Iterator[tuple[MetricWorld, MetricClock, pytest.MonkeyPatch]]:
    """Yield the service on DynamoDB Local, its clock, and its monkeypatch.

    At the end, the monkeypatch undoes all changes.
    """
    with dynamodb_local.running() as url, pytest.MonkeyPatch.context() as patch:
        for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL_DYNAMODB": url}).items():
            patch.setenv(name, value)
        boto3.client("dynamodb").create_table(TableName="incidents", **templates.table(), **templates.stream())
        queue, clock = Queue(), MetricClock()
        clock.now = int(BEGIN.timestamp() * 1e9)
        patch.setattr(time, "time_ns", clock)
        patch.setattr(queues, "client", lambda: queue)
        patch.setattr(tally, "CHUNK_BYTES", 300)
        patch.setattr(logger, "info", lambda *_, **__: None)
        yield MetricWorld(TableStream(url, "incidents"), queue, clock), clock, patch


def live(world: MetricWorld) -> list[Replay]:
    """Make the tenants' data and leave some days marked, and return the creates with an idempotency key."""
    findings_of_every_source(world)
    for caller in (ACME, SCANNER, GLOBEX):
        one_of_every_status(caller)
        busy_days(caller)
    every_field()
    numbers_and_minutes_of_callers()
    whole_lives(world)
    mark(world.fetch())
    world.compute()
    assert world.marked() == []
    world.wait(DAY)
    first = create(ACME, {"title": "of a marked day", "severity": "high", "detected_at": "2026-11-24T01:00:00Z"})
    patch(first, status="closed")
    # This patch changes days whose metrics were already computed.
    patch(titled("Datenabfluss"), severity="low", category="malware")
    create(GLOBEX, {"title": "of a marked day", "occurred_at": "2026-11-23T22:00:00Z",
                    "detected_at": "2026-11-24T02:00:00Z"})  # fmt: skip
    mark(world.fetch())
    assert world.marked() != []
    return [
        with_key(ACME, "key-1", {"title": "sent with a key", "tags": ["a", "b"]}),
        with_key(SCANNER, "key-1", {"title": "the same key of an application", "severity": "low"}),
        with_key(GLOBEX, "schlüssel", {"title": "Überall gültig", "financial_impact": 0.1}),
    ]


def findings_of_every_source(world: MetricWorld) -> None:
    """Process every recorded event. Then process some events again.

    The events that come again have another page, more assets, or a later time that makes them a recurrence.
    """
    system = AccountMap(dynamodb.client(), "incidents")
    system.link(ACME_ACCOUNT, "acme")
    system.link(GLOBEX_ACCOUNT, "globex")
    system.allow(PRODUCER_ACCOUNT, "acme.soc", "acme")
    for name in recorded.NAMES:
        take(recorded.event(name))
    system.allow(PRODUCER_ACCOUNT, "acme.soc", "globex")
    take(recorded.event("health_page_2", detail__page="1"))
    take(recorded.event("macie_sensitive_data", detail__id="another report"))
    alarm, composite = titled("critical-orders-5xx"), titled("orders-unhealthy")
    patch(alarm, status="closed", root_cause="a deployment")
    patch(composite, status="dismissed")
    world.wait(HOUR)
    take(recorded.event("cloudwatch_alarm", time="2026-11-23T07:00:00Z",
                        detail__state__timestamp="2026-11-23T07:00:00.000+0000"))  # fmt: skip


def one_of_every_status(caller: Caller) -> None:
    dates = {"occurred_at": "2026-11-02T10:00:00Z", "detected_at": "2026-11-02T12:30:00+01:00"}
    for status in model.STATUSES:
        create(caller, {"title": f"begun as {status}", "status": status, **dates})
    create(caller, {"title": "begun without dates"})


def busy_days(caller: Caller) -> None:
    """Make two days with so many values that each bucket of the days has several parts."""
    random = Random(str(caller))
    for n in range(12):
        day = "2026-11-05" if n % 2 else "2026-11-06"
        create(caller, {
            "title": f"one of many, {n}", "severity": random.choice(model.SEVERITIES),
            "category": random.choice(["phishing", "malware"]), "status": random.choice(["investigating", "closed"]),
            "occurred_at": f"{day}T10:00:00Z", "detected_at": f"{day}T10:{random.randint(10, 59)}:00Z",
        })  # fmt: skip


def every_field() -> None:
    """Create an incident with every field. Give another incident every field later, and then clear its fields."""
    create(ACME, FULL)
    later = create(GLOBEX, {"title": "nothing known"})
    patch(later, **{name: value for name, value in FULL.items() if name != "incident_number"})
    patch(later, lessons_learned={"n": 7, "": None}, financial_impact=0.0001, tags=["b", "a", "b"], owner_id="ada")
    patch(later, status="review", reported_at=None, **dict.fromkeys(sorted(model.LISTS)))
    patch(later, **dict.fromkeys(("description", "root_cause", "category", "severity", "owner_id", "contained_at",
                                  "lessons_learned", "financial_impact", "customer_notified_at")))  # fmt: skip


def numbers_and_minutes_of_callers() -> None:
    create(ACME, {"title": "of its own number", "incident_number": "IR 1/2026"})
    create(ACME, {"title": "of a number of the server's form", "incident_number": "INC-2026-000100"})
    create(GLOBEX, {"title": "of a year before", "incident_number": "INC-2025-000007"})
    create(SCANNER, {"title": "imported", "status": "closed", "closed_at": "2026-10-02T00:00:00Z", "mttr_minutes": 7,
                     "mttd_minutes": 0, "detected_at": None})  # fmt: skip


def whole_lives(world: MetricWorld) -> None:
    """Make incidents with different histories: closed and reopened, dismissed and reopened, deleted, and restored."""
    for caller in (ACME, SCANNER, GLOBEX):
        longest, wrong, gone, back = (
            create(caller, {"title": title, "severity": "high", "detected_at": "2026-11-23T05:00:00Z"})
            for title in ("a whole life", "dismissed, and not", "deleted", "deleted, and restored")
        )
        for status in ("investigating", "contained", "recovering", "review", "closed", "investigating", "closed"):
            world.wait(HOUR / 2)
            patch(longest, status=status)
        patch(wrong, status="dismissed")
        patch(wrong, status="investigating")
        delete(gone)
        delete(back)
        patch(back, is_deleted=False)


def create(caller: Caller, incident: Document, **headers: str) -> Made:
    made = done(create_incident, create_event(incident, caller=claims(**caller), headers=headers))
    return Made(caller, made["id"])


def with_key(caller: Caller, key: str, incident: Document) -> Replay:
    made = create(caller, incident, **{"idempotency-key": key})
    return Replay(caller, key, incident, made.id)


def patch(made: Made, **values: object) -> None:
    done(update_incident, patch_event(made.id, values, caller=claims(**made.caller)))


def delete(made: Made) -> None:
    done(delete_incident, delete_event(made.id, caller=claims(**made.caller)))


def done(function: Any, event: Document) -> Document:
    answer = function.handler(event, Context)
    assert answer["statusCode"] in (200, 201, 204), answer["body"]
    told: Document = json.loads(answer["body"] or "{}")
    return told


def take(event: Document) -> None:
    assert ingest_finding.handler(sqs_event(event), Context) == {"batchItemFailures": []}


def titled(part: str) -> Made:
    """Return the incident of acme whose title contains this text."""
    items = invariants.of_tenant(boto3.client("dynamodb"), "incidents", "acme")
    (found,) = [item for item in items if kind(item) == "incident" and part in item["title"]["S"]]
    return Made(ACME, found["id"]["S"])


def everything() -> list[Item]:
    """Return all items, sorted by key."""
    return invariants.everything(boto3.client("dynamodb"), "incidents")


def questions(items: list[Item]) -> Iterator[Question]:
    """Yield all questions to the table.

    The two questions for each incident are the incident and its changes. The three questions for each caller are two
    lists and the metrics.
    """
    callers = {caller["tenant"]: caller for caller in (ACME, GLOBEX)}
    for item in items:
        if kind(item) == "incident":
            caller = callers[item["tenant_id"]["S"]]
            yield Question("get_incident", caller, item["id"]["S"], {})
            yield Question("list_incident_changes", caller, item["id"]["S"], {"limit": "100"})
    for caller in (ACME, SCANNER, GLOBEX):
        yield Question("list_incidents", caller, "", {"limit": str(PAGE), "include_deleted": "true"})
        yield Question("list_incidents", caller, "", {"limit": str(PAGE), "status": "closed"})
    yield from metrics_questions()


def metrics_questions() -> Iterator[Question]:
    return (Question("get_incident_metrics", caller, "", WINDOW) for caller in (ACME, SCANNER, GLOBEX))


def next_pages(answers: list[Recorded]) -> list[Recorded]:
    """Return the second page of each list that has more than one page.

    The cursors of the first pages must work as long as any release is in use.
    """
    lists = [answer for answer in answers if answer.question.operation == "list_incidents"]
    cursors = [(one.question, json.loads(one.body)["next_cursor"]) for one in lists]
    return [
        ask(question._replace(parameters=question.parameters | {"cursor": cursor}))
        for question, cursor in cursors
        if cursor
    ]


def write(file: Path, items: list[Item]) -> None:
    """Write the header and the items to a file.

    The members of an item keep the table's order, because the recorded answers show this order.
    """
    header = {"release": version("grc-incidents"), "items": dict(sorted(Counter(map(kind, items)).items()))}
    lines = [json.dumps(line, ensure_ascii=False) for line in (header, *items)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def plain(answers: list[Recorded]) -> list[Document]:
    return [{"question": one.question._asdict(), "body": one.body} for one in answers]


if __name__ == "__main__":
    typer.run(main)
