"""Table stream -> EventBridge: announce what became of an incident, one event a version."""

from incidents import publishing, stream


@stream.consumer
def handler(records: list[stream.Record]) -> set[str]:
    return publishing.publish(records)
