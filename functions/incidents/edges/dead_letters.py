"""The dead letters: where an event goes that can never be taken, with the reason. `incidents dlq` reads them."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import queues

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

_ATTRIBUTE_CHARACTERS = 256


def send(body: str, envelope: Mapping[str, Any], reason: str) -> None:
    """Send a message's body as it came; its attributes say why, and whose event it is."""
    said = {"reason": reason, "account": envelope.get("account"), "source": envelope.get("source"),
            "event_id": envelope.get("id")}  # fmt: skip
    attributes: dict[str, MessageAttributeValueTypeDef] = {
        name: {"DataType": "String", "StringValue": _to_attribute(value)} for name, value in said.items()
    }
    queues.client().send_message(
        QueueUrl=os.environ["DEAD_LETTERS_URL"], MessageBody=body, MessageAttributes=attributes
    )


def _to_attribute(value: object) -> str:
    """SQS takes no empty attribute and no control characters, and an event may hold anything."""
    text = value if isinstance(value, str) else ""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text[:_ATTRIBUTE_CHARACTERS]) or "unknown"
