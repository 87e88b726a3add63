"""GET /api/v1/grc/incidents/metrics: MTTD, MTTR and time to contain of a window of days."""

from incidents import http_api
from incidents.metrics import queries


@http_api.operation(scope="incidents:read")
def handler(request: http_api.Request) -> http_api.Response:
    return http_api.metrics(queries.get_incident_metrics(request.parameters, request.metrics))
