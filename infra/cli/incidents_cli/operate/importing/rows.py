"""Read the rows of a CSV or JSON Lines file. A row has the body of a create, and its original text.

A CSV file has a header of field names. ``cells`` converts each cell to the type of its field.
A JSON Lines file may mix three kinds of line:

    the body of a create
    a line of an export: {"incident": <as a GET shows it>, "changes": [...]}
    a line of an errors file: {"line": n, "errors": [...], "row" or "cells": <the original row>}

The reader has only one row in memory, so a file may have any size.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from incidents.domain import json_text, model, payloads
from incidents.domain.errors import InvalidIncident, MalformedRequest, Violation

from ...console import StepFailed
from . import cells
from .repairing import repair

FORMS = (".csv", ".jsonl", ".ndjson")
CELL_CHARACTERS = 1024 * 1024  # more than a complete incident may have
_SETTINGS = b'{"settings":'  # the lines of an export that are no incidents
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
    app_id: str | None = None  # the application that made an exported incident
    repairs: tuple[str, ...] = ()  # of an exported incident
    is_deleted: bool = False


def read(file: Path) -> Iterator[Row]:
    """Yield the rows of a file in order. Raises StepFailed if the complete file cannot be read."""
    form = file.suffix.lower()
    if form not in FORMS:
        raise StepFailed(f"{file} has an unknown file format.", "", f"Use a file that ends in {' or '.join(FORMS)}.")
    try:
        yield from _of_csv(file) if form == ".csv" else _of_lines(file)
    except UnicodeDecodeError as error:
        advice = "Save the file as UTF-8. A spreadsheet program calls this format `CSV UTF-8`."
        raise StepFailed(f"{file} is not UTF-8.", f"  {error}", advice) from None
    except OSError as error:
        raise StepFailed(f"{file} cannot be read.", f"  {error}", "Check the file's name and permissions.") from None


def _of_csv(file: Path) -> Iterator[Row]:
    csv.field_size_limit(CELL_CHARACTERS)
    with file.open(encoding="utf-8-sig", newline="") as text:
        records = csv.reader(text, strict=True)
        first = 1  # the first line of the next record, which may have several lines
        try:
            header = [name.strip() for name in next(records, [])]
            _check_header(file, header)
            first = records.line_num + 1
            for record in records:
                if any(record):  # a spreadsheet may end with lines of empty cells
                    yield _of_record(first, header, record)
                first = records.line_num + 1
        except csv.Error as error:
            advice = "Fix the record that begins there. Inside quotes, write a quote twice."
            if "field larger" in str(error):
                advice = f"Shorten the cell to {CELL_CHARACTERS:,} characters, or close its open quote."
            raise StepFailed(f"{file} is not valid CSV from line {first} on.", f"  {error}", advice) from None


def _check_header(file: Path, header: list[str]) -> None:
    wrong = []
    if unknown := {name: None for name in header if name not in payloads.NewIncident.model_fields}:
        try:
            payloads.new_incident({"title": "a title", **unknown})
        except InvalidIncident as invalid:  # for a misspelled field, the error names the most similar field
            wrong = [
                f"{violation.pointer[1:] or 'a column without a name'}: {violation.detail}"
                for violation in invalid.violations
            ]
    named = Counter(header)
    wrong += [f"{name}: is there twice" for name in named if named[name] > 1 and name not in unknown]
    if "title" not in header:
        wrong.append("title: is required")
    if wrong:
        advice = "Name the fields in the first line, separated by commas. Rename, remove or add the listed columns."
        if any(";" in name for name in header):
            advice = "Separate the cells with commas. Spreadsheet programs in some languages write semicolons instead."
        raise StepFailed(f"The columns of {file} are not an incident's fields.", "  " + "\n  ".join(wrong), advice)


def _of_record(line: int, header: list[str], record: list[str]) -> Row:
    texts: dict[str, Any] = dict(zip(header, record, strict=False))
    if len(record) == len(header):
        return _of_cells(line, texts)
    texts |= {"": record[len(header) :]} if len(record) > len(header) else {}
    wrong = Violation("", f"must have {len(header)} cells, like the header, not {len(record)}")
    return Row(line, _member("cells", texts), unreadable=(wrong,))


def _of_cells(line: int, texts: dict[str, Any]) -> Row:
    body = {name: cells.value(name, text) for name, text in texts.items() if text not in ("", None)}
    return Row(line, _member("cells", texts), body)


def _of_lines(file: Path) -> Iterator[Row]:
    with file.open("rb") as lines:
        for line, content in enumerate(lines, start=1):
            if content.strip() and not content.startswith(_SETTINGS):
                yield _of_line(line, content.removeprefix(b"\xef\xbb\xbf") if line == 1 else content)


def _of_line(line: int, content: bytes) -> Row:
    try:
        text = content.decode().strip()
    except UnicodeDecodeError:
        text = content.decode(errors="replace").strip()
        return Row(line, _member("row", text), unreadable=(Violation("", "must be UTF-8"),))
    return _of_text(line, text)


def _of_text(line: int, text: str) -> Row:
    try:
        value = json_text.loads(text, "A line")
    except MalformedRequest as error:
        return Row(line, _member("row", text), unreadable=(Violation("", error.detail),))
    return _of_value(line, value, text)


def _of_value(line: int, value: Any, text: str) -> Row:
    match value:
        case {"errors": _, "cells": dict(texts)}:
            return _of_cells(line, texts)
        case {"errors": _, "row": str(unread)}:
            return _of_text(line, unread)
        case {"errors": _, "row": inner}:
            return _of_value(line, inner, _as_read(inner, text))
        case {"incident": dict(document)}:
            return _of_export(line, document, text)
    return Row(line, f'"row": {text}', value)


def _of_export(line: int, document: dict[str, Any], text: str) -> Row:
    """Return the repaired row of an exported incident. Its body omits null fields, because null always means unset."""
    body = {field: value for field, value in document.items() if field not in _NOT_GIVEN and value is not None}
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
    return f'"{name}": {json.dumps(value, ensure_ascii=False)}'


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
