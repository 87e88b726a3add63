"""Table stream -> marks: mark the days, incidents and tenants whose metrics, deadlines and seals are due."""

import os

from incidents import following
from incidents.edges import stream
from incidents.storage import dynamodb, marks
from incidents.storage.stored_form import Record


@stream.consumer(dynamodb.warm_up)
def handler(records: list[Record]) -> set[str]:
    seals = marks.seals() if os.environ.get("HISTORY_RETENTION") else None
    return following.follow_incidents(records, marks.metric_days(), marks.deadlines(), seals)
