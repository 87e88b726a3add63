"""Tests of commands on a recorded stack that is busy or broken, or that an earlier version recorded."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from incidents_cli.console import StepFailed
from incidents_cli.local import emulator, listener, sam, up_down
from incidents_cli.local.local_stack import Stack, StackFolder, load, write

from tests.support.checkout import free_port
from tests.support.waiting import until


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


@pytest.mark.parametrize("way", ["foreign", "writable", "foreign link", "writable for a group"])
def test_a_folder_that_somebody_else_can_replace_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A person who can rename the folder can put another folder there, and can run code as the user."""
    above = tmp_path / "above"
    (above / "between").mkdir(parents=True)
    monkeypatch.setenv("INCIDENTS_HOME", str(above / "between" / "home"))
    folder = StackFolder()
    for mode in (0o755, 0o1777, 0o775):  # many systems give a new folder to a group of the user alone
        above.chmod(mode)
        folder.make()
        Stack(4566).save(folder)
        assert load(folder) is not None
    if way == "writable":
        above.chmod(0o777)
    elif way == "writable for a group":
        status = Path.stat
        group = os.stat_result([0o40775, *status(above)[1:5], 12345, *status(above)[6:10]])
        monkeypatch.setattr(Path, "stat", lambda path, **how: group if path == above else status(path, **how))
    else:
        lstat = Path.lstat
        if way == "foreign link":
            above.rename(tmp_path / "elsewhere")
            above.symlink_to("elsewhere")
            assert load(folder) is not None
        foreign = os.stat_result([*lstat(above)[:4], 12345, *lstat(above)[5:10]])
        monkeypatch.setattr(Path, "lstat", lambda path: foreign if path == above else lstat(path))
    for use in (StackFolder.make, load):
        with pytest.raises(StepFailed, match="could put another folder in the place") as refused:
            use(folder)
        assert str(above) in refused.value.detail
        assert "INCIDENTS_HOME" in refused.value.advice


WRITES = "for name in names[:{count}]: open(os.path.join(state, name + '.json'), 'w').write('new')"
EMULATOR = """# ministack
import http.server, os, signal, sys
from incidents_cli.local import listener
port, state, names = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
def end(*_):
    {writes}
    sys.exit()
class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.answer(200, listener.answer(os.environ["AWS_ACCESS_KEY_ID"], self.path).encode())
    def do_POST(self):
        if os.path.exists(os.path.join(state, "full")):
            self.answer(507, b'{{"reason": "no space", "needed": 12345}}')
        else:
            for name in names:
                open(os.path.join(state, name + ".new"), "w").write("[]")
                os.replace(os.path.join(state, name + ".new"), os.path.join(state, name + ".json"))
            self.answer(204, b"")
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
signal.signal(signal.SIGTERM, {handler})
server = http.server.HTTPServer(("127.0.0.1", port), Answers)
print("ready", flush=True)
server.serve_forever()
"""


@pytest.fixture
def emulating(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], tuple[Stack, StackFolder]]]:
    """Yield a function that starts a replacement of the emulator, whose state is from an earlier stop."""
    monkeypatch.setenv("INCIDENTS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(socket.socket, "connect", socket.socket.connect)  # restores the method after the test
    listener.check_connections()
    folder = StackFolder()
    folder.make()
    processes = []

    def start(code: str) -> tuple[Stack, StackFolder]:
        for name in emulator._STATE:
            file = folder.state / f"{name}.json"
            file.write_text("old")
            os.utime(file, (1_000_000_000, 1_000_000_000))
        stack = Stack(free_port(), ready=True)
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(stack.port), str(folder.state), *emulator._STATE], stdout=subprocess.PIPE,
            start_new_session=True, env=os.environ | {"AWS_ACCESS_KEY_ID": stack.access_key},
        )  # fmt: skip
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        stack = replace(stack, pid=process.pid)
        stack.save(folder)
        return stack, folder

    yield start
    for process in processes:
        with process:
            process.kill()


def emulator_that(*, count: int, handler: str = "end") -> str:
    return EMULATOR.format(writes=WRITES.format(count=count), handler=handler)


def test_a_clean_stop_forgets_the_process(emulating: Callable[[str], tuple[Stack, StackFolder]]) -> None:
    _, folder = emulating(emulator_that(count=len(emulator._STATE)))

    assert up_down.down(folder)

    stopped = load(folder)
    assert stopped is not None
    assert stopped.pid is None


def test_a_stop_is_refused_while_the_emulator_cannot_write_its_data(
    emulating: Callable[[str], tuple[Stack, StackFolder]],
) -> None:
    stack, folder = emulating(emulator_that(count=len(emulator._STATE)))
    (folder.state / "full").touch()

    with pytest.raises(StepFailed, match="the stack still runs, and nothing is lost") as refused:
        up_down.down(folder)

    assert emulator.is_alive(stack)
    assert load(folder) == stack
    assert "no space" in refused.value.detail
    assert f"{folder.state} has " in refused.value.detail
    assert "needs 12,345 bytes" in refused.value.detail
    (folder.state / "full").unlink()
    assert up_down.down(folder)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (emulator_that(count=0), "It ended after "),
        (emulator_that(count=len(emulator._STATE) - 1), "It ended after "),
        (emulator_that(count=0, handler="lambda *_: 0"), "It did not end within 1 seconds, so this command killed it."),
    ],
    ids=["nothing is written", "a file is not written", "the emulator hangs"],
)
def test_a_stop_that_loses_data_says_so_and_the_next_start_says_it_again(
    emulating: Callable[[str], tuple[Stack, StackFolder]],
    code: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if "killed" in told:
        monkeypatch.setattr(emulator, "STOP_SECONDS", 1)
    stack, folder = emulating(code)

    with pytest.raises(StepFailed, match="did not write its data") as failed:
        up_down.down(folder)

    assert told in failed.value.detail
    assert "is kept" not in capsys.readouterr().err
    stopped = load(folder)
    assert stopped is not None
    until(lambda: not emulator.is_alive(stopped), 10, every=0.05)
    assert stopped.pid == stack.pid, "the next start reports the loss, as after a crash"


def test_an_emulator_that_dies_while_it_writes_its_data_is_no_clean_stop(
    emulating: Callable[[str], tuple[Stack, StackFolder]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(stack: Stack, _: StackFolder) -> None:
        assert stack.pid is not None
        os.kill(stack.pid, signal.SIGKILL)
        until(lambda: not emulator.is_alive(stack), 10, every=0.05)

    stack, folder = emulating(emulator_that(count=len(emulator._STATE)))
    monkeypatch.setattr(emulator, "save", die)

    with pytest.raises(StepFailed, match="did not write its data"):
        up_down.down(folder)

    stopped = load(folder)
    assert stopped is not None
    assert stopped.pid == stack.pid, "the next start reports the loss, as after a crash"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_ctrl_c_does_not_leave_half_a_stop(
    emulating: Callable[[str], tuple[Stack, StackFolder]], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def kill(pid: int, sent: signal.Signals, **how: bool) -> None:
        really_kill(pid, sent, **how)
        signal.raise_signal(number)

    _, folder = emulating(emulator_that(count=len(emulator._STATE)))
    really_kill = emulator._kill
    monkeypatch.setattr(emulator, "_kill", kill)
    handler = signal.signal(number, signal.default_int_handler)  # `up` handles all three like Ctrl-C
    try:
        assert up_down.down(folder)
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, handler)

    stopped = load(folder)
    assert stopped is not None
    assert stopped.pid is None


def test_ctrl_c_before_the_stop_says_that_the_stack_still_runs(
    emulating: Callable[[str], tuple[Stack, StackFolder]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    stack, folder = emulating(emulator_that(count=0))
    monkeypatch.setattr(emulator, "save", interrupt)

    with pytest.raises(KeyboardInterrupt):
        up_down.down(folder)

    assert "The stack still runs. Stop it: uv run incidents down" in capsys.readouterr().err
    assert emulator.is_alive(stack)


def test_an_up_that_waits_tells_a_stop_by_another_command_from_an_end_by_itself(
    emulating: Callable[[str], tuple[Stack, StackFolder]],
) -> None:
    def record_late() -> None:
        with up_down._alone(folder):
            os.kill(stack.pid or 0, signal.SIGKILL)
            until(lambda: not emulator.is_alive(stack), 10, every=0.05)
            locked.set()
            time.sleep(0.2)  # as `down`, which removes the code of workers before it records the stop
            replace(stack, pid=None).save(folder)

    stack, folder = emulating(emulator_that(count=0))
    locked = threading.Event()
    with ThreadPoolExecutor(1) as other:
        recorded = other.submit(record_late)
        assert locked.wait(20)
        up_down.wait_for_end(stack, folder)
        recorded.result()

    stack.save(folder)
    with pytest.raises(StepFailed, match="The emulator stopped"):
        up_down.wait_for_end(stack, folder)


def test_another_process_with_the_id_of_a_crashed_emulator_is_left_alone(
    emulating: Callable[[str], tuple[Stack, StackFolder]],
) -> None:
    running, folder = emulating(emulator_that(count=0))
    crashed = Stack(running.port, pid=running.pid, ready=True)  # has another key
    crashed.save(folder)

    with pytest.raises(StepFailed, match="is not running"):
        emulator.running_stack(folder)
    up_down.down(folder)

    assert emulator.is_alive(running)


def test_a_first_stop_that_was_cut_off_leaves_an_empty_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INCIDENTS_HOME", str(tmp_path / "home"))
    folder = StackFolder()
    folder.make()
    (folder.state / "cloudformation.json").write_text("{}")  # the emulator writes its files in this order

    up_down._after_a_crash(folder)

    assert "never stopped cleanly" in capsys.readouterr().err
    assert list(folder.state.iterdir()) == []
    assert (folder.path / "left-by-a-crash" / "state" / "cloudformation.json").read_text() == "{}"


JSON, OTHERS = ("state/dynamodb.json", "state/kms.json"), ("state/blobs/a.zip", "objects/bucket/a")


@pytest.mark.parametrize(
    ("name", "damage"),
    [*product((*JSON, *OTHERS), ["cut", "removed"]), *product(JSON, ["zeros"])],
)
def test_damaged_data_is_not_started_and_not_replaced(
    emulating: Callable[[str], tuple[Stack, StackFolder]], damage: str, name: str
) -> None:
    _, folder = emulating(emulator_that(count=len(emulator._STATE)).replace("'new'", "'[1]'"))
    file = folder.path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[1, 2]")
    assert up_down.down(folder)
    emulator.require_whole_state(folder)
    if damage == "removed":
        file.unlink()
    else:
        file.write_bytes({"cut": b"[1, 2", "zeros": bytes(6)}[damage])

    with pytest.raises(StepFailed, match="are damaged or missing") as refused:
        emulator.require_whole_state(folder)

    assert refused.value.detail == f"  {file}"
    assert "Restore the files" in refused.value.advice
    if name in JSON and damage != "removed":
        folder.contents.unlink()  # as after a crash
        with pytest.raises(StepFailed, match="are damaged or missing"):
            emulator.require_whole_state(folder)


@pytest.mark.parametrize("is_ready", [False, True], ids=["a failed up", "down"])
def test_each_stop_records_the_files_with_data(
    emulating: Callable[[str], tuple[Stack, StackFolder]], is_ready: bool
) -> None:
    stack, folder = emulating(emulator_that(count=len(emulator._STATE)).replace("'new'", "'[1]'"))
    emulator.stop(replace(stack, ready=is_ready), folder)
    emulator.require_whole_state(folder)
    for damaged in ("{", "null", "[1]", "[" * 100_000, "\x00" * 9):
        folder.contents.write_text(damaged)
        emulator.require_whole_state(folder)
    (folder.state / "dynamodb.json").write_text("[")

    with pytest.raises(StepFailed, match="are damaged or missing"):
        emulator.require_whole_state(folder)


def test_a_stop_waits_for_no_other_command_and_changes_nothing(
    emulating: Callable[[str], tuple[Stack, StackFolder]],
) -> None:
    stack, folder = emulating(emulator_that(count=0))

    with up_down._alone(folder), pytest.raises(StepFailed, match="of this checkout is running"):
        up_down.down(folder)

    assert emulator.is_alive(stack)
    assert load(folder) == stack


def test_a_written_file_replaces_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "chart.unfinished").write_text("mine")

    write(tmp_path / "chart.png", b"picture")

    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "chart.unfinished": "mine", "chart.png": "picture",
    }  # fmt: skip
    assert (tmp_path / "chart.png").stat().st_mode & 0o777 == 0o600
