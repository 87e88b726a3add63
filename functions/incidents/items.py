"""The stored form of an incident: native DynamoDB attributes, which operators can read, filter and export.

Nulls and empty lists are not stored. Attribute values are in DynamoDB's own notation (``{"S": "..."}``): converting the
few types that an incident has takes a fraction of what boto3's general serializer takes.
"""

from decimal import Decimal
from typing import Any, NamedTuple, cast

from . import json_text, keys, model
from .model import Incident

Attribute = dict[str, Any]
Item = dict[str, Any]


class Stored(NamedTuple):
    """An incident and the version under which it is stored: 1 for the create, one more with every change."""

    incident: Incident
    version: int


def key(of: keys.Key) -> Item:
    return {"pk": {"S": of.pk}, "sk": {"S": of.sk}}


def from_incident(incident: Incident, version: int) -> Item:
    """Return the whole item, with its key and the index attributes of its state."""
    item = key(keys.incident(incident["tenant_id"], incident["id"]))
    item["version"] = {"N": str(version)}
    for name, text in keys.index_attributes(incident).items():
        item[name] = {"S": text}
    for field, value in incident.items():
        if value is not None and value != []:
            item[field] = _attribute(value)
    return item


def to_incident(item: Item) -> Stored:
    """Return the incident of an item; attributes that this version does not know are left where they are."""
    incident = model.blank()
    if app_id := item.get("app_id"):
        incident["app_id"] = app_id["S"]
    for field in incident:
        if attribute := item.get(field):
            incident[field] = Decimal(attribute["N"]) if field == "financial_impact" else _value(attribute)
    return Stored(cast("Incident", incident), int(item["version"]["N"]))


def creation(incident: Incident) -> Item:
    """Return change 1. It holds no values: the first value of a field is the ``from`` of its first later change, or
    what the incident shows now. To store them twice would cost every create up to its own size again."""
    return key(keys.change(incident["tenant_id"], incident["id"], 1)) | {
        "version": {"N": "1"},
        "at": {"S": incident["created_at"]},
        "by": {"S": incident["created_by"]},
        "action": {"S": "created"},
        "changes": {"M": {}},
    }


def number(incident: Incident) -> Item:
    """Return the item that holds an incident number for good."""
    return key(keys.number(incident["tenant_id"], incident["incident_number"])) | {"incident_id": {"S": incident["id"]}}


def _attribute(value: object) -> Attribute:
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case Decimal():
            return {"N": json_text.dump_amount(value)}
        case list():
            return {"L": [{"S": one} for one in value]}
    raise TypeError(f"an incident holds no {type(value).__name__}")


def _value(attribute: Attribute) -> object:
    ((kind, value),) = attribute.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            return int(value)
        case "L":
            return [one["S"] for one in value]
    raise TypeError(f"an incident holds no attribute of type {kind}")
