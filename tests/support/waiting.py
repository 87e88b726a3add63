"""Waits until something happens, up to a time limit."""

import time
from collections.abc import Callable
from typing import Any


def until(what: Callable[[], Any], seconds: float = 120, *, every: float = 0.3) -> Any:
    """Call a function until its answer is true, and return the answer."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"the answer was not true within {seconds} s"
        time.sleep(every)
    return found
