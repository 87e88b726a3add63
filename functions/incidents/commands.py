"""What changes incidents. HTTP and event intake meet here: two doors, one command."""

from typing import Any, cast

from ulid import ULID

from . import drafts, json_text, model, timestamps
from .errors import Busy, IncidentTooLarge, InvalidIncident, NumberTaken
from .identity import Identity
from .items import Stored
from .model import Incident
from .repository import IncidentRepository

# A drawn number is taken only when somebody gave it before the counter was raised past it: a race that ends at once.
_NUMBERS_TRIED = 8


def create_incident(body: object, incidents: IncidentRepository) -> Stored:
    """Store a new incident from what a caller sent, with change 1 and its number, in one transaction.

    Raises InvalidIncident, IncidentTooLarge, NumberTaken (only for a number that the caller gave) or Busy; after each
    of them nothing is stored, except that a drawn number may be left unused.
    """
    given = drafts.new_incident(body)
    incident = _begin(given, incidents.identity)
    if violations := model.settle(incident, given, now=incident["created_at"]):
        raise InvalidIncident(violations)
    year = int(incident["created_at"][:4])
    number = given.get("incident_number")
    incident["incident_number"] = number or model.generated_number(year, 0)  # a stand-in until one is drawn
    if len(json_text.dump_incident(incident).encode()) > model.DOCUMENT_BYTES:
        raise IncidentTooLarge(f"The incident must be at most {model.DOCUMENT_BYTES // 1024} KiB as JSON.")

    if number:
        if counted := model.counted(number):
            incidents.raise_count(*counted)
        return incidents.create(incident)
    for _ in range(_NUMBERS_TRIED):
        incident["incident_number"] = model.generated_number(year, incidents.next_count(year))
        try:
            return incidents.create(incident)
        except NumberTaken:
            continue
    raise Busy


def _begin(given: dict[str, Any], identity: Identity) -> Incident:
    """Return the caller's values under the server's stamps. The id and ``created_at`` are one and the same moment."""
    ulid = ULID()
    now = timestamps.from_milliseconds(ulid.milliseconds)
    stamps = {
        "id": f"inc_{ulid}",
        "tenant_id": identity.tenant_id,
        "created_at": now,
        "updated_at": now,
        "created_by": identity.subject,
        "updated_by": identity.subject,
        "schema_version": model.SCHEMA_VERSION,
    }
    if identity.app_id is not None:
        stamps["app_id"] = identity.app_id
    return cast("Incident", model.blank() | given | stamps)
