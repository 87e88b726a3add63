"""Tests of the import of workbooks: cells keep their types, and the sheet can be chosen."""

import tracemalloc
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from incidents_cli.console import StepFailed
from incidents_cli.operate.importing import checking, formats, mapping, suggesting, tables
from incidents_cli.operate.importing.convert import as_text
from incidents_cli.operate.importing.rows import read

from tests.support import workbooks
from tests.support.backtracking import Pattern
from tests.support.proposals import imported, of
from tests.support.workbooks import Cell

NOW = "2026-11-23T09:00:00.000Z"
MIDNIGHT = datetime(2024, 3, 4)  # noqa: DTZ001  # a workbook has no zones
LOST = datetime(2024, 3, 4, 9, 15)  # noqa: DTZ001  # a workbook has no zones
GERMAN: list[list[Cell]] = [
    ["Nr.", "Bezeichnung", "Schweregrad", "Erkannt am", "Schaden", "Betroffene Systeme"],
    [17, "Datenträger verloren", "Hoch", LOST, 48250.125, "nb-17, nb-18"],
    [None] * 6,
    [18, "Phishing", "Gering", "06.03.2024", 1250, None],
]


def test_a_workbook_becomes_the_right_incidents_by_its_proposal(tmp_path: Path) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"Vorfälle": GERMAN, "Notes": [["x"]]})
    toml, questions, _ = suggesting.suggest(file, {"zone": "Europe/Berlin"})
    assert questions == []
    (tmp_path / "map.toml").write_text(toml, "utf-8")
    rows = list(read(file, mapping.load(str(tmp_path / "map.toml"))))
    assert [row.line for row in rows] == [2, 4]
    first, second = (checking.check(row, NOW) for row in rows)
    assert str(first.pop("financial_impact")) == "48250.125"
    assert first == {
        "incident_number": "17", "title": "Datenträger verloren", "severity": "high", "status": "new",
        "detected_at": "2024-03-04T08:15:00.000Z", "affected_asset_ids": ["nb-17", "nb-18"], "source": "edm",
        "source_type": "api",
    }  # fmt: skip
    assert (second["incident_number"], second["detected_at"]) == ("18", "2024-03-05T23:00:00.000Z")


@pytest.mark.parametrize(
    ("seconds", "stamp"),
    [
        (7, "04T00:00:07.000"), (86_399, "04T23:59:59.000"), (33_375.071, "04T09:16:15.071"),
        (0.000081 * 86_400, "04T00:00:06.998"), (86_399.9996, "05T00:00:00.000"),
    ],
)  # fmt: skip
def test_a_time_keeps_its_milliseconds_and_a_full_second_stays_one(tmp_path: Path, seconds: float, stamp: str) -> None:
    cell = workbooks.Shown(45355 + seconds / 86_400, "yyyy-mm-dd hh:mm:ss")  # the format shows no milliseconds
    file = workbooks.write(tmp_path / "list.xlsx", {"S": [["T", "Erkannt am"], ["A", cell]]})
    columns = {"columns": {"T": "title", "Erkannt am": "detected_at"}, "zone": "UTC"}
    (row,) = read(file, mapping.of_table(columns))
    assert checking.check(row, NOW)["detected_at"] == f"2024-03-{stamp}Z"


def test_no_full_second_of_a_day_gets_a_fraction(tmp_path: Path) -> None:
    cells = [[workbooks.Shown(45355 + n / 86_400, "yyyy-mm-dd hh:mm:ss")] for n in range(1, 86_400, 11)]
    file = workbooks.write(tmp_path / "list.xlsx", {"S": cells})
    texts = [as_text(record[0]) for _, record in tables.read_workbook(file, None)]
    assert texts == [str(MIDNIGHT + timedelta(seconds=n)) for n in range(1, 86_400, 11)]


def test_a_workbook_with_names_of_fields_needs_no_mapping(tmp_path: Path) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"S": [["title", "financial_impact"], ["A", 12.5]]})
    (row,) = read(file)
    assert str(checking.check(row, NOW)["financial_impact"]) == "12.5"


def test_a_failed_row_of_a_workbook_can_be_imported_again(tmp_path: Path) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"S": GERMAN})
    read_by = mapping.of_table({
        "columns": {"Bezeichnung": "title", "Erkannt am": "detected_at", "Schaden": "financial_impact"},
        "rest": "leave_out", "zone": "UTC",
    })  # fmt: skip
    rows = list(read(file, read_by))
    errors = tmp_path / "list.xlsx.errors.jsonl"
    errors.write_text("".join(f'{{"line": {row.line}, "errors": [], {row.stood}}}\n' for row in rows), "utf-8")
    assert [checking.check(row, NOW) for row in read(errors, read_by)] == [checking.check(row, NOW) for row in rows]


def test_a_sheet_is_chosen_by_its_name(tmp_path: Path) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"A": [["title"], ["first"]], "B": [["title"], ["second"]]})
    assert [row.body["title"] for row in read(file, mapping.of_fields({"sheet": "B"}))] == ["second"]
    with pytest.raises(StepFailed) as refused:
        list(read(file, mapping.of_fields({"sheet": "C"})))
    assert "A, B" in refused.value.detail


@pytest.mark.parametrize("content", [b"", b"title\nx\n", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "list.xlsx"
    file.write_bytes(content)
    with pytest.raises(StepFailed, match="is not a workbook"):
        list(read(file))


def test_an_empty_sheet_is_refused(tmp_path: Path) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"A": []})
    with pytest.raises(StepFailed):
        list(read(file))
    with pytest.raises(StepFailed, match="no header"):
        suggesting.suggest(file, {})


# --- hostile workbooks

_SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)
_TABLE = (
    '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>'
    '<table:table table:name="S"><table:table-row table:number-rows-repeated="{}"><table:table-cell '
    'office:value-type="string" table:number-columns-repeated="{}"><text:p>title</text:p></table:table-cell>'
    "</table:table-row></table:table></office:spreadsheet></office:body></office:document-content>"
)


def with_cells(file: Path, *references: str) -> Path:
    """Write a workbook whose sheet has only these cells."""
    cells = "".join(f'<row><c r="{name}" t="inlineStr"><is><t>title</t></is></c></row>' for name in references)
    return with_sheet(file, _SHEET.format(cells))


def with_sheet(file: Path, sheet: str, *, form: str = '0.00 "EUR"', changed: str = "sheet1") -> Path:
    """Write a workbook with one sheet from this XML. Cells with ``s="4"`` have the number format ``form``."""
    made = workbooks.write(file.with_suffix(".made"), {"S": [["title", workbooks.Shown(1, form)]]})
    with zipfile.ZipFile(made) as packed, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as to:
        for name in packed.namelist():
            to.writestr(name, sheet if changed in name else packed.read(name))
    return file


def of_open_document(file: Path, columns: int, rows: int = 1_048_576) -> Path:
    """Write a workbook that repeats one cell in this number of rows and columns."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        packed.writestr("META-INF/manifest.xml", "<manifest/>")
        packed.writestr("content.xml", _TABLE.format(rows, columns))
    return file


def test_a_small_workbook_that_needs_much_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "WORKBOOK_MEMORY", 128 * 1024**2)
    ballast = b"x" * 512 * 1024**2  # a second process reads the workbook, and the limit counts only its memory
    for file in (
        with_cells(tmp_path / "a.xlsx", "A1", "T1048576"),
        of_open_document(tmp_path / "a.ods", 20, 1_000_000),
    ):
        assert file.stat().st_size < 5_000
        with pytest.raises(StepFailed, match="is too large") as refused:
            list(read(file))
        assert "CSV" in refused.value.advice
        with pytest.raises(StepFailed, match="is too large"):
            suggesting.suggest(file, {})
    assert ballast


CURRENCY = '<table:table-cell office:currency="EUR" table:number-columns-repeated="{}"/>'


def in_euros(file: Path, *repeats: str) -> Path:
    """Write an open document with one sheet. Its rows have one cell in euros each, which is repeated."""
    rows = "".join(f"<table:table-row>{CURRENCY.format(times)}</table:table-row>" for times in repeats)
    spaces = 'xmlns:table="urn:table" xmlns:office="urn:office"'
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr(
            "content.xml", f'<office:body {spaces}><table:table table:name="A">{rows}</table:table></office:body>'
        )
    return file


def test_a_cell_that_is_repeated_very_often_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = in_euros(tmp_path / "a.ods", "2", "-1", "many", "9" * 12)
    assert sorted(formats.shown(broken, "A")) == [(0, 0), (0, 1), (1, 0), (2, 0), (3, 0)]

    assert len(formats.shown(in_euros(tmp_path / "b.ods", "999999999"), "A")) == 16_384
    with pytest.raises(LookupError, match="save the sheet as CSV"):
        formats.shown(in_euros(tmp_path / "c.ods", *["999999999"] * 100), "A")
    monkeypatch.setattr(formats, "_PART_BYTES", 100)
    with pytest.raises(LookupError, match="is too large"):
        formats.shown(broken, "A")


@pytest.mark.parametrize("last", ["XFD1048576", "ZZZZZZZZ99999999999", "A0", "1", "A99999999999999999999"])
def test_a_workbook_that_the_library_cannot_read_ends_in_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    monkeypatch.setattr(tables, "WORKBOOK_MEMORY", 128 * 1024**2)
    with pytest.raises(StepFailed, match=r"is too large|is not a workbook"):
        list(read(with_cells(tmp_path / "a.xlsx", "A1", last)))


def test_the_rest_of_a_sheet_is_not_read_if_nobody_asks_for_it(tmp_path: Path) -> None:
    file = workbooks.write(tmp_path / "a.xlsx", {"S": [["title"]] * 20_000})
    records = tables.read_workbook(file, None)
    assert next(records) == (1, ["title"])
    records.close()  # type: ignore[attr-defined]


# --- the proposal for a workbook

HEAD: list[Cell] = ["Nr*", "Titel*", "Status*", "Erkannt am*", "Schweregrad*"]


def rows(count: int) -> list[list[Cell]]:
    return [[f"V-{n}", f"A{n}", "offen", date(2024, 3, 4), "hoch"] for n in range(count)]


def test_the_sheet_with_the_most_rows_is_taken(tmp_path: Path) -> None:
    task: list[Cell] = ["t", "y"]
    tasks: list[list[Cell]] = [["Titel", "x"], *[task] * 9]
    sheets: dict[str, list[list[Cell]]] = {
        "Deckblatt": [["Register"]],
        "2023": [HEAD, *rows(2)],
        "2024": [HEAD, *rows(4)],
        "Aufgaben": tasks,
    }
    file = workbooks.write(tmp_path / "list.xlsx", sheets)
    assert len(imported(file)) == 4
    assert any('"2023" (2 rows), "Aufgaben" (9 rows)' in note for note in of(file).notes)


def changed(file: Path, part: str, old: str, new: str) -> Path:
    """Return a copy of a workbook in which one part is changed."""
    made = file.with_name("changed.xlsx")
    with zipfile.ZipFile(file) as packed, zipfile.ZipFile(made, "w") as copy:
        for name in packed.namelist():
            text = packed.read(name).decode()
            assert name != part or old in text
            copy.writestr(name, text.replace(old, new, 1) if name == part else text)
    return made


def test_a_hidden_sheet_is_not_taken_and_hidden_rows_are_told(tmp_path: Path) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"Archiv": [HEAD, *rows(4)], "2024": [HEAD, *rows(2)]})
    hidden = changed(file, "xl/workbook.xml", '<sheet name="Archiv"', '<sheet state="hidden" name="Archiv"')
    assert len(imported(hidden)) == 2
    assert any('"Archiv" (4 rows, hidden)' in note for note in of(hidden).notes)
    assert not any("Hidden rows" in note for note in of(hidden).notes)
    filtered = changed(file, "xl/worksheets/sheet1.xml", "</row><row>", '</row><row hidden="1">')
    assert "Hidden rows of the sheet: 1. They are imported, too." in of(filtered).notes


@pytest.mark.parametrize(
    "cell",
    ['<c t="e"><v>#VALUE!</v></c>', "<c><f>A1</f></c>", "<c><f>A1</f><v/></c>", '<c t="e"><f>1/0</f><v>#N/A</v></c>'],
)
def test_a_cell_of_a_workbook_that_has_no_value_is_told(tmp_path: Path, cell: str) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"S": [HEAD, *rows(2)]})
    assert not any("as empty" in note for note in of(file).notes)
    faulty = changed(file, "xl/worksheets/sheet1.xml", "</row><row>", f"{cell}</row><row>")
    assert "Cells with an error or with a formula without its value: 1. They are read as empty." in of(faulty).notes


def test_a_sheet_of_a_chart_is_no_sheet(tmp_path: Path) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"Chart": [], "S": [HEAD, *rows(2)]})
    chart = changed(
        file,
        "xl/_rels/workbook.xml.rels",
        '/worksheet" Target="worksheets/sheet1',
        '/chartsheet" Target="worksheets/sheet1',
    )
    assert tables.sheets(chart) == {"S": False}
    assert len(imported(chart)) == 2
    assert len(list(tables.read_workbook(chart, None))) == 3


def test_a_sheet_that_is_too_large_does_not_stop_the_proposal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"S": [HEAD, *rows(2)], "Wide": [["x"]]})
    wide = changed(
        file, "xl/worksheets/sheet2.xml", "</row>", '</row><row r="1048576"><c r="T1048576"><v>1</v></c></row>'
    )
    monkeypatch.setattr(tables, "WORKBOOK_MEMORY", 128 * 1024**2)
    assert len(imported(wide)) == 2
    assert any('"Wide" (too large)' in note for note in of(wide).notes)


def test_a_text_of_merged_cells_is_in_each_of_their_rows(tmp_path: Path) -> None:
    table: list[list[Cell]] = [["Titel", "Schweregrad", "Erkannt am", "Schaden"],
                               ["A", "hoch", datetime(2024, 3, 4, 9, 15), 5], ["B", None, None, None],  # noqa: DTZ001
                               [None, None, None, None], ["C", "gering", None, None]]  # fmt: skip
    file = workbooks.write(tmp_path / "list.xlsx", {"S": table})
    ranges = "".join(f'<mergeCell ref="{column}2:{column}4"/>' for column in "BCDZ")
    merged = changed(file, "xl/worksheets/sheet1.xml", "</sheetData>", f"</sheetData><mergeCells>{ranges}</mergeCells>")
    first, second, third = imported(merged)
    assert (first.body["severity"], second.body["severity"], third.body["severity"]) == ("high", "high", "low")
    assert second.body["detected_at"] == "2024-03-04T09:15:00.000Z"
    assert (first.body["financial_impact"], second.body.get("financial_impact")) == (5, None)


_CELL = '<row><c r="{}" s="4"><v>1</v></c></row>'


@pytest.mark.parametrize("reference", ["A" * 300_000 + "1", "ß1", "a1", "AAAA1", "A", "1", "A12345678", "A1B"])
def test_a_cell_reference_of_another_form_is_refused(tmp_path: Path, reference: str) -> None:
    file = with_sheet(tmp_path / "a.xlsx", _SHEET.format(_CELL.format(reference)))
    with pytest.raises(LookupError, match="a cell has the reference") as refused:
        formats.shown(file, "S")
    assert len(str(refused.value)) < 60
    with pytest.raises(StepFailed, match=r"is not a workbook|is too large"):
        list(tables.read_workbook(file, None))


def test_a_long_cell_reference_takes_steps_in_proportion_to_its_length() -> None:
    def steps(n: int) -> int:
        with pytest.raises(LookupError):
            formats._column("A" * n + "1")
        return Pattern(formats._REFERENCE).steps("A" * n + "1", "fullmatch")

    assert steps(400) <= 2 * steps(200)


@pytest.mark.parametrize("around", ["{}", "<x>{}</x>", "<row>{}</row>"])
def test_an_element_outside_of_the_rows_is_no_cell(tmp_path: Path, around: str) -> None:
    stray = around.format(f'<c r="{"A" * 300_000}1" s="4"><v>1</v></c>')
    sheet = _SHEET.format(_CELL.format("B1"))
    assert list(formats.shown(with_sheet(tmp_path / "a.xlsx", sheet), "S")) == [(0, 1)]
    behind = sheet.replace("</sheetData>", f"</sheetData>{stray}")
    before = sheet.replace("<sheetData>", f"{stray}<sheetData>")
    for changed in (before, behind):
        assert list(formats.shown(with_sheet(tmp_path / "a.xlsx", changed), "S")) == [(0, 1)]


@pytest.mark.parametrize(
    "sheet",
    [
        _SHEET.format('<row hidden="1"/>' * 60_000), _SHEET.format("<x/>" * 60_000),
        _SHEET.format("<row>" + "<c><v>1</v></c>" * 30_000 + "</row>"),
        _SHEET.format("").replace("</sheetData>", "</sheetData>" + "<x/>" * 60_000),
        _SHEET.format("").replace("<sheetData>", "<x/>" * 60_000 + "<sheetData>"),
    ],
    ids=["rows", "others in the data", "cells", "behind the data", "before the data"],
)  # fmt: skip
def test_the_elements_of_a_sheet_are_dropped_when_they_end(tmp_path: Path, sheet: str) -> None:
    file = with_sheet(tmp_path / "a.xlsx", sheet)
    assert formats.shown(file, "S") == {}  # the first call imports modules and compiles patterns, which needs memory
    for read_sheet in (formats.shown, formats.unseen):
        tracemalloc.start()
        try:
            assert read_sheet(file, "S") in ({}, formats.Unseen())
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert most < 1.5 * 1024**2  # the tree of all elements needs more memory


def test_the_bound_of_memory_holds_for_every_reading_of_a_workbook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "WORKBOOK_MEMORY", 64 * 1024**2)
    deep = _SHEET.format("<x>" * 500_000 + "</x>" * 500_000)  # the elements end late, so none can be dropped
    file = with_sheet(tmp_path / "a.xlsx", deep)
    assert file.stat().st_size < 20_000
    for read_file in (lambda: list(tables.read_workbook(file, None)), lambda: tables.unseen(file, "S")):
        tracemalloc.start()  # measures only the command's own process
        try:
            with pytest.raises(StepFailed, match=r"is too large|is not a workbook"):
                read_file()
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert most < 4 * 1024**2


def test_only_the_process_of_bounded_memory_opens_a_workbook() -> None:
    source = Path(tables.__file__).read_text("utf-8")
    assert not any(word in source for word in ("zipfile", "ElementTree", "calamine", "formats.shown", "formats.unseen"))


def test_a_number_format_longer_than_excel_permits_is_refused(tmp_path: Path) -> None:
    for form in ("0" * 256, f'0 "{"x" * 256}"', f'"{"x" * 256}" 0'):
        file = with_sheet(tmp_path / "a.xlsx", _SHEET.format(_CELL.format("B1")), form=form)
        with pytest.raises(StepFailed) as refused:
            list(tables.read_workbook(file, None))
        assert "a number format has more than 255 characters" in refused.value.detail


def test_each_number_format_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    styles = (
        f'<styleSheet><numFmts><numFmt numFmtId="200" formatCode="0 &quot;EUR{"x" * 200}&quot;"/></numFmts><cellXfs>'
        + '<xf numFmtId="200"/>' * 1000
        + "</cellXfs></styleSheet>"
    )
    file = with_sheet(tmp_path / "a.xlsx", styles, changed="styles")
    read_formats: list[str] = []
    monkeypatch.setattr(formats, "_format", read_formats.append)
    formats.shown(file, "S")
    assert len(read_formats) < 10


@pytest.mark.parametrize("rows", [1_048_576, 2_000_000, 50_000_000, 999_999_999])
def test_a_sheet_with_more_rows_than_excel_permits_is_refused(tmp_path: Path, rows: int) -> None:
    file = of_open_document(tmp_path / "a.ods", 1, rows)
    with pytest.raises(StepFailed, match="is too large") as refused:
        next(tables.read_workbook(file, None))
    assert "has more than 1,048,575 rows" in refused.value.detail
    assert "CSV" in refused.value.advice


def test_a_sheet_whose_empty_rows_are_repeated_to_its_end_is_read(tmp_path: Path) -> None:
    file = of_open_document(tmp_path / "a.ods", 1, 2)
    with zipfile.ZipFile(file, "a") as packed:
        text = packed.read("content.xml").decode()
    rest = '<table:table-row table:number-rows-repeated="16777214"><table:table-cell/></table:table-row></table:table>'
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        packed.writestr("META-INF/manifest.xml", "<manifest/>")
        packed.writestr("content.xml", text.replace("</table:table>", rest))
    assert list(tables.read_workbook(file, None)) == [(1, ["title"]), (2, ["title"])]
