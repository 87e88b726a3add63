"""Print progress and failures to stderr, so that stdout has only results.

A printed failure has its cause and advice for the reader.
"""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

# The terminal wraps lines. Rich would break paths and commands, and the reader could not copy them.
stderr = Console(stderr=True, highlight=False, soft_wrap=True)

MAY_YOU_WRITE = "Check that you may write there and that the disk has room."
_LINES_SHOWN = 20


def command(words: str) -> str:
    """Return an ``incidents`` command for a message, as the reader must type it.

    The result begins with ``uv run`` if `uv run` started this process: ``uv run incidents up``.
    """
    return f"uv run incidents {words}" if "UV" in os.environ else f"incidents {words}"


class StepFailed(Exception):
    """A step of a command failed. The error has what failed, the details, and advice for the reader."""

    def __init__(self, what: str, detail: str, advice: str) -> None:
        super().__init__(what)
        self.what, self.detail, self.advice = what, detail, advice


@contextmanager
def step(doing: str, done: str) -> Iterator[None]:
    """Show a spinner during the step, then print how many seconds the step took."""
    started = time.monotonic()
    with stderr.status(f"{doing} ..."):
        yield
    stderr.print(f"[green]✓[/green] {done} [dim]({time.monotonic() - started:.0f} s)[/dim]")


def show_failure(failure: StepFailed) -> None:
    stderr.print(f"[bold red]✗ {failure.what}[/bold red]")
    if failure.detail:
        stderr.print(failure.detail, markup=False)
    stderr.print(f"→ {failure.advice}", markup=False)


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Turn an OSError into a StepFailed that names the file. The OSError of a full disk does not name the file."""
    try:
        yield
    except OSError as error:
        raise StepFailed(f"{file} cannot be written.", f"  {error}", MAY_YOU_WRITE) from None


def run(
    words: Sequence[str], *, env: Mapping[str, str], cwd: Path, what: str, advice: str, log: Path | None = None
) -> str:
    """Run a command and return its stdout. Raises StepFailed with the last 20 lines that the command printed."""
    try:
        done = subprocess.run(
            words, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        advice = f"Install {words[0]}. uv and uvx come with uv, and `uv run incidents` finds them without the PATH."
        raise StepFailed(what, f"  {words[0]} is not on the PATH.", advice) from None
    printed = f"{done.stdout}\n{done.stderr}".strip()
    if log is not None:
        log.write_text(printed)
    if done.returncode != 0:
        tail = "\n".join(f"  {line}" for line in printed.splitlines()[-_LINES_SHOWN:])
        raise StepFailed(what, tail, advice)
    return done.stdout
