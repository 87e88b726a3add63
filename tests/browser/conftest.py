"""Fixtures of the suites that open the console in Chromium."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support import moto_table
from tests.support.console import Server, World, serve
from tests.support.gateway import Gateway
from tests.support.page import Visit, chromium, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Yield a browser. It runs only for one module, because its event loop would disturb tests with their own."""
    with chromium() as running:
        yield running


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def server(world: World) -> Iterator[Server]:
    with serve(world) as running:
        yield running


@pytest.fixture(scope="module")
def window(browser: "Browser") -> Iterator[Visit]:
    """Yield a window that the module's tests share, because a new one takes as long as a short test."""
    with serve(World()) as unused, visit(browser, unused) as opened:
        yield opened


@pytest.fixture
def here(window: Visit, server: Server) -> Iterator[Visit]:
    """Yield a window on the console, signed in. At the end, the browser must have reported no violation or error.

    Each test has its own server, and so its own origin without storage.
    """
    window.server = server
    window.reported.clear()
    yield window.open()
    assert window.violations() == []


@pytest.fixture(scope="module")
def deployed() -> Iterator[str]:
    with moto_table.deployed() as table:
        yield table


@pytest.fixture
def real(deployed: str, world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a world whose requests go to the real handlers, on an empty table."""
    monkeypatch.setenv("TABLE_NAME", deployed)
    moto_table.clear(deployed)
    world.handlers = Gateway()
    return world
