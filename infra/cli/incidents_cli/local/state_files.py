"""Writes the emulator's state to its files while the emulator runs, so that `incidents down` can stop it without loss.

The emulator's own interpreter imports this file. So the file imports only the standard library.
"""

import json
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
Services = Mapping[str, Callable[[], Any]]
"""The emulator's services by name, each with a function that returns a copy of its state."""

SAVE = "/_incidents/save"
"""The path at which the emulator's process saves its state. The guard lets only requests with a key reach it."""

_TRIES = 5


class NotSaved(Exception):
    """The state was not written. ``needed`` is the size of the new files in bytes, or 0 if the size is unknown."""

    def __init__(self, reason: str, needed: int) -> None:
        super().__init__(reason)
        self.needed = needed


def answering_saves(application: Application, services: Callable[[], Services], persistence: Any) -> Application:
    """Return an ASGI application that saves the state at the path SAVE, and passes on all other requests.

    The answer is 204 if the state was written. Otherwise it is 507, and its JSON has the ``reason`` and ``needed``.
    """

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", SAVE):
            await application(scope, receive, send)
            return
        status, body = 204, b""
        try:
            save(services(), persistence)
        except NotSaved as error:
            status, body = 507, json.dumps({"reason": str(error), "needed": error.needed}).encode()
        headers = [(b"content-type", b"application/json")] if body else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


def save(services: Services, persistence: Any) -> None:
    """Write the files of all services, or leave all files as they are. Raises NotSaved.

    The emulator's own function cannot be used here: it writes one file after the other, and logs errors instead of
    raising them. ``persistence`` is the emulator's module with the form of the files. A service whose state is None
    has nothing to save.
    """
    folder = Path(persistence.STATE_DIR)
    unfinished = folder / "unfinished"  # inside the folder, so that both are on the same disk
    needed = 0
    try:
        texts = {name: _content(name, get_state, persistence) for name, get_state in services.items()}
        files = {f"{name}.json": text for name, text in texts.items() if text is not None}
        needed = sum(map(len, files.values()))
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        for name, text in files.items():
            (unfinished / name).write_text(text, encoding="ascii")
        for name in files:
            (unfinished / name).replace(folder / name)
    except Exception as error:  # the states of many services are copied here, in code that is not ours
        raise NotSaved(f"{type(error).__name__}: {error}", needed) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _content(name: str, get_state: Callable[[], Any], persistence: Any) -> str | None:
    """Return the content of a service's file in ASCII, or None if there is nothing to save."""
    for tries_left in reversed(range(_TRIES)):
        try:
            state = get_state()
            break
        except RuntimeError:  # another thread of the emulator changed a dictionary during the copy
            if not tries_left:
                raise
    if state is None:
        return None
    wrapped = {"__ministack_format__": persistence._state_format_version(name), "payload": state}
    return json.dumps(wrapped, default=persistence._json_default)
