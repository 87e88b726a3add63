"""Lets the emulator find its queues after the stack has moved to another port.

The emulator's own interpreter imports this file. So the file imports only the standard library.
"""

from collections.abc import Callable
from typing import Any


def keeping_urls(queues: Any) -> Callable[[str, str], str]:
    """Return a function that returns the URL of an account's queue. ``queues`` is the emulator's module.

    A queue keeps its URL when the stack moves to another port. The emulator's own function returns the URL with the
    new port, so the emulator would not find the queues of functions any more.
    """
    own: Callable[[str, str], str] = queues._queue_url_for_account

    def url_of(account_id: str, name: str) -> str:
        kept: str | None = queues._queue_name_to_url.get_scoped(account_id, queues.get_region(), name)
        return kept or own(account_id, name)

    return url_of
