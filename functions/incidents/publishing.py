"""What tells others of incidents: from records of the table's stream to events on the bus."""

import json
import os
from typing import Any

from . import stream
from .announcing import SOURCE, announcement
from .observability import logger
from .stream import Record


def publish(records: list[Record]) -> set[str]:
    """Announce each change of an incident; return the sequence numbers of those that could not be."""
    entries: dict[str, Any] = {}
    failed: set[str] = set()
    for record in records:
        try:
            told = announcement(record.old, record.new)
        except Exception as error:  # one record that cannot be read holds up no other
            logger.error("unreadable record", extra={"error": type(error).__qualname__})
            failed.add(record.sequence_number)
            continue
        if told is not None:
            entries[record.sequence_number] = {
                "EventBusName": os.environ["EVENT_BUS_NAME"],
                "Source": SOURCE,
                "DetailType": told.detail_type,
                "Detail": json.dumps(told.detail),
                "Resources": [f"urn:incident:{told.detail['incident_id']}"],
            }
    return failed | stream.put(entries)
