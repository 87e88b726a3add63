"""GET /api/v1/grc/incidents/metrics: MTTD, MTTR and time to contain of a window of days."""

from incidents import queries
from incidents.edges import http, parameters, responses
from incidents.edges.request import Request
from incidents.edges.responses import Response
from incidents.storage.metric_repository import MetricRepository


@http.operation(scope="incidents:read")
def handler(request: Request) -> Response:
    return responses.metrics(
        queries.get_incident_metrics(parameters.metrics_window(request.parameters), request.reach(MetricRepository))
    )
