"""Table stream -> marks: note which days' metrics must be computed again."""

from incidents import stream
from incidents.metrics import edge, jobs


@stream.consumer
def handler(records: list[stream.Record]) -> set[str]:
    return jobs.mark_metric_days(records, edge.marked_days())
