"""GET /api/v1/grc/incidents/{incident_id}/findings: list the findings of an incident, newest last."""

# The OpenAPI document takes method and path from the docstring above.
from incidents import evidence
from incidents.edges import http, parameters, responses
from incidents.edges.request import Request
from incidents.edges.responses import Response
from incidents.storage.evidence_reader import EvidenceReader


@http.operation(scope="incidents:read", has_parameters=True)
def handler(request: Request) -> Response:
    return responses.page(
        evidence.list_incident_findings(
            request.incident_id, parameters.changes_request(request.parameters), request.reach(EvidenceReader)
        )
    )
