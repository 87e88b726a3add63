"""PATCH /api/v1/grc/incidents/{incident_id}: change an incident with a JSON Merge Patch, or restore it."""

# The OpenAPI document takes method and path from the docstring above.
from incidents.commands import updating
from incidents.edges import http, responses
from incidents.edges.request import Request
from incidents.edges.responses import Response
from incidents.storage.incident_repository import IncidentRepository
from incidents.storage.settings import settings_of_caller


@http.operation(scope="incidents:write")
def handler(request: Request) -> Response:
    return responses.incident(
        updating.update_incident(
            request.incident_id,
            request.merge_patch,
            request.if_match,
            request.reach(IncidentRepository),
            request.reach(settings_of_caller),
        )
    )
