"""Tests of the limits of an import: a small hostile file takes neither much memory nor much room on the disk."""

import json
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
from incidents.domain.errors import Violation
from incidents_cli import console
from incidents_cli.console import StepFailed
from incidents_cli.operate.importing import facts, importer, limits, mapping, suggesting, tables, workbook_process
from incidents_cli.operate.importing.job import Job
from incidents_cli.operate.importing.reasons import Reasons
from incidents_cli.operate.importing.rows import read
from incidents_cli.operate.importing.sending import Outcome

from tests.support import workbooks

CELL, ROW = limits.CELL_CHARACTERS, limits.ROW_CHARACTERS
BIG = "A" * 1_000_000
EMOJI = "\U0001f600"  # with one of them, each character of a text takes four bytes
TABLE = (
    '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>'
    '<table:table table:name="S">{}</table:table></office:spreadsheet></office:body></office:document-content>'
)


def workbook(file: Path, records: list[list[Any]]) -> Path:
    """Write an .xlsx or .ods file with the sheet S."""
    if file.suffix == ".xlsx":
        return workbooks.write(file, {"S": records})
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    rows = ("".join(map(cell.format, record)) for record in records)
    table = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        packed.writestr("META-INF/manifest.xml", "<manifest/>")
        packed.writestr("content.xml", TABLE.format(table))
    return file


def failed(file: Path, read_by: mapping.Mapping | None = None) -> StepFailed:
    with pytest.raises(StepFailed) as refused:
        list(read(file, read_by))
    return refused.value


@pytest.mark.parametrize("form", [".xlsx", ".ods"])
@pytest.mark.parametrize("letter", ["A", EMOJI], ids=["latin", "emoji"])
def test_a_cell_of_a_workbook_has_a_limit_and_the_error_names_its_place(tmp_path: Path, form: str, letter: str) -> None:
    longest = letter + "A" * (CELL - 1)
    file = workbook(tmp_path / f"list{form}", [["title", "source"], ["a", longest], ["b", longest + "A"]])
    refused = failed(file)
    assert refused.detail.strip() == "sheet S, row 3: The cell in column B has 1,048,577 characters."
    assert refused.advice == "Shorten the cell to 1,048,576 characters."


@pytest.mark.parametrize("form", [".csv", ".xlsx"])
def test_a_cell_has_the_same_limit_in_all_tables(tmp_path: Path, form: str) -> None:
    for size, is_read in ((CELL, True), (CELL + 1, False)):
        file = tmp_path / f"list{form}"
        if form == ".csv":
            file.write_text(f"title\n{'A' * size}\n")
        else:
            workbook(file, [["title"], ["A" * size]])
        if is_read:
            assert [len(row.body["title"]) for row in read(file)] == [CELL]
        else:
            assert failed(file).advice.startswith("Shorten the cell to 1,048,576 characters")


def test_no_text_above_the_limit_leaves_the_process_that_reads_a_workbook(tmp_path: Path) -> None:
    file = workbook(tmp_path / "list.xlsx", [["title"], *([[BIG[:300_000]]] * 20), [EMOJI + 5 * BIG]])
    answers = list(workbook_process._answers(str(file), "values", None))
    batches = [[cell for _, cells in rows for cell in cells] for kind, rows in answers if kind == "rows"]
    assert sum(map(len, batches)) == 21  # all rows before the long cell
    assert max(sum(map(len, batch)) for batch in batches) < 2 * CELL
    assert answers[-1][0] == "too long"


@pytest.mark.parametrize("form", [".csv", ".xlsx", ".ods", ".jsonl"])
def test_a_row_has_the_same_limit_in_all_formats(tmp_path: Path, form: str) -> None:
    file = tmp_path / f"list{form}"
    match form:
        case ".csv":
            file.write_text("title\n" + ",".join([BIG] * 17) + "\n")
        case ".jsonl":
            file.write_text(json.dumps({"title": [BIG] * 17}) + "\n")
        case _:
            workbook(file, [["title"], [BIG] * 17])
    assert "16,777,216" in "".join(map(str, vars(failed(file)).values()))


@pytest.mark.parametrize(
    "content", ["title\n" + "x," * 9_000_000, "title\n" + '"x\n",' * 4_000_000], ids=["one", "many"]
)
def test_a_csv_row_is_not_read_beyond_its_limit(tmp_path: Path, content: str) -> None:
    file = tmp_path / "list.csv"
    file.write_text(content)
    refused = failed(file)
    assert "row larger than row limit (16777216)" in refused.detail
    assert refused.advice == "Shorten the row to 16,777,216 characters, or close its open quote."


def test_a_line_of_an_export_may_have_a_long_history(tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    file.write_text(json.dumps({"incident": {"title": "a"}, "changes": [{"changes": BIG}] * 16}) + "\n")
    assert [row.body for row in read(file)] == [{"title": "a"}]


@pytest.mark.parametrize("form", [".csv", ".xlsx"])
def test_a_row_may_have_as_many_cells_as_excel_permits(tmp_path: Path, form: str) -> None:
    columns = limits.COLUMNS + 1
    file = tmp_path / f"list{form}"
    if form == ".csv":
        file.write_text("title\na" + "," * (columns - 1) + "\n")
    else:
        workbook(file, [["title"], [1] * columns])
    assert "The row has 16,385 cells." in failed(file).detail


@pytest.mark.parametrize("form", [".csv", ".xlsx"])
def test_the_name_of_a_column_has_a_limit(tmp_path: Path, form: str) -> None:
    name = "n" * (limits.NAME_CHARACTERS + 1)
    file = tmp_path / f"list{form}"
    if form == ".csv":
        file.write_text(f"title,{name}\na,b\n")
    else:
        workbook(file, [["title", name], ["a", "b"]])
    for read_by in (None, mapping.of_table({"columns": {"title": "title"}, "rest": "leave_out"})):
        assert "column 2: The name has 4,097 characters." in failed(file, read_by).detail
    with pytest.raises(StepFailed, match="too long"):
        suggesting.suggest(file, {})


def test_the_names_of_the_sheets_have_a_limit(tmp_path: Path) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"S" * (CELL + 1): [["title"], ["a"]]})
    with pytest.raises(StepFailed, match="too large") as refused:
        tables.sheets(file)
    assert "The names of its sheets have 1,048,577 characters." in refused.value.detail


def test_an_error_of_the_library_is_cut(tmp_path: Path) -> None:
    file = workbook(tmp_path / "list.xlsx", [["title"]])
    with pytest.raises(StepFailed) as refused:
        tables.unseen(file, "x" * 50_000)  # the error names the missing sheet
    assert len(refused.value.detail) < 1100


def test_a_number_format_longer_than_excel_permits_is_not_parsed(tmp_path: Path) -> None:
    file = workbook(tmp_path / "list.xlsx", [["title", workbooks.Shown(1, "[x]" * 86)]])
    assert "a number format has more than 255 characters" in failed(file).detail


@pytest.mark.parametrize(("size", "rows"), [(32_767, 3), (32_768, 1)])
def test_a_text_longer_than_excel_permits_is_not_repeated_in_merged_rows(size: int, rows: int) -> None:
    sheet = [(line, ["A" * size if line == 1 else "", 1]) for line in (1, 2, 3)]
    filled = list(workbook_process._filled(iter(sheet), [((0, 0), (2, 0))], 0))
    assert sum(bool(cells[0]) for _, cells in filled) == rows


def test_a_process_that_cannot_watch_its_memory_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "WORKBOOK_MEMORY", 64 * 1024**2)
    program = "import sys; text = bytearray(256 * 1024**2); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as process:
        threading.Thread(target=tables._watch, args=(process,), daemon=True).start()
        try:
            assert process.wait(30) == -9
        finally:
            process.kill()


def test_a_proposal_keeps_only_the_beginning_of_a_long_cell(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("title,notes\n" + f"a,{BIG}\n" * 5)
    kept = facts.read(file, {})
    longest = facts._CHARACTERS
    assert [max(map(len, cells)) for cells in kept.sample] == [longest] * 5
    assert max(len(text) for column in kept.columns for text in column.values) == longest


def test_a_proposal_keeps_no_more_rows_than_fit_into_the_limit_of_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ROW_CHARACTERS", 5_500)
    file = tmp_path / "list.csv"
    file.write_text("title,notes\n" + f"a,{'A' * 999}\n" * 9)
    assert len(facts.read(file, {}).sample) == 6


# --- the errors file


def errors_of(file: Path) -> list[dict[str, Any]]:
    importer.dry_run(Job(file, "", None, None, file.with_suffix(".errors.jsonl")))
    return [json.loads(line) for line in file.with_suffix(".errors.jsonl").read_text("utf-8").splitlines()]


def test_a_very_long_row_is_cut_in_the_errors_file_and_cannot_be_imported_from_there(tmp_path: Path) -> None:
    file = tmp_path / "list.jsonl"
    file.write_text(json.dumps({"title": BIG + BIG}) + "\n" + json.dumps({"title": BIG}) + "\n")
    cut, whole = errors_of(file)
    assert cut.keys() == {"line", "errors", "cut"}
    assert len(cut["cut"]) == importer._BEGINNING
    assert whole["row"] == {"title": BIG}
    again, _ = read(file.with_suffix(".errors.jsonl"))
    assert [error.detail for error in again.unreadable] == [
        "was cut, because it is too long for an errors file; correct the row in the file that has it"
    ]
    (once_more, _) = errors_of(file.with_suffix(".errors.jsonl"))
    assert "was cut" in once_more["errors"][0]["detail"]


def test_a_small_file_does_not_make_a_large_errors_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "_ALWAYS", 10_000)
    file = workbook(tmp_path / "list.xlsx", [["title"], *([["A" * 1000]] * 1000)])
    listed = errors_of(file)
    assert len(listed) == 1000
    assert [row["line"] for row in listed if "cells" in row][-1] > 9
    room = 10_000 + importer._TIMES * file.stat().st_size
    assert sum(len(row["cells"]["title"]) for row in listed if "cells" in row) < room


def test_the_errors_that_a_server_returns_are_counted_and_cut(tmp_path: Path) -> None:
    file = tmp_path / "list.jsonl"
    file.write_text("{}\n")
    (row,) = read(file)
    errors = importer.ErrorsFile(tmp_path / "errors.jsonl", file)
    errors.add(row, Outcome("failed", violations=(Violation(f"/{BIG}", BIG),) * 300))
    errors.close()
    listed = json.loads((tmp_path / "errors.jsonl").read_text("utf-8"))["errors"]
    assert len(listed) == importer._ERRORS + 1
    assert listed[-1] == {"pointer": "", "detail": "has 200 more errors"}
    assert max(len(text) for error in listed for text in error.values()) == importer._TEXT + len("...")


def test_the_sum_of_the_reasons_keeps_only_the_beginning_of_a_name() -> None:
    reasons = Reasons()
    reasons.add(1, [Violation(f"/{BIG}", "is unknown")])
    assert max(map(len, reasons.table("reason"))) < 200


def test_the_details_of_a_failure_are_cut_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_failure(StepFailed("It failed.", BIG, "Try again."))
    printed = capsys.readouterr().err
    assert len(printed) < 11_000
    assert "A..." in printed
    assert "Try again." in printed
