"""GET /api/v1/grc/incidents/updates: list the incidents that changed, in the order of their last changes."""

# The OpenAPI document takes method and path from the docstring above.
from incidents import feed
from incidents.edges import http, parameters, responses
from incidents.edges.request import Request
from incidents.edges.responses import Response
from incidents.storage.feed_reader import FeedReader


@http.operation(scope="incidents:read", has_parameters=True)
def handler(request: Request) -> Response:
    return responses.page(
        feed.list_incident_updates(parameters.updates_request(request.parameters), request.reach(FeedReader))
    )
