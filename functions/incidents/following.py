"""React to changes of incidents: write marks, and send metrics to CloudWatch.

The module marks the days whose metrics a change affects. It also marks the incident if the change affects its
deadlines. If the service seals histories, each change marks its tenant.
"""

import time
from collections import Counter, defaultdict
from math import inf
from typing import NamedTuple

from .domain import tally
from .domain.errors import Busy
from .domain.metric_definitions import KINDS, METRICS, Kind
from .domain.model import INCIDENT_ID, TENANT_ID
from .runtime import cloudwatch
from .runtime.log import logger
from .storage.marks import Marks
from .storage.metric_repository import to_facts
from .storage.stored_form import Item, Record

_CLOUDWATCH_NAMES = {"mttd": "MTTDMinutes", "mttr": "MTTRMinutes", "time_to_contain": "TimeToContainMinutes"}

_OF_DEADLINES = ("reportable_to", "regulatory_reports", "detected_at", "status", "is_deleted")
"""The attributes on which the deadlines of an incident and its place on the board depend."""

Place = tuple[str, Kind, str]  # tenant, kind, day


class _Contribution(NamedTuple):
    """The totals that one incident adds to a day."""

    place: Place
    totals: tally.Totals


class _News(NamedTuple):
    """The metrics that one change of an incident sends to CloudWatch."""

    sequence_number: int
    severity: str
    opened: bool
    ended: bool
    minutes: dict[str, int]
    properties: dict[str, str]


def follow_incidents(records: list[Record], days: Marks, deadlines: Marks, seals: Marks | None = None) -> set[str]:
    """Mark each day whose totals the records change, and each incident whose deadlines they change.

    If ``seals`` is given, also mark the tenants of the records. Return the sequence numbers of the records whose marks
    failed.

    The function also sends metrics to CloudWatch: an incident's minutes when they become known, and the opening and the
    end of an incident. A record's metrics are sent again only if the stream delivers the record again.

    An unreadable record is logged and counted in UnreadableRecords. It is not retried, because it would stay
    unreadable. An operator can rebuild the tenant's metrics and deadlines.
    """
    wanted: dict[Place, set[str]] = defaultdict(set)
    apps: dict[Place, set[str]] = defaultdict(set)
    incidents: dict[tuple[str, ...], set[str]] = defaultdict(set)
    tenants: dict[tuple[str, ...], set[str]] = defaultdict(set)
    failed: set[str] = set()
    news: list[_News] = []
    for record in records:
        try:
            record_news, places, incident = _news_of(record), _days_touched(record), _deadlines_touched(record)
            tenant_id = _tenant(record) if seals else ""
        except Exception as error:
            logger.error("unreadable record", extra={"error": type(error).__qualname__})
            continue
        news.append(record_news)
        for place, changed_apps in places.items():
            wanted[place].add(record.sequence_number)
            apps[place] |= changed_apps
        if incident is not None:
            incidents[incident].add(record.sequence_number)
        if tenant_id:
            tenants[tenant_id,].add(record.sequence_number)
    now = time.time_ns() // 1_000_000
    for place, numbers in wanted.items():
        try:
            days.mark(*place, now=now, apps=apps[place])
        except Busy:
            failed |= numbers
    due = [(deadlines, *item) for item in incidents.items()] + [(seals, *item) for item in tenants.items() if seals]
    for marks, name, numbers in due:
        try:
            marks.mark(*name, now=now)
        except Busy:
            failed |= numbers
    # The stream delivers the first failed record and all later records again. So send only the metrics of the records
    # before the first failed record.
    end = min(map(int, failed), default=inf)
    _tell_cloudwatch([record_news for record_news in news if record_news.sequence_number < end])
    if unreadable := len(records) - len(news):
        cloudwatch.count("UnreadableRecords", "operation", {"follow_incidents": unreadable})
    return failed


def _days_touched(record: Record) -> dict[Place, set[str]]:
    """Return the days whose totals a change affects, with the applications of the changed totals."""
    places: dict[Place, set[str]] = {}
    for kind in KINDS:
        before, after = _contribution(kind, record.old), _contribution(kind, record.new)
        if before != after:
            for contribution in filter(None, (before, after)):
                places[contribution.place] = {group.app for group in contribution.totals if group.app is not None}
    return places


def _deadlines_touched(record: Record) -> tuple[str, str] | None:
    """Return the tenant and the id of an incident if a change can affect its deadlines. Otherwise, return None.

    An incident has deadlines only if it names a regime.
    """
    old, new = record.old or {}, record.new or {}
    if not ("reportable_to" in old or "reportable_to" in new):
        return None
    if all(old.get(name) == new.get(name) for name in _OF_DEADLINES):
        return None
    item = new or old
    tenant_id, incident_id = item["tenant_id"]["S"], item["id"]["S"]
    if not (TENANT_ID.fullmatch(tenant_id) and INCIDENT_ID.fullmatch(incident_id)):
        raise ValueError("the item must have a valid `tenant_id` and `id`")
    return tenant_id, incident_id


def _tenant(record: Record) -> str:
    tenant_id: str = (record.new or record.old or {})["tenant_id"]["S"]
    if not TENANT_ID.fullmatch(tenant_id):
        raise ValueError("the item must have a valid `tenant_id`")
    return tenant_id


def _contribution(kind: Kind, item: Item | None) -> _Contribution | None:
    """Return the totals that an incident adds to its day of detection or closing, or None if it has no such day."""
    moment = f"{kind}_at"
    if item is None or moment not in item:
        return None
    place = (item["tenant_id"]["S"], kind, item[moment]["S"][:10])
    if not TENANT_ID.fullmatch(place[0]):
        raise ValueError("the item must have a valid `tenant_id`")
    return _Contribution(place, tally.totals_by_group(kind, [to_facts(item)]))


def _news_of(record: Record) -> _News:
    """Return the metrics that a change sends to CloudWatch."""
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
    for change in news:
        if change.minutes:
            cloudwatch.minutes(change.minutes, change.severity, **change.properties)
    cloudwatch.count("IncidentsOpened", "severity", Counter(change.severity for change in news if change.opened))
    cloudwatch.count("IncidentsEnded", "severity", Counter(change.severity for change in news if change.ended))


def _is_open(item: Item | None) -> bool:
    if item is None:
        return False
    facts = to_facts(item)
    return not tally.exclusion(facts) and facts.status != "closed"


def _newly_known(old: Item | None, new: Item) -> dict[str, int]:
    """Return the minutes that are known now and were unknown before this change, by CloudWatch metric."""
    after = to_facts(new)
    if tally.exclusion(after):
        return {}
    before = to_facts(old) if old else None
    known = {}
    for metric in METRICS:
        value = tally.minutes(metric, after)
        if value is not None and (before is None or tally.minutes(metric, before) is None):
            known[_CLOUDWATCH_NAMES[metric]] = value
    return known
