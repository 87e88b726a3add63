"""Soft-delete an incident."""

from typing import cast

from ..domain.model import Incident
from ..domain.questions import Expected
from ..storage.incident_repository import IncidentRepository
from ..storage.stored_form import Stored
from .read_alter_write import change_incident


def delete_incident(incident_id: str, expected: Expected | None, incidents: IncidentRepository) -> Stored:
    """Soft-delete an incident. A second delete changes nothing. Raises NotFound, PreconditionFailed or Busy."""
    return change_incident(
        incident_id, lambda incident, _: cast("Incident", {**incident, "is_deleted": True}), expected, incidents
    )
