"""Start, check and stop the emulator: one process that emulates AWS, on loopback only."""

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

import httpx2

from ..console import StepFailed, command, run
from .local_stack import CHECKOUT, Stack, StackFolder, load, subprocess_environment

# The two additional packages let the emulator read SAM templates and check JWTs. The emulator runs the functions with
# its own interpreter. So that must be the interpreter for which the functions are built.
TOOL = ("uvx", "--python", sys.executable, "--from", "ministack==1.5.33", "--with", "aws-sam-translator>=1.100",
        "--with", "cryptography")  # fmt: skip

_START_SECONDS, _STOP_SECONDS = 60, 20


def install() -> str:
    """Install the emulator if it is missing. Return the path of the interpreter in the emulator's environment."""
    return run(
        (*TOOL, "python", "-c", "import sys, ministack; print(sys.executable)"),
        env=subprocess_environment(), cwd=CHECKOUT, what="The emulator could not be installed.",
        advice="Check that a Python package index is reachable, then try again.",
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
    """Start the emulator with the kept data, and wait until it answers. Return the stack with the new process id.

    Raises StepFailed if the emulator ends, or does not answer within 60 seconds.
    """
    shutil.rmtree(folder.temporary, ignore_errors=True)  # removes the code that an earlier emulator unpacked
    folder.make()
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
    }
    log = folder.logs / "emulator.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [interpreter, "-m", "ministack"],
            env=environment, cwd=folder.path, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,  # Ctrl-C then reaches only the command, which stops the emulator cleanly
        )  # fmt: skip
    stack = replace(stack, pid=process.pid, ready=False)
    try:
        stack.save(folder)  # at once, so that the next command finds the emulator even if this process dies
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
        kept.write_text(json.dumps(state))


def is_alive(stack: Stack) -> bool:
    """Return whether the stack's process exists and is still the emulator."""
    if stack.pid is None:
        return False
    with suppress(ChildProcessError):
        if os.waitpid(stack.pid, os.WNOHANG) != (0, 0):  # the emulator was our child process and has ended
            return False
    try:
        os.kill(stack.pid, 0)
        started_as = Path("/proc", str(stack.pid), "cmdline")
        return b"ministack" in started_as.read_bytes() if Path("/proc/self").exists() else True
    except (ProcessLookupError, FileNotFoundError, PermissionError):
        return False


def answers(stack: Stack) -> bool:
    try:
        return httpx2.get(f"{stack.endpoint_url}/_ministack/health", timeout=2, trust_env=False).is_success
    except httpx2.HTTPError:
        return False


def running_stack(folder: StackFolder) -> Stack:
    """Return the running stack. Raises StepFailed if the stack is stopped, is still starting or does not answer."""
    stack = load(folder)
    if stack is None or not is_alive(stack):
        raise StepFailed("The stack is not running.", "", f"Start it: {command('up')}")
    if not stack.ready:
        raise StepFailed("The stack is starting.", "", "Wait until `incidents up` prints that it is up.")
    if not answers(stack):
        raise StepFailed(
            "The stack runs but does not answer.", "", f"Start it again: {command('down')}, then {command('up')}"
        )
    return stack


def stop(stack: Stack, folder: StackFolder) -> None:
    """Let the emulator write its state and exit. After 20 s, kill the emulator. Save the stack's record as stopped."""
    if stack.pid is not None and is_alive(stack):
        _kill(stack.pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while is_alive(stack) and time.monotonic() < deadline:
            time.sleep(0.05)
        _kill(stack.pid, signal.SIGKILL, group=True)  # also kills child processes that outlive the emulator
    replace(stack, pid=None, ready=False).save(folder)


def _kill(pid: int, number: signal.Signals, *, group: bool = False) -> None:
    with suppress(ProcessLookupError, PermissionError):
        (os.killpg if group else os.kill)(pid, number)
