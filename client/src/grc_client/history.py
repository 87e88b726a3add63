"""Check the hashes in the history of an incident. The service's page docs/history.md has the format."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

from .models import Change, Incident

_JSON = ("lessons_learned", "regulatory_reports")
_SCHEMA_VERSION = (
    1  # a later release may convert the values of an incident, which this version of the client cannot check
)


def history_faults(incident: Incident, changes: Iterable[Change]) -> list[str]:
    """Return the faults in the history of an incident, or an empty list. ``changes`` are all changes, oldest first.

    A fault is a change that differs from its hash, a gap in a chain of hashes, or an incident whose values do not lead
    back to the first values. A change that is newer than the incident is a fault, too. If somebody may have changed the
    incident after you read it, read the incident and its changes again. An incident of a newer ``schema_version`` has a
    fault, because this version of the client cannot check its values. Changes of release 0.1.0 have no hash and are not
    checked. The function cannot notice a history that somebody computed anew as a whole.
    """
    faults: list[str] = []
    values = _hashed(incident.model_dump(exclude_unset=True))
    chains: list[tuple[Change, dict[str, Any]]] = []
    last, hashed = 0, None
    is_known = incident.schema_version == _SCHEMA_VERSION
    if not is_known:
        faults.append(
            f"the incident's values cannot be checked, because its schema_version is {incident.schema_version}"
        )
    latest: dict[str, Any] = {}
    for change in changes:
        if change.version > incident.version:
            faults.append(f"change {change.version} is newer than the incident, which has version {incident.version}")
            break
        if change.version != last + 1:
            faults.append(f"change {change.version} follows change {last}")
        last = change.version
        if last == 1 and (incident.created_at, incident.created_by) != (change.at, change.by):
            faults.append("the incident was created at another time or by somebody else than change 1 says")
        entry = change.model_dump(by_alias=True, exclude_unset=True)
        entry["changes"] = {
            name: {end: _value(name, value) for end, value in pair.items()} for name, pair in entry["changes"].items()
        }
        if change.state_hash is not None:  # this hash covers the values of all earlier changes
            latest = {}
        latest |= {"updated_at": _value("at", change.at), "updated_by": change.by}
        latest |= {name: pair["to"] for name, pair in entry["changes"].items()}
        for _, first_values in chains:
            for name, pair in entry["changes"].items():
                first_values.setdefault(name, pair["from"])
        if entry.pop("hash", None) is None:
            continue
        entry |= {"at": _value("at", change.at), "tenant_id": incident.tenant_id, "incident_id": incident.id}
        if _sha256(entry | {"previous_hash": hashed and hashed.hash}) != change.hash:
            faults.append(f"change {change.version} differs from its hash")
        is_next = hashed is not None and hashed.version == change.version - 1
        if change.state_hash is None and not is_next:
            faults.append(f"change {change.version} continues a chain, but the change before it has no hash")
        if change.state_hash is not None and is_next and is_known:
            faults.append(f"change {change.version} begins a chain, but the change before it has a hash")
        if change.state_hash is not None:
            chains.append((change, {}))
        hashed = change
    if last != incident.version:
        faults.append(f"the incident has version {incident.version}, but its last change is {last}")
    faults += [
        f"the incident's {name} is not the value after its last change"
        for name, value in latest.items()
        if name in values and _unless_empty(values[name]) != _unless_empty(value)
    ]
    for first, first_values in chains if is_known else []:
        stamps = {"version": first.version, "updated_at": _value("", first.at), "updated_by": first.by}
        state = {**values, **first_values, **stamps}
        if _sha256({name: value for name, value in state.items() if value not in (None, [])}) != first.state_hash:
            faults.append(f"the incident's values do not lead back to the values after change {first.version}")
    return faults


def _unless_empty(value: Any) -> Any:
    return None if value == [] else value


def _hashed(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in values.items()}


def _value(name: str, value: Any) -> Any:
    """Return a value as it enters a hash. Amounts and JSON fields enter as the text that the service stores."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case _ if name in _JSON and value is not None:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)
        case Decimal():
            return f"{value.normalize():f}"
        case tuple():
            return list(value)
    return value


def _sha256(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return sha256(text.encode()).hexdigest()
