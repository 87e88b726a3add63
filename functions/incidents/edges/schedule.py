"""The schedule edge. A scheduled run sends messages to the metrics queue."""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from ..domain.errors import Busy
from ..runtime import deadline, start
from ..runtime.log import logger
from ..storage import dynamodb, marks
from . import queues

_BATCH = 10  # SQS accepts at most ten messages in one call


class Run:
    """One scheduled run. It gives access to the marks of all tenants."""

    def __init__(self) -> None:
        self.marked_days = marks.metric_days()

    def send(self, tenants: Iterable[str]) -> None:
        """Send one message for each tenant. Raises Busy if SQS still refuses a message after all attempts."""
        left = [json.dumps({"tenant_id": tenant_id}) for tenant_id in tenants]
        while left:
            batch, left = left[:_BATCH], left[_BATCH:]
            self._send(batch)

    def _send(self, bodies: list[str]) -> None:
        """Send one batch, and send refused messages again. Raises Busy if SQS still refuses one after all attempts."""
        for attempt in range(deadline.bounds().attempts):
            answer = queues.client().send_message_batch(
                QueueUrl=os.environ["METRICS_QUEUE_URL"],
                Entries=[{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)],
            )
            bodies = [bodies[int(failed["Id"])] for failed in answer.get("Failed", [])]
            if not bodies:
                return
            deadline.pause(attempt, first=0.1)
        raise Busy


def consumer(operate: Callable[[Run], int]) -> Callable[[Mapping[str, Any], Any], dict[str, int]]:
    """Make a Lambda handler from an operation that takes a scheduled run and returns the number of marked tenants."""
    start.prepare(dynamodb.warm_up, queues.client)

    @wraps(operate)
    def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
        started = time.perf_counter()
        with deadline.within(context.get_remaining_time_in_millis() / 1000):
            tenants = operate(Run())
        line = {"operation": operate.__module__, "tenants": tenants}
        logger.info("run", extra=line | {"duration_ms": round((time.perf_counter() - started) * 1000, 1)})
        return {"tenants": tenants}

    return handler
