"""Find the numbers of a workbook that a number format shows with a unit, as a percentage or with leading zeros.

The library that reads workbooks gives such a cell as a plain number, so its currency would be lost. This module reads
the formats from the parts of the file itself: `.xlsx` and `.xlsm` (ECMA-376 part 1, 18.3 and 18.8), and `.ods`
(OpenDocument 1.3 part 3, 19.369). The formats of `.xls` are not read. This module also counts the hidden rows and the
cells without a value, because the library does not report them. Only the process ``workbook_process`` uses this module,
because a hostile file can make the module use much memory.
"""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from posixpath import join, normpath
from typing import IO, Any, NamedTuple
from xml.etree import ElementTree  # expat limits the expansion of entities, and the caller limits size and memory

from . import amounts

# The parts of a number format: a text in quotes, a character after a backslash, a currency with its locale, a color or
# a condition, a space or a filling, and any other character.
_PARTS = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\[\]\-]*)(?:-[^\[\]]*)?\]|\[[^\[\]]*\]|[_*].|(.)', re.DOTALL)
_REFERENCE = re.compile("([A-Z]{1,3})[0-9]{1,7}")  # a cell's reference, such as B17
_PLACE = ["sheetData", "row", "c"]  # the path from the root of a sheet to a cell
_DEPTHS = (3, 4, 5)  # the depths of a row, of a cell, and of a part of a cell
_DIGITS = "0#?.,"
_ZEROS = re.compile(r"[#?,]*(0+)")
_PERCENT = {"9": "0%", "10": "0.00%"}  # the built-in formats of every file (18.8.30)

_PART_BYTES = 64 * 1024**2  # the limit of an unpacked part; reading the part takes ten times as much memory
_COLUMNS = 16_384  # the most columns that a sheet can have
_CELLS = 1_000_000  # the most cells with a unit, because a small file can repeat a cell very often
_CHARACTERS = 255  # Excel's limit for a number format; a cell with the format gets a text of about this length
_TOO_LONG = f"a number format has more than {_CHARACTERS} characters; save the sheet as CSV UTF-8"


class Format(NamedTuple):
    """How a number is shown: the texts around it, the factor, and the least number of digits."""

    before: str = ""
    after: str = ""
    factor: float = 1
    digits: int = 0

    def text(self, number: float) -> str:
        return f"{self.before}{number * self.factor:0{self.digits or 1}.15g}{self.after}"


Cells = dict[tuple[int, int], Format]
"""Formats by row and column. Both begin at 0."""


def shown(file: Path, sheet: str) -> Cells:
    """Return the formats of a sheet's numbers that are more than plain numbers or US dollars.

    Raises BadZipFile, LookupError or ParseError if a part of the file is missing or broken.
    """
    if not zipfile.is_zipfile(file):
        return {}
    with zipfile.ZipFile(file) as packed:
        of_form = _of_open_document if file.suffix.lower() == ".ods" else _of_office_open
        cells: Cells = {}
        for place, form in of_form(packed, sheet):
            cells[place] = form
            if len(cells) > _CELLS:
                raise LookupError(f"more than {_CELLS:,} cells of the sheet have a unit; save the sheet as CSV UTF-8")
            if len(form.before) + len(form.after) + form.digits > _CHARACTERS:
                raise LookupError(_TOO_LONG)
    return cells


class Unseen(NamedTuple):
    """The counts that the library does not give: hidden rows, cells with an error, and formulas without their value."""

    hidden_rows: int = 0
    errors: int = 0
    formulas: int = 0


def unseen(file: Path, sheet: str) -> Unseen:
    """Return the counts of a sheet that the library does not give. Only `.xlsx` and `.xlsm` are read.

    Raises BadZipFile, LookupError or ParseError if a part of the file is missing or broken.
    """
    if not zipfile.is_zipfile(file) or file.suffix.lower() == ".ods":
        return Unseen()
    hidden = errors = formulas = 0
    with zipfile.ZipFile(file) as packed, packed.open(_part_of_sheet(packed, sheet)) as content:
        cells, value, formula = 0, False, False
        for event, name, element in _rows_and_cells(content):
            match name, event:
                case "row", "start":
                    cells = 0
                case "row", _:
                    hidden += element.get("hidden") in ("1", "true") and cells > 0
                case "c", "start":
                    value = formula = False
                case "c", _:
                    cells += 1
                    errors += element.get("t") == "e"
                    formulas += formula and not value
                case "c/f", _:
                    formula = True
                case "c/v", "end":
                    value = bool(element.text)
    return Unseen(hidden, errors, formulas)


def _of_office_open(packed: zipfile.ZipFile, sheet: str) -> Iterator[tuple[tuple[int, int], Format]]:
    if "xl/styles.xml" not in packed.namelist():
        return
    styles = _parsed(packed, "xl/styles.xml")
    codes = _PERCENT | {
        form.get("numFmtId"): form.get("formatCode", "") for form in styles.iterfind("{*}numFmts/{*}numFmt")
    }
    if any(len(code) > _CHARACTERS for code in codes.values()):
        raise LookupError(_TOO_LONG)
    forms = {number: _format(code) for number, code in codes.items()}
    by_style = [forms.get(style.get("numFmtId")) for style in styles.iterfind("{*}cellXfs/{*}xf")]
    if not any(by_style):
        return
    part = _part_of_sheet(packed, sheet)
    with packed.open(part) as content:
        row = column = -1
        for event, name, element in _rows_and_cells(content):
            if event == "end" or "/" in name:
                continue
            if name == "row":
                row, column = _count(element.get("r"), row + 2) - 1, -1
                continue
            column = _column(element.get("r")) if element.get("r") else column + 1
            form = by_style[_count(element.get("s"), 0)]
            if form and element.get("t", "n") == "n":
                yield (row, column), form


def _rows_and_cells(content: IO[bytes]) -> Iterator[tuple[str, str, Any]]:
    """Yield ``start`` or ``end``, a name, and the element, for the rows and cells of a sheet's data.

    The name is ``row`` for a row, ``c`` for a cell, and ``c/NAME`` for a part of a cell, such as ``c/f`` for a
    formula.

    Each element is dropped at its own end. So at the end of an element, its children are gone. The part of the sheet
    after the data is not read.
    """
    names: list[str] = []
    elements: list[Any] = []
    for event, element in ElementTree.iterparse(content, ("start", "end")):  # noqa: S314
        if event == "start":
            names.append(_name(element))
            elements.append(element)
        if len(names) in _DEPTHS and names[1:4] == _PLACE[: len(names) - 1]:
            yield event, "/".join(names[3:]) or "row", element
        if event == "end":
            if len(names) == 2 and names[1:] == _PLACE[:1]:
                return
            del names[-1], elements[-1]
            if elements:
                del elements[-1][:]


def _part_of_sheet(packed: zipfile.ZipFile, sheet: str) -> str:
    relations = {each.get("Id"): each.get("Target", "") for each in _parsed(packed, "xl/_rels/workbook.xml.rels")}
    sheets = _parsed(packed, "xl/workbook.xml").iterfind("{*}sheets/{*}sheet")
    wanted = {each.get("name"): relations[_get(each, "id")] for each in sheets}[sheet]
    return normpath(join("xl", wanted)).lstrip("/")


def _of_open_document(packed: zipfile.ZipFile, sheet: str) -> Iterator[tuple[tuple[int, int], Format]]:
    body = _parsed(packed, "content.xml")
    table = {_get(each, "name"): each for each in body.iter() if _name(each) == "table"}[sheet]
    row = 0
    for line in (each for each in table.iter() if _name(each) == "table-row"):
        column = 0
        for cell in line:
            times = min(_count(_get(cell, "number-columns-repeated"), 1), _COLUMNS)
            currency = _get(cell, "currency")
            form = Format(after=f" {currency}") if currency and currency != "USD" else None
            form = Format(after=" %", factor=100) if _get(cell, "value-type") == "percentage" else form
            if form:
                yield from (((row, column + n), form) for n in range(times))
            column += times
        row += _count(_get(line, "number-rows-repeated"), 1)


def _format(code: str) -> Format | None:
    """Return the format in the code of a number format, or None if it shows only a plain number or US dollars.

    The code of positive numbers decides. Letters outside of texts, as in a code of dates, show no text.
    """
    texts, digits, is_percent = ["", ""], "", False
    for quoted, escaped, currency, plain in _PARTS.findall(code):
        if plain == ";":
            break
        is_percent |= plain == "%"
        if plain and plain in _DIGITS:
            digits += plain
        else:
            texts[bool(digits)] += quoted or escaped or currency or ("" if plain.isalnum() or plain in "%@" else plain)
    before, after = texts
    # Each comma after the digits divides the shown number by 1000.
    thousands = sum(len(part) - len(part.rstrip(",")) for part in digits.split("."))
    if unit := amounts.other_unit(before) or amounts.other_unit(after):
        return Format(after=f" {unit}", factor=1000.0**-thousands)
    if is_percent:
        return Format(after=" %", factor=100)
    if thousands or amounts.is_dollars(f"{before} {after}"):
        return None
    zeros = _ZEROS.fullmatch(digits)
    width = len(zeros[1]) if zeros else 0
    if width > 1 or (digits and re.search(r"[^\W\d_]", before + after)):
        return Format(before, after.rstrip(), digits=width)
    return None


def _column(reference: str) -> int:
    """Return the number of the column in a cell's reference. Raises LookupError if the reference has another form."""
    if not (parts := _REFERENCE.fullmatch(reference)):
        raise LookupError(f"a cell has the reference {reference[:20]!r}")
    number = 0
    for letter in parts[1]:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _count(text: str | None, default: int) -> int:
    """Return the number in an attribute. A missing or broken attribute counts as the default."""
    return int(text) if text and re.fullmatch("[0-9]{1,9}", text) else default


def _parsed(packed: zipfile.ZipFile, part: str) -> Any:
    if packed.getinfo(part).file_size > _PART_BYTES:
        raise LookupError(f"{part} is too large; save the sheet as CSV UTF-8")
    with packed.open(part) as content:
        return ElementTree.parse(content).getroot()  # noqa: S314


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _get(element: Any, attribute: str) -> str | None:
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == attribute), None)
