"""Tests of both clients with the real handlers.

The handlers accept every request, and the clients read every answer exactly.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from functools import partial
from itertools import islice
from types import SimpleNamespace
from typing import Any

import grc_client
import httpx2
import pytest
from grc_client import AsyncClient, Client, Incident
from grc_client.models import Durations

from tests.support.gateway import Gateway
from tests.support.incidents import FULL

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJ0b2tlbiI6InNlY3JldCJ9.c2lnbmF0dXJl"
URL = "https://api.example"
UNKNOWN = "inc_01M83J8EHSBKC38ZQ0R08TEPS6"


class Both:
    """The calls of one client, either the blocking client or the asynchronous client.

    Each call waits for its result, so that tests can use both clients in the same way.
    """

    def __init__(self, client: Any, wait: Callable[[Any], Any], gateway: Gateway) -> None:
        self.client, self.wait, self.gateway = client, wait, gateway

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **fields: Any) -> Any:
            return self.wait(getattr(self.client.grc.incidents, name)(*arguments, **fields))

        return call

    def everything(self, listing: Any) -> list[Any]:
        if hasattr(listing, "__iter__"):
            return list(listing)

        async def collect() -> list[Any]:
            return [item async for item in listing]

        whole: list[Any] = self.wait(collect())
        return whole


@pytest.fixture(params=["blocking", "asyncio"])
def incidents(request: pytest.FixtureRequest) -> Iterator[Both]:
    gateway = Gateway()
    if request.param == "blocking":
        with Client(URL, TOKEN, transport=gateway) as client:
            yield Both(client, lambda result: result, gateway)
    else:
        with asyncio.Runner() as runner:

            async def result(awaitable: Any) -> Any:
                return await awaitable

            asynchronous = AsyncClient(URL, TOKEN, transport=gateway)
            yield Both(asynchronous, lambda awaitable: runner.run(result(awaitable)), gateway)
            runner.run(asynchronous.aclose())


def test_create_returns_an_incident_with_its_values_and_etag(incidents: Both) -> None:
    made = incidents.create(title="Laptop stolen", severity="high", detected_at="2026-11-20T08:30:00Z", tags=["gdpr"])
    assert isinstance(made, Incident)
    assert (made.title, made.severity, made.status, made.tags) == ("Laptop stolen", "high", "new", ("gdpr",))
    assert made.detected_at == datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
    assert made.etag == '"1"'
    assert incidents.get(made.id) == made

    contained = incidents.update(made.id, if_match=made.etag, status="contained", owner_id="ada")
    assert (contained.status, contained.owner_id, contained.severity) == ("contained", "ada", "high")
    assert contained.contained_at is not None
    assert incidents.update(made.id, severity=None, tags=None).severity is None
    assert incidents.get(made.id).tags == ()

    assert incidents.delete(made.id) is None
    assert incidents.list().items == ()
    assert incidents.get(made.id).is_deleted
    assert not incidents.restore(made.id).is_deleted
    assert [incident.id for incident in incidents.list().items] == [made.id]

    trail = incidents.changes(made.id).items
    assert [(change.version, change.action) for change in trail] == [
        (1, "created"), (2, "updated"), (3, "updated"), (4, "deleted"), (5, "restored"),
    ]  # fmt: skip
    assert (trail[1].changes["status"].from_, trail[1].changes["status"].to) == ("new", "contained")

    metrics = incidents.metrics(from_="2026-11-01", to=datetime(2026, 11, 30, tzinfo=UTC).date(), group_by="none")
    assert (metrics.from_.isoformat(), metrics.to.isoformat()) == ("2026-11-01", "2026-11-30")
    assert isinstance(metrics.mttd, Durations)
    assert len(metrics.trend) == 30


def test_every_field_of_a_create_is_read_back(incidents: Both) -> None:
    made = incidents.create(**FULL)
    for field, value in FULL.items():
        read = getattr(made, field)
        if isinstance(read, datetime):
            sent = datetime.fromisoformat(value)
            assert read == sent.replace(microsecond=sent.microsecond // 1000 * 1000)
        elif isinstance(read, tuple):
            assert read == tuple(value)
        elif isinstance(read, Decimal):
            assert read == Decimal(str(value))
        else:
            assert read == value
    assert made == incidents.get(made.id)
    assert made == incidents.update(made.id, title=FULL["title"]), "an update without a change keeps the version"


@pytest.mark.parametrize("amount", ["999999999999999.9999", "0.0001", "0", "1000000000000000", "1E+3", "48250.50"])
def test_a_client_reads_and_writes_exact_amounts(incidents: Both, amount: str) -> None:
    made = incidents.create(title="x", financial_impact=Decimal(amount))
    assert made.financial_impact == Decimal(amount)
    incidents.update(made.id, financial_impact=None)
    last = incidents.changes(made.id).items[-1].changes["financial_impact"]
    assert (last.from_, last.to) == (Decimal(amount), None)
    assert isinstance(last.from_, Decimal)


def test_numbers_in_lessons_learned_are_floats_and_integers(incidents: Both) -> None:
    lessons = {"score": 0.1, "of": [1, 2.5, {"deep": 1e-7}], "count": 3, "none": None}
    made = incidents.create(title="x", lessons_learned=lessons)
    assert made.lessons_learned == lessons
    assert isinstance(made.lessons_learned["score"], float)
    incidents.update(made.id, lessons_learned=None)
    assert incidents.changes(made.id).items[-1].changes["lessons_learned"].from_ == lessons


def test_a_moment_of_any_zone_is_accepted(incidents: Both) -> None:
    moment = datetime(2026, 11, 20, 9, 30, 0, 125_999, tzinfo=timezone(timedelta(hours=-7)))
    made = incidents.create(title="x", detected_at=moment)
    assert made.detected_at == datetime(2026, 11, 20, 16, 30, 0, 125_000, tzinfo=UTC)
    assert len(incidents.list(detected_from=moment - timedelta(seconds=1), detected_to=moment).items) == 1


def test_a_moment_without_a_zone_is_refused_with_its_field(incidents: Both) -> None:
    with pytest.raises(grc_client.ValidationError, match="/detected_at: must be an RFC 3339") as refused:
        incidents.create(title="x", detected_at=datetime(2026, 11, 20))  # noqa: DTZ001
    assert [error.pointer for error in refused.value.errors] == ["/detected_at"]


def test_a_list_fetches_further_pages_only_as_needed(incidents: Both) -> None:
    made = [incidents.create(title=f"number {n}").id for n in range(7)]
    sent = len(incidents.gateway.requests)

    page = incidents.list(limit=3)
    assert [incident.id for incident in page.items] == made[:3:-1]
    assert len(incidents.gateway.requests) == sent + 1
    assert [incident.id for incident in incidents.everything(page)] == made[::-1]
    assert len(incidents.gateway.requests) == sent + 3

    again = incidents.list(limit=3, cursor=page.next_cursor)
    assert [incident.id for incident in again.items] == made[3:0:-1]
    listing = incidents.client.grc.incidents.list(order="asc", limit=2)
    assert [incident.id for incident in incidents.everything(listing)] == made


def test_a_list_of_changes_fetches_further_pages(incidents: Both) -> None:
    made = incidents.create(title="0")
    for n in range(1, 6):
        incidents.update(made.id, title=str(n))
    changes = incidents.everything(incidents.client.grc.incidents.changes(made.id, limit=2))
    assert [change.version for change in changes] == [1, 2, 3, 4, 5, 6]


def test_a_client_list_accepts_one_or_several_values_of_a_filter(incidents: Both) -> None:
    high = incidents.create(title="x", severity="high", tags=["a"], source="sensor")
    low = incidents.create(title="x", severity="low", tags=["b"], incident_number="A-7")
    incidents.delete(low.id)

    def found(**filters: Any) -> set[str]:
        return {incident.id for incident in incidents.list(**filters).items}

    assert found(severity="high", source=["sensor", "other"], tag=("a",)) == {high.id}
    assert found(severity=["high", "low"]) == {high.id}
    assert found(include_deleted=True) == {high.id, low.id}
    assert found(include_deleted=True, incident_number="A-7") == {low.id}
    assert found(created_from=high.created_at, created_to=high.created_at + timedelta(minutes=1)) == {high.id}

    class Source(str, Enum):  # noqa: UP042  # as callers define their enumerations
        SENSOR = "sensor"

    assert found(source=Source.SENSOR) == found(source=[Source.SENSOR]) == {high.id}


@pytest.mark.parametrize("filters", [{"tag": []}, {"status": ()}, {"owner_id": None}, {"tag": ["a", None]}])
def test_a_filter_without_a_value_is_refused(incidents: Both, filters: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must have a value"):
        incidents.wait(incidents.list(**filters))
    assert incidents.gateway.requests == []


def test_a_list_keeps_its_filters_if_the_caller_changes_them(incidents: Both) -> None:
    for n in range(4):
        incidents.create(title=str(n), tags=["a"])
    tags = ["a"]
    listing = incidents.client.grc.incidents.list(tag=tags, limit=2)
    tags.append("b")
    assert len(incidents.everything(listing)) == 4


def test_a_cursor_of_none_starts_at_the_first_page(incidents: Both) -> None:
    made = [incidents.create(title=str(n)).id for n in range(3)]
    seen: list[str] = []
    cursor = None
    while True:
        page = incidents.list(limit=2, order="asc", cursor=cursor)
        seen += [incident.id for incident in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == made


def test_a_list_fails_if_its_cursor_repeats(incidents: Both) -> None:
    incidents.gateway.answers_instead = httpx2.Response(200, json={"items": [], "next_cursor": "again"})
    with pytest.raises(grc_client.UnexpectedAnswer, match="never end"):
        incidents.everything(incidents.client.grc.incidents.list(cursor="again"))


def test_a_follower_receives_every_change_and_goes_on_at_its_cursor(incidents: Both) -> None:
    first, second = (incidents.create(title=title) for title in ("1", "2"))
    follower = incidents.client.grc.incidents.follow(every=None)
    assert incidents.everything(follower) == [first, second]

    changed = incidents.update(first.id, title="changed")
    incidents.delete(second.id)
    later = incidents.everything(incidents.client.grc.incidents.follow(cursor=follower.cursor, every=None))

    assert later[0] == changed
    assert [(one.id, one.is_deleted) for one in later] == [(first.id, False), (second.id, True)]
    assert incidents.everything(follower) == later, "a follower that is asked again goes on, too"
    assert incidents.everything(follower) == []
    since = incidents.client.grc.incidents.follow(since=changed.updated_at, every=None)
    assert incidents.everything(since) == later


def test_a_follower_s_cursor_moves_only_when_all_of_a_page_was_received(
    incidents: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [incidents.create(title=str(n)) for n in range(3)]
    monkeypatch.setattr("grc_client.raw.calls.UPDATES_LIMIT", 2)
    cursors: list[str | None] = []

    async def asynchronously(follower: Any) -> None:
        async for _ in follower:
            cursors.append(follower.cursor)

    follower = incidents.client.grc.incidents.follow(every=None)
    if hasattr(follower, "__iter__"):
        for _ in follower:
            cursors.append(follower.cursor)
    else:
        incidents.wait(asynchronously(follower))

    assert cursors[:2] == [None, None]
    rest = incidents.client.grc.incidents.follow(cursor=cursors[2], every=None)
    assert incidents.everything(rest) == [made[2]]


def test_a_follower_that_has_caught_up_waits_and_asks_again(incidents: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    made, pauses = [incidents.create(title="0")], []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        made.append(Incident.model_validate_json(incidents.gateway.create(title=str(len(pauses)))))

    async def pause_asynchronously(seconds: float) -> None:
        pause(seconds)

    monkeypatch.setattr("grc_client.raw.time", SimpleNamespace(sleep=pause))
    monkeypatch.setattr("grc_client.raw.asyncio", SimpleNamespace(sleep=pause_asynchronously))
    follower = incidents.client.grc.incidents.follow(every=7)

    async def three() -> list[str]:
        found: list[str] = []
        async for incident in follower:
            found.append(incident.id)
            if len(found) == 3:
                break
        return found

    is_blocking = hasattr(follower, "__iter__")
    seen = [one.id for one in islice(follower, 3)] if is_blocking else incidents.wait(three())
    assert seen == [one.id for one in made]
    assert pauses == [7, 7]


def test_a_cursor_after_a_restore_raises_an_error_that_says_start_again(
    incidents: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = incidents.client.grc.incidents.follow(every=None)
    assert incidents.everything(follower) == []
    monkeypatch.setenv("TABLE_NAME", "restored")
    with pytest.raises(grc_client.CursorGone, match="Start again"):
        incidents.everything(follower)


def test_a_follower_s_raw_responses_are_its_pages(incidents: Both) -> None:
    made = incidents.create(title="1")
    (answer,) = incidents.everything(incidents.client.grc.incidents.with_raw_response.follow(every=None))
    page = answer.parse()
    assert isinstance(page, grc_client.Updates)
    assert (page.items, page.caught_up) == ((made,), True)
    assert page.next_cursor.encode() in answer.body


@pytest.mark.parametrize("wrong", [{"since": "2026-01-01T00:00:00Z", "cursor": "x"}, {"every": 0}, {"every": -1}])
def test_a_follower_that_could_not_run_is_refused_at_once(incidents: Both, wrong: dict[str, Any]) -> None:
    for methods in (incidents.client.grc.incidents, incidents.client.grc.incidents.with_raw_response):
        with pytest.raises(ValueError, match=r"`since` or `cursor`|every"):
            methods.follow(**wrong)
    assert incidents.gateway.requests == []


def test_an_answer_without_a_cursor_ends_a_follower_with_an_error(incidents: Both) -> None:
    incidents.gateway.answers_instead = httpx2.Response(200, json={"items": [], "next_cursor": None, "caught_up": True})
    with pytest.raises(grc_client.UnexpectedAnswer):
        incidents.everything(incidents.client.grc.incidents.follow())


def test_each_refusal_raises_its_own_error(incidents: Both) -> None:
    made = incidents.create(title="x", incident_number="A-1")
    with pytest.raises(grc_client.NotFound):
        incidents.get(UNKNOWN)
    with pytest.raises(grc_client.Conflict, match="/incident_number"):
        incidents.create(title="y", incident_number="A-1")
    with pytest.raises(grc_client.Conflict) as stuck:
        incidents.update(made.id, status="review")
    assert stuck.value.allowed_transitions == ("investigating", "contained", "closed", "dismissed")
    with pytest.raises(grc_client.PreconditionFailed):
        incidents.update(made.id, if_match='"2"', title="y")
    with pytest.raises(grc_client.PreconditionFailed):
        incidents.delete(made.id, if_match='"2"')
    with pytest.raises(grc_client.ValidationError, match="gateway-request-1"):
        incidents.create(title="")
    with pytest.raises(grc_client.BadRequest, match="limit"):
        incidents.list(limit=101)
    with pytest.raises(grc_client.TooLarge):
        incidents.create(title="x", description="é" * 9000, affected_asset_ids=["é" * 120 + str(n) for n in range(500)])


def test_a_caller_may_give_an_idempotency_key(incidents: Both) -> None:
    first = incidents.create(title="x", idempotency_key="today's import, row 7")
    again = incidents.create(title="x", idempotency_key="today's import, row 7")
    assert (again, again.replayed) == (first, True)
    assert not first.replayed
    assert not incidents.get(first.id).replayed
    with pytest.raises(grc_client.ValidationError, match="Idempotency-Key"):
        incidents.create(title="y", idempotency_key="today's import, row 7")
    assert incidents.create(title="x").id != first.id


@pytest.mark.parametrize("wrong", ["INC-2026-000001", "", "..", "metrics", "inc_1/changes", f"{UNKNOWN}\n", "inc_é"])
@pytest.mark.parametrize("method", ["get", "update", "delete", "restore", "changes"])
def test_a_malformed_incident_id_is_never_sent(incidents: Both, method: str, wrong: str) -> None:
    with pytest.raises(ValueError, match="incident_id must be an id like inc_"):
        incidents.wait(getattr(incidents, method)(wrong))
    assert incidents.gateway.requests == []


@pytest.mark.parametrize(
    "call",
    [
        lambda of: of.create(titel="x"),
        lambda of: of.update(UNKNOWN, is_deleted=True),
        lambda of: of.list(statuses="new"),
        lambda of: of.metrics(since="2026-11-01"),
        lambda of: of.create(title="x", description={1, 2}),
    ],
)
def test_a_wrong_argument_is_a_type_error_and_never_sent(incidents: Both, call: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        call(incidents)
    assert incidents.gateway.requests == []


def test_a_number_that_json_lacks_is_never_sent(incidents: Both) -> None:
    for amount in (float("nan"), Decimal("NaN"), Decimal("Infinity")):
        with pytest.raises(ValueError, match="Out of range"):
            incidents.create(title="x", financial_impact=amount)
    assert incidents.gateway.requests == []


def test_models_are_frozen_and_an_incident_of_a_list_has_its_version(incidents: Both) -> None:
    made = incidents.create(title="x")
    with pytest.raises(ValueError, match="frozen"):
        made.title = "y"
    (listed,) = incidents.list().items
    assert listed == made
    assert len({listed, made}) == 1
    incidents.update(made.id, severity="high")
    (changed,) = incidents.list().items
    assert [(one.version, one.etag) for one in (listed, changed)] == [(1, '"1"'), (2, '"2"')]
    with pytest.raises(grc_client.PreconditionFailed):
        incidents.delete(made.id, if_match=listed.etag)
    incidents.delete(made.id, if_match=changed.etag)


def test_fields_and_values_of_a_newer_api_are_kept() -> None:
    gateway = Gateway()
    with Client(URL, TOKEN, transport=gateway) as client:
        made = client.grc.incidents.create(title="x")
    newer = made.model_dump(mode="json") | {"status": "archived", "severity": "absurd", "retention_class": "legal"}
    read = Incident.model_validate(newer)
    assert (read.status, read.severity) == ("archived", "absurd")
    assert read.model_extra == {"retention_class": "legal"}


# --- The token -------------------------------------------------------------------------------------------------------


class Failing(httpx2.BaseTransport):
    """A transport that fails every request in the same way."""

    def __init__(self, way: Any) -> None:
        self._way = way

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if isinstance(self._way, type):
            raise self._way("broken", request=request)
        return httpx2.Response(self._way, json={"message": "no"})


@pytest.mark.parametrize("token", [TOKEN, f"{TOKEN}\n", lambda: TOKEN, partial(str, TOKEN)])
@pytest.mark.parametrize(
    "way", [401, 403, 404, 500, 200, httpx2.ConnectError, httpx2.ReadTimeout, httpx2.ProtocolError]
)
def test_the_token_is_in_no_error_log_or_repr(way: Any, token: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = Client(URL, token, transport=Failing(way), retry_for=0)
    with pytest.raises(grc_client.GrcError) as raised:
        client.grc.incidents.get(UNKNOWN)

    told = [repr(client), repr(vars(client)), repr(client.grc), repr(vars(client.grc)), caplog.text]
    error: BaseException | None = raised.value
    while error is not None:
        told += [str(error), repr(error), repr(vars(error))]
        with_locals = traceback.TracebackException.from_exception(error, capture_locals=True)
        told += [repr(frame.locals) for frame in with_locals.stack if frame.filename != __file__]
        error = error.__cause__ or error.__context__
    assert "eyJ" not in "".join(told)


def test_an_error_does_not_repeat_a_token_that_the_server_echoes() -> None:
    class Echo(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            return httpx2.Response(400, json={"detail": f"bad header: {request.headers['authorization']}"})

    with Client(URL, TOKEN, transport=Echo()) as client, pytest.raises(grc_client.BadRequest) as raised:
        client.grc.incidents.list()
    assert "bad header: Bearer [token]" in str(raised.value)
    assert "eyJ" not in repr(vars(raised.value))


def test_a_token_function_with_a_wrong_result_is_refused() -> None:
    async def later() -> str:
        return TOKEN

    for wrong in (lambda: None, lambda: b"bytes", later):
        with Client(URL, wrong, transport=Gateway()) as client, pytest.raises(ValueError, match="token must be a JWT"):  # type: ignore[arg-type]
            client.grc.incidents.list()


def test_no_cookie_is_kept() -> None:
    class Baker(Gateway):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            answer = super().handle_request(request)
            answer.headers["set-cookie"] = "sid=somebody; Path=/"
            return answer

    gateway = Baker()
    with Client(URL, TOKEN, transport=gateway) as client:
        client.grc.incidents.list()
        client.grc.incidents.list()
    assert "cookie" not in gateway.requests[1].headers


@pytest.mark.parametrize("value", ["", "a\nb", "Zeile-é", " "])
def test_the_error_names_a_header_value_that_cannot_be_sent(incidents: Both, value: str) -> None:
    with pytest.raises(ValueError, match="idempotency_key must be printable ASCII"):
        incidents.create(title="x", idempotency_key=value)
    for method in ("update", "delete", "restore"):
        with pytest.raises(ValueError, match="if_match must be printable ASCII"):
            getattr(incidents, method)(UNKNOWN, if_match=value)
    assert incidents.gateway.requests == []


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "é", "a\x00b", "=", " "])
def test_a_malformed_token_is_refused_and_not_shown(token: str) -> None:
    gateway = Gateway()
    with Client(URL, token, transport=gateway) as client, pytest.raises(ValueError, match="token must be") as refused:
        client.grc.incidents.list()
    assert token not in str(refused.value) or len(token) == 1
    assert gateway.requests == []


def test_a_token_function_is_called_before_each_request() -> None:
    tokens = iter(("first", "second", "third"))
    gateway = Gateway()
    with Client(URL, lambda: next(tokens), transport=gateway) as client:
        client.grc.incidents.list()
        client.grc.incidents.list()
    assert [request.headers["authorization"] for request in gateway.requests] == ["Bearer first", "Bearer second"]


def test_a_token_function_may_be_a_coroutine_function() -> None:
    gateway = Gateway()

    async def token() -> str:
        await asyncio.sleep(0)
        return "fresh"

    async def use() -> None:
        async with AsyncClient(URL, token, transport=gateway) as client:
            await client.grc.incidents.list()

    asyncio.run(use())
    assert gateway.requests[0].headers["authorization"] == "Bearer fresh"


def test_the_environment_gives_the_default_url_and_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRC_BASE_URL", f"{URL}/stage/")
    monkeypatch.setenv("GRC_TOKEN", TOKEN)
    gateway = Gateway()
    with Client(transport=gateway) as client, pytest.raises(grc_client.NotFound):
        client.grc.incidents.list()
    (request,) = gateway.requests
    assert str(request.url) == f"{URL}/stage/api/v1/grc/incidents"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"token": TOKEN}, "GRC_BASE_URL"),
        ({"base_url": URL}, "GRC_TOKEN"),
        ({"base_url": "api.example", "token": TOKEN}, "base_url"),
        ({"base_url": f"{URL}/api/v1/grc", "token": TOKEN}, "base_url"),
        ({"base_url": f"{URL}/api/v1/grc/incidents", "token": TOKEN}, "base_url"),
        ({"base_url": "https://ada:hunter2@api.example", "token": TOKEN}, "base_url"),
        ({"base_url": f"{URL}/?stage=1", "token": TOKEN}, "base_url"),
        ({"base_url": f"{URL}/#top", "token": TOKEN}, "base_url"),
        ({"base_url": "https://", "token": TOKEN}, "base_url"),
        ({"base_url": "https://[::1", "token": TOKEN}, "base_url"),
        ({"base_url": TOKEN, "token": URL}, "base_url"),
        ({"base_url": "", "token": TOKEN}, "base_url"),
        ({"base_url": URL, "token": ""}, "GRC_TOKEN"),
        ({"base_url": URL, "token": TOKEN, "timeout": 0}, "timeout"),
        ({"base_url": URL, "token": TOKEN, "retry_for": float("nan")}, "retry_for"),
    ],
)
def test_the_error_names_a_wrong_argument_and_does_not_repeat_its_value(
    client: Any, given: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=named) as refused:
        client(**given)
    assert TOKEN not in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("url", [f"{URL}/", f" {URL}\n", "HTTPS://api.example", f"{URL}//"])
def test_a_base_url_is_normalized(url: str) -> None:
    gateway = Gateway()
    with Client(url, TOKEN, transport=gateway) as client:
        client.grc.incidents.list()
    assert str(gateway.requests[0].url) == f"{URL}/api/v1/grc/incidents"


def test_a_create_with_a_lost_answer_is_retried_with_the_same_key() -> None:
    class Lossy(Gateway):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            answer = super().handle_request(request)
            if len(self.requests) < 4:
                raise httpx2.ReadError("cut", request=request)
            return answer

    gateway = Lossy()
    with Client(URL, TOKEN, transport=gateway) as client:
        client.grc.incidents.create(title="x")
        assert len({request.headers["idempotency-key"] for request in gateway.requests}) == 1
        assert len(client.grc.incidents.list().items) == 1
