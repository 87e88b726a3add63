"""GET /api/v1/grc/incidents/deadlines: list the incidents with open deadlines, in the order of their dates."""

# The OpenAPI document takes method and path from the docstring above.
from incidents import deadline_board
from incidents.edges import http, parameters, responses
from incidents.edges.request import Request
from incidents.edges.responses import Response
from incidents.storage.board_reader import BoardReader


@http.operation(scope="incidents:read", has_parameters=True)
def handler(request: Request) -> Response:
    return responses.page(
        deadline_board.list_deadlines(parameters.board_request(request.parameters), request.reach(BoardReader))
    )
