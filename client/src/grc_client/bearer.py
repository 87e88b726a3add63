"""Add the token to each request, and never show the token.

A function holds the token, so neither ``repr`` nor ``vars`` shows it. Some logs have tracebacks with local variables.
So a frame that raises an error never has the token in a local variable.
"""

import inspect
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

import httpx2

_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # the form of a token in RFC 6750 section 2.1


class Bearer(httpx2.Auth):
    """Adds the header ``Authorization: Bearer <token>`` to each request. Raises ValueError for an invalid token."""

    def __init__(self, token: str | Callable[[], str | Awaitable[str]]) -> None:
        self._ask: Callable[[], str | Awaitable[str]] = (lambda: token()) if callable(token) else (lambda: token)

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        _put_on(request, _header_of(self._ask()))
        yield request

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        answer = self._ask()
        header = _header_of(await answer if inspect.isawaitable(answer) else answer)
        del answer
        _put_on(request, header)
        yield request


def _header_of(token: object) -> str | None:
    """Return the value of the header, or None if the token is not valid.

    This function raises no error, because its frame has the token in a local variable.
    """
    if inspect.iscoroutine(token):
        token.close()
    text = token.strip() if isinstance(token, str) else ""  # a token from a file may end with a line break
    return f"Bearer {text}" if _BEARER.fullmatch(text) else None


def _put_on(request: httpx2.Request, header: str | None) -> None:
    if header is None:
        raise ValueError(
            "token must be a JWT (only letters, digits and .-_~+/), or a function that returns one; only AsyncClient "
            "accepts a coroutine function"
        )
    request.headers["authorization"] = header
