"""The queue edge: messages of SQS, each done or tried again by itself, and counted by what came of it."""

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
    """Something of a message failed; what else it asked for is done."""


def consumer(name: str, take: Take, *, counted_as: str) -> Callable[[Mapping[str, Any], Any], Any]:
    """Make a Lambda handler of what takes one message and its log line, and returns a word for each thing done.

    The message comes again, and holds up none of its neighbours, when it raises or ``failed`` is among the words. The
    words are counted as a metric.
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
