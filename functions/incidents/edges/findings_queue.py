"""The edge of the findings queue. Each message contains an EventBridge event.

An event that can never succeed is sent to the dead letters at the first attempt, with the reason. Such an event is
malformed, unknown, from an account without a tenant, or has a value that the table cannot store. After any other
error, the queue delivers the message again. At its fifth failure, the message is sent to the dead letters, and the
reason names the last error. A failed or slow message does not block the other messages of its batch.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, wraps
from typing import Any

from botocore.exceptions import ClientError

from ..domain import event_json
from ..domain.identity import Identity
from ..findings import EventRefused, MalformedEvent, as_from_aws
from ..runtime import start
from ..storage import dynamodb, guard
from ..storage.account_map import AccountMap
from ..storage.incident_repository import IncidentRepository
from ..storage.settings import TenantSettings
from . import dead_letters, queues, sqs

RECEIVES = 5  # the queue's maxReceiveCount


class Message:
    """One message of the findings queue. It gives access to the account map and to one tenant's incidents."""

    def __init__(self, record: sqs.Record) -> None:
        self.body: str = record["body"]
        self.accounts = AccountMap(dynamodb.client(), dynamodb.table_name())
        self.enabled_sources = frozenset(os.environ.get("ENABLED_SOURCES", "").split(","))

    @cached_property
    def received(self) -> Any:
        """The EventBridge event as it was received.

        Raises MalformedEvent if the body is not JSON, or has about a thousand nested levels.
        """
        try:
            return event_json.loads(self.body)
        except RecursionError as error:
            raise MalformedEvent("the message is nested too deeply") from error
        except ValueError as error:
            raise MalformedEvent("the message is not JSON") from error

    @cached_property
    def event(self) -> Any:
        """The EventBridge event, as AWS would send it. Raises MalformedEvent if the body is not JSON."""
        return as_from_aws(self.received) if os.environ.get("TAKE_SIMULATED_EVENTS") == "true" else self.received

    @property
    def envelope(self) -> Mapping[str, Any]:
        """The event if it is a JSON object, else an empty mapping."""
        try:
            event = self.event
        except MalformedEvent:
            return {}
        return event if isinstance(event, dict) else {}

    @contextmanager
    def serving(self, tenant_id: str, source: str) -> Iterator[IncidentRepository]:
        """Yield the repository of a tenant's incidents. ``system:<source>`` is the author of all its changes."""
        identity = Identity(tenant_id, f"system:{source}", None, frozenset())
        with guard.serving_tenant(tenant_id):
            yield IncidentRepository(identity, dynamodb.client(), dynamodb.table_name())

    @staticmethod
    def settings_of(tenant_id: str) -> TenantSettings:
        """Return a tenant's settings, which can be read only within ``serving`` of the same tenant."""
        return TenantSettings(tenant_id, dynamodb.client(), dynamodb.table_name())


Operate = Callable[[Message], list[str]]


def consumer(operate: Operate) -> Callable[[Mapping[str, Any], Any], Any]:
    """Make a Lambda handler from an operation that takes one message and returns one outcome for each finding."""
    start.prepare(dynamodb.warm_up, queues.client)

    def take(record: sqs.Record, line: sqs.Line) -> list[str]:
        message = Message(record)
        try:
            return operate(message)
        except EventRefused as refused:
            line["reason"] = str(refused)
        except ClientError as error:
            if not dynamodb.is_refused_for_good(error):
                raise
            line["reason"] = "the table cannot store a value of the event"
        dead_letters.send(message.body, message.envelope, line["reason"])
        return ["refused"]

    afterwards = sqs.Afterwards(_put_back, _give_up)
    return wraps(operate)(sqs.consumer(operate.__module__, take, counted_as="Findings", afterwards=afterwards))


def _put_back(record: sqs.Record) -> None:
    group = record["attributes"].get("MessageGroupId")
    queues.client().send_message(
        QueueUrl=os.environ["FINDINGS_URL"], MessageBody=record["body"], **({"MessageGroupId": group} if group else {})
    )


def _give_up(record: sqs.Record, error: Exception) -> bool:
    """Send a message to the dead letters at its last receive, and return whether it was sent."""
    if int(record["attributes"]["ApproximateReceiveCount"]) < RECEIVES:
        return False
    message = Message(record)
    reason = f"failed at every receive, at the last one with {type(error).__qualname__}"
    dead_letters.send(message.body, message.envelope, reason)
    return True
