"""Publish the records of the table's stream as events on the bus: one event for each version of an incident.

An event may be delivered twice. Two deliveries of one event have the same ``(incident_id, version)``. ``deadline_jobs``
uses this module to publish the events about deadlines.
"""

import json
import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .domain import model
from .findings import OWN_SOURCE
from .runtime import deadline, sdk
from .runtime.log import logger
from .storage import stored_form
from .storage.stored_form import Item, Record

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = OWN_SOURCE  # the intake skips this source, so that an incident cannot create another incident
SCHEMA_VERSION = 1

DetailType = Literal[
    "IncidentCreated", "IncidentUpdated", "IncidentClosed", "IncidentReopened", "IncidentDeleted", "IncidentRestored",
    "IncidentDeadlineApproaching", "IncidentDeadlineMissed",
]  # fmt: skip
_OF_ACTION: dict[str, DetailType] = {
    "updated": "IncidentUpdated", "closed": "IncidentClosed", "reopened": "IncidentReopened",
    "deleted": "IncidentDeleted", "restored": "IncidentRestored",
}  # fmt: skip

BATCH = 10  # EventBridge accepts at most ten entries in one call
_TRIES = 3


@cache
def bus() -> "EventBridgeClient":
    """Return this process's EventBridge client, which is created on first use."""
    made: EventBridgeClient = sdk.make_client("events")
    return made


class Announcement(NamedTuple):
    """An event for the bus, as ``incident_event.v1.json`` or ``deadline_event.v1.json`` defines it.

    Events contain no text that a person wrote.
    """

    detail_type: DetailType
    detail: dict[str, Any]


def publish_incident_events(records: list[Record]) -> set[str]:
    """Publish one event for each change of an incident. Return the sequence numbers of the records that failed."""
    entries: dict[str, Any] = {}
    failed: set[str] = set()
    for record in records:
        try:
            event = announcement(record.old, record.new)
        except Exception as error:  # an unreadable record must not block the other records
            logger.error("unreadable record", extra={"error": type(error).__qualname__})
            failed.add(record.sequence_number)
            continue
        if event is not None:
            entries[record.sequence_number] = to_entry(event)
    return failed | put(entries)


def announcement(old: Item | None, new: Item | None) -> Announcement | None:
    """Return the event for the change of an item from ``old`` to ``new``, or None if the change has no event.

    If several types of event match the change, the first type in this order is used: deleted, restored, closed,
    reopened, updated. A new incident gives IncidentCreated, even if its status is closed. An erased item gives no
    event, and neither does a write that keeps the version.
    """
    if new is None:
        return None
    after = stored_form.to_incident(new)
    if old is None:
        return Announcement("IncidentCreated", _detail(after, []))
    before = stored_form.to_incident(old)
    if before.version == after.version:
        return None
    action = model.action(before.incident, after.incident)
    return Announcement(
        _OF_ACTION[action], _detail(after, sorted(model.changed_values(before.incident, after.incident)))
    )


def _detail(stored: stored_form.Stored, changed: list[str]) -> dict[str, Any]:
    incident: Mapping[str, Any] = stored.incident
    copied = ("tenant_id", "incident_number", "status", "severity", "source")
    return {
        "schema_version": SCHEMA_VERSION,
        "incident_id": incident["id"],
        "version": stored.version,
        "at": incident["updated_at"],
        "by": incident["updated_by"],
        "changed_fields": changed,
        **{field: incident[field] for field in copied},
        "app_id": incident.get("app_id"),
    }


def to_entry(event: Announcement) -> dict[str, Any]:
    """Return an event as an entry for PutEvents."""
    return {
        "EventBusName": os.environ["EVENT_BUS_NAME"],
        "Source": SOURCE,
        "DetailType": event.detail_type,
        "Detail": json.dumps(event.detail),
        "Resources": [f"urn:incident:{event.detail['incident_id']}"],
    }


def put(entries: Mapping[str, Any]) -> set[str]:
    """Put the entries on their bus. Return the names of the entries that failed in every attempt.

    ``entries`` maps names to entries. EventBridge may refuse some entries of a batch. Only the refused entries are sent
    again.
    """
    left = dict(entries)
    for attempt in range(_TRIES):
        for names in [list(left)[first : first + BATCH] for first in range(0, len(left), BATCH)]:
            answer = bus().put_events(Entries=[left[name] for name in names])
            for name, result in zip(names, answer["Entries"], strict=True):
                if "EventId" in result:
                    del left[name]
        if not left:
            break
        deadline.pause(attempt, first=0.1)
    return set(left)
