"""Tests that a slow or invalid message does not affect the other messages of its batch, and is never lost."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from incidents.domain.errors import Busy
from incidents.edges import findings_queue, queues, sqs
from incidents.findings import UnknownEvent
from incidents.runtime import deadline

from tests.faults.clock import Clock
from tests.support import templates
from tests.support.queues import sqs_event

FINDINGS, DEAD_LETTERS = "https://sqs.example/findings", "https://sqs.example/dead-letters"
TIMEOUT = 60.0  # the function's timeout in seconds

Sent = list[dict[str, Any]]


@pytest.fixture
def sent(service: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sent]:
    """Yield the messages that the function sends. SQS refuses a message with the body ``Refused``."""
    monkeypatch.setenv("FINDINGS_URL", FINDINGS)
    monkeypatch.setenv("DEAD_LETTERS_URL", DEAD_LETTERS)
    queues.client.cache_clear()
    messages: Sent = []

    def send(params: dict[str, Any], **_: object) -> None:
        if params["MessageBody"] == "Refused":
            raise Busy
        messages.append(dict(params))

    events = queues.client().meta.events
    events.register("provide-client-params.sqs.SendMessage", send)
    events.register("before-call.sqs.SendMessage", lambda **_: (SimpleNamespace(status_code=200), {}))  # type: ignore[arg-type]
    yield messages
    queues.client.cache_clear()


class Batch:
    """Calls the function with a batch.

    ``work`` handles the body of a message. ``begun`` maps each body that reached ``work`` to the seconds that were left
    for its message.
    """

    def __init__(self, clock: Clock, work: Callable[[str], list[str]]) -> None:
        self._clock, self.begun = clock, dict[str, float]()

        def operate(message: findings_queue.Message) -> list[str]:
            self.begun[message.body] = deadline.left()
            return work(message.body)

        operate.__module__ = "ingest_finding"
        self._handler = findings_queue.consumer(operate)

    def __call__(
        self, *bodies: str, receives: int = 1, seconds: float = TIMEOUT, group: str | None = None
    ) -> list[str]:
        """Return the bodies that the queue would deliver again."""
        event = sqs_event(*bodies)
        for record in event["Records"]:
            record["attributes"]["ApproximateReceiveCount"] = str(receives)
            if group:
                record["attributes"]["MessageGroupId"] = group
        ends = self._clock.seconds + seconds
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: (ends - self._clock.seconds) * 1000)
        failed = {one["itemIdentifier"] for one in self._handler(event, context)["batchItemFailures"]}
        assert self._clock.seconds <= ends, "the function ends before Lambda ends it"
        return [record["body"] for record in event["Records"] if record["messageId"] in failed]


@pytest.fixture
def batch(clock: Clock, sent: Sent) -> Batch:
    def work(body: str) -> list[str]:
        if body.startswith("slow"):
            clock.wait(deadline.left())
            raise Busy
        if body.startswith("broken"):
            raise KeyError(body)
        if body.startswith("bad"):
            raise UnknownEvent
        if body.startswith("long"):
            answer: Any = {"Error": {"Code": "ValidationException", "Message": "key too long"}}
            raise ClientError(answer, "GetItem")
        if body.startswith("canceled"):
            answer = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": [
                {"Code": "None"}, {"Code": "ValidationError"}]}  # fmt: skip
            raise ClientError(answer, "TransactWriteItems")
        clock.wait(0.05)
        return ["created"]

    return Batch(clock, work)


def test_a_slow_message_takes_its_share_and_not_that_of_its_neighbors(batch: Batch, sent: Sent) -> None:
    bodies = ["slow", *(f"good {n}" for n in range(9))]

    assert batch(*bodies) == ["slow"]
    assert list(batch.begun) == bodies
    assert batch.begun["slow"] < TIMEOUT / 9
    assert min(batch.begun.values()) >= deadline.bounds().attempt_seconds, "each message has the time of one attempt"
    assert sent == []


def test_an_alarm_stops_code_that_never_ends(sent: Sent, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "for_one_attempt", lambda: 0.2 + deadline.bounds().answer_seconds)

    def work(body: str) -> list[str]:
        while body == "endless":
            pass
        return ["created"]

    batch = Batch(clock, work)
    assert batch("endless", "good", seconds=1.5) == ["endless"]
    assert list(batch.begun) == ["endless", "good"]


def test_a_message_that_was_not_begun_is_visible_at_once_and_its_receive_does_not_count(
    batch: Batch, sent: Sent
) -> None:
    bodies = [f"slow {n}" for n in range(10)]

    failed = batch(*bodies, group="111122223333")

    assert failed == bodies[: len(failed)] == list(batch.begun)
    copies = [{"QueueUrl": FINDINGS, "MessageBody": body, "MessageGroupId": "111122223333"} for body in bodies]
    assert sent == copies[len(failed) :], "the others are new messages of the same queue"
    assert 5 <= len(failed) < 10


def test_a_message_without_a_group_is_put_back_without_a_group(batch: Batch, sent: Sent) -> None:
    batch(*(f"slow {n}" for n in range(10)))
    assert sent
    assert all("MessageGroupId" not in message for message in sent)


def test_a_message_that_cannot_be_put_back_is_delivered_again(batch: Batch, sent: Sent) -> None:
    bodies = [*(f"slow {n}" for n in range(9)), "Refused"]
    assert batch(*bodies)[-1] == "Refused"


@pytest.mark.parametrize("body", ["bad", "long", "canceled"])
def test_a_message_that_can_never_succeed_is_a_dead_letter_at_its_first_receive(
    batch: Batch, sent: Sent, body: str
) -> None:
    assert batch("good 1", body, "good 2") == []
    (letter,) = sent
    assert (letter["QueueUrl"], letter["MessageBody"]) == (DEAD_LETTERS, body)
    reason = letter["MessageAttributes"]["reason"]["StringValue"]
    assert reason == {"bad": "no adapter takes this source and detail-type"}.get(
        body, "the table cannot store a value of the event"
    )


@pytest.mark.parametrize(("body", "error"), [("broken", "KeyError"), ("slow", "Busy")])
def test_the_last_of_five_failures_gives_the_dead_letter_its_reason(
    batch: Batch, sent: Sent, body: str, error: str
) -> None:
    for receives in range(1, findings_queue.RECEIVES):
        assert batch(body, "good", receives=receives) == [body]
    assert sent == []
    assert batch(body, "good", receives=findings_queue.RECEIVES) == []
    (letter,) = sent
    assert (letter["QueueUrl"], letter["MessageBody"]) == (DEAD_LETTERS, body)
    reason = letter["MessageAttributes"]["reason"]["StringValue"]
    assert reason == f"failed at every receive, at the last one with {error}"


def test_a_last_failure_without_a_dead_letter_is_left_to_the_queue(batch: Batch, sent: Sent) -> None:
    assert batch("Refused", receives=5) == []
    broken = Batch(batch._clock, lambda _: [sqs.FAILED])
    assert broken("Refused", receives=5) == ["Refused"]


def test_a_message_that_no_alarm_can_stop_loses_nothing(sent: Sent, clock: Clock) -> None:
    def work(body: str) -> list[str]:
        clock.wait(TIMEOUT + 10)  # the alarm cannot interrupt some calls, for example a call into C
        raise Busy

    event = sqs_event("overrun", "next")
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: TIMEOUT * 1000)

    def operate(message: findings_queue.Message) -> list[str]:
        return work(message.body)

    operate.__module__ = "ingest_finding"
    answer = findings_queue.consumer(operate)(event, context)

    failed = [one["itemIdentifier"] for one in answer["batchItemFailures"]]
    overrun, following = event["Records"]
    assert overrun["messageId"] in failed
    assert following["messageId"] in failed or following["body"] in [one["MessageBody"] for one in sent]


def test_the_shares_of_a_batch_fit_into_its_time() -> None:
    least = deadline.for_one_attempt()
    for waiting in range(1, 11):
        for left in (0.0, least, 2 * least - 0.01, 2 * least, 15.0, TIMEOUT):
            seconds = sqs.share(left, waiting)
            assert seconds == 0 or least <= seconds <= left - least
            assert (seconds == 0) == (left < 2 * least)


def test_the_number_of_receives_is_the_queue_s() -> None:
    queue = templates.read(templates.CHECKOUT / "infra" / "eventing.yaml")["Resources"]["Queue"]["Properties"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == findings_queue.RECEIVES
