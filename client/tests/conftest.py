"""Fixtures of the client's tests on a running service.

The tests import only grc_client, pytest and httpx2. So they run in any environment with the client, also outside the
repository. Set GRC_BASE_URL and GRC_TOKEN first, as for the client. The token needs both scopes.
"""

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from grc_client import AsyncClient, Client

PATIENCE = 60
"""The clients' ``timeout`` in seconds. A local stack on a busy machine may need longer than a deployed service."""


class Both:
    """The methods of one client, either of the blocking client or of the asynchronous client.

    Each method waits for its result, so that tests can use both clients in the same way.
    """

    def __init__(self, client: Any, wait: Callable[[Any], Any]) -> None:
        self.client, self._wait = client, wait

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments, **fields: self._wait(getattr(self.client.grc.incidents, name)(*arguments, **fields))

    def raw(self, name: str, *arguments: Any, **fields: Any) -> Any:
        return self._wait(getattr(self.client.grc.incidents.with_raw_response, name)(*arguments, **fields))

    def everything(self, listing: Any) -> list[Any]:
        if hasattr(listing, "__iter__"):
            return list(listing)

        async def collect() -> list[Any]:
            return [item async for item in listing]

        whole: list[Any] = self._wait(collect())
        return whole


@pytest.fixture(params=["blocking", "asyncio"])
def incidents(request: pytest.FixtureRequest) -> Iterator[Both]:
    if request.param == "blocking":
        with Client(timeout=PATIENCE) as client:
            yield Both(client, lambda result: result)
        return

    async def result(awaitable: Any) -> Any:
        return await awaitable

    with asyncio.Runner() as runner:
        asynchronous = AsyncClient(timeout=PATIENCE)
        yield Both(asynchronous, lambda awaitable: runner.run(result(awaitable)))
        runner.run(asynchronous.aclose())


@pytest.fixture
def tag() -> str:
    """Return a tag that only this test uses, so that no test sees the incidents of other tests or of an earlier run."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture(scope="session")
def base_url() -> str:
    return os.environ["GRC_BASE_URL"]


@pytest.fixture(scope="session")
def token() -> str:
    return os.environ["GRC_TOKEN"]
