"""Print results to stdout, and progress and failures to stderr. Every text is made safe for a terminal first.

A printed failure has its cause and advice for the reader.
"""

import errno
import fcntl
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

import typer
from rich.console import Console
from rich.text import Text


def clean(text: object, *, keep: str = "") -> str:
    """Return a text without characters that control a terminal, each replaced by its escape in JSON, like ``\\u001b``.

    Such a character is not printable for Python: C0, DEL, C1, a line separator, or a mark that changes the direction of
    a text. The characters in ``keep`` stay. The meaning of a JSON text does not change.
    """
    return "".join(letter if letter.isprintable() or letter in keep else _escape(letter) for letter in str(text))


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


class _Messages(Console):
    """A console that prints texts as they are, without the markup and the emoji codes of rich."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(clean(each, keep="\n") if isinstance(each, str) else each for each in objects), **options)


# The terminal wraps lines. Rich would break paths and commands, and the reader could not copy them.
stderr = _Messages(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def say(text: object = "") -> None:
    """Print a part of the result to stdout. The text may have several lines. Raises StepFailed if stdout is closed."""
    if sys.stdout is None:  # Python sets it to None if the caller closed it
        raise StepFailed("The result cannot be printed, because stdout is closed.", "", "Send stdout to a file.")
    typer.echo(clean(text, keep="\n"))


def succeeded(text: str) -> None:
    """Print to stderr that something has succeeded."""
    stderr.print(Text.assemble(("✓", "green"), f" {clean(text)}"))


MAY_YOU_WRITE = "Check that you may write there and that the disk has room."
_LINES_SHOWN = 20
_DETAIL = 10_000  # the most characters of a failure's details, which may quote a foreign file or server


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
    with stderr.status(Text(f"{clean(doing)} ...")):
        yield
    seconds = f"({time.monotonic() - started:.0f} s)"
    stderr.print(Text.assemble(("✓", "green"), f" {clean(done)} ", (seconds, "dim")))


@contextmanager
def interrupted(left: str | Callable[[], str]) -> Iterator[None]:
    """If somebody presses Ctrl-C, print ``left``: a text about the unfinished work, or a function that returns one."""
    try:
        yield
    except KeyboardInterrupt:
        stderr.print(f"Stopped. {left if isinstance(left, str) else left()}")
        raise


def show_failure(failure: StepFailed) -> None:
    stderr.print(Text(f"✗ {clean(failure.what)}", "bold red"))
    detail = failure.detail
    if len(detail) > _DETAIL:
        detail = f"{detail[:_DETAIL]}..."
    if detail:  # each line is indented, so that it does not look like a message of the command
        stderr.print("\n".join(f"  {line.removeprefix('  ')}" for line in detail.split("\n")))
    stderr.print(f"→ {failure.advice}")


# Do not follow a link, and do not wait for the other end of a pipe.
_SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_private(file: Path, mode: str, **options: Any) -> IO[Any]:
    """Open a file that only its owner may read. Create the file if it is missing.

    Raises OSError for a link and for a file of somebody else. Otherwise another user of the folder could choose the
    file that the command overwrites, or read what the command writes.
    """
    return open(file, mode, opener=_own_and_private, **options)


def _own_and_private(path: str, flags: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _SAFELY, 0o600)
    try:
        require_own(descriptor, Path(path))
        os.fchmod(descriptor, 0o600)
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)  # the file is truncated only after the check that it belongs to this user
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_own(file: Path) -> BufferedReader:
    """Open a file for reading whose name another user could have created before.

    Raises OSError for a link, a pipe and a file of somebody else.
    """
    return open(file, "rb", opener=_own)


def _own(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | _SAFELY)
    try:
        require_own(descriptor, Path(path))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def require_own(descriptor: int, file: Path) -> None:
    """Raise OSError unless an open file is a regular file that belongs to this user and has exactly one name."""
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid() or state.st_nlink != 1:
        raise PermissionError(errno.EPERM, "the file must be a regular file of this user with one name", str(file))


def require_regular(file: Path) -> None:
    """Raise StepFailed if a file that the user names is a folder, a pipe or a device. A read of a pipe may never end.

    The caller reports a missing file.
    """
    with suppress(OSError):
        if not stat.S_ISREG(file.stat().st_mode):
            advice = "Name a regular file. If the content comes from another command, write it into a file first."
            raise StepFailed(f"{file} is not a regular file.", "", advice)


def require_new(file: Path) -> None:
    """Raise StepFailed if a file that the user names for the output has content, or is a device or a pipe.

    A command must not replace such a file.
    """
    with suppress(FileNotFoundError):
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise StepFailed(f"{file} is not a regular file.", "", "Name another file.")
        if status.st_size:
            raise StepFailed(f"{file} exists already.", "", "Name another file, or move this file away.")


@contextmanager
def alone(*files: Path) -> Iterator[None]:
    """Let no other command write to the files, or to the part and the checkpoint beside each. ``FILE.lock`` is a lock.

    Raises StepFailed if another command holds a lock, if a lock has content and so belongs to somebody else, or if a
    file is a folder, a device or a pipe.
    """
    with ExitStack() as locks:
        for path, file in {_lock_of(file): file for file in files}.items():
            locks.enter_context(_locked(path, file))
        yield


def _lock_of(file: Path) -> Path:
    if file.is_dir():
        raise StepFailed(f"{file} is a folder.", "", "Name a new file.")
    if file.exists() and not file.is_file():
        raise StepFailed(f"{file} is not a regular file.", "", "Name another file.")
    name = file.name
    while (shorter := name.removesuffix(".part").removesuffix(".checkpoint")) != name:
        name = shorter  # otherwise, another command could name the part of this file as its own file
    return file.with_name(f"{name}.lock")


@contextmanager
def _locked(path: Path, file: Path) -> Iterator[None]:
    with writing(file):
        lock = open_private(path, "r+b")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the lock ends with the process
            is_free = _is_at(path, lock)
        except BlockingIOError:
            is_free = False
        if not is_free:
            raise StepFailed(f"Another command writes {file}.", "", "Wait until that command ends, then try again.")
        require_new(path)
        try:
            yield
        finally:
            if _is_at(path, lock):
                path.unlink()


def _is_at(path: Path, opened: IO[Any]) -> bool:
    """Return whether a path still names an open file."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(opened.fileno()), path.lstat())
    return False


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
        with open_private(log, "w") as output:
            output.write(printed)
    if done.returncode != 0:
        tail = "\n".join(f"  {line}" for line in printed.splitlines()[-_LINES_SHOWN:])
        raise StepFailed(what, tail, advice)
    return done.stdout
