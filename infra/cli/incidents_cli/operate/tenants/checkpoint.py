"""The checkpoint of a long command: the file from which an interrupted command continues.

Each step of the command replaces the file atomically.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from ...console import StepFailed, open_own, open_private, stderr, writing
from ...local.local_stack import write


class Checkpoint:
    """The saved state of one run of a command, such as `incidents verify`.

    ``about`` identifies the run, for example by its tenant and table. A different run must not continue from the state.
    """

    def __init__(self, path: Path, **about: str) -> None:
        self.path = path
        self.continued: str | None = None  # the time of the loaded state, if a run continues
        self._about = about

    def load(self, begin: Mapping[str, Any]) -> dict[str, Any]:
        """Return the last saved state, or ``begin`` without a file. Tell the user that the run continues.

        A value that is None in ``begin`` is a text later. Raises StepFailed for a broken file or another run's.
        """
        try:
            with open_own(self.path) as file:
                kept = json.loads(file.read())
                saved = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
            about, state = dict[str, Any](kept["about"]), {**begin, **kept["state"]}
            for name, value in begin.items():
                if not isinstance(state[name], str | None if value is None else type(value)):
                    raise TypeError(name)
        except FileNotFoundError:
            return dict(begin)
        except OSError as error:
            raise StepFailed(
                "The checkpoint cannot be read.", f"  {error}", "Remove the file to begin again."
            ) from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise StepFailed(
                "The checkpoint cannot be read.", f"  {self.path}", "Remove the file to begin again."
            ) from None
        if about != self._about:
            pairs = {name: (about.get(name), self._about.get(name)) for name in about | self._about}
            detail = "\n".join(
                f"  {name}: {was or 'none'}, not {now or 'none'}" for name, (was, now) in pairs.items() if was != now
            )
            advice = f"Run the command with the values of the checkpoint, or remove {self.path} to begin again."
            raise StepFailed(f"{self.path} is the checkpoint of another command.", detail, advice)
        self.continued = f"{saved:%Y-%m-%d %H:%M:%S} UTC"
        stderr.print(
            f"Continuing the run of {self.continued}. What it has read before is not read again. To read everything "
            f"again, remove {self.path} first."
        )
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        with writing(self.path):
            write(self.path, json.dumps({"about": self._about, "state": state}).encode())

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def in_file_names(tenant_id: str) -> str:
    """Return a tenant id for a file's name. Two tenants never share a file, even if the file system ignores case.

    Each upper-case letter becomes ``+`` and its lower-case letter. No tenant id has a ``+``, so the results of
    different ids differ.
    """
    return re.sub("[A-Z]", lambda letter: f"+{letter[0].lower()}", tenant_id)


@contextmanager
def going_on(path: Path, size: int) -> Iterator[IO[bytes]]:
    """Cut a file to its first ``size`` bytes, and open the file to append to it.

    Create the file if it is missing. Only its owner can read it. Raises StepFailed if the file is shorter than
    ``size`` or cannot be written.
    """
    with writing(path):
        file = open_private(path, "r+b")
    try:
        with writing(path):
            if file.seek(0, os.SEEK_END) < size:
                advice = "Remove this file and the checkpoint to begin again."
                raise StepFailed(f"{path} is shorter than its checkpoint recorded.", "", advice)
            file.truncate(size)
            file.seek(size)
        yield file
    finally:
        with writing(path):
            file.close()  # writes the bytes that are still in the buffer, so it may fail


def write_durably(file: IO[bytes], content: bytes) -> int:
    """Write bytes and sync them to disk, so that a checkpoint can rely on them. Return the file's new size.

    Raises StepFailed if the file cannot be written.
    """
    with writing(Path(file.name)):
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return file.tell()
