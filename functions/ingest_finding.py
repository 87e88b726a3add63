"""EventBridge -> SQS: make an incident of a finding, exactly one."""

from incidents import event_queue, intake


@event_queue.consumer
def handler(message: event_queue.Message) -> list[str]:
    return intake.take_event(message.event, message.system, message.serving, message.enabled_sources)
