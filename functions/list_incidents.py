"""GET /api/v1/grc/incidents: list the incidents that match filters, one page at a time."""

# The OpenAPI document takes method and path from the docstring above.
from incidents import queries
from incidents.edges import http, parameters, responses
from incidents.edges.request import Request
from incidents.edges.responses import Response
from incidents.storage.incident_repository import IncidentRepository


@http.operation(scope="incidents:read", has_parameters=True)
def handler(request: Request) -> Response:
    return responses.page(
        queries.list_incidents(parameters.list_request(request.parameters), request.reach(IncidentRepository))
    )
