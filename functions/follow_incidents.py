"""Table stream -> marks: mark the days whose metrics, and the incidents whose deadlines, must be computed again."""

from incidents import following
from incidents.edges import stream
from incidents.storage import dynamodb, marks
from incidents.storage.stored_form import Record


@stream.consumer(dynamodb.warm_up)
def handler(records: list[Record]) -> set[str]:
    return following.follow_incidents(records, marks.metric_days(), marks.deadlines())
