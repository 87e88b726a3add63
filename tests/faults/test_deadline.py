"""However slow the table is, and in whatever order things fail: the function answers before Lambda would end it."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from random import Random

import create_incident
import get_incident
import pytest
from incidents import dynamodb, http_api, timeouts

from tests.faults.clock import Clock
from tests.faults.injection import ENDS, Attempt, Faults, Kind
from tests.faults.scenarios import SCENARIOS, Event, prepare
from tests.support import scale, templates
from tests.support.events import Context, create_event, get_event

FUNCTION_SECONDS = templates.service()["Globals"]["Function"]["Timeout"]
SEQUENCES = scale.of(short=30, full=300)
FIGURES: dict[str, float] = {}


@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_is_slow_or_fails_an_answer_leaves_in_time(
    name: str, service: str, clock: Clock, promise: Callable[[str, str], None]
) -> None:
    scenario, statuses = SCENARIOS[name], set()
    for seed in range(SEQUENCES):
        random = Random(f"{name} {seed}")
        failing = random.choice((0.3, 0.7, 1.0))
        kinds = [kind for kind in Kind if kind not in ENDS]

        def choose(_: Attempt, random: Random = random, failing: float = failing) -> Kind | None:
            clock.wait(random.uniform(0, timeouts.CONNECT_SECONDS + timeouts.READ_SECONDS))
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
    assert len(statuses) > 1, "some get through, and some do not"
    promise(
        "A slow or failing table is a 503 before the function's timeout",
        f"{SEQUENCES} random sequences of delays and faults for each of {len(FIGURES)} requests: "
        f"answered within {max(FIGURES.values()):.1f} s of {FUNCTION_SECONDS} s",
    )


@pytest.fixture
def hole(service: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the table's place, a server that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.getsockname()[1]}")
        dynamodb.client.cache_clear()
        yield
        dynamodb.client.cache_clear()


@pytest.mark.usefixtures("hole")
@pytest.mark.parametrize(
    ("handler", "event"),
    [
        (get_incident.handler, get_event("inc_01M83J8EHSBKC38ZQ0R08TEPS6")),
        (create_incident.handler, create_event({"title": "x"}, headers={"idempotency-key": "one"})),
    ],
    ids=["read", "write"],
)
def test_a_table_that_never_answers_is_a_503_in_real_seconds(handler: http_api.Handler, event: Event) -> None:
    started = time.monotonic()

    answer = handler(event, Context)

    assert time.monotonic() - started < FUNCTION_SECONDS
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "1")
    assert json.loads(answer["body"])["type"] == "urn:problem-type:incidents:busy"


@pytest.mark.usefixtures("hole")
def test_too_little_time_is_a_503_without_a_call() -> None:
    class Late(Context):
        @staticmethod
        def get_remaining_time_in_millis() -> int:
            return 4_000

    started = time.monotonic()
    answer = get_incident.handler(get_event("inc_01M83J8EHSBKC38ZQ0R08TEPS6"), Late)

    assert answer["statusCode"] == 503
    assert time.monotonic() - started < timeouts.READ_SECONDS


def test_one_call_and_all_its_attempts_fit_into_the_function_s_time() -> None:
    pauses = 1 + 2  # of botocore's standard mode, after throttling
    attempts = timeouts.ATTEMPTS * (timeouts.CONNECT_SECONDS + timeouts.READ_SECONDS)
    assert attempts + pauses + timeouts.ANSWER_SECONDS < FUNCTION_SECONDS
