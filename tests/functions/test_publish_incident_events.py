"""Tests of the publisher.

The publisher sends an event for each change in the stream. It sends an event again if the bus refused the event.
"""

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from incidents import publishing
from incidents.runtime import deadline
from publish_incident_events import handler

from tests.support.events import Context, record, stream_event
from tests.support.incidents import item

Answer = Callable[[list[dict[str, Any]]], list[dict[str, str]]]


def taken(entries: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"EventId": "1"} for _ in entries]


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Yield a replacement for the bus.

    ``calls`` lists the events of each call, and ``answer`` makes the response to a call.
    """
    monkeypatch.setenv("EVENT_BUS_NAME", "incidents")
    monkeypatch.setattr(deadline, "sleep", lambda _: None)
    publishing.bus.cache_clear()
    here = SimpleNamespace(calls=[], answer=taken)

    def answer(params: Any, **_: object) -> None:
        here.calls.append(params["Entries"])

    def respond(**_: object) -> tuple[Any, dict[str, Any]]:
        return SimpleNamespace(status_code=200), {"Entries": here.answer(here.calls[-1])}

    publishing.bus().meta.events.register("provide-client-params.events.PutEvents", answer)
    publishing.bus().meta.events.register("before-call.events.PutEvents", respond)  # type: ignore[arg-type]
    yield here
    publishing.bus.cache_clear()


def records(*images: tuple[Any, Any]) -> dict[str, Any]:
    return stream_event([record(old, new, 100 + n) for n, (old, new) in enumerate(images)])


def test_a_batch_is_sent_in_calls_of_ten_events(bus: SimpleNamespace) -> None:
    answer = handler(records(*((item(n), item(n + 1, severity="low")) for n in range(1, 24))), Context)

    assert answer == {"batchItemFailures": []}
    assert [len(call) for call in bus.calls] == [10, 10, 3]
    sent = [json.loads(entry["Detail"])["version"] for call in bus.calls for entry in call]
    assert sent == list(range(2, 25))
    first = bus.calls[0][0]
    assert (first["EventBusName"], first["Source"], first["DetailType"]) == (
        "incidents",
        "grc.incidents",
        "IncidentUpdated",
    )


def test_only_the_events_that_the_bus_refused_are_sent_again(bus: SimpleNamespace) -> None:
    def half(entries: list[dict[str, Any]]) -> list[dict[str, str]]:
        bus.answer = taken
        return [{"EventId": "1"} if n % 2 else {"ErrorCode": "ThrottlingException"} for n in range(len(entries))]

    bus.answer = half

    assert handler(records(*((None, item(1)) for _ in range(4))), Context) == {"batchItemFailures": []}
    assert [len(call) for call in bus.calls] == [4, 2]


def test_an_event_that_the_bus_always_refuses_is_reported_to_the_stream(bus: SimpleNamespace) -> None:
    bus.answer = lambda entries: [{"EventId": "1"}, *({"ErrorCode": "InternalFailure"} for _ in entries[1:])]

    answer = handler(records((None, item(1)), (None, item(1)), (None, item(1)), (None, item(1))), Context)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "103"}]}


def test_an_unreadable_record_fails_alone(bus: SimpleNamespace) -> None:
    broken = {**item(2), "version": {"S": "two"}}

    assert handler(records((None, item(1)), (item(1), broken)), Context) == {
        "batchItemFailures": [{"itemIdentifier": "101"}]
    }
    assert len(bus.calls[0]) == 1
