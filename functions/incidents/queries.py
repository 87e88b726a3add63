"""Read incidents and their changes. This module must not load pydantic, which would slow down the start."""

from .domain import wire_form
from .domain.questions import ChangesRequest, ListRequest
from .domain.wire_form import JsonPage
from .storage import cursor
from .storage.incident_repository import IncidentRepository


def list_incidents(request: ListRequest, incidents: IncidentRepository) -> JsonPage:
    """Return a page of incidents. Raises MalformedRequest if the cursor does not belong to this list."""
    about = ("list_incidents", request.filters.canonical(), "desc" if request.newest_first else "asc")
    after = cursor.unseal(request.cursor, incidents.identity, *about) if request.cursor is not None else None
    page = incidents.page(request.filters, request.limit, newest_first=request.newest_first, after=after)
    ids = [incident["id"] for incident in page.incidents]
    documents, position = wire_form.cut([*map(wire_form.dump_incident, page.incidents)], ids, page.position)
    return JsonPage(documents, position and cursor.seal(position, incidents.identity, *about))


def list_incident_changes(incident_id: str, request: ChangesRequest, incidents: IncidentRepository) -> JsonPage:
    """Return a page of an incident's changes, oldest first.

    Raises NotFound, or MalformedRequest if the cursor does not belong to this list.
    """
    about = ("list_incident_changes", incident_id)
    after = int(cursor.unseal(request.cursor, incidents.identity, *about)) if request.cursor is not None else 0
    changes, more = incidents.changes(incident_id, request.limit, after)
    versions = [str(change.version) for change in changes]
    documents, position = wire_form.cut(
        [*map(wire_form.dump_change, changes)], versions, versions[-1] if more else None
    )
    return JsonPage(documents, position and cursor.seal(position, incidents.identity, *about))
