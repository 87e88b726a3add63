"""The record of the rows that an import has done: the file ``FILE.progress`` next to the imported file.

An interrupted import continues from the record. The record identifies a row by its idempotency key, not by its line. So
a person may add, fix and move rows in the file. A second import needs the record to recognize the rows without a
number.

Lines of JSON are only appended to the record. The first line is a title. Then there is a line for the beginning of an
import, for each done row, and for the end of an import. The record is read and written through one descriptor, whose
owner was checked. So no other user of the folder can exchange the file in between. A database would also read further
files, such as ``FILE.progress-journal``, which another user could create.
"""

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

from ...console import MAY_YOU_WRITE, StepFailed, open_private
from . import former_progress

# Seconds between two writes to the disk. A crash loses the records since the last write. The next import sends the
# unrecorded rows again, with the same idempotency keys.
_SECONDS = 1.0
_CACHE_KIB = 64 * 1024
_TITLE = b'{"record": "incidents import"}\n'
_TABLES = (
    "CREATE TABLE done (key TEXT PRIMARY KEY, incident_id TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE seen (fingerprint BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE numbers (number BLOB PRIMARY KEY, fingerprint BLOB NOT NULL, line INTEGER NOT NULL, other INTEGER) "
    "WITHOUT ROWID",  # for each number: its first row, and the line of the first different row
)


class SameNumber(NamedTuple):
    """Another row of the file with the same incident number: its line, and whether the two rows are equal."""

    line: int
    is_equal: bool


class Progress:
    """The rows that are done, the incident numbers of the file, and the counts of equal rows in this reading.

    ``has_clash`` is true if two different rows of the file have the same number. Only one thread may use a Progress.
    """

    def __init__(self, file: Path | None) -> None:
        """Open or create the record in ``file``, or nowhere if ``file`` is None. Raises StepFailed if that fails."""
        self._file = file
        self.has_clash = False
        self._written = time.monotonic()
        self._unfinished: str | None = None  # the place of the last import, if it has not finished
        self._record: IO[bytes] | None = None
        # SQLite keeps a database without a name in a file without a name, so a million rows need little memory.
        self._index = sqlite3.connect("")
        try:
            with self._advising():
                self._index.execute("PRAGMA journal_mode = OFF")
                self._index.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
                for table in _TABLES:
                    self._index.execute(table)
            if file is not None:
                self._record = _open(file)
                with self._advising():
                    self._load(file, self._record)
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._sync()
        except StepFailed:
            if not isinstance(error, StepFailed):  # a StepFailed of the block itself is more important
                raise
        finally:
            self._close()

    def begin(self, place: str) -> bool:
        """Record that an import into ``place`` begins. Return whether this import continues an unfinished one.

        An import continues the last import if the last import had the same place and did not finish.
        """
        before, self._unfinished = self._unfinished, place
        self._append({"begins": place})
        self._sync()
        return before == place

    def finish(self) -> None:
        """Record that all rows are done."""
        self._unfinished = None
        self._append({"finished": True})

    def read_again(self) -> None:
        """Forget how often ``nth`` has met each row, before the file is read a second time."""
        self._execute("DELETE FROM seen")

    def nth(self, fingerprint: bytes) -> int:
        """Return the ordinal number of a row among the equal rows of this reading, from 1. Each call counts one row."""
        before = self._execute("SELECT times FROM seen WHERE fingerprint = ?", (fingerprint,)).fetchone()
        times: int = 1 if before is None else before[0] + 1
        self._execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (fingerprint, times))
        return times

    def same_number(self, number: bytes, fingerprint: bytes, line: int) -> SameNumber | None:
        """Record the incident number of a row, and return another row with this number, or None.

        If several rows have this number, return one that differs from this row, if there is one. The first reading of
        the file does not know the later rows. So if ``has_clash`` is true after the first reading, the file must be
        read again. Each further reading knows all rows.
        """
        statement = "SELECT fingerprint, line, other FROM numbers WHERE number = ?"
        if (kept := self._execute(statement, (number,)).fetchone()) is None:
            self._execute("INSERT INTO numbers VALUES (?, ?, ?, NULL)", (number, fingerprint, line))
            return None
        first, first_line, other = kept
        if first != fingerprint:
            if other is None:
                self.has_clash = True
                self._execute("UPDATE numbers SET other = ? WHERE number = ?", (line, number))
            return SameNumber(first_line, is_equal=False)
        if other is not None:
            return SameNumber(other, is_equal=False)
        return None if first_line == line else SameNumber(first_line, is_equal=True)

    def made(self, key: str) -> str | None:
        """Return the id of the incident that an earlier import created from a row, or None."""
        kept = self._execute("SELECT incident_id FROM done WHERE key = ?", (key,)).fetchone()
        return None if kept is None else str(kept[0])

    def record(self, key: str, incident_id: str) -> None:
        if self.made(key) == incident_id:
            return
        self._execute("INSERT OR REPLACE INTO done VALUES (?, ?)", (key, incident_id))
        self._append({"done": key, "incident_id": incident_id})
        if time.monotonic() - self._written > _SECONDS:
            self._sync()
            self._written = time.monotonic()

    def _load(self, file: Path, record: IO[bytes]) -> None:
        """Read the record, and prepare it for appending.

        A killed process may have left an incomplete line at the end. This line is cut off.
        """
        self._index.executemany("INSERT OR REPLACE INTO done VALUES (?, ?)", self._done(file, record))
        record.truncate()

    def _done(self, file: Path, record: IO[bytes]) -> Iterator[tuple[str, str]]:
        """Yield the key and the incident's id of each line of a done row. Leave the record at the end of its last line.

        The other lines decide which place the last import has, and whether it has finished.
        """
        whole = len(_TITLE)
        record.seek(whole)
        for line in record:
            if not line.endswith(b"\n"):
                break
            try:
                match json.loads(line):
                    case {"done": str(key), "incident_id": str(incident_id)}:
                        yield key, incident_id
                    case {"begins": str(place)}:
                        self._unfinished = place
                    case {"finished": True}:
                        self._unfinished = None
                    case _:
                        raise ValueError("this is not a line of a record")
            except (ValueError, RecursionError) as error:
                raise _no_record(file, f"After byte {whole}: {error}") from None
            whole += len(line)
        record.seek(whole)

    def _append(self, line: dict[str, Any]) -> None:
        if self._record is not None:
            with self._advising():
                self._record.write(_line(line))

    def _sync(self) -> None:
        if self._record is not None:
            with self._advising():
                self._record.flush()
                os.fsync(self._record.fileno())

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        with self._advising():
            return self._index.execute(statement, values)

    def _close(self) -> None:
        self._index.close()
        if self._record is not None:
            with suppress(OSError):  # the failed write was already reported
                self._record.close()

    @contextmanager
    def _advising(self) -> Iterator[None]:
        """Turn an error of the disk into a StepFailed.

        The error advises the user to run the command again. The second run sends unrecorded rows again, with the same
        keys.
        """
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:
            file = "SQLite's temporary file" if isinstance(error, sqlite3.Error) else self._file
            raise StepFailed(
                f"{file} cannot be written.", f"  {error}",
                f"{MAY_YOU_WRITE} Then run the same command again within a day. It continues without duplicates.",
            ) from None  # fmt: skip


def _line(value: dict[str, Any]) -> bytes:
    return f"{json.dumps(value)}\n".encode()


def _no_record(file: Path, detail: str) -> StepFailed:
    advice = (
        "Move the file away. The import then creates a new file, and sends every row again. A row without an "
        "incident_number that was imported more than a day ago then becomes a second incident."
    )
    return StepFailed(f"{file} is not the record of an import.", f"  {detail}", advice)


def _open(file: Path) -> IO[bytes]:
    """Return the record in a file, for this process only.

    The record gets its title if the file is missing or empty. Raises StepFailed.
    """
    try:
        record = open_private(file, "r+b")
        try:
            fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the lock ends with the process
            if not os.path.samestat(os.fstat(record.fileno()), file.lstat()):
                raise BlockingIOError("Another process has just replaced the file.")
            title = record.read(len(_TITLE))
            if former_progress.is_former(title):
                record = _converted(file, record)
            elif title != _TITLE:
                if not _TITLE.startswith(title):  # a killed process may have written a part of the title
                    raise _no_record(file, "Its content is not that of a record.")
                record.seek(0)
                record.write(_TITLE)
                record.flush()
        except BaseException:
            record.close()
            raise
    except BlockingIOError as error:
        advice = "Wait until the other import of this file has ended."
        raise StepFailed(f"{file} cannot be opened.", f"  {error}", advice) from None
    except OSError as error:
        raise StepFailed(f"{file} cannot be opened.", f"  {error}", MAY_YOU_WRITE) from None
    return record


def _converted(file: Path, former: IO[bytes]) -> IO[bytes]:
    """Replace a record of release 0.1.0 by a record with the same content, and return the new one."""
    unfinished = file.with_name(f"{file.name}.unfinished")
    record = open_private(unfinished, "w+b")
    try:
        fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
        record.write(_TITLE)
        try:
            for line in former_progress.lines(file, former):
                record.write(_line(line))
        except sqlite3.DatabaseError as error:
            raise _no_record(file, str(error)) from None
        record.flush()
        os.fsync(record.fileno())
        unfinished.replace(file)
    except BaseException:
        record.close()
        raise
    former_progress.journal(file).unlink(missing_ok=True)
    former.close()
    return record
