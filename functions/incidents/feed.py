"""Read incidents by their last change, so that a caller can follow them. The feed never ends.

This module loads neither pydantic nor ``queries``, which would slow down the start.
"""

from hashlib import sha256

from .domain import wire_form
from .domain.errors import CursorGone
from .domain.questions import UpdatesRequest
from .domain.wire_form import JsonPage
from .storage import cursor
from .storage.feed_reader import FeedReader, Position

_ABOUT = "list_incident_updates"
_TABLE, _MOMENT = 8, 24  # the lengths of a table's mark and of a moment in a cursor's position
_ID = 30  # the length of an incident's id; without an id, blanks fill the place


def list_incident_updates(request: UpdatesRequest, updates: FeedReader) -> JsonPage:
    """Return a page of the incidents that changed, in the order of their last changes, deleted ones included.

    Each incident is in its current state. The page has a cursor even if nothing follows yet. Raises
    MalformedRequest if the cursor does not belong to the caller's updates, CursorGone if it belongs to another table,
    and Busy.
    """
    table = sha256(updates.table_name.encode()).hexdigest()[:_TABLE]
    after = Position(request.since, "")
    if request.cursor is not None:
        text = cursor.unseal(request.cursor, updates.identity, _ABOUT)
        if text[:_TABLE] != table:
            raise CursorGone
        after = Position(text[_TABLE : _TABLE + _MOMENT], text[_TABLE + _MOMENT :].rstrip())
    page = updates.page(after, request.until, request.limit)
    last, *places = (
        f"{table}{place.updated_at}{place.incident_id:<{_ID}}" for place in (page.position, *page.positions)
    )
    documents, place = wire_form.cut([*map(wire_form.dump_incident, page.incidents)], places, last)
    is_whole = len(documents) == len(page.incidents)
    return JsonPage(documents, cursor.seal(place or last, updates.identity, _ABOUT), is_whole and page.caught_up)
