"""The record of the rows that an import has done: a small SQLite database next to the imported file.

An interrupted import continues from the record. The record identifies a row by its idempotency key, not by its line. So
a person may add, fix and move rows in the file. A second import needs the record to recognize the rows without a
number.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from ...console import MAY_YOU_WRITE, StepFailed, open_private

# Seconds between two commits. A crash loses the records since the last commit. The next import sends the unrecorded
# rows again, with the same idempotency keys.
_SECONDS = 1.0
_TABLES = (
    "CREATE TABLE IF NOT EXISTS import (place TEXT NOT NULL, is_finished INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY, incident_id TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TEMP TABLE seen (fingerprint BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID",
)


class Progress:
    """The rows that are done, and how often this reading of the file has met each row. Only one thread may use it."""

    def __init__(self, file: Path | None) -> None:
        """Open or create the record in ``file``, or in memory if ``file`` is None. Raises StepFailed if that fails."""
        self._file = file
        self._written = time.monotonic()
        try:
            if file:
                open_private(file, "r+b").close()
            self._base = sqlite3.connect(file or ":memory:", timeout=1)
        except (sqlite3.OperationalError, OSError) as error:
            raise StepFailed(
                f"{file} cannot be opened.", f"  {error}", "Check that you may write in its folder."
            ) from None
        try:
            self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._base.execute("BEGIN EXCLUSIVE")
            for table in _TABLES:
                self._base.execute(table)
            self._base.commit()
        except sqlite3.OperationalError as error:
            self._base.close()
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            advice = "Wait until the other import of this file has ended." if is_busy else MAY_YOU_WRITE
            raise StepFailed(f"{file} cannot be opened.", f"  {error}", advice) from None
        except sqlite3.DatabaseError as error:
            self._base.close()
            advice = "Move the file away. The import then creates a new file."
            raise StepFailed(f"{file} is not the record of an import.", f"  {error}", advice) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._commit()
        except StepFailed:
            if not isinstance(error, StepFailed):  # a StepFailed of the block itself is more important
                raise
        finally:
            self._base.close()

    def begin(self, place: str) -> bool:
        """Record that an import into ``place`` begins. Return whether this import continues an unfinished one.

        An import continues the last import if the last import had the same place and did not finish.
        """
        before = self._execute("SELECT place, is_finished FROM import").fetchone()
        self._execute("DELETE FROM import")
        self._execute("INSERT INTO import VALUES (?, 0)", (place,))
        self._commit()
        return bool(before == (place, 0))

    def finish(self) -> None:
        """Record that all rows are done. The next import of the file then checks whether each incident still exists."""
        self._execute("UPDATE import SET is_finished = 1")

    def read_again(self) -> None:
        """Forget how often ``nth`` has met each row, before the file is read a second time."""
        self._execute("DELETE FROM seen")

    def nth(self, fingerprint: bytes) -> int:
        """Return the ordinal number of a row among the equal rows of this reading, from 1. Each call counts one row."""
        before = self._execute("SELECT times FROM seen WHERE fingerprint = ?", (fingerprint,)).fetchone()
        times: int = 1 if before is None else before[0] + 1
        self._execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (fingerprint, times))
        return times

    def made(self, key: str) -> str | None:
        """Return the id of the incident that an earlier import created from a row, or None."""
        kept = self._execute("SELECT incident_id FROM done WHERE key = ?", (key,)).fetchone()
        return None if kept is None else str(kept[0])

    def any_made(self) -> str | None:
        """Return the id of any one incident that an earlier import created, or None."""
        kept = self._execute("SELECT incident_id FROM done LIMIT 1").fetchone()
        return None if kept is None else str(kept[0])

    def record(self, key: str, incident_id: str) -> None:
        self._execute("INSERT OR REPLACE INTO done VALUES (?, ?)", (key, incident_id))
        if time.monotonic() - self._written > _SECONDS:
            self._commit()
            self._written = time.monotonic()

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        with self._advising():
            return self._base.execute(statement, values)

    def _commit(self) -> None:
        with self._advising():
            self._base.commit()

    @contextmanager
    def _advising(self) -> Iterator[None]:
        """Turn a database error into a StepFailed.

        The error advises the user to run the command again. The second run sends unrecorded rows again, with the same
        keys.
        """
        try:
            yield
        except sqlite3.OperationalError as error:
            file = self._file or "SQLite's temporary file"
            raise StepFailed(
                f"{file} cannot be written.", f"  {error}",
                f"{MAY_YOU_WRITE} Then run the same command again within a day. It continues without duplicates.",
            ) from None  # fmt: skip
