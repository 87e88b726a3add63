"""Propose a mapping for a file, as the text of a TOML file. The proposal comes from the file's bytes, header and rows.

A value that the rows do not prove becomes a question, ``"?"``. ``facts`` reads the file.
"""

from collections.abc import Iterator, Set
from collections.abc import Mapping as Table
from datetime import UTC
from pathlib import Path
from typing import Any, NamedTuple

from incidents.domain import model

from . import bad_cells, choosing, facts, lists, mapping, misleading, moments, tables, words
from .convert import DATES
from .facts import Column, File
from .mapping import LAST_KNOWN, OPEN, Mapping, folded, quoted, shown
from .moments import Order

_SHOWN = 3  # examples of cells
_CHOICES = ("status", "severity")
_SAME_ZONE = ("GMT", "ETC/UTC", "+00:00")  # as UTC
_WHOLE = model.LISTS | {"owner_id", "category"}
_KINDS = {"financial_impact": "an amount", "incident_number": "a number"}
_NO_BEGINNING = "No column for occurred_at, so mttd_minutes stays empty."
_IMPORTANT = ("incident_number", "severity", "status", "detected_at", "closed_at")


class Proposal(NamedTuple):
    """A proposed mapping as TOML, its open questions, and notes for the screen."""

    toml: str
    questions: list[str]
    notes: list[str]


class _Known(NamedTuple):
    """The knowledge before the file is read: a given mapping and its TOML document, or a preset."""

    mapping: Mapping | None = None
    table: Table[str, Any] = {}  # nobody changes it
    preset: str | None = None

    @property
    def has_columns(self) -> bool:
        """Whether a person's mapping decides about all columns."""
        return bool(self.table.get("columns"))


def suggest(file: Path, answers: Table[str, str], given: str | None = None) -> Proposal:
    """Return the proposal for a file. Raises StepFailed if the file or the given mapping cannot be read.

    ``answers`` are the user's options: ``zone``, ``date_order``, ``decimal``, ``sheet``. ``given`` is a mapping or the
    name of a preset. The columns of a given mapping stay as they are. Only the missing parts are proposed.
    """
    known = _Known()
    if given is not None and not mapping.is_preset(given):
        table = mapping.without_questions(mapping.table_of(given) | dict(answers))
        known = _Known(mapping.of_table(table, given, is_draft=True), table)
    settings = {**known.table, **answers}
    of_file = facts.read(file, settings)
    if not known.table:
        preset = given or words.preset([column.name for column in of_file.columns])
        known = _Known(mapping.load(preset), {}, preset) if preset else known
    notes: list[str] = []
    lines = list(_lines(file, of_file, known, settings, notes))
    asked = f' = "{OPEN}"  # '
    return Proposal("\n".join(lines) + "\n", [line.partition(asked)[2] for line in lines if asked in line], notes)


def _lines(file: Path, of_file: File, known: _Known, settings: Table[str, Any], notes: list[str]) -> Iterator[str]:
    by_name = {column.name: column for column in of_file.columns}
    reasons: dict[str, str] = {}  # by column: the reason for its special field, or for no field
    money: list[str] = []  # the mapping's lines about the currency
    if known.has_columns and known.mapping:
        mapped = choosing.given(list(by_name), known.mapping)
        have = set(map(folded, by_name))
        notes += [f"{quoted(name)} is in the mapping, but not in the file." for name in known.table["columns"]
                  if folded(name) not in have]  # fmt: skip
        reasons = choosing.given_clocks(mapped, by_name)
    else:
        mapped = choosing.targets([name for name, column in by_name.items() if not column.repeats], known.mapping)
        if known.preset is None:
            reasons = choosing.drop_misfits(mapped, by_name)
            misleading.read_forms(mapped, by_name, reasons)
            money = choosing.drop_other_currencies(mapped, by_name, settings, reasons, notes)
            choosing.choose_by_cells(mapped, by_name, reasons)
            choosing.choose_answers(mapped, by_name, reasons)
            choosing.choose_closing(mapped, by_name, reasons)
            if not (known.mapping and "title" in known.mapping.constants):
                choosing.choose_title(mapped, by_name, reasons)
            misleading.drop_plans(mapped, by_name, reasons)
            misleading.drop_late(mapped, of_file, _rules(mapped, by_name, settings), reasons)
            misleading.drop_open_ends(mapped, of_file, _rules(mapped, by_name, settings), reasons)
        mapped = choosing.with_clocks(mapped, of_file.columns, reasons)
    for name in (name for name, column in by_name.items() if column.repeats and name not in mapped):
        reasons[name] = f"repeats the name of a column; if it has another field, add a line for {quoted(name)}"
    yield f"# A mapping for {shown(file.name)}: {len(of_file.columns)} columns, {of_file.rows} rows."
    if known.preset:
        yield f"# It has the columns of an export of {known.preset}. What is not in the file is left out here."
    yield "# Check each line. `?` is an open question. Then import: incidents import FILE --map THIS-FILE --dry-run"
    yield ""
    yield from _form(of_file, notes)
    yield from _reading(by_name, mapped, settings, notes)
    yield from money
    rest = settings.get("rest") or (known.mapping.rest if known.preset and known.mapping else "description")
    yield f'rest = "{rest}"  # where all other cells go: description, tags, leave_out, or refuse'
    left = [name for name in by_name if known.mapping and folded(name) in known.mapping.leave_out]
    if left:
        yield f"leave_out = [{', '.join(map(quoted, left))}]"
    if known.mapping and known.mapping.constants:
        yield "\n[constants]"
        yield from (f"{name} = {_literal(value)}" for name, value in known.mapping.constants.items())
    yield "\n[columns]"
    yield from _columns(mapped, reasons, known.mapping.constants if known.mapping else {})
    rests = [name for name in by_name if by_name[name].filled and name not in mapped and name not in left]
    yield from (
        f"# {quoted(name)} {shown(reasons.get(name, 'has no field'))}: it goes into the {rest}" for name in rests
    )
    yield from _missing(mapped, known.mapping, notes)
    notes += bad_cells.of_rests([by_name[name] for name in rests], of_file, reasons, rest)
    times = {name for name in mapped if reasons.get(name, "").startswith(choosing.TIMES_OF)}
    notes += bad_cells.notes(of_file, by_name, mapped, times, _rules(mapped, by_name, settings))
    yield from _values(by_name, mapped, known, times, notes)
    if "detected_at" in mapped.values() and "occurred_at" not in mapped.values():
        notes.append(_NO_BEGINNING)


def _form(of_file: File, notes: list[str]) -> Iterator[str]:
    """Yield the lines about the form of the file."""
    if of_file.encoding is not None:
        is_guess = of_file.encoding in tables.GUESSES
        doubt = "  # a guess: the file is not UTF-8" if is_guess else ""
        texts = (text for column in of_file.columns for text in (column.name, *column.values))
        if example := next((text for text in texts if is_guess and not text.isascii()), None):
            notes.append(
                f"The file is not UTF-8. It is read as {of_file.encoding}, for example {quoted(example)}. If this text "
                "is wrong, save the file as UTF-8."
            )
        yield f"encoding = {quoted(of_file.encoding)}{doubt}"
        yield f"separator = {quoted(of_file.separator or ',')}"
    if of_file.sheet:
        yield f"sheet = {quoted(of_file.sheet)}"
    if of_file.other_sheets:
        listed = tables.listed(of_file.other_sheets)
        yield f"# Other sheets, which are not imported: {shown(listed)}"
        notes.append(f"The workbook has other sheets, which are not imported: {listed}. To choose one, pass --sheet.")
        count = len(of_file.other_sheets) + 1
        if 0 < of_file.looked_at < count:
            notes.append(
                f"The workbook has {count:,} sheets. The sheet was chosen among the first {of_file.looked_at} of them, "
                "visible sheets before hidden ones. The command did not look at the others."
            )
    if of_file.header_row:
        yield f"header_row = {of_file.header_row}  # the row that names the columns"
        notes.append(f"The columns are named in row {of_file.header_row}. The rows above it are not imported.")
    hidden_rows, errors, formulas = of_file.unseen
    if hidden_rows:
        notes.append(f"Hidden rows of the sheet: {hidden_rows}. They are imported, too.")
    if errors or formulas:
        notes.append(
            f"Cells with an error or with a formula without its value: {errors + formulas}. They are read as empty."
        )


def _columns(mapped: dict[str, str], reasons: dict[str, str], constants: Table[str, Any]) -> Iterator[str]:
    if "title" not in {*mapped.values(), *constants}:
        yield '# No column looks like a title. Replace the next line by "Name of the column" = "title"'
        yield f'"title" = "{OPEN}"  # title: which column has it?'
    taken: dict[str, str] = {}
    for name, target in mapped.items():
        note = ""
        if name in reasons:
            note = f"  # {shown(reasons[name])}"
        elif target == LAST_KNOWN:
            note = "  # only for --closed-without-date=last-known"
        elif target in taken and target not in model.LISTS and target not in model.PARAGRAPHS:
            note = f"  # where {shown(taken[target])} is empty"
        elif target == "detected_at" and words.is_entry(name):
            note = "  # the date of the entry is used as the date of the detection"
        yield f"{quoted(name)} = {quoted(target)}{note}"
        taken.setdefault(target, name)


def _missing(mapped: dict[str, str], known: Mapping | None, notes: list[str]) -> Iterator[str]:
    """Yield a comment that names the important fields without a column."""
    have = {*mapped.values(), *(known.constants if known else ())}
    missing = [field for field in _IMPORTANT if field not in have]
    if missing:
        note = f"No column for: {', '.join(missing)}."
        yield f"# {note}"
        notes.append(note)
    if "detected_at" in missing:
        yield "# Without detected_at, MTTD, MTTR and the time to contain stay empty."
        notes.append("Without detected_at, MTTD, MTTR and the time to contain stay empty. Choose its column.")
        if reported := [name for name, target in mapped.items() if target == "reported_at"]:
            yield "# To use the date of the report as the date of the detection, write instead of the lines above:"
            yield from (f'# {quoted(name)} = "detected_at"' for name in reported)
    if "incident_number" in missing:
        notes.append(
            "Without incident_number, an import recognizes a row by its content. If you change a row and import the "
            "file again, you get a second incident."
        )
    if "detected_at" in have and "occurred_at" not in have:
        yield f"# {_NO_BEGINNING}"


def _reading(
    by_name: dict[str, Column], mapped: dict[str, str], settings: Table[str, Any], notes: list[str]
) -> Iterator[str]:
    """Yield the lines about dates, amounts and lists."""
    dates = [column for name, column in by_name.items() if mapped.get(name) in DATES or words.may_be_closing(name)]
    yield from _zone([column for column in dates if column.lacks_offset], settings, notes)
    orders = _orders(dates, by_name)
    if "date_order" in settings:
        yield f"date_order = {quoted(settings['date_order'])}"
    elif orders is not None and len(orders) == 1:
        yield f'date_order = "{next(iter(orders))}"  # the rows prove it'
    elif orders is not None:
        example = next(text for column in dates if column.orders is not None for text in column.values
                       if moments.possible_orders([text]))  # fmt: skip
        why = "the rows allow each order" if orders else "the rows contradict each other"
        options = "Pass --date-order day-first or month-first"
        yield f'date_order = "{OPEN}"  # date_order: {why}, as in {quoted(example)}. {options}'
    if "date_formats" in settings:
        yield f"date_formats = {_literal(settings['date_formats'])}"
    sums = [column for name, column in by_name.items() if mapped.get(name) == "financial_impact"]
    proven = {mark for column in sums for mark in column.marks}
    ambiguous = next((column.ambiguous for column in sums if column.ambiguous), None)
    if "decimal" in settings:
        yield f"decimal = {quoted(settings['decimal'])}"
    elif len(proven) == 1:
        yield f"decimal = {quoted(next(iter(proven)))}  # the rows prove it"
    elif ambiguous:
        asked = f"does {quoted(ambiguous)} have thousands or decimals? Pass --decimal . or --decimal ,"
        yield f'decimal = "{OPEN}"  # decimal: {asked}'
    of_lists = [column for name, column in by_name.items() if mapped.get(name) in model.LISTS]
    marks = [mark for mark, has in ((";", any(column.has_semicolon for column in of_lists)),
                                    (",", any(column.has_comma for column in of_lists)),
                                    ("\n", any(column.has_line_end for column in of_lists)),
                                    (lists.SLASH, _has_slashes(of_lists))) if has]  # fmt: skip
    if "list_separators" in settings:
        yield f"list_separators = {_literal(settings['list_separators'])}"
    elif of_lists:
        yield f"list_separators = [{', '.join(map(quoted, marks or [';']))}]  # between the items of a list"


def _has_slashes(columns: list[Column]) -> bool:
    """Return whether the cells of lists prove that a slash between spaces separates items."""
    slashed = [column for column in columns if any(lists.SLASH in text for text in column.values)]
    return bool(slashed) and all(lists.prove_slashes(column.values) for column in slashed)


def _orders(dates: list[Column], by_name: Table[str, Column]) -> set[Order] | None:
    """Return the orders of day, month and year that fit all columns of dates, or None if no date needs an order.

    The other columns of the file decide if they have dates, too, and the given columns leave more than one order.
    """
    known = [column.orders for column in dates if column.orders is not None]
    orders = set.intersection(*known) if known else None
    for column in by_name.values():
        if orders and column.orders and 2 * column.dates > column.filled:
            orders = orders & column.orders or orders
    return orders


def _rules(mapped: Table[str, str], by_name: Table[str, Column], settings: Table[str, Any]) -> moments.DateRules:
    """Return rules by which the dates of one row can be compared. Two dates without an offset have the same zone."""
    orders = _orders([by_name[name] for name, target in mapped.items() if target in DATES], by_name)
    order = settings.get("date_order") or (next(iter(orders)) if orders and len(orders) == 1 else None)
    return moments.DateRules(UTC, order, tuple(settings.get("date_formats", ())))


def _zone(naive: list[Column], settings: Table[str, Any], notes: list[str]) -> Iterator[str]:
    """Yield the mapping's line with the zone of the dates without an offset."""
    said = {column.name: zone for column in naive if (zone := words.zone(column.name))}
    given = settings.get("zone")
    if given:
        yield f"zone = {quoted(given)}"
    elif len(set(said.values())) == 1 and len(said) == len({column.name for column in naive}):
        given = next(iter(said.values()))
        yield f"zone = {quoted(given)}  # from the names of the columns"
    elif naive:
        example = quoted(str(naive[0].lacks_offset))
        yield f'zone = "{OPEN}"  # zone: in which zone is {example}? Pass --zone, such as Europe/Berlin or UTC'
    notes += [
        f"{quoted(name)} is in {zone}, as its name says, but an import reads all dates without an offset in one zone. "
        f"Convert the column, or pass --zone {zone} if all dates are in {zone}."
        for name, zone in said.items() if (given or "").upper() not in (zone, *_SAME_ZONE)
    ]  # fmt: skip


def _values(
    by_name: dict[str, Column], mapped: dict[str, str], known: _Known, times: Set[str], notes: list[str]
) -> Iterator[str]:
    """Yield the tables of values: the given ones, and for each column the values that need a meaning."""
    given: dict[str, dict[str, str]] = known.table.get("values", {})
    own = {folded(name): name for name in by_name}  # a given mapping may write the name of a column in another way
    tables = {
        own.get(folded(name), name): {text: quoted(meaning) for text, meaning in table.items()}
        for name, table in given.items()
    }
    for name, target in mapped.items():
        column = by_name[name]
        table = tables.get(name, {})
        if target in _CHOICES:
            table |= _choices(column, target, known, given, notes)
        elif target == "reportable_to":
            table |= _regimes(column, known)
        elif target in _WHOLE:
            table |= {
                text: '""  # is nothing, so it goes where the rest goes'
                for text in filter(words.is_nothing, column.values)
                if not known.mapping or known.mapping.meaning(folded(name), target, text) is None
            }  # fmt: skip
        elif what := _KINDS.get(target) or (
            ("a time of day" if name in times else "a date") if target in DATES else None
        ):
            texts = choosing.no_numbers(column) if target == "incident_number" else column.without_digits
            table |= {
                text: f'""  # is not {what}, so it goes where the rest goes' for text in texts
                if not known.mapping or known.mapping.meaning(folded(name), target, text) is None
            }  # fmt: skip
        if table:
            tables[name] = table
    for name, table in tables.items():
        yield f"\n[values.{quoted(name)}]"
        yield from (f"{quoted(text)} = {meaning}" for text, meaning in table.items())


def _regimes(column: Column, known: _Known) -> dict[str, str]:
    """Return the meanings of a column's answers such as ``nein`` as TOML, with a question for each ``ja``."""
    answers = {text: words.answer(text) for text in column.values}
    return {
        text: '""  # no regime, so it goes where the rest goes'
        if answer == "no"
        else f'"{OPEN}"  # reportable_to: which regime does {quoted(text)} mean, such as eu-gdpr? Write "" for none'
        for text, answer in answers.items()
        if answer and (not known.mapping or known.mapping.meaning(folded(column.name), "reportable_to", text) is None)
    }


def _choices(
    column: Column, target: str, known: _Known, given: dict[str, dict[str, str]], notes: list[str]
) -> dict[str, str]:
    """Return the meanings of a column's values as TOML, with a question for each value without a known meaning."""
    lines: dict[str, str] = {}
    same: dict[str, list[str]] = {}
    for text in column.values:
        meaning = known.mapping.meaning(folded(column.name), target, text) if known.mapping else None
        if meaning is not None and given:
            continue  # a given table already has this value
        if meaning is None:
            meaning = words.value(target, text)
        if meaning is None and target == "status" and words.asks_closed(column.name):
            meaning = {"yes": "closed", "no": "new"}.get(words.answer(text) or "")
        if meaning is None and target == "severity" and words.is_undecided(text):
            lines[text] = '""  # no severity yet, so it goes where the rest goes'
            continue
        if meaning is None:
            asked = f"what does {quoted(text)} mean: {', '.join(mapping.allowed_values(target))}?"
            lines[text] = f'"{OPEN}"  # {target}: {asked}'
            continue
        lines[text] = quoted(meaning)
        others = same.setdefault(meaning, [])
        if target == "severity" and _bare(text) not in map(_bare, others):
            if others:
                lines[text] += f"  # as {', '.join(map(quoted, others))}"
            others.append(text)
    for meaning, texts in same.items():
        if len(texts) > 1:
            notes.append(
                f"{' and '.join(map(quoted, texts))} of {shown(column.name)} become the same severity: {meaning}."
            )
    return lines


def _bare(severity: str) -> str:
    """Return a severity without a number, as in ``1 - High``. A number as in ``P1`` is a part of the severity."""
    word = words.word(severity)
    return word if words.value("severity", word) else folded(severity)


def _literal(value: Any) -> str:
    """Return a value as TOML."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{quoted(name)} = {_literal(member)}' for name, member in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return quoted(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
