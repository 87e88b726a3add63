"""EventBridge -> SQS: make an incident of a finding, exactly one."""

# First: where pydantic is loaded already, Powertools' batch loads its parser too, a tenth of this function's start.
from incidents.edges import findings_queue  # isort: split

from incidents import intake


@findings_queue.consumer
def handler(message: findings_queue.Message) -> list[str]:
    return intake.ingest_finding(message.event, message.accounts, message.serving, message.enabled_sources)
