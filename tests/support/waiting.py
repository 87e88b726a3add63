"""Waiting for something that happens by itself, up to a limit."""

import time
from collections.abc import Callable
from typing import Any


def until(what: Callable[[], Any], seconds: float = 120, *, every: float = 0.3) -> Any:
    """Call until the answer is true, and return the answer."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"nothing true within {seconds} s"
        time.sleep(every)
    return found
