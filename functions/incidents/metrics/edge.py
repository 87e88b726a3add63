"""How Lambda calls the metrics' jobs: by the stream, by a schedule, by a message for each tenant."""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from .. import aws_clients, dynamodb, guard, keys, messages, timeouts
from ..errors import Busy
from ..identity import Identity
from ..observability import logger
from .marked_days import MarkedDays
from .repository import MetricRepository

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10  # messages that one call to SQS takes


def marked_days() -> MarkedDays:
    return MarkedDays(dynamodb.client(), dynamodb.table_name())


class Message:
    """One message: the tenant whose marked days are to be computed, and what that may reach."""

    def __init__(self, body: str) -> None:
        self.tenant_id: str = json.loads(body)["tenant_id"]
        if not keys.TENANT_ID.fullmatch(self.tenant_id):
            raise ValueError("not the message of a tenant")
        self.marked_days = marked_days()
        # For how long, in milliseconds, an index may not show yet what the stream has told.
        self.settle = int(float(os.environ.get("MARK_SETTLE_SECONDS", "300")) * 1000)
        identity = Identity(self.tenant_id, "system:metrics", None, frozenset())
        self.metrics = MetricRepository(identity, dynamodb.client(), dynamodb.table_name())


def consumer(operate: Callable[[Message], list[str]]) -> Callable[[Mapping[str, Any], Any], Any]:
    """Make a Lambda handler of an operation on one tenant's message, which returns a word for each day."""

    def take(record: SQSRecord, line: messages.Line) -> list[str]:
        message = Message(record.body)
        line["tenant_id"] = message.tenant_id
        with guard.serving_tenant(message.tenant_id):
            return operate(message)

    return wraps(operate)(messages.consumer(operate.__module__, take, counted_as="MetricDays"))


class Run:
    """One run of the schedule."""

    def __init__(self) -> None:
        self.marked_days = marked_days()

    def send(self, tenants: Iterable[str]) -> None:
        """Send a message for each tenant, all of them. Raises Busy."""
        left = [json.dumps({"tenant_id": tenant_id}) for tenant_id in tenants]
        while left:
            batch, left = left[:_BATCH], left[_BATCH:]
            self._send(batch)

    def _send(self, bodies: list[str]) -> None:
        """SQS takes a part of a batch and says which: only the rest is sent again."""
        for attempt in range(timeouts.ATTEMPTS):
            answer = _queues().send_message_batch(
                QueueUrl=os.environ["METRICS_QUEUE_URL"],
                Entries=[{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)],
            )
            bodies = [bodies[int(failed["Id"])] for failed in answer.get("Failed", [])]
            if not bodies:
                return
            timeouts.pause(attempt, first=0.1)
        raise Busy


def scheduled(operate: Callable[[Run], int]) -> Callable[[Mapping[str, Any], Any], dict[str, int]]:
    """Make a Lambda handler of an operation that a schedule starts; it returns for how many tenants there is work."""

    @wraps(operate)
    def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
        started = time.perf_counter()
        with timeouts.within(context.get_remaining_time_in_millis() / 1000):
            tenants = operate(Run())
        line = {"operation": operate.__module__, "tenants": tenants}
        logger.info("run", extra=line | {"duration_ms": round((time.perf_counter() - started) * 1000, 1)})
        return {"tenants": tenants}

    return handler


@cache
def _queues() -> "SQSClient":
    made: SQSClient = aws_clients.make("sqs")
    return made
