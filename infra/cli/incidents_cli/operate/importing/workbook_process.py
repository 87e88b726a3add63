"""Read a sheet of a workbook in a process of its own, which cannot take all memory and cannot end the command.

The library makes a table from the first to the last cell of a sheet. So a workbook of one kilobyte that has two cells
can need many gigabytes. If an allocation fails, the library ends its process.

``tables`` runs this file as a script. So the file imports only the standard library and python-calamine. The arguments
are the workbook, the bytes of memory that the process may use, and optionally the name of a sheet. The process writes
pickled pairs to stdout, each of a kind and a value:

    ("sheet", (sheets, name, column)) all sheets and whether they are hidden, the read sheet and its first column
    ("rows", [(line, cells), ...])    some rows of the sheet, in their order
    ("end", None)                     the sheet is complete
    ("no sheet", [name, ...])         the workbook has no such sheet, but these
    ("no workbook", "reason")         the file cannot be read
"""

import os
import pickle
import resource
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

TOO_LARGE = 3
"""The exit status of a process that has used more memory than it may."""

_ROWS_AT_ONCE = 500
_SECONDS = 0.02  # between two looks at the memory
_STATE = Path("/proc/self/statm")  # Linux: sizes of this process in pages, the second one is the resident memory


def _memory() -> int:
    """Return the bytes of memory that this process uses. Without Linux's /proc, return the most that it has used.

    On Linux, that highest value would begin with the memory of the process that started this one.
    """
    try:
        return int(_STATE.read_text("ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def _watch(limit: int) -> None:
    """End this process when it has used more than ``limit`` bytes. The library lets other threads run meanwhile.

    A limit of the operating system is no alternative, because macOS does not enforce one.
    """
    while _memory() <= limit:
        time.sleep(_SECONDS)
    os._exit(TOO_LARGE)


def _answers(file: str, sheet: str | None) -> Iterator[tuple[str, Any]]:
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    with CalamineWorkbook.from_path(file) as book:
        tables = [each for each in book.sheets_metadata if each.typ == SheetTypeEnum.WorkSheet]  # others are charts
        hidden = {each.name: each.visible != SheetVisibleEnum.Visible for each in tables}
        if sheet is not None and sheet not in hidden:
            yield "no sheet", list(hidden)
            return
        data = book.get_sheet_by_name(sheet or next(iter(hidden)))
        row, column = data.start or (0, 0)
        yield "sheet", (hidden, data.name, column)
        lines = enumerate(data.iter_rows(), start=1 if data.total_height != data.height else row + 1)
        rows = _filled(lines, data.merged_cell_ranges or [], column)
        while batch := list(islice(rows, _ROWS_AT_ONCE)):
            yield "rows", batch
        yield "end", None


def _filled(
    rows: Iterator[tuple[int, list[Any]]], merged: list[tuple[tuple[int, int], tuple[int, int]]], column: int
) -> Iterator[tuple[int, list[Any]]]:
    """Yield the rows. A text or a date of merged cells is in each of their rows that has another cell.

    A number is not, because an amount would count several times.
    """
    begins: dict[int, list[tuple[int, int]]] = {}
    for (top, left), (bottom, _) in merged:
        if bottom > top:
            begins.setdefault(top, []).append((left - column, bottom))
    values: dict[int, tuple[int, Any]] = {}  # by column: the last row of the merged cells, and their value
    for line, cells in rows:
        for place, (bottom, value) in list(values.items()):
            if line - 1 > bottom:
                del values[place]
            elif any(cells):
                cells[place] = value
        for place, bottom in begins.get(line - 1, ()):
            if 0 <= place < len(cells) and cells[place] != "" and not isinstance(cells[place], int | float):
                values[place] = bottom, cells[place]
        yield line, cells


def main() -> None:
    file, limit, *sheet = sys.argv[1:]
    threading.Thread(target=_watch, args=(int(limit),), daemon=True).start()
    try:
        for answer in _answers(file, sheet[0] if sheet else None):
            pickle.dump(answer, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(0)  # the command needs no more rows
    except BaseException as error:  # a crash of the library is not an Exception
        pickle.dump(("no workbook", str(error)), sys.stdout.buffer)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
