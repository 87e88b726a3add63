"""Lets calls of functions wait in the emulator's process, where AWS refuses them.

The emulator's own interpreter imports this file. So the file imports only the standard library.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

_WAIT_SECONDS = 120


class Calls:
    """The running calls of functions, and the calls that wait because the limit of running calls is reached.

    Without this class, the emulator refuses a call above the limit, as AWS does: of 400 calls on a new stack, most get
    a 429. With this class, a request to an API waits before the guard passes it to the emulator. So hundreds of waiting
    requests do not slow down the emulator's answers to the running functions. Any other call, such as a queue's call,
    waits in the emulator for up to 120 s. Requests for the documentation need no token. They wait in a queue of their
    own, and pass one at a time. So they never delay the other requests.
    """

    def __init__(
        self, functions: Any, limit: int, reap: Callable[[], object], is_crowded: Callable[[], bool] = lambda: False
    ) -> None:
        self._acquire, self._release = functions._acquire_execution_slot, functions._release_execution_slot
        self._running, self._limit = functions.executions_in_flight, limit
        self._reap, self._is_crowded = reap, is_crowded
        self._freed, self._waiting = threading.Condition(), 0
        self._crowded = threading.Event()
        threading.Thread(target=self._reap_if_crowded, daemon=True).start()  # so that no answer waits for it
        self._door, self._documentation, self._outside = asyncio.Semaphore(limit), asyncio.Semaphore(1), 0

    def load(self) -> dict[str, int]:
        waiting = self._waiting + self._outside
        return {"running": self._running()[0], "waiting": waiting, "limit": self._limit}

    @asynccontextmanager
    async def admitted(self, *, documentation: bool = False) -> AsyncIterator[None]:
        """Wait until the number of API requests in the emulator is below the limit.

        Count the request until the context ends. Requests for the documentation have a separate limit of one.
        """
        door = self._documentation if documentation else self._door
        self._outside += 1
        try:
            await door.acquire()
        finally:
            self._outside -= 1
        try:
            yield
        finally:
            door.release()

    def acquire(self, function: dict[str, Any], config: dict[str, Any]) -> tuple[str | None, str | None]:
        slot, reason = self._acquire(function, config)
        if reason != "account" or asyncio._get_running_loop() is not None:  # a wait here would stop the event loop
            return slot, reason
        deadline = time.monotonic() + _WAIT_SECONDS
        with self._freed:
            self._waiting += 1
            try:
                while reason == "account" and (left := deadline - time.monotonic()) > 0:
                    self._freed.wait(min(left, 1))
                    slot, reason = self._acquire(function, config)
            finally:
                self._waiting -= 1
        return slot, reason

    def release(self, slot: str | None) -> None:
        self._release(slot)
        with self._freed:
            self._freed.notify()
        if self._is_crowded():
            self._crowded.set()

    def _reap_if_crowded(self) -> None:
        while self._crowded.wait():
            self._crowded.clear()
            with suppress(Exception):  # another worker's end must not keep the next ones
                self._reap()
