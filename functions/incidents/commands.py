"""What changes incidents. HTTP and event intake meet here: two doors, one command."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from ulid import ULID

from . import drafts, json_text, model, timeouts, timestamps
from .errors import (
    Busy,
    IllegalTransition,
    IncidentDeleted,
    IncidentTooLarge,
    InvalidIncident,
    KeyReused,
    NumberTaken,
    PreconditionFailed,
)
from .identity import Identity
from .items import Created, Stored
from .model import Change, Incident
from .repository import Beside, Claim, IncidentRepository, KeyClaimed, Sighting, StaleVersion

Versions = frozenset[int] | None
"""The versions at which a caller wants a change to happen; None for any."""


class Origin(NamedTuple):
    """The finding that makes an incident: how it was known before, if it was, and where its dates were read."""

    finding_key: str
    before: Sighting | None
    seen_at: str
    page: int
    severity: str | None
    dates: Mapping[str, str]


KEY_SECONDS = 24 * 3600  # how long an idempotency key is kept

_NOT_MEASURED = model.STAMPED | model.DERIVED | {"incident_number", "status", "is_deleted", "contained_at", "closed_at"}

# A drawn number is taken only when somebody gave it before the counter was raised past it: a race that ends at once.
_NUMBERS_TRIED = 8
_UPDATES_TRIED = 8


def create_incident(
    body: object, incidents: IncidentRepository, idempotency_key: str | None = None, origin: Origin | None = None
) -> Created:
    """Store a new incident from what a caller sent, with change 1, its number and its key, in one transaction.

    The same key and body again, within 24 hours, return that same incident as it now stands. ``origin`` is the finding
    that makes it, where no person does; then SightingMoved says that another event of that finding was faster.
    Raises InvalidIncident, IncidentTooLarge, KeyReused or NumberTaken (only for a number that the caller gave), after
    which nothing is stored; or Busy, after which the incident may be there if the answer of the table was lost.
    """
    given = drafts.new_incident(body)
    incident = _begin(given, incidents.identity)
    claim = None
    if idempotency_key is not None:
        now = timestamps.to_milliseconds(incident["created_at"]) // 1000
        claim = Claim(idempotency_key, drafts.fingerprint(given), now + KEY_SECONDS)
        # Before a number is drawn, and before any rule that depends on the moment.
        if earlier := _replay(claim, now, incidents):
            return earlier
    if violations := model.settle(incident, given, now=incident["created_at"]):
        raise InvalidIncident(violations)
    check_size(incident)
    try:
        return Created(_store(incident, given, incidents, claim, origin), replayed=False)
    except KeyClaimed as claimed:  # by a request at the same time
        if claim is not None and (earlier := _replay(claim, now, incidents)):
            return earlier
        raise Busy from claimed


def update_incident(incident_id: str, body: object, versions: Versions, incidents: IncidentRepository) -> Stored:
    """Apply a JSON Merge Patch (RFC 7396). What it does not name stays, whoever changes it meanwhile.

    Raises NotFound, PreconditionFailed, IncidentDeleted, InvalidIncident, IllegalTransition, IncidentTooLarge or Busy.
    """

    def patched(incident: Incident, now: str) -> Incident:
        given = drafts.patch(body, incident)
        if incident["is_deleted"] and given.get("is_deleted") is not False:
            raise IncidentDeleted
        after = cast("Incident", {**incident, **given})
        allowed = model.ALLOWED_TRANSITIONS.get(incident["status"], ())  # a newer version may know more of them
        if after["status"] not in (incident["status"], *allowed):
            raise IllegalTransition(incident["status"], after["status"], allowed)
        if violations := model.settle(after, given, now, before=incident):
            raise InvalidIncident(violations)
        if drafts.same_json(incident["lessons_learned"], after["lessons_learned"]):
            after["lessons_learned"] = incident["lessons_learned"]
        return after

    return change_incident(incident_id, patched, versions, incidents)


def delete_incident(incident_id: str, versions: Versions, incidents: IncidentRepository) -> Stored:
    """Delete an incident softly; to delete it again changes nothing. Raises NotFound, PreconditionFailed or Busy."""
    return change_incident(
        incident_id, lambda incident, _: cast("Incident", {**incident, "is_deleted": True}), versions, incidents
    )


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
    return cast("Incident", model.blank() | given | stamps)


def check_size(incident: Incident) -> None:
    """Hold what callers wrote to its bound. What the server stamps does not count: it must never stand in the way."""
    written = {field: None if field in _NOT_MEASURED else value for field, value in incident.items()}
    if len(json_text.dump_incident(cast("Incident", written)).encode()) > model.DOCUMENT_BYTES:
        raise IncidentTooLarge(f"The incident must be at most {model.DOCUMENT_BYTES // 1024} KiB as JSON.")


def _store(
    incident: Incident, given: dict[str, Any], incidents: IncidentRepository, claim: Claim | None, origin: Origin | None
) -> Stored:
    """Store under the given number, or under the next one that is free."""
    beside = [incidents.claim(claim, incident)] if claim else []
    if origin is not None:
        sighting = Sighting(incident["id"], origin.seen_at, frozenset({origin.page}), origin.severity)
        beside.append(incidents.sight(origin.finding_key, origin.before, sighting))
    dates = origin.dates if origin else None
    if number := given.get("incident_number"):
        if counted := model.counted(number):
            incidents.raise_count(*counted)
        return incidents.create(incident, *beside, dates=dates)
    year = int(incident["created_at"][:4])
    for _ in range(_NUMBERS_TRIED):
        incident["incident_number"] = model.generated_number(year, incidents.next_count(year))
        try:
            return incidents.create(incident, *beside, dates=dates)
        except NumberTaken:
            continue
    raise Busy


def _replay(claim: Claim, now: int, incidents: IncidentRepository) -> Created | None:
    """Return what an earlier request with this key made, or None. Raises KeyReused if that was another request."""
    held = incidents.claimed(claim.key, now)
    if held is None:
        return None
    if held.fingerprint != claim.fingerprint:
        raise KeyReused
    return Created(incidents.get(held.incident_id), replayed=True)


def change_incident(
    incident_id: str,
    altered: Callable[[Incident, str], Incident],
    versions: Versions,
    incidents: IncidentRepository,
    *beside: Beside,
) -> Stored:
    """Read, alter, write if nobody has written since; else again, up to eight times.

    Where nothing changes, nothing is written but what goes beside.
    """
    for attempt in range(_UPDATES_TRIED):
        stored = incidents.get(incident_id)
        if versions is not None and stored.version not in versions:
            raise PreconditionFailed(stored.version)
        before, now = stored.incident, timestamps.from_milliseconds(time.time_ns() // 1_000_000)
        after = altered(before, now)
        changes = model.changes(before, after)
        if not changes:
            for one in beside:
                incidents.write(one)
            return stored
        by = incidents.identity.subject
        after["updated_at"], after["updated_by"] = max(now, before["updated_at"]), by
        if before["is_deleted"] != after["is_deleted"]:
            after["deleted_at"], after["deleted_by"] = (
                (after["updated_at"], by) if after["is_deleted"] else (None, None)
            )
            changes = model.changes(before, after)
        check_size(after)
        change = Change(stored.version + 1, after["updated_at"], by, model.action(before, after), changes)
        try:
            return incidents.update(stored, after, change, *beside)
        except StaleVersion:
            if attempt == _UPDATES_TRIED - 1:
                break
            timeouts.pause(attempt, first=0.05)
    raise Busy
