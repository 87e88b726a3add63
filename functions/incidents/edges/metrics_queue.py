"""The edge of the metrics queue. Each message asks for the metrics of one tenant's marked days."""

import json
import os
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from ..domain.identity import Identity
from ..domain.model import TENANT_ID
from ..runtime import start
from ..storage import dynamodb, guard, marks
from ..storage.metric_repository import MetricRepository
from . import sqs


class Message:
    """One message of the metrics queue. It gives access to the tenant's marks and metrics."""

    def __init__(self, body: str) -> None:
        self.tenant_id: str = json.loads(body)["tenant_id"]
        if not TENANT_ID.fullmatch(self.tenant_id):
            raise ValueError("the message must have a valid `tenant_id`")
        self.marked_days = marks.metric_days()
        # The day index may lag behind the stream for this time.
        self.settle_ms = int(float(os.environ.get("MARK_SETTLE_SECONDS", "300")) * 1000)
        identity = Identity(self.tenant_id, "system:metrics", None, frozenset())
        self.metrics = MetricRepository(identity, dynamodb.client(), dynamodb.table_name())


def consumer(operate: Callable[[Message], list[str]]) -> Callable[[Mapping[str, Any], Any], Any]:
    """Make a Lambda handler from an operation that takes one tenant's message and returns one outcome for each day."""
    start.prepare(dynamodb.warm_up)

    def take(record: sqs.Record, line: sqs.Line) -> list[str]:
        message = Message(record["body"])
        line["tenant_id"] = message.tenant_id
        with guard.serving_tenant(message.tenant_id):
            return operate(message)

    return wraps(operate)(sqs.consumer(operate.__module__, take, counted_as="MetricDays"))
