"""Storing a new incident: two doors, one command."""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from ulid import ULID

from ..domain import model, payloads, timestamps, wire_form
from ..domain.errors import Busy, InvalidIncident, KeyReused, NumberTaken
from ..domain.identity import Identity
from ..domain.model import Incident
from ..storage.incident_repository import IncidentRepository, KeyRecord, KeyReserved, Sighting
from ..storage.stored_form import Created, Stored

KEY_SECONDS = 24 * 3600  # how long an idempotency key is kept

# A drawn number is taken only when somebody gave it before the counter was raised past it: a race that ends at once.
_NUMBERS_TRIED = 8


class Origin(NamedTuple):
    """The finding that makes an incident: how it was known before, if it was, and where its dates were read."""

    finding_key: str
    before: Sighting | None
    seen_at: str
    page: int
    severity: str | None
    dates: Mapping[str, str]


def create_incident(
    body: object, incidents: IncidentRepository, idempotency_key: str | None = None, origin: Origin | None = None
) -> Created:
    """Store a new incident from what a caller sent, with change 1, its number and its key, in one transaction.

    The same key and body again, within 24 hours, return that same incident as it now stands. ``origin`` is the finding
    that makes it, where no person does; then SightingMoved says that another event of that finding was faster.
    Raises InvalidIncident, IncidentTooLarge, KeyReused or NumberTaken (only for a number that the caller gave), after
    which nothing is stored; or Busy, after which the incident may be there if the answer of the table was lost.
    """
    given = payloads.new_incident(body)
    incident = _begin(given, incidents.identity)
    record = None
    if idempotency_key is not None:
        now = timestamps.to_milliseconds(incident["created_at"]) // 1000
        record = KeyRecord(idempotency_key, payloads.fingerprint(given), now + KEY_SECONDS)
        # Before a number is drawn, and before any rule that depends on the moment.
        if earlier := _replay(record, now, incidents):
            return earlier
    if violations := model.apply_rules(incident, given, now=incident["created_at"]):
        raise InvalidIncident(violations)
    wire_form.check_size(incident)
    try:
        return Created(_store(incident, given, incidents, record, origin), replayed=False)
    except KeyReserved as reserved:  # by a request at the same time
        if record is not None and (earlier := _replay(record, now, incidents)):
            return earlier
        raise Busy from reserved


def _begin(given: dict[str, Any], identity: Identity) -> Incident:
    """Return the caller's values under the server's stamps. The id and ``created_at`` are one and the same moment."""
    ulid = ULID()
    now = timestamps.from_milliseconds(ulid.milliseconds)
    stamps = {
        "id": f"inc_{ulid}",
        "tenant_id": identity.tenant_id,
        "created_at": now,
        "updated_at": now,
        "created_by": identity.subject,
        "updated_by": identity.subject,
        "schema_version": model.SCHEMA_VERSION,
        "incident_number": given.get("incident_number"),  # until one is drawn
    }
    if identity.app_id is not None:
        stamps["app_id"] = identity.app_id
    return cast("Incident", model.unset_fields() | given | stamps)


def _store(
    incident: Incident,
    given: dict[str, Any],
    incidents: IncidentRepository,
    record: KeyRecord | None,
    origin: Origin | None,
) -> Stored:
    """Store under the given number, or under the next one that is free."""
    extra_writes = [incidents.reserve_key(record, incident)] if record else []
    if origin is not None:
        sighting = Sighting(incident["id"], origin.seen_at, frozenset({origin.page}), origin.severity)
        extra_writes.append(incidents.sighting_write(origin.finding_key, origin.before, sighting))
    dates = origin.dates if origin else None
    if number := given.get("incident_number"):
        if generated := model.parse_generated(number):
            incidents.raise_count(*generated)
        return incidents.create(incident, *extra_writes, dates=dates)
    year = int(incident["created_at"][:4])
    for _ in range(_NUMBERS_TRIED):
        incident["incident_number"] = model.generated_number(year, incidents.next_count(year))
        try:
            return incidents.create(incident, *extra_writes, dates=dates)
        except NumberTaken:
            continue
    raise Busy


def _replay(record: KeyRecord, now: int, incidents: IncidentRepository) -> Created | None:
    """Return what an earlier request with this key made, or None. Raises KeyReused if that was another request."""
    held = incidents.find_key(record.key, now)
    if held is None:
        return None
    if held.fingerprint != record.fingerprint:
        raise KeyReused
    return Created(incidents.get(held.incident_id), replayed=True)
