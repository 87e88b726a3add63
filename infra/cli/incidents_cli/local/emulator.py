"""Start, check and stop the emulator: one process that emulates AWS, on loopback only."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx2

from ..console import StepFailed, command, open_private, run
from . import listener, ministack_guard, state_files
from .local_stack import CHECKOUT, Stack, StackFolder, subprocess_environment, write
from .local_stack import load as recorded_stack

# The two additional packages let the emulator read SAM templates and check JWTs. The emulator runs the functions with
# its own interpreter. So the functions must be built for this interpreter.
TOOL = ("uvx", "--python", sys.executable, "--from", "ministack==1.5.33", "--with", "aws-sam-translator>=1.100",
        "--with", "cryptography")  # fmt: skip

GUARD = Path(__file__).with_name("ministack_guard.py")
_START_SECONDS, STOP_SECONDS, _ANSWER_SECONDS = 60, 60, 10
_STATE = ("cloudformation", "dynamodb", "lambda", "secretsmanager", "sqs")
"""The emulator's services whose files hold the stack and its data. A clean stop writes each of the files again."""


def install() -> str:
    """Install the emulator if it is missing. Return the path of the interpreter in the emulator's environment."""
    return run(
        (*TOOL, "python", "-c", "import sys, ministack; print(sys.executable)"),
        env=subprocess_environment(), cwd=CHECKOUT, what="The emulator could not be installed.",
        advice="Check that a Python package index is reachable, then try again.",
    ).strip()  # fmt: skip


def calls_at_once() -> int:
    """Return how many calls of functions the emulator runs at the same time.

    With a higher limit, many calls take longer in total.

    On two cores, 400 creates at once took 12 s with 4 calls, and 14 s with 8.
    """
    return 2 * (os.cpu_count() or 1) + 2


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def start(interpreter: str, stack: Stack, folder: StackFolder) -> Stack:
    """Start the emulator with the kept data, and wait until it answers. Return the stack with the new process id.

    Raises StepFailed if the emulator ends, or does not answer within 60 seconds.
    """
    shutil.rmtree(folder.temporary, ignore_errors=True)  # removes the code that an earlier emulator unpacked
    folder.make()
    folder.contents.unlink(missing_ok=True)
    _forget_stream_positions(folder)
    environment = subprocess_environment(stack) | {
        "GATEWAY_PORT": str(stack.port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "AUTH": "true",  # enforce each function's role, as AWS does
        "MINISTACK_COGNITO_PRETOKEN_STRICT": "1",  # as on AWS, issue no token if Cognito's trigger refuses
        "IOT_MTLS_ENABLED": "0",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder.state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder.objects),
        "TMPDIR": str(folder.temporary),
        "LOG_LEVEL": "WARNING",
        "LAMBDA_ACCOUNT_CONCURRENCY": str(calls_at_once()),
    }
    log = folder.logs / "emulator.log"
    with open_private(log, "w") as output:
        process = subprocess.Popen(
            [interpreter, "-P", str(GUARD)],
            env=environment, cwd=folder.path, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            umask=0o077,  # only the owner may read the emulator's files, which have incidents and keys
            start_new_session=True,  # Ctrl-C then reaches only the command, which stops the emulator cleanly
        )  # fmt: skip
    stack = replace(stack, pid=process.pid, ready=False)
    listener.trust(stack.port, stack.access_key)
    try:
        stack.save(folder)  # saved at once, so that the next command finds the emulator even if this process dies
        deadline = time.monotonic() + _START_SECONDS
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                detail = "\n".join(f"  {line}" for line in log.read_text().splitlines()[-10:])
                advice = f"Read the emulator's complete output in {log}, then try again."
                raise StepFailed("The emulator did not start.", detail, advice)
            if answers(stack):
                return stack
            time.sleep(0.1)
    except BaseException:
        stop(stack, folder)
        raise


def _forget_stream_positions(folder: StackFolder) -> None:
    """Reset the readers of the table's stream to the stream's beginning.

    A restart of the emulator keeps the readers' positions, but not the stream's records. Without the reset, a reader
    would skip as many new records as it has read in all earlier runs.
    """
    kept = folder.state / "lambda.json"
    if kept.exists():
        state = json.loads(kept.read_text())
        state.get("payload", {}).get("dynamodb_stream_positions", {}).get("data", {}).clear()
        write(kept, json.dumps(state).encode())


def is_alive(stack: Stack) -> bool:
    """Return whether the stack's process exists and is still this stack's emulator.

    After a crash, another process may have the id. Only this stack's emulator has the stack's key in its environment.
    """
    if stack.pid is None:
        return False
    with suppress(ChildProcessError):
        if os.waitpid(stack.pid, os.WNOHANG) != (0, 0):  # the emulator was our child process and has ended
            return False
    try:
        os.kill(stack.pid, 0)
        if not Path("/proc/self").exists():
            return True
        process, key = Path("/proc", str(stack.pid)), f"AWS_ACCESS_KEY_ID={stack.access_key}".encode()
        is_ours = not stack.access_key or key in (process / "environ").read_bytes().split(b"\0")
        return is_ours and b"ministack" in (process / "cmdline").read_bytes()
    except (ProcessLookupError, FileNotFoundError, PermissionError):
        return False


def answers(stack: Stack) -> bool:
    try:
        return httpx2.get(f"{stack.endpoint_url}/_ministack/health", timeout=2, trust_env=False).is_success
    except httpx2.HTTPError:
        return False


def load(stack: Stack) -> dict[str, int]:
    """Return how many calls of functions are ``running`` and ``waiting``, and the ``limit`` of the running calls."""
    answer = _ask(stack, "GET", ministack_guard.LOAD, _ANSWER_SECONDS)
    counts: dict[str, int] = answer.raise_for_status().json()
    return counts


def _ask(stack: Stack, method: str, path: str, seconds: float) -> httpx2.Response:
    key = {"authorization": f"AWS4-HMAC-SHA256 Credential={stack.access_key}/"}
    return httpx2.request(method, stack.endpoint_url + path, headers=key, timeout=seconds, trust_env=False)


def running_stack(folder: StackFolder) -> Stack:
    """Return the running stack. Raises StepFailed if the stack is stopped, is still starting or does not answer."""
    stack = recorded_stack(folder)
    if stack is None or not is_alive(stack):
        raise StepFailed("The stack is not running.", "", f"Start it: {command('up')}")
    if not stack.access_key:
        raise StepFailed(
            "An earlier version started the stack, without protection.", "", f"Start it again: {command('up')}"
        )
    if not stack.ready:
        raise StepFailed("The stack is starting.", "", "Wait until `incidents up` prints that it is up.")
    must_answer(stack)
    return stack


def must_answer(stack: Stack) -> None:
    """Raise StepFailed if the running emulator does not answer. The error says whether the emulator is busy or broken.

    The emulator counts as busy if it accepts a connection.
    """
    restart = f"{command('down')}, then {command('up')}"
    try:
        load(stack)
    except httpx2.TimeoutException:
        raise StepFailed(
            "The stack is busy.", f"  It takes connections, but did not answer within {_ANSWER_SECONDS} seconds.",
            f"Try again in a minute. If it is still busy then, start it again: {restart}",
        ) from None  # fmt: skip
    except httpx2.HTTPError as error:
        raise StepFailed("The stack runs but does not answer.", f"  {error}", f"Start it again: {restart}") from None


def save(stack: Stack, folder: StackFolder) -> None:
    """Let the running emulator write its state. Raises StepFailed if it could not, for example because a disk is full.

    If the emulator does not answer, it can only be stopped. If it is of an earlier version, it saves when it stops.
    """
    try:
        answer = _ask(stack, "POST", state_files.SAVE, STOP_SECONDS)
    except httpx2.HTTPError:
        return
    if answer.status_code == httpx2.codes.INSUFFICIENT_STORAGE:
        problem, free = answer.json(), shutil.disk_usage(folder.state).free
        needed = f" The data needs {problem['needed']:,} bytes." if problem["needed"] else ""
        raise StepFailed(
            "The emulator cannot write its data. So the stack still runs, and nothing is lost.",
            f"  {problem['reason']}\n  {folder.state} has {free:,} free bytes.{needed}",
            f"Remove the cause, such as a full disk, then run: {command('down')}. "
            f"To delete the data and start again: {command('up --fresh')}",
        )


def stop(stack: Stack, folder: StackFolder) -> Stack:
    """Let the emulator write its state and exit. After 60 s, kill the emulator. Save and return the stopped stack.

    If the emulator of a ready stack did not write its state, the returned stack keeps its process id, as after a crash.
    Before a stack is ready, it has nothing to lose: it has acknowledged no write of a user. Ctrl-C is ignored, because
    half a stop would look like a crash.
    """
    before = {service: _version(folder.state / f"{service}.json") for service in _STATE}
    with _without_interruption():
        if stack.pid is not None and is_alive(stack):
            _kill(stack.pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            while is_alive(stack) and time.monotonic() < deadline:
                time.sleep(0.05)
            _kill(stack.pid, signal.SIGKILL, group=True)  # also kills child processes that outlive the emulator
        has_data = stack.pid is not None and stack.ready
        is_saved = not has_data or all(
            _version(folder.state / f"{service}.json") not in (None, before[service]) for service in _STATE
        )
        shutil.rmtree(folder.temporary, ignore_errors=True)  # removes the code that workers unpacked
        if is_saved:  # also after an `up` that failed, because the emulator has written its state anew
            write(folder.contents, json.dumps(_sizes(folder)).encode())
        stopped = replace(stack, pid=None if is_saved else stack.pid, ready=False)
        stopped.save(folder)
    return stopped


@contextmanager
def _without_interruption() -> Iterator[None]:
    """Ignore Ctrl-C and the signals that a command handles like Ctrl-C."""
    kept = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def require_whole_state(folder: StackFolder) -> None:
    """Raise StepFailed if data of a stopped stack is damaged or missing. After a crash, only JSON is checked.

    The emulator would start without this data, and its next clean stop would replace the files.
    """
    kept, now = dict[str, int](), _sizes(folder)
    with suppress(FileNotFoundError, ValueError, TypeError, RecursionError):  # a crash may have damaged this file
        kept = dict(json.loads(folder.contents.read_bytes()))
    damaged = {name for name, size in kept.items() if now.get(name) != size}
    for file in folder.state.glob("*.json"):  # zeros are in the place of a block that a disk has lost
        try:
            json.loads(file.read_bytes())
        except (ValueError, RecursionError):
            damaged.add(str(file.relative_to(folder.path)))
    if damaged:
        names = sorted(damaged)
        more = f"\n  and {len(names) - 5} more" if len(names) > 5 else ""
        raise StepFailed(
            "Files with the stack's data are damaged or missing.",
            "\n".join(f"  {folder.path / name}" for name in names[:5]) + more,
            f"Restore the files from a copy. To delete all data and start again: {command('up --fresh')}",
        )


def _sizes(folder: StackFolder) -> dict[str, int]:
    """Return the size of each file with data, by its path in the folder. Wait until the disk has the files."""
    sizes = {}
    for file in (*folder.state.rglob("*"), *folder.objects.rglob("*")):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened)  # the emulator leaves this to the system, and the machine may lose its power
                sizes[str(file.relative_to(folder.path))] = os.fstat(opened.fileno()).st_size
    return sizes


def has_state(folder: StackFolder) -> bool:
    """Return whether a clean stop has written the complete state of the stack."""
    return all((folder.state / f"{service}.json").exists() for service in _STATE)


def _version(file: Path) -> tuple[int, int] | None:
    with suppress(FileNotFoundError):
        state = file.stat()
        return state.st_ino, state.st_mtime_ns
    return None


def _kill(pid: int, number: signal.Signals, *, group: bool = False) -> None:
    with suppress(ProcessLookupError, PermissionError):
        (os.killpg if group else os.kill)(pid, number)
