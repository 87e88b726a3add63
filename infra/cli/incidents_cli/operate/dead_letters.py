"""`incidents dlq`: the findings that could not be taken, and how to send them again."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any, NamedTuple

import typer

from ..console import StepFailed, command, stderr
from .deployment import Deployment, RegionOption, StackOption

dead_letters = typer.Typer(no_args_is_help=True, help="The findings that could not be taken.")

_EMPTY_READS = 2  # so many in a row are the end; one that waits asks all of SQS's servers
_AT_ONCE = 10
_HELD_SECONDS = 60  # at the longest, should the command be cut off


class DeadLetter(NamedTuple):
    """One message: its event as text, and what is known of why it is here."""

    message_id: str
    handle: str
    sent_at: float  # seconds since 1970
    reason: str
    account: str
    source: str
    body: str


@dead_letters.command(name="list")
def list_(stack: StackOption = None, region: RegionOption = None) -> None:
    """Print one line a message: id, age, reason, source, account."""
    with _held(Deployment(stack, region)) as held:
        for letter in sorted(held.values(), key=lambda letter: letter.sent_at):
            age = timedelta(seconds=max(0, int(time.time() - letter.sent_at)))
            typer.echo(f"{letter.message_id}  {age}  {letter.reason}  {letter.source}  {letter.account}")
        if not held:
            stderr.print("There are no dead letters.")


@dead_letters.command()
def show(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="As `incidents dlq list` prints it.")],
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Print the event of a message, as JSON; why it is here goes to stderr."""
    with _held(Deployment(stack, region)) as held:
        letter = _letter_of(held, message_id)
        stderr.print(letter.reason, markup=False)
        try:
            typer.echo(json.dumps(json.loads(letter.body), indent=2, ensure_ascii=False))
        except (ValueError, RecursionError):
            typer.echo(letter.body)


@dead_letters.command()
def redrive(
    message_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Which; default: all.")] = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Send messages again, after what held them up was mended. What was taken already changes nothing."""
    deployment = Deployment(stack, region)
    queues, sent = deployment.client("sqs"), 0
    with _held(deployment) as held:
        letters = [_letter_of(held, message_id) for message_id in message_ids or held]
        for letter in letters:
            queues.send_message(QueueUrl=deployment.outputs["QueueUrl"], MessageBody=letter.body)
            # After, not before: whoever is cut off here sends it twice, and the second changes nothing.
            queues.delete_message(QueueUrl=deployment.outputs["DeadLettersUrl"], ReceiptHandle=letter.handle)
            del held[letter.message_id]
            sent += 1
    stderr.print(f"Sent {sent} again.")


@contextmanager
def _held(deployment: Deployment) -> Iterator[dict[str, DeadLetter]]:
    """Yield all messages by id; nobody else gets them meanwhile, and afterwards everybody can get what is left."""
    queues, url = deployment.client("sqs"), deployment.outputs["DeadLettersUrl"]
    held, empty = dict[str, DeadLetter](), 0
    try:
        while empty < _EMPTY_READS:
            messages = queues.receive_message(
                QueueUrl=url, MaxNumberOfMessages=_AT_ONCE, VisibilityTimeout=_HELD_SECONDS, WaitTimeSeconds=1,
                MessageSystemAttributeNames=["SentTimestamp"], MessageAttributeNames=["All"],
            ).get("Messages", [])  # fmt: skip
            # One that is held already has outlived its hold: whoever has seen them all sees nothing else any more.
            empty = 0 if {message["MessageId"] for message in messages} - set(held) else empty + 1
            held |= {message["MessageId"]: _letter(message) for message in messages}
        yield held
    finally:
        for letter in held.values():
            queues.change_message_visibility(QueueUrl=url, ReceiptHandle=letter.handle, VisibilityTimeout=0)


def _letter(message: dict[str, Any]) -> DeadLetter:
    said = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    event = _event(message["Body"])
    return DeadLetter(
        message["MessageId"],
        message["ReceiptHandle"],
        int(message["Attributes"]["SentTimestamp"]) / 1000,
        _hide_control_characters(said.get("reason") or "failed at every receive"),
        _hide_control_characters(said.get("account") or str(event.get("account", "-"))),
        _hide_control_characters(said.get("source") or str(event.get("source", "-"))),
        message["Body"],
    )


def _hide_control_characters(text: str) -> str:
    """One line, whatever an event holds."""
    return "".join(character if character.isprintable() else "?" for character in text[:256])


def _event(body: str) -> dict[str, Any]:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _letter_of(letters: dict[str, DeadLetter], message_id: str) -> DeadLetter:
    if message_id not in letters:
        raise StepFailed(f"There is no dead letter {message_id}.", "", f"See which there are: {command('dlq list')}")
    return letters[message_id]
