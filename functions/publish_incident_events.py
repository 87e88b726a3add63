"""Table stream -> EventBridge: publish one event for each version of an incident."""

from incidents import publishing
from incidents.edges import stream
from incidents.storage.stored_form import Record


@stream.consumer(publishing.bus)
def handler(records: list[Record]) -> set[str]:
    return publishing.publish_incident_events(records)
