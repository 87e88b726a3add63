"""Read incidents and their changes. This module must not load pydantic, which would slow down the start."""

import json

from .domain import wire_form
from .domain.questions import ChangesRequest, ListRequest
from .domain.wire_form import JsonPage
from .storage import cursor
from .storage.incident_repository import IncidentRepository

# Lambda limits an answer to 6 MB. The answer leaves Lambda as a JSON text inside a JSON envelope, and the limit is for
# this form. Older runtimes escape the envelope to ASCII, and then one control character takes seven bytes.
PAGE_BYTES = 4_000_000
_LONGEST = 12  # the most bytes that one character takes in this form: two escaped surrogates


def list_incidents(request: ListRequest, incidents: IncidentRepository) -> JsonPage:
    """Return a page of incidents. Raises MalformedRequest if the cursor does not belong to this list."""
    about = ("list_incidents", request.filters.canonical(), "desc" if request.newest_first else "asc")
    after = cursor.unseal(request.cursor, incidents.identity, *about) if request.cursor is not None else None
    page = incidents.page(request.filters, request.limit, newest_first=request.newest_first, after=after)
    ids = [incident["id"] for incident in page.incidents]
    documents, position = _cut([*map(wire_form.dump_incident, page.incidents)], ids, page.position)
    return JsonPage(documents, position and cursor.seal(position, incidents.identity, *about))


def list_incident_changes(incident_id: str, request: ChangesRequest, incidents: IncidentRepository) -> JsonPage:
    """Return a page of an incident's changes, oldest first.

    Raises NotFound, or MalformedRequest if the cursor does not belong to this list.
    """
    about = ("list_incident_changes", incident_id)
    after = int(cursor.unseal(request.cursor, incidents.identity, *about)) if request.cursor is not None else 0
    changes, more = incidents.changes(incident_id, request.limit, after)
    versions = [str(change.version) for change in changes]
    documents, position = _cut([*map(wire_form.dump_change, changes)], versions, versions[-1] if more else None)
    return JsonPage(documents, position and cursor.seal(position, incidents.identity, *about))


def _cut(documents: list[str], positions: list[str], last: str | None) -> tuple[list[str], str | None]:
    """Return the documents that fit into one answer, and the position after which the next page continues.

    The position is ``last`` if all documents fit.
    """
    if _LONGEST * sum(map(len, documents)) <= PAGE_BYTES:  # the usual case
        return documents, last
    carried: list[str] = []
    size = 0
    for document in documents:
        size += len(json.dumps(document))
        if carried and size > PAGE_BYTES:
            return carried, positions[len(carried) - 1]
        carried.append(document)
    return carried, last
