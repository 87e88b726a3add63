"""Call functions in several threads, which do not keep the command alive.

A thread of concurrent.futures keeps its process alive until its call ends. A call of a slow server may take a minute,
so Ctrl-C would not end the command before.
"""

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Threads(Generic[R]):
    """A number of threads that call functions. The process may end while they wait for an answer."""

    def __init__(self, count: int) -> None:
        self._calls: SimpleQueue[tuple[Future[R], Callable[[], R]] | None] = SimpleQueue()
        self._threads = [Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> Future[R]:
        """Return the future result of a call, as ``concurrent.futures.Executor.submit`` does."""
        future: Future[R] = Future()
        self._calls.put((future, lambda: function(*arguments, **named)))
        return future

    def stop(self) -> None:
        """Let each thread end after its current call. Do not wait for the threads."""
        for _ in self._threads:
            self._calls.put(None)

    def _work(self) -> None:
        while call := self._calls.get():
            future, function = call
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:  # the thread that asks for the result raises the error
                future.set_exception(error)
