"""Read a sheet of a workbook in a process of its own, which cannot take all memory and cannot end the command.

The library makes a table from the first to the last cell of a sheet. So a workbook of one kilobyte that has two cells
can need many gigabytes. If an allocation fails, the library ends its process.

``tables`` runs this file as a script. So the file imports only the standard library and python-calamine. The arguments
are the workbook, the bytes of memory that the process may use, and optionally the name of a sheet. The process writes
pickled pairs to stdout, each of a kind and a value:

    ("names", [name, ...])            the names of all sheets
    ("sheet", (column, formats))      the first column of the sheet, and formats of numbers by row and column
    ("rows", [(line, cells), ...])    some rows of the sheet, in their order
    ("end", None)                     the sheet is complete
    ("no sheet", [name, ...])         the workbook has no such sheet, but these
    ("no workbook", "reason")         the file cannot be read
"""

import os
import pickle
import re
import resource
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from itertools import islice
from posixpath import join, normpath
from typing import Any
from xml.etree import ElementTree

TOO_LARGE = 3
"""The exit status of a process that has used more memory than it may."""

_MAY_BE_CURRENCY = re.compile(r'["\\]|\[\$|[^\x00-\x7f]')
_ROWS_AT_ONCE = 500
_SECONDS = 0.02  # between two looks at the memory
_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, in which the system counts memory


def _memory() -> int:
    """Return the most bytes of memory that this process has used so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def _watch(limit: int) -> None:
    """End this process when it has used more than ``limit`` bytes. The library lets other threads run meanwhile.

    A limit of the operating system is no alternative, because macOS does not enforce one.
    """
    while _memory() <= limit:
        time.sleep(_SECONDS)
    os._exit(TOO_LARGE)


def _answers(file: str, sheet: str | None) -> Iterator[tuple[str, Any]]:
    from python_calamine import CalamineWorkbook

    with CalamineWorkbook.from_path(file) as book:
        if sheet is not None and sheet not in book.sheet_names:
            yield "no sheet", book.sheet_names
            return
        yield "names", book.sheet_names
        data = book.get_sheet_by_index(0) if sheet is None else book.get_sheet_by_name(sheet)
        start, column = data.start or (0, 0)
        yield "sheet", (column, dict(_formats(file, data.name)))
        rows = enumerate(data.iter_rows(), start=1 if data.total_height != data.height else start + 1)
        while block := list(islice(rows, _ROWS_AT_ONCE)):
            yield "rows", block
        yield "end", None


def _formats(file: str, sheet: str) -> Iterator[tuple[tuple[int, int], str]]:
    """Yield the number formats that may show a currency, by row and column, which begin at 0.

    The formats are in the parts of the file: of `.xlsx` and `.xlsm` (ECMA-376 part 1, 18.3 and 18.8), and of `.ods`
    (OpenDocument 1.3 part 3, 19.369), whose currency becomes a format. The formats of `.xls` are not read.
    """
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as packed:
        names = packed.namelist()
        if "content.xml" in names:
            yield from _formats_of_open_document(packed, sheet)
        elif "xl/styles.xml" in names:
            yield from _formats_of_office_open(packed, sheet)


def _formats_of_office_open(packed: zipfile.ZipFile, sheet: str) -> Iterator[tuple[tuple[int, int], str]]:
    styles = _parsed(packed, "xl/styles.xml")
    codes = {form.get("numFmtId"): form.get("formatCode", "") for form in styles.iterfind("{*}numFmts/{*}numFmt")}
    by_style = [codes.get(style.get("numFmtId"), "") for style in styles.iterfind("{*}cellXfs/{*}xf")]
    by_style = [code if _MAY_BE_CURRENCY.search(code) else "" for code in by_style]
    if not any(by_style):
        return
    with packed.open(_part_of_sheet(packed, sheet)) as content:
        row = column = -1
        for event, element in ElementTree.iterparse(content, ("start", "end")):  # noqa: S314  # expat limits entities
            name = element.tag.rpartition("}")[2]
            if event == "start" and name == "row":
                row, column = int(element.get("r", row + 2)) - 1, -1
            elif event == "start" and name == "c":
                column = _column(element.get("r", "")) if element.get("r") else column + 1
                code = by_style[int(element.get("s", 0))]
                if code and element.get("t", "n") == "n":
                    yield (row, column), code
            elif event == "end" and name == "row":
                element.clear()


def _part_of_sheet(packed: zipfile.ZipFile, sheet: str) -> str:
    relations = {each.get("Id"): each.get("Target", "") for each in _parsed(packed, "xl/_rels/workbook.xml.rels")}
    sheets = _parsed(packed, "xl/workbook.xml").iterfind("{*}sheets/{*}sheet")
    wanted = {each.get("name"): relations[_get(each, "id")] for each in sheets}[sheet]
    return normpath(join("xl", wanted)).lstrip("/")


def _formats_of_open_document(packed: zipfile.ZipFile, sheet: str) -> Iterator[tuple[tuple[int, int], str]]:
    table, row = None, 0
    with packed.open("content.xml") as content:
        for event, element in ElementTree.iterparse(content, ("start", "end")):  # noqa: S314  # expat limits entities
            name = element.tag.rpartition("}")[2]
            if event == "start" and name == "table":
                table, row = _get(element, "name"), 0
            elif event == "end" and name == "table-row":
                column = 0
                for cell in element:
                    times = int(_get(cell, "number-columns-repeated") or 1)
                    currency = _get(cell, "currency")
                    if currency and table == sheet:
                        yield from (((row, column + n), f'"{currency}"') for n in range(times))
                    column += times
                row += int(_get(element, "number-rows-repeated") or 1)
                element.clear()


def _column(reference: str) -> int:
    number = 0
    for letter in reference.rstrip("0123456789"):
        number = number * 26 + ord(letter.upper()) - 64
    return number - 1


def _parsed(packed: zipfile.ZipFile, part: str) -> Any:
    with packed.open(part) as content:
        return ElementTree.parse(content).getroot()  # noqa: S314  # expat limits entities


def _get(element: Any, attribute: str) -> str | None:
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == attribute), None)


def main() -> None:
    file, limit, *sheet = sys.argv[1:]
    # On Linux, the memory of the process that started this one counts, too.
    threading.Thread(target=_watch, args=(_memory() + int(limit),), daemon=True).start()
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
