"""The token: asked for before each request, and never where somebody might see it.

It is held by a function, whose inside no ``repr`` and no ``vars`` shows, and it is never a local variable of a frame
in which something is raised: tracebacks with locals end in logs.
"""

import inspect
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

import httpx

_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1


class Bearer(httpx.Auth):
    """Puts ``Authorization: Bearer`` on each request. Raises ValueError for what is no token."""

    def __init__(self, token: str | Callable[[], str | Awaitable[str]]) -> None:
        self._ask: Callable[[], str | Awaitable[str]] = (lambda: token()) if callable(token) else (lambda: token)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        _put_on(request, _header_of(self._ask()))
        yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        answer = self._ask()
        header = _header_of(await answer if inspect.isawaitable(answer) else answer)
        del answer
        _put_on(request, header)
        yield request


def _header_of(token: object) -> str | None:
    """Return None for what is no token: it is not raised here, where the token is."""
    if inspect.iscoroutine(token):
        token.close()
    text = token.strip() if isinstance(token, str) else ""  # of a file's line break
    return f"Bearer {text}" if _BEARER.fullmatch(text) else None


def _put_on(request: httpx.Request, header: str | None) -> None:
    if header is None:
        raise ValueError(
            "token must be a JWT (letters, digits and .-_~+/ alone), or a function that returns one; a coroutine "
            "function only for AsyncClient"
        )
    request.headers["authorization"] = header
