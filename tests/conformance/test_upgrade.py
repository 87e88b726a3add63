"""Tests today's code on the table of an earlier release.

The code must give the release's answers and continue the release's work.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import create_incident
import delete_incident
import ingest_finding
import pytest
import update_incident
from incidents.domain import model
from incidents.storage import keys
from incidents.storage.marks import Marks
from incidents_cli.operate.tenants import verify as walk
from incidents_cli.operate.tenants.checkpoint import Checkpoint
from incidents_cli.operate.tenants.reading import TenantReader
from incidents_cli.operate.tenants.violations import Violation

from tests.support import history_world, hubs, invariants, recorded, releases
from tests.support.events import Context, claims, create_event, delete_event, patch_event
from tests.support.metric_world import MetricWorld, mark
from tests.support.queues import sqs_event
from tests.support.releases import Caller, Question, Release, Replay

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TENANTS = ("acme", "globex")
KINDS = {
    "incident", "change", "number", "idempotency", "counter", "finding", "bucket", "part", "metric day", "marked day",
    "account", "producer",
}  # fmt: skip
WALKED = {
    "incidents": ("incident",), "numbers": ("number",), "counters": ("counter",), "idempotency keys": ("idempotency",),
    "findings": ("finding",), "metric items": ("bucket", "part", "metric day"),
}  # fmt: skip
"""The kinds of items that each name in the report of `incidents verify` stands for."""
ASKED = {"get_incident", "list_incident_changes", "list_incidents", "get_incident_metrics"}

Document = dict[str, Any]
Verified = Callable[[], tuple[Counter[str], list[Violation]]]


@pytest.fixture
def release(dynamodb: "DynamoDBClient", service: str, monkeypatch: pytest.MonkeyPatch) -> Release:
    """Load the table of release 0.1.0, and return the release.

    The clock stays at the time of the recording.
    """
    loaded = releases.load(dynamodb, service)
    wait(monkeypatch, loaded, seconds=0)
    monkeypatch.setenv("ENABLED_SOURCES", "aws.inspector2")
    return loaded


@pytest.fixture
def jobs(release: Release, world: Callable[[], MetricWorld], monkeypatch: pytest.MonkeyPatch) -> MetricWorld:
    """Return the metrics jobs.

    The jobs' stream starts after the release's items, so it contains only later writes.
    """
    made = world()
    wait(monkeypatch, release, seconds=0)
    return made


@pytest.fixture
def verified(dynamodb: "DynamoDBClient", service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verified:
    """Return a function that verifies all tenants.

    The function returns the number of checked items of each kind, and the violations.
    """
    monkeypatch.setattr(walk, "PAUSE_SECONDS", 0)

    def verify() -> tuple[Counter[str], list[Violation]]:
        looked_at, found = Counter[str](), list[Violation]()
        for tenant in TENANTS:
            for item in TenantReader(dynamodb, service, tenant).items("INCIDENT"):
                if "reportable_to" in item:  # as `incidents deadlines rebuild` does after the update
                    Marks(keys.DEADLINES, dynamodb, service).mark(tenant, item["sk"]["S"], now=1)
            reader, checkpoint = TenantReader(dynamodb, service, tenant), Checkpoint(tmp_path / tenant)
            looked_at.update(walk.verify(reader, checkpoint, None, found.append, lambda *_: None).looked_at)
        return looked_at, found

    return verify


def wait(monkeypatch: pytest.MonkeyPatch, release: Release, seconds: int) -> None:
    """Set the clock to this many seconds after the recording."""
    monkeypatch.setattr(time, "time_ns", lambda: release.moment * 1_000_000 + seconds * 10**9)


def asked(release: Release, operation: str) -> list[releases.Recorded]:
    found = [answer for answer in release.answers if answer.question.operation == operation]
    assert found
    return found


def incidents(release: Release, *, deleted: bool = False) -> list[tuple[Caller, Document]]:
    """Return the incidents in the release's answers, each with its caller, and with the later fields unset.

    If ``deleted`` is set, return only deleted incidents. Otherwise, return only incidents that are not deleted.
    """
    later = {"regulatory_reports": None}
    told = [(answer.question.caller, json.loads(answer.body) | later) for answer in asked(release, "get_incident")]
    found = [(caller, incident) for caller, incident in told if incident["is_deleted"] == deleted]
    assert found
    return found


def now(caller: Caller, incident: Document) -> Document:
    """Return the incident as the service shows it now."""
    shown: Document = json.loads(releases.ask(Question("get_incident", caller, incident["id"], {})).body)
    return shown


def changes(caller: Caller, incident: Document) -> list[Document]:
    question = Question("list_incident_changes", caller, incident["id"], {"limit": "100"})
    shown: list[Document] = json.loads(releases.ask(question).body)["items"]
    return shown


def patched(caller: Caller, incident: Document, **values: object) -> Document:
    answer = update_incident.handler(patch_event(incident["id"], values, caller=claims(**caller)), Context)
    assert answer["statusCode"] == 200, answer["body"]
    shown: Document = json.loads(answer["body"])
    return shown


def created(caller: Caller, sent: Document, **headers: str) -> dict[str, Any]:
    """Create an incident, and return the answer."""
    answer: dict[str, Any] = create_incident.handler(
        create_event(sent, caller=claims(**caller), headers=headers), Context
    )
    assert answer["statusCode"] == 201, answer["body"]
    return answer


def again(replay: Replay) -> dict[str, Any]:
    """Send a create that the release already received, and return the answer."""
    return created(replay.caller, replay.sent, **{"idempotency-key": replay.key})


def take(event: Document) -> None:
    assert ingest_finding.handler(sqs_event(event), Context) == {"batchItemFailures": []}


def guardduty(seen_at: str, **changed: object) -> Document:
    """Return the recorded GuardDuty finding, as if the tool saw it again at this time."""
    return recorded.event(
        "guardduty", time=seen_at, detail__updatedAt=seen_at, detail__service__eventLastSeen=seen_at, **changed
    )


def of_guardduty(release: Release) -> tuple[Caller, Document]:
    """Return the incident of the recorded GuardDuty finding, with its caller."""
    (alert,) = recorded.expected("guardduty")[0].alert_ids
    (found,) = [one for one in incidents(release) if alert in one[1]["triggered_by_alert_ids"]]
    return found


def count(release: Release, tenant: str) -> int:
    """Return the value of a tenant's counter of incident numbers for 2026, from the release's table."""
    (found,) = [item for item in release.items if (item["pk"]["S"], item["sk"]["S"]) == keys.counter(tenant, 2026)]
    return int(found["count"]["N"])


def test_the_table_has_every_kind_of_item_status_field_and_action(
    release: Release, dynamodb: "DynamoDBClient", service: str
) -> None:
    stored = invariants.everything(dynamodb, service)
    fields: set[str] = set().union(*(item for item in stored if releases.kind(item) == "incident"))
    statuses = {incident["status"] for _, incident in incidents(release)}
    trail = [one for answer in asked(release, "list_incident_changes") for one in json.loads(answer.body)["items"]]

    assert Counter(map(releases.kind, stored)) == release.kinds
    assert set(release.kinds) == KINDS
    assert fields >= set(model.FIELDS) - {"regulatory_reports"}  # the former release did not have this field
    assert statuses == set(model.STATUSES)
    assert {one["action"] for one in trail} == set(model.ACTIONS)


NEW_MEMBERS = {
    "computed_at": r'(?:null|"[^"]*")', "pending_days": "[0-9]+", "other": "null", "approximate": "false",
}  # fmt: skip
NEW_DEFINITIONS = ("computed_at", "pending_days", "groups", "other", "approximate")


def as_before(body: str) -> str:
    """Return an answer without a cursor, and without the members that answers of release 0.1.0 did not have."""
    body = re.sub(r'"next_cursor":"[A-Za-z0-9_-]+"', '"next_cursor":"..."', body)
    body = re.sub(r'("updated_by":"[^"]*"),"version":[0-9]+', r"\1", body)
    body = body.replace(',"regulatory_reports":null}', "}")
    for name, value in NEW_MEMBERS.items():
        body = re.sub(f'"{name}": {value}, ', "", body, count=1)
    for name in NEW_DEFINITIONS:
        body = re.sub(f', "{name}": "[^"]*"(?=[,}}])', "", body)
    return body


def test_every_answer_but_for_its_new_members_equals_the_release_s_byte_for_byte(release: Release) -> None:
    assert {answer.question.operation for answer in release.answers} == ASKED
    for question, body in release.answers:
        assert as_before(releases.ask(question).body) == as_before(body), question


def test_every_cursor_of_the_release_continues_its_list(release: Release) -> None:
    cursors = [
        (question, cursor) for question, body in release.answers
        if question.operation.startswith("list_") and (cursor := json.loads(body).get("next_cursor"))
    ]  # fmt: skip
    assert cursors
    for question, cursor in cursors:
        former, today = (
            releases.ask(question._replace(parameters=question.parameters | {"cursor": one}))
            for one in (cursor, json.loads(releases.ask(question).body)["next_cursor"])
        )
        assert as_before(former.body) == as_before(today.body)
        assert "items" in json.loads(former.body)


def test_an_old_incident_has_the_version_that_its_changes_add_up_to(release: Release) -> None:
    for caller, incident in [*incidents(release), *incidents(release, deleted=True)]:
        shown = now(caller, incident)
        (listed,) = json.loads(releases.ask(Question("list_incidents", caller, "", {
            "incident_number": incident["incident_number"], "include_deleted": "true"})).body)["items"]  # fmt: skip
        assert shown["version"] == listed["version"] == len(changes(caller, incident))


def test_verify_checks_all_items_of_the_release_and_finds_no_violation(release: Release, verified: Verified) -> None:
    looked_at, found = verified()

    assert found == []
    assert looked_at == {name: sum(release.kinds[kind] for kind in kinds) for name, kinds in WALKED.items()}


def test_the_marked_days_give_the_release_s_metrics(release: Release, jobs: MetricWorld, verified: Verified) -> None:
    assert len(jobs.marked()) == release.kinds["marked day"]

    jobs.compute()

    assert jobs.marked() == []
    assert release.computed != asked(release, "get_incident_metrics")
    for question, body in release.computed:
        assert as_before(releases.ask(question).body) == body, question
    assert verified()[1] == []


def test_an_update_of_an_old_incident_changes_its_field_and_adds_a_change(
    release: Release, jobs: MetricWorld, verified: Verified, dynamodb: "DynamoDBClient", service: str
) -> None:
    for caller, before in incidents(release):
        trail = changes(caller, before)

        after = patched(caller, before, title="another title")

        stamps = {"updated_at": after["updated_at"], "updated_by": claims(**caller)["sub"], "version": len(trail) + 1}
        assert after == now(caller, before) == before | {"title": "another title"} | stamps
        *earlier, last = changes(caller, before)
        assert earlier == trail
        assert (last["version"], last["action"]) == (len(trail) + 1, "updated")
        assert last["changes"] == {"title": {"from": before["title"], "to": "another title"}}
        assert not any("hash" in change for change in earlier)
        assert "state_hash" in last, "the first change of today's code must begin a chain"
        patched(caller, before, title=before["title"])
        assert list(changes(caller, before)[-1]) == ["version", "at", "by", "action", "changes", "nonce", "hash"]
    mark(jobs.fetch())
    jobs.compute()
    assert verified()[1] == []
    for tenant in TENANTS:
        assert history_world.faults_of_sealed(dynamodb, service, tenant) == []


def test_old_texts_that_are_refused_today_stay_readable_and_patchable(
    release: Release, dynamodb: "DynamoDBClient", service: str, jobs: MetricWorld, verified: Verified
) -> None:
    """The former release accepted blank titles, control characters and equal tags."""
    caller, before = next(one for one in incidents(release) if len(changes(*one)) == 1)
    odd = {"title": " ", "owner_id": "a\x00", "category": "", "tags": ["a", "a", "\u200b"], "description": "\ufffd\x1b"}
    for field, value in odd.items():
        attribute = {"L": [{"S": item} for item in value]} if isinstance(value, list) else {"S": value}
        dynamodb.update_item(
            TableName=service, Key={"pk": {"S": keys.incident(before["tenant_id"], "").pk}, "sk": {"S": before["id"]}},
            UpdateExpression="SET #field = :value", ExpressionAttributeNames={"#field": field},
            ExpressionAttributeValues={":value": attribute},
        )  # fmt: skip
    assert now(caller, before) == before | odd | {"version": 1}

    assert patched(caller, before, severity="low") | {"updated_at": "", "updated_by": ""} == before | odd | {
        "severity": "low", "updated_at": "", "updated_by": "", "version": 2,
    }  # fmt: skip
    assert patched(caller, before, **odd)["title"] == " "
    assert len(changes(caller, before)) == 2
    mark(jobs.fetch())
    jobs.compute()
    assert verified()[1] == []
    assert patched(caller, before, title="fine", tags=["a", "\u200b", "new"])["tags"] == ["a", "\u200b", "new"]
    refused = update_incident.handler(patch_event(before["id"], {"title": " "}, caller=claims(**caller)), Context)
    assert refused["statusCode"] == 422
    mark(jobs.fetch())
    jobs.compute()
    assert verified()[1] == []


def test_an_old_incident_can_be_deleted_and_restored(release: Release, jobs: MetricWorld, verified: Verified) -> None:
    for caller, incident in incidents(release, deleted=True):
        assert patched(caller, incident, is_deleted=False)["is_deleted"] is False
    for caller, incident in incidents(release):
        answer = delete_incident.handler(delete_event(incident["id"], caller=claims(**caller)), Context)
        assert answer["statusCode"] == 204
        assert now(caller, incident)["is_deleted"] is True
    mark(jobs.fetch())
    jobs.compute()
    assert verified()[1] == []


def test_a_create_gets_the_number_after_the_release_s_last(release: Release, verified: Verified) -> None:
    for tenant in TENANTS:
        made = json.loads(created({"tenant": tenant}, {"title": "of today"})["body"])
        assert made["incident_number"] == model.generated_number(2026, count(release, tenant) + 1)
    assert verified()[1] == []


def test_an_idempotency_key_of_the_release_replays_its_incident_for_a_day(
    release: Release, dynamodb: "DynamoDBClient", service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert release.replays
    for replay in release.replays:
        answer = again(replay)
        assert answer["headers"]["idempotency-replayed"] == "true"
        assert json.loads(answer["body"])["id"] == replay.incident_id
    assert invariants.everything(dynamodb, service) == release.items

    wait(monkeypatch, release, seconds=24 * 3600)
    for replay in release.replays:
        answer = again(replay)
        assert "idempotency-replayed" not in answer["headers"]
        assert json.loads(answer["body"])["id"] != replay.incident_id


def test_a_finding_that_the_release_has_already_seen_changes_nothing(
    release: Release, dynamodb: "DynamoDBClient", service: str
) -> None:
    # These events are left out. The minimal alert names no tenant, and its producer is now allowed for two tenants. The
    # release did not read the other events.
    new = {
        "access_analyzer", "cloudtrail_root_sign_in", "cloudtrail_stop_logging", "malware_scan", "security_hub_insight",
        "security_ir",
    }  # fmt: skip
    for name in {*recorded.NAMES} - {"alert_escalated_minimal"} - new:
        take(recorded.event(name))

    assert invariants.everything(dynamodb, service) == release.items


def test_a_later_event_of_an_old_finding_is_attached_to_its_incident(
    release: Release, jobs: MetricWorld, verified: Verified
) -> None:
    caller, before = of_guardduty(release)

    take(guardduty("2026-11-24T00:00:00Z", detail__severity=9.5,
                   detail__resource__instanceDetails__instanceId="i-later"))  # fmt: skip

    after = now(caller, before)
    assert (before["severity"], after["severity"]) == ("high", "critical")
    assert {*after["affected_asset_ids"]} - {*before["affected_asset_ids"]} == {"i-later"}
    mark(jobs.fetch())
    jobs.compute()
    assert verified()[1] == []


def test_no_open_incident_is_doubled_by_a_later_event_in_any_way(
    release: Release, dynamodb: "DynamoDBClient", service: str
) -> None:
    """If an event of AWS Health came through a hub, the release stored the event under the hub's id."""
    later = "2026-11-24T00:00:00Z"
    health = recorded.event("health", time=later, detail__lastUpdatedTime="Tue, 24 Nov 2026 00:00:00 GMT")
    (of_hub,) = [one["Id"] for one in hubs.as_asff(health)["detail"]["findings"]]
    former, current = (keys.finding("acme", key) for key in (of_hub, recorded.expected("health")[0].key))
    (item,) = [one for one in release.items if (one["pk"]["S"], one["sk"]["S"]) == current]
    dynamodb.put_item(TableName=service, Item=item | {"sk": {"S": former.sk}})
    dynamodb.delete_item(TableName=service, Key={"pk": item["pk"], "sk": item["sk"]})
    macie = {"time": later, "detail__updatedAt": later}
    events = [
        health,
        guardduty(later),
        *(recorded.event(name, **macie) for name in ("macie_policy", "macie_sensitive_data")),
    ]

    for event in events:
        for way in (hubs.as_asff, hubs.as_ocsf, dict):
            if event is not health or way is not hubs.as_ocsf:
                take(way(event))

    stored = Counter(map(releases.kind, invariants.everything(dynamodb, service)))
    assert stored["incident"] == release.kinds["incident"]
    assert stored["finding"] == release.kinds["finding"] + 1, "only the finding of the former key has a second item"


def test_an_event_after_the_end_of_an_old_incident_is_a_recurrence(release: Release) -> None:
    caller, before = of_guardduty(release)
    patched(caller, before, status="closed")

    take(guardduty((datetime.fromtimestamp(time.time_ns() / 1e9, UTC) + timedelta(hours=1)).isoformat()))

    tag = f"recurrence-of:{before['incident_number']}"
    (made,) = json.loads(releases.ask(Question("list_incidents", caller, "", {"tag": tag})).body)["items"]
    assert made["incident_number"] == model.generated_number(2026, count(release, "acme") + 1)
