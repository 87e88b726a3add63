"""One call, from the first request to its result: when to send it again, and what an answer means.

It does no input or output: ``exchange`` is a generator that says how long to wait before each request and is told what
came of it, so that the blocking and the asynchronous client are one.
"""

import json
import random
import time
from collections.abc import Generator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import TypeVar

import httpx

from .calls import Call
from .errors import OF_STATUS, ApiError, ConnectionFailed, GrcError, ServerError, UnexpectedAnswer

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_MAY_PASS = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)

T = TypeVar("T")
Outcome = httpx.Response | httpx.RequestError


def exchange(call: Call[T], retry_for: float) -> Generator[float, Outcome, T]:
    """Yield for how many seconds to wait before each request, get what came of it, and return the result.

    A request is sent again while ``retry_for`` seconds have not passed: after 429 and where it never was sent; after
    5xx and a broken connection only if it is repeatable, because it may have been done. The pauses are random, up to
    twice as long each time ("full jitter", AWS Architecture Blog, 2015), and never shorter than the API's Retry-After.
    Raises GrcError.
    """
    ends = time.monotonic() + retry_for
    pause = 0.0
    for attempt in count():
        outcome = yield pause
        if isinstance(outcome, httpx.Response) and outcome.is_success:
            return _read(call, outcome)
        pause = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)) + _retry_after(outcome)  # noqa: S311
        if not _may_pass(call, outcome) or time.monotonic() + pause > ends:
            raise _failure(outcome) from (outcome if isinstance(outcome, httpx.RequestError) else None)
    raise AssertionError("unreachable")


def _may_pass(call: Call[T], outcome: Outcome) -> bool:
    if isinstance(outcome, httpx.Response):
        return outcome.status_code == 429 or (outcome.status_code >= 500 and call.repeatable)
    return isinstance(outcome, _NEVER_SENT) or (isinstance(outcome, _MAY_PASS) and call.repeatable)


def _retry_after(outcome: Outcome) -> float:
    """The header Retry-After (RFC 9110 10.2.3) in seconds: a number, or a date."""
    header = outcome.headers.get("retry-after", "") if isinstance(outcome, httpx.Response) else ""
    if header.isascii() and header.isdecimal():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0


def _read(call: Call[T], answer: httpx.Response) -> T:
    try:
        return call.read(answer)
    except (ValueError, KeyError, TypeError) as error:
        raise UnexpectedAnswer(f"{_described(answer)} is not what this client can read: {error}") from error


def _failure(outcome: Outcome) -> GrcError:
    if isinstance(outcome, httpx.RequestError):
        return ConnectionFailed(f"no answer from {outcome.request.url.host}: {outcome or type(outcome).__name__}")
    try:
        members = json.loads(outcome.content)
    except ValueError:
        members = None
    if outcome.status_code >= 500 or outcome.status_code == 429:  # a proxy in between has pages of its own
        members = members if isinstance(members, dict) else {}
    if not isinstance(members, dict) or outcome.status_code < 400:
        return UnexpectedAnswer(f"{_described(outcome)} is no answer of this API; is base_url right?")
    default = ServerError if outcome.status_code >= 500 else ApiError
    kind = OF_STATUS.get(outcome.status_code, default)
    # The gateway's own refusals carry the request id in a header alone.
    return kind(outcome.status_code, members.get("request_id") or outcome.headers.get("apigw-requestid"), members)


def _described(answer: httpx.Response) -> str:
    kind = answer.headers.get("content-type", "no content type")
    return f"{answer.request.method} {answer.request.url.path}: {answer.status_code} with {kind}"
