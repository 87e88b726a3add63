"""When a request is sent again, and what an answer means: the rule that both clients follow, without a network."""

import copy
import pickle
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import grc_client
import httpx
import pytest
from grc_client import calls, exchange
from grc_client.calls import Call
from grc_client.errors import OF_STATUS

ID = "inc_01M83J8EHSBKC38ZQ0R08TEPS6"
REQUEST = httpx.Request("GET", "https://api.example/api/v1/grc/incidents")
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


def answer(status: int, body: object = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body, headers=named, request=REQUEST)


def broken(kind: type[httpx.RequestError]) -> httpx.RequestError:
    return kind("broken", request=REQUEST)


def run(call: Call[Any], came: Callable[[], Any], clock: list[float], retry_for: float = 30) -> list[float]:
    """Return the pauses that were asked for, until the exchange gave up."""
    steps = exchange.exchange(call, retry_for)
    pauses = [next(steps)]
    try:
        while True:
            clock[0] += pauses[-1]
            pauses.append(steps.send(came()))
    except grc_client.GrcError:
        return pauses


@pytest.mark.parametrize("call", [GET, CREATE, UPDATE, DELETE], ids=["get", "create", "update", "delete"])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_can_be_repeated_is_repeated_until_the_time_is_up(
    call: Call[Any], status: int, clock: list[float]
) -> None:
    pauses = run(call, lambda: answer(status, {}), clock)

    assert pauses[:8] == [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert clock[0] <= 30 < clock[0] + 5


@pytest.mark.parametrize("call", [UPDATE_IF, DELETE_IF], ids=["update", "delete"])
@pytest.mark.parametrize(
    ("came", "again"),
    [
        (lambda: answer(429, {}), True),
        (lambda: broken(httpx.ConnectError), True),
        (lambda: broken(httpx.ConnectTimeout), True),
        (lambda: broken(httpx.PoolTimeout), True),
        (lambda: answer(503, {}), False),
        (lambda: broken(httpx.ReadError), False),
        (lambda: broken(httpx.ReadTimeout), False),
        (lambda: broken(httpx.RemoteProtocolError), False),
    ],
)
def test_under_a_condition_only_what_cannot_have_been_done_is_repeated(
    call: Call[Any], came: Callable[[], Any], again: bool, clock: list[float]
) -> None:
    assert (len(run(call, came, clock)) > 1) is again


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 413, 415, 422, 418])
def test_a_refusal_is_not_repeated(status: int, clock: list[float]) -> None:
    assert run(GET, lambda: answer(status, {}), clock) == [0]


@pytest.mark.parametrize("kind", [httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.TooManyRedirects])
def test_a_request_that_cannot_be_sent_is_not_repeated(kind: type[httpx.RequestError], clock: list[float]) -> None:
    assert run(GET, lambda: broken(kind), clock) == [0]


def test_never_again_with_no_time_for_it(clock: list[float]) -> None:
    assert run(GET, lambda: answer(503, {}), clock, retry_for=0) == [0]


def test_no_pause_is_shorter_than_the_api_asked_for(clock: list[float]) -> None:
    assert run(GET, lambda: answer(503, {}, retry_after="7"), clock)[1] == 7.1


@pytest.mark.parametrize("form", [lambda at: format_datetime(at, usegmt=True), lambda at: f"{at:%a %b %d %H:%M:%S %Y}"])
def test_a_date_is_a_pause_too(form: Callable[[datetime], str], clock: list[float]) -> None:
    at = form(datetime.now(UTC) + timedelta(seconds=20))
    assert 18 < run(GET, lambda: answer(429, {}, retry_after=at), clock)[1] <= 20.1


@pytest.mark.parametrize(
    "header", ["", "soon", "-1", "1e9", "٣", "Mon, 99 Nov 2026 00:00:00 GMT", f"Mon, 23 Nov 2076 00:00:00 +{10**16}"]
)
def test_a_retry_after_that_says_nothing_is_passed_over(header: str, clock: list[float]) -> None:
    came = httpx.Response(503, json={}, headers=[(b"retry-after", header.encode())], request=REQUEST)
    assert run(GET, lambda: came, clock)[1] == 0.1


def test_it_does_not_wait_for_what_comes_too_late(clock: list[float]) -> None:
    assert run(GET, lambda: answer(429, {}, retry_after="31"), clock) == [0]


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


def failure(came: Any) -> grc_client.GrcError:
    steps = exchange.exchange(GET, 0)
    next(steps)
    with pytest.raises(grc_client.GrcError) as raised:
        steps.send(came)
    return raised.value


@pytest.mark.parametrize("status", OF_STATUS)
def test_each_status_is_an_error_of_its_own(status: int) -> None:
    assert type(failure(answer(status, {}))) is OF_STATUS[status]


def test_a_status_that_is_not_known_is_still_one_of_the_tree() -> None:
    assert type(failure(answer(418, {}))) is grc_client.ApiError
    assert type(failure(answer(502, {}))) is grc_client.ServerError


def test_an_error_tells_everything_that_the_problem_does() -> None:
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


def test_the_gateways_own_refusal_has_its_request_id_too() -> None:
    error = failure(answer(401, {"message": "Unauthorized"}, apigw_requestid="xyz="))

    assert isinstance(error, grc_client.NotAuthenticated)
    assert str(error) == "401 NotAuthenticated: Unauthorized [request xyz=]"


def test_a_conflict_lists_where_the_status_can_go() -> None:
    error = failure(answer(409, {"title": "Illegal transition", "allowed_transitions": ["closed", "review"]}))
    assert isinstance(error, grc_client.Conflict)
    assert error.allowed_transitions == ("closed", "review")


@pytest.mark.parametrize(
    "came",
    [
        httpx.Response(404, text="nothing here", request=REQUEST),
        httpx.Response(409, json=["no"], request=REQUEST),
        httpx.Response(302, json={}, headers={"location": "https://elsewhere.example"}, request=REQUEST),
        httpx.Response(200, html="<h1>Welcome to the hotel</h1>", request=REQUEST),
        httpx.Response(200, json={"id": 1}, request=REQUEST),
        httpx.Response(200, json=[], request=REQUEST),
        httpx.Response(200, json=None, request=REQUEST),
    ],
)
def test_what_is_no_answer_of_this_api_says_so(came: httpx.Response) -> None:
    error = failure(came)
    assert type(error) is grc_client.UnexpectedAnswer
    assert str(came.status_code) in str(error)
    assert "hotel" not in str(error), "a page of somebody else's is not for logs"


@pytest.mark.parametrize(
    "came",
    [
        httpx.Response(502, html="<h1>Bad gateway</h1>", request=REQUEST),
        httpx.Response(500, json=["no"], request=REQUEST),
        httpx.Response(503, json={"errors": "of another form", "detail": None}, request=REQUEST),
        httpx.Response(429, json={"errors": [{"code": 7}, None, "x"]}, request=REQUEST),
    ],
)
def test_a_failure_of_what_stands_in_between_is_a_failure(came: httpx.Response) -> None:
    error = failure(came)
    assert type(error) in (grc_client.ServerError, grc_client.Busy, grc_client.RateLimited)
    assert isinstance(error, grc_client.ApiError)
    assert error.errors == ()
    assert "No reason was given." in str(error)


def test_what_cannot_be_read_is_not_quoted() -> None:
    secret = {"id": 5, "title": "the merger with Initech"}
    error = failure(httpx.Response(200, json=secret, request=REQUEST))
    assert "tenant_id" in str(error)
    assert "merger" not in str(error)


def test_a_connection_that_broke_says_with_whom() -> None:
    error = failure(broken(httpx.ReadTimeout))
    assert type(error) is grc_client.ConnectionFailed
    assert str(error) == "no answer from api.example: ReadTimeout broken. Check base_url and the network."
    assert (
        str(failure(httpx.ReadTimeout("", request=REQUEST)))
        == "no answer from api.example: ReadTimeout. Check base_url and the network."
    )


def test_what_cannot_be_decoded_is_no_answer_of_this_api() -> None:
    assert type(failure(broken(httpx.DecodingError))) is grc_client.UnexpectedAnswer


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301
def test_an_error_can_be_copied_and_sent_to_another_process(again: Callable[[Any], Any]) -> None:
    error = failure(answer(422, {"title": "x", "request_id": "abc=", "errors": [{"pointer": "/a", "detail": "b"}]}))
    assert type(again(error)) is grc_client.ValidationError
    assert str(again(error)) == str(error)


def test_a_refusal_without_words_is_still_what_its_status_says() -> None:
    for status, kind in ((401, grc_client.NotAuthenticated), (403, grc_client.NotPermitted)):
        error = failure(httpx.Response(status, html="<h1>no</h1>", headers={"apigw-requestid": "R="}, request=REQUEST))
        assert type(error) is kind
        assert str(error).endswith("No reason was given. [request R=]")
    strange = failure(httpx.Response(404, html="<h1>no</h1>", headers={"apigw-requestid": "R="}, request=REQUEST))
    assert "[request R=]" in str(strange)


def test_a_status_that_is_no_list_of_transitions() -> None:
    error = failure(answer(409, {"allowed_transitions": None}))
    assert isinstance(error, grc_client.Conflict)
    assert error.allowed_transitions == ()


@pytest.mark.parametrize("status", [200, 500])
def test_json_without_end_is_no_answer(status: int) -> None:
    error = failure(httpx.Response(status, content=b"[" * 100_000, request=REQUEST))
    assert type(error) is (grc_client.UnexpectedAnswer if status == 200 else grc_client.ServerError)


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_delete_is_done_only_when_the_api_says_so(status: int) -> None:
    steps = exchange.exchange(DELETE, 0)
    next(steps)
    with pytest.raises(grc_client.UnexpectedAnswer):
        steps.send(httpx.Response(status, html="<h1>Welcome to the hotel</h1>", request=REQUEST))
