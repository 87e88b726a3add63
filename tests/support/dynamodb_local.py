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

from tests.support.checkout import free_port
from tests.support.templates import CHECKOUT

PACKAGE = "amplify-dynamodb-simulator@2.9.30"
CACHE = CHECKOUT / ".cache" / "dynamodb-local"
QUICK_TO_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Java's optimizing compiler does not pay off, because a run takes only a few minutes.

The compiler would use a third of the run's CPU time.
"""
RECORDS_MAX = 8_000
"""With 8 000 stream records, a transaction takes about 4 ms longer. The start of a new process costs about 2 s, and its
first thousand calls cost 1 ms more.
"""


def what_is_missing() -> str | None:
    """Return one line that names the missing programs, or None if no program is missing."""
    missing = [program for program in ("java", "npm") if shutil.which(program) is None]
    if (CACHE / "DynamoDBLocal.jar").exists():
        missing = [program for program in missing if program != "npm"]
    return f"DynamoDB Local needs {' and '.join(missing)} on the PATH" if missing else None


class Shared:
    """A process of DynamoDB Local that all tests of one pytest process use.

    The start of a process costs as much CPU time as a small module. But each stream record that the process has ever
    stored makes every call slower. So `renew` replaces the process, at the same URL, after RECORDS_MAX records.
    """

    def __init__(self) -> None:
        self._port = free_port()
        self._records = 0
        self._running = ExitStack()
        self._running.enter_context(running(self._port))
        self.url = f"http://127.0.0.1:{self._port}"

    def renew(self, records: int) -> bool:
        """Add new stream records to the count. If the count is too high, start a new process, and return True.

        The new process has no tables.
        """
        self._records += records
        if self._records < RECORDS_MAX:
            return False
        self.stop()
        self._running.enter_context(running(self._port))
        self._records = 0
        return True

    def stop(self) -> None:
        self._running.close()


@contextmanager
def running(port: int | None = None) -> Iterator[str]:
    """Run DynamoDB Local in memory on a port of the loopback interface, and yield its URL.

    Without ``port``, it uses a free port.
    """
    _fetch()
    port = port or free_port()
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
