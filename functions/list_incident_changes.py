"""GET /api/v1/grc/incidents/{incident_id}/changes: who changed what and when, oldest first."""

from incidents import http_api, queries


@http_api.operation(scope="incidents:read")
def handler(request: http_api.Request) -> http_api.Response:
    return http_api.page(queries.list_incident_changes(request.incident_id, request.parameters, request.incidents))
