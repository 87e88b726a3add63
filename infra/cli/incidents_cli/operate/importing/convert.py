"""Convert a record of another program's export to the body of a create, by a mapping.

No cell of a record is lost. The mapping's ``rest`` says what happens to the cells that no field takes.
"""

import re
from collections.abc import Mapping as Table
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any, NamedTuple

from incidents.domain import json_text, model
from incidents.domain.errors import MalformedRequest, Violation

from . import amounts, cells, clocks, ends, lists, moments, words
from .mapping import CHOICES, CURRENCY, FIELDS, LAST_KNOWN, Mapping, allowed_values, folded, quoted, shown
from .repairing import repair

DATES = frozenset({
    "occurred_at", "detected_at", "reported_at", "contained_at", "closed_at", "reported_to_regulators_at",
    "customer_notified_at", LAST_KNOWN,
})  # fmt: skip

_OF_INCIDENT = (DATES - {LAST_KNOWN}) | {"status", "severity", "incident_number"}
"""If all of these fields of a row are empty, the row is probably below the table."""
SEVERAL_VALUES = model.LISTS | model.PARAGRAPHS | {LAST_KNOWN}
"""The targets that take the cells of all columns of one name."""
_NAMED = frozenset(FIELDS) - model.LISTS - model.PARAGRAPHS - DATES - {*model.JSON_TEXTS, "financial_impact"}
"""The fields of one line, which a JSON object cannot be."""
_PLAIN = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-") | dict.fromkeys("\u00a0\u202f", " "))
DASHES = "dashes, spaces or a # of a number replaced or removed"
_SEVERAL = 3  # columns
_SURROGATE = re.compile("[\ud800-\udfff]")  # neither TOML nor the API has them
_NUMBERED = re.compile(r" \([0-9]+\)\Z")  # the number of a repeated name

BELOW = (
    "is the title of a row without a number, date, status or severity; remove the row if it is a heading or is below "
    "the table, or add a status if the row is an incident"
)
SECOND_DATE = f"has a second date; the first one is taken, and the other goes {ends.REST}"
REPEATED = f"has several columns of one name; the first one is read, and the others go {ends.REST}"
OBJECT = f"is a JSON object; its name is taken, and the object goes {ends.REST}"
NO_REGIME = "says that the incident is not reportable, or does not say it; the incident gets no regime"
SLASHED = 'has " / " inside an item, which stays one item; to divide it, add " / " to list_separators'
RIGHT = ', or the right date instead of ""'
TOO_LONG = (
    f"has more than {model.TEXT_BYTES // 1024} KiB with the columns without a field; add columns to leave_out, or "
    'write rest = "leave_out"'
)
HEADING = "is missing, and the row has only one cell; remove the row if it is a heading inside the table"


class Converted(NamedTuple):
    """A converted record: a create's body, errors of cells, warnings, repairs, and the latest ``last_known_at``."""

    body: dict[str, Any]
    errors: tuple[Violation, ...] = ()
    warnings: tuple[Violation, ...] = ()
    repairs: tuple[str, ...] = ()
    last_known: str | None = None


def convert(record: Table[str, Any], mapping: Mapping) -> Converted:
    """Return the body of a record. ``record`` has each column's cell, or a list of cells if a header is repeated.

    Several columns may be mapped to one field. Then a list gets all items, a field of several lines gets all texts, and
    any other field gets the first cell that is not empty. The order is the order of the mapping. Of several columns of
    one name, only the first one may fill a field with one value. The others may mean something else.
    """
    record = {folded(name): (name, cell) for name, cell in record.items()}
    making = _Making(mapping, _currency(record, mapping))
    body: dict[str, Any] = {}
    empty = filled = 0  # the numbers of empty and filled cells in columns about the incident
    for column, target in mapping.columns.items():
        if column in record:
            name, cell = record[column]
            first, *others = cell if isinstance(cell, list) and cell else [cell]
            if target not in SEVERAL_VALUES:
                making.leave(name, target, [each for each in others if not _is_blank(each)])
                others = []
            given = [each for each in (first, *others) if not _is_blank(each)]
            for each in given:
                making.take(body, name, target, each)
            filled += target in _OF_INCIDENT and bool(given)
            empty += target in _OF_INCIDENT and not given
            making.before[target] = column
    for column, (name, cell) in record.items():
        if column not in mapping.columns and column not in mapping.leave_out:
            making.rest += [
                (name, each) for each in (cell if isinstance(cell, list) else [cell]) if not _is_blank(each)
            ]
    if not filled and empty >= _SEVERAL and "title" in body:
        making.errors.append(Violation("/title", BELOW))
    if "title" not in {*body, *mapping.constants} and len(record) >= _SEVERAL and _cells(record) == 1:
        making.errors.append(Violation("/title", HEADING))
    last_known = body.pop(LAST_KNOWN, None)
    for target, value in mapping.constants.items():
        body.setdefault(target, value)
    if "closed_at" in body:
        body.setdefault("status", "closed")
    # The API accepts closed_at only for the status closed.
    if "closed_at" in body and body.get("status", "closed") != "closed":
        making.warnings += ends.misplaced_closing(body)
        making.rest += making.given.get("closed_at") or [("closed_at", body["closed_at"])]
        del body["closed_at"]
    for warning in ends.keep_order_in_a_day(body, making.next_days):
        making.warnings.append(warning)
        making.rest += making.given.get(warning.pointer[1:], [])
    making.warnings += ends.whole_day(body, making.next_days)
    making.rest += making.given.get(LAST_KNOWN, [])  # an import without --closed-without-date does not use this date
    making.place_rest(body)
    body, repairs = repair(body)
    into = {"tags": "into the tags", "leave_out": "nowhere"}.get(mapping.rest, "into the description")
    warnings = (Violation(each.pointer, each.detail.replace(ends.REST, into)) for each in making.warnings)
    return Converted(body, tuple(making.errors), tuple(warnings), (*making.repairs, *repairs), last_known)


def _cells(record: Table[str, tuple[str, Any]]) -> int:
    """Return the number of a row's cells that are not empty."""
    cells = (cell if isinstance(cell, list) else [cell] for _, cell in record.values())
    return sum(not _is_blank(each) for several in cells for each in several)


def _currency(record: Table[str, tuple[str, Any]], mapping: Mapping) -> str | None:
    """Return the currency of a row's amounts, from the row or else from the mapping. None means US dollars.

    An empty text means that the currency is unknown.
    """
    columns = [column for column, target in mapping.columns.items() if target == CURRENCY and column in record]
    cells = [as_text(record[column][1]).strip() for column in columns if not _is_blank(record[column][1])]
    return cells[0] if cells else mapping.currency or ("" if columns else None)


def problems_of_header(header: list[str], mapping: Mapping) -> list[str]:
    """Return the faults of a file's header: a missing title, and columns that the mapping refuses."""
    have = {folded(name) for name in header}
    problems = []
    if "title" not in mapping.constants and not any(
        target == "title" and column in have for column, target in mapping.columns.items()
    ):
        named = [column for column, target in mapping.columns.items() if target == "title"]
        problems.append(f"title: the file has no column {' or '.join(named)}")
    if mapping.rest == "refuse":
        known = mapping.columns.keys() | mapping.leave_out
        problems += [f"{shown(name) or 'a column without a name'}: is not in the mapping" for name in header
                  if folded(name) not in known]  # fmt: skip
    return problems


class _Making:
    """The conversion of one record. It collects the errors, the warnings, and the cells that no field takes."""

    def __init__(self, mapping: Mapping, currency: str | None) -> None:
        self._mapping = mapping
        self._currency = currency
        self.errors: list[Violation] = []
        self.repairs: list[str] = []
        self.warnings: list[Violation] = []
        self.rest: list[tuple[str, Any]] = []
        self.given: dict[str, list[tuple[str, str]]] = {}  # for each field of a date, its columns and cells
        self.unread: dict[str, str] = {}  # for each field, the column of a date that could not be read
        self.next_days: dict[str, str] = {}  # the beginning of the next day, for each date without a time
        self.before: dict[str, str] = {}  # the column of each field before the current column
        self._days: dict[str, tuple[str, str]] = {}  # the column and the text of each date without a time

    def take(self, body: dict[str, Any], name: str, target: str, cell: Any) -> None:
        """Put a cell into its field, or note the cell's error."""
        text = as_text(cell)
        if ";#" in text and target not in model.PARAGRAPHS:
            text = lists.of_sharepoint(text)
        meaning = self._mapping.meaning(folded(name), target, text)
        if meaning is None and target in _NAMED and (document := cells.json_object(text)) is not None:
            self.rest.append((name, text))
            if (text := words.name_of(document) or "") == "":
                return
            self.warnings.append(Violation(f"/{target}", f"{OBJECT} (column {shown(name)})"))
            meaning = self._mapping.meaning(folded(name), target, text)
        if target in self.unread and self.before.get(target) == self.unread[target] and clocks.read(cell):
            self.rest.append((name, text))  # the row already has the error of its date
            return
        if meaning != "" and target in DATES and moments.is_clock(text):
            self._take_clock(body, name, target, clocks.TimeOfDay(text), text)
            return
        if target in self.next_days and self.before.get(target) == self._days[target][0]:
            self._take_time(body, name, target, cell, meaning)
            return
        if meaning == "" or target == CURRENCY or (target in DATES and moments.is_no_date(text)):
            self.rest.append((name, text))
            return
        if target == "financial_impact" and self._is_foreign(text):
            self.rest.append((name, text))
            return
        if target in model.LISTS:
            if target == "reportable_to" and meaning is None and (answer := words.answer(text)):
                self._take_answer(name, text, answer)
                return
            items = [meaning] if meaning is not None else self._items(name, target, text)
            body[target] = list(dict.fromkeys([*body.get(target, []), *items]))
        elif target in model.PARAGRAPHS:
            body[target] = f"{body[target]}\n{name}: {text}" if target in body else text
        elif target in body and target != LAST_KNOWN:
            self.rest.append((name, text))
        else:
            try:
                value = self._value(name, target, meaning if meaning is not None else text, cell)
            except ValueError as error:
                way = self._way_out(name, text) if target in DATES and not moments.needs_setting(error) else ""
                self.errors.append(Violation(f"/{target}", f"{error} (column {shown(name)}){way}"))
                value = None
                self.unread[target] = folded(name)
            if value is not None:
                body[target] = max(value, body.get(target, "")) if target == LAST_KNOWN else value
                if target in DATES:
                    self.given.setdefault(target, []).append((name, text))
                    self._days[target] = (folded(name), text)

    def _take_answer(self, name: str, text: str, answer: str) -> None:
        """Take a cell that says whether the incident is reportable, and that names no regime."""
        if answer == "no":
            self.rest.append((name, text))
            self.warnings.append(Violation("/reportable_to", f"{NO_REGIME} (column {shown(name)})"))
            return
        way = f'; add {quoted(text)} = "eu-gdpr" or another regime to [values.{quoted(name)}], or "" for none'
        wrong = f"does not name a regime: {quoted(text)} (column {shown(name)}){way}"
        self.errors.append(Violation("/reportable_to", wrong))

    def leave(self, name: str, target: str, cells: list[Any]) -> None:
        """Put the cells of the further columns of one name where the rest goes, because the field takes one value."""
        if cells:
            self.warnings.append(Violation(f"/{target}", f"{REPEATED} (column {shown(name)})"))
            self.rest += [(name, cell) for cell in cells]

    def _is_foreign(self, amount: str) -> bool:
        """Return whether the row's or the mapping's currency is not the US dollar. The cell may show no currency."""
        return self._currency is not None and not amounts.is_dollars(self._currency) and not amounts.is_dollars(amount)

    def _take_time(self, body: dict[str, Any], name: str, target: str, cell: Any, meaning: str | None) -> None:
        """Take a cell of the column below a date without a time. A cell that is not readable never becomes midnight."""
        text = as_text(cell)
        tag = clocks.WITHOUT_TIME_TAG.format(target.replace("_", "-"))
        if meaning == "":
            self.warnings.append(Violation(f"/{target}", f"has a cell without a time; the date is taken, tag {tag}"))
            body["tags"] = list(dict.fromkeys([*body.get("tags", []), tag]))
            self.rest.append((name, text))
        elif clock := clocks.read(cell if meaning is None else meaning):
            self._take_clock(body, name, target, clock, text)
        elif moments.looks_like_date(text) and not moments.is_no_date(text):
            self._take_second_date(body, name, target, text)
        else:
            self._refuse(name, target, text, f"{quoted(text)} is not a time of day")

    def _take_second_date(self, body: dict[str, Any], name: str, target: str, text: str) -> None:
        """Take the time of a complete date in a column of times if its day is the day of the date above the column.

        A program may show only the time of such a cell.
        """
        try:
            moment = moments.parse(text, self._mapping.dates)
        except ValueError:
            moment = moments.Moment("")
        if moment.next_day is None and body[target] <= moment.text < self.next_days[target]:
            body[target] = self._value(name, target, text, None)
            self.given[target].append((name, text))
            return
        if moment.text != body[target]:
            self.warnings.append(Violation(f"/{target}", f"{SECOND_DATE} (column {shown(name)})"))
        self.rest.append((name, text))

    def _refuse(self, name: str, target: str, text: str, wrong: str) -> None:
        """Add the error of a time of day, with the two ways out."""
        ways = f'; write a time such as 14:30, or add {quoted(text)} = "" to [values.{quoted(name)}] to take the date'
        self.errors.append(Violation(f"/{target}", f"{wrong} (column {shown(name)}){ways}"))

    @staticmethod
    def _way_out(name: str, text: str) -> str:
        return f'; correct the cell, or add {quoted(text)} = "" to [values.{quoted(name)}] to leave out the date{RIGHT}'

    def _take_clock(self, body: dict[str, Any], name: str, target: str, clock: clocks.TimeOfDay, cell: str) -> None:
        """Join a time of day with the date in the column above it in the mapping."""
        column, day = self._days.get(target, ("", ""))
        if target not in self.next_days or self.before.get(target) != column:
            wrong = "is a time of day; in the mapping, its column must be directly below the column of its date"
            if target not in body and target in self.before:
                wrong = "is a time of day, and the cell of its date is empty"
            if target in body and target not in self.next_days:  # the date has its own time
                self.rest.append((name, cell))
            else:
                self.errors.append(Violation(f"/{target}", f"{wrong} (column {shown(name)})"))
            return
        try:
            local = f"{day} {clock.text}"
            moment = self._value(name, target, f"{local} {clock.zone}".strip(), None)
            if clock.must_agree and moment != moments.parse(local, self._mapping.dates).text:
                raise ValueError(f"{quoted(cell)} has a zone that is not the zone of that day")
            body[target] = moment
        except ValueError as error:
            self._refuse(name, target, cell, str(error))
        if clock.is_about:
            self.warnings.append(Violation(f"/{target}", clocks.ABOUT))
            self.rest.append((name, cell))
        self.given[target].append((name, cell))

    def _value(self, name: str, target: str, text: str, cell: Any) -> Any:
        if target in DATES:
            moment = moments.parse(text, self._mapping.dates)
            if moment.warning:
                self.warnings.append(Violation(f"/{target}", moment.warning))
            self.next_days.pop(target, None)
            if moment.next_day:
                self.next_days[target] = moment.next_day
            return moment.text
        if target == "financial_impact":
            if unit := amounts.unit_of_column(name):
                raise ValueError(amounts.WRONG_UNIT.format(unit))
            is_typed = isinstance(cell, int | float)
            try:
                return json_text.loads(text if is_typed else amounts.parse(text, self._mapping.decimal), "The amount")
            except MalformedRequest as error:  # a number with thousands of digits, or an infinite number of a workbook
                raise ValueError(error.detail.removesuffix(".")) from None
        if target == "incident_number" and (number := as_number(text)) != text.strip():
            self.repairs.append(DASHES)
            return number
        if target in CHOICES:
            return self._choice(target, text)
        return cells.value(target, text) if target in cells.TYPED else text.strip()

    def _choice(self, target: str, text: str) -> str:
        if (choice := folded(text)) in allowed_values(target):
            return choice
        raise ValueError(f"has no meaning in the mapping: {quoted(text)}; add it to [values.{target}]")

    def _items(self, name: str, target: str, text: str) -> list[Any]:
        if text.lstrip().startswith("[") and isinstance(items := cells.value("tags", text), list):
            if any(isinstance(item, dict) for item in items):
                self.rest.append((name, text))
                self.warnings.append(Violation(f"/{target}", f"{OBJECT} (column {shown(name)})"))
            return [words.name_of(item) or as_text(item) if isinstance(item, dict) else as_text(item) for item in items]
        divided = lists.items(text, self._mapping.list_separators)
        if any(lists.SLASH in item for item in divided):
            self.warnings.append(Violation(f"/{target}", f"{SLASHED} (column {shown(name)})"))
        return divided

    def place_rest(self, body: dict[str, Any]) -> None:
        """Put the cells that no field takes into the description or the tags, as the mapping says."""
        if not self.rest or self._mapping.rest == "leave_out":
            return
        if self._mapping.rest == "tags":
            tags = [f"{name}:{as_text(cell)}" for name, cell in self.rest]
            body["tags"] = list(dict.fromkeys([*body.get("tags", []), *tags]))
            return
        lines = "\n".join(f"{' '.join(name.split())}: {as_text(cell)}" for name, cell in self.rest)
        body["description"] = f"{body['description']}\n\n{lines}" if body.get("description") else lines
        if len(body["description"].encode(errors="replace")) > model.TEXT_BYTES:
            self.errors.append(Violation("/description", TOO_LONG))


def as_number(text: str) -> str:
    """Return an incident number with plain hyphens and spaces, and without ``#`` at its beginning.

    The API refuses the characters of word processors, and a ``#``.
    """
    return text.translate(_PLAIN).strip().removeprefix("#").lstrip()


def as_text(cell: Any) -> str:
    """Return a cell as a text. A cell of a workbook may have another type. A date of a workbook has no zone."""
    if isinstance(cell, datetime | time):  # the library has rounded it to milliseconds
        return str(cell).removesuffix("000")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, dict | list):
        return json_text.dumps(cell)
    return _SURROGATE.sub("\ufffd", str(cell))


def repeats_header(record: Sequence[Any], header: Sequence[str]) -> bool:
    """Return whether a record repeats the names of the columns. Some programs write the names on each page."""
    pairs = zip(record, header, strict=False)
    return len(record) >= len(header) and all(
        (as_text(cell).strip() or f"column {n}") in (name, without_number(name))
        for n, (cell, name) in enumerate(pairs, start=1)
    )


def without_number(name: str) -> str:
    """Return the name of a column without the number of a repeated name, such as ``Uhrzeit`` for ``Uhrzeit (2)``."""
    return _NUMBERED.sub("", name)


def _is_blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())
