"""Read the deadlines of an incident: its regimes, their clocks, and on request what each change made of the due dates.

This module loads the rules and the arithmetic. Only functions that show deadlines import it.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from .domain.deadlines import assessment, history, rules
from .domain.model import Change, Incident
from .storage.incident_repository import IncidentRepository
from .storage.settings import DEADLINES, TenantSettings

_PAGE = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def get_incident_deadlines(
    incident_id: str, has_history: bool, incidents: IncidentRepository, settings: TenantSettings
) -> dict[str, Any]:
    """Return the deadlines of an incident at the moment. Raises NotFound or Busy.

    The incident and the tenant's settings are read consistently. With ``has_history``, the trail is read, too.
    """
    incident = incidents.get(incident_id).incident
    held = read_settings(settings)
    now = _EPOCH + timedelta(milliseconds=time.time_ns() // 1_000_000)
    answer = {"incident_id": incident_id, "version": incident["version"]}
    answer |= assessment.deadlines(assessment.known(incident), held, now)
    if has_history:
        trail = [change for change in _trail(incident, incidents) if change.version <= incident["version"]]
        answer["history"] = history.due_history(incident, trail, held, now)
    return answer


def read_settings(settings: TenantSettings) -> rules.Settings:
    """Return a tenant's settings of deadlines, or the defaults without settings. Raises Busy."""
    stored = settings.read(DEADLINES)
    return rules.Settings() if stored is None else rules.parse(stored.value)


def _trail(incident: Incident, incidents: IncidentRepository) -> Iterator[Change]:
    """Yield all changes of an incident, oldest first."""
    after, has_more = 0, True
    while has_more:
        changes, has_more = incidents.changes(incident["id"], _PAGE, after)
        yield from changes
        after = changes[-1].version if changes else after
        has_more = has_more and bool(changes)
