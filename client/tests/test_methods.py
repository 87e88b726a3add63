"""Tests of every method on a running service, with both clients."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import grc_client
import pytest
from grc_client import Incident, NotFound

UNKNOWN = "inc_01M83J8EHSBKC38ZQ0R08TEPS6"


def test_the_life_of_an_incident(incidents: Any, tag: str) -> None:
    detected = datetime(2026, 11, 20, 8, 30, 0, 125_000, tzinfo=UTC)
    made = incidents.create(title="Laptop stolen — Zürich", severity="high", detected_at=detected, tags=[tag])
    assert isinstance(made, Incident)
    assert (made.title, made.severity, made.status, made.tags) == ("Laptop stolen — Zürich", "high", "new", (tag,))
    assert (made.detected_at, made.version, made.etag, made.replayed) == (detected, 1, '"1"', False)
    assert incidents.get(made.id) == made

    contained = incidents.update(made.id, if_match=made.etag, status="contained", owner_id="ada")
    assert (contained.status, contained.owner_id, contained.severity) == ("contained", "ada", "high")
    assert contained.contained_at is not None
    assert incidents.update(made.id, severity=None).severity is None

    assert incidents.delete(made.id) is None
    assert incidents.list(tag=tag).items == ()
    assert [one.id for one in incidents.list(tag=tag, include_deleted=True).items] == [made.id]
    assert incidents.get(made.id).is_deleted
    assert not incidents.restore(made.id).is_deleted

    trail = incidents.changes(made.id).items
    assert [(change.version, change.action) for change in trail] == [
        (1, "created"), (2, "updated"), (3, "updated"), (4, "deleted"), (5, "restored"),
    ]  # fmt: skip
    assert (trail[1].changes["status"].from_, trail[1].changes["status"].to) == ("new", "contained")


def test_a_list_goes_through_all_pages(incidents: Any, tag: str) -> None:
    made = [incidents.create(title=str(n), tags=[tag], severity="low").id for n in range(5)]
    page = incidents.list(tag=tag, limit=2)
    assert [one.id for one in page.items] == made[:2:-1]
    assert [one.id for one in incidents.everything(page)] == made[::-1]
    assert [one.id for one in incidents.list(tag=tag, limit=2, cursor=page.next_cursor).items] == made[2:0:-1]
    listing = incidents.client.grc.incidents.list(tag=tag, severity=["low", "high"], order="asc", limit=2)
    assert [one.id for one in incidents.everything(listing)] == made
    for one in incidents.everything(page):
        assert incidents.delete(one.id, if_match=one.etag) is None
    assert incidents.list(tag=tag, created_from=datetime.now(UTC) - timedelta(hours=1)).items == ()


def test_changes_go_through_all_pages(incidents: Any) -> None:
    made = incidents.create(title="0")
    for n in range(1, 4):
        incidents.update(made.id, title=str(n))
    changes = incidents.everything(incidents.client.grc.incidents.changes(made.id, limit=2))
    assert [change.version for change in changes] == [1, 2, 3, 4]


def test_an_incident_of_a_caller_has_no_findings(incidents: Any) -> None:
    made = incidents.create(title="no finding")
    page = incidents.findings(made.id, limit=10)
    assert (page.items, page.next_cursor) == ((), None)
    assert incidents.everything(incidents.client.grc.incidents.findings(made.id)) == []
    assert incidents.raw("findings", made.id).status == 200
    with pytest.raises(NotFound):
        incidents.findings("inc_01M83J8EHSBKC38ZQ0R08TEPS6")


def test_a_follower_receives_a_change_after_a_while(incidents: Any) -> None:
    begin = datetime.now(UTC) - timedelta(seconds=5)
    made = incidents.create(title="followed")
    follower, seen = incidents.client.grc.incidents.follow(since=begin, every=None), []
    for _ in range(80):  # a local stack shows a change after 20 seconds
        seen += incidents.everything(follower)
        if made.id in [one.id for one in seen]:
            break
        time.sleep(0.5)
    assert made.id in [one.id for one in seen]
    assert incidents.everything(incidents.client.grc.incidents.follow(since=datetime.now(UTC), every=None)) == []


@pytest.mark.parametrize("amount", ["999999999999999.9999", "0.0001", "48250.50"])
def test_money_keeps_all_its_digits(incidents: Any, amount: str) -> None:
    made = incidents.create(title="x", financial_impact=Decimal(amount), lessons_learned={"score": 0.1})
    assert incidents.get(made.id).financial_impact == Decimal(amount)
    assert made.lessons_learned == {"score": 0.1}
    incidents.update(made.id, financial_impact=None)
    last = incidents.changes(made.id).items[-1].changes["financial_impact"]
    assert (last.from_, last.to) == (Decimal(amount), None)


def test_a_loop_with_if_match_loses_no_concurrent_addition(tag: str) -> None:
    def add(name: str) -> None:
        while name not in (incident := client.grc.incidents.get(made.id)).tags:
            # The write fails if another write was first. If the answer is lost, the next read shows the result.
            with suppress(grc_client.PreconditionFailed, grc_client.ConnectionFailed):
                client.grc.incidents.update(made.id, if_match=incident.etag, tags=[*incident.tags, name])

    names = [f"{tag}-{n}" for n in range(6)]
    with grc_client.Client(timeout=20) as client, ThreadPoolExecutor() as people:
        made = client.grc.incidents.create(title="x")
        list(people.map(add, names))
        assert sorted(client.grc.incidents.get(made.id).tags) == names


def test_the_metrics_of_a_window(incidents: Any) -> None:
    metrics = incidents.metrics(from_="2026-11-01", to=date(2026, 11, 28), group_by="severity", interval="week")
    assert (metrics.from_, metrics.to) == (date(2026, 11, 1), date(2026, 11, 28))
    assert len(metrics.trend) == 5
    assert metrics.mttd.n >= 0
    assert metrics.definitions


def test_the_deadlines_of_an_incident(incidents: Any) -> None:
    made = incidents.create(title="x", reportable_to=["GDPR", "NIS2"])
    aware = {"anchors": {"aware": datetime(2026, 11, 20, 10, tzinfo=UTC)}}
    incidents.update(made.id, regulatory_reports={"eu-gdpr": aware, "eu-nis2": aware})

    gdpr, nis2 = incidents.deadlines(made.id, history=True).regimes
    assert (gdpr.regime, gdpr.stages[0].due_at) == ("eu-gdpr", datetime(2026, 11, 23, 10, tzinfo=UTC))
    assert [stage.stage for stage in nis2.stages if stage.due_at] == ["early_warning", "notification"]
    assert incidents.deadlines(made.id).history is None


def test_the_board_of_deadlines(incidents: Any) -> None:
    made = incidents.create(title="x", reportable_to=["GDPR"])

    assert len(incidents.deadline_board(limit=1, state="overdue").items) <= 1
    board = incidents.everything(incidents.client.grc.incidents.deadline_board(incident_id=[made.id]))
    assert [entry.incident_id for entry in board] in ([], [made.id])  # the job may not have run yet
    with pytest.raises(grc_client.BadRequest, match="incident_id"):
        incidents.deadline_board(incident_id=made.id, limit=1)


def test_a_repeated_create_returns_the_same_incident(incidents: Any, tag: str) -> None:
    first = incidents.create(title="x", idempotency_key=tag)
    again = incidents.create(title="x", idempotency_key=tag)
    assert (again, again.replayed, first.replayed) == (first, True, False)
    with pytest.raises(grc_client.ValidationError, match="Idempotency-Key"):
        incidents.create(title="y", idempotency_key=tag)


def test_each_refusal_raises_its_own_error_with_a_request_id(incidents: Any, tag: str) -> None:
    made = incidents.create(title="x", incident_number=tag)
    with pytest.raises(grc_client.NotFound) as missing:
        incidents.get(UNKNOWN)
    assert missing.value.request_id
    with pytest.raises(grc_client.Conflict, match="/incident_number"):
        incidents.create(title="y", incident_number=tag)
    with pytest.raises(grc_client.Conflict) as stuck:
        incidents.update(made.id, status="review")
    assert stuck.value.allowed_transitions == ("investigating", "contained", "closed", "dismissed")
    with pytest.raises(grc_client.PreconditionFailed):
        incidents.update(made.id, if_match='"2"', title="y")
    with pytest.raises(grc_client.PreconditionFailed):
        incidents.delete(made.id, if_match='"2"')
    with pytest.raises(grc_client.ValidationError) as invalid:
        incidents.create(title="")
    assert [error.pointer for error in invalid.value.errors] == ["/title"]
    with pytest.raises(grc_client.BadRequest, match="limit"):
        incidents.list(limit=101)


def test_a_token_that_is_not_accepted_raises_not_authenticated(base_url: str) -> None:
    with grc_client.Client(base_url, "expired") as client, pytest.raises(grc_client.NotAuthenticated) as refused:
        client.grc.incidents.list()
    assert refused.value.request_id


def test_every_result_has_the_id_of_its_request(incidents: Any, tag: str) -> None:
    made = incidents.create(title="x", tags=[tag])
    page, changes = incidents.list(tag=tag), incidents.changes(made.id)
    results = [
        made, incidents.get(made.id), incidents.update(made.id, title="y"), incidents.restore(made.id),
        incidents.metrics(), page, changes, incidents.raw("delete", made.id),
    ]  # fmt: skip
    ids = [result.request_id for result in results]
    assert all(ids)
    assert len(set(ids)) == len(results)
    assert page.items[0].request_id == page.request_id


def test_a_raw_response_has_the_answer_and_its_result(incidents: Any, tag: str) -> None:
    made = incidents.create(title="x", tags=[tag])
    answer = incidents.raw("get", made.id)
    assert (answer.status, answer.headers["ETag"], answer.parse()) == (200, '"1"', made)
    assert made.id.encode() in answer.body
    page = incidents.raw("list", tag=tag, limit=1).parse()
    assert incidents.everything(page) == [made]
    gone = incidents.raw("delete", made.id)
    assert (gone.status, gone.body, gone.parse()) == (204, b"", None)


def test_a_client_with_other_options_uses_the_same_service(incidents: Any, tag: str) -> None:
    made = incidents.create(title="x", tags=[tag])
    quick = type(incidents)(incidents.client.with_options(timeout=10, retry_for=0), incidents._wait)
    assert quick.get(made.id) == incidents.get(made.id) == made


def test_no_log_has_the_token_or_a_value_of_a_filter(
    incidents: Any, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    incidents.list(owner_id="ada@example.com")
    with pytest.raises(grc_client.NotFound):
        incidents.get(UNKNOWN)

    ours = [record.getMessage() for record in caplog.records if record.name == "grc_client"]
    assert [line.partition(" [")[0] for line in ours] == [
        "GET /api/v1/grc/incidents: 200", f"GET /api/v1/grc/incidents/{UNKNOWN}: 404",
    ]  # fmt: skip
    assert "ada" not in "".join(ours)
    assert {record.name.partition(".")[0] for record in caplog.records} >= {"grc_client", "httpx2", "httpcore2"}
    assert token not in caplog.text
    assert token.split(".")[-1] not in caplog.text
