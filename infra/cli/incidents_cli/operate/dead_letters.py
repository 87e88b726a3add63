"""The commands of `incidents dlq`. They list, show and resend dead letters: messages that could not be processed."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Annotated, Any, NamedTuple

import typer
from botocore.exceptions import ClientError
from incidents import findings

from ..console import StepFailed, clean, command, interrupted, say, stderr
from .deployment import Deployment, RegionOption, StackOption

dead_letters = typer.Typer(
    no_args_is_help=True, help="List, show and resend dead letters: messages that could not be processed."
)

_EMPTY_READS = 2  # after so many empty reads in a row, the queue counts as empty
_AT_ONCE = 10
_SHOWN = 256  # the most characters of a reason, a source or an account
_HELD_SECONDS = 60  # if this command is killed, other readers cannot see its messages for at most this time
_VISIBLE, _NOT_VISIBLE = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"


class DeadLetter(NamedTuple):
    """A message that could not be processed. ``body`` is the message's event as text.

    ``account`` is the finding's account, which decides the tenant and may differ from the event's account. If the
    findings of an event have several accounts, ``account`` lists them with commas. If no finding can be read,
    ``account`` is that of the event, and says so. ``account`` and ``source`` are ``-`` if they are unknown.
    """

    message_id: str
    handle: str
    sent_at: float  # seconds since 1970
    reason: str
    account: str
    source: str
    body: str


@dead_letters.command(name="list")
def list_(stack: StackOption = None, region: RegionOption = None) -> None:
    """Print one line per dead letter, oldest first: id, age, reason, source, account."""
    with _held(Deployment(stack, region)) as (held, hidden):
        for letter in sorted(held.values(), key=lambda letter: letter.sent_at):
            age = timedelta(seconds=max(0, int(time.time() - letter.sent_at)))
            # Two blanks separate the columns of a printed line, so a column must not contain two blanks.
            source = " ".join(letter.source.split())
            say(f"{letter.message_id}  {age}  {letter.reason}  {source}  {letter.account}")
        if hidden:
            raise _hidden(hidden)
        if not held:
            stderr.print("There are no dead letters.")


@dead_letters.command()
def show(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `incidents dlq list` prints.")],
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Print a dead letter's event as JSON on stdout, and its reason on stderr."""
    with _held(Deployment(stack, region)) as (held, hidden):
        if message_id not in held:
            raise _hidden(hidden) if hidden else _unknown(message_id)
        letter = held[message_id]
        stderr.print(letter.reason)
        say(_indented(letter.body))


@dead_letters.command()
def redrive(
    message_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Resend only these dead letters. Default: all.")
    ] = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Send dead letters to the queue again, after you have fixed their cause.

    A finding that is stored already is not stored twice.
    """
    deployment = Deployment(stack, region)
    queues, sent = deployment.client("sqs"), 0
    with (
        interrupted(lambda: f"Dead letters sent again: {sent}. The others are still dead letters."),
        _held(deployment) as (held, hidden),
    ):
        missing = [message_id for message_id in message_ids or () if message_id not in held]
        if missing and not hidden:
            raise _unknown(missing[0])
        for letter in [held[message_id] for message_id in dict.fromkeys(message_ids or held) if message_id in held]:
            queues.send_message(QueueUrl=deployment.outputs["QueueUrl"], MessageBody=letter.body)
            # Delete only after sending. An interrupt between the two calls leaves the dead letter in the queue, so the
            # event can be sent twice. That is harmless, because a finding that is stored already is not stored twice.
            queues.delete_message(QueueUrl=deployment.outputs["DeadLettersUrl"], ReceiptHandle=letter.handle)
            del held[letter.message_id]
            sent += 1
    stderr.print(f"Dead letters sent again: {sent}.")
    if hidden and (missing or not message_ids):
        raise _hidden(hidden)


@contextmanager
def _held(deployment: Deployment) -> Iterator[tuple[dict[str, DeadLetter], int]]:
    """Yield the dead letters by id, and the number of dead letters that were not read.

    Another command hides the latter. Or there are too many dead letters to read them before the first are visible
    again. Other readers cannot see the dead letters until the end. At the end, the dead letters that are still in the
    dictionary become visible again.
    """
    queues, url = deployment.client("sqs"), deployment.outputs["DeadLettersUrl"]
    held, empty, started = dict[str, DeadLetter](), 0, time.monotonic()
    try:
        while empty < _EMPTY_READS:
            messages = queues.receive_message(
                QueueUrl=url, MaxNumberOfMessages=_AT_ONCE, VisibilityTimeout=_HELD_SECONDS, WaitTimeSeconds=1,
                MessageSystemAttributeNames=["SentTimestamp"], MessageAttributeNames=["All"],
            ).get("Messages", [])  # fmt: skip
            # WaitTimeSeconds makes SQS ask all its servers. A message that was hidden for _HELD_SECONDS can arrive a
            # second time. A read with only such messages counts as empty.
            empty = 0 if {message["MessageId"] for message in messages} - set(held) else empty + 1
            held |= {message["MessageId"]: _letter(message) for message in messages}
        # SQS counts the visible messages late. So they count only if messages may be visible again.
        counts = [_NOT_VISIBLE, *([_VISIBLE] if time.monotonic() - started > _HELD_SECONDS else [])]
        attributes = queues.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"]
        # SQS also counts the messages that this command has read.
        yield held, max(0, sum(int(attributes[name]) for name in counts) - len(held))
    finally:
        for letter in held.values():
            with suppress(ClientError):  # after _HELD_SECONDS, the message is visible again, and SQS refuses the call
                queues.change_message_visibility(QueueUrl=url, ReceiptHandle=letter.handle, VisibilityTimeout=0)


def _letter(message: dict[str, Any]) -> DeadLetter:
    said = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    event = _event(message["Body"])
    sender = said.get("account") or str(event.get("account", "-"))
    return DeadLetter(
        message["MessageId"],
        message["ReceiptHandle"],
        int(message["Attributes"]["SentTimestamp"]) / 1000,
        _short(said.get("reason") or "failed at every receive"),
        _short(_accounts(event) or (sender if sender == "-" else f"{sender} (the event's)")),
        _short(said.get("source") or str(event.get("source", "-"))),
        message["Body"],
    )


def _indented(body: str) -> str:
    """Return an event with one member in each line, or as it is if Python would lose digits or repeated names."""
    try:
        event = json.loads(body, parse_float=_exactly, object_pairs_hook=_once_each)
        return json.dumps(event, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body


def _exactly(literal: str) -> float:
    if repr(number := float(literal)) != literal:
        raise ValueError("Python writes this number in another way")
    return number


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(members := dict(pairs)) < len(pairs):
        raise ValueError("a name is repeated")
    return members


def _short(text: str) -> str:
    return clean(text[:_SHOWN])


def _accounts(event: dict[str, Any]) -> str:
    """Return the accounts of an event's findings as one text, or an empty text if no finding can be read.

    The event's own account may differ, because an administrator account of Security Hub sends the findings of its
    member accounts.
    """
    try:
        reports = findings.read(findings.as_from_aws(event))
    except (findings.EventRefused, RecursionError):
        return ""
    return ",".join(dict.fromkeys(report.account_id for report in reports if isinstance(report, findings.Finding)))


def _event(body: str) -> dict[str, Any]:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _unknown(message_id: str) -> StepFailed:
    return StepFailed(f"There is no dead letter {message_id}.", "", f"List the ids: {command('dlq list')}")


def _hidden(count: int) -> StepFailed:
    return StepFailed(
        f"Dead letters that this command has not read: about {count}.",
        "  Another command holds them, or held them until somebody killed it. Or there were too many to read at once.",
        f"Run this command again in {_HELD_SECONDS} seconds.",
    )
