"""The one DynamoDB client, transactions with retries, and the errors for refused requests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from ..domain import model
from ..domain.errors import Busy, NotFound
from ..domain.identity import Identity
from ..runtime import deadline, sdk
from . import fast_path, guard, keys, stored_form

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
    """A transaction stored nothing, because conditions failed. ``places`` are the positions of the failed writes."""

    def __init__(self, places: list[int]) -> None:
        super().__init__(f"conditions failed at {places}")
        self.places = places


@cache
def client() -> "DynamoDBClient":
    """Return this process's DynamoDB client, which is created on first use.

    The guard checks every request of the client. Requests and answers use the fast path.
    """
    made: DynamoDBClient = sdk.make_client("dynamodb")
    guard.watch(made)
    fast_path.shorten(made)
    return made


def warm_up() -> None:
    """Create the client, and open the connection for the first request. Raises Busy even on success, like ``ping``."""
    with deadline.within(deadline.for_one_attempt()), guard.serving_system():
        fast_path.ping(client(), table_name(), stored_form.key(keys.account("")))


def table_name() -> str:
    return os.environ["TABLE_NAME"]


@contextmanager
def refusals_as_busy() -> Iterator[None]:
    """Raise Busy if DynamoDB throttles, fails or cannot be reached, even after botocore's own retries."""
    try:
        yield
    except (ConnectionError, HTTPClientError) as error:
        raise Busy from error
    except ClientError as error:
        failed = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500  # also from a proxy
        if not failed and error.response["Error"]["Code"] not in _REFUSALS:
            raise
        raise Busy from error


def is_refused_for_good(error: ClientError) -> bool:
    """Return whether DynamoDB refuses a value itself, such as a key that is too long. No later attempt can succeed."""
    codes = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
    return "ValidationException" in (error.response["Error"]["Code"], *codes) or "ValidationError" in codes


@contextmanager
def only_under_its_condition() -> Iterator[None]:
    """Ignore a failed condition, because then nothing needs to be written. Raises Busy as ``refusals_as_busy`` does."""
    try:
        with refusals_as_busy():
            yield
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise


def transact(client: "DynamoDBClient", writes: list[Any]) -> None:
    """Write all items or none, with retries. Raises ConditionFailed, or Busy after the last attempt.

    DynamoDB cancels a transaction that conflicts with another transaction over an item. botocore does not retry a
    canceled transaction. All attempts have the same client request token. If an earlier attempt was stored but its
    answer was lost, the conditions would now be false. But DynamoDB recognizes the token, does not check the conditions
    again, and reports success.
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
            # If a transaction was canceled for a conflict and for a failed condition, the conflict may hide a second
            # failed condition. So try again.
            if failed and (not passing or attempt == _TRANSACTION_ATTEMPTS - 1):
                raise ConditionFailed(failed) from error
            if not (failed or passing) or not _KNOWN_REASONS.issuperset(reasons):
                raise
        if attempt < _TRANSACTION_ATTEMPTS - 1:
            deadline.pause(attempt, first=0.02, longest=_LONGEST_PAUSE)
    raise Busy


def read_incident(client: "DynamoDBClient", table: str, identity: Identity, incident_id: str) -> stored_form.Stored:
    """Return the latest state of an incident that a caller may reach, deleted or not.

    Raises NotFound for every other incident, also for a malformed id. Raises Busy.
    """
    if not model.INCIDENT_ID.fullmatch(incident_id):
        raise NotFound
    key = stored_form.key(keys.incident(identity.tenant_id, incident_id))
    with refusals_as_busy():
        answer = client.get_item(TableName=table, Key=key, ConsistentRead=True)  # a caller must see its own last write
    if "Item" not in answer:
        raise NotFound
    stored = stored_form.to_incident(answer["Item"])
    if identity.app_id is not None and stored.incident.get("app_id") != identity.app_id:
        raise NotFound
    return stored
