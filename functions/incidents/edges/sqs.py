"""The code that the queue edges share. Each SQS message succeeds or is retried on its own. Outcomes are counted."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from ..runtime import cloudwatch, deadline
from ..runtime.log import logger

FAILED = "failed"

Line = dict[str, Any]
Take = Callable[[SQSRecord, Line], list[str]]


class PartlyFailed(Exception):
    """A part of a message failed. The other parts of the message succeeded."""


def consumer(name: str, take: Take, *, counted_as: str) -> Callable[[Mapping[str, Any], Any], Any]:
    """Make a Lambda handler from ``take``, which handles one message and returns its outcomes, such as ``created``.

    ``take`` may add members to the message's log line. If ``take`` raises an error or returns the outcome ``failed``,
    SQS delivers the message again. The other messages of the batch are not affected. The metric ``counted_as`` counts
    the outcomes.
    """
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    outcomes: Counter[str] = Counter()

    def handle(record: SQSRecord) -> None:
        started = time.perf_counter()
        line: Line = {"operation": name, "message_id": record.message_id, "outcomes": [FAILED]}
        try:
            line["outcomes"] = take(record, line)
            if FAILED in line["outcomes"]:
                raise PartlyFailed
        except Exception as error:
            line["error"] = type(error).__qualname__
            raise
        finally:
            line["duration_ms"] = round((time.perf_counter() - started) * 1000, 1)
            outcomes.update(line["outcomes"])
            (logger.error if "error" in line else logger.info)("message", extra=line)

    def handler(event: Mapping[str, Any], context: Any) -> Any:
        outcomes.clear()
        with deadline.within(context.get_remaining_time_in_millis() / 1000):
            answer = process_partial_response(dict(event), handle, processor, context)
        cloudwatch.count(counted_as, "outcome", outcomes)
        return answer

    return handler
