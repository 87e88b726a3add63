"""Read the log events of the local stack's functions."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from operator import itemgetter

from incidents.domain import timestamps

from ..console import StepFailed
from .local_stack import Stack

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def first_moment(since: str, now: float) -> int:
    """Return the moment that the option ``--since`` gives, in milliseconds since 1970.

    The option is a timestamp, or a duration before ``now`` such as ``15m``. ``now`` is in seconds since 1970.
    Raises StepFailed if the option is neither a timestamp nor a duration.
    """
    if ago := re.fullmatch(r"([0-9]{1,9})([smhd])", since):
        return int((now - int(ago[1]) * _SECONDS[ago[2]]) * 1_000)
    try:
        return timestamps.to_milliseconds(timestamps.parse(since))
    except ValueError:
        raise StepFailed(
            "--since cannot be read.", f"  {since}",
            "Give a number and s, m, h or d, such as 15m, or a timestamp such as 2026-11-20T08:30:00Z.",
        ) from None  # fmt: skip


def read(stack: Stack, functions: Sequence[str], request: str | None, first: int | None) -> list[str]:
    """Return the lines of log events, oldest first: time, function, message.

    ``request`` keeps only messages with this text, and ``first`` only events from this moment on.
    """
    client, events = stack.client("logs"), list[tuple[int, str, str]]()
    for name in functions:
        for page in client.get_paginator("filter_log_events").paginate(
            logGroupName=stack.log_group(name), startTime=first or 0
        ):
            events += [
                (event["timestamp"], name, event["message"].rstrip())
                for event in page["events"]
                if event["timestamp"] >= (first or 0) and (request or "") in event["message"]
            ]
    events.sort(key=itemgetter(0))
    return [f"{datetime.fromtimestamp(at / 1_000, UTC):%H:%M:%S.%f} {name} {message}" for at, name, message in events]
