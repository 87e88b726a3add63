"""Tests that a read of the dead letters returns every message once, whatever the messages contain.

The read must also end, although the queue returns its messages again and again.
"""

import copy
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from incidents_cli.operate import dead_letters

from tests.support.templates import CHECKOUT

EVENTS = CHECKOUT / "tests" / "events"


class Queue:
    """A replacement for SQS that returns its messages again and again, as SQS does after the visibility timeout."""

    def __init__(self, bodies: list[str], attributes: dict[str, Any] | None = None) -> None:
        self.messages = [
            {"MessageId": f"m-{n}", "ReceiptHandle": f"r-{n}", "Body": body, "Attributes": {"SentTimestamp": "1000"},
             "MessageAttributes": attributes or {}}
            for n, body in enumerate(bodies)
        ]  # fmt: skip
        self.reads = 0
        self.given_back: list[str] = []
        self.outputs = {"DeadLettersUrl": "here"}

    def client(self, _: str) -> "Queue":
        return self

    def receive_message(self, **_: Any) -> dict[str, Any]:
        self.reads += 1
        assert self.reads < 100, "the read never ends"
        start = (self.reads - 1) * 10 % max(1, len(self.messages))
        return {"Messages": self.messages[start : start + 10]}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": {"ApproximateNumberOfMessagesNotVisible": str(len(self.messages))}}

    def change_message_visibility(self, *, ReceiptHandle: str, VisibilityTimeout: int, **_: Any) -> None:  # noqa: N803
        assert VisibilityTimeout == 0
        self.given_back.append(ReceiptHandle)


def read(queue: Queue) -> list[dead_letters.DeadLetter]:
    target: Any = queue
    with dead_letters._held(target) as (held, hidden):
        assert hidden == 0
        return list(held.values())


def test_a_letter_received_twice_during_one_read_is_read_once_and_released() -> None:
    queue = Queue([f'{{"source": "s-{n}"}}' for n in range(30)])
    assert {letter.source for letter in read(queue)} == {f"s-{n}" for n in range(30)}
    assert sorted(queue.given_back) == sorted(f"r-{n}" for n in range(30))


@pytest.mark.parametrize(
    ("body", "source"),
    [("[" * 5_000 + "]" * 5_000, "-"), ("no JSON", "-"), ('{"source": "a\\nb\\u001b[2J"}', "a\\u000ab\\u001b[2J")],
)
def test_a_letter_with_any_body_has_a_source_of_one_line(body: str, source: str) -> None:
    (letter,) = read(Queue([body]))
    assert (letter.source, letter.reason) == (source, "failed at every receive")


def test_a_binary_reason_attribute_is_ignored() -> None:
    (letter,) = read(Queue(["{}"], {"reason": {"DataType": "Binary", "BinaryValue": b"x"}}))
    assert letter.reason == "failed at every receive"


def test_a_letter_names_the_account_of_its_finding_and_not_of_the_administrator_that_sent_it() -> None:
    event = json.loads((EVENTS / "security_hub_asff_guardduty.json").read_text())
    said = {"account": {"DataType": "String", "StringValue": "999999999999"}}
    accounts = dict.fromkeys(one["AwsAccountId"] for one in event["detail"]["findings"])

    (letter,) = read(Queue([json.dumps(event | {"account": "999999999999"})], said))
    assert letter.account == ",".join(accounts)

    several = copy.deepcopy(event)
    several["detail"]["findings"].append(several["detail"]["findings"][0] | {"AwsAccountId": "222222222222"})
    (letter,) = read(Queue([json.dumps(several)], said))
    assert letter.account == ",".join([*accounts, "222222222222"])

    unreadable = event | {"detail": {}}
    (letter,) = read(Queue([json.dumps(unreadable)], said))
    assert letter.account == "999999999999 (the event's)"


class LongQueue(Queue):
    """A queue with so many messages that the first are visible again before the last were read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds_per_read: float) -> None:
        super().__init__(["{}"] * 100)
        self.now = 0.0
        self.seconds_per_read = seconds_per_read
        monkeypatch.setattr(dead_letters.time, "monotonic", lambda: self.now)  # type: ignore[attr-defined]

    def receive_message(self, **_: Any) -> dict[str, Any]:
        self.now += self.seconds_per_read
        self.reads += 1
        return {"Messages": self.messages[(self.reads % 7) * 10 :][:10]}  # the last 30 never come

    def get_queue_attributes(self, **given: Any) -> dict[str, Any]:
        counts = {"ApproximateNumberOfMessagesNotVisible": "60", "ApproximateNumberOfMessages": "40"}
        return {"Attributes": {name: counts[name] for name in given["AttributeNames"]}}

    def change_message_visibility(self, **given: Any) -> None:
        super().change_message_visibility(**given)
        error: Any = {"Error": {"Code": "MessageNotInflight"}}
        raise ClientError(error, "ChangeMessageVisibility")


@pytest.mark.parametrize(("seconds", "unread"), [(10, 30), (1, 0)])
def test_letters_that_a_long_read_did_not_reach_are_counted(
    monkeypatch: pytest.MonkeyPatch, seconds: float, unread: int
) -> None:
    queue = LongQueue(monkeypatch, seconds)
    target: Any = queue
    with dead_letters._held(target) as (held, hidden):
        assert (len(held), hidden) == (70, unread)
    assert len(queue.given_back) == 70, "SQS refuses to show a message that is visible already"
