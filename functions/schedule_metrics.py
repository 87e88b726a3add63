"""Schedule -> SQS: send one message for each tenant that has days to compute again."""

from incidents import metric_jobs
from incidents.edges import schedule


@schedule.consumer
def handler(run: schedule.Run) -> int:
    return metric_jobs.schedule_metrics(run.marked_days, run.send)
