"""Read the rows of a CSV file, a workbook or a JSON Lines file. A row has the body of a create, and the row's own text.

Without a mapping, a CSV file has a header of field names, and ``cells`` converts each cell to the type of its field.
With a mapping, the file may have any columns, and ``convert`` converts each record.
A JSON Lines file may mix three kinds of line:

    the body of a create
    a line of an export: {"incident": <as a GET shows it>, "changes": [...]}
    a line of an errors file: {"line": n, "errors": [...], "row" or "cells": <the original row>}

Without a mapping, a line of an export may also have the tenant's settings. Such a line is left out, and is counted. If
a line has any other members, the entire line is an error or, with a mapping, a record.

The reader has only one row in memory, so a text file may have any size.
"""

import json
from collections import Counter
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any, NamedTuple

from incidents.domain import json_text, model, payloads
from incidents.domain.errors import InvalidIncident, MalformedRequest, Violation

from ...console import StepFailed, command
from . import cells, limits, tables, words
from .convert import BELOW, DATES, HEADING, as_text, convert, problems_of_header, repeats_header
from .mapping import LAST_KNOWN, Mapping, folded, of_fields
from .repairing import repair

FORMS = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", *tables.WORKBOOKS)
_LINES = (".jsonl", ".ndjson")
_SETTINGS = {"name": str, "version": int, "changed_at": str, "changed_by": str, "value": object}
_EVENT = {"incident_id": str, "observed_at": str, "source": str, "adapter": str, "rule": str, "sha256": str,
          "is_cut": bool, "summary": object, "event": object}  # fmt: skip
_LEFT_OUT = {
    "settings": (_SETTINGS, Violation("", "has the tenant's settings; an import creates only incidents")),
    "evidence": (_EVENT, Violation("", "has the event of a finding; an import creates only incidents; keep the file")),
}
"""The lines of an export without an incident: for each kind, the types of the members, and the warning."""
_OF_ERRORS_FILE = {"line", "errors", "request_id"}
_OF_INCIDENT = (DATES - {LAST_KNOWN}) | {"status", "severity"}  # a row with the sum of a table has none of these fields
_ONE_CELL = Violation("", "has only one cell; remove the row if it is a heading or is below the table")
_CUT = Violation("", "was cut, because it is too long for an errors file; correct the row in the file that has it")
_REPEATED = Violation("", "repeats the names of the columns; remove the row")
TOTAL = (
    "begins with a word for a total, and the row has no date, status or number; remove a row that is the sum of a "
    "table, or add a status to the row of an incident"
)
NO_INCIDENT = frozenset({TOTAL, BELOW, HEADING})
"""The errors of a row that is probably no incident. A further error of such a row would only distract."""
_NOT_GIVEN = model.STAMPED | {"is_deleted"}


class Row(NamedTuple):
    """One row of an import file. ``body`` is the body of a create. ``unreadable`` has the errors of an unreadable row.

    ``stood`` is the original row, as the member ``"row": ...`` or ``"cells": ...`` of a line in an errors file.
    """

    line: int
    stood: str
    body: Any = None
    unreadable: tuple[Violation, ...] = ()
    is_exported: bool = False
    is_mapped: bool = False  # true if a mapping was used, so the row is from another program or a spreadsheet
    app_id: str | None = None  # the application that made an exported incident
    repairs: tuple[str, ...] = ()  # the repairs of an exported incident, or of a mapped record
    is_deleted: bool = False
    warnings: tuple[Violation, ...] = ()  # the warnings about cells that can be read in two ways
    last_known: str | None = None  # the latest date in the columns mapped to last_known_at
    is_left_out: bool = False  # true for a line of an export without an incident


def read(file: Path, mapping: Mapping | None = None) -> Iterator[Row]:
    """Yield the rows of a file in order. Raises StepFailed if the complete file cannot be read."""
    form = file.suffix.lower()
    if form not in FORMS:
        raise StepFailed(f"{file} has an unknown file format.", "", f"Use a file that ends in {', '.join(FORMS)}.")
    try:
        if form in _LINES:
            yield from _of_lines(file, mapping)
        elif tables.is_workbook(file):
            mapping = mapping or of_fields({})
            yield from _of_table(file, tables.read_workbook(file, mapping.sheet), mapping)
        elif mapping is None:
            yield from _of_table(file, tables.read(file, "utf-8-sig", ",", as_shown=False), None)
        else:
            encoding = mapping.encoding or tables.encoding(file)
            encoding = "utf-8-sig" if encoding == "utf-8" else encoding
            separator = mapping.separator or tables.separator(file, encoding)
            yield from _of_table(file, tables.read(file, encoding, separator), mapping)
    except UnicodeError as error:
        advice = "Save the file as UTF-8. A spreadsheet program calls this format `CSV UTF-8`."
        if mapping is None:
            advice += f" Or use a mapping: {_SUGGEST}"
        name = getattr(error, "encoding", "utf-16")  # UTF-16 without a byte order mark is an error without a name
        name = "UTF-8" if name == "utf-8" else name
        raise StepFailed(f"{file} is not {name}.", f"  {error}", advice) from None
    except OSError as error:
        raise StepFailed(f"{file} cannot be read.", f"  {error}", "Check the file's name and permissions.") from None


_SUGGEST = command("import FILE --suggest")


def _of_table(file: Path, records: Iterator[tables.Record], mapping: Mapping | None) -> Iterator[Row]:
    header: list[str] | None = None
    for line, record in records:
        if header is None and mapping is not None:
            if any(record) and line >= (mapping.header_row or 0):
                while record and not as_text(record[-1]).strip():  # a spreadsheet may end with empty columns
                    record.pop()
                header = tables.names(map(as_text, record))
                header = tables.numbered(
                    header, lambda name: folded(name) in mapping.columns.keys() | mapping.leave_out
                )
                _check_header(file, header, mapping)
        elif header is None:
            header = [name.strip() for name in record]
            _check_header(file, header, mapping)
        elif header is not None and any(cell not in ("", None) for cell in record):
            more = record[len(header) :] if tables.is_workbook(file) else []  # cells of columns without a name
            named = (
                tables.names([*header, *("" for _ in more)]) if any(cell not in ("", None) for cell in more) else header
            )
            yield _of_record(line, named, record, mapping)
    if header is None:
        _check_header(file, [], mapping)


def _check_header(file: Path, header: list[str], mapping: Mapping | None) -> None:
    tables.check_names(file, header)
    advice = "Name the fields in the first line, separated by commas. Rename, remove or add the listed columns."
    if mapping is not None:
        wrong = problems_of_header(header, mapping)
        advice = "Add the columns to the mapping, below [columns] or to leave_out. Or choose where they go with rest."
        if mapping.preset and any(line.startswith("title:") for line in wrong):
            advice = f"The preset {mapping.preset} reads the English names of the columns. For others: {_SUGGEST}"
        elif mapping.header_row is None:
            advice += " If the names of the columns are not in the first row, add `header_row = 4`, for example."
    else:
        wrong = _problems_of_fields(header)
        if any(";" in name for name in header):
            advice = "Separate the cells with commas. Spreadsheet programs in some languages write semicolons instead."
        advice += f" Or use a mapping, which a command proposes: {_SUGGEST}"
    if wrong:
        raise StepFailed(f"Some columns of {file} are not fields of an incident.", "  " + "\n  ".join(wrong), advice)


def _problems_of_fields(header: list[str]) -> list[str]:
    wrong = []
    if unknown := {name: None for name in header if name not in payloads.NewIncident.model_fields}:
        try:
            payloads.new_incident({"title": "a title", **unknown})
        except InvalidIncident as invalid:
            wrong = [
                f"{violation.pointer[1:] or 'a column without a name'}: {_by_meaning(violation)}"
                for violation in invalid.violations
            ]
    named = Counter(header)
    wrong += [f"{name}: is there twice" for name in named if named[name] > 1 and name not in unknown]
    if "title" not in header:
        wrong.append("title: is required")
    return wrong


def _by_meaning(violation: Violation) -> str:
    """Return the text of the error for an unknown column, with the field that the column's name may mean."""
    column = violation.pointer[1:]
    field = None if words.must_prove_dates(column) else words.meaning(column)
    return (
        f"{violation.detail}; the name means {field}"
        if field and "did you mean" not in violation.detail
        else violation.detail
    )


def _of_record(line: int, header: list[str], record: list[Any], mapping: Mapping | None) -> Row:
    if mapping is not None:
        record = record[: len(header)] if not any(record[len(header) :]) else record
        if repeats_header(record, header):
            return Row(line, _member("cells", dict(zip(header, record, strict=True))), unreadable=(_REPEATED,))
    texts: dict[str, Any] = {}
    for name, cell in zip(header, record, strict=False):
        if mapping is None or name not in texts:
            texts[name] = cell
        elif isinstance(texts[name], list):
            texts[name].append(cell)
        else:
            texts[name] = [texts[name], cell]
    if len(record) == len(header):
        return _of_cells(line, texts, mapping)
    texts |= {"": record[len(header) :]} if len(record) > len(header) else {}
    if mapping is not None and len(record) == 1 and len(header) > 2:
        return Row(line, _member("cells", texts), unreadable=(_ONE_CELL,))
    wrong = Violation("", f"must have {len(header)} cells, like the header, not {len(record)}")
    return Row(line, _member("cells", texts), unreadable=(wrong,))


def _of_cells(line: int, texts: dict[str, Any], mapping: Mapping | None) -> Row:
    stood = _member("cells", texts)
    if mapping is not None:
        return _of_mapped(line, stood, texts, mapping)
    body = {name: cells.value(name, text) for name, text in texts.items() if text not in ("", None)}
    wrong = (*cells.errors(body), *_total(body, body.keys()))
    return Row(line, stood, body, wrong, warnings=tuple(cells.warnings(texts)))


def _of_mapped(line: int, stood: str, record: dict[str, Any], mapping: Mapping) -> Row:
    made = convert(record, mapping)
    own = made.body.keys() - mapping.constants.keys()
    errors = made.errors or tuple(_total(made.body, own))
    return Row(line, stood, made.body, errors, is_mapped=True, repairs=made.repairs, warnings=made.warnings,
               last_known=made.last_known)  # fmt: skip


def _total(body: dict[str, Any], own: Set[str]) -> Iterator[Violation]:
    """Yield an error if the row is the sum below a table: a word for a total, without a date, a status or a severity.

    ``own`` has the fields whose values are from the row.
    """
    texts = {field: body[field] for field in ("title", "incident_number") if isinstance(body.get(field), str)}
    total = next((field for field, text in texts.items() if words.is_total(text)), None)
    has_number = "incident_number" in body and total != "incident_number"
    if total and not has_number and not _OF_INCIDENT.intersection(own):
        yield Violation(
            f"/{total}",
            TOTAL,
        )


def _of_lines(file: Path, mapping: Mapping | None) -> Iterator[Row]:
    with file.open("rb") as lines:
        for line, content in enumerate(iter(lambda: lines.readline(limits.ROW_CHARACTERS + 1), b""), start=1):
            if len(content) > limits.ROW_CHARACTERS:
                what = f"  line {line}: The line has more than {limits.ROW_CHARACTERS:,} bytes."
                advice = "Shorten the line. An import does not need the changes of an incident. You may remove them."
                raise StepFailed(f"{file} has a row that is too large.", what, advice)
            if content.strip():
                yield _of_line(line, content.removeprefix(b"\xef\xbb\xbf") if line == 1 else content, mapping)


def _of_line(line: int, content: bytes, mapping: Mapping | None) -> Row:
    try:
        text = content.decode().strip()
    except UnicodeDecodeError:
        text = content.decode(errors="replace").strip()
        return Row(line, _member("row", text), unreadable=(Violation("", "must be UTF-8"),))
    return _of_text(line, text, mapping)


def _of_text(line: int, text: str, mapping: Mapping | None) -> Row:
    try:
        value = json_text.loads(text, "A line")
    except MalformedRequest as error:
        return Row(line, _member("row", text), unreadable=(Violation("", error.detail),))
    return _of_value(line, value, text, mapping)


def _of_value(line: int, value: Any, text: str, mapping: Mapping | None) -> Row:
    match value:
        case dict() if mapping is None and (why := _left_out(value)):
            return Row(line, f'"row": {text}', warnings=(why,), is_left_out=True)
        case {"errors": list(), "cells": dict(texts)} if _is_of_errors_file(value, "cells", mapping):
            return _of_cells(line, texts, mapping)
        case {"errors": list(), "cut": str()} if _is_of_errors_file(value, "cut", mapping):
            return Row(line, f'"row": {text}', unreadable=(_CUT,))
        case {"errors": list(), "row": str(unread)} if _is_of_errors_file(value, "row", mapping):
            return _of_text(line, unread, mapping)
        case {"errors": list(), "row": inner} if _is_of_errors_file(value, "row", mapping):
            return _of_value(line, inner, _as_read(inner, text), mapping)
        case {"incident": dict(document)} if mapping is None or value.keys() - {"derived"} == {"incident", "changes"}:
            if more := value.keys() - {"incident", "derived", "changes"}:
                wrong = (Violation(f"/{name}", "must not be next to `incident`; remove it") for name in sorted(more))
                return Row(line, f'"row": {text}', unreadable=tuple(wrong))
            if value.get("derived", []) not in ([], [model.TOLD_AT]):
                other = Violation("/derived", f"must be [{json.dumps(model.TOLD_AT)}], or be left out")
                return Row(line, f'"row": {text}', unreadable=(other,))
            return _of_export(line, document, text, value.get("derived", []))
        case dict() if mapping is not None:
            return _of_mapped(line, f'"row": {text}', value, mapping)
    return Row(line, f'"row": {text}', value)


def _left_out(value: dict[str, Any]) -> Violation | None:
    """Return the warning about a line of an export without an incident. Return None for any other line."""
    for name, (kinds, why) in _LEFT_OUT.items():
        inner = value.get(name)
        if len(value) == 1 and isinstance(inner, dict) and inner.keys() == kinds.keys():
            return why if all(isinstance(inner[member], kind) for member, kind in kinds.items()) else None
    return None


def _is_of_errors_file(value: dict[str, Any], original: str, mapping: Mapping | None) -> bool:
    """Return whether a line has only the members of an errors file. ``original`` is the member with the original row.

    With a mapping, the line must also have the member ``line``. Otherwise it may be a record of another program.
    """
    own = {*_OF_ERRORS_FILE, original}
    return value.keys() <= own and (mapping is None or "line" in value)


def _of_export(line: int, document: dict[str, Any], text: str, derived: list[str]) -> Row:
    """Return the repaired row of an exported incident. Its body omits null fields, because null always means unset.

    The body also omits the fields in ``derived``, because the service derives them again.
    """
    not_given = _NOT_GIVEN.union(derived)
    body = {field: value for field, value in document.items() if field not in not_given and value is not None}
    is_deleted, app_id = document.get("is_deleted", False), document.get("app_id")
    wrong = []
    if not isinstance(is_deleted, bool):
        wrong.append(Violation("/incident/is_deleted", "must be true or false"))
    if not isinstance(app_id, str | None):
        wrong.append(Violation("/incident/app_id", "must be a text"))
    if wrong:
        return Row(line, f'"row": {text}', unreadable=tuple(wrong))
    body, repairs = repair(body)
    return Row(line, f'"row": {text}', body, is_exported=True, app_id=app_id, is_deleted=is_deleted, repairs=repairs)


def _member(name: str, value: object) -> str:
    return f'"{name}": {json.dumps(value, ensure_ascii=False, default=as_text)}'


def _as_read(value: Any, otherwise: str) -> str:
    """Return a value as JSON with all digits of its numbers. Return ``otherwise`` if the value is nested too deeply."""

    def written(inner: Any) -> str:
        if isinstance(inner, json_text.Number):
            return inner.literal
        if isinstance(inner, dict):
            members = (f"{json.dumps(name, ensure_ascii=False)}: {written(member)}" for name, member in inner.items())
            return "{" + ", ".join(members) + "}"
        return (
            "[" + ", ".join(map(written, inner)) + "]"
            if isinstance(inner, list)
            else json.dumps(inner, ensure_ascii=False)
        )

    try:
        return written(value)
    except RecursionError:
        return otherwise
