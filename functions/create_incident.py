"""POST /api/v1/grc/incidents: store a new incident."""

from incidents import commands, http_api


@http_api.operation(scope="incidents:write")
def handler(request: http_api.Request) -> http_api.Response:
    return http_api.created(commands.create_incident(request.json, request.incidents, request.idempotency_key))
