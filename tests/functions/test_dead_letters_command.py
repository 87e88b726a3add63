"""Tests of `incidents dlq` on moto's queues, while another command hides dead letters."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from incidents_cli.console import StepFailed
from incidents_cli.main import cli
from incidents_cli.operate import dead_letters
from moto import mock_aws
from typer.testing import CliRunner, Result


class Queues:
    """The stack that the commands use, with two dead letters."""

    def __init__(self) -> None:
        self.sqs = boto3.client("sqs", region_name="us-east-1")
        self.sqs.meta.events.register("before-parameter-build.sqs.ReceiveMessage", _at_once)
        self.outputs = {
            name: self.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("DeadLettersUrl", "QueueUrl")
        }
        url = self.outputs["DeadLettersUrl"]
        self.ids = {self.sqs.send_message(QueueUrl=url, MessageBody="{}")["MessageId"] for _ in range(2)}

    def client(self, _: str) -> Any:
        return self.sqs

    def hide(self) -> dict[str, str]:
        """Hold one dead letter as another command does. Return the id and the handle of the dead letter."""
        url = self.outputs["DeadLettersUrl"]
        (message,) = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=60)["Messages"]
        return {"id": message["MessageId"], "handle": message["ReceiptHandle"]}

    def show_again(self, hidden: dict[str, str]) -> None:
        self.sqs.change_message_visibility(
            QueueUrl=self.outputs["DeadLettersUrl"], ReceiptHandle=hidden["handle"], VisibilityTimeout=0
        )

    def findings(self) -> int:
        counted = self.sqs.get_queue_attributes(QueueUrl=self.outputs["QueueUrl"], AttributeNames=["All"])
        return int(counted["Attributes"]["ApproximateNumberOfMessages"])


def _at_once(params: dict[str, Any], **_: object) -> None:
    params["WaitTimeSeconds"] = 0


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    with mock_aws():
        made = Queues()
        monkeypatch.setattr(dead_letters, "Deployment", lambda *_: made)
        yield made
        for url in made.outputs.values():
            made.sqs.delete_queue(QueueUrl=url)


def dlq(*words: str) -> Result:
    return CliRunner().invoke(cli, ["dlq", *words])


def hidden_by_another(result: Result, count: int) -> bool:
    failed, told = result.exception, f"Dead letters that this command has not read: about {count}."
    return isinstance(failed, StepFailed) and failed.what == told


def test_a_list_says_that_another_command_holds_dead_letters(queues: Queues) -> None:
    first, second = queues.hide(), queues.hide()

    nothing = dlq("list")
    assert hidden_by_another(nothing, 2)
    assert "no dead letters" not in nothing.stderr

    queues.show_again(first)
    part = dlq("list")
    assert hidden_by_another(part, 1)
    assert [line.split()[0] for line in part.stdout.splitlines()] == [first["id"]]

    queues.show_again(second)
    whole = dlq("list")
    assert (whole.exit_code, len(whole.stdout.splitlines())) == (0, 2)


def test_a_held_dead_letter_is_told_from_an_unknown_id(queues: Queues) -> None:
    hidden = queues.hide()
    (other,) = queues.ids - {hidden["id"]}

    assert hidden_by_another(dlq("show", hidden["id"]), 1)
    assert dlq("show", other).exit_code == 0
    queues.show_again(hidden)
    unknown = dlq("show", "m-0")
    assert isinstance(unknown.exception, StepFailed)
    assert unknown.exception.what == "There is no dead letter m-0."


def test_a_redrive_sends_what_it_sees_and_fails_if_another_command_holds_the_rest(queues: Queues) -> None:
    hidden = queues.hide()

    part = dlq("redrive")
    assert hidden_by_another(part, 1)
    assert "Dead letters sent again: 1." in part.stderr
    assert queues.findings() == 1

    assert hidden_by_another(dlq("redrive"), 1)
    queues.show_again(hidden)
    assert dlq("redrive").exit_code == 0
    assert queues.findings() == 2
    assert "There are no dead letters." in dlq("list").stderr


def test_a_redrive_of_ids_fails_only_if_one_of_them_is_missing(queues: Queues) -> None:
    hidden = queues.hide()
    (other,) = queues.ids - {hidden["id"]}

    both = dlq("redrive", other, hidden["id"])
    assert hidden_by_another(both, 1)
    assert queues.findings() == 1

    queues.show_again(hidden)
    unknown = dlq("redrive", hidden["id"], "m-0")
    assert isinstance(unknown.exception, StepFailed)
    assert queues.findings() == 1, "after a wrong id, nothing is sent"


def test_a_redrive_of_visible_ids_succeeds_while_another_command_holds_others(queues: Queues) -> None:
    hidden = queues.hide()
    (other,) = queues.ids - {hidden["id"]}

    assert dlq("redrive", other, other).exit_code == 0, "an id that is given twice is one dead letter"
    assert queues.findings() == 1


@pytest.mark.parametrize(
    "body",
    ['{"n": 123456789012345678.25}', '{"n": 1.50}', '{"n": 1e400}', '{"a": 1, "a": 2}', "[" * 5_000, "no JSON",
     f'{{"n": {"1" * 5_000}}}'],
)  # fmt: skip
def test_an_event_that_python_would_change_is_shown_as_it_is(queues: Queues, body: str) -> None:
    sent = queues.sqs.send_message(QueueUrl=queues.outputs["DeadLettersUrl"], MessageBody=body)

    assert dlq("show", sent["MessageId"]).stdout == f"{body}\n"


def test_an_event_is_shown_with_one_member_in_each_line(queues: Queues) -> None:
    body = '{"n":1.5,"t":"ü","big":123456789012345678901}'
    sent = queues.sqs.send_message(QueueUrl=queues.outputs["DeadLettersUrl"], MessageBody=body)

    shown = dlq("show", sent["MessageId"]).stdout
    assert shown == '{\n  "n": 1.5,\n  "t": "ü",\n  "big": 123456789012345678901\n}\n'
