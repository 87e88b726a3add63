"""The code that the queue edges share. Each SQS message succeeds or is retried on its own. Outcomes are counted."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..runtime import cloudwatch, deadline
from ..runtime.log import logger

FAILED = "failed"
PUT_BACK = "put_back"

Record = Mapping[str, Any]
"""One message as Lambda delivers it, with the members ``messageId``, ``body`` and ``attributes``."""
Line = dict[str, Any]
Take = Callable[[Record, Line], list[str]]


class PartlyFailed(Exception):
    """A part of a message failed. The other parts of the message succeeded."""


class Afterwards(NamedTuple):
    """The two actions at the end of a batch. A part of the run time is kept for them.

    ``put_back`` sends a copy of a message that was not begun, because a copy is visible at once and its receives count
    from zero again. ``give_up`` takes a failed message and its error, and returns true if SQS need not deliver the
    message again.
    """

    put_back: Callable[[Record], None]
    give_up: Callable[[Record, Exception], bool]


def consumer(
    name: str, take: Take, *, counted_as: str, afterwards: Afterwards | None = None
) -> Callable[[Mapping[str, Any], Any], Any]:
    """Make a Lambda handler from ``take``, which handles one message and returns its outcomes, such as ``created``.

    ``take`` may add members to the message's log line. If ``take`` raises an error or returns the outcome ``failed``,
    SQS delivers the message again. The other messages of the batch are not affected. The metric ``counted_as`` counts
    the outcomes.

    With ``afterwards``, each message has its own deadline, which is an equal share of the time that is left. So a slow
    message fails alone. If too little time is left for a message, the message is put back.
    """

    def handle(record: Record, outcomes: Counter[str]) -> None:
        started = time.perf_counter()
        line: Line = {"operation": name, "message_id": record["messageId"], "outcomes": [FAILED]}
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
        outcomes = Counter[str]()
        ends = deadline.now() + context.get_remaining_time_in_millis() / 1000
        waiting, failed = list(event["Records"]), list[tuple[Record, Exception]]()
        while waiting:
            left = ends - deadline.now()
            seconds = share(left, len(waiting)) if afterwards else left
            if not seconds:
                break
            record = waiting.pop(0)
            try:
                with deadline.within(seconds):
                    handle(record, outcomes)
            except Exception as error:  # this includes Busy, which the timer of ``within`` can raise anywhere
                failed.append((record, error))
        undone = [record for record, _ in failed]
        if afterwards and (failed or waiting):
            try:
                with deadline.within(ends - deadline.now()):
                    undone = _end(failed, waiting, afterwards)
            except Exception:  # the alarm of ``within`` may interrupt this; a second delivery is harmless
                undone += waiting
            outcomes.update({PUT_BACK: len(waiting)} if waiting else {})
        cloudwatch.count(counted_as, "outcome", outcomes)
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in undone]}

    return handler


def share(left: float, waiting: int) -> float:
    """Return the seconds for the next of ``waiting`` messages, from the ``left`` seconds, or 0 if it must not begin.

    A message must not begin with less time than one attempt at a call needs. The same time is kept for the end of the
    batch.
    """
    least = deadline.for_one_attempt()
    return max((left - least) / waiting, least) if left >= 2 * least else 0


def _end(failed: list[tuple[Record, Exception]], waiting: list[Record], afterwards: Afterwards) -> list[Record]:
    """Give up the failed messages and put back the waiting ones. Return the messages that SQS must deliver again."""
    undone = []
    for record, error in failed:
        try:
            if not afterwards.give_up(record, error):
                undone.append(record)
        except Exception:  # SQS then moves the message to the dead letters itself, without the reason
            undone.append(record)
    for record in waiting:
        try:
            afterwards.put_back(record)
        except Exception:
            undone.append(record)
    if waiting:
        logger.info("put back", extra={"messages": [record["messageId"] for record in waiting]})
    return undone
