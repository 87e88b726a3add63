"""Tests that a save of the running emulator's state writes all files or none, and says why it failed."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from incidents_cli.local.state_files import SAVE, NotSaved, answering_saves, save

from tests.support.disks import room_for

OLD = {"cloudformation.json": "old", "dynamodb.json": "old"}


class Persistence:
    """The parts of the emulator's module of the same name that a save uses."""

    def __init__(self, folder: Path) -> None:
        self.STATE_DIR = str(folder)

    def _state_format_version(self, service: str) -> int:
        return 3 if service == "dynamodb" else 2

    def _json_default(self, value: object) -> object:
        if isinstance(value, bytes):
            return {"__bytes__": value.decode()}
        raise TypeError(f"{type(value).__name__} is not JSON")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in OLD.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_save_replaces_the_files_of_services_with_a_state(folder: Path) -> None:
    save({"dynamodb": lambda: {"key": b"c3a4"}, "cloudformation": lambda: None}, Persistence(folder))

    written = contents(folder)
    assert written.keys() == OLD.keys()
    assert written["cloudformation.json"] == "old"
    assert json.loads(written["dynamodb.json"]) == {
        "__ministack_format__": 3, "payload": {"key": {"__bytes__": "c3a4"}},
    }  # fmt: skip


def test_a_save_on_a_full_disk_changes_no_file(folder: Path) -> None:
    services = {"cloudformation": lambda: "new", "dynamodb": lambda: "x" * 1000}

    with room_for(100), pytest.raises(NotSaved, match="File too large") as failed:
        save(services, Persistence(folder))

    assert contents(folder) == OLD
    assert failed.value.needed > 1000
    save(services, Persistence(folder))
    assert sum(map(len, contents(folder).values())) == failed.value.needed


@pytest.mark.parametrize("state", [object(), {"key": {1, 2}}])
def test_a_state_that_is_not_json_changes_no_file(folder: Path, state: object) -> None:
    with pytest.raises(NotSaved, match="TypeError") as failed:
        save({"cloudformation": lambda: "new", "dynamodb": lambda: state}, Persistence(folder))
    assert (contents(folder), failed.value.needed) == (OLD, 0)


def failing(times: int) -> Callable[[], object]:
    left = iter(range(times))

    def get_state() -> object:
        if next(left, None) is not None:
            raise RuntimeError("dictionary changed size during iteration")
        return "new"

    return get_state


def test_a_state_that_changes_during_its_copy_is_copied_again(folder: Path) -> None:
    save({"dynamodb": failing(3)}, Persistence(folder))
    assert json.loads(contents(folder)["dynamodb.json"])["payload"] == "new"

    with pytest.raises(NotSaved, match="changed size"):
        save({"dynamodb": failing(100)}, Persistence(folder))


def answered(folder: Path, method: str, path: str, state: object) -> tuple[int, bytes]:
    """Send a request to the application. Return the status and the body of its answer."""
    messages: list[dict[str, Any]] = []

    async def emulator(scope: object, receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"of the emulator"})

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    application = answering_saves(emulator, lambda: {"dynamodb": lambda: state}, Persistence(folder))

    async def request() -> None:
        await application({"type": "http", "method": method, "path": path}, None, send)

    asyncio.run(request())
    return messages[0]["status"], messages[1]["body"]


def test_the_answer_of_a_save_says_whether_the_state_is_written(folder: Path) -> None:
    assert answered(folder, "GET", SAVE, "new") == (404, b"of the emulator")
    assert answered(folder, "POST", "/", "new") == (404, b"of the emulator")
    assert contents(folder) == OLD

    status, body = answered(folder, "POST", SAVE, {1})
    assert (status, json.loads(body)) == (507, {"reason": "TypeError: set is not JSON", "needed": 0})
    assert answered(folder, "POST", SAVE, "new") == (204, b"")
    assert contents(folder)["dynamodb.json"] != "old"
