"""What is announced of an incident: exactly one event a version, from the images that the table's stream gives.

``(incident_id, version)`` tells two deliveries of one event apart from two events.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from . import items, model
from .findings import OWN_SOURCE
from .items import Item

SOURCE = OWN_SOURCE  # which the intake never takes, so that no incident makes another
SCHEMA_VERSION = 1

DetailType = Literal[
    "IncidentCreated", "IncidentUpdated", "IncidentClosed", "IncidentReopened", "IncidentDeleted", "IncidentRestored"
]
_OF_ACTION: dict[str, DetailType] = {
    "updated": "IncidentUpdated", "closed": "IncidentClosed", "reopened": "IncidentReopened",
    "deleted": "IncidentDeleted", "restored": "IncidentRestored",
}  # fmt: skip


class Announcement(NamedTuple):
    """An event to put on the bus, as ``incident_event.v1.json`` describes it. No text that a person wrote is in it."""

    detail_type: DetailType
    detail: dict[str, Any]


def announcement(old: Item | None, new: Item | None) -> Announcement | None:
    """Return the event of a record of the stream, from the item before and after; None where there is nothing to tell.

    By precedence: deleted, restored, closed, reopened, updated; an incident that is created closed is created. An item
    that is erased for good is not announced, nor is a write that leaves the version as it was.
    """
    if new is None:
        return None
    after = items.to_incident(new)
    if old is None:
        return Announcement("IncidentCreated", _detail(after, []))
    before = items.to_incident(old)
    if before.version == after.version:
        return None
    action = model.action(before.incident, after.incident)
    return Announcement(_OF_ACTION[action], _detail(after, sorted(model.changes(before.incident, after.incident))))


def _detail(stored: items.Stored, changed: list[str]) -> dict[str, Any]:
    incident: Mapping[str, Any] = stored.incident
    told = ("tenant_id", "incident_number", "status", "severity", "source")
    return {
        "schema_version": SCHEMA_VERSION,
        "incident_id": incident["id"],
        "version": stored.version,
        "at": incident["updated_at"],
        "by": incident["updated_by"],
        "changed_fields": changed,
        **{field: incident[field] for field in told},
        "app_id": incident.get("app_id"),
    }
