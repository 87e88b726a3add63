"""The two jobs that keep the metrics true. To run either twice, late, or beside itself changes no number.

Each day (UTC) has a bucket of two kinds, ``detected`` and ``closed``, that holds every value and every count of that
day. A bucket is always computed whole from the day's incidents, never added to.
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

_DAY_SECONDS = 10.0  # what a large day takes at most; a run that has less left begins no other


def schedule_metrics(days: Marks, send: Callable[[Iterable[str]], None]) -> int:
    """Send a message for each tenant that has marked days; return how many."""
    now = oldest = time.time_ns() // 1_000_000
    tenants: dict[str, None] = {}
    for mark in days.of_all_tenants():
        tenants[mark.tenant_id] = None
        oldest = min(oldest, mark.since)
    send(tenants)
    cloudwatch.gauge("OldestMarkMinutes", (now - oldest) // 60_000)
    return len(tenants)


def compute_metrics(tenant_id: str, days: Marks, metrics: MetricRepository, settle_ms: int) -> list[str]:
    """Compute a tenant's marked days that had ``settle_ms`` milliseconds for their index; return a word for each.

    A day that goes on being marked is computed all the same, and its mark stays until nothing new came for that long.
    """
    outcomes = []
    marks = list(days.of_tenant(tenant_id))
    random.shuffle(marks)  # what one run has no time for is not always the same
    for mark in marks:
        if deadline.left() < _DAY_SECONDS:
            outcomes.append("postponed")
            break
        kind, day = cast("tuple[Kind, str]", mark.name)
        try:
            outcomes.append(days.work_off(mark, settle_ms, partial(compute_day, kind, day, metrics)))
        except Overtaken:  # whoever read later takes the mark away, or leaves it to the next run
            outcomes.append("overtaken")
        except Exception as error:  # one day holds up no other
            line = {"tenant_id": tenant_id, "kind": kind, "day": day, "error": type(error).__qualname__}
            unreadable = {"incident_id": error.incident_id} if isinstance(error, UnreadableIncident) else {}
            logger.error("day failed", extra=line | unreadable)
            outcomes.append("failed")
    return outcomes


def compute_day(kind: Kind, day: str, metrics: MetricRepository, read_from: int) -> None:
    """Replace a day's buckets, of the tenant and of each application, by what its incidents are now.

    ``read_from`` is a moment before now, in milliseconds since 1970. Raises Overtaken, or Busy.
    """
    totals = tally.totals_by_group(kind, metrics.incidents(kind, day))
    apps = frozenset(group.app for group in totals if group.app is not None)
    for app in (*metrics.take_day(kind, day, read_from, apps), None):
        chunks = tally.to_chunks({group: total for group, total in totals.items() if app in (None, group.app)})
        metrics.replace(app, kind, day, read_from, chunks)
