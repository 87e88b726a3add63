"""Update the board of deadlines, and announce the deadlines that approach or were missed.

A run handles each marked incident, and each incident with an alert whose time has come:

    read head, incident, settings    compute    replace head, board row, alert    read again, publish    note, unmark
    ───────────●────────────────────────●────────────────────●──────────────────────────●──────────────────●──────▶

The board is correct even if no event can be published. An alert that was not published stays due for the next run.
After the publication, the run notes the alert in the head. If the run ends between the publication and the note, the
next run publishes the alert again, with the same deduplication key.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from itertools import takewhile
from typing import Any, NamedTuple

from .domain import timestamps
from .domain.deadlines import alerts, keeping, rules
from .domain.deadlines.alerts import MISSED, Alert, Watched
from .domain.errors import Busy, NotFound
from .domain.model import Change, Incident
from .incident_deadlines import read_settings
from .publishing import SCHEMA_VERSION, Announcement, put, to_entry
from .runtime import cloudwatch, deadline
from .runtime.log import logger
from .storage.deadline_repository import DeadlineRepository, DueAlert, DueAlerts, Head, Overtaken, StoredHead
from .storage.incident_repository import IncidentRepository
from .storage.marks import Mark, Marks
from .storage.settings import TenantSettings

_INCIDENT_SECONDS = 8.0  # the most time for one incident; if less time is left, a run starts no other incident
_AT_ONCE = 25  # the most marks or alerts of a tenant before the run handles those of other tenants
_TENANT_SECONDS, _LATER = 10.0, 1_000  # if a tenant has taken so many seconds, its tasks wait; at most so many wait
_TRIES = 4
_CHANGES_AT_ONCE, _PAGES = 100, 10  # the changes in a page of a trail, and the most pages


class Work(NamedTuple):
    """The repositories with which a run works for one tenant."""

    incidents: IncidentRepository
    settings: TenantSettings
    deadlines: DeadlineRepository


class NotPublished(Exception):
    """EventBridge refused events in every attempt. The alerts of these events stay due."""


Serving = Callable[[str], AbstractContextManager[Work]]


def announce_deadlines(marks: Marks, due: DueAlerts, serving: Serving) -> list[str]:
    """Handle the marked incidents and the due alerts of all tenants. Return one outcome for each mark and alert.

    The outcomes are ``computed``, ``announced`` (an alert was handled), ``overtaken`` (another run was faster), and
    ``failed``. If too little time is left, the last outcome is ``postponed``. Marks and alerts that are overtaken,
    failed or postponed stay for the next run. The outcome is also ``failed`` if the marks or the alerts cannot be read.
    """
    now = time.time_ns() // 1_000_000
    outcomes: list[str] = []
    oldest = now
    due_alerts = due.in_turns(timestamps.from_milliseconds(now), _AT_ONCE)
    tasks = _alternating(_readable(due_alerts, outcomes), _readable(marks.in_turns(_AT_ONCE), outcomes))
    spent: dict[str, float] = defaultdict(float)  # seconds by tenant
    for task in _slow_tenants_last(tasks, spent):
        if isinstance(task, Mark):
            oldest = min(oldest, task.since)
            handle: Callable[[], str] = partial(_handle_mark, task, marks, serving)
        else:
            oldest = min(oldest, timestamps.to_milliseconds(task.at))
            handle = partial(_handle_alert, task, serving)
        if deadline.left() < _INCIDENT_SECONDS:
            outcomes.append("postponed")
            break
        started = deadline.now()
        try:
            outcomes.append(handle())
        except Overtaken:
            outcomes.append("overtaken")
        except Exception as error:  # a failed incident must not block the other incidents
            incident_id = task.name[0] if isinstance(task, Mark) else task.incident_id
            line = {"tenant_id": task.tenant_id, "incident_id": incident_id, "error": type(error).__qualname__}
            logger.error("incident failed", extra=line)
            outcomes.append("failed")
        spent[task.tenant_id] += deadline.now() - started
    cloudwatch.gauge("OldestDeadlineMarkMinutes", (now - oldest) // 60_000)
    return outcomes


def _readable(tasks: Iterator[Any], outcomes: list[str]) -> Iterator[Any]:
    """Yield the tasks until the table refuses a read. A refused read of the alerts must not stop the marks."""
    try:
        yield from tasks
    except Busy:
        logger.error("the marks or the alerts cannot be read")
        outcomes.append("failed")


def _alternating(first: Iterator[DueAlert], second: Iterator[Mark]) -> Iterator[DueAlert | Mark]:
    """Yield the items of two iterators in turn, and then the other items of the longer iterator.

    So a large number of alerts does not delay the marks, and a large number of marks does not delay the alerts.
    """
    waiting: list[Iterator[Any]] = [first, second]
    while waiting:
        for iterator in list(waiting):
            try:
                yield next(iterator)
            except StopIteration:
                waiting.remove(iterator)


def _slow_tenants_last(tasks: Iterator[DueAlert | Mark], spent: Mapping[str, float]) -> Iterator[DueAlert | Mark]:
    """Yield the tasks. If a tenant has taken much time, its tasks wait until the other tenants' tasks are done.

    Otherwise, if DynamoDB throttles the calls for one tenant, a few of its incidents could take the whole run.
    """
    later: deque[DueAlert | Mark] = deque()
    for task in tasks:
        if spent[task.tenant_id] < _TENANT_SECONDS:
            yield task
            continue
        later.append(task)
        if len(later) > _LATER:
            yield later.popleft()
    yield from later


def _handle_mark(mark: Mark, marks: Marks, serving: Serving) -> str:
    def compute(now: int) -> None:
        with serving(mark.tenant_id) as work:
            _follow(mark.name[0], work, now, repairs=True)

    # The job reads the incident consistently, so it need not wait after the mark was set.
    return marks.work_off(mark, 0, compute)


def _handle_alert(alert: DueAlert, serving: Serving) -> str:
    with serving(alert.tenant_id) as work:
        _follow(alert.incident_id, work, time.time_ns() // 1_000_000, alert.at)
    return "announced"


def _follow(incident_id: str, work: Work, now: int, alert_at: str | None = None, *, repairs: bool = False) -> None:
    """Replace the items for an incident's deadlines, and announce the alerts that are due.

    ``alert_at`` is the time of an alert that the run found. With ``repairs``, the items are also written if nothing has
    changed. Raises Overtaken after several attempts, NotPublished, Busy, or the error of an unreadable item.
    """
    for _ in range(_TRIES):
        # Read the head before the incident. Otherwise, an old version of the incident could replace a newer head.
        before = work.deadlines.head(incident_id)
        incident = _read(incident_id, work)
        watched, head = _computed(incident, before, work, now)
        try:
            before = work.deadlines.replace(incident_id, before, head, alert_at, repairs=repairs)
            due = alerts.due(head.kept, watched, now) if head else []
            if not due or head is None or incident is None:
                return
            newest = _read(incident_id, work)
            if newest is None or newest["version"] != incident["version"]:
                continue  # somebody has changed the incident, and may have recorded the submission
            published = _publish(incident, due)
            kept = alerts.with_done(head.kept, published)
            work.deadlines.replace(incident_id, before, _with_kept(head, kept, watched))
        except Overtaken:
            continue
        if len(published) < len(due):
            raise NotPublished
        return
    raise Overtaken


def _computed(
    incident: Incident | None, before: StoredHead | None, work: Work, now: int
) -> tuple[list[Watched], Head | None]:
    """Return the dates to watch and the new head of an incident. The head is None if the incident needs no head."""
    if incident is None:
        return [], None
    settings = read_settings(work.settings)
    plan = keeping.plan(
        incident, settings, now, lambda: keeping.named_since(incident, _trail(incident, work.incidents), settings)
    )
    if plan.is_empty:
        return [], None
    watched = [*plan.watched]
    stored = before.head if before else None
    awaited_at = timestamps.to_milliseconds(stored.alert_at) if stored and stored.alert_at else None
    kept = alerts.remembered(stored.kept if stored else {}, watched, now, awaited_at)
    rules_version = rules.released()["rules_version"]
    head = Head(incident["version"], rules_version, incident.get("app_id"), plan.entry, plan.soonest, kept, None)
    return watched, _with_kept(head, kept, watched)


def _with_kept(head: Head, kept: dict[str, list[str]], watched: list[Watched]) -> Head:
    at = alerts.next_at(kept, watched)
    return head._replace(kept=kept, alert_at=None if at is None else timestamps.from_milliseconds(at))


def _read(incident_id: str, work: Work) -> Incident | None:
    try:
        return work.incidents.get(incident_id).incident
    except NotFound:
        return None


def _trail(incident: Incident, incidents: IncidentRepository) -> Iterator[Change]:
    """Yield the newest changes of an incident, up to 1 000, newest first."""
    before = incident["version"] + 1
    for _ in range(_PAGES):
        changes, more = incidents.changes(incident["id"], _CHANGES_AT_ONCE, 0, newest_before=before)
        yield from changes
        # DynamoDB may say that more follow after the last change. A query before version 1 would be refused.
        if not more or changes[-1].version == 1:
            return
        before = changes[-1].version


def _publish(incident: Incident, due: list[Alert]) -> list[Alert]:
    """Publish alerts in the order of their times. Return the alerts before the first alert that EventBridge refused.

    The next run publishes the other alerts again. If an alert is noted as done, all earlier alerts of its date count as
    done. So the job must not note an alert whose earlier alert was refused.
    """
    by_name = {alert.dedup_key(incident["id"]): alert for alert in due}
    failed = put({name: to_entry(announcement(incident, alert)) for name, alert in by_name.items()})
    return [*takewhile(lambda alert: alert.dedup_key(incident["id"]) not in failed, due)]


def announcement(incident: Incident, alert: Alert) -> Announcement:
    """Return the event of an alert, in the form of ``deadline_event.v1.json``."""
    watched, threshold = alert
    detail: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "incident_id": incident["id"],
        "version": incident["version"],
        "tenant_id": incident["tenant_id"],
        "app_id": incident.get("app_id"),
        "incident_number": incident["incident_number"],
        "status": incident["status"],
        "severity": incident["severity"],
        "regime": watched.regime,
        "stage": watched.stage,
        "kind": threshold.kind,
        "at": timestamps.from_milliseconds(threshold.at),
        "due_at": watched.date if watched.is_due else None,
        "projected_at": None if watched.is_due else watched.date,
        "deduplication_key": alert.dedup_key(incident["id"]),
    }
    is_missed = threshold.kind == MISSED
    return Announcement("IncidentDeadlineMissed" if is_missed else "IncidentDeadlineApproaching", detail)
