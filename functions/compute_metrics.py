"""SQS -> day buckets: compute a tenant's marked days."""

from incidents.metrics import edge, jobs


@edge.consumer
def handler(message: edge.Message) -> list[str]:
    return jobs.compute_metrics(message.tenant_id, message.marked_days, message.metrics, message.settle)
