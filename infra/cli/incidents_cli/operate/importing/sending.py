"""Send one row to the API: the incident is created, is already there, or fails. Stateless, so threads may share it.

For 24 hours, the row's idempotency key keeps the row from being made twice. After that, its number does if it has one:
the API answers that the number is taken, and this module compares the row with the incident that has the number.
"""

import time
from datetime import datetime
from typing import Any, Literal, NamedTuple

from grc_client import ApiError, BadRequest, Conflict, GrcError, Incident, NotFound, TooLarge, ValidationError
from grc_client.incidents import Incidents
from incidents.domain import json_text, model, payloads
from incidents.domain.errors import Violation

from .checking import CheckedRow

_LOOKS = 5  # tries to find a number that was just taken: a list is eventually consistent
_PAUSE = 0.2  # seconds between two tries


class Outcome(NamedTuple):
    """The result of a row. ``violations`` are the reasons of a failure, and ``request_id`` names the failed request."""

    kind: Literal["created", "already_there", "failed"]
    incident_id: str | None = None
    violations: tuple[Violation, ...] = ()
    request_id: str | None = None


class Stopped(Exception):
    """The API cannot be used now for any row. ``line`` is the row's line, and ``why`` is the client's error."""

    def __init__(self, line: int, why: GrcError) -> None:
        super().__init__(str(why))
        self.line, self.why = line, why


def send(incidents: Incidents, checked: CheckedRow, made: str | None) -> Outcome:
    """Create the row's incident unless it exists; ``made`` is the id that an earlier import recorded for the row.

    Raises Stopped for an error that this row did not cause.
    """
    try:
        if made is not None and _is_there(incidents, made):
            return Outcome("already_there", made)
        return _create(incidents, checked)
    except GrcError as error:
        raise Stopped(checked.row.line, error) from None


def _is_there(incidents: Incidents, incident_id: str) -> bool:
    try:
        incidents.get(incident_id)
    except NotFound:
        return False
    return True


def _create(incidents: Incidents, checked: CheckedRow) -> Outcome:
    try:
        incident = incidents.create(idempotency_key=checked.key, **checked.fields)
    except Conflict as taken:
        return _compared(incidents, checked, taken)
    except (BadRequest, TooLarge, ValidationError) as refused:
        return _failed(refused)
    if checked.row.is_deleted and _is_untouched(incident):
        incidents.delete(incident.id)
    return Outcome("already_there" if incident.replayed else "created", incident.id)


def _compared(incidents: Incidents, checked: CheckedRow, taken: Conflict) -> Outcome:
    """Return the outcome if the number is taken: already there if the incident with the number equals the row."""
    incident = _of_number(incidents, checked.given["incident_number"])
    if incident is None:
        return _failed(taken)
    others = differing(checked.given, incident)
    if not others and checked.row.is_deleted and _is_untouched(incident):
        incidents.delete(incident.id)  # an import stopped between the create and the delete
    elif checked.row.is_deleted != incident.is_deleted:
        others.append("is_deleted")
    if not others:
        return Outcome("already_there", incident.id)
    number = Violation("/incident_number", f"is taken by {incident.id}, which differs from this row")
    fields = (Violation(f"/{field}", f"has another value in {incident.id}") for field in others)
    return Outcome("failed", violations=(number, *fields), request_id=taken.request_id)


def _of_number(incidents: Incidents, number: str) -> Incident | None:
    """Return the incident that has a number, or None if this token cannot read it."""
    for attempt in range(_LOOKS):
        if attempt:
            time.sleep(_PAUSE)
        if listed := incidents.list(incident_number=number, include_deleted=True).items:
            return incidents.get(listed[0].id)
    return None


def _is_untouched(incident: Incident) -> bool:
    return not incident.is_deleted and incident.version == 1


def differing(given: dict[str, Any], incident: Incident) -> list[str]:
    """Return the fields whose values in an incident differ from the row's. Fields that the row lacks do not count."""
    return [field for field in given if not _says_the_same(field, given, incident)]


def _says_the_same(field: str, given: dict[str, Any], incident: Incident) -> bool:
    value = getattr(incident, field)
    if field == "lessons_learned":
        return value is not None and payloads.same_json(given[field], json_text.dumps(value))
    if field in model.DERIVED:  # a row's own ends agree with its minutes; the API derives others from stamped ends
        start, end = model.MINUTES[field]
        return value == given[field] or None not in (getattr(incident, start), getattr(incident, end))
    if isinstance(value, datetime):
        value = value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return bool(given[field] == (list(value) if isinstance(value, tuple) else value))


def _failed(refused: ApiError) -> Outcome:
    violations = tuple(Violation(*error) for error in refused.errors) or (Violation("", refused.detail),)
    return Outcome("failed", violations=violations, request_id=refused.request_id)
