"""Propose a mapping for a file, as the text of a TOML file. The proposal comes from the file's bytes, header and rows.

A value that the rows do not prove becomes a question, ``"?"``. The file is read once. Only counts and a few examples
are kept in memory.
"""

import json
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from incidents.domain import model

from ...console import StepFailed
from . import amounts, mapping, moments, tables, words
from .convert import DATES, as_text
from .mapping import LAST_KNOWN, OPEN, Mapping, folded
from .moments import Order

_VALUES = 60  # the most different values of a column that are listed
_CHOICES = ("status", "severity")


@dataclass
class _Column:
    """The facts about the cells of a column."""

    name: str
    filled: int = 0
    values: dict[str, int] = field(default_factory=dict)
    orders: set[Order] | None = None
    lacks_offset: str | None = None  # an example
    dates: int = 0
    other: str | None = None  # an example of a cell that is not a date
    ambiguous: str | None = None  # an example of an amount that can be read in two ways
    marks: set[str] = field(default_factory=set)  # the decimal marks that amounts prove
    has_comma: bool = False
    has_semicolon: bool = False

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
        if moments.looks_like_date(text):
            self.dates += 1
            possible = moments.possible_orders([text])
            if possible is not None:
                self.orders = possible if self.orders is None else self.orders & possible
            if moments.lacks_offset(text):
                self.lacks_offset = self.lacks_offset or text
        else:
            self.other = self.other or text
        if not isinstance(cell, int | float):
            readings = amounts.readings_of(text)
            if len(set(readings.values())) > 1:
                self.ambiguous = self.ambiguous or text
            elif len(readings) == 1:
                self.marks |= set(readings)


@dataclass
class _File:
    """The facts of a file."""

    encoding: str | None
    separator: str | None
    columns: list[_Column]
    rows: int = 0


def suggest(file: Path, answers: Table[str, str]) -> tuple[str, list[str]]:
    """Return the proposed mapping as TOML, and its open questions. Raises StepFailed if the file cannot be read.

    ``answers`` are the user's options: ``zone``, ``date_order``, ``decimal``, ``sheet``.
    """
    facts = _read(file, answers.get("sheet"))
    preset = words.preset([column.name for column in facts.columns])
    known = mapping.load(preset) if preset else None
    lines = list(_lines(file, facts, known, preset, answers))
    asked = f' = "{OPEN}"  # '
    return "\n".join(lines) + "\n", [line.partition(asked)[2] for line in lines if asked in line]


def _read(file: Path, sheet: str | None) -> _File:
    form = file.suffix.lower()
    if form in (".jsonl", ".ndjson"):
        raise StepFailed(f"{file} has no columns.", "", "A mapping is proposed for a CSV file or for a workbook.")
    encoding = separator = None
    if tables.is_workbook(file):
        records: Iterator[tables.Record] = tables.read_workbook(file, sheet)
    else:
        encoding = tables.encoding(file)
        separator = tables.separator(file, encoding)
        records = tables.read(file, "utf-8-sig" if encoding == "utf-8" else encoding, separator)
    facts = _File(encoding, separator, [])
    try:
        for _, record in records:
            if not any(cell not in ("", None) for cell in record):
                continue
            if not facts.columns:
                facts.columns = [_Column(as_text(name).strip()) for name in record]
                continue
            facts.rows += 1
            for column, cell in zip(facts.columns, record, strict=False):
                column.add(cell)
    except UnicodeDecodeError as error:
        advice = "Save the file as UTF-8. A spreadsheet program calls this format `CSV UTF-8`."
        raise StepFailed(f"{file} is neither UTF-8, UTF-16 nor cp1252.", f"  {error}", advice) from None
    if not facts.columns:
        raise StepFailed(f"{file} has no header.", "", "The first line must name the columns.")
    return facts


def targets(columns: Iterable[str], known: Mapping | None) -> dict[str, str]:
    """Return the fields of the columns, by column: from the preset, or else from the meaning of the column's name.

    The columns of one field are in the order in which an import takes them.
    """
    named = list(dict.fromkeys(columns))
    if known is not None:
        of_preset = {column: n for n, column in enumerate(known.columns)}
        first = sorted((name for name in named if folded(name) in of_preset), key=lambda name: of_preset[folded(name)])
        fields = {name: known.columns[folded(name)] for name in first}
    else:
        fields = {}
    have = set(fields.values())
    others = [name for name in named if name not in fields and (known is None or folded(name) not in known.leave_out)]
    meant = {name: target for name in others if (target := words.meaning(name))}
    place = {target: n for n, target in reversed(list(enumerate(meant.values())))}
    for name, target in sorted(meant.items(), key=lambda pair: (place[pair[1]], words.rank(pair[0]))):
        if known is None or target not in have or target in model.LISTS:
            fields[name] = target
    return fields


def _lines(
    file: Path, facts: _File, known: Mapping | None, preset: str | None, answers: Table[str, str]
) -> Iterator[str]:
    by_name = {column.name: column for column in facts.columns}
    mapped = targets(by_name, known)
    if known is None:
        _drop_misfits(mapped, facts)
    yield f"# A mapping for {file.name}: {len(facts.columns)} columns, {facts.rows} rows."
    if preset:
        yield f"# It has the columns of an export of {preset}. What is not in the file is left out here."
    yield "# Check each line. `?` is an open question. Then import: incidents import FILE --map THIS-FILE --dry-run"
    yield ""
    if facts.encoding is not None:
        doubt = "  # a guess: the file is not UTF-8" if facts.encoding == "cp1252" else ""
        yield f"encoding = {_quoted(facts.encoding)}{doubt}"
        yield f"separator = {_quoted(facts.separator or ',')}"
    elif "sheet" in answers:
        yield f"sheet = {_quoted(answers['sheet'])}"
    yield from _reading(facts, mapped, answers)
    rest = known.rest if known else "description"
    yield f'rest = "{rest}"  # where all other cells go: description, tags, leave_out, or refuse'
    left = [column.name for column in facts.columns if known and folded(column.name) in known.leave_out]
    if left:
        yield f"leave_out = [{', '.join(map(_quoted, dict.fromkeys(left)))}]"
    if known and known.constants:
        yield "\n[constants]"
        yield from (f"{name} = {_quoted(str(value))}" for name, value in known.constants.items())
    yield "\n[columns]"
    if "title" not in mapped.values():
        yield '# No column looks like a title. Replace the next line by "Name of the column" = "title"'
        yield f'"title" = "{OPEN}"  # title: which column has it?'
    taken: dict[str, str] = {}
    for name, target in mapped.items():
        note = ""
        if target in taken and target not in model.LISTS and target not in model.PARAGRAPHS:
            note = f"  # where {taken[target]} is empty"
        elif target == "detected_at" and words.rank(name) >= words.rank("opened"):
            note = "  # the date of the entry stands for the detection"
        elif target == LAST_KNOWN:
            note = "  # only for --closed-without-date=last-known"
        yield f"{_quoted(name)} = {_quoted(target)}{note}"
        taken.setdefault(target, name)
    rests = [name for name in by_name if name and name not in mapped and name not in left]
    yield from (f"# {_quoted(name)} has no field: it goes into the {rest}" for name in rests)
    yield from _values(by_name, mapped, known)


def _drop_misfits(mapped: dict[str, str], facts: _File) -> None:
    """Remove the columns whose cells cannot be values of their field, such as a column of dates without any date."""
    for column in facts.columns:
        target = mapped.get(column.name)
        is_no_date = target in DATES and column.filled and not column.dates
        is_no_number = target == "incident_number" and not all(map(_is_number, column.values))
        if is_no_date or is_no_number:
            del mapped[column.name]


def _is_number(text: str) -> bool:
    return len(text) <= model.NUMBER_CHARACTERS and text.isascii() and text.isprintable() and "#" not in text


def _reading(facts: _File, mapped: dict[str, str], answers: Table[str, str]) -> Iterator[str]:
    """Yield the lines about dates, amounts and lists."""
    dates = [column for column in facts.columns if mapped.get(column.name) in DATES]
    naive = next((column.lacks_offset for column in dates if column.lacks_offset), None)
    if "zone" in answers:
        yield f"zone = {_quoted(answers['zone'])}"
    elif naive:
        yield f'zone = "{OPEN}"  # zone: in which zone is {_quoted(naive)}? Pass --zone, such as Europe/Berlin or UTC'
    orders: set[Order] | None = None
    for column in dates:
        if column.orders is not None:
            orders = column.orders if orders is None else orders & column.orders
    if "date_order" in answers:
        yield f"date_order = {_quoted(answers['date_order'])}"
    elif orders is not None and len(orders) == 1:
        yield f'date_order = "{next(iter(orders))}"  # the rows prove it'
    elif orders is not None:
        example = next(text for column in dates if column.orders is not None for text in column.values
                       if moments.possible_orders([text]))  # fmt: skip
        why = "the rows allow each order" if orders else "the rows contradict each other"
        options = "Pass --date-order day-first or month-first"
        yield f'date_order = "{OPEN}"  # date_order: {why}, as in {_quoted(example)}. {options}'
    sums = [column for column in facts.columns if mapped.get(column.name) == "financial_impact"]
    proven = {mark for column in sums for mark in column.marks}
    ambiguous = next((column.ambiguous for column in sums if column.ambiguous), None)
    if "decimal" in answers:
        yield f"decimal = {_quoted(answers['decimal'])}"
    elif len(proven) == 1:
        yield f"decimal = {_quoted(next(iter(proven)))}  # the rows prove it"
    elif ambiguous:
        asked = f"does {_quoted(ambiguous)} have thousands or decimals? Pass --decimal . or --decimal ,"
        yield f'decimal = "{OPEN}"  # decimal: {asked}'
    lists = [column for column in facts.columns if mapped.get(column.name) in model.LISTS]
    marks = [mark for mark, has in ((";", any(column.has_semicolon for column in lists)),
                                    (",", any(column.has_comma for column in lists))) if has]  # fmt: skip
    if lists:
        yield f"list_separators = [{', '.join(map(_quoted, marks or [';']))}]  # between the items of a list"


def _values(by_name: dict[str, _Column], mapped: dict[str, str], known: Mapping | None) -> Iterator[str]:
    """Yield a table of values for each column of a choice, and a question for each value without a known meaning."""
    for name, target in mapped.items():
        if target not in _CHOICES:
            continue
        pairs = []
        for text in by_name[name].values:
            meaning = known.meaning(folded(name), target, text) if known else None
            if meaning is None:
                meaning = words.value(target, text)
            if meaning is None:
                asked = f"what does {_quoted(text)} mean: {', '.join(mapping.allowed_values(target))}?"
                pairs.append(f'{_quoted(text)} = "{OPEN}"  # {target}: {asked}')
            else:
                pairs.append(f"{_quoted(text)} = {_quoted(meaning)}")
        if pairs:
            yield f"\n[values.{_quoted(name)}]"
            yield from pairs


def _quoted(text: str) -> str:
    """Return a text as a basic string of TOML."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
