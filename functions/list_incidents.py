"""GET /api/v1/grc/incidents: find incidents, page by page."""

from incidents import http_api, queries


@http_api.operation(scope="incidents:read")
def handler(request: http_api.Request) -> http_api.Response:
    return http_api.page(queries.list_incidents(request.parameters, request.incidents))
