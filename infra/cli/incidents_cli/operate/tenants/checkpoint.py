"""Where a long walk stood when it was cut off: a file beside what it writes, replaced whole at each step."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ...console import StepFailed, writing
from ...local.local_stack import write


class Checkpoint:
    """The state of one walk. ``about`` says which: another walk must not go on from it."""

    def __init__(self, path: Path, **about: str) -> None:
        self.path = path
        self._about = about

    def load(self) -> dict[str, Any]:
        """Return the state that was saved last; empty where the walk begins. Raises StepFailed for another walk's."""
        try:
            kept = json.loads(self.path.read_text())
            about, state = dict[str, Any](kept["about"]), dict[str, Any](kept["state"])
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError):
            raise StepFailed("The checkpoint cannot be read.", f"  {self.path}", "Remove it to begin anew.") from None
        if about != self._about:
            pairs = {name: (about.get(name), self._about.get(name)) for name in about | self._about}
            detail = "\n".join(
                f"  {name}: {was or 'none'}, not {now or 'none'}" for name, (was, now) in pairs.items() if was != now
            )
            advice = f"Go on with what it names, or remove {self.path} to begin anew."
            raise StepFailed(f"{self.path} is the checkpoint of something else.", detail, advice)
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        with writing(self.path):
            write(self.path, json.dumps({"about": self._about, "state": state}).encode())

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


@contextmanager
def going_on(path: Path, size: int) -> Iterator[IO[bytes]]:
    """Open a file for its owner alone, to write behind its first ``size`` bytes: what stood there was cut off."""
    with writing(path):
        file = open(path, "r+b", opener=lambda name, _: os.open(name, os.O_RDWR | os.O_CREAT, 0o600))  # noqa: SIM115
    try:
        with writing(path):
            if file.seek(0, os.SEEK_END) < size:
                advice = "Remove both, with the checkpoint, to begin anew."
                raise StepFailed(f"{path} is shorter than its checkpoint says.", "", advice)
            file.truncate(size)
            file.seek(size)
        yield file
    finally:
        with writing(path):
            file.close()  # which tries once more to write what could not be written


def write_durably(file: IO[bytes], content: bytes) -> int:
    """Write, and bring it to the disk before a checkpoint counts on it; return the file's size. Raises StepFailed."""
    with writing(Path(file.name)):
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return file.tell()
