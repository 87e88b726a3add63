"""Tests of the client's arguments, of ``with_options`` and of ``with_raw_response``. The tests use no network."""

import asyncio
import copy
import json
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import grc_client
import httpx2
import pytest
from grc_client import Add, AsyncClient, Client, Incident, Remove

URL, TOKEN = "https://api.example", "eyJhbGciOiJSUzI1NiJ9.canary.c2ln"
ID = "inc_01M83J8EHSBKC38ZQ0R08TEPS6"


class Recorder:
    """A transport's function. It answers each request with the same answer, and records the requests."""

    def __init__(self, status: int = 200, body: object = None, **headers: str) -> None:
        self.requests: list[httpx2.Request] = []
        self.status, self.body = status, json.dumps(body) if body is not None else ""
        self.headers = {"apigw-requestid": "R=", "content-type": "application/json", **headers}

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(self.status, text=self.body, headers=self.headers)

    @property
    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self)


def of_httpx(name: str) -> object:
    """Return an object of a class of httpx, which is not installed here."""
    return type(name, (), {"__module__": "httpx._transports.default", "handle_request": None})()


@pytest.mark.parametrize(
    ("client", "transport", "given", "right"),
    [
        (Client, of_httpx("HTTPTransport"), "httpx.HTTPTransport", "httpx2.HTTPTransport"),
        (AsyncClient, of_httpx("AsyncHTTPTransport"), "httpx.AsyncHTTPTransport", "httpx2.AsyncHTTPTransport"),
        (Client, httpx2.AsyncHTTPTransport(), "httpx2.AsyncHTTPTransport", "httpx2.HTTPTransport"),
        (AsyncClient, httpx2.HTTPTransport(), "httpx2.HTTPTransport", "httpx2.AsyncHTTPTransport"),
        (Client, "http://proxy.example", "builtins.str", "httpx2.HTTPTransport"),
    ],
)
def test_a_transport_of_another_library_is_refused_with_the_right_class(
    client: Any, transport: object, given: str, right: str
) -> None:
    with pytest.raises(TypeError) as refused:
        client(URL, TOKEN, transport=transport)
    assert str(refused.value).startswith("transport must be an httpx2.")
    assert f"not {given}; pass {right}(...)" in str(refused.value)


def test_a_client_with_other_options_shares_the_connections_and_the_token() -> None:
    record = Recorder(body={"items": [], "next_cursor": None})
    tokens = iter(["first", "second", "third"])
    with Client(URL, lambda: next(tokens), transport=record.transport) as client:
        quick = client.with_options(timeout=2)
        quick.grc.incidents.list()
        client.grc.incidents.list()
        quick.with_options(retry_for=0).grc.incidents.list()
    assert [request.headers["authorization"] for request in record.requests] == [
        "Bearer first", "Bearer second", "Bearer third",
    ]  # fmt: skip
    assert [request.extensions["timeout"]["read"] for request in record.requests] == [2, 20, 2]


def test_an_asynchronous_client_with_other_options_shares_the_connections_and_the_token() -> None:
    record = Recorder(body={"items": [], "next_cursor": None})

    async def use() -> None:
        async with AsyncClient(URL, TOKEN, transport=record.transport) as client:
            await client.with_options(timeout=2).grc.incidents.list()
            await client.grc.incidents.list()

    asyncio.run(use())
    assert {request.headers["authorization"] for request in record.requests} == {f"Bearer {TOKEN}"}
    assert [request.extensions["timeout"]["read"] for request in record.requests] == [2, 20]


def test_retry_for_zero_of_other_options_does_not_retry() -> None:
    record = Recorder(503, {})
    client = Client(URL, TOKEN, transport=record.transport)
    with pytest.raises(grc_client.Busy):
        client.with_options(retry_for=0).grc.incidents.list()
    assert len(record.requests) == 1


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"timeout": -1}, {"retry_for": -1}, {"retry_for": float("nan")}])
def test_options_that_are_not_valid_are_refused_by_name(client: Any, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        client(URL, TOKEN).with_options(**wrong)


def test_the_client_and_its_copies_show_no_token() -> None:
    client = Client(URL, TOKEN).with_options(timeout=1)
    assert "canary" not in repr(client) + repr(vars(client)) + repr(vars(client.grc.incidents))


def blocking(transport: httpx2.MockTransport, use: Callable[[Any], Any]) -> Any:
    return use(Client(URL, TOKEN, transport=transport).grc.incidents.with_raw_response)


def asynchronous(transport: httpx2.MockTransport, use: Callable[[Any], Any]) -> Any:
    return asyncio.run(use(AsyncClient(URL, TOKEN, transport=transport).grc.incidents.with_raw_response))


BOTH = pytest.mark.parametrize("call", [blocking, asynchronous])


@BOTH
def test_a_raw_response_has_everything_of_the_answer(call: Callable[..., Any]) -> None:
    record = Recorder(200, {"items": [], "next_cursor": "c"}, etag='"7"')
    answer = call(record.transport, lambda raw: raw.list(limit=1))
    assert (answer.status, answer.request_id, answer.headers["ETag"]) == (200, "R=", '"7"')
    assert answer.body == record.body.encode()
    assert repr(answer) == "RawResponse(200, request_id='R=')"
    page = answer.parse()
    assert (page.items, page.next_cursor, page.request_id) == ((), "c", "R=")


@BOTH
def test_a_raw_response_of_a_deletion_has_the_request_id(call: Callable[..., Any]) -> None:
    answer = call(Recorder(204).transport, lambda raw: raw.delete(ID))
    assert (answer.status, answer.request_id, answer.body, answer.parse()) == (204, "R=", b"", None)


@pytest.mark.parametrize("around", ["D\u00e9j\u00e0 vu: {}", '{{"id": "{}"', '{{"id": {{"x": "{}"}}}}', "[{}]"])
def test_the_error_of_an_answer_that_echoes_the_request_has_no_token(around: str) -> None:
    def echo(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=around.format(request.headers["authorization"]).encode("latin-1"))

    with Client(URL, TOKEN, transport=httpx2.MockTransport(echo)) as client:
        for call in (lambda: client.grc.incidents.get(ID), lambda: client.grc.incidents.list()):
            with pytest.raises(grc_client.UnexpectedAnswer) as refused:
                call()
            assert "canary" not in "".join(traceback.format_exception(refused.value)) + repr(refused.value)


@BOTH
def test_a_raw_response_that_cannot_be_parsed_is_still_read(call: Callable[..., Any]) -> None:
    answer = call(Recorder(200, ["another form"]).transport, lambda raw: raw.get(ID))
    assert json.loads(answer.body) == ["another form"]
    with pytest.raises(grc_client.UnexpectedAnswer, match=rf"GET /api/v1/grc/incidents/{ID}: 200 .* \[request R=\]"):
        answer.parse()


@BOTH
def test_a_refusal_raises_an_error_instead_of_a_raw_response(call: Callable[..., Any]) -> None:
    with pytest.raises(grc_client.NotFound) as raised:
        call(Recorder(404, {"title": "Not found"}).transport, lambda raw: raw.get(ID))
    assert raised.value.request_id == "R="


def test_a_raw_response_does_not_hold_the_token() -> None:
    answer = Client(URL, TOKEN, transport=Recorder(204).transport).grc.incidents.with_raw_response.delete(ID)
    assert "canary" not in repr(vars(answer))
    assert not any(isinstance(value, (httpx2.Request, httpx2.Response)) for value in vars(answer).values())


def test_a_result_keeps_its_request_id_when_it_is_copied_and_compared(incident: Incident) -> None:
    other = incident.model_copy()._made(request_id="other")
    assert (incident.request_id, other.request_id) == ("R=", "other")
    assert incident == other
    assert "request_id" not in incident.model_dump()
    for again in (copy.copy(incident), copy.deepcopy(incident), pickle.loads(pickle.dumps(incident))):  # noqa: S301
        assert (again, again.request_id, again.replayed) == (incident, "R=", True)
    assert Incident.model_validate(incident.model_dump()).request_id is None


@pytest.fixture
def incident() -> Incident:
    none = dict.fromkeys(Incident.model_fields)
    lists = {name: () for name, field in Incident.model_fields.items() if field.annotation == tuple[str, ...]}
    texts = dict.fromkeys(("tenant_id", "created_by", "updated_by", "source", "source_type", "incident_number"), "x")
    values = none | lists | texts | {
        "id": ID, "created_at": "2026-11-20T10:00:00Z", "updated_at": "2026-11-20T10:00:00Z", "version": 1,
        "schema_version": 1, "is_deleted": False, "title": "x", "status": "archived",
    }  # fmt: skip
    record = Recorder(200, values, **{"idempotency-replayed": "true"})
    with Client(URL, TOKEN, transport=record.transport) as client:
        return client.grc.incidents.get(ID)


def test_edits_of_a_list_combine_and_lose_nothing() -> None:
    recorder = Recorder(204)
    with Client(URL, TOKEN, transport=recorder.transport) as client, pytest.raises(grc_client.UnexpectedAnswer):
        client.grc.incidents.update(
            ID, tags=Add("a") | Remove("x") | Add("b") | Remove("y"), affected_asset_ids=Add("z")
        )

    assert json.loads(recorder.requests[0].content) == {
        "tags": {"add": ["a", "b"], "remove": ["x", "y"]}, "affected_asset_ids": {"add": ["z"]},
    }  # fmt: skip
