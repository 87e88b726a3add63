"""Build the answers of operations: incidents, pages, metrics, deadlines, and errors as problem documents (RFC 9457)."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..domain import errors, wire_form
from ..domain.errors import IncidentError
from ..domain.wire_form import JsonPage
from ..storage.stored_form import Created, Stored

STATUS_OF: dict[type[IncidentError], tuple[int, str]] = {
    errors.NotAuthenticated: (401, "Not authenticated"),
    errors.NotPermitted: (403, "Not permitted"),
    errors.NotFound: (404, "Not found"),
    errors.MalformedRequest: (400, "Malformed request"),
    errors.UnsupportedContent: (415, "Unsupported content"),
    errors.InvalidIncident: (422, "Invalid incident"),
    errors.IncidentTooLarge: (413, "Incident too large"),
    errors.NumberTaken: (409, "Number taken"),
    errors.IllegalTransition: (409, "Illegal transition"),
    errors.IncidentDeleted: (409, "Incident deleted"),
    errors.PreconditionFailed: (412, "Precondition failed"),
    errors.KeyReused: (422, "Key reused"),
    errors.CursorGone: (410, "Cursor gone"),
    errors.Busy: (503, "Busy"),
}
_MORE_HEADERS = {401: {"www-authenticate": "Bearer"}, 503: {"retry-after": "1"}}


class Response(NamedTuple):
    """An answer, before it is converted to the gateway's form."""

    status: int
    body: str
    headers: Mapping[str, str]
    incident_id: str | None = None


def created(made: Created) -> Response:
    """Return 201 with the incident, its location and its version. A replayed create has one more header."""
    answer = incident(made.stored)
    # The location is relative to the request's URL (RFC 9110 10.2.2), because only the caller knows the path's prefix.
    more = {"location": f"incidents/{made.stored.incident['id']}"}
    if made.replayed:
        more["idempotency-replayed"] = "true"
    return answer._replace(status=201, headers={**answer.headers, **more})


def incident(stored: Stored) -> Response:
    """Return 200 with an incident, and its version as a strong ETag."""
    headers = {"content-type": "application/json", "etag": f'"{stored.version}"'}
    return Response(200, wire_form.dump_incident(stored.incident), headers, stored.incident["id"])


def incident_or_304(stored: Stored, known: frozenset[int] | None) -> Response:
    """Return 304 if ``known`` has the incident's version, else 200 with the incident. None counts as every version."""
    answer = incident(stored)
    if known is None or stored.version in known:
        return answer._replace(status=304, body="", headers={"etag": answer.headers["etag"]})
    return answer


def deleted(stored: Stored) -> Response:
    """Return 204 for a deleted incident."""
    return Response(204, "", {}, stored.incident["id"])


def page(listed: JsonPage) -> Response:
    """Return 200 with one page of a list."""
    return Response(200, wire_form.dump_page(listed), {"content-type": "application/json"})


def metrics(answer: Mapping[str, Any]) -> Response:
    """Return 200 with the metrics of a window."""
    return Response(200, json.dumps(answer), {"content-type": "application/json"})


def deadlines(answer: Mapping[str, Any]) -> Response:
    """Return 200 with the deadlines of an incident."""
    return Response(200, json.dumps(answer), {"content-type": "application/json"}, answer["incident_id"])


def problem(error: IncidentError, request_id: str) -> Response:
    """Return the problem document (RFC 9457) of an error."""
    status, title = STATUS_OF[type(error)]
    return _problem_document(status, title, error.detail, request_id, error.members)


def unforeseen(request_id: str) -> Response:
    """Return the problem document of an unexpected error."""
    return _problem_document(
        500, "Internal error", "Something went wrong on our side. Report the request_id to the operators.", request_id
    )


def problem_type(title: str) -> str:
    """Return the URN of a problem type from its title."""
    return f"urn:problem-type:incidents:{title.lower().replace(' ', '-')}"


def _problem_document(
    status: int, title: str, detail: str, request_id: str, more: Mapping[str, Any] | None = None
) -> Response:
    document = {
        "type": problem_type(title),
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": request_id,
        **(more or {}),
    }
    # json.dumps escapes to ASCII. A detail may quote a caller's text that could not be encoded as UTF-8.
    return Response(
        status, json.dumps(document), {"content-type": "application/problem+json", **_MORE_HEADERS.get(status, {})}
    )
