"""Read the facts of a file for which a mapping is proposed: its form, its header, and what its columns hold.

The file is read once. Only counts and a few examples are kept in memory.
"""

from collections.abc import Iterator
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ...console import StepFailed
from . import amounts, moments, tables, words
from .convert import as_text
from .moments import Order

_VALUES = 60  # the most different values of a column that are listed
_WORDS = 30  # the most different values without a digit that are listed
_FIRST = 30  # the header is one of the first records
_KNOWN = 2  # a record with this many names of columns is the header


@dataclass
class Column:
    """The facts about the cells of a column."""

    name: str
    filled: int = 0
    values: dict[str, int] = field(default_factory=dict)
    orders: set[Order] | None = None
    lacks_offset: str | None = None  # an example
    dates: int = 0
    days: int = 0  # dates without a time
    clocks: int = 0  # times of day without a date
    day_number: str | None = None  # an example of a number that may be a date of a spreadsheet
    unit: str | None = None  # another unit than US dollars
    without_digits: dict[str, None] = field(default_factory=dict)
    ambiguous: str | None = None  # an example of an amount that can be read in two ways
    marks: set[str] = field(default_factory=set)  # the decimal marks that amounts prove
    has_comma: bool = False
    has_semicolon: bool = False
    has_line_end: bool = False

    def add(self, cell: Any) -> None:
        text = as_text(cell).strip()
        if not text:
            return
        self.filled += 1
        if text in self.values or len(self.values) <= _VALUES:
            self.values[text] = self.values.get(text, 0) + 1
        if not text.startswith("["):
            self.has_comma |= "," in text
            self.has_semicolon |= ";" in text
            self.has_line_end |= "\n" in text
        if not any(letter.isdigit() for letter in text):
            if len(self.without_digits) < _WORDS:
                self.without_digits[text] = None
        elif moments.looks_like_date(text):
            self._add_date(text)
        else:
            self.clocks += moments.is_clock(text)
            self.day_number = self.day_number or (text if moments.is_day_number(text) else None)
        self.unit = self.unit or amounts.other_unit(text)
        if not isinstance(cell, int | float):
            readings = amounts.readings_of(text)
            if len(set(readings.values())) > 1:
                self.ambiguous = self.ambiguous or text
            elif len(readings) == 1:
                self.marks |= set(readings)

    def _add_date(self, text: str) -> None:
        self.dates += 1
        self.days += moments.is_day(text)
        possible = moments.possible_orders([text])
        if possible is not None:
            self.orders = possible if self.orders is None else self.orders & possible
        if moments.lacks_offset(text):
            self.lacks_offset = self.lacks_offset or text


@dataclass
class File:
    """The facts of a file. ``header_row`` and ``sheet`` are None if an import finds the header without them."""

    encoding: str | None
    separator: str | None
    columns: list[Column]
    rows: int = 0
    header_row: int | None = None
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()


def read(file: Path, settings: Table[str, Any]) -> File:
    """Return the facts of a file. Raises StepFailed if the file cannot be read.

    ``settings`` may have ``sheet``, ``header_row``, ``encoding`` and ``separator``, as in a mapping.
    """
    if file.suffix.lower() in (".jsonl", ".ndjson"):
        raise StepFailed(f"{file} has no columns.", "", "A mapping is proposed for a CSV file or for a workbook.")
    try:
        facts, records = _opened(file, settings)
        first = [record for record in islice(records, _FIRST) if _is_filled(record)]
        at = _header(first) if "header_row" not in settings else None
        row = settings["header_row"] if at is None else first[at].line if first else 0
        header: list[str] | None = None
        for line, cells in chain(first, records):
            if not _is_filled(tables.Record(line, cells)) or line < row:
                continue
            if header is None:
                header = tables.names(map(as_text, cells))
                by_name = {name: Column(name) for name in header}  # columns of one name are one column
                facts.columns = [by_name[name] for name in header]
                continue
            facts.rows += 1
            for column, cell in zip(facts.columns, cells, strict=False):
                column.add(cell)
    except UnicodeDecodeError as error:
        advice = "Save the file as UTF-8. A spreadsheet program calls this format `CSV UTF-8`."
        raise StepFailed(f"{file} is neither UTF-8, UTF-16 nor cp1252.", f"  {error}", advice) from None
    if not facts.columns:
        raise StepFailed(f"{file} has no header.", "", "The first line must name the columns.")
    facts.header_row = row if "header_row" in settings or at else None
    return facts


def _opened(file: Path, settings: Table[str, Any]) -> tuple[File, Iterator[tables.Record]]:
    if tables.is_workbook(file):
        names = tables.sheets(file)
        sheet = settings.get("sheet") or next((name for name in names if _has_incidents(file, name)), names[0])
        others = tuple(name for name in names if name != sheet)
        named = sheet if "sheet" in settings or sheet != names[0] else None
        return File(None, None, [], sheet=named, other_sheets=others), tables.read_workbook(file, sheet)
    encoding = settings.get("encoding") or tables.encoding(file)
    separator = settings.get("separator") or tables.separator(file, encoding)
    records = tables.read(file, "utf-8-sig" if encoding == "utf-8" else encoding, separator)
    return File(encoding, separator, []), records


def _has_incidents(file: Path, sheet: str) -> bool:
    """Return whether a sheet has a header with a column of titles."""
    first = [record for record in islice(tables.read_workbook(file, sheet), _FIRST) if _is_filled(record)]
    return bool(first) and any(words.meaning(as_text(name)) == "title" for name in first[_header(first)].cells)


def _header(first: list[tables.Record]) -> int:
    """Return the index of the header in the first records.

    The header is the first record with several known names of columns. Or else it is the first record of texts that has
    more than half as many cells as the fullest record. A title above the table has fewer cells.
    """
    texts = [[text for cell in record.cells if (text := as_text(cell).strip())] for record in first]
    for n, names in enumerate(texts):
        if len({field for name in names if (field := words.meaning(name))}) >= _KNOWN:
            return n
    most = max(map(len, texts), default=0)
    for n, names in enumerate(texts):
        if len(names) > max(1, most // 2) and not any(_is_value(name) for name in names):
            return n
    return 0


def _is_value(text: str) -> bool:
    return moments.looks_like_date(text) or bool(amounts.readings_of(text))


def _is_filled(record: tables.Record) -> bool:
    return any(cell not in ("", None) for cell in record.cells)
