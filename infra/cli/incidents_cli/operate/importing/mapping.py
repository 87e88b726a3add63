"""A mapping: how the columns and the values of another program's export become fields of an incident.

A mapping is a TOML file, and so is each preset. ``docs/import.md`` describes the file's form. A value ``"?"`` is an
open question of a proposed mapping: an import refuses a mapping until each question has an answer.
"""

import codecs
import json
import re
import tomllib
from collections.abc import Mapping as Table
from dataclasses import dataclass, field, replace
from io import BytesIO, TextIOWrapper
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from incidents.domain import model

from ...console import StepFailed, clean, require_regular
from . import amounts, moments
from .moments import DateRules

PRESETS = Path(__file__).with_name("presets")
OPEN = "?"
LAST_KNOWN = "last_known_at"
"""The target of a column with the date of an incident's last activity. This target is not a field of an incident."""
CURRENCY = "currency"
"""The target of a column with the currency of the row's amounts. This target is not a field of an incident."""

Rest = Literal["description", "tags", "refuse", "leave_out"]
FIELDS = tuple(field for field in model.FIELDS if field not in model.STAMPED | {"is_deleted"})
"""The fields of a create."""
TARGETS = frozenset(FIELDS) | {LAST_KNOWN, CURRENCY}
CHOICES = frozenset({"status", "severity", "source_type"})
"""The fields that have a fixed set of values."""

_KNOWN = {
    "encoding", "separator", "sheet", "header_row", "zone", "date_order", "date_formats", "decimal", "currency",
    "list_separators",
    "rest", "leave_out", "constants", "columns", "values",
}  # fmt: skip

_DEPTH = 8  # twice the depth of the deepest valid mapping, which has JSON in its constants


def folded(name: str) -> str:
    """Return the name of a column or a value in the form for comparisons, which ignores case and spaces."""
    return " ".join(name.replace("_", " ").split()).casefold()


def quoted(text: str) -> str:
    """Return a text as a basic string of TOML, in which invisible characters are escapes."""
    return "".join(
        letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in json.dumps(text, ensure_ascii=False)
    )


def shown(text: str) -> str:
    """Return a text on one line and without invisible characters, for a comment of TOML or a message."""
    return clean(" ".join(text.split()))


@dataclass(frozen=True)
class Mapping:
    """A mapping. The names of columns and of values are ``folded``.

    A key of ``values`` is the name of a column or of a field. A column's table has priority over its field's table.
    """

    columns: dict[str, str]
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    leave_out: frozenset[str] = frozenset()
    rest: Rest = "refuse"
    dates: DateRules = field(default_factory=DateRules)
    decimal: amounts.Mark | None = None
    currency: str | None = None  # the currency of amounts that do not show one
    list_separators: tuple[str, ...] = (";",)
    encoding: str | None = None
    separator: str | None = None
    sheet: str | None = None
    header_row: int | None = None
    preset: str | None = None

    def meaning(self, column: str, target: str, text: str) -> str | None:
        """Return the value that the mapping's tables give for a cell's text, or None if no table has the text."""
        for table in (self.values.get(column), self.values.get(target)):
            if table is not None and folded(text) in table:
                return table[folded(text)]
        return None


def load(given: str, answers: Table[str, str] = MappingProxyType({})) -> Mapping:
    """Return the mapping of a file or of a preset. ``answers``, the user's options, replace values of the file.

    Raises StepFailed, which names each wrong line and each open question.
    """
    made = of_table(table_of(given) | dict(answers), given)
    return replace(made, preset=given) if is_preset(given) else made


def is_preset(given: str) -> bool:
    return (PRESETS / f"{given}.toml").is_file() and not Path(given).is_file()


def table_of(given: str) -> dict[str, Any]:
    """Return the TOML document of a file or of a preset. Raises StepFailed if it cannot be read."""
    file = PRESETS / f"{given}.toml" if is_preset(given) else Path(given)
    require_regular(file)
    try:
        table = tomllib.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        advice = f"Name a file, or one of the presets: {', '.join(presets())}."
        raise StepFailed(f"The mapping {given} cannot be read.", f"  {error}", advice) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StepFailed(f"The mapping {given} is not TOML.", f"  {error}", "Correct the file at that place.") from None
    except RecursionError:
        raise _too_deep(given) from None
    if _depth(table) > _DEPTH:
        raise _too_deep(given)
    return table


def _depth(table: Table[str, Any]) -> int:
    """Return how many tables and lists are nested in each other, at most ``_DEPTH + 1``."""
    level: list[Any] = [table]
    for depth in range(_DEPTH + 1):
        within = (list(part.values()) if isinstance(part, dict) else part for part in level)
        level = [value for values in within for value in values if isinstance(value, dict | list)]
        if not level:
            return depth + 1
    return _DEPTH + 1


def _too_deep(given: str) -> StepFailed:
    detail = f"  Tables and lists are nested in more than {_DEPTH} levels."
    return StepFailed(f"The mapping {given} is nested too deeply.", detail, f"Nest at most {_DEPTH} levels.")


def presets() -> list[str]:
    return sorted(file.stem for file in PRESETS.glob("*.toml"))


def without_questions(table: Table[str, Any]) -> dict[str, Any]:
    """Return a TOML document without its open questions."""
    return {
        key: without_questions(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if value != OPEN
    }


def of_table(table: Table[str, Any], name: str = "map", *, is_draft: bool = False) -> Mapping:
    """Return the mapping of a TOML document. Raises StepFailed, which names each wrong line and each open question.

    A draft, which a proposal completes, needs no columns.
    """
    if questions := list(_questions(table)):
        raise StepFailed(
            f"The mapping {name} has open questions.", "  " + "\n  ".join(questions),
            "Answer each one in the file. For zone, date_order, decimal and currency, you may instead pass --zone, "
            "--date-order, --decimal and --currency.",
        )  # fmt: skip
    wrong: list[str] = []
    columns = {folded(column): target for column, target in _texts(table, "columns", wrong).items()}
    wrong += [
        f"columns.{quoted(column)}: {shown(target)} is not a field of an incident"
        for column, target in columns.items()
        if target not in TARGETS
    ]
    if not is_draft and not columns and "columns" not in [line.partition(":")[0] for line in wrong]:
        wrong.append("columns: is required; name at least the column that becomes the title")
    constants = table.get("constants", {})
    constants = constants if isinstance(constants, dict) else {}
    wrong += [
        f"constants.{shown(target)}: is not a field of an incident" for target in constants if target not in TARGETS
    ]
    if not is_draft and "title" not in {*columns.values(), *constants}:
        wrong.append("columns: no column becomes the title")
    values = _values(table, columns, wrong)
    rules = DateRules(
        _one(table, "zone", moments.zone, wrong),
        _one(table, "date_order", _choice(moments.ORDERS), wrong),
        _date_formats(table, wrong),
    )
    made = Mapping(
        columns, values, constants,
        leave_out=frozenset(map(folded, _list(table, "leave_out", wrong))),
        rest=_one(table, "rest", _choice(get_args(Rest)), wrong) or "refuse",
        dates=rules,
        decimal=_one(table, "decimal", _choice((".", ",")), wrong),
        currency=_one(table, "currency", _currency, wrong),
        list_separators=tuple(filter(None, _list(table, "list_separators", wrong))) or (";",),
        encoding=_one(table, "encoding", _encoding, wrong),
        separator=_one(table, "separator", _separator, wrong),
        sheet=_one(table, "sheet", str, wrong),
        header_row=_row(table, wrong),
    )  # fmt: skip
    wrong += [f"{shown(key)}: is not a part of a mapping" for key in table if key not in _KNOWN]
    if wrong:
        raise StepFailed(f"The mapping {name} is wrong.", "  " + "\n  ".join(wrong), "Correct the listed lines.")
    return made


def of_fields(answers: Table[str, str]) -> Mapping:
    """Return the mapping of a workbook whose header has the names of fields."""
    return of_table({"columns": {field: field for field in FIELDS}} | dict(answers))


def _questions(table: Table[str, Any], within: str = "") -> list[str]:
    questions = []
    for key, value in table.items():
        place = f"{within}.{quoted(key)}" if within else shown(key)
        if value == OPEN:
            questions.append(f"{place}: {_asked(place)}")
        elif isinstance(value, dict):
            questions += _questions(value, place)
    return questions


def _asked(place: str) -> str:
    match place.partition(".")[0]:
        case "zone":
            return "in which zone are the dates without an offset? For example Europe/Berlin or UTC"
        case "date_order":
            return "is 03/04/2024 the 3rd of April (day-first) or the 4th of March (month-first)?"
        case "decimal":
            return "which mark stands before the decimals, a point or a comma?"
        case "currency":
            return "in which currency are the amounts that show none? For example EUR or USD"
        case "values":
            return "which value of the field does it mean?"
    return "which field is it?"


def _values(table: Table[str, Any], columns: dict[str, str], wrong: list[str]) -> dict[str, dict[str, str]]:
    tables: dict[str, dict[str, str]] = {}
    values = table.get("values", {})
    for name in values if isinstance(values, dict) else ():
        target = columns.get(folded(name)) or str(name)
        if name not in TARGETS and folded(name) not in columns:
            wrong.append(f"values.{quoted(name)}: is neither a field nor a column of the mapping")
            continue
        allowed = allowed_values(target)
        meanings = _texts(values, name, wrong)
        wrong += [
            f'values.{quoted(name)}.{quoted(text)}: must be one of {", ".join(allowed)}, or "" for no value, '
            f"not {shown(meaning)}"
            for text, meaning in meanings.items()
            if allowed and meaning and meaning not in allowed
        ]
        tables[name if name in TARGETS else folded(name)] = {folded(text): value for text, value in meanings.items()}
    return tables


def allowed_values(target: str) -> tuple[str, ...]:
    """Return the allowed values of a field, or nothing for a field of free values."""
    return {"status": model.STATUSES, "severity": model.SEVERITIES, "source_type": model.SOURCE_TYPES}.get(target, ())


def _texts(table: Table[str, Any], key: str, wrong: list[str]) -> dict[str, str]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        wrong.append(f"{key}: must be a table")
        return {}
    wrong += [f"{key}.{quoted(name)}: must be a text" for name, text in value.items() if not isinstance(text, str)]
    return {name: text for name, text in value.items() if isinstance(text, str)}


def _list(table: Table[str, Any], key: str, wrong: list[str]) -> list[str]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        wrong.append(f"{key}: must be a list of texts")
        return []
    return value


def _one(table: Table[str, Any], key: str, read: Any, wrong: list[str]) -> Any:
    value = table.get(key)
    if value is None:
        return None
    try:
        if not isinstance(value, str):
            raise ValueError("must be a text")  # reported like every other wrong value
        return read(value)
    except ValueError as error:
        wrong.append(f"{key}: {error}")
        return None


def _row(table: Table[str, Any], wrong: list[str]) -> int | None:
    row = table.get("header_row")
    if row is None or (isinstance(row, int) and not isinstance(row, bool) and row > 0):
        return row
    wrong.append("header_row: must be the number of the row that names the columns, such as 4")
    return None


def _choice(allowed: tuple[str, ...]) -> Any:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be one of {' '.join(allowed)}, not {text}")
        return text

    return read


def _currency(text: str) -> str:
    if not re.fullmatch(r"\S{1,10}", text):
        raise ValueError(f"must be the name of a currency, such as EUR or USD, not {text!r}")
    return text


def _date_formats(table: Table[str, Any], wrong: list[str]) -> tuple[str, ...]:
    formats = _list(table, "date_formats", wrong)
    for form in formats:
        try:
            moments.check_format(form)
        except ValueError as error:
            wrong.append(f"date_formats: {error}")
    return tuple(formats)


def _encoding(text: str) -> str:
    """Return the name of an encoding of texts that can read a file in pieces. Raises ValueError for any other name."""
    try:
        with TextIOWrapper(BytesIO(), text) as file:  # fails for an encoding that is not for texts, such as zip
            file.read()
        name = codecs.lookup(text).name
        "x".encode(name)
    except (LookupError, ValueError):  # a ValueError comes from a NUL in the name, or from the encoding `undefined`
        name = ""
    if name not in ("", "idna", "punycode"):  # these encodings are for domain names
        return name
    raise ValueError(f"{text} is not an encoding, such as utf-8, utf-16 or cp1252")


def _separator(text: str) -> str:
    if len(text) != 1 or text in '"\r\n':
        raise ValueError("must be one character, such as a semicolon or a tab")
    return text
