"""Send one row of an import to the API. The row's incident is created or is already there, or the row fails.

For 24 hours, the row's idempotency key prevents a second incident. After 24 hours, only the row's number prevents a
second incident, if the row has a number. The API then answers that the number is taken, and this module compares the
row with the incident that has the number. The functions keep no state, so threads may call them at the same time.
"""

import time
from datetime import datetime
from typing import Any, Literal, NamedTuple

from grc_client import ApiError, BadRequest, Conflict, GrcError, Incident, NotFound, TooLarge, ValidationError
from grc_client.incidents import Incidents
from incidents.domain import json_text, model, payloads
from incidents.domain.errors import Violation

from .checking import CheckedRow
from .repairing import repair

_LOOKS = 5  # the attempts to find the incident that has a number, because a list is eventually consistent
_PAUSE = 0.2  # seconds between two tries


class Outcome(NamedTuple):
    """The result of sending a row. A failure has its ``violations``, and the ``request_id`` of the failed request."""

    kind: Literal["created", "already_there", "failed"]
    incident_id: str | None = None
    violations: tuple[Violation, ...] = ()
    request_id: str | None = None


class Stopped(Exception):
    """The API cannot be used now for any row. ``line`` is the row's line, and ``why`` is the client's error."""

    def __init__(self, line: int, why: GrcError) -> None:
        super().__init__(str(why))
        self.line, self.why = line, why


def send(incidents: Incidents, checked: CheckedRow, made: str | None, began: datetime) -> Outcome:
    """Create the row's incident unless it exists already, and return the outcome.

    ``made`` is the id of the incident that an earlier import recorded for the row, or None. ``began`` is the time at
    which this import began to send. An incident that is younger counts as created: the client may send a create again,
    and the API then answers with the incident of the first attempt. Raises Stopped for an error
    of the API that is not the fault of this row.
    """
    try:
        if made is not None and _is_there(incidents, made):
            return Outcome("already_there", made)
        return _create(incidents, checked, began)
    except GrcError as error:
        raise Stopped(checked.row.line, error) from None


def _is_there(incidents: Incidents, incident_id: str) -> bool:
    try:
        incidents.get(incident_id)
    except NotFound:
        return False
    return True


def _create(incidents: Incidents, checked: CheckedRow, began: datetime) -> Outcome:
    try:
        incident = incidents.create(idempotency_key=checked.key, **checked.fields)
    except Conflict as taken:
        return _compared(incidents, checked, taken)
    except (BadRequest, TooLarge, ValidationError) as refused:
        return _failed(refused)
    if checked.row.is_deleted and _is_untouched(incident):
        incidents.delete(incident.id)
    is_old = incident.replayed and incident.created_at < began
    return Outcome("already_there" if is_old else "created", incident.id)


def _compared(incidents: Incidents, checked: CheckedRow, taken: Conflict) -> Outcome:
    """Return the outcome of a row whose number is taken: ``already_there`` if its incident has the row's values.

    The incident may have further values, because the service or people may have set them after an earlier import.
    """
    incident = _of_number(incidents, checked.given["incident_number"])
    if incident is None:
        return _failed(taken)
    others = differing(checked.given, incident)
    if not others and checked.row.is_deleted and _is_untouched(incident):
        incidents.delete(incident.id)  # an earlier import stopped after the create and before the delete
    elif checked.row.is_deleted != incident.is_deleted:
        others.append("is_deleted")
    if not others:
        return Outcome("already_there", incident.id)
    number = Violation("/incident_number", f"is taken by {incident.id}, which differs from this row")
    fields = (Violation(f"/{field}", f"has another value in {incident.id}") for field in others)
    return Outcome("failed", violations=(number, *fields), request_id=taken.request_id)


def _of_number(incidents: Incidents, number: str) -> Incident | None:
    """Return the incident that has an incident number, or None if the token cannot read the incident."""
    for attempt in range(_LOOKS):
        if attempt:
            time.sleep(_PAUSE)
        if listed := incidents.list(incident_number=number, include_deleted=True).items:
            return incidents.get(listed[0].id)
    return None


def _is_untouched(incident: Incident) -> bool:
    return not incident.is_deleted and incident.version == 1


def differing(given: dict[str, Any], incident: Incident) -> list[str]:
    """Return the names of the fields in ``given`` that have other values in the incident."""
    return [field for field in given if not _says_the_same(field, given, incident)]


def _says_the_same(field: str, given: dict[str, Any], incident: Incident) -> bool:
    value = getattr(incident, field)
    if field in model.JSON_TEXTS:
        return value is not None and payloads.same_json(given[field], json_text.dumps(value))
    # The API derives the minutes from two timestamps. If the row has both timestamps, ``check`` has already compared
    # the row's minutes with the timestamps. If the API itself set a timestamp, the derived minutes may differ
    # from the row's minutes.
    if field in model.DERIVED:
        start, end = model.MINUTES[field]
        return value == given[field] or None not in (getattr(incident, start), getattr(incident, end))
    if isinstance(value, datetime):
        value = value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    value = list(value) if isinstance(value, tuple) else value
    # An older incident may have characters that the repair removed from the row. A row may have a tag twice.
    return bool(given[field] == value or repair({field: given[field]}).body == repair({field: value}).body)


def _failed(refused: ApiError) -> Outcome:
    violations = tuple(Violation(*error) for error in refused.errors) or (Violation("", refused.detail),)
    return Outcome("failed", violations=violations, request_id=refused.request_id)
