"""Runs `incidents import` on the local stack, ends it early, and reads its results."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.support.checkout import Checkout


def counts(done: "subprocess.CompletedProcess[str]") -> dict[str, int]:
    return {line.rsplit(maxsplit=1)[0]: int(line.rsplit(maxsplit=1)[1]) for line in done.stdout.splitlines()}


class Ended(NamedTuple):
    """The end of a process: its exit code, and the most memory that it had, in MB."""

    code: int
    memory: float


def cut_off(stack: Checkout, arguments: list[str], when: int, how: signal.Signals, count: Callable[[], int]) -> Ended:
    """Start an import, end its process once ``count`` returns this number, and return the end."""
    command = [str(Path(sys.executable).with_name("incidents")), "import", *arguments]
    environment = os.environ | {"INCIDENTS_HOME": str(stack.home)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        # Without this line, an import in a background process may ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        while count() < when:
            assert process.poll() is None, "the import ended early"
            time.sleep(0.05)
        status = Path(f"/proc/{process.pid}/status")
        memory = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None  # only Linux has it
        process.send_signal(how)
        return Ended(process.wait(60), int(memory[1]) / 1_000 if memory else 0)


def recorded(file: Path) -> int:
    """Return how many lines the record of an import has. A question to the API would take longer than many rows."""
    progress = file.with_name(f"{file.name}.progress")
    return progress.read_bytes().count(b"\n") if progress.exists() else 0
