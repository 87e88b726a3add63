"""Change an incident: read it, alter it, and write it if nobody else has changed the incident meanwhile."""

import time
from collections.abc import Callable

from ..domain import model, timestamps
from ..domain.errors import Busy, PreconditionFailed
from ..domain.model import Change, Incident
from ..domain.questions import Expected
from ..domain.wire_form import check_size
from ..runtime import deadline
from ..storage.incident_repository import ExtraWrite, IncidentRepository, StaleVersion
from ..storage.stored_form import Stored

_UPDATES_TRIED = 8


def change_incident(
    incident_id: str,
    alter: Callable[[Incident, str], Incident],
    expected: Expected | None,
    incidents: IncidentRepository,
    *extra_writes: ExtraWrite,
    evidence: str | None = None,
) -> Stored:
    """Read an incident, alter it, and write it if nobody else has changed the incident since. Try up to eight times.

    ``expected`` has the versions that the caller allows to be changed. None allows any version. ``alter`` gets the
    current incident and the time of the attempt, and returns the new incident. ``extra_writes`` are stored in the same
    transaction. If the new incident equals the current incident, only ``extra_writes`` are stored, under the same
    condition. The change names ``evidence``, the SHA-256 of an event. Raises NotFound, PreconditionFailed,
    IncidentTooLarge or Busy.
    """
    for attempt in range(_UPDATES_TRIED):
        stored = incidents.get(incident_id)
        if expected is not None and stored.version not in expected.versions:
            raise PreconditionFailed(stored.version, weak=expected.has_weak)
        before, now = stored.incident, timestamps.from_milliseconds(time.time_ns() // 1_000_000)
        after = alter(before, now)
        changes = model.changed_values(before, after)
        try:
            if not changes:
                if extra_writes:
                    incidents.write(*extra_writes, incidents.unchanged_check(stored))
                return stored
            by = incidents.identity.subject
            after["updated_at"], after["updated_by"] = max(now, before["updated_at"]), by
            after["version"] = before["version"] + 1
            if before["is_deleted"] != after["is_deleted"]:
                after["deleted_at"], after["deleted_by"] = (
                    (after["updated_at"], by) if after["is_deleted"] else (None, None)
                )
                changes = model.changed_values(before, after)
            check_size(after)
            action = model.action(before, after)
            change = Change(after["version"], after["updated_at"], by, action, changes, evidence=evidence)
            return incidents.update(stored, after, change, *extra_writes)
        except StaleVersion:
            if attempt == _UPDATES_TRIED - 1:
                break
            deadline.pause(attempt, first=0.05)
    raise Busy
