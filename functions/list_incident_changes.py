"""GET /api/v1/grc/incidents/{incident_id}/changes: list the changes of an incident, oldest first."""

# The OpenAPI document takes method and path from the docstring above.
from incidents import queries
from incidents.edges import http, parameters, responses
from incidents.edges.request import Request
from incidents.edges.responses import Response
from incidents.storage.incident_repository import IncidentRepository


@http.operation(scope="incidents:read", has_parameters=True)
def handler(request: Request) -> Response:
    return responses.page(
        queries.list_incident_changes(
            request.incident_id, parameters.changes_request(request.parameters), request.reach(IncidentRepository)
        )
    )
