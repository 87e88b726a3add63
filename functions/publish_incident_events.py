"""Table stream -> EventBridge: announce what became of an incident, one event a version."""

from incidents import publishing
from incidents.edges import stream
from incidents.storage.stored_form import Record


@stream.consumer(publishing.bus)
def handler(records: list[Record]) -> set[str]:
    return publishing.publish_incident_events(records)
