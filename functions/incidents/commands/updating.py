"""Change an incident with a merge patch, or restore it."""

from typing import Any, cast

from ..domain import model, payloads, reports
from ..domain.errors import IllegalTransition, IncidentDeleted, InvalidIncident
from ..domain.model import Incident
from ..domain.questions import Expected
from ..storage.incident_repository import IncidentRepository
from ..storage.settings import TenantSettings
from ..storage.stored_form import Stored
from . import own_rules
from .read_alter_write import change_incident


def update_incident(
    incident_id: str,
    body: object,
    expected: Expected | None,
    incidents: IncidentRepository,
    settings: TenantSettings | None = None,
) -> Stored:
    """Apply a JSON Merge Patch (RFC 7396) to an incident. Return the stored incident.

    ``settings`` are read only if the patch names reports.

    A field that the patch does not name keeps its value, even if another request changes the field concurrently.
    Raises NotFound, PreconditionFailed, IncidentDeleted, InvalidIncident, IllegalTransition, IncidentTooLarge or Busy.
    """
    known = own_rules.known_names(body, settings, is_patch=True)

    def patched(incident: Incident, now: str) -> Incident:
        given = payloads.patch(body, incident, known)
        if incident["is_deleted"] and given.get("is_deleted") is not False:
            raise IncidentDeleted
        after = cast("Incident", {**incident, **given})
        reports.derive(cast("dict[str, Any]", after), given, known, before=incident)
        # A newer release may have stored a status that this release does not know.
        allowed = model.ALLOWED_TRANSITIONS.get(incident["status"], ())
        if after["status"] not in (incident["status"], *allowed):
            raise IllegalTransition(incident["status"], after["status"], allowed)
        if violations := model.apply_rules(after, given, now, before=incident):
            raise InvalidIncident(violations)
        if payloads.same_json(incident["lessons_learned"], after["lessons_learned"]):
            after["lessons_learned"] = incident["lessons_learned"]
        return after

    return change_incident(incident_id, patched, expected, incidents)
