"""Uses every method of the client, as a user's file could.

Nobody runs this file. mypy reads it in strict mode, with the installed client.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from grc_client import (
    Add,
    AsyncClient,
    AsyncFollower,
    AsyncPage,
    BoardEntry,
    Change,
    Client,
    Deadlines,
    Finding,
    Follower,
    Incident,
    Metrics,
    NewIncident,
    Page,
    PreconditionFailed,
    RawResponse,
    Remove,
    Updates,
    history_faults,
)


def blocking() -> None:
    with Client("https://api.example", token=lambda: "fresh", timeout=10, retry_for=5) as client:
        made: Incident = client.grc.incidents.create(
            title="Laptop stolen", severity="high", detected_at=datetime.now(UTC), tags=["gdpr"],
            financial_impact=Decimal("1250.50"), lessons_learned={"next": ["encrypt"]}, idempotency_key="row 7",
        )  # fmt: skip
        row: NewIncident = {"title": "From a file", "status": "closed", "closed_at": "2026-11-23T09:00:00Z"}
        client.grc.incidents.create(**row)
        again: Incident = client.grc.incidents.get(made.id)
        page: Page[Incident] = client.grc.incidents.list(status=["new", "review"], tag="gdpr", limit=100, order="asc")
        titles: list[str] = [incident.title for incident in page]
        titles += [incident.title for incident in page.items]
        cursor: str | None = page.next_cursor
        client.grc.incidents.list(created_from=datetime.now(UTC) - timedelta(days=1), cursor=cursor or "")
        try:
            client.grc.incidents.update(made.id, if_match=again.etag, severity=again.severity, owner_id=None)
        except PreconditionFailed as stale:
            print(stale.request_id)
        client.grc.incidents.update(made.id, tags=Add("gdpr", "vip"), affected_asset_ids=Add("a") | Remove("b", "c"))
        client.grc.incidents.update(made.id, commander_ids={"add": ["ada"]}, reportable_to=["BSI"])
        found: Page[Incident] = client.grc.incidents.list(
            open=True, unowned=True, affected_asset_id="a", triggered_by_alert_id=["b", "c"], q="laptop train"
        )
        print(found.items)
        client.grc.incidents.delete(made.id, if_match=made.etag)
        restored: Incident = client.grc.incidents.restore(made.id)
        minutes: int | None = restored.mttd_minutes
        changes: list[Change] = list(client.grc.incidents.changes(made.id))
        faults: list[str] = history_faults(restored, changes)
        print(faults, changes[0].hash)
        findings: list[Finding] = list(client.grc.incidents.findings(made.id, limit=10))
        print([finding.summary.remote_addresses for finding in findings], findings[0].event["detail"])
        deadlines: Deadlines = client.grc.incidents.deadlines(made.id, history=True)
        print([stage.due_at for regime in deadlines.regimes for stage in regime.stages])
        board: Page[BoardEntry] = client.grc.incidents.deadline_board(
            state=["running", "overdue"], due_before="2026-12-01"
        )
        print(
            [entry.stages[0].due_at for entry in board], client.grc.incidents.deadline_board(incident_id=made.id).items
        )
        follower: Follower = client.grc.incidents.follow(since=datetime.now(UTC), every=30)
        for incident in follower:
            print(incident.title, incident.is_deleted, follower.cursor)
        for news in client.grc.incidents.with_raw_response.follow(cursor=follower.cursor, every=None):
            updates: Updates = news.parse()
            print(news.body, updates.next_cursor, updates.caught_up)
        metrics: Metrics = client.grc.incidents.metrics(from_=date(2026, 11, 1), to="2026-11-30", interval="week")
        print(minutes, changes, metrics.mttr.p50, [group.group for group in metrics.groups])
        quick: Client = client.with_options(timeout=2, retry_for=0)
        answer: RawResponse[Page[Incident]] = quick.grc.incidents.with_raw_response.list(tag="gdpr")
        ids: list[str | None] = [answer.request_id, answer.parse().request_id, made.request_id, metrics.request_id]
        gone: RawResponse[None] = client.grc.incidents.with_raw_response.delete(made.id)
        print(ids, gone.status, gone.headers["date"], gone.body)


async def asynchronous() -> None:
    async def token() -> str:
        return "fresh"

    async with AsyncClient(token=token) as client:
        incidents = client.grc.incidents
        made: Incident = await incidents.create(title="Laptop stolen")
        again: Incident = await incidents.get(made.id)
        titles: list[str] = [incident.title async for incident in incidents.list(severity="high")]
        page = await incidents.list(limit=1)
        print(titles, page.items[0].title, page.next_cursor)
        updated: Incident = await incidents.update(made.id, if_match=again.etag, status="closed")
        await incidents.delete(made.id, if_match=updated.etag)
        restored: Incident = await incidents.restore(made.id)
        print((await client.grc.incidents.deadlines(made.id)).as_of)
        print([entry.incident_number async for entry in incidents.deadline_board(regime="eu-gdpr")])
        changes: list[Change] = [change async for change in incidents.changes(restored.id)]
        findings: list[Finding] = [finding async for finding in incidents.findings(restored.id)]
        print([finding.summary.link for finding in findings])
        follower: AsyncFollower = incidents.follow(cursor="stored", every=None)
        async for incident in follower:
            print(incident.title, follower.cursor)
        async for news in incidents.with_raw_response.follow(since="2026-11-01T00:00:00Z"):
            print(news.parse().items[0].title)
        metrics: Metrics = await incidents.metrics()
        print(changes, metrics.as_of)
        answer: RawResponse[AsyncPage[Incident]] = await client.with_options(
            timeout=2
        ).grc.incidents.with_raw_response.list()
        raw: RawResponse[Incident] = await incidents.with_raw_response.get(made.id)
        print([incident.title async for incident in answer.parse()], raw.parse().title)
