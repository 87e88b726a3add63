"""Compute the deadlines of an incident and, on request, the due dates after each of its changes.

This module loads the rules and the arithmetic. Only functions that show deadlines import this module.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from .domain.deadlines import assessment, history, rules
from .domain.model import Change, Incident
from .runtime import deadline
from .storage.incident_repository import IncidentRepository
from .storage.settings import DEADLINES, TenantSettings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HISTORY_SECONDS = 6.0  # if less time is left, the history leaves out older changes


def get_incident_deadlines(
    incident_id: str, has_history: bool, incidents: IncidentRepository, settings: TenantSettings
) -> dict[str, Any]:
    """Return the deadlines of an incident at the present moment. Raises NotFound or Busy.

    The incident and the tenant's settings are read consistently. With ``has_history``, the answer also lists the due
    dates that the newest ``history.CHANGES`` changes of the trail moved, or fewer changes if the time is short. It also
    says whether the trail has older changes.
    """
    incident = incidents.get(incident_id).incident
    held = read_settings(settings)
    now = _EPOCH + timedelta(milliseconds=time.time_ns() // 1_000_000)
    answer = {"incident_id": incident_id, "version": incident["version"]}
    answer |= assessment.deadlines(assessment.known(incident), held, now)
    if has_history:
        after = max(0, incident["version"] - history.CHANGES)
        answer["history"], since = history.due_history(
            incident, _trail(incident, after, incidents), held, now, lambda: deadline.left() > _HISTORY_SECONDS
        )
        answer["history_since_version"], answer["history_is_partial"] = since, since > 1
    return answer


def read_settings(settings: TenantSettings) -> rules.Settings:
    """Return a tenant's settings of deadlines, or the defaults if the tenant has none. Raises Busy."""
    stored = settings.read(DEADLINES)
    return rules.Settings() if stored is None else rules.read(stored.value)._replace(version=stored.version)


def _trail(incident: Incident, after: int, incidents: IncidentRepository) -> Iterator[Change]:
    """Yield the changes of an incident after the version ``after``, oldest first, up to the incident's version."""
    while after < incident["version"]:
        changes, _ = incidents.changes(incident["id"], incident["version"] - after, after)
        if not changes:
            return
        yield from changes
        after = changes[-1].version
