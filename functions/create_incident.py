"""POST /api/v1/grc/incidents: create an incident."""

# The OpenAPI document takes method and path from the docstring above.
from incidents.commands import creating
from incidents.edges import http, responses
from incidents.edges.request import Request
from incidents.edges.responses import Response
from incidents.storage.incident_repository import IncidentRepository
from incidents.storage.settings import settings_of_caller


@http.operation(scope="incidents:write")
def handler(request: Request) -> Response:
    return responses.created(
        creating.create_incident(
            request.json,
            request.reach(IncidentRepository),
            request.idempotency_key,
            settings=request.reach(settings_of_caller),
        )
    )
