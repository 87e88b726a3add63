"""What can be said of a row without asking anybody: is it right, and which one is it?

The rules are the service's own: the modules that hold a caller to them are called here as there.
"""

import json
from hashlib import sha256
from typing import Any, NamedTuple, cast

from incidents.domain import json_text, model, payloads, wire_form
from incidents.domain.errors import IncidentTooLarge, InvalidIncident, Violation

from .rows import Row


class CheckedRow(NamedTuple):
    """One row that the service will take, unless its number is another's. ``given`` is in the forms of the model.

    ``key`` is the same for the same row of the same tenant, however it is written and wherever it stands.
    """

    row: Row
    given: dict[str, Any]
    key: str

    @property
    def fields(self) -> dict[str, Any]:
        """What the client sends."""
        lessons = self.given.get("lessons_learned")
        return self.given | ({} if lessons is None else {"lessons_learned": json_text.loads(lessons)})


def check(row: Row, now: str) -> dict[str, Any]:
    """Return what the row gives. Raises InvalidIncident, which names every value that breaks a rule."""
    if row.unreadable:
        raise InvalidIncident(list(row.unreadable))
    given = payloads.new_incident(row.body)
    incident = cast("model.Incident", model.unset_fields() | given)
    if violations := model.apply_rules(incident, given, now):
        raise InvalidIncident(violations)
    try:
        wire_form.check_size(incident)
    except IncidentTooLarge:
        raise InvalidIncident([Violation("", wire_form.SIZE_RULE)]) from None
    return given


def fingerprint(given: dict[str, Any], row: Row, tenant: str) -> bytes:
    """Return the same bytes for rows that say the same."""
    return sha256(json.dumps([tenant, payloads.fingerprint(given), row.is_deleted]).encode()).digest()


def key(fingerprint: bytes, nth: int) -> str:
    """Return the idempotency key of the nth row that says this: rows may repeat each other, and are two incidents."""
    return "import-" + sha256(fingerprint + nth.to_bytes(8)).hexdigest()
