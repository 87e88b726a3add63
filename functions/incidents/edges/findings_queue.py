"""The edge of the findings queue. Each message contains an EventBridge event.

An event that can never succeed is sent to the dead letters at the first attempt, with the reason. Such an event is
malformed, unknown, or from an account without a tenant. After any other error, the queue delivers the message again. A
message is delivered at most five times. A failed message does not block the other messages of its batch.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from ..domain.identity import Identity
from ..findings import EventRefused, MalformedEvent, as_from_aws
from ..runtime import start
from ..storage import dynamodb, guard
from ..storage.account_map import AccountMap
from ..storage.incident_repository import IncidentRepository
from ..storage.settings import TenantSettings
from . import dead_letters, queues, sqs


class Message:
    """One message of the findings queue. It gives access to the account map and to one tenant's incidents."""

    def __init__(self, record: SQSRecord) -> None:
        self.message_id = record.message_id
        self.body = record.body
        self.accounts = AccountMap(dynamodb.client(), dynamodb.table_name())
        self.enabled_sources = frozenset(os.environ.get("ENABLED_SOURCES", "").split(","))

    @property
    def event(self) -> Any:
        """The EventBridge event. Raises MalformedEvent if the body is not JSON."""
        try:
            event = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise MalformedEvent("the message is not JSON") from error
        return as_from_aws(event) if os.environ.get("TAKE_SIMULATED_EVENTS") == "true" else event

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
        """Return a tenant's settings. They can be read while the tenant is served."""
        return TenantSettings(tenant_id, dynamodb.client(), dynamodb.table_name())


Operate = Callable[[Message], list[str]]


def consumer(operate: Operate) -> Callable[[Mapping[str, Any], Any], Any]:
    """Make a Lambda handler from an operation that takes one message and returns one outcome for each finding."""
    start.prepare(dynamodb.warm_up, queues.client)

    def take(record: SQSRecord, line: sqs.Line) -> list[str]:
        message = Message(record)
        try:
            return operate(message)
        except EventRefused as refused:
            dead_letters.send(message.body, message.envelope, str(refused))
            line["reason"] = str(refused)
            return ["refused"]

    return wraps(operate)(sqs.consumer(operate.__module__, take, counted_as="Findings"))
