"""The two clients. They differ in how they wait; what is sent, and when again, is one and the same for both."""

import asyncio
import inspect
import os
import re
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from .calls import Call
from .exchange import Outcome, exchange
from .incidents import AsyncIncidents, Incidents

BASE_URL, TOKEN = "GRC_BASE_URL", "GRC_TOKEN"  # names of environment variables
TIMEOUT = 30.0  # seconds that a connection, and each part of an answer, may take; the API's own bound is 15
RETRY_FOR = 30.0  # seconds

_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1

T = TypeVar("T")


class Grc:
    """The services of the platform; this client knows one."""

    def __init__(self, incidents: Incidents) -> None:
        self.incidents = incidents


class AsyncGrc:
    """The services of the platform; this client knows one."""

    def __init__(self, incidents: AsyncIncidents) -> None:
        self.incidents = incidents


class Client:
    """Calls the API and waits for its answers. One instance serves any number of threads.

    ``base_url`` is what stands before ``/api/v1/grc``, ``token`` a JWT or a function that returns a fresh one, called
    before each request; without them, the environment variables GRC_BASE_URL and GRC_TOKEN count. ``timeout`` and
    ``retry_for`` are in seconds: how long each part of an answer may take, and how long a call is tried again while the
    API refuses or cannot be reached; 0 for never. ``transport`` is httpx's, for proxies, certificates and tests.
    """

    def __init__(
        self,
        base_url: str | None = None,
        token: str | Callable[[], str] | None = None,
        *,
        timeout: float = TIMEOUT,
        retry_for: float = RETRY_FOR,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._token = _hidden(token)
        self._retry_for = retry_for
        self._http = httpx.Client(**_settings(base_url, timeout), transport=transport)
        self.grc = Grc(Incidents(self._run))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client(base_url={str(self._http.base_url)!r})"

    def _run(self, call: Call[T]) -> T:
        steps = exchange(call, self._retry_for)
        pause = next(steps)
        while True:
            time.sleep(pause)
            token = self._token()
            try:
                outcome: Outcome = self._http.send(_request(self._http, call, token))
            except httpx.RequestError as error:
                outcome = error
            try:
                pause = steps.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result


class AsyncClient:
    """``Client`` for asyncio; ``token`` may also be a coroutine function."""

    def __init__(
        self,
        base_url: str | None = None,
        token: str | Callable[[], str | Awaitable[str]] | None = None,
        *,
        timeout: float = TIMEOUT,
        retry_for: float = RETRY_FOR,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._token = _hidden(token)
        self._retry_for = retry_for
        self._http = httpx.AsyncClient(**_settings(base_url, timeout), transport=transport)
        self.grc = AsyncGrc(AsyncIncidents(self._run))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncClient(base_url={str(self._http.base_url)!r})"

    async def _run(self, call: Call[T]) -> T:
        steps = exchange(call, self._retry_for)
        pause = next(steps)
        while True:
            await asyncio.sleep(pause)
            token = self._token()
            if inspect.isawaitable(token):
                token = await token
            try:
                outcome: Outcome = await self._http.send(_request(self._http, call, token))
            except httpx.RequestError as error:
                outcome = error
            try:
                pause = steps.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result


def _settings(base_url: str | None, timeout: float) -> dict[str, Any]:
    url = base_url or os.environ.get(BASE_URL)
    if not url or not url.startswith(("https://", "http://")):
        raise ValueError(f"base_url must be the URL before /api/v1/grc, given here or in {BASE_URL}, not {url!r}")
    if url.rstrip("/").endswith("/api/v1/grc"):
        raise ValueError(f"base_url must end before /api/v1/grc, not with it: {url!r}")
    headers = {"user-agent": f"grc-client/{version('grc-client')}", "accept": "application/json"}
    return {"base_url": url.rstrip("/"), "timeout": timeout, "headers": headers}


def _hidden(token: str | Callable[[], T] | None) -> Callable[[], str | T]:
    """Return what gives the token. It is held by a function, whose inside no ``repr`` and no ``vars`` shows."""
    if callable(token):
        ask = token
        return lambda: ask()
    held = token or os.environ.get(TOKEN)
    if not held:
        raise ValueError(f"token must be a JWT, or a function that returns one, given here or in {TOKEN}")
    return lambda: held


def _request(http: httpx.Client | httpx.AsyncClient, call: Call[Any], token: str) -> httpx.Request:
    token = token.strip()  # of a file's line break
    if not _BEARER.fullmatch(token):  # httpx would name it in its own error
        raise ValueError("token must be a JWT: letters, digits and .-_~+/ alone")
    headers = {**call.headers, "authorization": f"Bearer {token}"}
    return http.build_request(call.method, call.path, params=call.parameters, headers=headers, content=call.body)
