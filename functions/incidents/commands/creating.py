"""Create an incident: one command for HTTP requests and for findings."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ulid import ULID

from ..domain import model, payloads, reports, timestamps, wire_form
from ..domain.errors import Busy, InvalidIncident, KeyReused, NumberTaken
from ..domain.identity import Identity
from ..domain.model import Incident
from ..storage.incident_repository import IncidentRepository, KeyRecord, KeyReserved, Sighting
from ..storage.settings import TenantSettings
from ..storage.stored_form import Created, Stored
from . import own_rules

if TYPE_CHECKING:
    from ..domain.evidence import Evidence

KEY_SECONDS = 24 * 3600  # an idempotency key is kept for 24 hours

# The counter's next number may be taken already, for one of two reasons. A caller gave this number, and the counter is
# not raised yet. Or an operator lowered the counter below a mistyped number. After each attempt, the counter skips up
# to 1 000 taken numbers.
_NUMBERS_TRIED = 8


class Origin(NamedTuple):
    """The finding that creates an incident.

    ``before`` is the finding's last sighting, or None for a new finding. ``is_moved`` is true if this sighting is
    stored under a former key of the finding. ``dates`` names the field of the event from which each date was read.
    ``evidence`` is the event.
    """

    finding_key: str
    before: Sighting | None
    seen_at: str
    page: int
    severity: str | None
    dates: Mapping[str, str]
    evidence: "Evidence"
    is_moved: bool = False


def create_incident(
    body: object,
    incidents: IncidentRepository,
    idempotency_key: str | None = None,
    origin: Origin | None = None,
    settings: TenantSettings | None = None,
) -> Created:
    """Create an incident from a caller's body.

    One transaction stores the incident, its first change, its number, its idempotency key and its evidence. If the same
    key was sent with the same body within 24 hours, the earlier incident is returned in its current state. ``origin``
    is the finding that creates the incident, or None for a caller's request. ``settings`` are read only if the body
    names reports.

    Raises InvalidIncident, IncidentTooLarge or KeyReused. Raises NumberTaken only for a number that the caller gave.
    Raises SightingMoved if another event of the same finding was stored first. Each of these errors means that nothing
    was stored. Raises Busy. After Busy, the incident may be stored, because the table's answer may have been lost.
    """
    known = own_rules.known_names(body, settings)
    sent = payloads.new_incident(body, known=known)
    given = payloads.tags_once(sent)
    incident = _begin(given, incidents.identity)
    record = None
    if idempotency_key is not None:
        now = timestamps.to_milliseconds(incident["created_at"]) // 1000
        record = KeyRecord(idempotency_key, payloads.fingerprint(sent), now + KEY_SECONDS)
        # Check this before a number is drawn, because a repeated request needs no new number. Also check it before any
        # rule that depends on the current time, because the repeated request must succeed at any later time.
        if earlier := _replay(record, now, incidents):
            return earlier
    reports.derive(cast("dict[str, Any]", incident), given, known)
    violations = model.apply_rules(incident, given, now=incident["created_at"])
    if incidents.identity.app_id is not None:
        violations += model.rules_for_applications(given)
    if violations:
        raise InvalidIncident(violations)
    wire_form.check_size(incident)
    try:
        return Created(_store(incident, given, incidents, record, origin), replayed=False)
    except KeyReserved as reserved:  # a concurrent request has the same key
        if record is not None and (earlier := _replay(record, now, incidents)):
            return earlier
        raise Busy from reserved


def _begin(given: dict[str, Any], identity: Identity) -> Incident:
    """Return the caller's values with the server's stamps. The incident's id contains the moment of ``created_at``."""
    ulid = ULID()
    now = timestamps.from_milliseconds(ulid.milliseconds)
    stamps = {
        "id": f"inc_{ulid}",
        "tenant_id": identity.tenant_id,
        "created_at": now,
        "updated_at": now,
        "created_by": identity.subject,
        "updated_by": identity.subject,
        "version": 1,
        "schema_version": model.SCHEMA_VERSION,
        "incident_number": given.get("incident_number"),  # None until a number is assigned
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
    """Store the incident under the given number, or under the next free number."""
    extra_writes = [incidents.reserve_key(record, incident)] if record else []
    if origin is not None:
        sighting = Sighting(incident["id"], origin.seen_at, frozenset({origin.page}), origin.severity, events=1)
        if origin.before:
            sighting = sighting._replace(passed_at=origin.before.passed_at, resolved_at=origin.before.resolved_at)
        before = None if origin.is_moved else origin.before
        extra_writes.append(incidents.sighting_write(origin.finding_key, before, sighting))
        extra_writes.append(incidents.evidence_write(incident["id"], origin.evidence))
    dates, evidence = (origin.dates, origin.evidence.sha256) if origin else (None, None)
    if number := given.get("incident_number"):
        if raised := model.count_raised_by(number):
            incidents.raise_count(*raised)
        return incidents.create(incident, *extra_writes, dates=dates, evidence=evidence)
    year = int(incident["created_at"][:4])
    for _ in range(_NUMBERS_TRIED):
        count = incidents.next_count(year)
        incident["incident_number"] = model.generated_number(year, count)
        try:
            return incidents.create(incident, *extra_writes, dates=dates, evidence=evidence)
        except NumberTaken:
            incidents.skip_counts(year, count)
    raise Busy


def _replay(record: KeyRecord, now: int, incidents: IncidentRepository) -> Created | None:
    """Return the incident that an earlier request with this key created, or None.

    Raises KeyReused if the earlier request had another body.
    """
    held = incidents.find_key(record.key, now)
    if held is None:
        return None
    if held.fingerprint != record.fingerprint:
        raise KeyReused
    return Created(incidents.get(held.incident_id), replayed=True)
