"""Schedule -> SQS: one message for each tenant that has marked days."""

from incidents.metrics import edge, jobs


@edge.scheduled
def handler(run: edge.Run) -> int:
    return jobs.schedule_metrics(run.marked_days, run.send)
