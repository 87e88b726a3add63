"""The one DynamoDB client, and what it does when the table refuses.

botocore and not boto3: the client is the same, and a function that does not load the layer above starts faster.
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from .errors import Busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A call takes some milliseconds. Three attempts at one call end within these bounds some seconds before the function's
# own timeout, so that the caller gets an answer from us and not a bare one from the gateway.
_CONFIG = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3})

_TRANSACTION_ATTEMPTS = 8
_LONGEST_PAUSE = 0.5  # seconds
_REFUSALS = frozenset({
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException", "InternalServerError",
    "TransactionInProgressException", "ServiceUnavailable",
})  # fmt: skip
_PASSING_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_KNOWN_REASONS = _PASSING_REASONS | {"ConditionalCheckFailed", "None"}


class ConditionFailed(Exception):
    """A transaction wrote nothing because conditions did not hold; ``places`` are the positions of their items."""

    def __init__(self, places: list[int]) -> None:
        super().__init__(f"conditions failed at {places}")
        self.places = places


@cache
def client() -> "DynamoDBClient":
    """Return the client of this process, made on first use."""
    made: DynamoDBClient = botocore.session.get_session().create_client("dynamodb", config=_CONFIG)  # type: ignore[assignment]
    return made


def table_name() -> str:
    return os.environ["TABLE_NAME"]


@contextmanager
def refusals_as_busy() -> Iterator[None]:
    """Raise Busy when the table throttles, fails or cannot be reached, after botocore's own retries."""
    try:
        yield
    except (ConnectionError, HTTPClientError) as error:
        raise Busy from error
    except ClientError as error:
        if error.response["Error"]["Code"] not in _REFUSALS:
            raise
        raise Busy from error


def transact(client: "DynamoDBClient", writes: list[Any]) -> None:
    """Write all or nothing. Raises ConditionFailed, or Busy after the last attempt.

    DynamoDB cancels a transaction that meets another one at an item, and botocore does not retry what is cancelled. The
    pause before the next attempt is random up to a doubling bound (full jitter), so that rivals do not meet again.
    """
    for attempt in range(_TRANSACTION_ATTEMPTS):
        try:
            with refusals_as_busy():
                client.transact_write_items(TransactItems=writes)
            return
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            reasons = [reason["Code"] for reason in error.response["CancellationReasons"]]
            failed = [place for place, code in enumerate(reasons) if code == "ConditionalCheckFailed"]
            passing = _PASSING_REASONS.intersection(reasons)
            # Where both stand side by side, the conflict may hide another condition that fails: look again.
            if failed and (not passing or attempt == _TRANSACTION_ATTEMPTS - 1):
                raise ConditionFailed(failed) from error
            if not (failed or passing) or not _KNOWN_REASONS.issuperset(reasons):
                raise
        if attempt < _TRANSACTION_ATTEMPTS - 1:
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.02 * 2**attempt)))  # noqa: S311  # jitter, not a secret
    raise Busy
