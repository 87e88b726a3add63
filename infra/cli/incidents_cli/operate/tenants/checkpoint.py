"""The checkpoint of a long walk: a file from which an interrupted walk continues, replaced atomically at each step."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ...console import StepFailed, writing
from ...local.local_stack import write


class Checkpoint:
    """The state of one walk. ``about`` identifies the walk: another walk must not continue from this state."""

    def __init__(self, path: Path, **about: str) -> None:
        self.path = path
        self._about = about

    def load(self) -> dict[str, Any]:
        """Return the last saved state, {} at the beginning. Raises StepFailed for a broken or another walk's file."""
        try:
            kept = json.loads(self.path.read_text())
            about, state = dict[str, Any](kept["about"]), dict[str, Any](kept["state"])
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError):
            raise StepFailed(
                "The checkpoint cannot be read.", f"  {self.path}", "Remove the file to begin again."
            ) from None
        if about != self._about:
            pairs = {name: (about.get(name), self._about.get(name)) for name in about | self._about}
            detail = "\n".join(
                f"  {name}: {was or 'none'}, not {now or 'none'}" for name, (was, now) in pairs.items() if was != now
            )
            advice = f"Continue with the values that it names, or remove {self.path} to begin again."
            raise StepFailed(f"{self.path} is the checkpoint of something else.", detail, advice)
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        with writing(self.path):
            write(self.path, json.dumps({"about": self._about, "state": state}).encode())

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def in_file_names(tenant_id: str) -> str:
    """Return a tenant id for a file's name: two tenants never share a file, even if the file system ignores case.

    Each upper-case letter becomes ``+`` and its lower-case letter. A tenant id has no ``+``.
    """
    return re.sub("[A-Z]", lambda letter: f"+{letter[0].lower()}", tenant_id)


@contextmanager
def going_on(path: Path, size: int) -> Iterator[IO[bytes]]:
    """Open a file, readable by its owner only, to append after its first ``size`` bytes. Drop any bytes after these.

    Raises StepFailed if the file is shorter than ``size``, or cannot be written.
    """
    with writing(path):
        file = open(path, "r+b", opener=lambda name, _: os.open(name, os.O_RDWR | os.O_CREAT, 0o600))  # noqa: SIM115
    try:
        with writing(path):
            if file.seek(0, os.SEEK_END) < size:
                advice = "Remove this file and the checkpoint to begin again."
                raise StepFailed(f"{path} is shorter than its checkpoint says.", "", advice)
            file.truncate(size)
            file.seek(size)
        yield file
    finally:
        with writing(path):
            file.close()  # it tries again to write buffered bytes, and may fail


def write_durably(file: IO[bytes], content: bytes) -> int:
    """Write and sync to disk, so that a checkpoint can rely on the bytes; return the file's size. Raises StepFailed."""
    with writing(Path(file.name)):
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return file.tell()
