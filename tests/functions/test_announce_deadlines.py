"""Tests of the job that updates the board of deadlines and announces deadlines. Also tests the board itself."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import announce_deadlines
import follow_incidents
import list_deadlines
import pytest
from create_incident import handler as create
from delete_incident import handler as delete
from incidents import deadline_jobs
from incidents.domain import timestamps, wire_form
from incidents.domain.deadlines import alerts
from incidents.domain.errors import Busy
from incidents.domain.identity import Identity
from incidents.runtime import cloudwatch, deadline
from incidents.storage import board_reader, dynamodb, guard, keys, marks, stored_form
from incidents.storage.deadline_repository import DeadlineRepository, DueAlerts, due_alerts
from incidents.storage.incident_repository import IncidentRepository
from incidents.storage.settings import DEADLINES, Settings, TenantSettings
from jsonschema import Draft202012Validator
from update_incident import handler as update

from tests.support.deadlines import put_on_board
from tests.support.events import (
    Context,
    board_event,
    claims,
    create_event,
    delete_event,
    patch_event,
    record,
    stream_event,
)
from tests.support.incidents import item
from tests.support.templates import CHECKOUT

SCHEMA = json.loads((CHECKOUT / "functions" / "incidents" / "deadline_event.v1.json").read_text())
AWARE = "2026-06-08T06:00:00.000Z"
AWARE_GDPR = {"eu-gdpr": {"anchors": {"aware": AWARE}}}
IN_TIME = {"eu-gdpr": {"stages": {"authority": {"submitted_at": "2026-06-10T06:00:00Z"}}}}


class Bus:
    """A replacement for the bus. It checks each event against the schema. If ``refuses`` is true, it refuses all
    events.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.refuses = False
        self.before: Callable[[], object] = lambda: None

    def put(self, entries: dict[str, Any]) -> set[str]:
        self.before()
        if self.refuses:
            return set(entries)
        for entry in entries.values():
            detail = json.loads(entry["Detail"])
            assert list(Draft202012Validator(SCHEMA).iter_errors(detail)) == []
            assert entry["Source"] == "grc.incidents"
            assert (entry["DetailType"] == "IncidentDeadlineMissed") is (detail["kind"] == "missed")
            self.events.append(detail)
        return set()

    def told(self) -> list[tuple[str, str]]:
        """Return the stage and the kind of each event since the last call."""
        events, self.events = self.events, []
        return [(event["stage"], event["kind"]) for event in events]


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Bus:
    here = Bus()
    monkeypatch.setattr(deadline_jobs, "put", here.put)
    monkeypatch.setenv("EVENT_BUS_NAME", "incidents")
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    monkeypatch.setattr(deadline, "sleep", lambda _: None)
    return here


class SetClock:
    """The clock of the code under test. It stands still until a test sets it."""

    def __init__(self) -> None:
        self.text = AWARE

    def __call__(self) -> int:
        return timestamps.to_milliseconds(timestamps.parse(self.text)) * 1_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    here = SetClock()
    monkeypatch.setattr(time, "time_ns", here)
    return here


def created(caller: dict[str, str] | None = None, **fields: Any) -> str:
    answer = create(create_event({"title": "x", **fields}, caller=caller), Context)
    assert answer["statusCode"] == 201, answer
    incident_id: str = json.loads(answer["body"])["id"]
    mark(incident_id)
    return incident_id


def patched(incident_id: str, **fields: Any) -> None:
    answer = update(patch_event(incident_id, fields), Context)
    assert answer["statusCode"] == 200, answer
    mark(incident_id)


def mark(incident_id: str, tenant: str = "acme") -> None:
    marks.deadlines().mark(tenant, incident_id, now=time.time_ns() // 1_000_000)


def run() -> dict[str, int]:
    return announce_deadlines.handler({}, Context)


def run_at(clock: SetClock, text: str) -> dict[str, int]:
    clock.text = text
    return run()


def board(caller: dict[str, str] | None = None, **parameters: Any) -> list[dict[str, Any]]:
    answer = list_deadlines.handler(board_event(caller, **parameters), Context)
    assert answer["statusCode"] == 200, answer
    found: list[dict[str, Any]] = json.loads(answer["body"])["items"]
    return found


def marked() -> list[str]:
    return [mark.name[0] for mark in marks.deadlines().of_all_tenants()]


def kept(kind: str) -> list[dict[str, Any]]:
    """Return the tenant's heads and board rows, or the alerts of all tenants."""
    partitions = [keys.deadline_head("acme", "").pk]
    if kind == "alerts":
        partitions = [keys.alert_partition(shard) for shard in range(keys.ALERT_SHARDS)]
    found: list[dict[str, Any]] = []
    for partition in partitions:
        with guard.serving_tenant("acme") if kind != "alerts" else guard.serving_system():
            answer = dynamodb.client().query(
                TableName=os.environ["TABLE_NAME"], KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": partition}},
            )  # fmt: skip
        found += answer["Items"]
    return found


def test_a_marked_incident_is_put_on_the_board_and_unmarked(bus: Bus, clock: SetClock) -> None:
    incident_id = created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    assert board() == []

    assert run() == {"computed": 1}

    (entry,) = board()
    assert (entry["incident_id"], entry["status"], entry["version"]) == (incident_id, "new", 1)
    assert (entry["stages"][0]["stage"], entry["stages"][0]["due_at"]) == ("authority", "2026-06-11T06:00:00.000Z")
    assert board(incident_id=incident_id) == [entry]
    assert (marked(), bus.told(), run()) == ([], [], {})
    assert [one["sk"]["S"] for one in kept("alerts")] == [f"2026-06-09T18:00:00.000Z#acme#{incident_id}"]
    assert len(kept("items")) == 2


def test_alerts_are_told_when_their_time_comes_each_once(bus: Bus, clock: SetClock) -> None:
    created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    run()
    told = []
    for now in ("2026-06-09T17:59:59.999Z", "2026-06-09T18:00:00Z", "2026-06-09T18:01:00Z", "2026-06-10T15:36:00Z",
                "2026-06-11T05:00:00Z", "2026-06-11T06:00:00Z", "2026-06-11T06:00:00.001Z",
                "2026-07-01T00:00:00Z"):  # fmt: skip
        run_at(clock, now)
        told.append([kind for _, kind in bus.told()])
    assert told == [[], ["half"], [], ["four_fifths"], ["hour_before"], [], ["missed"], []]
    assert board()[0]["stages"][0]["state"] == "overdue"
    assert kept("alerts") == []


def test_an_event_says_what_is_due(bus: Bus, clock: SetClock) -> None:
    incident_id = created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR, severity="high")
    run()
    run_at(clock, "2026-06-09T18:00:30Z")
    (event,) = bus.events
    assert event == {
        "schema_version": 1, "incident_id": incident_id, "version": 1, "tenant_id": "acme", "app_id": None,
        "incident_number": "INC-2026-000001", "status": "new", "severity": "high", "regime": "eu-gdpr",
        "stage": "authority", "kind": "half", "at": "2026-06-09T18:00:00.000Z", "due_at": "2026-06-11T06:00:00.000Z",
        "projected_at": None,
        "deduplication_key": f"{incident_id}/eu-gdpr/authority/half/2026-06-11T06:00:00.000Z",
    }  # fmt: skip


def test_a_submission_in_time_stops_the_alerts(bus: Bus, clock: SetClock) -> None:
    incident_id = created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    run()
    clock.text = "2026-06-10T07:00:00Z"
    answer = update(patch_event(incident_id, {"regulatory_reports": IN_TIME}), Context)
    assert answer["statusCode"] == 200
    assert (run(), bus.told()) == ({"announced": 1}, []), "the due alert is found before the mark"
    mark(incident_id)
    run_at(clock, "2026-06-12T00:00:00Z")
    assert (bus.told(), kept("alerts")) == ([], [])


def test_a_submission_between_the_first_read_and_the_announcement_is_seen(
    bus: Bus, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident_id = created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    run()
    replace = DeadlineRepository.replace

    def then_submitted(self: DeadlineRepository, *arguments: Any, **options: Any) -> Any:
        stored = replace(self, *arguments, **options)
        monkeypatch.setattr(DeadlineRepository, "replace", replace)
        with guard.serving_tenant("acme"):
            assert update(patch_event(incident_id, {"regulatory_reports": IN_TIME}), Context)["statusCode"] == 200
        return stored

    monkeypatch.setattr(DeadlineRepository, "replace", then_submitted)
    run_at(clock, "2026-06-10T07:00:00Z")
    assert bus.told() == []
    assert [stage["stage"] for stage in board()[0]["stages"]] == ["individuals", "processor_to_controller"]


def test_while_the_bus_refuses_events_the_board_is_right_and_the_alerts_stay_due(bus: Bus, clock: SetClock) -> None:
    created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    bus.refuses = True
    assert run_at(clock, "2026-06-10T07:00:00Z") == {"failed": 1}
    assert len(board()) == 1
    assert run_at(clock, "2026-06-10T16:00:00Z") == {"failed": 2}, "by its mark and by its alert"
    bus.refuses = False
    run_at(clock, "2026-06-10T16:01:00Z")
    assert [kind for _, kind in bus.told()] == ["half", "four_fifths"], "it was first seen when only half was past"
    assert (run(), marked()) == ({}, [])


def test_dismissal_and_deletion_take_an_incident_off_the_board_and_return_brings_it_back(
    bus: Bus, clock: SetClock
) -> None:
    incident_id = created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    run_at(clock, "2026-06-09T18:30:00Z")
    assert [kind for _, kind in bus.told()] == ["half"]
    for off, back in (({"status": "dismissed"}, {"status": "investigating"}), (None, {"is_deleted": False})):
        if off is None:
            assert delete(delete_event(incident_id), Context)["statusCode"] == 204
            mark(incident_id)
        else:
            patched(incident_id, **off)
        run()
        assert (board(), board(incident_id=incident_id), kept("alerts")) == ([], [], [])
        clock.text = "2026-06-10T16:00:00Z"
        assert run() == {}
        patched(incident_id, **back)
        run()
        assert len(board()) == len(kept("alerts")) == 1
    assert [kind for _, kind in bus.told()] == ["four_fifths"], "half was told before, and nothing is told twice"


@pytest.mark.parametrize(
    "pause", ["recorded at first", "withdrawn", "corrected", "dismissed", "dismissed at once", "deleted"]
)
def test_a_pause_longer_than_a_week_does_not_lose_the_missed_deadline(bus: Bus, clock: SetClock, pause: str) -> None:
    reports: dict[str, Any] = AWARE_GDPR
    if pause == "recorded at first":
        reports = {"eu-gdpr": AWARE_GDPR["eu-gdpr"] | {"stages": {"authority": {"submitted_at": AWARE}}}}
    incident_id = created(
        reportable_to=["GDPR"], regulatory_reports=reports,
        status="dismissed" if pause == "dismissed at once" else "new",
    )  # fmt: skip
    run()
    clock.text = "2026-06-08T07:00:00Z"
    if pause in ("withdrawn", "corrected"):
        patched(incident_id, regulatory_reports={"eu-gdpr": {"stages": {"authority": {"submitted_at": clock.text}}}})
    elif pause == "dismissed":
        patched(incident_id, status="dismissed")
    elif pause == "deleted":
        assert delete(delete_event(incident_id), Context)["statusCode"] == 204
        mark(incident_id)
    run()
    clock.text = "2026-08-01T00:00:00Z"
    mark(incident_id)  # as `incidents deadlines rebuild` does
    assert (run(), bus.told()) == ({"computed": 1}, [])
    if pause == "corrected":
        patched(
            incident_id,
            regulatory_reports={"eu-gdpr": {"stages": {"authority": {"submitted_at": "2026-06-20T00:00:00Z"}}}},
        )
    elif pause == "deleted":
        patched(incident_id, is_deleted=False)
    elif "dismissed" in pause:
        patched(incident_id, status="investigating")
    else:
        patched(incident_id, regulatory_reports={"eu-gdpr": {"stages": None}})
    run()
    assert bus.told() == [("authority", "missed")]
    mark(incident_id)
    assert (run(), bus.told(), kept("alerts")) == ({"computed": 1}, [], [])


@pytest.mark.parametrize("status", ["closed", "dismissed"])
def test_an_imported_incident_with_old_dates_is_not_announced_whatever_happens_later(
    bus: Bus, clock: SetClock, status: str
) -> None:
    clock.text = "2026-08-01T00:00:00Z"
    sent = {"eu-gdpr": AWARE_GDPR["eu-gdpr"] | IN_TIME["eu-gdpr"]}
    incident_id = created(reportable_to=["GDPR"], regulatory_reports=sent, status=status)
    run()
    for change in ({"status": "investigating"}, {"regulatory_reports": {"eu-gdpr": {"stages": None}}}, {}):
        if change:
            patched(incident_id, **change)
        mark(incident_id)
        run()
    assert board()[0]["stages"][0]["state"] == "overdue"
    assert (bus.told(), kept("alerts")) == ([], [])


def test_closing_stops_no_clock(bus: Bus, clock: SetClock) -> None:
    incident_id = created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    patched(incident_id, status="closed")
    run()
    assert board()[0]["status"] == "closed"
    run_at(clock, "2026-06-12T00:00:00Z")
    assert [kind for _, kind in bus.told()][-1] == "missed"


def test_an_incident_without_open_stages_leaves_nothing_behind(bus: Bus, clock: SetClock) -> None:
    incident_id = created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    run()
    patched(incident_id, reportable_to=["a free text"])
    run()
    assert (board(), kept("items"), kept("alerts"), marked()) == ([], [], [], [])


def test_an_erased_incident_is_taken_off(bus: Bus, clock: SetClock) -> None:
    incident_id = created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    run()
    with guard.serving_tenant("acme"):
        key = {"pk": {"S": keys.incident("acme", "").pk}, "sk": {"S": incident_id}}
        dynamodb.client().delete_item(TableName=os.environ["TABLE_NAME"], Key=key)
    run_at(clock, "2026-06-09T18:00:00Z")
    assert (bus.told(), kept("items"), kept("alerts")) == ([], [], [])


def test_an_alert_that_no_head_names_is_removed(bus: Bus, clock: SetClock) -> None:
    incident_id = created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    run()
    for at, of in (("2026-06-08T00:00:00.000Z", incident_id), ("2026-06-07T00:00:00.000Z", "inc_gone")):
        stray = dict(zip(("pk", "sk"), ({"S": text} for text in keys.alert("acme", at, of)), strict=True))
        with guard.serving_system():
            dynamodb.client().put_item(TableName=os.environ["TABLE_NAME"], Item=stray)
    assert run() == {"announced": 2}
    assert [one["sk"]["S"][:10] for one in kept("alerts")] == ["2026-06-09"]
    assert (run(), bus.told()) == ({}, [])


def test_a_missing_awareness_is_told_after_the_regime_was_named(bus: Bus, clock: SetClock) -> None:
    incident_id = created()
    clock.text = "2026-06-09T06:00:00Z"
    patched(incident_id, reportable_to=["GDPR"])
    clock.text = "2026-06-10T06:00:00Z"
    patched(incident_id, title="renamed", status="investigating")
    run()
    run_at(clock, "2026-06-10T17:59:59Z")
    assert bus.told() == []
    run_at(clock, "2026-06-10T18:00:00Z")
    (event,) = bus.events
    assert (event["kind"], event["due_at"], event["projected_at"]) == (
        "anchor_missing",
        None,
        "2026-06-12T06:00:00.000Z",
    )


def test_a_long_trail_does_not_hide_when_the_regime_was_named(
    bus: Bus, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline_jobs, "_CHANGES_AT_ONCE", 2)
    monkeypatch.setattr(deadline_jobs, "_PAGES", 2)
    incident_id = created()
    for n in range(6):
        patched(incident_id, title=f"title {n}")
    clock.text = "2026-06-09T06:00:00Z"
    patched(incident_id, reportable_to=["GDPR"])
    for n in range(3):
        patched(incident_id, title=f"later {n}")
    run()
    run_at(clock, "2026-06-10T17:59:59Z")
    assert bus.told() == []
    run_at(clock, "2026-06-10T18:00:00Z")
    assert [event["kind"] for event in bus.events] == ["anchor_missing"]


def test_a_trail_ends_with_the_first_change_even_if_dynamodb_names_a_next_page(bus: Bus, clock: SetClock) -> None:
    incident_id = created()
    patched(incident_id, reportable_to=["GDPR"])

    queries: list[list[Any]] = []

    def fill_page(parsed: dict[str, Any], **_: object) -> None:  # as if the page ended exactly at its largest size
        queries.append(parsed["Items"])
        for one in parsed["Items"][-1:]:
            parsed["LastEvaluatedKey"] = {name: one[name] for name in ("pk", "sk")}

    with guard.serving_tenant("acme"):
        incidents = IncidentRepository(
            Identity("acme", "ada", None, frozenset()), dynamodb.client(), os.environ["TABLE_NAME"]
        )
        events = dynamodb.client().meta.events
        events.register("after-call.dynamodb.Query", fill_page)
        try:
            trail = [*deadline_jobs._trail(incidents.get(incident_id).incident, incidents)]
        finally:
            events.unregister("after-call.dynamodb.Query", fill_page)
    assert [change.version for change in trail] == [2, 1]
    assert len(queries) == 1, "DynamoDB would refuse a query that ends before its start"


def test_settings_of_the_tenant_count(bus: Bus, clock: SetClock) -> None:
    incident_id = created(reportable_to=["MDR"], regulatory_reports={"eu-mdr": {"anchors": {"aware": AWARE}}})
    run()
    assert board()[0]["stages"][0]["setting_missing"] == "zone"
    with guard.serving_tenant("acme"):
        settings = TenantSettings("acme", dynamodb.client(), os.environ["TABLE_NAME"])
        settings.write(DEADLINES, Settings({"zone": "Europe/Paris", "alerts": []}, 1, AWARE, "ada"))
    mark(incident_id)
    run()
    due_at = board()[0]["stages"][0]["due_at"]
    assert due_at == "2026-06-10T21:59:59.000Z"
    run_at(clock, "2026-06-10T21:59:59.999Z")
    assert bus.told() == []
    run_at(clock, "2026-06-10T22:00:00Z")
    assert bus.told() == [("public_health_threat", "missed")]


def test_kinds_that_are_switched_on_late_do_not_all_arrive_at_once(bus: Bus, clock: SetClock) -> None:
    incident_id = created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    for version, (now, chosen) in enumerate(((AWARE, []), ("2026-06-11T05:30:00Z", [*alerts.APPROACHING])), start=1):
        clock.text = now
        with guard.serving_tenant("acme"):
            settings = TenantSettings("acme", dynamodb.client(), os.environ["TABLE_NAME"])
            settings.write(DEADLINES, Settings({"alerts": chosen}, version, AWARE, "ada"))
        mark(incident_id)  # as `incidents deadlines rebuild` does
        run()
    assert bus.told() == [("authority", "hour_before")]
    run_at(clock, "2026-06-12T00:00:00Z")
    assert bus.told() == [("authority", "missed")]


def test_one_failing_incident_does_not_block_the_others(
    bus: Bus, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = (created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR) for _ in range(2))
    head = DeadlineRepository.head

    def failing(self: DeadlineRepository, incident_id: str) -> Any:
        if incident_id == bad:
            raise Busy
        return head(self, incident_id)

    monkeypatch.setattr(DeadlineRepository, "head", failing)
    assert run() == {"computed": 1, "failed": 1}
    assert ([entry["incident_id"] for entry in board()], marked()) == ([good], [bad])


@pytest.mark.parametrize("lost", [("alerts",), ("row",), ("alerts", "row")])
def test_a_mark_restores_what_is_missing_of_an_unchanged_incident(
    bus: Bus, clock: SetClock, lost: tuple[str, ...]
) -> None:
    incident_id = created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    run()
    everything = [one | {"token": None} for kind in ("items", "alerts") for one in kept(kind)]
    for one in (one for kind in ("items", "alerts") for one in kept(kind)):
        if ("alerts" if "ALERTDUE" in one["pk"]["S"] else "row" if "token" not in one else "head") in lost:
            with guard.serving_deadlines("acme"):
                dynamodb.client().delete_item(
                    TableName=os.environ["TABLE_NAME"], Key={name: one[name] for name in ("pk", "sk")}
                )
    mark(incident_id)

    assert run() == {"computed": 1}

    assert [one | {"token": None} for kind in ("items", "alerts") for one in kept(kind)] == everything
    assert run_at(clock, "2026-06-09T18:00:00Z") == {"announced": 1}
    assert bus.told() == [("authority", "half")]


def test_many_alerts_of_a_tenant_do_not_delay_the_alerts_of_others(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "ALERT_SHARDS", 2)
    tenants = [f"tenant-{n}" for n in range(5)]
    for tenant, count in zip(tenants, (90, 1, 1, 40, 1), strict=True):
        for n in range(count):
            at = f"2026-06-09T18:{n % 60:02}:00.000Z" if count > 1 else "2026-06-09T19:00:00.000Z"
            with guard.serving_deadlines(tenant):
                dynamodb.client().put_item(
                    TableName=os.environ["TABLE_NAME"],
                    Item=stored_form.key(keys.alert(tenant, at, f"inc_{n:026}")) | {"tenant_id": {"S": tenant}},
                )

    turns = [alert.tenant_id for alert in due_alerts().in_turns("2026-06-10T00:00:00.000Z", 25)]

    assert Counter(turns) == {tenants[0]: 90, tenants[1]: 1, tenants[2]: 1, tenants[3]: 40, tenants[4]: 1}
    assert Counter(turns[:53]) == {tenants[0]: 25, tenants[1]: 1, tenants[2]: 1, tenants[3]: 25, tenants[4]: 1}


@pytest.mark.parametrize("refused", [DueAlerts, marks.Marks])
def test_alerts_and_marks_do_not_stop_each_other(
    bus: Bus, clock: SetClock, monkeypatch: pytest.MonkeyPatch, refused: type
) -> None:
    created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    run()
    created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)

    def busy(*_: object) -> Iterator[Any]:
        raise Busy
        yield

    monkeypatch.setattr(refused, "in_turns", busy)
    other = {"computed": 1} if refused is DueAlerts else {"announced": 1}
    assert run_at(clock, "2026-06-09T18:00:00Z") == {"failed": 1} | other


def test_a_rule_that_cannot_be_read_does_not_stop_the_other_deadlines_of_its_incident(
    bus: Bus, clock: SetClock
) -> None:
    stage = {
        "id": "notice", "recipient": "x", "anchor": "aware", "effective_from": None, "effective_to": None,
        "due": {"from": "aware", "n": 3, "unit": "hour", "end": "instant"}, "citation": "x", "source_kind": "primary",
        "readings": [{"n": 2, "source_kind": "secondary"}],  # lacks the words of the reading
    }  # fmt: skip
    rule = {
        "id": "contract-7", "aliases": [], "jurisdiction": "x", "applies_to": "x", "trigger": "x",
        "status": "contract", "zone": "UTC", "calendar": "none", "citation": "x", "stages": [stage],
    }  # fmt: skip
    with guard.serving_tenant("acme"):
        TenantSettings("acme", dynamodb.client(), os.environ["TABLE_NAME"]).write(
            DEADLINES, Settings({"rules": [rule], "zone": "UTC"}, 1, AWARE, "ada")
        )
    created(reportable_to=["GDPR", "contract-7"], regulatory_reports=AWARE_GDPR)
    assert run() == {"computed": 1}
    assert "eu-gdpr" in {stage["regime"] for stage in board()[0]["stages"]}


def test_a_run_without_time_postpones_the_rest(bus: Bus, clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    left = iter([60.0, 1.0])
    monkeypatch.setattr(deadline_jobs, "deadline", SimpleNamespace(left=lambda: next(left), now=deadline.now))
    assert run() == {"computed": 1, "postponed": 1}
    assert len(marked()) == 2


@pytest.mark.parametrize(("waiting", "now"), [("alert", "2026-06-09T18:07:59Z"), ("mark", "2026-06-08T06:07:59Z")])
@pytest.mark.parametrize("seconds_left", [60.0, 1.0])
def test_the_oldest_age_counts_due_alerts_and_what_a_run_postpones(
    bus: Bus, clock: SetClock, monkeypatch: pytest.MonkeyPatch, waiting: str, now: str, seconds_left: float
) -> None:
    gauges: dict[str, float] = {}
    incident_id = created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    run()
    if waiting == "mark":
        mark(incident_id)
    monkeypatch.setattr(cloudwatch, "gauge", gauges.__setitem__)
    monkeypatch.setattr(deadline_jobs, "deadline", SimpleNamespace(left=lambda: seconds_left, now=deadline.now))
    run_at(clock, now)
    assert gauges == {"OldestDeadlineMarkMinutes": 7}


def test_a_tenant_with_many_marks_does_not_delay_another_tenant_of_the_shard(
    clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = {name: keys.mark(keys.DEADLINES, name, "x").pk for name in map("tenant-{}".format, range(60))}
    first, *others = sorted(name for name, pk in shard.items() if pk == keys.mark(keys.DEADLINES, "tenant-0", "x").pk)
    for n in range(12):
        mark(f"inc_{n:02}", first)
    for other in others[:2]:
        mark("inc_00", other)
    found = [(one.tenant_id, one.name[0]) for one in marks.deadlines().in_turns(3)]
    assert sorted(found) == sorted({*found}), "each mark once"
    assert len(found) == 14
    assert {tenant for tenant, _ in found[:8]} == {first, *others[:2]}


def test_a_tenant_whose_incidents_take_long_does_not_delay_other_tenants(
    bus: Bus, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "DEADLINES", keys.DEADLINES._replace(shards=1))
    for n in range(12):
        mark(f"inc_{n:02}", "a-slow-one")
    mark("inc_00", "globex")
    now, handled = [0.0], []

    def throttled(self: DeadlineRepository, incident_id: str) -> None:
        handled.append(self._tenant_id)
        if self._tenant_id == "a-slow-one":
            now[0] += 6.0
            raise Busy

    monkeypatch.setattr(DeadlineRepository, "head", throttled)
    monkeypatch.setattr(deadline_jobs, "deadline", SimpleNamespace(left=lambda: 60 - now[0], now=lambda: now[0]))
    assert run() == {"computed": 1, "failed": 9, "postponed": 1}
    assert handled.index("globex") == 2, "the slow tenant has its turn first, and later the rest of the time"


@pytest.mark.parametrize("aware", [AWARE, "2026-06-08T18:00:00.000Z"])
def test_two_runs_at_once_leave_one_head_row_and_alert(
    bus: Bus, clock: SetClock, monkeypatch: pytest.MonkeyPatch, aware: str
) -> None:
    incident_id = created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    replace = DeadlineRepository.replace

    def overtaken(self: DeadlineRepository, *arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(DeadlineRepository, "replace", replace)
        if aware != AWARE:  # the other run computes a newer version
            patched(incident_id, regulatory_reports={"eu-gdpr": {"anchors": {"aware": aware}}})
        run()
        return replace(self, *arguments, **options)

    monkeypatch.setattr(DeadlineRepository, "replace", overtaken)
    clock.text = "2026-06-09T19:00:00Z"
    assert run() == {"computed": 1}
    assert [kind for _, kind in bus.told()] == (["half"] if aware == AWARE else [])
    assert len(kept("items")) == 2
    assert len(kept("alerts")) == 1
    (entry,) = board()
    assert (entry["incident_id"], entry["version"]) == (incident_id, 1 if aware == AWARE else 2)


def test_an_unreadable_alert_does_not_block_others(bus: Bus, clock: SetClock) -> None:
    created(reportable_to=["GDPR"], regulatory_reports=AWARE_GDPR)
    run()
    with guard.serving_system():
        dynamodb.client().put_item(
            TableName=os.environ["TABLE_NAME"], Item={"pk": {"S": keys.alert_partition(0)}, "sk": {"S": "2026"}}
        )
    assert run_at(clock, "2026-06-09T18:00:00Z") == {"announced": 1}


GDPR_ITEM = {"reportable_to": ["GDPR"]}


@pytest.mark.parametrize(
    ("before", "after", "is_marked"),
    [
        (None, GDPR_ITEM, True),
        (None, {}, False),
        (GDPR_ITEM, GDPR_ITEM | {"title": "y"}, False),
        (GDPR_ITEM, GDPR_ITEM | {"detected_at": "2026-06-08T06:00:00.000Z"}, True),
        ({}, {"detected_at": "2026-06-08T06:00:00.000Z"}, False),
        (GDPR_ITEM, {}, True),
        (GDPR_ITEM, GDPR_ITEM | {"regulatory_reports": "{}"}, True),
        (GDPR_ITEM, GDPR_ITEM | {"status": "closed"}, True),
        (GDPR_ITEM, GDPR_ITEM | {"is_deleted": True}, True),
        (GDPR_ITEM, None, True),
    ],
)
def test_a_change_marks_the_incident_if_its_deadlines_depend_on_it(
    before: dict[str, Any] | None, after: dict[str, Any] | None, is_marked: bool
) -> None:
    old, new = (None if values is None else item(n, **values) for n, values in enumerate((before, after), start=1))
    assert follow_incidents.handler(stream_event([record(old, new)]), Context) == {"batchItemFailures": []}
    assert marked() == (["inc_01M83J8EHSBKC38ZQ0R08TEPS6"] if is_marked else [])


def test_a_mark_that_cannot_be_set_fails_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(self: marks.Marks, tenant_id: str, *name: str, **_: object) -> None:
        if len(name) == 1:
            raise Busy

    monkeypatch.setattr(marks.Marks, "mark", busy)
    records = [record(None, item(1, title="x"), 101), record(None, item(1, **GDPR_ITEM), 102)]
    answer = follow_incidents.handler(stream_event(records), Context)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "102"}]}


# --- The board -------------------------------------------------------------------------------------------------------
IDS = [f"inc_01M83J8EHSBKC38ZQ0R08TEP{n:02}" for n in range(30)]


@pytest.fixture
def thirty() -> list[str]:
    """Return the ids of thirty incidents in the order of the board. Every third incident belongs to an application."""
    dates = {}
    for n, incident_id in enumerate(IDS):
        date = None if n % 5 == 4 else f"2027-06-{n * 7 % 30 + 1:02}T06:00:00.000Z"
        state = "running" if date else "pending_anchor"
        regime = "eu-nis2" if n % 2 else "eu-gdpr"
        put_on_board(
            "acme", incident_id, app_id="portal" if n % 3 == 0 else None, due_at=date, state=state, regime=regime
        )
        dates[incident_id] = date
    return sorted(IDS, key=lambda one: (dates[one] or "~", one))


def pages(caller: dict[str, str] | None = None, **parameters: Any) -> list[list[str]]:
    found: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = list_deadlines.handler(board_event(caller, **parameters, **cursor), Context)
        assert answer["statusCode"] == 200, answer
        page = json.loads(answer["body"])
        found.append([entry["incident_id"] for entry in page["items"]])
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def test_the_board_comes_page_by_page_the_soonest_first(thirty: list[str]) -> None:
    for limit, sizes in ((7, [7, 7, 7, 7, 2]), (30, [30]), (15, [15, 15])):
        found = pages(limit=limit)
        assert [len(page) for page in found] == sizes
        assert [one for page in found for one in page] == thirty


def test_filters_select_and_keep_the_order(thirty: list[str]) -> None:
    def flat(**parameters: Any) -> list[str]:
        return [one for page in pages(limit=4, **parameters) for one in page]

    assert flat(regime="eu-gdpr") == [one for one in thirty if IDS.index(one) % 2 == 0]
    assert flat(state=["pending_anchor", "overdue"]) == [one for one in thirty if IDS.index(one) % 5 == 4]
    assert flat(due_before="2027-06-08T06:00:00Z") == thirty[: len(flat(due_before="2027-06-08T06:00:00Z"))]
    assert {IDS.index(one) * 7 % 30 + 1 for one in flat(due_before="2027-06-08T06:00:00Z")} <= {*range(1, 8)}
    assert flat(due_before="1970-01-01T00:00:00Z") == []
    assert flat(regime="x") == []


def test_an_application_s_board_looks_through_under_the_read_bound(
    thirty: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = claims(app_id="portal")
    own = [one for one in thirty if IDS.index(one) % 3 == 0]
    assert [one for page in pages(app, limit=3) for one in page] == own
    monkeypatch.setattr(board_reader, "ROWS_READ", 4)
    found = pages(app, limit=100)
    assert [one for page in found for one in page] == own
    assert len(found) == 8, "a request reads four rows"


def test_the_entries_of_single_incidents(thirty: list[str]) -> None:
    wanted = [*thirty[5:9], "inc_01M83J8EHSBKC38ZQ0R08TEPZZ", "x" * 64, "IR-1"]
    assert [entry["incident_id"] for entry in board(incident_id=wanted)] == thirty[5:9]
    own = [one for one in thirty[5:9] if IDS.index(one) % 3 == 0]
    assert [entry["incident_id"] for entry in board(claims(app_id="portal"), incident_id=wanted)] == own
    assert board(claims("globex"), incident_id=wanted) == []
    assert board(incident_id="IR-1") == []


def test_the_entries_of_single_incidents_come_all_or_not_at_all(
    thirty: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_form, "PAGE_BYTES", 2_000)
    assert len(board(incident_id=thirty[:4])) == 4
    answer = list_deadlines.handler(board_event(incident_id=thirty), Context)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["detail"] == (
        "The entries of these incidents are too long for one answer. Name fewer incidents."
    )
    assert [one for page in pages(limit=30) for one in page] == thirty, "the board has more pages instead"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"state": "submitted"}, "`state` must be one of running, overdue"),
        ({"regime": ""}, "`regime` must be 1 to 64 characters"),
        ({"incident_id": "x" * 65}, "`incident_id` must be 1 to 64 characters"),
        ({"due_before": "2026-06-08"}, "`due_before` must"),
        ({"limit": "101"}, "`limit` must be a whole number from 1 to 100"),
        ({"cursor": "x"}, "`cursor` must be the `next_cursor`"),
        ({"incident_id": ["a", "b"], "limit": "3"}, "must not be given together with other parameters"),
        ({"incident_id": [f"inc_{n}" for n in range(101)]}, "`incident_id` must be given at most 100 times"),
        ({"state": ["running"] * 11}, "`state` must be given at most 10 times"),
        ({"tenant_id": "globex"}, "is not known"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], words: str) -> None:
    answer = list_deadlines.handler(board_event(**parameters), Context)
    assert answer["statusCode"] == 400
    assert words in json.loads(answer["body"])["detail"]


def test_a_cursor_belongs_to_its_filters(thirty: list[str]) -> None:
    answer = list_deadlines.handler(board_event(limit=2, state="running"), Context)
    cursor = json.loads(answer["body"])["next_cursor"]
    assert list_deadlines.handler(board_event(state="running", cursor=cursor), Context)["statusCode"] == 200
    others: list[dict[str, Any]] = [{}, {"state": "overdue"}, {"state": "running", "regime": "eu-gdpr"}]
    for other in others:
        assert list_deadlines.handler(board_event(**other, cursor=cursor), Context)["statusCode"] == 400


def test_the_state_of_an_entry_is_that_of_the_moment(clock: SetClock) -> None:
    put_on_board("acme", IDS[0], due_at="2026-06-11T06:00:00.000Z")
    for now, state in (("2026-06-11T06:00:00Z", "running"), ("2026-06-11T06:00:00.001Z", "overdue")):
        clock.text = now
        assert board()[0]["stages"][0]["state"] == state
        assert len(board(state=state)) == 1
    assert board(state="running") == []
