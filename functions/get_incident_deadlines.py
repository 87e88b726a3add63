"""GET /api/v1/grc/incidents/{incident_id}/deadlines: get the due dates of the reports about an incident."""

# The OpenAPI document takes method and path from the docstring above.
from incidents import incident_deadlines
from incidents.edges import http, parameters, responses
from incidents.edges.request import Request
from incidents.edges.responses import Response
from incidents.storage.incident_repository import IncidentRepository
from incidents.storage.settings import settings_of_caller


@http.operation(scope="incidents:read", has_parameters=True)
def handler(request: Request) -> Response:
    has_history = parameters.deadlines_request(request.parameters)
    return responses.deadlines(
        incident_deadlines.get_incident_deadlines(
            request.incident_id, has_history, request.reach(IncidentRepository), request.reach(settings_of_caller)
        )
    )
