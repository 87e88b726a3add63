"""The rules that a tenant's stored items must follow at every moment, even after a fault.

Each function compares an item with other values, and returns the violations. The functions are pure. ``verify`` and
tests call them. If the service itself applies a rule, this module calls the service's code (``keys``, ``model``,
``payloads``), so no rule is written twice.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any

from incidents import findings
from incidents.domain import evidence, intake_policy, json_text, model, payloads, timestamps, wire_form
from incidents.domain.errors import InvalidIncident, MalformedRequest
from incidents.domain.evidence import EVENTS_KEPT
from incidents.domain.model import Incident
from incidents.findings import EventRefused, Finding, Node, mapping
from incidents.storage import evidence_reader, keys, settings, stored_form
from incidents.storage.evidence_reader import StoredEvidence
from incidents.storage.stored_form import Item

from . import trails
from .violations import UNREADABLE, Violation, of_expiry

_NOT_A_CALLERS = model.STAMPED | {"is_deleted"}
_HASH, _YEAR = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9]{4}")


def of_incident(
    tenant_id: str, incident_id: str, item: Item | None, trail: trails.History, number: Item | None, events: set[str]
) -> list[Violation]:
    """Check an incident's item against the rules, its trail, the item of its incident number and its evidence.

    ``item`` and ``number`` are None if these items do not exist. ``events`` has the hashes of the stored events.
    """
    if item is None:
        wanted = "the incident, or no changes"
        return (
            [Violation("orphan", incident_id, f"{trail.count} changes without an incident", wanted)]
            if trail.count
            else []
        )
    expiring = of_expiry(incident_id, item)
    schema_version = int(item.get("schema_version", {}).get("N", 0))
    if not 0 <= schema_version <= model.SCHEMA_VERSION:
        wanted = f"0 to {model.SCHEMA_VERSION}, which this code knows; verify newer documents with newer code"
        return [*expiring, Violation("schema_version", incident_id, str(schema_version), wanted)]
    try:
        stored = stored_form.to_incident(item)
        shown = json_text.loads(wire_form.dump_incident(stored.incident))
        incident = stored.incident
        checks = (
            _of_place(tenant_id, incident_id, incident),
            _of_fields(incident, shown),
            _of_milestones(incident),
            _of_indexes(incident, item),
            _of_number(incident, number),
            iter(trail.wrong),
            trails.of_incident(incident, stored.version, trail),
            trails.of_chains(incident, item, trail),
            (
                Violation("evidence", incident_id, f"no event {missing[:12]}...", "the event that a change names")
                for missing in sorted(trail.evidence - events)
            ),
        )
        return [*expiring, *(violation for check in checks for violation in check)]
    except (*UNREADABLE, MalformedRequest) as error:
        actual = f"an item that cannot be read ({type(error).__name__})"
        return [*expiring, Violation("readable", incident_id, actual, "an incident as the service writes it")]


def ignored_counts(counter: Item | None) -> range:
    """Return the counts that a counter ignores, because an operator lowered the counter below a mistyped number."""
    first, last = ((counter or {}).get(name, {}).get("N", "") for name in ("ignored_from", "ignored_to"))
    return range(int(first), int(last) + 1) if first.isdigit() and last.isdigit() else range(0)


def of_number(
    number: str, item: Item, incident: Item | None, counter: int | None, ignored: range = range(0)
) -> list[Violation]:
    """Check the item of an incident number against the incident that the item names and against its year's counter.

    ``ignored`` are the counts that the counter ignores.
    """
    incident_id = item.get("incident_id", {}).get("S", number)
    has = None if incident is None else incident.get("incident_number", {}).get("S")
    violations = of_expiry(number, item)
    if incident is None:
        violations.append(
            Violation("number", incident_id, f"number {number} without an incident", "the incident, or no such number")
        )
    elif has != number:
        wanted = f"only the number {has}, which the incident has"
        violations.append(Violation("number", incident_id, f"number {number} of the same incident", wanted))
    if raised := model.count_raised_by(number):
        year, count = raised
        if (counter is None or counter < count) and count not in ignored:
            wanted = f"at least {count}, because {number} exists"
            violations.append(Violation("counter", f"{year:04d}", "none" if counter is None else str(counter), wanted))
    return violations


def of_counter(year: str, item: Item) -> list[Violation]:
    violations = of_expiry(year, item)
    if not (_YEAR.fullmatch(year) and item.get("count", {}).get("N", "").isdigit()):
        violations.append(
            Violation("counter", year, f"{item.get('count')}", "a year of four digits and a whole number")
        )
    return violations


def of_key_record(hashed: str, item: Item, incident: Item | None) -> list[Violation]:
    """Check an idempotency record against the incident that the record names."""
    whole = "fingerprint" in item and item.get("expires_at", {}).get("N", "").isdigit()
    return _of_reference("idempotency", hashed, item, incident, whole=whole)


def of_sighting(hashed: str, item: Item, incident: Item | None, events: int) -> list[Violation]:
    """Check the item of a finding against the incident that the item names, and against its number of stored events."""
    number = counted_events(item)
    whole = "seen_at" in item and "pages" in item and number is not None
    violations = [*of_expiry(hashed, item), *_of_reference("finding", hashed, item, incident, whole=whole)]
    if not violations and events < (wanted := min(number or 0, EVENTS_KEPT)):
        incident_id = item["incident_id"]["S"]
        violations.append(Violation("evidence", incident_id, f"{events} stored events", f"at least {wanted}"))
    return violations


def counted_events(item: Item) -> int | None:
    """Return the number of events in the item of a finding, 0 in an item of release 0.1.0, None if unreadable."""
    text = item.get("events", {"N": "0"}).get("N", "")
    return int(text) if text.isdigit() else None


def of_evidence(tenant_id: str, sk: str, item: Item, incident: Item | None) -> list[Violation]:
    """Check a stored event of an incident: its form, its hash, its key and the incident."""
    incident_id = sk.partition("#")[0]
    violations = of_expiry(sk, item)
    try:
        stored = evidence_reader.to_evidence(item)
        json_text.loads(stored.event)
    except (evidence_reader.Unreadable, MalformedRequest) as error:
        actual = f"an event that cannot be read ({error})"
        return [*violations, Violation("evidence", incident_id, actual, "an event as the service writes it")]
    violations += (Violation("evidence", incident_id, *pair) for pair in _of_reading(stored, item))
    if sha256(stored.event.encode()).hexdigest() != stored.sha256:
        violations.append(Violation("evidence", incident_id, "an event that has changed", f"hash {stored.sha256}"))
    if keys.evidence(tenant_id, incident_id, stored.observed_at, stored.sha256).sk != sk:
        violations.append(Violation("evidence", incident_id, f"an event at {sk}", "the key of its time and its hash"))
    if incident is None:
        violations.append(
            Violation("evidence", incident_id, "an event without an incident", "the incident, or no event")
        )
    return violations


def _of_reading(stored: StoredEvidence, item: Item) -> Iterator[tuple[str, str]]:
    """Yield each contradiction between an item and its event, as a pair of the wrong value and the right value.

    The adapter and the source are compared only if this release can read the event. The rule cannot be compared,
    because the event does not contain it.
    """
    if not stored.rule:
        yield "an event without a rule", "the rule by which the finding became an incident"
    if stored.is_cut and evidence.CUT not in stored.event:
        yield "is_cut true for an event without notes", "is_cut false"
    if "summary" in item and not (stored.adapter == mapping.ADAPTER and evidence.is_lifted(stored.summary)):
        yield f"a stored summary of the adapter {stored.adapter}", "a summary as the service stores it for a mapping"
    event = Node(findings.as_from_aws(stored.value))
    source, detail_type = (event.at(name).text() or "" for name in ("source", "detail-type"))
    chosen = findings.adapter(source, detail_type)
    if stored.adapter == mapping.ADAPTER and (chosen or not source.startswith(findings.PARTNER)):
        yield f"a mapping for an event of {source}", "an event of a partner"
    if stored.adapter == mapping.ADAPTER or chosen is None or stored.is_cut:
        return
    with suppress(EventRefused):
        reported = [report for report in findings.read(event.value) if isinstance(report, Finding)]
        if reported and stored.adapter != findings.name_of(chosen):
            yield f"the adapter {stored.adapter}", f"the adapter {findings.name_of(chosen)}"
        if reported and stored.source not in {report.source for report in reported}:
            yield f"the source {stored.source}", f"the source {reported[0].source}"


def of_settings(sk: str, item: Item, current: Item | None) -> list[Violation]:
    """Check the current settings of a name, or one version of them. ``current`` is the item of the current settings.

    The current settings must equal the newest version, so no version may be newer than the current settings.
    """
    name, _, numbered = sk.partition("#")
    violations = of_expiry(sk, item)
    try:
        stored = settings.to_settings(item)
        if name == settings.INTAKE:
            intake_policy.parse(stored.value)
        if name == settings.MAPPINGS:
            mapping.parse_all(stored.value)
        newest = settings.to_settings(current) if current else None
    except UNREADABLE as error:
        actual = f"settings that cannot be read ({type(error).__name__})"
        return [*violations, Violation("settings", sk, actual, "settings as the service writes them")]
    if numbered and stored.version != int(numbered):
        violations.append(Violation("settings", sk, f"version {stored.version}", f"version {int(numbered)}"))
    if newest is None or newest.version < stored.version or (newest.version == stored.version and newest != stored):
        actual = f"version {stored.version}, and the current settings {newest and newest.version}"
        violations.append(Violation("settings", sk, actual, "current settings that equal their newest version"))
    return violations


def _of_reference(rule: str, hashed: str, item: Item, incident: Item | None, *, whole: bool) -> list[Violation]:
    incident_id = item.get("incident_id", {}).get("S", hashed)
    if not (whole and _HASH.fullmatch(hashed)):
        return [Violation(rule, hashed, "an item that cannot be read", "an item as the service writes it")]
    if incident is None:
        actual = f"{rule} {hashed[:12]}... without an incident"
        return [Violation(rule, incident_id, actual, "the incident, or no such item")]
    return []


def _of_place(tenant_id: str, incident_id: str, incident: Incident) -> Iterator[Violation]:
    for name, wanted in (("tenant_id", tenant_id), ("id", incident_id)):
        if incident[name] != wanted:  # type: ignore[literal-required]
            yield Violation("partition", incident_id, f"{name} {incident[name]}", f"{wanted}, as its key says")  # type: ignore[literal-required]
    first, last = keys.ids_made_at(timestamps.to_milliseconds(incident["created_at"]))
    if not model.INCIDENT_ID.fullmatch(incident_id):
        yield Violation("partition", incident_id, "an id of another form", "inc_ and a ULID")
    elif not first <= incident_id <= last:
        yield Violation("stamps", incident_id, f"created_at {incident['created_at']}", "the moment in the id")


def _of_fields(incident: Incident, shown: Mapping[str, Any]) -> Iterator[Violation]:
    """Check that every value has the form that the service stores, and that some release accepts the value."""
    given = {name: value for name, value in shown.items() if value is not None and name not in _NOT_A_CALLERS}
    values: Mapping[str, Any] = incident
    try:
        accepted = payloads.new_incident(given, held=values)
    except InvalidIncident as error:
        for pointer, detail in error.violations:
            name = pointer.split("/")[1] if pointer else ""
            yield Violation("fields", incident["id"], f"{name} {given.get(name)!r}", f"it {detail}")
        return
    for name, value in accepted.items():
        if value != values[name] and not (name in model.JSON_TEXTS and payloads.same_json(value, values[name])):
            yield Violation("fields", incident["id"], f"{name} {values[name]!r}", f"{value!r}, its stored form")


def _of_milestones(incident: Incident) -> Iterator[Violation]:
    """Check that the rules of every write change nothing if they are applied again.

    Also check that the deletion stamps agree with each other.
    """
    derived = incident.copy()
    values: Mapping[str, Any] = incident
    for pointer, detail in model.apply_rules(derived, {}, incident["updated_at"], before=incident):
        yield Violation("milestones", incident["id"], f"{pointer[1:]} {values[pointer[1:]]}", f"it {detail}")
    for name in sorted(model.DERIVED):
        if derived[name] != values[name]:  # type: ignore[literal-required]
            wanted = f"{derived[name]}, as the timestamps say"  # type: ignore[literal-required]
            yield Violation("minutes", incident["id"], f"{name} {values[name]}", wanted)
    stamps = (incident["is_deleted"], incident["deleted_at"] is not None, incident["deleted_by"] is not None)
    if len(set(stamps)) > 1:
        actual = f"is_deleted {stamps[0]}, deleted_at {incident['deleted_at']}, deleted_by {incident['deleted_by']}"
        yield Violation("stamps", incident["id"], actual, "all three or none of them")


def _of_indexes(incident: Incident, item: Item) -> Iterator[Violation]:
    wanted = keys.index_attributes(incident)
    for name in sorted(keys.INDEX_ATTRIBUTES):
        stored = item.get(name, {}).get("S")
        if stored != wanted.get(name):
            right = f"{name} {wanted[name]}" if name in wanted else f"no {name}"
            yield Violation("indexes", incident["id"], f"{name} {stored}" if stored else f"no {name}", right)


def _of_number(incident: Incident, number: Item | None) -> Iterator[Violation]:
    points_at = number and number.get("incident_id", {}).get("S")
    if points_at != incident["id"]:
        actual = f"number {incident['incident_number']}, whose item names {points_at or 'no incident'}"
        yield Violation("number", incident["id"], actual, "a number whose item names this incident")
