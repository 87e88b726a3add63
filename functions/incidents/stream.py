"""The stream edge: records of the table's stream, in order, become what a function makes of them, or come again."""

import time
from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, NamedTuple

from . import aws_clients, timeouts
from .items import Item
from .observability import logger

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

BATCH = 10  # entries that one call to EventBridge takes
_TRIES = 3


class Record(NamedTuple):
    """One change of one item: its images before and after, and its place in the stream."""

    sequence_number: str
    old: Item | None
    new: Item | None


Operate = Callable[[list[Record]], set[str]]


def consumer(operate: Operate) -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
    """Make a Lambda handler of an operation on a batch of records; it returns the sequence numbers of what failed.

    The stream goes on from the first of them, so what is behind it comes again too: whoever is told, is told at least
    once.
    """

    @wraps(operate)
    def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        started = time.perf_counter()
        records = [_record(one["dynamodb"]) for one in event["Records"]]
        with timeouts.within(context.get_remaining_time_in_millis() / 1000):
            failed = operate(records)
        line = {
            "operation": operate.__module__, "records": len(records), "failed": len(failed),
            "duration_ms": round((time.perf_counter() - started) * 1000, 1),
        }  # fmt: skip
        (logger.error if failed else logger.info)("records", extra=line)
        return {"batchItemFailures": [{"itemIdentifier": number} for number in sorted(failed, key=int)]}

    return handler


def _record(change: Mapping[str, Any]) -> Record:
    return Record(change["SequenceNumber"], change.get("OldImage"), change.get("NewImage"))


@cache
def bus() -> "EventBridgeClient":
    """Return the client of this process, made on first use."""
    made: EventBridgeClient = aws_clients.make("events")
    return made


def put(entries: Mapping[str, Any]) -> set[str]:
    """Put events on their bus, by whatever names; return the names of those that it did not take, after some tries.

    EventBridge takes a part of a batch and says which: only the rest is sent again.
    """
    left = dict(entries)
    for attempt in range(_TRIES):
        for names in [list(left)[start : start + BATCH] for start in range(0, len(left), BATCH)]:
            answer = bus().put_events(Entries=[left[name] for name in names])
            for name, result in zip(names, answer["Entries"], strict=True):
                if "EventId" in result:
                    del left[name]
        if not left:
            break
        timeouts.pause(attempt, first=0.1)
    return set(left)
