"""GET /api/v1/grc/incidents/{incident_id}: get one incident."""

# The OpenAPI document takes method and path from the docstring above.
from incidents.edges import http, responses
from incidents.edges.request import Request
from incidents.edges.responses import Response
from incidents.storage.incident_repository import IncidentRepository


@http.operation(scope="incidents:read")
def handler(request: Request) -> Response:
    known = request.known_versions
    return responses.incident_or_304(request.reach(IncidentRepository).get(request.incident_id), known)
