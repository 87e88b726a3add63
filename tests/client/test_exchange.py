"""Tests of the client's module ``exchange``, which both clients share. The tests use no network.

They test when a client retries a request, and how it reads an answer.
"""

import copy
import pickle
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import grc_client
import httpx2
import pytest
from grc_client import calls, exchange
from grc_client.calls import Call
from grc_client.errors import OF_STATUS

ID = "inc_01M83J8EHSBKC38ZQ0R08TEPS6"
REQUEST = httpx2.Request("GET", "https://api.example/api/v1/grc/incidents")
GET = calls.get_incident(ID)
CREATE = calls.create_incident(None, {"title": "x"})
UPDATE = calls.update_incident(ID, None, {"title": "x"})
UPDATE_IF = calls.update_incident(ID, '"1"', {"title": "x"})
DELETE = calls.delete_incident(ID, None)
DELETE_IF = calls.delete_incident(ID, '"1"')


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("grc_client.exchange.time.monotonic", lambda: now[0])
    monkeypatch.setattr(random, "uniform", lambda _, longest: longest)
    return now


def answer(status: int, body: object = None, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, json=body, headers=named, request=REQUEST)


def broken(kind: type[httpx2.RequestError]) -> httpx2.RequestError:
    return kind("broken", request=REQUEST)


def run(call: Call[Any], came: Callable[[], Any], clock: list[float], retry_for: float | None = 30) -> list[float]:
    """Run an exchange until it gives up, and return the pause before each attempt."""
    steps = exchange.exchange(call, retry_for)
    pauses = [next(steps)]
    try:
        while True:
            clock[0] += pauses[-1]
            pauses.append(steps.send(came()))
    except grc_client.GrcError:
        return pauses


@pytest.mark.parametrize("call", [GET, CREATE, UPDATE, DELETE], ids=["get", "create", "update", "delete"])
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_repeatable_request_is_retried_until_the_time_is_up(call: Call[Any], status: int, clock: list[float]) -> None:
    pauses = run(call, lambda: answer(status, {}), clock)

    assert pauses[:8] == [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert clock[0] <= 30 < clock[0] + 5


@pytest.mark.parametrize("call", [UPDATE_IF, DELETE_IF], ids=["update", "delete"])
@pytest.mark.parametrize(
    ("came", "again"),
    [
        (lambda: answer(408, {}), True),
        (lambda: httpx2.Response(408, text="Request Timeout", request=REQUEST), True),
        (lambda: answer(425, {}), True),
        (lambda: answer(429, {}), True),
        (lambda: broken(httpx2.ProxyError), True),
        (lambda: broken(httpx2.ConnectError), True),
        (lambda: broken(httpx2.ConnectTimeout), True),
        (lambda: broken(httpx2.PoolTimeout), True),
        (lambda: answer(503, {}), False),
        (lambda: broken(httpx2.ReadError), False),
        (lambda: broken(httpx2.ReadTimeout), False),
        (lambda: broken(httpx2.RemoteProtocolError), False),
    ],
)
def test_a_conditional_request_is_retried_only_if_the_service_cannot_have_done_it(
    call: Call[Any], came: Callable[[], Any], again: bool, clock: list[float]
) -> None:
    assert (len(run(call, came, clock)) > 1) is again


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 413, 415, 422, 418])
def test_a_refused_request_is_not_retried(status: int, clock: list[float]) -> None:
    assert run(GET, lambda: answer(status, {}), clock) == [0]


@pytest.mark.parametrize("kind", [httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, httpx2.TooManyRedirects])
def test_a_request_that_cannot_be_sent_is_not_retried(kind: type[httpx2.RequestError], clock: list[float]) -> None:
    assert run(GET, lambda: broken(kind), clock) == [0]


def test_a_request_without_retry_time_is_not_retried(clock: list[float]) -> None:
    assert run(GET, lambda: answer(503, {}), clock, retry_for=0) == [0]


@pytest.mark.parametrize("kind", [httpx2.ConnectError, httpx2.ProxyError])
@pytest.mark.parametrize("call", [GET, UPDATE_IF], ids=["get", "update"])
def test_a_refused_connection_is_reported_within_seconds(
    call: Call[Any], kind: type[httpx2.RequestError], clock: list[float]
) -> None:
    assert len(run(call, lambda: broken(kind), clock, retry_for=None)) > 3
    assert clock[0] <= exchange.UNREACHABLE_FOR


def test_a_refused_connection_is_retried_for_as_long_as_the_caller_says(clock: list[float]) -> None:
    run(GET, lambda: broken(httpx2.ConnectError), clock, retry_for=30)

    assert 25 < clock[0] <= 30


@pytest.mark.parametrize("came", [lambda: answer(503, {}), lambda: broken(httpx2.ConnectTimeout)])
def test_other_failures_are_retried_for_a_minute(came: Callable[[], Any], clock: list[float]) -> None:
    run(GET, came, clock, retry_for=None)

    assert 55 < clock[0] <= exchange.RETRY_FOR


def test_a_restart_during_a_call_has_seconds_of_its_own(clock: list[float]) -> None:
    def came() -> Any:
        clock[0] += 6 if len(outcomes) > 2 else 0
        return outcomes.pop(0) if outcomes else broken(httpx2.ConnectError)

    outcomes = [answer(503, {}), answer(503, {}), broken(httpx2.ConnectError), answer(503, {})]
    assert len(run(GET, came, clock, retry_for=None)) > 6
    assert 12 < clock[0] < 25


def test_no_pause_is_shorter_than_the_api_s_retry_after(clock: list[float]) -> None:
    assert run(GET, lambda: answer(503, {}, retry_after="7"), clock)[1] == 7.1


@pytest.mark.parametrize("form", [lambda at: format_datetime(at, usegmt=True), lambda at: f"{at:%a %b %d %H:%M:%S %Y}"])
def test_a_retry_after_may_be_a_date(form: Callable[[datetime], str], clock: list[float]) -> None:
    at = form(datetime.now(UTC) + timedelta(seconds=20))
    assert 18 < run(GET, lambda: answer(429, {}, retry_after=at), clock)[1] <= 20.1


@pytest.mark.parametrize(
    "header", ["", "soon", "-1", "1e9", "٣", "Mon, 99 Nov 2026 00:00:00 GMT", f"Mon, 23 Nov 2076 00:00:00 +{10**16}"]
)
def test_an_unreadable_retry_after_is_ignored(header: str, clock: list[float]) -> None:
    came = httpx2.Response(503, json={}, headers=[(b"retry-after", header.encode())], request=REQUEST)
    assert run(GET, lambda: came, clock)[1] == 0.1


@pytest.mark.parametrize("seconds", ["31", "9" * 400])
def test_the_client_gives_up_if_the_retry_after_is_too_late(seconds: str, clock: list[float]) -> None:
    assert run(GET, lambda: answer(429, {}, retry_after=seconds), clock) == [0]


def test_pauses_are_random(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def draw(*bounds: float) -> float:
        drawn.append(bounds)
        return 0.0

    monkeypatch.setattr(random, "uniform", draw)
    steps = exchange.exchange(GET, 30)
    next(steps)
    for _ in range(8):
        steps.send(answer(503, {}))
    assert drawn == [(0, pause) for pause in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0)]


def failure(came: Any, call: Call[Any] = GET) -> grc_client.GrcError:
    """Return the error of a call whose only attempt has the given outcome, or whose answer cannot be parsed."""
    with pytest.raises(grc_client.GrcError) as raised:
        result(came, call)
    return raised.value


def result(came: Any, call: Call[Any]) -> Any:
    steps = exchange.exchange(call, 0)
    next(steps)
    try:
        steps.send(came)
    except StopIteration as end:
        return end.value.parse()
    raise AssertionError("without time for a retry, an exchange ends after its first attempt")


@pytest.mark.parametrize("status", OF_STATUS)
def test_each_status_raises_its_own_error(status: int) -> None:
    assert type(failure(answer(status, {}))) is OF_STATUS[status]


def test_an_unknown_status_raises_an_error_of_the_same_tree() -> None:
    assert type(failure(answer(418, {}))) is grc_client.ApiError
    assert type(failure(answer(502, {}))) is grc_client.ServerError


def test_an_error_has_everything_in_the_problem() -> None:
    error = failure(answer(422, {
        "type": "urn:problem-type:incidents:invalid-incident", "title": "Invalid incident", "status": 422,
        "detail": "The incident breaks 1 rule.", "request_id": "abc=",
        "errors": [{"pointer": "/title", "detail": "must not be empty"}],
    }))  # fmt: skip

    assert isinstance(error, grc_client.ValidationError)
    assert (error.status, error.title, error.request_id) == (422, "Invalid incident", "abc=")
    assert error.errors == (grc_client.FieldError("/title", "must not be empty"),)
    assert str(error) == (
        "422 Invalid incident: The incident breaks 1 rule.\n  /title: must not be empty [request abc=]"
    )


def test_a_refusal_by_the_gateway_has_its_request_id() -> None:
    error = failure(answer(401, {"message": "Unauthorized"}, apigw_requestid="xyz="))

    assert isinstance(error, grc_client.NotAuthenticated)
    assert str(error) == "401 NotAuthenticated: Unauthorized [request xyz=]"


def test_a_conflict_lists_the_allowed_transitions() -> None:
    error = failure(answer(409, {"title": "Illegal transition", "allowed_transitions": ["closed", "review"]}))
    assert isinstance(error, grc_client.Conflict)
    assert error.allowed_transitions == ("closed", "review")


@pytest.mark.parametrize(
    "came",
    [
        httpx2.Response(404, text="nothing here", request=REQUEST),
        httpx2.Response(409, json=["no"], request=REQUEST),
        httpx2.Response(302, json={}, headers={"location": "https://elsewhere.example"}, request=REQUEST),
        httpx2.Response(200, html="<h1>Welcome to the hotel</h1>", request=REQUEST),
        httpx2.Response(200, json={"id": 1}, request=REQUEST),
        httpx2.Response(200, json=[], request=REQUEST),
        httpx2.Response(200, json=None, request=REQUEST),
    ],
)
def test_an_answer_of_another_server_raises_unexpected_answer(came: httpx2.Response) -> None:
    error = failure(came)
    assert type(error) is grc_client.UnexpectedAnswer
    assert str(came.status_code) in str(error)
    assert "hotel" not in str(error), "the error must not contain a foreign page"


@pytest.mark.parametrize(
    "came",
    [
        httpx2.Response(502, html="<h1>Bad gateway</h1>", request=REQUEST),
        httpx2.Response(500, json=["no"], request=REQUEST),
        httpx2.Response(503, json={"errors": "of another form", "detail": None}, request=REQUEST),
        httpx2.Response(429, json={"errors": [{"code": 7}, None, "x"]}, request=REQUEST),
    ],
)
def test_a_failure_of_a_proxy_is_a_server_error(came: httpx2.Response) -> None:
    error = failure(came)
    assert type(error) in (grc_client.ServerError, grc_client.Busy, grc_client.RateLimited)
    assert isinstance(error, grc_client.ApiError)
    assert error.errors == ()
    assert "No reason was given." in str(error)


def test_the_error_does_not_quote_an_unreadable_answer() -> None:
    secret = {"id": 5, "title": "the merger with Initech"}
    error = failure(httpx2.Response(200, json=secret, request=REQUEST))
    assert "tenant_id" in str(error)
    assert "merger" not in str(error)


def test_the_error_of_a_broken_connection_names_the_host() -> None:
    error = failure(broken(httpx2.ReadTimeout))
    assert type(error) is grc_client.ConnectionFailed
    assert str(error) == "no answer from api.example: ReadTimeout broken. Check base_url and the network."
    assert (
        str(failure(httpx2.ReadTimeout("", request=REQUEST)))
        == "no answer from api.example: ReadTimeout. Check base_url and the network."
    )


def test_an_undecodable_answer_raises_unexpected_answer() -> None:
    assert type(failure(broken(httpx2.DecodingError))) is grc_client.UnexpectedAnswer


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301
def test_an_error_can_be_copied_and_sent_to_another_process(again: Callable[[Any], Any]) -> None:
    error = failure(answer(422, {"title": "x", "request_id": "abc=", "errors": [{"pointer": "/a", "detail": "b"}]}))
    assert type(again(error)) is grc_client.ValidationError
    assert str(again(error)) == str(error)


def test_a_refusal_without_a_problem_raises_the_error_of_its_status() -> None:
    for status, kind in ((401, grc_client.NotAuthenticated), (403, grc_client.NotPermitted)):
        error = failure(httpx2.Response(status, html="<h1>no</h1>", headers={"apigw-requestid": "R="}, request=REQUEST))
        assert type(error) is kind
        assert str(error).endswith("No reason was given. [request R=]")
    strange = failure(httpx2.Response(404, html="<h1>no</h1>", headers={"apigw-requestid": "R="}, request=REQUEST))
    assert "[request R=]" in str(strange)


def test_a_conflict_without_a_list_of_transitions_has_an_empty_one() -> None:
    error = failure(answer(409, {"allowed_transitions": None}))
    assert isinstance(error, grc_client.Conflict)
    assert error.allowed_transitions == ()


@pytest.mark.parametrize("status", [200, 500])
def test_json_nested_too_deeply_is_not_a_valid_answer(status: int) -> None:
    error = failure(httpx2.Response(status, content=b"[" * 100_000, request=REQUEST))
    assert type(error) is (grc_client.UnexpectedAnswer if status == 200 else grc_client.ServerError)


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_delete_answered_with_a_page_of_another_server_fails(status: int) -> None:
    page = httpx2.Response(status, html="<h1>Welcome to the hotel</h1>", request=REQUEST)
    assert type(failure(page, DELETE)) is grc_client.UnexpectedAnswer


@pytest.mark.parametrize("status", [408, 425])
def test_a_page_of_a_proxy_that_gave_up_is_an_api_error(status: int) -> None:
    error = failure(httpx2.Response(status, text="Request Timeout", request=REQUEST))
    assert type(error) is grc_client.ApiError
    assert error.status == status


# --- The log ---------------------------------------------------------------------------------------------------------

SECRET = "eyJhbGciOiJSUzI1NiJ9.canary"


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{record.levelname} {record.getMessage()}" for record in caplog.records if record.name == "grc_client"]


def test_the_log_has_each_attempt_and_the_reason_of_each_retry(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "grc_client")
    outcomes = [
        answer(503, {}, apigw_requestid="A="),
        broken(httpx2.ReadTimeout),
        answer(404, {}, apigw_requestid="B="),
    ]

    def came() -> Any:
        clock[0] += 0.25
        return outcomes.pop(0)

    run(calls.list_incidents({"owner_id": "ada@example.com"}), came, clock)

    path = "GET /api/v1/grc/incidents"
    assert lines(caplog) == [
        f"DEBUG {path}: 503 [request A=] in 0.250 s",
        f"INFO {path}: retry 1 in 0.100 s, after 503 [request A=]",
        f"DEBUG {path}: ReadTimeout broken in 0.250 s",
        f"INFO {path}: retry 2 in 0.200 s, after ReadTimeout broken",
        f"DEBUG {path}: 404 [request B=] in 0.250 s",
    ]


def test_neither_the_log_nor_an_error_repeats_a_token_in_the_text_of_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    request = httpx2.Request("GET", REQUEST.url, headers={"authorization": f"Bearer {SECRET}"})
    error = failure(httpx2.ReadError(f"bad header Bearer {SECRET}", request=request))
    assert "bad header Bearer [token]" in caplog.text
    assert "canary" not in caplog.text + str(error) + repr(error)
