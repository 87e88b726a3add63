"""The two jobs that keep the metrics current. Running a job twice, late, or concurrently changes no number.

Each UTC day has buckets of two kinds, ``detected`` and ``closed``, with all values and counts of that day. A bucket is
always computed completely from the day's incidents, never incremented.
"""

import random
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import cast

from .domain import tally
from .domain.metric_definitions import Kind
from .runtime import cloudwatch, deadline
from .runtime.log import logger
from .storage.marks import Marks
from .storage.metric_repository import MetricRepository, Overtaken, UnreadableIncident

_DAY_SECONDS = 10.0  # the most that a large day takes; with less time left, a run starts no other day


def schedule_metrics(days: Marks, send: Callable[[Iterable[str]], None]) -> int:
    """Send a message for each tenant with marked days; return the number of these tenants."""
    now = oldest = time.time_ns() // 1_000_000
    tenants: dict[str, None] = {}
    for mark in days.of_all_tenants():
        tenants[mark.tenant_id] = None
        oldest = min(oldest, mark.since)
    send(tenants)
    cloudwatch.gauge("OldestMarkMinutes", (now - oldest) // 60_000)
    return len(tenants)


def compute_metrics(tenant_id: str, days: Marks, metrics: MetricRepository, settle_ms: int) -> list[str]:
    """Compute a tenant's days that have been marked for ``settle_ms`` milliseconds; return a word for each mark.

    The wait gives the index time to show the change. A day that keeps being marked is computed too, and keeps its mark
    until no new mark came for ``settle_ms``.
    """
    outcomes = []
    marks = list(days.of_tenant(tenant_id))
    random.shuffle(marks)  # so that a run that ends early does not always postpone the same days
    for mark in marks:
        if deadline.left() < _DAY_SECONDS:
            outcomes.append("postponed")
            break
        kind, day = cast("tuple[Kind, str]", mark.name)
        try:
            outcomes.append(days.work_off(mark, settle_ms, partial(compute_day, kind, day, metrics)))
        except Overtaken:  # the run that read later removes the mark, or leaves it to the next run
            outcomes.append("overtaken")
        except Exception as error:  # a failed day must not block the others
            line = {"tenant_id": tenant_id, "kind": kind, "day": day, "error": type(error).__qualname__}
            unreadable = {"incident_id": error.incident_id} if isinstance(error, UnreadableIncident) else {}
            logger.error("day failed", extra=line | unreadable)
            outcomes.append("failed")
    return outcomes


def compute_day(kind: Kind, day: str, metrics: MetricRepository, read_from: int) -> None:
    """Compute a day's buckets from its current incidents and replace the stored ones.

    A day has a bucket for the tenant and one for each application. ``read_from`` is a moment before the incidents are
    read, in milliseconds since 1970. Raises Overtaken or Busy.
    """
    totals = tally.totals_by_group(kind, metrics.incidents(kind, day))
    apps = frozenset(group.app for group in totals if group.app is not None)
    for app in (*metrics.take_day(kind, day, read_from, apps), None):
        chunks = tally.to_chunks({group: total for group, total in totals.items() if app in (None, group.app)})
        metrics.replace(app, kind, day, read_from, chunks)
