"""Run one call: decide when to retry its request, and turn the answer into a response or an error.

``exchange`` sends nothing itself. It is a generator: it yields the pause before each request, and receives the outcome
of the request. So the blocking and the asynchronous client can share it.

The logger ``grc_client`` has each attempt at the level DEBUG, and each retry at the level INFO.
"""

import json
import logging
import random
import time
from collections.abc import Generator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any, TypeVar

import httpx2

from .answer import RawResponse, described, request_id_of
from .calls import Call
from .errors import OF_STATUS, ApiError, ConnectionFailed, GrcError, ServerError, UnexpectedAnswer

RETRY_FOR = 60.0  # seconds from the beginning of a call; longer than a timeout, to allow a retry after a timeout
UNREACHABLE_FOR = 5.0  # seconds from the first failure to connect: enough for a restart, and short for a wrong base_url
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds

# With these statuses, the server says that it has not processed the request.
_NOT_PROCESSED = (408, 425, 429)
# These statuses count as the API's errors even without JSON, because firewalls and proxies send pages of their own.
_WITHOUT_WORDS = (401, 403, *_NOT_PROCESSED)
# With these errors, no connection was made: no server listens at the address, the address has an unknown name, or a
# proxy or a certificate prevents the connection.
_UNREACHABLE = (httpx2.ConnectError, httpx2.ProxyError)
_NEVER_SENT = (*_UNREACHABLE, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_MAY_PASS = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)

T = TypeVar("T")
Outcome = httpx2.Response | httpx2.RequestError

_log = logging.getLogger("grc_client")


def exchange(call: Call[T], retry_for: float | None) -> Generator[float, Outcome, RawResponse[T]]:
    """Yield the seconds to wait before each request, receive the request's outcome, and return the API's answer.

    Retries end when ``retry_for`` seconds have passed. If ``retry_for`` is None, they end after RETRY_FOR seconds, and
    after UNREACHABLE_FOR seconds without a connection.

    Any request is retried if it was never sent, or if the server did not process it. After a 5xx or a broken
    connection, the first request may have taken effect. So only a repeatable request is retried then. The pauses are
    random, with a limit that doubles each time ("full jitter", AWS Architecture Blog, 2015). A pause is never shorter
    than the API's Retry-After. Raises GrcError.
    """
    ends = limit = time.monotonic() + (RETRY_FOR if retry_for is None else retry_for)
    pause = 0.0
    for attempt in count():
        planned = time.monotonic() + pause
        outcome = yield pause
        now = time.monotonic()
        description = _describe(outcome)
        _log.debug("%s %s: %s in %.3f s", call.method, call.path, description, max(0.0, now - planned))
        if isinstance(outcome, httpx2.Response) and outcome.is_success:
            return RawResponse(_request(outcome), outcome.status_code, outcome.headers, outcome.content, call.read)
        pause = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)) + _retry_after(outcome)  # noqa: S311
        if not isinstance(outcome, _UNREACHABLE):
            limit = ends
        elif retry_for is None and limit == ends:
            limit = min(ends, now + UNREACHABLE_FOR)
        if not _may_pass(call, outcome) or now + pause > limit:
            raise _failure(outcome)  # there is no `from outcome`, because the traceback of the outcome has the token
        _log.info("%s %s: retry %d in %.3f s, after %s", call.method, call.path, attempt + 1, pause, description)
    raise AssertionError("unreachable")


def _may_pass(call: Call[T], outcome: Outcome) -> bool:
    if isinstance(outcome, httpx2.Response):
        return outcome.status_code in _NOT_PROCESSED or (outcome.status_code >= 500 and call.repeatable)
    return isinstance(outcome, _NEVER_SENT) or (isinstance(outcome, _MAY_PASS) and call.repeatable)


def _describe(outcome: Outcome) -> str:
    """Return one line about an outcome, for the log and for errors. It has neither the token nor the answer's body."""
    if isinstance(outcome, httpx2.Response):
        return f"{outcome.status_code} [request {request_id_of(outcome.headers) or 'without id'}]"
    return _without_token(f"{type(outcome).__name__} {outcome}".strip(), outcome.request)


def _without_token(text: str, request: httpx2.Request) -> str:
    """Return a text without the request's token. A proxy may echo the headers of the request."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    return text.replace(token, "[token]") if token else text


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


def _failure(outcome: Outcome) -> GrcError:
    if isinstance(outcome, httpx2.RequestError):
        host, description = outcome.request.url.host, _describe(outcome)
        if isinstance(outcome, httpx2.DecodingError):
            return UnexpectedAnswer(
                f"the answer from {host} cannot be read: {description}. Check base_url and any proxy."
            )
        return ConnectionFailed(f"no answer from {host}: {description}. Check base_url and the network.")
    status, members = outcome.status_code, _problem(outcome)
    if status < 400 or (members is None and status < 500 and status not in _WITHOUT_WORDS):
        answer = described(_request(outcome), status, outcome.headers)
        return UnexpectedAnswer(f"{answer} is not an answer of this API. Check base_url and any proxy.")
    members = members or {}
    kind = OF_STATUS.get(status, ServerError if status >= 500 else ApiError)
    return kind(status, members.get("request_id") or request_id_of(outcome.headers), members)


def _problem(answer: httpx2.Response) -> dict[str, Any] | None:
    """Return the JSON object in a refusal, or None if the refusal's body is not a JSON object."""
    try:
        members = json.loads(_without_token(answer.content.decode(), answer.request))
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _request(answer: httpx2.Response) -> str:
    return f"{answer.request.method} {answer.request.url.path}"
