"""GET /api/v1/grc/incidents/{incident_id}: one incident."""

from incidents import http_api, queries


@http_api.operation(scope="incidents:read")
def handler(request: http_api.Request) -> http_api.Response:
    return http_api.incident_unless_known(request, queries.get_incident(request.incident_id, request.incidents))
