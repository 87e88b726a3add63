"""The deadline of a request, so that the caller gets this service's answer and never the gateway's 502.

Lambda stops a function at its ``Timeout`` (15 s in the template), and the gateway then answers 502. So each request has
an earlier deadline. An attempt at a call starts only if the attempt can end before the deadline:

    start                            last moment for an attempt              deadline             Timeout
    ──●──────────────────────────────────────────●──────────────────────────────●────────────────────●──▶ time
                                                 ◀────── attempt_seconds ───────▶◀─ answer_seconds ──▶
"""

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from math import inf
from time import monotonic, sleep
from typing import NamedTuple

from ..domain.errors import Busy

LONGEST_PAUSE_SECONDS = 2.0
"""The longest pause between two attempts. botocore never pauses longer in standard mode with three attempts, and this
service's own retries have the same limit."""


class Bounds(NamedTuple):
    """The time limits and the number of attempts of one call to a service. Environment variables can change them.

    DynamoDB answers within milliseconds. So a call reaches these limits only if something is wrong. Short limits leave
    time for another attempt.
    """

    connect_seconds: float
    """Connecting inside a region takes a few milliseconds. A lost packet is sent again after 1 s."""
    read_seconds: float
    """The slowest normal answer, a page of 1 MB or a transaction under contention, takes a few hundred milliseconds."""
    attempts: int
    """The number of attempts of one call, including the first. More attempts would make an outage worse."""
    answer_seconds: float
    """The time that is reserved for writing the answer and the log line."""

    @property
    def attempt_seconds(self) -> float:
        """The longest possible time of one attempt and the following pause, in seconds."""
        return self.connect_seconds + self.read_seconds + LONGEST_PAUSE_SECONDS


@cache
def bounds() -> Bounds:
    """Return the time limits and the number of attempts for this process."""
    return Bounds(
        connect_seconds=float(os.environ.get("DYNAMODB_CONNECT_SECONDS", "1")),
        read_seconds=float(os.environ.get("DYNAMODB_READ_SECONDS", "2")),
        attempts=int(os.environ.get("DYNAMODB_ATTEMPTS", "3")),
        answer_seconds=float(os.environ.get("ANSWER_SECONDS", "0.5")),
    )


def for_one_attempt() -> float:
    """Return the seconds for ``within`` that allow one attempt at a call during a start.

    Half a second is for the code before the attempt. Lambda allows ten seconds for a start.
    """
    return bounds().attempt_seconds + bounds().answer_seconds + 0.5


def now() -> float:
    """Return the seconds of the clock that all deadlines use."""
    return monotonic()


_ends: ContextVar[float] = ContextVar("ends", default=inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Set a deadline for the code inside this context: ``seconds`` from now, minus ``answer_seconds``.

    An attempt at a call starts only if the attempt can end before the deadline. An attempt can still take longer, for
    example if the answer arrives byte by byte and no single read times out. Then an alarm raises Busy at the deadline.
    Do not nest this context, because there is only one alarm.
    """
    left = seconds - bounds().answer_seconds
    token = _ends.set(monotonic() + left)
    # Only the main thread can receive signals. Lambda runs a handler in the main thread.
    alarmed = left < inf and threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGALRM)
    try:
        if alarmed:
            signal.signal(signal.SIGALRM, _ring)
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001))
        yield
    finally:
        if alarmed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        _ends.reset(token)


def _ring(*_: object) -> None:
    raise Busy


def left() -> float:
    """Return the seconds until the deadline, or infinity if there is no deadline."""
    return _ends.get() - monotonic()


def require_time() -> None:
    """Raise Busy unless another attempt and the following pause can end before the deadline."""
    if left() < bounds().attempt_seconds:
        raise Busy


def pause(attempt: int, *, first: float, longest: float = LONGEST_PAUSE_SECONDS) -> None:
    """Wait a random time before another attempt. The upper limit doubles with each attempt (full jitter).

    ``attempt`` counts from 0. ``first`` is the upper limit for attempt 0, and ``longest`` is the highest upper limit,
    both in seconds. Because the time is random, writers that conflicted once do not retry at the same moment.
    """
    sleep(random.uniform(0, min(longest, first * 2**attempt)))  # noqa: S311  # jitter, not a secret
