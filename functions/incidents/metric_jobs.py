"""The two jobs that keep the metrics current. The metrics stay correct if a job runs twice, late or concurrently.

Each UTC day has buckets of two kinds, ``detected`` and ``closed``. A bucket holds all values and counts of the day. A
job always computes a complete bucket from the day's incidents; it never increments a bucket.
"""

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import cast

from .domain import tally
from .domain.metric_definitions import KINDS, Kind
from .domain.questions import DAYS_MAX
from .runtime import cloudwatch, deadline
from .runtime.log import logger
from .storage.marks import Marks
from .storage.metric_repository import MetricRepository, Overtaken, UnreadableIncident

_DAY_SECONDS = 10.0  # the longest time for a large day; if less time is left, a run starts no other day
_MARKS_READ = 5_000  # the most marks that a run reads of a tenant, besides the marks of recent days
_AT_ONCE = 100  # after so many marks of a tenant, the schedule skips the tenant's other marks


def schedule_metrics(days: Marks, send: Callable[[Iterable[str]], None]) -> int:
    """Send one message for each tenant that has marked days. Return the number of these tenants.

    The messages are sent page by page. So if a run ends early, the tenants of the earlier pages have their messages.
    The gauge has the oldest of the first 100 marks of each tenant. Raises Busy.
    """
    now = oldest = time.time_ns() // 1_000_000
    tenants: set[str] = set()
    for page in days.by_tenant(_AT_ONCE):
        others = {mark.tenant_id for mark in page} - tenants
        send(others)
        tenants |= others
        oldest = min([oldest, *(mark.since for mark in page)])
    cloudwatch.gauge("OldestMarkMinutes", (now - oldest) // 60_000)
    return len(tenants)


def compute_metrics(tenant_id: str, days: Marks, metrics: MetricRepository, settle_ms: int) -> list[str]:
    """Compute the metrics of a tenant's marked days. Return one outcome for each handled mark, such as ``computed``.

    A day is computed only after it has been marked for ``settle_ms`` milliseconds, because the index needs this time to
    show the change. If the day was marked again within the last ``settle_ms``, it is computed but keeps its mark. So a
    later run computes the day again.

    If too little time is left for another day, the last outcome is ``postponed``. The remaining marks stay and have no
    outcomes. A run handles the marks of all recent days, and at most 5 000 others. The other marks also stay.
    """
    outcomes = []
    first, last = _recent_days()
    by_name = {mark.name: mark for mark in islice(days.of_tenant(tenant_id), _MARKS_READ)}
    if len(by_name) == _MARKS_READ:  # marks of recent days may be among those that were not read
        for each in KINDS:
            by_name |= {mark.name: mark for mark in days.of_tenant(tenant_id, (each, first), (each, last))}
    marks = [*by_name.values()]
    random.shuffle(marks)  # so that a run that ends early does not always postpone the same days
    # People look at recent days. So marks of thousands of old days do not delay these days.
    marks.sort(key=lambda mark: not first <= mark.name[-1] <= last)
    for mark in marks:
        if deadline.left() < _DAY_SECONDS:
            outcomes.append("postponed")
            break
        kind, day = cast("tuple[Kind, str]", mark.name)
        try:
            outcomes.append(days.work_off(mark, settle_ms, partial(compute_day, kind, day, metrics)))
        except Overtaken:  # another run read the incidents later, so that run decides about the mark
            outcomes.append("overtaken")
        except Exception as error:  # a failed day must not block the other days
            line = {"tenant_id": tenant_id, "kind": kind, "day": day, "error": type(error).__qualname__}
            unreadable = {"incident_id": error.incident_id} if isinstance(error, UnreadableIncident) else {}
            logger.error("day failed", extra=line | unreadable)
            outcomes.append("failed")
    return outcomes


def _recent_days() -> tuple[str, str]:
    """Return the first and the last day that are at most as far from today as the first day of the longest window."""
    today, distance = datetime.fromtimestamp(time.time_ns() / 1e9, UTC).date(), timedelta(days=DAYS_MAX)
    return str(today - distance), str(today + distance)


def compute_day(kind: Kind, day: str, metrics: MetricRepository, read_from: int) -> None:
    """Compute the buckets of a day from the day's current incidents, and replace the stored buckets.

    A day has one bucket for the tenant and one bucket for each application. ``read_from`` is a time before the
    incidents are read, in milliseconds since 1970. Raises Overtaken, UnreadableIncident or Busy.
    """
    totals = tally.totals_by_group(kind, metrics.incidents(kind, day))
    by_app: dict[str, tally.Totals] = defaultdict(dict)
    for group, total in totals.items():
        if group.app is not None:
            by_app[group.app][group] = total
    for app in metrics.take_day(kind, day, read_from, frozenset(by_app)):
        metrics.replace(app, kind, tally.to_bucket(day, read_from, by_app[app]))
    metrics.replace(None, kind, tally.to_bucket(day, read_from, totals))
