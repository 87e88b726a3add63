"""The one DynamoDB client, and what it does when the table refuses.

The client is botocore's, with its signing, connections, retries and errors. What it spends most on is left out: the
guard has looked at a request, which is DynamoDB's JSON already, and an answer is that too. So two of its public events
take a request's JSON past its serializer and an answer's past its parser. Measured in instructions of a warm call
(``tests.benchmarks``, Python 3.11): without the second, a get costs 1.37 and a list of 50 3.8 times as much; without
the first, a create 1.10 times, and 1.39 with botocore's look at the parameters; with a user agent that it puts together
for each request, both 1.18 times. A connection is opened before the first request needs it.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin
from uuid import uuid4
from zlib import crc32

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from . import aws_clients, guard, items, keys, timeouts
from .errors import Busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_TRANSACTION_ATTEMPTS = 8
_LONGEST_PAUSE = 0.5  # seconds
_BODY = "incidents_body"
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
    events = made.meta.events
    events.register_last("before-parameter-build.dynamodb", _keep_as_it_is)
    events.register("before-call.dynamodb", _send_as_it_is)
    events.register("before-parse.dynamodb", _read_as_it_is)
    return made


def _keep_as_it_is(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Take a request's JSON past botocore's serializer, after the guard has looked at it."""
    context[_BODY] = json.dumps(params).encode()
    params.clear()


def _send_as_it_is(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    params["body"] = context.pop(_BODY, params["body"])


def _read_as_it_is(response_dict: Any, customized_response_dict: dict[str, Any], **_: object) -> None:
    """Give the caller an answer's JSON, past botocore's parser. Raises Busy for one that was garbled on its way."""
    if response_dict["status_code"] >= 300:
        return
    body: bytes = response_dict["body"]
    sum_of_it = response_dict["headers"].get("x-amz-crc32")
    try:
        answer = json.loads(body) if sum_of_it is None or int(sum_of_it) == crc32(body) else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Busy
    customized_response_dict.update(answer)
    response_dict["body"] = b"{}"


def warm_up() -> None:
    """Make the client, and open and try the connection that the first request will find. Never raises.

    A ping goes in place of the item: it needs no permission, reads nothing, and the answer does not matter.
    """
    with suppress(Exception):
        events = client().meta.events
        events.register("before-call.dynamodb.GetItem", _ping_instead)
        try:
            with timeouts.within(timeouts.ONE_ATTEMPT_SECONDS), guard.serving_system():
                client().get_item(TableName=table_name(), Key=items.key(keys.account("")))
        finally:
            events.unregister("before-call.dynamodb.GetItem", _ping_instead)


def _ping_instead(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    del context[_BODY]
    params |= {"method": "GET", "url": urljoin(params["url"], "/ping"), "headers": {}, "body": b""}


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


# A start has a whole core, whatever the function's memory, and a request a part of one.
if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    warm_up()
