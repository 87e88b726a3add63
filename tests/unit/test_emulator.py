"""Tests of commands on a recorded stack that is busy or broken, or that an earlier version recorded."""

import json
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from incidents_cli.console import StepFailed
from incidents_cli.local import emulator, sam, up_down
from incidents_cli.local.local_stack import Stack, StackFolder, load

from tests.support.checkout import free_port


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackFolder:
    monkeypatch.setenv("INCIDENTS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(emulator, "is_alive", lambda stack: stack.pid is not None)
    made = StackFolder()
    made.make()
    return made


def test_each_new_stack_has_a_key_of_its_own_that_is_kept(folder: StackFolder) -> None:
    stack = Stack(4566)
    assert stack.access_key != Stack(4566).access_key
    assert len(stack.access_key) == 32
    stack.save(folder)
    assert load(folder) == stack
    assert folder.record.stat().st_mode & 0o777 == 0o600


def test_a_busy_stack_is_told_from_a_broken_one(folder: StackFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator, "_ANSWER_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        Stack(silent.getsockname()[1], pid=os.getpid(), ready=True).save(folder)
        with pytest.raises(StepFailed, match="is busy"):
            emulator.running_stack(folder)
    Stack(free_port(), pid=os.getpid(), ready=True).save(folder)
    with pytest.raises(StepFailed, match="does not answer"):
        emulator.running_stack(folder)


def of_an_earlier_version(folder: StackFolder, **members: Any) -> None:
    Stack(free_port(), ready=True).save(folder)
    record = json.loads(folder.record.read_text()) | members
    del record["access_key"]
    folder.record.write_text(json.dumps(record))


def test_a_stack_of_an_earlier_version_is_not_used(folder: StackFolder) -> None:
    of_an_earlier_version(folder, pid=os.getpid())
    with pytest.raises(StepFailed, match="without protection"):
        emulator.running_stack(folder)


@pytest.mark.parametrize("pid", [None, 1], ids=["stopped", "running"])
def test_up_starts_a_stack_of_an_earlier_version_again_with_a_key(
    folder: StackFolder, monkeypatch: pytest.MonkeyPatch, pid: int | None
) -> None:
    class Started(Exception):
        pass

    def stop(stack: Stack, _: StackFolder) -> Stack:
        stopped.append(stack.pid)
        return replace(stack, pid=None)

    def start(_: str, stack: Stack, __: StackFolder) -> Stack:
        started.append(stack)
        raise Started

    stopped, started = list[int | None](), list[Stack]()
    of_an_earlier_version(folder, pid=pid)
    before = load(folder)
    for name, replacement in (("stop", stop), ("start", start), ("install", lambda: "python")):
        monkeypatch.setattr(emulator, name, replacement)
    monkeypatch.setattr(sam, "install", lambda: None)
    monkeypatch.setattr(sam, "build", lambda _, build, __: build.mkdir())

    with pytest.raises(Started):
        up_down.up(folder, port=None, fresh=False, samples=False, account_map=lambda _: pytest.fail("not reached"))

    assert before is not None
    assert (started[0].port, started[0].pid) == (before.port, None)
    assert len(started[0].access_key) == 32
    assert stopped[:1] == ([1] if pid else [None])


@pytest.mark.parametrize("way", ["foreign", "writable", "foreign link"])
def test_a_folder_that_somebody_else_can_change_is_not_used(
    folder: StackFolder, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A person who can change the folder can run code as the user, and can receive the user's imports."""
    Stack(4566).save(folder)
    assert load(folder) == load(StackFolder())
    if way == "writable":
        folder.path.chmod(0o770)
    elif way == "foreign":
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    else:
        folder.path.rename(folder.path.with_name("elsewhere"))
        folder.path.symlink_to("elsewhere")
        assert load(folder) is not None  # a link that the user owns is not a danger
        lstat = Path.lstat
        foreign = os.stat_result([*lstat(folder.path)[:4], 12345, *lstat(folder.path)[5:10]])
        monkeypatch.setattr(Path, "lstat", lambda path: foreign if path == folder.path else lstat(path))
    for use in (StackFolder.make, load):
        with pytest.raises(StepFailed, match="must be yours") as refused:
            use(folder)
        assert str(folder.path) in refused.value.detail
        assert "INCIDENTS_HOME" in refused.value.advice
