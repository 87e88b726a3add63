"""What reads incidents. No pydantic: a read starts and answers without it."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import NamedTuple

from . import keys
from .errors import MalformedRequest, NotFound
from .items import Stored
from .model import Incident
from .repository import IncidentRepository

LIMIT_DEFAULT, LIMIT_MAX = 50, 100
LIST_PARAMETERS = ("limit", "cursor", "order")


class IncidentList(NamedTuple):
    """One page of a list; ``next_cursor`` is None on the last."""

    items: list[Incident]
    next_cursor: str | None


def get_incident(incident_id: str, incidents: IncidentRepository) -> Stored:
    """Return one incident. Raises NotFound, also for an id of another form."""
    if not keys.INCIDENT_ID.fullmatch(incident_id):
        raise NotFound
    return incidents.get(incident_id)


def list_incidents(parameters: Mapping[str, list[str]], incidents: IncidentRepository) -> IncidentList:
    """Return a page of the incidents that are not deleted: ``limit`` 1 to 100, ``order`` desc or asc, ``cursor``.

    Raises MalformedRequest, which names the parameter and what would be right.
    """
    for name, values in parameters.items():
        if name not in LIST_PARAMETERS:
            raise MalformedRequest(f"The parameter {name[:64]!a} must be one of {', '.join(LIST_PARAMETERS)}.")
        if len(values) > 1:
            raise MalformedRequest(f"The parameter {name} must be given once.")
    single = {name: values[0] for name, values in parameters.items()}
    limit, order = single.get("limit", str(LIMIT_DEFAULT)), single.get("order", "desc")
    if not re.fullmatch("[0-9]{1,3}", limit) or not 1 <= int(limit) <= LIMIT_MAX:
        raise MalformedRequest(f"The parameter limit must be a whole number from 1 to {LIMIT_MAX}.")
    if order not in ("asc", "desc"):
        raise MalformedRequest("The parameter order must be desc, newest first, or asc, oldest first.")
    after = _position(single["cursor"]) if "cursor" in single else None
    page = incidents.page(int(limit), newest_first=order == "desc", after=after)
    return IncidentList(page.incidents, _cursor(page.incidents[-1]["id"]) if page.more else None)


def _cursor(incident_id: str) -> str:
    """The cursor holds a position alone; tenant and application always come from the caller's identity."""
    return urlsafe_b64encode(incident_id.encode()).decode().rstrip("=")


def _position(cursor: str) -> str:
    try:
        position = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        position = ""
    # Base 64 has spare bits and tolerates foreign characters: only what encodes back to itself is a cursor of ours.
    if not keys.INCIDENT_ID.fullmatch(position) or _cursor(position) != cursor:
        raise MalformedRequest("The parameter cursor must be the next_cursor of an earlier page, unchanged.")
    return position
