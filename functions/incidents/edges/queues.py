"""The SQS client of the senders: the schedule and the dead letters."""

from functools import cache
from typing import TYPE_CHECKING

from ..runtime import sdk

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@cache
def client() -> "SQSClient":
    """Return the client of this process, made on first use."""
    made: SQSClient = sdk.make_client("sqs")
    return made
