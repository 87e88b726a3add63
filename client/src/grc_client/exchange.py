"""Run one call: decide when to retry its request, and turn the answer into a result or an error.

``exchange`` sends nothing itself. It is a generator: it yields the pause before each request, and receives the outcome
of the request. So the blocking and the asynchronous client can share it.
"""

import json
import random
import time
from collections.abc import Generator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any, TypeVar

import httpx2

from .calls import Call
from .errors import OF_STATUS, ApiError, ConnectionFailed, GrcError, ServerError, UnexpectedAnswer

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds

_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
# These statuses count as the API's errors even without JSON, because firewalls and proxies send pages of their own.
_WITHOUT_WORDS = (401, 403, 408, 429)
_MAY_PASS = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.ProxyError)

T = TypeVar("T")
Outcome = httpx2.Response | httpx2.RequestError


def exchange(call: Call[T], retry_for: float) -> Generator[float, Outcome, T]:
    """Yield the seconds to wait before each request, receive the request's outcome, and return the call's result.

    Retries end when ``retry_for`` seconds have passed. Any request is retried after a 429, or if it was never sent, or
    after a 408, because the server then did not receive the complete request. After a 5xx or a broken connection, the
    first request may have taken effect. So only a repeatable request is retried then. The pauses are random, with a
    limit that doubles each time ("full jitter", AWS Architecture Blog, 2015). A pause is never shorter than the API's
    Retry-After. Raises GrcError.
    """
    ends = time.monotonic() + retry_for
    pause = 0.0
    for attempt in count():
        outcome = yield pause
        if isinstance(outcome, httpx2.Response) and outcome.is_success:
            return _read(call, outcome)
        pause = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)) + _retry_after(outcome)  # noqa: S311
        if not _may_pass(call, outcome) or time.monotonic() + pause > ends:
            raise _failure(outcome)  # without `from outcome`, because its traceback has the token
    raise AssertionError("unreachable")


def _may_pass(call: Call[T], outcome: Outcome) -> bool:
    if isinstance(outcome, httpx2.Response):
        return outcome.status_code in (408, 429) or (outcome.status_code >= 500 and call.repeatable)
    return isinstance(outcome, _NEVER_SENT) or (isinstance(outcome, _MAY_PASS) and call.repeatable)


def _retry_after(outcome: Outcome) -> float:
    """Return the seconds to wait, from the header Retry-After (RFC 9110 10.2.3), which is a number or a date.

    Return 0 if the header is missing or invalid.
    """
    header = outcome.headers.get("retry-after", "") if isinstance(outcome, httpx2.Response) else ""
    if header.isascii() and header.isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # RFC 9110 5.6.7: a date without a zone is UTC
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _read(call: Call[T], answer: httpx2.Response) -> T:
    try:
        return call.read(answer)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnexpectedAnswer(
            f"{_described(answer)} cannot be read: {error!r}. Check whether a newer grc-client exists."
        ) from error


def _failure(outcome: Outcome) -> GrcError:
    if isinstance(outcome, httpx2.DecodingError):
        return UnexpectedAnswer(
            f"the answer from {outcome.request.url.host} cannot be decoded: {outcome}. Check base_url and any proxy."
        )
    if isinstance(outcome, httpx2.RequestError):
        return ConnectionFailed(
            f"no answer from {outcome.request.url.host}: {type(outcome).__name__} {outcome}".rstrip()
            + ". Check base_url and the network."
        )
    status, members = outcome.status_code, _problem(outcome)
    if status < 400 or (members is None and status < 500 and status not in _WITHOUT_WORDS):
        return UnexpectedAnswer(f"{_described(outcome)} is not an answer of this API. Check base_url and any proxy.")
    members = members or {}
    kind = OF_STATUS.get(status, ServerError if status >= 500 else ApiError)
    return kind(status, members.get("request_id") or _request_id(outcome), members)


def _problem(answer: httpx2.Response) -> dict[str, Any] | None:
    """Return the JSON object in a refusal, or None if the refusal's body is not a JSON object.

    The token is removed from the object, because a proxy may echo the request's headers.
    """
    token = answer.request.headers.get("authorization", "").removeprefix("Bearer ")
    try:
        text = answer.content.decode()
        members = json.loads(text.replace(token, "[token]") if token else text)
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _request_id(answer: httpx2.Response) -> str | None:
    """Return the request id from the answer's header. A refusal by the gateway has the id only there."""
    request_id: str | None = answer.headers.get("apigw-requestid")
    return request_id


def _described(answer: httpx2.Response) -> str:
    kind = answer.headers.get("content-type", "no content type")
    request = f" [request {request_id}]" if (request_id := _request_id(answer)) else ""
    return f"{answer.request.method} {answer.request.url.path}: {answer.status_code} with {kind}{request}"
