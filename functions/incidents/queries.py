"""What reads incidents. No pydantic: a read starts and answers without it."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from . import cursor, filters, json_text
from .errors import MalformedRequest
from .items import Stored
from .repository import IncidentRepository

# As the answer travels from Lambda, which allows 6 MB: a JSON text inside a JSON envelope, which older runtimes escape
# to ASCII. One control character of an incident becomes seven there.
PAGE_BYTES = 4_000_000
_LONGEST = 12  # bytes there of one character: a pair of surrogates, each escaped


class JsonPage(NamedTuple):
    """One page of a list, its items as JSON; ``next_cursor`` is None on the last."""

    items: list[str]
    next_cursor: str | None


def get_incident(incident_id: str, incidents: IncidentRepository) -> Stored:
    """Return one incident. Raises NotFound."""
    return incidents.get(incident_id)


def list_incidents(parameters: Mapping[str, list[str]], incidents: IncidentRepository) -> JsonPage:
    """Return a page of incidents, by the parameters that ``filters`` names.

    Raises MalformedRequest, which names the parameter and what would be right.
    """
    request = filters.from_parameters(parameters)
    about = ("list_incidents", request.filters.canonical(), "desc" if request.newest_first else "asc")
    after = cursor.unseal(request.cursor, incidents.identity, *about) if request.cursor is not None else None
    page = incidents.page(request.filters, request.limit, newest_first=request.newest_first, after=after)
    ids = [incident["id"] for incident in page.incidents]
    documents, position = _cut([*map(json_text.dump_incident, page.incidents)], ids, page.position)
    return JsonPage(documents, position and cursor.seal(position, incidents.identity, *about))


def list_incident_changes(
    incident_id: str, parameters: Mapping[str, list[str]], incidents: IncidentRepository
) -> JsonPage:
    """Return a page of an incident's changes, oldest first. Raises NotFound or MalformedRequest."""
    for name, values in parameters.items():
        if name not in ("limit", "cursor"):
            raise MalformedRequest(f"The parameter {name[:64]!a} is not known; known are limit, cursor.")
        if len(values) > 1:
            raise MalformedRequest(f"The parameter {name} must be given once.")
    limit = filters.limit(parameters.get("limit", [None])[0])
    about = ("list_incident_changes", incident_id)
    sent = parameters.get("cursor", [None])[0]
    after = int(cursor.unseal(sent, incidents.identity, *about)) if sent is not None else 0
    changes, more = incidents.changes(incident_id, limit, after)
    versions = [str(change.version) for change in changes]
    documents, position = _cut([*map(json_text.dump_change, changes)], versions, versions[-1] if more else None)
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
