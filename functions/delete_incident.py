"""DELETE /api/v1/grc/incidents/{incident_id}: delete an incident softly."""

from incidents import commands, http_api


@http_api.operation(scope="incidents:write")
def handler(request: http_api.Request) -> http_api.Response:
    return http_api.deleted(commands.delete_incident(request.incident_id, request.if_match, request.incidents))
