"""The one DynamoDB client, and what it does when the table refuses."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from zlib import crc32

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from . import aws_clients, guard, timeouts
from .errors import Busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_TRANSACTION_ATTEMPTS = 8
_LONGEST_PAUSE = 0.5  # seconds
_REFUSALS = frozenset({
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException", "ThrottledException",
    "Throttling", "SlowDown", "TooManyRequestsException", "TransactionInProgressException",
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
    """Return the client of this process, made on first use, and guarded."""
    made: DynamoDBClient = aws_clients.make("dynamodb")
    guard.watch(made)
    made.meta.events.register("before-parse.dynamodb", _check_whole)
    return made


def _check_whole(response_dict: Any, **_: object) -> None:
    """Raise Busy for an answer that was garbled on its way: botocore would read it as one that holds nothing."""
    sum_of_it = response_dict["headers"].get("x-amz-crc32")
    body: bytes = response_dict["body"]
    whole = body.startswith(b"{") and body.endswith(b"}") and (sum_of_it is None or int(sum_of_it) == crc32(body))
    if response_dict["status_code"] < 300 and not whole:
        raise Busy


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
        failed = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500  # whoever answered it
        if not failed and error.response["Error"]["Code"] not in _REFUSALS:
            raise
        raise Busy from error


@contextmanager
def only_under_its_condition() -> Iterator[None]:
    """Pass over a write whose condition does not hold: there was nothing to do. Else as ``refusals_as_busy``."""
    try:
        with refusals_as_busy():
            yield
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise


def transact(client: "DynamoDBClient", writes: list[Any]) -> None:
    """Write all or nothing. Raises ConditionFailed, or Busy after the last attempt.

    DynamoDB cancels a transaction that meets another one at an item, and botocore does not retry what is cancelled. All
    attempts carry one token: should an earlier one have been stored and its answer lost, a later one is told so and
    does not fail at conditions that this very write has made untrue.
    """
    token = str(uuid4())
    for attempt in range(_TRANSACTION_ATTEMPTS):
        try:
            with refusals_as_busy():
                client.transact_write_items(TransactItems=writes, ClientRequestToken=token)
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
            timeouts.pause(attempt, first=0.02, longest=_LONGEST_PAUSE)
    raise Busy
