"""Injects faults between a function and its table, at any attempt of any SDK call.

The faults are injected where botocore sends a request to the network. If the name of a fault's kind ends in
``_BEFORE``, the table does not receive the request. If the name ends in ``_AFTER``, the table has already committed the
request. The function gets the same error in both cases.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Kind(Enum):
    """A kind of fault that happens at one attempt of an SDK call."""

    THROTTLE = "throttle"
    CONFLICT = "conflict with another transaction"
    MEMBER_THROTTLED = "throttled inside a transaction"
    UNAVAILABLE = "503 of a proxy"
    ERROR_BEFORE = "500 before commit"
    ERROR_AFTER = "500 after commit"
    CUT_BEFORE = "socket cut before commit"
    CUT_AFTER = "socket cut after commit"
    HANG_BEFORE = "hang before commit"
    HANG_AFTER = "hang after commit"
    END_BEFORE = "process ended before commit"
    END_AFTER = "process ended after commit"


OF_TRANSACTIONS = (Kind.CONFLICT, Kind.MEMBER_THROTTLED)
ENDS = (Kind.END_BEFORE, Kind.END_AFTER)
HANGS = (Kind.HANG_BEFORE, Kind.HANG_AFTER)
_AFTER = (Kind.ERROR_AFTER, Kind.CUT_AFTER, Kind.HANG_AFTER, Kind.END_AFTER)


class Attempt(NamedTuple):
    """One attempt of an SDK call: the call's ordinal number since the injection started, and the operation."""

    call: int
    operation: str


Choose = Callable[[Attempt], Kind | None]


class Faults:
    """Calls ``choose`` at each attempt, and injects the fault that ``choose`` returns. None means no fault."""

    def __init__(self, client: "DynamoDBClient", choose: Choose, hang: Callable[[], None]):
        self._client, self._choose, self._hang = client, choose, hang
        self.calls = 0
        self.injected = 0

    @contextmanager
    def at_work(self) -> Iterator["Faults"]:
        events = self._client.meta.events
        events.register_first("before-call.dynamodb", self._count)
        events.register_last("before-send.dynamodb", self._attempt)  # type: ignore[arg-type]
        try:
            yield self
        finally:
            events.unregister("before-call.dynamodb", self._count)
            events.unregister("before-send.dynamodb", self._attempt)  # type: ignore[arg-type]

    def _count(self, **_: object) -> None:
        self.calls += 1

    def _attempt(self, request: Any, event_name: str, **_: object) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        kind = self._choose(Attempt(self.calls, operation))
        if kind is None or (kind in OF_TRANSACTIONS and operation != "TransactWriteItems"):
            return None
        self.injected += 1
        if kind in _AFTER:
            told = self._client._endpoint.http_session.send(request)  # type: ignore[attr-defined]
            # Either the table committed the request, or a condition refused it. The function does not learn
            # which of the two happened.
            assert told.status_code in (200, 400)
        match kind:
            case Kind.THROTTLE:
                return _answer(request, 400, "ThrottlingException")
            case Kind.CONFLICT | Kind.MEMBER_THROTTLED:
                reason = "TransactionConflict" if kind is Kind.CONFLICT else "ThrottlingError"
                reasons = [{"Code": reason}] + [{"Code": "None"}] * 3
                return _answer(request, 400, "TransactionCanceledException", CancellationReasons=reasons)
            case Kind.UNAVAILABLE:
                return AWSResponse(request.url, 503, HTTPHeaders(), _Body(b"<html>Service Unavailable</html>"))
            case Kind.ERROR_BEFORE | Kind.ERROR_AFTER:
                return _answer(request, 500, "InternalServerError")
            case Kind.CUT_BEFORE | Kind.CUT_AFTER:
                raise ConnectionClosedError(endpoint_url=request.url)
            case Kind.HANG_BEFORE | Kind.HANG_AFTER:
                self._hang()
                raise ReadTimeoutError(endpoint_url=request.url)
            case Kind.END_BEFORE | Kind.END_AFTER:
                os._exit(EXIT_STATUS)


EXIT_STATUS = 137  # the exit status of a process that a fault ended


class _Body:
    """The body of a raw HTTP response, as botocore reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Iterator[bytes]:
        yield self._content


def _answer(request: Any, status: int, code: str, **more: object) -> AWSResponse:
    document = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected", **more}
    headers = HTTPHeaders.from_dict({"content-type": "application/x-amz-json-1.0", "x-amz-retry-after": "9000"})
    return AWSResponse(request.url, status, headers, _Body(json.dumps(document).encode()))
