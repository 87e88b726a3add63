"""The rules for the trail of an incident: the changes, their order, and their chains of hashes (docs/history.md).

The functions are pure, like the functions of ``invariants``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from incidents.domain import model, wire_form
from incidents.domain.model import Change, Incident
from incidents.storage import stored_form
from incidents.storage.stored_form import Item

from .violations import UNREADABLE, Violation, of_expiry

_FIRST_HASHED = 1
"""The schema version in which changes got hashes. No change of an incident in this version follows a conversion."""
_WRITE_ONCE = {"id", "tenant_id", "app_id", "created_at", "created_by", "incident_number"}


class Chain(NamedTuple):
    """The first change of a chain of hashes. ``values`` has the value after this change of each field changed later."""

    first: Change
    values: dict[str, Any]


@dataclass
class History:
    """The summary of an incident's changes. ``wrong`` has the violations that the changes show without the incident.

    ``left`` has, for each changed field, the number of the last change of the field and the field's value after it.
    ``evidence`` has the hashes of the events that the changes name. ``hashed`` is the newest change with a hash.
    ``converted`` has the changes that begin a chain directly after a change with a hash.
    """

    count: int = 0
    first: Change | None = None
    last: Change | None = None
    left: dict[str, tuple[int, Any]] = field(default_factory=dict)
    wrong: list[Violation] = field(default_factory=list)
    evidence: set[str] = field(default_factory=set)
    hashed: Change | None = None
    chains: list[Chain] = field(default_factory=list)
    converted: list[int] = field(default_factory=list)


def history(tenant_id: str, incident_id: str, changes: Iterable[Item]) -> History:
    """Summarize and check an incident's changes, which come oldest first. Only one change is in memory at a time."""
    so_far = History()
    for item in changes:
        so_far.wrong += _of_change(tenant_id, incident_id, item, so_far)
    return so_far


def of_incident(incident: Incident, version: int, trail: History) -> Iterator[Violation]:
    incident_id, values = incident["id"], dict[str, Any](incident)
    if trail.count != version:
        actual = f"version {version} with {trail.count} changes"
        yield Violation("versions", incident_id, actual, "one change per version")
    for name, (left_by, value) in trail.left.items():
        if name in values and values[name] != value:
            actual = f"{name} {values[name]!r}"
            yield Violation("history", incident_id, actual, f"{value!r}, as change {left_by} left it")
    if trail.first and trail.last:
        stamps = {"created_at": trail.first.at, "created_by": trail.first.by}
        stamps |= {"updated_at": trail.last.at, "updated_by": trail.last.by}
        for name, wanted in stamps.items():
            if values[name] != wanted:
                yield Violation("stamps", incident_id, f"{name} {values[name]}", f"{wanted}, as the trail says")


def of_chains(incident: Incident, item: Item, trail: History) -> Iterator[Violation]:
    """Check that the incident names the end of its chain, and that its values lead back to the values of each start."""
    head, last = item.get(stored_form.CHAIN_HEAD), trail.hashed
    wanted = stored_form.chain_head(last)[stored_form.CHAIN_HEAD] if last else None
    if head != wanted:
        actual, right = (f"chain_head {end.get('S')}" if end else "no chain_head" for end in (head, wanted))
        yield Violation("chain", incident["id"], actual, f"{right}, as the trail says")
    # The values must be in their stored form. An item of the current schema version is not converted.
    current = {"schema_version": {"N": str(model.SCHEMA_VERSION)}}
    schema_version = int(item.get("schema_version", {}).get("N", 0))
    stored = {**stored_form.to_incident(item | current).incident, "schema_version": schema_version}
    for version in trail.converted if schema_version <= _FIRST_HASHED else ():
        actual = f"change {version}, which begins a chain although change {version - 1} has a hash"
        yield Violation("chain", incident["id"], actual, "one chain, as the incident was not converted")
    for first, values in trail.chains:
        stamps = {"version": first.version, "updated_at": first.at, "updated_by": first.by}
        computed = wire_form.state_hash({**stored, **values, **stamps})
        if computed != first.state_hash:
            actual = f"values after change {first.version} with the hash {computed[:12]}..."
            yield Violation("state", incident["id"], actual, f"{first.state_hash}, as the change says")


def _of_change(tenant_id: str, incident_id: str, item: Item, so_far: History) -> Iterator[Violation]:
    expected = so_far.count + 1
    so_far.count += 1
    yield from of_expiry(incident_id, item, f" of change {expected}")
    try:
        change, numbered = stored_form.to_change(item), int(item["sk"]["S"].rpartition("#")[2])
    except UNREADABLE as error:
        actual = f"change {expected}, which cannot be read ({type(error).__name__})"
        yield Violation("readable", incident_id, actual, "a change as the service writes it")
        return
    if (change.version, numbered) != (expected, expected):
        yield Violation("versions", incident_id, f"change {numbered} instead of {expected}", "1, 2, 3 without a gap")
        so_far.count = numbered
    if change.action != (wanted := _action(change)):
        yield Violation("action", incident_id, f"change {numbered} is {change.action}", wanted)
    before = so_far.last.at if so_far.last else change.at
    if change.at < before:
        yield Violation("history", incident_id, f"change {numbered} at {change.at}", f"not before {before}")
    for name, (old, new) in change.changes.items():
        if name in _WRITE_ONCE:
            yield Violation("history", incident_id, f"change {numbered} of {name}", "no change, as it is written once")
        if name in so_far.left and so_far.left[name][1] != old:
            version, value = so_far.left[name]
            actual = f"change {numbered} of {name} from {old!r}"
            yield Violation("history", incident_id, actual, f"from {value!r}, as change {version} left it")
        so_far.left[name] = (numbered, new)
    moved_from, moved_to = change.changes.get("status", ("", ""))
    if moved_from in model.ALLOWED_TRANSITIONS and moved_to not in model.ALLOWED_TRANSITIONS[moved_from]:
        actual = f"change {numbered} from {moved_from} to {moved_to}"
        yield Violation("lifecycle", incident_id, actual, f"to {', '.join(model.ALLOWED_TRANSITIONS[moved_from])}")
    if change.evidence:
        so_far.evidence.add(change.evidence)
    yield from _of_hash(tenant_id, incident_id, change, so_far)
    so_far.first = so_far.first or change
    so_far.last = change


def _of_hash(tenant_id: str, incident_id: str, change: Change, so_far: History) -> Iterator[Violation]:
    """Check a change against its hash, and check that its chain has no gap. Release 0.1.0 stored no hashes."""
    for chain in so_far.chains:
        for name, (old, _) in change.changes.items():
            chain.values.setdefault(name, old)
    if change.hash is None:
        if change.nonce or change.state_hash:
            yield Violation("chain", incident_id, f"change {change.version} without its hash", "a hash, or no nonce")
        return
    before = so_far.hashed
    computed = wire_form.change_hash(tenant_id, incident_id, change, before and before.hash)
    if not change.state_hash and (before is None or before.version != change.version - 1):
        actual = f"change {change.version}, which continues a chain"
        yield Violation("chain", incident_id, actual, f"change {change.version - 1} with a hash, or a new chain")
    elif change.hash != computed:
        actual = f"change {change.version}, whose content has the hash {computed[:12]}..."
        yield Violation("chain", incident_id, actual, f"{change.hash[:12]}..., its stored hash")
    if change.state_hash:
        if before and before.version == change.version - 1:
            # The incident was converted to a newer schema. The trail does not have the conversion, so the values before
            # it cannot be computed from the values after it.
            so_far.chains.clear()
            so_far.converted.append(change.version)
        so_far.chains.append(Chain(change, {}))
    so_far.hashed = change


def _action(change: Change) -> str:
    """Return the action that a change must have, derived from the fields that it changed."""
    if change.version == 1:
        return "created"
    unset: dict[str, Any] = {"is_deleted": None, "status": None}
    old, new = ({name: pair[side] for name, pair in change.changes.items()} for side in (0, 1))
    return model.action(unset | old, unset | new)  # type: ignore[arg-type]  # it reads only these two fields
