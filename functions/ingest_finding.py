"""EventBridge -> SQS -> incidents: turn a finding into exactly one incident."""

# Import this first. If pydantic is already loaded, Powertools' batch module also loads Powertools' parser, which takes
# 10 % of the start time.
from incidents.edges import findings_queue  # isort: split

from incidents import intake


@findings_queue.consumer
def handler(message: findings_queue.Message) -> list[str]:
    return intake.ingest_finding(
        message.event, message.accounts, message.serving, message.settings_of, message.enabled_sources
    )
