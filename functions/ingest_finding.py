"""EventBridge -> SQS -> incidents: turn a finding into exactly one incident."""

from incidents import intake
from incidents.edges import findings_queue


@findings_queue.consumer
def handler(message: findings_queue.Message) -> list[str]:
    return intake.ingest_finding(
        message.event, message.accounts, message.serving, message.settings_of, message.enabled_sources, message.received
    )
