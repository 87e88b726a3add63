"""Read a sheet of a workbook in a separate process, so that a workbook cannot take all memory or end the command.

The library makes a table from the first to the last cell of a sheet. So a workbook of one kilobyte that has two cells
can need many gigabytes. If an allocation fails, the library ends its process.

``tables`` runs this module. No other module opens a workbook, so the memory limit always holds. The arguments
are the workbook, the bytes of memory that the process may use, what to read, and optionally the name of a sheet. What
to read is ``names`` (only the names of the sheets), ``values``, ``shown`` (the values as the workbook shows them) or
``unseen``. The process writes pickled pairs to stdout, each of a kind and a value:

    ("sheets", {name: is_hidden})   all sheets of the workbook
    ("rows", [(line, cells), ...])  some rows of the sheet, in their order
    ("end", None)                   the sheet is complete
    ("unseen", Unseen(...))         the counts of hidden rows and of cells without a value
    ("no sheet", (name, [...]))     the workbook lacks the sheet; the list has its sheets
    ("no workbook", "reason")       the file cannot be read
    ("too large", "reason")         the file or the sheet is too large
    ("too long", (where, what, advice))  a row or a cell is too long
"""

import os
import pickle
import resource
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import formats, limits

TOO_LARGE = 3
"""The exit status of a process that has used more memory than it may."""

_BYTES = 1024**3  # unpacked
_LAST_ROW = 1_048_575  # Excel's last row, from 0; of an open document, the library drops later rows silently
_AT_ONCE = 1024 * 1024  # the characters of the rows that are sent at once
_CELL = 100  # at once, each cell counts as this number of characters more
_MERGED = 32_767  # Excel's limit of a cell; a longer text in a million rows would take hours
_REASON = 1000  # the most characters of the library's error, which may quote a cell
SECONDS = 0.02  # the pause between two measurements of the memory


def memory_of(process: int | None) -> int | None:
    """Return the bytes of memory that a process uses, or None if it has ended or Linux's /proc is missing.

    ``process`` is the process id, or None for this process.
    """
    try:
        state = Path(f"/proc/{process or 'self'}/statm").read_text("ascii")
    except OSError:
        return None
    return int(state.split()[1]) * resource.getpagesize()  # the second number is the resident memory, in pages


def _memory() -> int:
    """Return the bytes of memory that this process uses. Without Linux's /proc, return the most that it has used.

    On Linux, that highest value would begin with the memory of the process that started this one.
    """
    now = memory_of(None)
    if now is None:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    return now


def _watch(limit: int) -> None:
    """End this process when it has used more than ``limit`` bytes. The library lets other threads run meanwhile.

    But while the library makes a Python text of a long cell, no other thread runs. So ``tables`` also watches.

    A limit of the operating system is no alternative. macOS does not enforce one. On Linux, the library's report of a
    failed allocation allocates memory itself, and then waits for ever.
    """
    while _memory() <= limit:
        time.sleep(SECONDS)
    os._exit(TOO_LARGE)


def _answers(file: str, what: str, sheet: str | None) -> Iterator[tuple[str, Any]]:
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as packed:
            size = sum(member.file_size for member in packed.infolist())
        if size > _BYTES:
            yield "too large", f"Unpacked, the workbook has {size:,} bytes."
            return
    if what == "unseen":
        yield "unseen", formats.unseen(Path(file), str(sheet))
        return
    with CalamineWorkbook.from_path(file) as book:
        worksheets = [each for each in book.sheets_metadata if each.typ == SheetTypeEnum.WorkSheet]  # others are charts
        hidden = {each.name: each.visible != SheetVisibleEnum.Visible for each in worksheets}
        if not hidden:
            yield "no workbook", "It has no sheet with cells."
            return
        if (size := sum(map(len, hidden))) > limits.CELL_CHARACTERS:
            yield "too large", f"The names of its sheets have {size:,} characters."
            return
        if sheet is not None and sheet not in hidden:
            yield "no sheet", (sheet, list(hidden))
            return
        if what == "names":
            yield "sheets", hidden
            return
        data = book.get_sheet_by_name(sheet or next(iter(hidden)))
        row, column = data.start or (0, 0)
        if data.end and data.end[0] >= _LAST_ROW:
            yield "too large", f"Its sheet {data.name} has more than {_LAST_ROW:,} rows."
            return
        yield "sheets", hidden
        forms = formats.shown(Path(file), data.name) if what == "shown" else {}
        lines = enumerate(data.iter_rows(), start=1 if data.total_height != data.height else row + 1)
        batch: list[tuple[int, list[Any]]] = []
        size = 0
        for line, cells in _filled(lines, data.merged_cell_ranges or [], column):
            shown = _as_shown(cells, line - 1, column, forms) if forms else cells
            if fault := limits.fault(shown, column):
                yield "rows", batch
                yield "too long", (f"sheet {data.name}, row {line}", *fault)
                return
            batch.append((line, shown))
            size += sum(_CELL + (len(cell) if isinstance(cell, str) else 0) for cell in shown)
            if size > _AT_ONCE:
                yield "rows", batch
                batch, size = [], 0
        yield "rows", batch
        yield "end", None


def _filled(
    rows: Iterator[tuple[int, list[Any]]], merged: list[tuple[tuple[int, int], tuple[int, int]]], column: int
) -> Iterator[tuple[int, list[Any]]]:
    """Yield the rows. If cells of several rows are merged, each of these rows with another cell gets the text or date.

    The rows do not get a merged number, because an amount would count several times.
    """
    begins: dict[int, list[tuple[int, int]]] = {}
    for (top, left), (bottom, _) in merged:
        if bottom > top:
            begins.setdefault(top, []).append((left - column, bottom))
    values: dict[int, tuple[int, Any]] = {}  # for each column, the last row and the value of its merged cells
    for line, cells in rows:
        for place, (bottom, value) in list(values.items()):
            if line - 1 > bottom:
                del values[place]
            elif any(cells):
                cells[place] = value
        for place, bottom in begins.get(line - 1, ()):
            if 0 <= place < len(cells) and cells[place] != "" and _is_repeated(cells[place]):
                values[place] = bottom, cells[place]
        yield line, cells


def _is_repeated(cell: Any) -> bool:
    return len(cell) <= _MERGED if isinstance(cell, str) else not isinstance(cell, int | float)


def _as_shown(record: list[Any], row: int, start: int, shown: formats.Cells) -> list[Any]:
    """Return a record in which numbers with a unit, as a percentage or with leading zeros are the texts that are shown.

    ``start`` is the column of the record's first cell.
    """
    return [
        form.text(cell) if (form := shown.get((row, start + n))) and isinstance(cell, int | float) else cell
        for n, cell in enumerate(record)
    ]


def main() -> None:
    file, limit, what, *sheet = sys.argv[1:]
    threading.Thread(target=_watch, args=(int(limit),), daemon=True).start()
    try:
        for answer in _answers(file, what, sheet[0] if sheet else None):
            pickle.dump(answer, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(0)  # the command needs no more rows
    except BaseException as error:  # a crash of the library is not an Exception
        pickle.dump(("no workbook", str(error)[:_REASON]), sys.stdout.buffer)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
