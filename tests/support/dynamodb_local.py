"""Runs AWS's own DynamoDB Local, which has real conditions, transactions and limits.

The npm package amplify-dynamodb-simulator contains DynamoDB Local. It is downloaded once into .cache and needs Java 17.
"""

import fcntl
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.templates import CHECKOUT

PACKAGE = "amplify-dynamodb-simulator@2.9.30"
CACHE = CHECKOUT / ".cache" / "dynamodb-local"
QUICK_TO_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Java's optimizing compiler does not pay off, because a run takes only a few minutes.

The compiler would use a third of the run's CPU time.
"""


SHARED_SECONDS = 300


def what_is_missing() -> str | None:
    """Return one line that names the missing programs, or None if no program is missing."""
    missing = [program for program in ("java", "npm") if shutil.which(program) is None]
    if (CACHE / "DynamoDBLocal.jar").exists():
        missing = [program for program in missing if program != "npm"]
    return f"DynamoDB Local needs {' and '.join(missing)} on the PATH" if missing else None


class Shared:
    """A process of DynamoDB Local that several test modules use one after the other.

    The start of a process costs as much CPU as a small module. But DynamoDB Local becomes slower with each table that
    it has ever stored. So if the process is older than SHARED_SECONDS, the next module gets a new one without tables.
    """

    def __init__(self) -> None:
        self._running = ExitStack()
        self._url, self._until = "", 0.0

    def url(self) -> str:
        """Return the URL of the process for the next module. Start a new process if the last one is too old."""
        if time.monotonic() > self._until:
            self.stop()
            self._url = self._running.enter_context(running())
            self._until = time.monotonic() + SHARED_SECONDS
        return self._url

    def stop(self) -> None:
        self._running.close()


@contextmanager
def running() -> Iterator[str]:
    """Run DynamoDB Local in memory on a free port of the loopback interface, and yield its URL."""
    _fetch()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        ("java", *QUICK_TO_START, "-Djava.library.path=./DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar", "-inMemory",
         "-port", str(port)),
        cwd=CACHE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _fetch() -> None:
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    # One process downloads the package, and all others wait for it.
    with (
        (CACHE.parent / "dynamodb-local.lock").open("w") as lock,
        tempfile.TemporaryDirectory(dir=CACHE.parent) as folder,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (CACHE / "DynamoDBLocal.jar").exists():
            return
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        subprocess.run(["tar", "xzf", archive.name], cwd=folder, check=True)
        Path(folder, "package", "emulator").replace(CACHE)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("DynamoDB Local did not start")
