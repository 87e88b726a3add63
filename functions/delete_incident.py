"""DELETE /api/v1/grc/incidents/{incident_id}: soft-delete an incident."""

# The OpenAPI document takes method and path from the docstring above.
from incidents.commands import deleting
from incidents.edges import http, responses
from incidents.edges.request import Request
from incidents.edges.responses import Response
from incidents.storage.incident_repository import IncidentRepository


@http.operation(scope="incidents:write")
def handler(request: Request) -> Response:
    return responses.deleted(
        deleting.delete_incident(request.incident_id, request.if_match, request.reach(IncidentRepository))
    )
