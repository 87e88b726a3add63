"""The emulator: one process that stands in for AWS, on loopback only."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx

from ..console import StepFailed, command, run
from .local_stack import CHECKOUT, Stack, StackFolder, load, subprocess_environment

# It reads SAM templates and checks JWTs only with these two beside it. Its Lambda workers run its own interpreter, so
# it gets the one that the functions are built for.
TOOL = ("uvx", "--python", sys.executable, "--from", "ministack==1.5.33", "--with", "aws-sam-translator>=1.100",
        "--with", "cryptography")  # fmt: skip

_START_SECONDS, _STOP_SECONDS = 60, 20


def install() -> str:
    """Fetch the emulator once and return the interpreter of its environment."""
    return run(
        (*TOOL, "python", "-c", "import sys, ministack; print(sys.executable)"),
        env=subprocess_environment(), cwd=CHECKOUT, what="The emulator could not be installed.",
        advice="Is a Python package index within reach? Then try again.",
    ).strip()  # fmt: skip


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def start(interpreter: str, stack: Stack, folder: StackFolder) -> Stack:
    """Start the emulator with the data it has kept, and return the stack when it answers."""
    shutil.rmtree(folder.temporary, ignore_errors=True)  # code that the workers of an earlier run unpacked
    folder.make()
    _forget_stream_positions(folder)
    environment = subprocess_environment(stack) | {
        "GATEWAY_PORT": str(stack.port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "AUTH": "true",  # every function lives on what its own role grants
        "MINISTACK_COGNITO_PRETOKEN_STRICT": "1",  # a token that its trigger refuses is refused, as on AWS
        "IOT_MTLS_ENABLED": "0",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder.state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder.objects),
        "TMPDIR": str(folder.temporary),
        "LOG_LEVEL": "WARNING",
    }
    log = folder.logs / "emulator.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [interpreter, "-m", "ministack"],
            env=environment, cwd=folder.path, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,  # Ctrl-C in the terminal is for the command, which then stops it in order
        )  # fmt: skip
    stack = replace(stack, pid=process.pid, ready=False)
    try:
        stack.save(folder)  # at once: whatever happens to this process, the next command finds that one
        deadline = time.monotonic() + _START_SECONDS
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                detail = "\n".join(f"  {line}" for line in log.read_text().splitlines()[-10:])
                raise StepFailed("The emulator did not start.", detail, f"Its output is in {log}.")
            if answers(stack):
                return stack
            time.sleep(0.1)
    except BaseException:
        stop(stack, folder)
        raise


def _forget_stream_positions(folder: StackFolder) -> None:
    """Let the readers of the table's stream begin where it does.

    The emulator keeps how far they had read, and not what they read: with that, the next records would be skipped until
    there are as many as ever before.
    """
    kept = folder.state / "lambda.json"
    if kept.exists():
        state = json.loads(kept.read_text())
        state.get("payload", {}).get("dynamodb_stream_positions", {}).get("data", {}).clear()
        kept.write_text(json.dumps(state))


def is_alive(stack: Stack) -> bool:
    """Tell whether the stack's process is there, and still is the emulator."""
    if stack.pid is None:
        return False
    with suppress(ChildProcessError):
        if os.waitpid(stack.pid, os.WNOHANG) != (0, 0):  # our own child, ended and now reaped
            return False
    try:
        os.kill(stack.pid, 0)
        started_as = Path("/proc", str(stack.pid), "cmdline")
        return b"ministack" in started_as.read_bytes() if Path("/proc/self").exists() else True
    except (ProcessLookupError, FileNotFoundError, PermissionError):
        return False


def answers(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.endpoint_url}/_ministack/health", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def running_stack(folder: StackFolder) -> Stack:
    """Return the stack that is up. Raises StepFailed, which says what it is doing instead."""
    stack = load(folder)
    if stack is None or not is_alive(stack):
        raise StepFailed("The stack is not running.", "", f"Start it: {command('up')}")
    if not stack.ready:
        raise StepFailed("The stack is starting.", "", "Wait for `incidents up` to say that it is up.")
    if not answers(stack):
        raise StepFailed(
            "The stack runs but does not answer.", "", f"Start it again: {command('down')}, then {command('up')}"
        )
    return stack


def stop(stack: Stack, folder: StackFolder) -> None:
    """Ask the emulator to write its state and end; after 20 s make it end. Record that it is down."""
    if stack.pid is not None and is_alive(stack):
        _kill(stack.pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while is_alive(stack) and time.monotonic() < deadline:
            time.sleep(0.05)
        _kill(stack.pid, signal.SIGKILL, group=True)  # workers that outlived it
    replace(stack, pid=None, ready=False).save(folder)


def _kill(pid: int, number: signal.Signals, *, group: bool = False) -> None:
    with suppress(ProcessLookupError, PermissionError):
        (os.killpg if group else os.kill)(pid, number)
