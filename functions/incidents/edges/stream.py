"""The stream edge. It handles the records of the table's stream in order. Lambda delivers failed records again."""

import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from ..runtime import deadline, start
from ..runtime.log import logger
from ..storage.stored_form import Record

Operate = Callable[[list[Record]], set[str]]
Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]


def consumer(*clients: Callable[[], object]) -> Callable[[Operate], Handler]:
    """Make a Lambda handler from an operation that takes records and returns the failed records' sequence numbers.

    ``clients`` are functions that create the operation's clients during the start. Lambda delivers the first failed
    record and all later records again. So delivery is at least once.
    """
    start.prepare(*clients)

    def decorate(operate: Operate) -> Handler:
        @wraps(operate)
        def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
            started = time.perf_counter()
            records = [_record(change["dynamodb"]) for change in event["Records"]]
            with deadline.within(context.get_remaining_time_in_millis() / 1000):
                failed = operate(records)
            line = {
                "operation": operate.__module__, "records": len(records), "failed": len(failed),
                "duration_ms": round((time.perf_counter() - started) * 1000, 1),
            }  # fmt: skip
            (logger.error if failed else logger.info)("records", extra=line)
            return {"batchItemFailures": [{"itemIdentifier": number} for number in sorted(failed, key=int)]}

        return handler

    return decorate


def _record(change: Mapping[str, Any]) -> Record:
    return Record(change["SequenceNumber"], change.get("OldImage"), change.get("NewImage"))
