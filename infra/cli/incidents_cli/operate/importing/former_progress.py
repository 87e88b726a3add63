"""Read the record of an import by release 0.1.0: an SQLite database.

SQLite also reads the file ``FILE.progress-journal``, which another user of the folder could have created. So SQLite
gets copies in a folder of its own. The database and the journal are copied only if they belong to this user.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from ...console import open_own

_BEGIN = b"SQLite format 3\0"


def is_former(begin: bytes) -> bool:
    """Return whether a file with these first bytes is a record of release 0.1.0."""
    return begin.startswith(_BEGIN)


def journal(file: Path) -> Path:
    """Return the file with which SQLite repairs the database after a crash. It may be missing."""
    return file.with_name(f"{file.name}-journal")


def lines(file: Path, database: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the lines of today's record with the same content. ``database`` is the opened ``file``.

    Raises sqlite3.DatabaseError if the file is not a record. Raises OSError if a file cannot be read, or if the journal
    belongs to somebody else.
    """
    with TemporaryDirectory() as folder:
        copy = Path(folder, "record")
        database.seek(0)
        _copy(database, copy)
        with suppress(FileNotFoundError), open_own(journal(file)) as repairs:
            _copy(repairs, journal(copy))
        with closing(sqlite3.connect(copy)) as base:
            place, is_finished = base.execute("SELECT place, is_finished FROM import").fetchone() or ("", 1)
            yield {"begins": place}
            for key, incident_id in base.execute("SELECT key, incident_id FROM done"):
                yield {"done": key, "incident_id": incident_id}
            if is_finished:
                yield {"finished": True}


def _copy(content: IO[bytes], file: Path) -> None:
    with file.open("wb") as copy:
        shutil.copyfileobj(content, copy)
