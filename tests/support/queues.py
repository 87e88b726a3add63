"""Makes the events that a queue sends to the functions."""

import json
from typing import Any
from uuid import uuid4


def sqs_event(*bodies: object) -> dict[str, Any]:
    """Return the event that Lambda gets from a queue with these bodies. A body that is not a text becomes JSON."""
    return {
        "Records": [
            {
                "messageId": str(uuid4()),
                "body": body if isinstance(body, str) else json.dumps(body),
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:findings",
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
            }
            for body in bodies
        ]
    }
