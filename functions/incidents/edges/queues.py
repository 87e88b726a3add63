"""The SQS client for sending messages. ``schedule``, ``dead_letters`` and ``findings_queue`` use this client."""

from functools import cache
from typing import TYPE_CHECKING

from ..runtime import sdk

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@cache
def client() -> "SQSClient":
    """Return this process's SQS client, which is created on first use."""
    made: SQSClient = sdk.make_client("sqs")
    return made
