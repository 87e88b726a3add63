"""The clients ``Client`` and ``AsyncClient``. Both send the same requests and retry in the same way.

``Client`` blocks while it waits. ``AsyncClient`` waits with asyncio.
"""

import asyncio
import copy
import os
import time
from collections.abc import Awaitable, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import httpx2

from .answer import RawResponse
from .bearer import Bearer
from .calls import Call
from .exchange import Outcome, exchange
from .incidents import AsyncIncidents, Incidents
from .receiving import receive, receive_async

__version__ = version("grc-client")
BASE_URL, TOKEN = "GRC_BASE_URL", "GRC_TOKEN"  # the names of the environment variables
TIMEOUT = 20.0  # the seconds for a connection, and for each part of an answer; the API takes at most 15

T = TypeVar("T")


class _Options(NamedTuple):
    timeout: float
    retry_for: float | None

    def checked(self) -> Self:
        if not self.timeout > 0 or not (self.retry_for is None or self.retry_for >= 0):
            raise ValueError("`timeout` must be more than 0 seconds, and `retry_for` must be 0 or more")
        return self

    def changed(self, timeout: float | None, retry_for: float | None) -> Self:
        """Return a copy of the options with the given values. None keeps an option's value."""
        given = {"timeout": timeout, "retry_for": retry_for}
        return self._replace(**{name: value for name, value in given.items() if value is not None}).checked()


class Grc:
    """The platform's services. This client supports only the service ``incidents``."""

    def __init__(self, incidents: Incidents) -> None:
        self.incidents = incidents


class AsyncGrc:
    """The platform's services, for asyncio. This client supports only the service ``incidents``."""

    def __init__(self, incidents: AsyncIncidents) -> None:
        self.incidents = incidents


class Client:
    """A client of the API that blocks until it has the answer. Threads can share one instance.

    ``base_url``: the API's URL without ``/api/v1/grc``. Default: the environment variable GRC_BASE_URL.
    ``token``: a JWT, or a function that returns a JWT. The client calls the function before each request. Default: the
    environment variable GRC_TOKEN.
    ``timeout``: the seconds that a connection and each part of an answer may take. A complete answer may take three
    times as long.
    ``retry_for``: the client retries a call that fails temporarily, until this number of seconds has passed since the
    call began. With 0, it never retries. Default: 60 seconds, but 5 seconds if no connection can be made.
    ``transport``: a transport of httpx2, for proxies, certificates and tests.

    Raises ValueError or TypeError for an argument that is not valid.
    """

    def __init__(
        self,
        base_url: str | None = None,
        token: str | Callable[[], str] | None = None,
        *,
        timeout: float = TIMEOUT,
        retry_for: float | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._options = _Options(timeout, retry_for).checked()
        _check_transport(transport, httpx2.BaseTransport, "HTTPTransport")
        self._http = httpx2.Client(**_settings(base_url, token), transport=transport)
        self.grc = Grc(Incidents(self._send))

    def with_options(self, *, timeout: float | None = None, retry_for: float | None = None) -> Self:
        """Return a client with another ``timeout`` or ``retry_for``. It shares the connections and the token.

        If you close one of the two clients, the other is closed too. Raises ValueError.
        """
        other = copy.copy(self)
        other._options = self._options.changed(timeout, retry_for)
        other.grc = Grc(Incidents(other._send))
        return other

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

    def _send(self, call: Call[T]) -> RawResponse[T]:
        steps = exchange(call, self._options.retry_for)
        pause = next(steps)
        while True:
            time.sleep(pause)
            try:
                outcome: Outcome = receive(
                    self._http, _request(self._http, call, self._options.timeout), self._options.timeout
                )
            except httpx2.RequestError as error:
                outcome = error
            try:
                pause = steps.send(outcome)
            except StopIteration as end:
                answer: RawResponse[T] = end.value
                return answer


class AsyncClient:
    """A client of the API for asyncio, with the arguments of ``Client``. Each event loop needs its own instance.

    ``token`` may also be a coroutine function.
    """

    def __init__(
        self,
        base_url: str | None = None,
        token: str | Callable[[], str | Awaitable[str]] | None = None,
        *,
        timeout: float = TIMEOUT,
        retry_for: float | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._options = _Options(timeout, retry_for).checked()
        _check_transport(transport, httpx2.AsyncBaseTransport, "AsyncHTTPTransport")
        self._http = httpx2.AsyncClient(**_settings(base_url, token), transport=transport)
        self.grc = AsyncGrc(AsyncIncidents(self._send))

    def with_options(self, *, timeout: float | None = None, retry_for: float | None = None) -> Self:
        """Like ``Client.with_options``: return a client with other options that shares connections and token."""
        other = copy.copy(self)
        other._options = self._options.changed(timeout, retry_for)
        other.grc = AsyncGrc(AsyncIncidents(other._send))
        return other

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

    async def _send(self, call: Call[T]) -> RawResponse[T]:
        steps = exchange(call, self._options.retry_for)
        pause = next(steps)
        while True:
            await asyncio.sleep(pause)
            try:
                outcome: Outcome = await receive_async(
                    self._http, _request(self._http, call, self._options.timeout), self._options.timeout
                )
            except httpx2.RequestError as error:
                outcome = error
            try:
                pause = steps.send(outcome)
            except StopIteration as end:
                answer: RawResponse[T] = end.value
                return answer


def _check_transport(transport: object, kind: type, example: str) -> None:
    """Raise TypeError for a transport of another library, such as httpx, or of the other client."""
    if transport is not None and not isinstance(transport, kind):
        given = type(transport)
        raise TypeError(
            f"transport must be an httpx2.{kind.__name__}, not {given.__module__.partition('.')[0]}.{given.__name__}; "
            f"pass httpx2.{example}(...), which takes the same arguments as httpx.{example}"
        )


def _settings(base_url: str | None, token: Any) -> dict[str, Any]:
    token = os.environ.get(TOKEN) if token is None else token
    if not token:
        raise ValueError(
            f"token must be a JWT, or a function that returns one; pass it, or set the environment variable {TOKEN}"
        )
    return {
        "base_url": _checked(os.environ.get(BASE_URL) if base_url is None else base_url),
        "auth": Bearer(token),
        "headers": {"user-agent": f"grc-client/{__version__}", "accept": "application/json"},
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # no cookie is kept, as it may outlive the token
    }


def _checked(base_url: str | None) -> httpx2.URL:
    try:
        url = httpx2.URL((base_url or "").strip().rstrip("/"))
    except httpx2.InvalidURL:
        url = httpx2.URL()
    right = url.scheme in ("https", "http") and url.host and "/api/v1" not in url.path
    if not right or url.userinfo or url.query or url.fragment:
        raise ValueError(  # the text omits the value, which may be the token or contain a password
            "base_url must be the API's URL without /api/v1/grc, like https://api.example, and without a user, query "
            f"or fragment; pass it, or set the environment variable {BASE_URL}"
        )
    return url


def _request(http: httpx2.Client | httpx2.AsyncClient, call: Call[Any], timeout: float) -> httpx2.Request:
    return http.build_request(
        call.method, call.path, params=call.parameters, headers=call.headers, content=call.body, timeout=timeout
    )
