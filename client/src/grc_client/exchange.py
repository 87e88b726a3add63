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
from typing import Any, TypeVar

import httpx

from .calls import Call
from .errors import OF_STATUS, ApiError, ConnectionFailed, GrcError, ServerError, UnexpectedAnswer

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_WITHOUT_WORDS = (401, 403, 429)  # firewalls and proxies answer these with pages of their own
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
            raise _failure(outcome)  # without its cause, whose frames hold the token
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
        moment = parsedate_to_datetime(header)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # as RFC 9110 5.6.7 reads one without a zone
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _read(call: Call[T], answer: httpx.Response) -> T:
    try:
        return call.read(answer)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnexpectedAnswer(f"{_described(answer)} is not what this client can read: {error!r}") from error


def _failure(outcome: Outcome) -> GrcError:
    if isinstance(outcome, httpx.DecodingError):
        return UnexpectedAnswer(f"an answer of {outcome.request.url.host} cannot be decoded: {outcome}")
    if isinstance(outcome, httpx.RequestError):
        return ConnectionFailed(
            f"no answer from {outcome.request.url.host}: {type(outcome).__name__} {outcome}".rstrip()
        )
    status, members = outcome.status_code, _problem(outcome)
    if status < 400 or (members is None and status < 500 and status not in _WITHOUT_WORDS):
        return UnexpectedAnswer(f"{_described(outcome)} is no answer of this API; is base_url right?")
    members = members or {}
    kind = OF_STATUS.get(status, ServerError if status >= 500 else ApiError)
    return kind(status, members.get("request_id") or _request_id(outcome), members)


def _problem(answer: httpx.Response) -> dict[str, Any] | None:
    """Return what a refusal says, or None if that is not JSON. Whatever stands in between may echo the token."""
    token = answer.request.headers.get("authorization", "").removeprefix("Bearer ")
    try:
        text = answer.content.decode()
        members = json.loads(text.replace(token, "[token]") if token else text)
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _request_id(answer: httpx.Response) -> str | None:
    """The gateway's own refusals carry it in a header alone."""
    request_id: str | None = answer.headers.get("apigw-requestid")
    return request_id


def _described(answer: httpx.Response) -> str:
    kind = answer.headers.get("content-type", "no content type")
    request = f" [request {request_id}]" if (request_id := _request_id(answer)) else ""
    return f"{answer.request.method} {answer.request.url.path}: {answer.status_code} with {kind}{request}"
