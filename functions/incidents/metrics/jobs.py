"""The three jobs that keep the metrics true. To run any of them twice, late, or beside itself changes no number."""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from math import inf
from typing import NamedTuple

from .. import measures, timeouts
from ..errors import Busy
from ..items import Item
from ..keys import TENANT_ID
from ..observability import logger
from ..stream import Record
from . import tally
from .definitions import KINDS, METRICS, Kind
from .marked_days import Mark, MarkedDays
from .repository import MetricRepository, Overtaken, UnreadableIncident

_CLOUDWATCH_NAMES = {"mttd": "MTTDMinutes", "mttr": "MTTRMinutes", "time_to_contain": "TimeToContainMinutes"}
_DAY_SECONDS = 10.0  # what a large day takes at most; a run that has less left begins no other

Place = tuple[str, Kind, str]  # tenant, kind, day


class _Part(NamedTuple):
    place: Place
    rows: tally.Rows


class _News(NamedTuple):
    sequence_number: int
    severity: str
    opened: bool
    ended: bool
    minutes: dict[str, int]
    properties: dict[str, str]


def mark_metric_days(records: list[Record], days: MarkedDays) -> set[str]:
    """Mark the days that incidents left and entered; return the sequence numbers of records whose marks failed.

    An incident's minutes go to CloudWatch with the version in which they became known, and so do its opening and its
    end; once, unless the stream brings the record again. A record that cannot be read will not be readable later: it is
    counted as an error, and its tenant's metrics can be rebuilt.
    """
    wanted: dict[Place, set[str]] = defaultdict(set)
    failed: set[str] = set()
    news: list[_News] = []
    for record in records:
        try:
            told, places = _news(record), _places(record)
        except Exception as error:
            logger.error("unreadable record", extra={"error": type(error).__qualname__})
            continue
        news.append(told)
        for place in places:
            wanted[place].add(record.sequence_number)
    now = _now()
    for place, numbers in wanted.items():
        try:
            days.mark(*place, now)
        except Busy:
            failed |= numbers
    # From the first that failed, all come again.
    end = min(map(int, failed), default=inf)
    _tell_cloudwatch([one for one in news if one.sequence_number < end])
    if unreadable := len(records) - len(news):
        measures.count("UnreadableRecords", "operation", {"mark_metric_days": unreadable})
    return failed


def schedule_metrics(days: MarkedDays, send: Callable[[Iterable[str]], None]) -> int:
    """Send a message for each tenant that has marked days; return how many."""
    now = oldest = _now()
    tenants: dict[str, None] = {}
    for mark in days.all():
        tenants[mark.tenant_id] = None
        oldest = min(oldest, mark.since)
    send(tenants)
    measures.gauge("OldestMarkMinutes", (now - oldest) // 60_000)
    return len(tenants)


def compute_metrics(tenant_id: str, days: MarkedDays, metrics: MetricRepository, settle: int) -> list[str]:
    """Compute a tenant's marked days that had ``settle`` milliseconds for their index; return a word for each.

    A day that goes on being marked is computed all the same, and its mark stays until nothing new came for that long.
    """
    outcomes = []
    marks = list(days.of(tenant_id))
    random.shuffle(marks)  # what one run has no time for is not always the same
    for mark in marks:
        if timeouts.left() < _DAY_SECONDS:
            outcomes.append("postponed")
            break
        try:
            outcomes.append(_compute(mark, days, metrics, settle))
        except Exception as error:  # one day holds up no other
            line = {"tenant_id": tenant_id, "kind": mark.kind, "day": mark.day, "error": type(error).__qualname__}
            unreadable = {"incident_id": error.incident_id} if isinstance(error, UnreadableIncident) else {}
            logger.error("day failed", extra=line | unreadable)
            outcomes.append("failed")
    return outcomes


def _compute(mark: Mark, days: MarkedDays, metrics: MetricRepository, settle: int) -> str:
    read_from = _now()
    # A clock that was far ahead when it marked must not hold the day up until then.
    if abs(read_from - mark.since) < settle:
        return "settling"
    try:
        compute_day(mark.kind, mark.day, read_from, metrics)
    except Overtaken:  # whoever read later takes the mark away, or leaves it to the next run
        return "overtaken"
    if abs(read_from - mark.marked_at) < settle:
        days.defer(mark, read_from)
        return "unsettled"
    days.unmark(mark)
    return "computed"


def compute_day(kind: Kind, day: str, read_from: int, metrics: MetricRepository) -> None:
    """Replace a day's buckets, of the tenant and of each application, by what its incidents are now.

    ``read_from`` is a moment before now, in milliseconds since 1970. Raises Overtaken, or Busy.
    """
    rows = tally.rows(kind, metrics.incidents(kind, day))
    apps = frozenset(row.app for row in rows if row.app is not None)
    for app in (*metrics.take_day(kind, day, read_from, apps), None):
        parts = tally.to_parts({row: of for row, of in rows.items() if app in (None, row.app)})
        metrics.replace(app, kind, day, read_from, parts)


def _places(record: Record) -> set[Place]:
    """Return the days that a change touches; none where it makes no difference to what they add up to."""
    places: set[Place] = set()
    for kind in KINDS:
        before, after = _part_in(kind, record.old), _part_in(kind, record.new)
        if before != after:
            places |= {part.place for part in (before, after) if part}
    return places


def _part_in(kind: Kind, item: Item | None) -> _Part | None:
    """Return what an incident adds to its day of a kind, or None where it has no such day."""
    moment = f"{kind}_at"
    if item is None or moment not in item:
        return None
    place = (item["tenant_id"]["S"], kind, item[moment]["S"][:10])
    if not TENANT_ID.fullmatch(place[0]):
        raise ValueError("an incident of no tenant")
    return _Part(place, tally.rows(kind, [tally.seen(item)]))


def _news(record: Record) -> _News:
    """Return what CloudWatch is told of a change."""
    item = record.new or record.old or {}
    was_open, is_open = _is_open(record.old), _is_open(record.new)
    return _News(
        int(record.sequence_number),
        item["severity"]["S"] if "severity" in item else "none",
        opened=is_open and not was_open,
        ended=was_open and not is_open,
        minutes=_newly_known(record.old, record.new) if record.new else {},
        properties={"tenant_id": item["tenant_id"]["S"], "incident_id": item["id"]["S"]},
    )


def _tell_cloudwatch(news: list[_News]) -> None:
    for one in news:
        if one.minutes:
            measures.minutes(one.minutes, one.severity, **one.properties)
    measures.count("IncidentsOpened", "severity", Counter(one.severity for one in news if one.opened))
    measures.count("IncidentsEnded", "severity", Counter(one.severity for one in news if one.ended))


def _is_open(item: Item | None) -> bool:
    if item is None:
        return False
    one = tally.seen(item)
    return not tally.left_out(one) and one.status != "closed"


def _newly_known(old: Item | None, new: Item) -> dict[str, int]:
    """Return the minutes that an incident has since this version and had not before."""
    after = tally.seen(new)
    if tally.left_out(after):
        return {}
    before = tally.seen(old) if old else None
    known = {}
    for metric in METRICS:
        value = tally.minutes(metric, after)
        if value is not None and (before is None or tally.minutes(metric, before) is None):
            known[_CLOUDWATCH_NAMES[metric]] = value
    return known


def _now() -> int:
    return time.time_ns() // 1_000_000
