"""Write a small workbook (.xlsx) for a test: texts, numbers, truth values and dates, each with its type."""

import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_DAY_0 = datetime(1899, 12, 30)  # noqa: DTZ001  # a workbook has no zones


class Shown(NamedTuple):
    """A number that is shown in a number format."""

    number: float
    form: str


Cell = str | int | float | bool | datetime | date | time | Shown | None


def write(file: Path, sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> Path:
    """Write a workbook with these sheets. Each sheet is a list of records, and a record is a list of cells."""
    numbers = range(1, len(sheets) + 1)
    cells = [cell for records in sheets.values() for record in records for cell in record]
    forms = list(dict.fromkeys(cell.form for cell in cells if isinstance(cell, Shown)))
    listed_forms = "".join(
        f'<numFmt numFmtId="{200 + n}" formatCode={quoteattr(form)}/>' for n, form in enumerate(forms)
    )
    styles = "".join(f'<xf numFmtId="{200 + n}"/>' for n in range(len(forms)))
    listed = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in zip(numbers, sheets, strict=True)
    )
    related = "".join(
        f'<Relationship Id="r{n}" Type="{_REL}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" '
        'ContentType="application/xml"/><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{_REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_REL}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{related}<Relationship Id="s" '
        f'Type="{_REL}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><numFmts>{listed_forms}</numFmts><cellXfs>'
        f'<xf numFmtId="0"/><xf numFmtId="22"/><xf numFmtId="14"/><xf numFmtId="21"/>{styles}</cellXfs></styleSheet>',
    }  # fmt: skip
    for n, records in zip(numbers, sheets.values(), strict=True):
        rows = "".join(f"<row>{''.join(_cell(cell, forms) for cell in record)}</row>" for record in records)
        parts[f"xl/worksheets/sheet{n}.xml"] = f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in parts.items():
            packed.writestr(name, _HEAD + text)
    return file


def write_open_document(file: Path, header: Sequence[str], texts: Sequence[str], cells: str) -> Path:
    """Write a workbook (.ods) with a header and one record: some texts and further cells as XML."""
    names = "urn:oasis:names:tc:opendocument:xmlns"
    text_cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    rows = "".join(
        f"<table:table-row>{''.join(map(text_cell.format, row))}{more}</table:table-row>"
        for row, more in ((header, ""), (texts, cells))
    )
    content = (
        f'<office:document-content xmlns:office="{names}:office:1.0" xmlns:table="{names}:table:1.0" '
        f'xmlns:text="{names}:text:1.0"><office:body><office:spreadsheet><table:table table:name="S">{rows}'
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        packed.writestr("META-INF/manifest.xml", f'{_HEAD}<manifest:manifest xmlns:manifest="{names}:manifest:1.0"/>')
        packed.writestr("content.xml", _HEAD + content)
    return file


def _cell(cell: Cell, forms: list[str]) -> str:
    match cell:
        case None:
            return "<c/>"
        case bool():
            return f'<c t="b"><v>{int(cell)}</v></c>'
        case datetime():
            return f'<c s="1"><v>{(cell - _DAY_0).total_seconds() / 86400!r}</v></c>'
        case date():
            return f'<c s="2"><v>{(cell - _DAY_0.date()).days}</v></c>'
        case time():
            of_day = timedelta(hours=cell.hour, minutes=cell.minute, seconds=cell.second) / timedelta(days=1)
            return f'<c s="3"><v>{of_day!r}</v></c>'
        case Shown():
            return f'<c s="{4 + forms.index(cell.form)}"><v>{cell.number!r}</v></c>'
        case int() | float():
            return f"<c><v>{cell!r}</v></c>"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
