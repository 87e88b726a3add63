"""The schedule edge: a scheduled run, which sends messages to the metrics queue."""

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

_BATCH = 10  # the most messages in one call to SQS


class Run:
    """One run of the schedule."""

    def __init__(self) -> None:
        self.marked_days = marks.metric_days()

    def send(self, tenants: Iterable[str]) -> None:
        """Send one message for each tenant. Raises Busy if a message is still refused after all attempts."""
        left = [json.dumps({"tenant_id": tenant_id}) for tenant_id in tenants]
        while left:
            batch, left = left[:_BATCH], left[_BATCH:]
            self._send(batch)

    def _send(self, bodies: list[str]) -> None:
        """Send one batch. SQS may accept only a part of it; only the rest is sent again. Raises Busy."""
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
    """Make a Lambda handler from a scheduled operation. It returns the number of tenants with marked days."""
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
