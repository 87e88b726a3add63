"""GET /api/v1/grc/incidents/metrics: get MTTD, MTTR and time to contain for a window of days."""

# The OpenAPI document takes method and path from the docstring above.
from incidents.domain.metric_answer import get_incident_metrics
from incidents.edges import http, parameters, responses
from incidents.edges.request import Request
from incidents.edges.responses import Response
from incidents.storage.metric_repository import MetricRepository


@http.operation(scope="incidents:read", has_parameters=True)
def handler(request: Request) -> Response:
    window = parameters.metrics_window(request.parameters)
    return responses.metrics(get_incident_metrics(window, request.reach(MetricRepository)))
