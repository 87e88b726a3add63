"""Read the facts of a file for which a mapping is proposed: its form, its header, and the contents of its columns.

The file is read once. The memory holds counts and a few examples, but not the cells.
"""

import re
import time
from collections.abc import Iterator
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from incidents.domain import timestamps

from ...console import StepFailed
from . import amounts, clocks, formats, limits, moments, tables, words
from .convert import SEVERAL_VALUES, as_text, repeats_header, without_number
from .mapping import quoted
from .moments import Order

_VALUES = 60  # at most so many distinct values of a column are listed
_WORDS = 30  # at most so many distinct values without a digit are listed
_ITEM = 40  # the most characters of an id or a name in a list
_MIDNIGHT = re.compile(r"[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-][0-9:]{4,5})?\Z")
_ITEM_END = re.compile("[;,\n]")
_SHOWN = 3  # examples of values
_LINES = 20  # lines of bad cells
_FUTURE = timedelta(days=1)  # as an import allows it
_COUNTED = 3  # from this many rows on, numbers in sequence are not a coincidence
_FIRST = 30  # the header is one of the first records
_HEADED = 2  # a heading inside the table is in one of the first columns
_SAMPLED = 200  # rows whose cells are kept, until all their texts have as many characters as one row may have
_CHARACTERS = 10_000  # of a cell; the rest of a longer cell says no more about its column
_SHEETS = 30  # the most sheets of a workbook that are looked at
_SECONDS = 60.0  # after this time, no further sheet is looked at
_KNOWN = 2  # a record with this many names of columns is the header


@dataclass
class Cells:
    """Cells of a column: their number, the first lines, and the first distinct texts."""

    count: int = 0
    lines: list[int] = field(default_factory=list)
    texts: dict[str, None] = field(default_factory=dict)

    def add(self, line: int, text: str) -> None:
        self.count += 1
        if len(self.lines) < _LINES:
            self.lines.append(line)
        if len(self.texts) < _SHOWN:
            self.texts[text] = None

    def __str__(self) -> str:
        """Return the number of cells, with the first lines and texts, for a note."""
        lines = ", ".join(map(str, self.lines)) + (", ..." if self.count > len(self.lines) else "")
        where = f"line {lines}" if self.count == 1 else f"lines {lines}"
        return f"{self.count:,}, in {where}, such as {', '.join(map(quoted, self.texts))}"


@dataclass
class Column:
    """The facts about the cells of a column."""

    name: str
    repeats: bool = False  # true for the second column of a name whose field has only one value
    filled: int = 0
    values: dict[str, int] = field(default_factory=dict)
    orders: set[Order] | None = None
    lacks_offset: str | None = None  # an example
    dates: int = 0
    days: int = 0  # the number of dates without a time
    midnights: int = 0  # the number of dates at midnight, which a program may write for a date without a time
    nothings: int = 0  # the number of cells such as `-`, which stand for no value
    clocks: int = 0  # the number of times of day without a date
    other_clocks: int = 0  # the number of cells that are times of day only next to a date, such as ``8.15``
    loose_clocks: Cells = field(default_factory=Cells)  # the times of day only next to a date, such as ``8.15``
    day_number: str | None = None  # an example of a number that may be a date of a spreadsheet
    not_dates: Cells = field(default_factory=Cells)  # texts with a digit that are not dates, and errors as ``#WERT!``
    future: Cells = field(default_factory=Cells)  # dates more than a day after now
    unit: str | None = None  # the unit of the amounts, if it is not the US dollar
    shows_dollars: bool = False
    in_sequence: int = 0  # the number of cells with the number of their row, counted from 1
    without_digits: dict[str, None] = field(default_factory=dict)
    ambiguous: str | None = None  # an example of an amount that can be read in two ways
    marks: set[str] = field(default_factory=set)  # the decimal marks of the unambiguous amounts
    longest: int = 0  # the characters of the longest cell
    sentences: int = 0  # the number of cells with an item that is too long for an id or a name
    phrases: int = 0  # the number of cells with an item that has several words and no digit
    has_comma: bool = False
    has_semicolon: bool = False
    has_line_end: bool = False
    numbers: set[int] | None = None  # hashes of the distinct cells, only of a column whose name means a number

    def __post_init__(self) -> None:
        self.numbers = set() if words.meaning(self.name) == "incident_number" else None

    def add(self, cell: Any, line: int = 0) -> None:
        text = as_text(cell).strip()
        if not text:
            return
        self.filled += 1
        if self.numbers is not None:
            self.numbers.add(hash(text))
        self.longest = max(self.longest, len(text))
        if text in self.values or len(self.values) <= _VALUES or words.is_nothing(text):
            self.values[text] = self.values.get(text, 0) + 1
        if not text.startswith("["):
            self.has_comma |= "," in text
            self.has_semicolon |= ";" in text
            self.has_line_end |= "\n" in text
        items = [item.strip(" -*\u2022") for item in _ITEM_END.split(text)] if not text.startswith("[") else []
        self.sentences += any(len(item) > _ITEM and " " in item for item in items)
        self.phrases += any(" " in item and not any(map(str.isdigit, item)) for item in items)
        self.in_sequence += text == str(self.filled)
        is_loose_clock = not moments.is_clock(text) and clocks.read(cell) is not None
        self.other_clocks += is_loose_clock and not text.isdigit()  # 2024 may be a year
        if words.is_fault(text):
            self.not_dates.add(line, text)
        elif not any(letter.isdigit() for letter in text):
            self.nothings += words.is_nothing(text)
            if len(self.without_digits) < _WORDS:
                self.without_digits[text] = None
        elif moments.is_clock(text):
            self.clocks += 1
        elif moments.is_no_date(text):
            pass
        elif moments.looks_like_date(text):
            self._add_date(text, line)
        elif is_loose_clock:
            self.loose_clocks.add(line, text)
        else:
            self.day_number = self.day_number or (text if moments.is_day_number(text) else None)
            self.not_dates.add(line, text)
        self.unit = self.unit or amounts.other_unit(text)
        self.shows_dollars |= amounts.is_dollars(text)
        if not isinstance(cell, int | float):
            readings = amounts.readings_of(text)
            if len(set(readings.values())) > 1:
                self.ambiguous = self.ambiguous or text
            elif len(readings) == 1:
                self.marks |= set(readings)

    @property
    def only_counts(self) -> bool:
        """Whether the cells are only the numbers of the rows: 1, 2, 3 and so on."""
        return self.in_sequence >= max(_COUNTED, self.filled - 1)

    @property
    def repeated(self) -> int:
        """The number of cells of a column of numbers that repeat an earlier cell."""
        return 0 if self.numbers is None else self.filled - len(self.numbers)

    @property
    def is_currency(self) -> bool:
        """Whether the cells are the currencies of the amounts in their rows."""
        named = words.is_currency(self.name) and not self.dates
        return bool(self.values) and (named or all(map(amounts.is_currency, self.values)))

    def _add_date(self, text: str, line: int) -> None:
        self.dates += 1
        self.days += moments.is_day(text)
        self.midnights += _MIDNIGHT.search(text) is not None
        possible = moments.possible_orders([text])
        if possible is not None:
            self.orders = possible if self.orders is None else self.orders & possible
        if moments.lacks_offset(text):
            self.lacks_offset = self.lacks_offset or text
        try:
            moment = moments.parse(text, _RULES).text
        except ValueError as error:
            if not moments.needs_setting(error) and moments.MANY_ZONES not in str(error):  # a year before 1970
                self.not_dates.add(line, text)
            return
        if moment > _last_moment():
            self.future.add(line, text)


_RULES = moments.DateRules(UTC)


@cache
def _last_moment() -> str:
    """Return the latest moment that is no typo: a later date fails its row in an import."""
    return timestamps.from_milliseconds(int((datetime.now(UTC) + _FUTURE).timestamp() * 1000))


@dataclass
class File:
    """The facts of a file. ``header_row`` and ``sheet`` are None if an import finds the header without them."""

    encoding: str | None
    separator: str | None
    columns: list[Column]
    rows: int = 0
    header_row: int | None = None
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()  # names of sheets, with the numbers of their rows if known
    sample: list[list[Any]] = field(default_factory=list)  # the cells of the first rows
    sampled: list[int] = field(default_factory=list)  # the lines of ``sample``
    looked_at: int = 0  # the number of sheets among which the sheet was chosen
    unseen: formats.Unseen = field(default_factory=formats.Unseen)


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
        room = limits.ROW_CHARACTERS
        for line, cells in chain(first, records):
            if not _is_filled(tables.Record(line, cells)) or line < row:
                continue
            if header is None:
                named = tables.names(map(as_text, cells))
                tables.check_names(file, named)
                header = tables.numbered(named, _is_single)
                by_name = {  # other columns of one name are one column
                    name: Column(name, repeats=name != given and not words.is_time_of_day(name))
                    for name, given in zip(header, named, strict=True)
                }
                facts.columns = [by_name[name] for name in header]
                continue
            facts.rows += 1
            if _is_heading(header, cells) or repeats_header(cells, header):
                continue
            cells = [cell[:_CHARACTERS] if isinstance(cell, str) else cell for cell in cells]
            for column, cell in zip(facts.columns, cells, strict=False):
                column.add(cell, line)
            if len(facts.sample) < _SAMPLED and room > 0:
                room -= sum(len(cell) if isinstance(cell, str) else 1 for cell in cells)
                facts.sample.append(cells)
                facts.sampled.append(line)
    except UnicodeDecodeError as error:
        advice = "Save the file as UTF-8. A spreadsheet program calls this format `CSV UTF-8`."
        raise StepFailed(f"{file} is neither UTF-8, UTF-16 nor cp1252.", f"  {error}", advice) from None
    if not facts.columns:
        raise StepFailed(f"{file} has no header.", "", "The first line must name the columns.")
    facts.header_row = row if "header_row" in settings or at else None
    return facts


def _is_single(name: str) -> bool:
    """Return whether the columns of a repeated name differ, such as two columns of dates. ``name`` has a number.

    Each column of times belongs to its own column of dates.
    """
    field = words.meaning(without_number(name))
    return words.is_time_of_day(name) or (field is not None and field not in SEVERAL_VALUES)


def _opened(file: Path, settings: Table[str, Any]) -> tuple[File, Iterator[tables.Record]]:
    if tables.is_workbook(file):
        names = tables.sheets(file)
        looked_at = [] if "sheet" in settings or len(names) == 1 else _looked_at(file, names)
        first = next(iter(names))
        sheet = settings.get("sheet") or (_with_incidents(looked_at) if looked_at else first)
        known = {other.name for other in looked_at}
        others = [str(other) for other in looked_at if other.name != sheet]
        others += [f'"{name}"' for name in names if name not in known and name != sheet]
        return File(
            None, None, [], sheet=sheet if "sheet" in settings or sheet != first else None, other_sheets=tuple(others),
            looked_at=len(looked_at), unseen=tables.unseen(file, sheet),
        ), tables.read_workbook(file, sheet)  # fmt: skip
    encoding = settings.get("encoding") or tables.encoding(file)
    separator = settings.get("separator") or tables.separator(file, encoding)
    records = tables.read(file, "utf-8-sig" if encoding == "utf-8" else encoding, separator)
    return File(encoding, separator, []), records


class _Sheet(NamedTuple):
    """A sheet of a workbook: the fields of its columns, and the number of rows below the header.

    A sheet that is too large to be read has no known number of rows.
    """

    name: str
    is_hidden: bool
    fields: frozenset[str]
    rows: int | None

    def __str__(self) -> str:
        rows = "too large" if self.rows is None else f"{self.rows} rows"
        return f'"{self.name}" ({rows}{", hidden" if self.is_hidden else ""})'


def _looked_at(file: Path, names: Table[str, bool]) -> list[_Sheet]:
    """Return the first sheets of a workbook. Visible sheets come before hidden ones.

    To look at a sheet means to read all its rows. So the number of sheets and the time are limited.
    """
    ends, looked_at = time.monotonic() + _SECONDS, list[_Sheet]()
    for name in sorted(names, key=names.__getitem__)[:_SHEETS]:
        if looked_at and time.monotonic() > ends:
            break
        looked_at.append(_look_at(file, name, names[name]))
    place = {name: n for n, name in enumerate(names)}
    return sorted(looked_at, key=lambda sheet: place[sheet.name])


def _look_at(file: Path, name: str, is_hidden: bool) -> _Sheet:
    filled = (record for record in tables.read_workbook(file, name, as_shown=False) if _is_filled(record))
    try:
        first = list(islice(filled, _FIRST))
        at = _header(first)
        names = map(as_text, first[at].cells if first else ())
        fields = frozenset(field for name in names if (field := words.meaning(name)))
        return _Sheet(name, is_hidden, fields, max(0, len(first) - at - 1) + sum(1 for _ in filled))
    except StepFailed:
        return _Sheet(name, is_hidden, frozenset(), None)


def _with_incidents(sheets: list[_Sheet]) -> str:
    """Return the name of the sheet with the most rows.

    A hidden sheet counts only if all sheets are hidden. A sheet without a title counts only if no sheet has a title. A
    sheet does not count if another sheet has more than twice as many known columns.
    """
    shown = [sheet for sheet in sheets if not sheet.is_hidden] or sheets
    titled = [sheet for sheet in shown if "title" in sheet.fields] or shown
    most = max(len(sheet.fields) for sheet in titled)
    return max((sheet for sheet in titled if 2 * len(sheet.fields) >= most), key=lambda sheet: sheet.rows or 0).name


def _header(first: list[tables.Record]) -> int:
    """Return the index of the header in the first records.

    The header is the record with the most known names of columns, if one record has several known names. Otherwise, the
    header is the first record of texts with more than half as many cells as the fullest record. A title above the table
    has fewer cells.
    """
    texts = [[text for cell in record.cells if (text := as_text(cell).strip())] for record in first]
    known = [len({field for name in names if (field := words.meaning(name))}) for names in texts]
    if max(known, default=0) >= _KNOWN:
        return known.index(max(known))
    most = max(map(len, texts), default=0)
    for n, names in enumerate(texts):
        if len(names) > max(1, most // 2) and not any(_is_value(name) for name in names):
            return n
    return 0


def _is_heading(header: list[str], cells: list[Any]) -> bool:
    """Return whether a record is a heading inside the table, such as ``1. Quartal``. It says nothing about a column."""
    filled = [n for n, cell in enumerate(cells) if as_text(cell).strip()]
    return len(header) > _HEADED and len(filled) == 1 and filled[0] < _HEADED


def _is_value(text: str) -> bool:
    return moments.looks_like_date(text) or bool(amounts.readings_of(text))


def _is_filled(record: tables.Record) -> bool:
    return any(cell not in ("", None) for cell in record.cells)
