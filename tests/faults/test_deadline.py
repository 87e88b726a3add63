"""Tests that a function answers before Lambda ends it, even if the table is slow and calls fail."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from random import Random

import create_incident
import get_incident
import pytest
from incidents.edges import http
from incidents.runtime import deadline
from incidents.storage import dynamodb

from tests.faults.clock import Clock
from tests.faults.injection import ENDS, Attempt, Faults, Kind
from tests.faults.scenarios import SCENARIOS, Event, prepare
from tests.support import scale, templates
from tests.support.events import Context, create_event, get_event

FUNCTION_SECONDS = templates.service()["Globals"]["Function"]["Timeout"]
SEQUENCES = scale.of(short=20, full=300)
FIGURES: dict[str, float] = {}


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_answer_is_in_time_for_any_delays_and_faults(
    name: str, service: str, clock: Clock, promise: Callable[[str, str], None]
) -> None:
    scenario, statuses = SCENARIOS[name], set()
    for seed in range(SEQUENCES):
        random = Random(f"{name} {seed}")
        failing = random.choice((0.3, 0.7, 1.0))
        kinds = [kind for kind in Kind if kind not in ENDS]

        def choose(_: Attempt, random: Random = random, failing: float = failing) -> Kind | None:
            clock.wait(random.uniform(0, deadline.bounds().connect_seconds + deadline.bounds().read_seconds))
            return random.choice(kinds) if random.random() < failing else None  # noqa: B023

        _, event = prepare(scenario)
        started = clock.seconds
        with Faults(dynamodb.client(), choose, lambda: None).at_work():
            answer = scenario.handler(event, Context)
        waited = clock.seconds - started
        FIGURES[name] = max(FIGURES.get(name, 0), waited)
        assert waited < FUNCTION_SECONDS
        statuses.add(answer["statusCode"])
    assert statuses <= {*scenario.statuses, 503}
    assert len(statuses) > 1, "some requests must succeed, and some must fail"
    promise(
        "If the table is slow or fails, the API answers with 503 before the function's timeout",
        f"{SEQUENCES} random sequences of delays and faults were tried for each of {len(FIGURES)} requests: the "
        f"slowest answer came after {max(FIGURES.values()):.1f} s of at most {FUNCTION_SECONDS} s on a simulated clock",
    )


Behave = Callable[[socket.socket], None]


@pytest.fixture
def in_the_table_s_place(service: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Behave], None]]:
    """Return a function that puts a server in the table's place.

    The function's argument handles each connection to the server.
    """
    with ExitStack() as servers:

        def put(behave: Behave) -> None:
            server = servers.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))

            def serve() -> None:
                with suppress(OSError):
                    while True:
                        threading.Thread(target=politely, args=(server.accept()[0],), daemon=True).start()

            def politely(connection: socket.socket) -> None:
                with suppress(OSError), connection:
                    connection.recv(65_536)
                    behave(connection)

            threading.Thread(target=serve, daemon=True).start()
            servers.callback(server.shutdown, socket.SHUT_RDWR)
            monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.getsockname()[1]}")
            dynamodb.client.cache_clear()

        yield put
    dynamodb.client.cache_clear()


def says_nothing(connection: socket.socket) -> None:
    time.sleep(60)


def drips(connection: socket.socket) -> None:
    """Announce an answer of 100 bytes and send one byte a second, so that no single read times out."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 100\r\n\r\n")
    for _ in range(60):
        connection.sendall(b" ")
        time.sleep(1)


def drips_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(60):
        connection.sendall(b"x-more: and more\r\n")
        time.sleep(1)


def answers(status: int, body: bytes, *headers: str) -> Behave:
    lines = (f"HTTP/1.1 {status} Some", f"content-length: {len(body)}", "connection: close", *headers)
    return lambda connection: connection.sendall("\r\n".join((*lines, "", "")).encode() + body)


READ = (get_incident.handler, get_event("inc_01M83J8EHSBKC38ZQ0R08TEPS6"))
WRITE = (create_incident.handler, create_event({"title": "x"}, headers={"idempotency-key": "one"}))
read_and_write = pytest.mark.parametrize(("handler", "event"), [READ, WRITE], ids=["read", "write"])


@read_and_write
@pytest.mark.parametrize("behave", [says_nothing, drips, drips_headers])
def test_a_table_that_does_not_answer_gives_503_within_seven_real_seconds(
    in_the_table_s_place: Callable[[Behave], None], behave: Behave, handler: http.Handler, event: Event
) -> None:
    class Short(Context):
        @staticmethod
        def get_remaining_time_in_millis() -> int:
            return 7_000

    in_the_table_s_place(behave)
    started = time.monotonic()

    answer = handler(event, Short)

    assert time.monotonic() - started < 7
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "1")
    assert json.loads(answer["body"])["type"] == "urn:problem-type:incidents:busy"


@read_and_write
@pytest.mark.parametrize(
    "behave",
    [
        answers(503, b"<html>Service Unavailable</html>"),
        answers(502, b"<html>Bad Gateway</html>"),
        answers(504, b""),
        answers(500, b""),
        answers(500, b'{"__type": "com.amazonaws#InternalFailure"}'),
        answers(400, b'{"__type": "com.amazonaws#Throttling"}'),
        answers(400, b'{"__type": "com.amazonaws#SlowDown"}'),
        answers(200, b'{"Item": {"pk"'),
        answers(200, b"<html>Welcome to the hotel</html>"),
        answers(200, b"{}", "x-amz-crc32: 1"),
    ],
)
def test_a_wrong_answer_in_the_table_s_place_gives_503(
    in_the_table_s_place: Callable[[Behave], None], behave: Behave, handler: http.Handler, event: Event
) -> None:
    in_the_table_s_place(behave)

    answer = handler(event, Context)

    assert (answer["statusCode"], answer["headers"].get("retry-after")) == (503, "1")


def test_too_little_remaining_time_gives_503_without_a_call(in_the_table_s_place: Callable[[Behave], None]) -> None:
    class Late(Context):
        @staticmethod
        def get_remaining_time_in_millis() -> int:
            return 4_000

    in_the_table_s_place(says_nothing)
    started = time.monotonic()
    answer = get_incident.handler(get_event("inc_01M83J8EHSBKC38ZQ0R08TEPS6"), Late)

    assert answer["statusCode"] == 503
    assert time.monotonic() - started < deadline.bounds().read_seconds
    deadline.require_time()  # must not fail, because the deadline of the refused request is over


def test_all_attempts_of_one_call_fit_into_the_function_s_time() -> None:
    pauses = 1 + 2  # the seconds of botocore's two pauses in its standard mode after throttling
    attempts = deadline.bounds().attempts * (deadline.bounds().connect_seconds + deadline.bounds().read_seconds)
    assert attempts + pauses + deadline.bounds().answer_seconds < FUNCTION_SECONDS
