"""Reading the dead letters: all of them, to an end, whatever stands in them."""

from typing import Any

import pytest
from incidents_cli.operate import dead_letters


class Queue:
    """In the place of SQS: gives its messages round and round, as it does once their hold is over."""

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
        assert self.reads < 100, "it never ends"
        start = (self.reads - 1) * 10 % max(1, len(self.messages))
        return {"Messages": self.messages[start : start + 10]}

    def change_message_visibility(self, *, ReceiptHandle: str, VisibilityTimeout: int, **_: Any) -> None:  # noqa: N803
        assert VisibilityTimeout == 0
        self.given_back.append(ReceiptHandle)


def read(queue: Queue) -> list[dead_letters.DeadLetter]:
    target: Any = queue
    with dead_letters._held(target) as held:
        return list(held.values())


def test_letters_that_come_again_while_others_are_read_are_read_once_and_given_back() -> None:
    queue = Queue([f'{{"source": "s-{n}"}}' for n in range(30)])
    assert {letter.source for letter in read(queue)} == {f"s-{n}" for n in range(30)}
    assert sorted(queue.given_back) == sorted(f"r-{n}" for n in range(30))


@pytest.mark.parametrize(
    ("body", "source"),
    [("[" * 5_000 + "]" * 5_000, "-"), ("no JSON", "-"), ('{"source": "a\\nb\\u001b[2J"}', "a?b?[2J")],
)
def test_whatever_a_letter_holds_is_one_line(body: str, source: str) -> None:
    (letter,) = read(Queue([body]))
    assert (letter.source, letter.reason) == (source, "failed at every receive")


def test_an_attribute_that_is_no_text_is_nobody_s_reason() -> None:
    (letter,) = read(Queue(["{}"], {"reason": {"DataType": "Binary", "BinaryValue": b"x"}}))
    assert letter.reason == "failed at every receive"
