"""Read the records of a CSV file or of a workbook, whatever its encoding and separator are.

Only one record of a CSV file is in memory. A sheet of a workbook is read as a whole, in a process with limited memory.
"""

import codecs
import csv
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from ...console import StepFailed
from . import formats, limits, workbook_process

WORKBOOK_MEMORY = 2 * 1024**3  # this number of bytes is enough for 4 million cells with texts
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods")
SEPARATORS = ",;\t|"
_SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE)  # the first line of a CSV file for Excel may name the separator
_PACKED = b"PK\x03\x04"  # the beginning of a workbook
_BLOCK = 1 << 20
GUESSES = ("cp1252", "mac_roman")
_FORMULA = re.compile(r'="([^"]*)"')  # the formula of a text
_MAC_LETTER = re.compile(r"[A-Za-z][\x87-\x90\x98\x9a\x9b\x9d\x9f][a-z]")
_WINDOWS_LETTER = re.compile(r"[A-Za-z][\xc0-\xff][a-z]")
_LISTED = 20  # the most names of sheets in a message
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Record(NamedTuple):
    """One record and the line on which it begins. A cell is a text, or a typed value of a workbook."""

    line: int
    cells: list[Any]


def is_workbook(file: Path) -> bool:
    return file.suffix.lower() in WORKBOOKS


def encoding(file: Path) -> str:
    """Return the encoding of a text file, after a check of all its bytes: UTF-8, UTF-16, or else one of the guesses."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with file.open("rb") as content:
        start = content.read(_BLOCK)
        if start.startswith(_PACKED):
            raise StepFailed(f"{file} is a workbook.", "", "Rename the file, so that its name ends in .xlsx or .ods.")
        for mark, name in _MARKS:
            if start.startswith(mark):
                return name
        if start[:400].count(0) > len(start[:400]) // 4:  # UTF-16 with Latin letters, without a byte order mark
            return "utf-16-le" if start[1:2] == b"\0" else "utf-16-be"
        block = start
        while block:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                return _guess(block)
            block = content.read(_BLOCK)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _guess(start)
    return "utf-8"


def _guess(block: bytes) -> str:
    """Return the encoding of Excel on Windows or on a Mac. Each has its letters where the other has its signs."""
    text = block.decode("latin-1")  # each byte becomes one character
    return "mac_roman" if len(_MAC_LETTER.findall(text)) > len(_WINDOWS_LETTER.findall(text)) else "cp1252"


def separator(file: Path, encoding: str) -> str:
    """Return the separator of a CSV file.

    Most records must have as many cells as the header. Of the separators that achieve this, the result is the one with
    the most cells in the header. If no separator achieves this, a title may stand above the header. Then most records
    must have the same number of cells. A first line such as ``sep=;`` names the separator.
    """
    with file.open(encoding=encoding, errors="replace", newline="") as text:
        if named := _SEPARATOR_LINE.fullmatch(text.readline(10).strip("\ufeff\r\n")):
            return named[1]
    return (
        _likely_separator(file, encoding, of_header=True) or _likely_separator(file, encoding, of_header=False) or ","
    )


def _likely_separator(file: Path, encoding: str, *, of_header: bool) -> str | None:
    """Return the separator with the most cells in the first record, or else in the most records."""
    best, columns = None, 1
    for candidate in SEPARATORS:
        with file.open(encoding=encoding, errors="replace", newline="") as text:
            widths: Counter[int] = Counter()
            first = 0
            try:
                lines = _Lines(text)
                for n, record in enumerate(csv.reader(lines, delimiter=candidate)):
                    lines.begin_record()
                    first = first or len(record)
                    widths[len(record)] += any(record) and not _is_ruler(record)
                    if n == 50:
                        break
            except csv.Error:
                continue
        width = first if of_header else max(widths, key=widths.__getitem__, default=1)
        if width > columns and 2 * widths[width] > widths.total():
            best, columns = candidate, width
    return best


def read(file: Path, encoding: str, separator: str, *, as_shown: bool = True) -> Iterator[Record]:
    """Yield the records of a CSV file, with the header as the first one.

    A cell such as ``="0017"`` is the text ``0017``, and a ruler such as ``----`` is no record, unless ``as_shown`` is
    false. Raises StepFailed if the file is not valid CSV from some line on. Raises UnicodeDecodeError.
    """
    csv.field_size_limit(limits.CELL_CHARACTERS)
    with file.open(encoding=encoding, newline="") as text:
        lines = _Lines(text)
        records = csv.reader(lines, strict=True, delimiter=separator)
        first = 1  # the first line of the next record, which may have several lines
        try:
            for record in records:
                lines.begin_record()
                if fault := limits.fault(record):
                    raise StepFailed(f"{file} has a row that is too large.", f"  line {first}: {fault[0]}", fault[1])
                is_hint = first == 1 and _SEPARATOR_LINE.fullmatch(separator.join(record))
                if as_shown:
                    record = [_as_shown(cell) if cell[:1] == "=" else cell for cell in record]
                if not is_hint and not (as_shown and _is_ruler(record)):
                    yield Record(first, record)
                first = records.line_num + 1
        except csv.Error as error:
            advice = "Fix the record that begins there. Inside quotes, write a quote twice."
            if "larger than" in str(error):
                shorter = limits.SHORTER_CELL if "field" in str(error) else limits.SHORTER_ROW
                advice = f"{shorter}, or close its open quote."
            raise StepFailed(f"{file} is not valid CSV from line {first} on.", f"  {error}", advice) from None


class _Lines:
    """The lines of a CSV file, for a reader of records. Raises csv.Error if a record has too many characters.

    Without this limit, a file without a line end would be read into memory as one line.
    """

    def __init__(self, text: IO[str]) -> None:
        self._source = text
        self.begin_record()

    def begin_record(self) -> None:
        self._room = limits.ROW_CHARACTERS

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._source.readline(self._room + 1)
        self._room -= len(line)
        if self._room < 0:
            raise csv.Error(f"row larger than row limit ({limits.ROW_CHARACTERS})")
        if not line:
            raise StopIteration
        return line


def _is_ruler(record: Sequence[str]) -> bool:
    """Return whether a record is only a line in the picture of a table, such as ``|----|----|``."""
    return any("---" in cell for cell in record) and not "".join(record).strip("-+:| ")


def _as_shown(cell: str) -> str:
    match = _FORMULA.fullmatch(cell)
    return match[1] if match else cell


def read_workbook(file: Path, sheet: str | None, *, as_shown: bool = True) -> Iterator[Record]:
    """Yield the records of a workbook's sheet ``sheet``. None means the first sheet.

    Cells keep their types: an empty cell is an empty text. A number that is shown with a unit, as a percentage or with
    leading zeros is a text, such as ``12500 €``, unless ``as_shown`` is false. Raises StepFailed if the file is not a
    workbook, is too large or needs too much memory.
    """
    with _reading(file, "shown" if as_shown else "values", sheet) as process:
        _answer(file, process)
        for line, cells in _rows(file, process):
            yield Record(line, cells)


def sheets(file: Path) -> dict[str, bool]:
    """Return the names of a workbook's sheets, and whether they are hidden. Raises StepFailed as ``read_workbook``."""
    with _reading(file, "names", None) as process:
        return cast("dict[str, bool]", _answer(file, process)[1])


def listed(names: Sequence[str]) -> str:
    """Return the first names of sheets as a text, and the number of the others."""
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def unseen(file: Path, sheet: str) -> formats.Unseen:
    """Return the hidden rows and the cells without a value of a sheet. Raises StepFailed as ``read_workbook`` does."""
    with _reading(file, "unseen", sheet) as process:
        return cast("formats.Unseen", _answer(file, process)[1])


@contextmanager
def _reading(file: Path, what: str, sheet: str | None) -> Iterator["subprocess.Popen[bytes]"]:
    """Yield a process that reads a workbook with limited memory."""
    words = [sys.executable, "-I", "-m", workbook_process.__name__, str(file), str(WORKBOOK_MEMORY), what]
    with subprocess.Popen(
        words if sheet is None else [*words, sheet],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        threading.Thread(target=_watch, args=(process,), daemon=True).start()
        try:
            yield process
        finally:
            process.kill()


def _watch(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process when it has used too much memory. It watches itself, but not while it converts a long text."""
    while process.poll() is None:
        if (workbook_process.memory_of(process.pid) or 0) > WORKBOOK_MEMORY:
            process.kill()
        time.sleep(workbook_process.SECONDS)


def _rows(file: Path, process: "subprocess.Popen[bytes]") -> Iterator[tuple[int, list[Any]]]:
    while True:
        kind, rows = _answer(file, process)
        if kind == "end":
            return
        yield from rows


def _answer(file: Path, process: "subprocess.Popen[bytes]") -> tuple[str, Any]:
    """Return the next answer of the process. Raises StepFailed if the process has failed."""
    answers = cast("IO[bytes]", process.stdout)
    try:
        kind, value = pickle.load(answers)  # noqa: S301  # our own process wrote it
    except (EOFError, pickle.UnpicklingError):
        if process.wait() in (workbook_process.TOO_LARGE, -signal.SIGKILL):
            raise _too_large(file, f"Its sheet needs more than {WORKBOOK_MEMORY:,} bytes of memory.") from None
        crashed = "The library that reads workbooks has crashed. The sheet may be too large."
        raise _no_workbook(file, crashed) from None
    if kind == "too long":
        where, what, advice = value
        raise StepFailed(f"{file} has a row that is too large.", f"  {where}: {what}", advice)
    if kind == "no workbook":
        raise _no_workbook(file, value)
    if kind == "too large":
        raise _too_large(file, value)
    if kind == "no sheet":
        sheet, names = value
        raise StepFailed(f"{file} has no sheet {sheet}.", f"  Its sheets: {listed(names)}", "Name one with --sheet.")
    return kind, value


def _no_workbook(file: Path, detail: str) -> StepFailed:
    advice = "Save the workbook again as .xlsx, or the sheet as CSV UTF-8."
    return StepFailed(f"{file} is not a workbook.", f"  {detail}", advice)


def _too_large(file: Path, detail: str) -> StepFailed:
    advice = "Save the sheet as CSV UTF-8, which may have any size."
    return StepFailed(f"{file} is too large.", f"  {detail}", advice)


def check_names(file: Path, header: Iterable[str]) -> None:
    """Raise StepFailed if a column's name is too long."""
    for n, name in enumerate(header, start=1):
        if len(name) > limits.NAME_CHARACTERS:
            detail = f"  column {n}: The name has {len(name):,} characters."
            advice = f"Shorten the name to {limits.NAME_CHARACTERS:,} characters. Check that this row is the header."
            raise StepFailed(f"{file} has a name of a column that is too long.", detail, advice)


def names(header: Iterable[str]) -> list[str]:
    """Return the names of the columns. A column without a name is named by its place, such as ``column 7``."""
    return [name.strip() or f"column {n}" for n, name in enumerate(header, start=1)]


def numbered(header: Iterable[str], is_numbered: Callable[[str], bool]) -> list[str]:
    """Return the names of the columns. A repeated name gets its number, such as ``Uhrzeit (2)``, if it is numbered.

    ``is_numbered`` gets the name with the number.
    """
    header = list(header)
    own = {name.casefold() for name in header}
    times: Counter[str] = Counter()
    columns = []
    for name in header:
        times[name.casefold()] += 1
        other = f"{name} ({times[name.casefold()]})"
        is_free = times[name.casefold()] > 1 and other.casefold() not in own
        columns.append(other if is_free and is_numbered(other) else name)
    return columns
