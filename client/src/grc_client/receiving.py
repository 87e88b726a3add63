"""Send a request and receive the complete answer, within limits of its bytes and of its time.

httpx2 limits only the wait for the next bytes. Without the limits, an answer of a hostile server could go on for ever,
or unpack to many gigabytes. httpx2 unpacks at most 64 KiB at once, so at most 66 MB before the limit is checked.
"""

import asyncio
import math
import threading
import time
from typing import Any

import httpx2

LARGEST = 10 * 1024**2  # bytes of an unpacked answer; API Gateway sends at most 10 MB
TIMES = 3  # a complete answer may take this number of timeouts

_CONNECTED = (".connect_tcp.complete", ".connect_unix_socket.complete", ".start_tls.complete")


class _Deadline(threading.local):
    """The time at which the answer to this thread's request must be complete."""

    time = math.inf


_deadline = _Deadline()


def receive(http: httpx2.Client, request: httpx2.Request, timeout: float) -> httpx2.Response:
    """Return the answer to a request. Raises httpx2.RequestError, also for an answer above a limit."""
    request.extensions = {**request.extensions, "trace": _limit_new_connection}
    outer, _deadline.time = _deadline.time, time.monotonic() + TIMES * timeout  # a function for the token may call, too
    try:
        answer = http.send(request, stream=True)
        try:
            body = bytearray()
            for part in answer.iter_bytes():
                _add(body, part, request)
        finally:
            answer.close()
    finally:
        _deadline.time = outer
    return _complete(answer, body)


async def receive_async(http: httpx2.AsyncClient, request: httpx2.Request, timeout: float) -> httpx2.Response:
    """Like ``receive``, for asyncio."""
    limit = asyncio.timeout(TIMES * timeout)
    try:
        async with limit:
            answer = await http.send(request, stream=True)
            try:
                body = bytearray()
                async for part in answer.aiter_bytes():
                    _add(body, part, request)
            finally:
                await answer.aclose()
    except TimeoutError:
        if not limit.expired():  # the error of a function for the token
            raise
        raise _too_slow(request) from None
    return _complete(answer, body)


def _limit_new_connection(event: str, info: dict[str, Any]) -> None:
    """Let each read of a new connection end at the deadline of its thread. httpx2 calls this function as its trace.

    httpx2 has no such limit for the blocking client, and its read of the headers cannot be stopped from outside.
    """
    if not event.endswith(_CONNECTED):
        return
    connection = info["return_value"]
    read = connection.read

    def read_until_deadline(max_bytes: int, timeout: float | None = None) -> Any:
        left = _deadline.time - time.monotonic()
        if left <= 0:
            raise _too_slow(None)
        try:
            return read(max_bytes, left if timeout is None else min(timeout, left))
        except Exception:
            if time.monotonic() >= _deadline.time:
                raise _too_slow(None) from None
            raise

    connection.read = read_until_deadline


def _too_slow(request: httpx2.Request | None) -> httpx2.ReadTimeout:
    return httpx2.ReadTimeout(f"the answer was not complete after {TIMES} timeouts", request=request)


def _add(body: bytearray, part: bytes, request: httpx2.Request) -> None:
    if len(body) + len(part) > LARGEST:
        raise httpx2.DecodingError(f"it has more than {LARGEST:,} bytes", request=request)
    body += part


def _complete(answer: httpx2.Response, body: bytearray) -> httpx2.Response:
    headers = [
        (name, value) for name, value in answer.headers.multi_items()
        if name not in ("content-encoding", "content-length", "transfer-encoding")
    ]  # fmt: skip
    return httpx2.Response(answer.status_code, headers=headers, content=bytes(body), request=answer.request)
