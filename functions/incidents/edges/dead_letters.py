"""Send events that the service can never accept to the queue of dead letters, each with the reason.

`incidents dlq` reads this queue.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import queues

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

_ATTRIBUTE_CHARACTERS = 256


def send(body: str, envelope: Mapping[str, Any], reason: str) -> None:
    """Send a refused message's body unchanged, with the reason and the event's account, source and id as attributes."""
    said = {"reason": reason, "account": envelope.get("account"), "source": envelope.get("source"),
            "event_id": envelope.get("id")}  # fmt: skip
    attributes: dict[str, MessageAttributeValueTypeDef] = {
        name: {"DataType": "String", "StringValue": _to_attribute(value)} for name, value in said.items()
    }
    queues.client().send_message(
        QueueUrl=os.environ["DEAD_LETTERS_URL"], MessageBody=body, MessageAttributes=attributes
    )


def _to_attribute(value: object) -> str:
    """Return a text that SQS accepts as an attribute: printable ASCII, not empty, at most 256 characters."""
    text = value if isinstance(value, str) else ""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text[:_ATTRIBUTE_CHARACTERS]) or "unknown"
