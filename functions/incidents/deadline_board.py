"""Read the board of deadlines: the incidents with open stages, in the order of their soonest stages.

This module must load neither pydantic nor the rules, because they would slow down the start.
"""

from .domain import json_text, wire_form
from .domain.errors import MalformedRequest
from .domain.questions import BoardRequest
from .domain.wire_form import JsonPage
from .storage import cursor
from .storage.board_reader import BoardReader

_ABOUT = "list_deadlines"


def list_deadlines(request: BoardRequest, board: BoardReader) -> JsonPage:
    """Return a page of the board, or the entries of the incidents that the request names.

    Raises MalformedRequest if the cursor does not belong to this list, or if the entries of the named incidents do not
    fit into one answer. Raises Busy.
    """
    if request.incident_ids:
        entries = [*map(json_text.dumps, board.of_incidents(request.incident_ids, request.as_of))]
        if len(wire_form.cut(entries, entries, None)[0]) < len(entries):
            raise MalformedRequest("The entries of these incidents are too long for one answer. Name fewer incidents.")
        return JsonPage(entries, None)
    about = (_ABOUT, request.filters.canonical())
    after = cursor.unseal(request.cursor, board.identity, *about) if request.cursor is not None else ""
    page = board.page(request.filters, request.limit, after, request.as_of)
    documents, position = wire_form.cut([*map(json_text.dumps, page.entries)], page.positions, page.position)
    return JsonPage(documents, position and cursor.seal(position, board.identity, *about))
