"""How long anything waits here, so that the caller gets an answer from us and never a bare one from the gateway.

Lambda ends a function at its ``Timeout`` (15 s in the template) and the gateway then answers 502. So each request has a
deadline somewhat before that, and no call to the table begins that could not end before it.
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
"""Between attempts: botocore's own longest between three of them, in its standard mode, and a bound for ours."""


class Bounds(NamedTuple):
    """How long one call to a service may take, and how often it is tried. An environment variable changes each.

    DynamoDB answers within milliseconds, so these bounds are met when something is wrong, and short ones leave time to
    try again.
    """

    connect_seconds: float
    """A connection inside a region stands in a few milliseconds; a lost packet costs it a repetition after a second."""
    read_seconds: float
    """The slowest honest answer, a page of 1 MB or a transaction under contention, takes some hundred milliseconds."""
    attempts: int
    """Of one call, counted with the first. More would serve an outage by making it worse."""
    answer_seconds: float
    """What is kept to write the answer and the log line."""

    @property
    def attempt_seconds(self) -> float:
        """The longest that one attempt, and the pause behind it, can take."""
        return self.connect_seconds + self.read_seconds + LONGEST_PAUSE_SECONDS


@cache
def bounds() -> Bounds:
    """Return the bounds of this process."""
    return Bounds(
        connect_seconds=float(os.environ.get("DYNAMODB_CONNECT_SECONDS", "1")),
        read_seconds=float(os.environ.get("DYNAMODB_READ_SECONDS", "2")),
        attempts=int(os.environ.get("DYNAMODB_ATTEMPTS", "3")),
        answer_seconds=float(os.environ.get("ANSWER_SECONDS", "0.5")),
    )


def for_one_attempt() -> float:
    """Return the seconds of a deadline that leaves room for one attempt at a call, and half a second to reach it.

    Lambda gives a start ten seconds.
    """
    return bounds().attempt_seconds + bounds().answer_seconds + 0.5


_ends: ContextVar[float] = ContextVar("ends", default=inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Hold what happens inside to a deadline, ``seconds`` from now, less what it takes to answer.

    No attempt at a call begins that could not end before it. Should one last longer all the same, because its answer
    drips byte by byte and no single read ever times out, an alarm raises Busy at the deadline. Not to be used inside
    itself: there is one alarm.
    """
    left = seconds - bounds().answer_seconds
    token = _ends.set(monotonic() + left)
    # Signals reach the main thread alone, which is where Lambda runs a handler.
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
    """Return the seconds until the deadline; infinite where there is none."""
    return _ends.get() - monotonic()


def require_time() -> None:
    """Raise Busy unless another attempt at a call, and the pause that may follow it, would end before the deadline."""
    if left() < bounds().attempt_seconds:
        raise Busy


def pause(attempt: int, *, first: float, longest: float = LONGEST_PAUSE_SECONDS) -> None:
    """Wait before another attempt: a random time up to a bound that doubles each time (full jitter), in seconds.

    Rivals that met once do not meet again at the same moment.
    """
    sleep(random.uniform(0, min(longest, first * 2**attempt)))  # noqa: S311  # jitter, not a secret
