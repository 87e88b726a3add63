"""The stored form of an incident: native DynamoDB attributes, which operators can read, filter and export.

Nulls and empty lists are not stored. Attribute values have DynamoDB's own notation (``{"S": "..."}``). This module
converts only the few types of an incident, which takes a fraction of the time of boto3's general serializer.
"""

import os
from base64 import b64decode
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ..domain import json_text, model, wire_form
from ..domain.model import Change, Incident
from . import keys, upcasting

if TYPE_CHECKING:  # only the intake and the list of findings need the module
    from ..domain.evidence import Evidence

Attribute = dict[str, Any]
Item = dict[str, Any]

CHAIN_HEAD = "chain_head"
"""The name of the attribute with the version and the hash of the newest change that has a hash: ``3:<hash>``.

The attribute is not a field of the API. A release that does not know it leaves it as it is.
"""
_CHAINED = ("nonce", "state_hash", "hash")


class Stored(NamedTuple):
    """An incident and its item."""

    incident: Incident
    item: Item

    @property
    def version(self) -> int:
        """The incident's version: 1 after the create; each change adds 1."""
        return self.incident["version"]


class Record(NamedTuple):
    """A record of the table's stream: an item before and after a change, and the record's position in the stream."""

    sequence_number: str
    old: Item | None
    new: Item | None


class Created(NamedTuple):
    """The result of a create. ``replayed`` is true if an earlier request with the same key created the incident."""

    stored: Stored
    replayed: bool


def key(primary: keys.Key) -> Item:
    return {"pk": {"S": primary.pk}, "sk": {"S": primary.sk}}


def to_bytes(binary: bytes | str) -> bytes:
    """Return the bytes of a binary attribute. The fast path leaves them in base64, and botocore decodes them."""
    return b64decode(binary) if isinstance(binary, str) else binary


def from_incident(incident: Incident) -> Item:
    """Return the complete item of an incident, with its key and its index attributes."""
    item = key(keys.incident(incident["tenant_id"], incident["id"]))
    for name, text in keys.index_attributes(incident).items():
        item[name] = {"S": text}
    for field, value in incident.items():
        if value is not None and value != []:
            item[field] = _attribute(value)
    return item


def to_incident(item: Item) -> Stored:
    """Return the incident in an item of any schema version. The incident lacks attributes that are not known."""
    current = upcasting.upcast(item)
    incident = model.unset_fields()
    if app_id := current.get("app_id"):
        incident["app_id"] = app_id["S"]
    if mark := current.get(model.DERIVED_TOLD_AT):
        incident[model.DERIVED_TOLD_AT] = mark["S"]
    for field, attribute in current.items():
        if field in incident:
            if (text := attribute.get("S")) is not None:  # the most frequent type is first
                incident[field] = text
            elif (many := attribute.get("L")) is not None:
                incident[field] = [member["S"] for member in many]
            else:
                incident[field] = _value(field, attribute)
    incident["version"] = int(item["version"]["N"])  # an item without a version is not an incident
    return Stored(cast("Incident", incident), item)


def difference(stored: Item, wanted: Item) -> tuple[Item, list[str]]:
    """Return the attributes to set and the attribute names to remove in an update. Unknown attributes stay."""
    known = {*model.FIELDS, model.DERIVED_TOLD_AT, *keys.INDEX_ATTRIBUTES}
    changed = {name: attribute for name, attribute in wanted.items() if stored.get(name) != attribute}
    return changed, [name for name in stored if name in known and name not in wanted]


def from_change(incident: Incident, change: Change) -> Item:
    """Return the item of one change.

    Change 1 is the create. It contains no values, because values could double the size of every create. A field's first
    value is in ``from`` of the field's first later change. Without a later change, it is the current value.
    """
    dates = {"dates": {"M": {name: {"S": place} for name, place in change.dates.items()}}} if change.dates else {}
    evidence = {"evidence": {"S": change.evidence}} if change.evidence else {}
    return (
        key(keys.change(incident["tenant_id"], incident["id"], change.version))
        | dates
        | evidence
        | {name: {"S": text} for name in _CHAINED if (text := getattr(change, name))}
        | {
            "version": {"N": str(change.version)},
            "at": {"S": change.at},
            "by": {"S": change.by},
            "action": {"S": change.action},
            "changes": {
                "M": {
                    field: {"M": {"from": _attribute(before), "to": _attribute(after)}}
                    for field, (before, after) in change.changes.items()
                }
            },
        }
    )


def to_change(item: Item) -> Change:
    return Change(
        version=int(item["version"]["N"]),
        at=item["at"]["S"],
        by=item["by"]["S"],
        action=cast("model.Action", item["action"]["S"]),
        changes={
            field: (_value(field, pair["M"]["from"]), _value(field, pair["M"]["to"]))
            for field, pair in item["changes"]["M"].items()
        },
        dates={name: place["S"] for name, place in item["dates"]["M"].items()} if "dates" in item else None,
        evidence=item["evidence"]["S"] if "evidence" in item else None,
        **{name: item[name]["S"] for name in _CHAINED if name in item},
    )


def chained(change: Change, incident: Incident, before: Stored | None) -> Change:
    """Return a change with its place in the incident's chain of hashes. ``before`` is None for a create.

    The change continues the chain if the change before it has a hash. It begins a chain if an older release made the
    change before it. It also begins a chain if the incident was converted from an older schema, because the conversion
    is not in the trail.
    """
    version, _, head = before.item.get(CHAIN_HEAD, {}).get("S", "").partition(":") if before else ("", "", "")
    is_converted = before and before.item.get("schema_version") != {"N": str(incident["schema_version"])}
    begins = version != str(change.version - 1) or is_converted
    nonce = os.urandom(16).hex()  # without it, somebody could guess the content of a change from its hash
    linked = change._replace(nonce=nonce, state_hash=wire_form.state_hash(incident) if begins else None)
    own = wire_form.change_hash(incident["tenant_id"], incident["id"], linked, head or None)
    return linked._replace(hash=own)


def chain_head(change: Change) -> Item:
    """Return the attribute of an incident's item that names the newest hash of the incident's chain."""
    return {CHAIN_HEAD: {"S": f"{change.version}:{change.hash}"}}


def from_evidence(tenant_id: str, incident_id: str, evidence: "Evidence") -> Item:
    """Return the item of the evidence of an incident. ``event`` is the compressed event."""
    return (
        key(keys.evidence(tenant_id, incident_id, evidence.observed_at, evidence.sha256))
        | {name: {"S": getattr(evidence, name)} for name in ("observed_at", "source", "adapter", "rule", "sha256")}
        | {"event": {"B": evidence.packed}, "is_cut": {"BOOL": evidence.is_cut}}
        | ({"summary": {"S": json_text.dumps(evidence.summary)}} if evidence.summary else {})
    )


def number(incident: Incident) -> Item:
    """Return the item that reserves an incident number forever."""
    return key(keys.number(incident["tenant_id"], incident["incident_number"])) | {"incident_id": {"S": incident["id"]}}


def _attribute(value: object) -> Attribute:
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case Decimal():
            return {"N": wire_form.dump_amount(value)}
        case list():
            return {"L": [{"S": text} for text in value]}
    raise TypeError(f"an incident cannot contain a {type(value).__name__}")


def _value(field: str, attribute: Attribute) -> Any:
    ((kind, value),) = attribute.items()
    match kind:
        case "L":
            return [member["S"] if "S" in member else _value("", member) for member in value]
        case "S" | "BOOL":
            return value
        case "N" if field == "financial_impact":
            return Decimal(value)
        case "N":
            return int(value) if value.lstrip("-").isdigit() else float(value)
        case "NULL":
            return None
        case "M":  # "M", "SS" and "NS" occur only in items of a newer schema version
            return {name: _value("", member) for name, member in value.items()}
        case "SS" | "NS":
            return list(value)
    return str(value)
