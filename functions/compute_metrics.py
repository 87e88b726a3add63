"""SQS -> day buckets: compute the metrics of the days that are marked as changed, for one tenant."""

from incidents import metric_jobs
from incidents.edges import metrics_queue


@metrics_queue.consumer
def handler(message: metrics_queue.Message) -> list[str]:
    return metric_jobs.compute_metrics(message.tenant_id, message.marked_days, message.metrics, message.settle_ms)
