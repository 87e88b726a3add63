"""What reads incidents, and their changes. No pydantic: a read starts and answers without it."""

import json

from .domain import wire_form
from .domain.questions import ChangesRequest, ListRequest
from .domain.wire_form import JsonPage
from .storage import cursor
from .storage.incident_repository import IncidentRepository

# As the answer travels from Lambda, which allows 6 MB: a JSON text inside a JSON envelope, which older runtimes escape
# to ASCII. One control character of an incident becomes seven there.
PAGE_BYTES = 4_000_000
_LONGEST = 12  # bytes there of one character: a pair of surrogates, each escaped


def list_incidents(request: ListRequest, incidents: IncidentRepository) -> JsonPage:
    """Return a page of incidents. Raises MalformedRequest for a cursor that is not one of this list."""
    about = ("list_incidents", request.filters.canonical(), "desc" if request.newest_first else "asc")
    after = cursor.unseal(request.cursor, incidents.identity, *about) if request.cursor is not None else None
    page = incidents.page(request.filters, request.limit, newest_first=request.newest_first, after=after)
    ids = [incident["id"] for incident in page.incidents]
    documents, position = _cut([*map(wire_form.dump_incident, page.incidents)], ids, page.position)
    return JsonPage(documents, position and cursor.seal(position, incidents.identity, *about))


def list_incident_changes(incident_id: str, request: ChangesRequest, incidents: IncidentRepository) -> JsonPage:
    """Return a page of an incident's changes, oldest first.

    Raises NotFound, or MalformedRequest for a cursor that is not one of this list.
    """
    about = ("list_incident_changes", incident_id)
    after = int(cursor.unseal(request.cursor, incidents.identity, *about)) if request.cursor is not None else 0
    changes, more = incidents.changes(incident_id, request.limit, after)
    versions = [str(change.version) for change in changes]
    documents, position = _cut([*map(wire_form.dump_change, changes)], versions, versions[-1] if more else None)
    return JsonPage(documents, position and cursor.seal(position, incidents.identity, *about))


def _cut(documents: list[str], positions: list[str], last: str | None) -> tuple[list[str], str | None]:
    """Return as many documents as one answer can carry, and the position behind which to go on: ``last`` for all."""
    if _LONGEST * sum(map(len, documents)) <= PAGE_BYTES:  # as nearly always
        return documents, last
    carried: list[str] = []
    size = 0
    for document in documents:
        size += len(json.dumps(document))
        if carried and size > PAGE_BYTES:
            return carried, positions[len(carried) - 1]
        carried.append(document)
    return carried, last
