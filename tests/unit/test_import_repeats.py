"""Tests of columns of one name, of second dates, of ends before the report, and of the sheets of a workbook."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from incidents.domain.errors import InvalidIncident
from incidents_cli.console import StepFailed
from incidents_cli.main import cli
from incidents_cli.operate.importing import checking, facts, importer, mapping, suggesting
from incidents_cli.operate.importing.job import Job
from incidents_cli.operate.importing.progress import Progress
from incidents_cli.operate.importing.rows import Row, read
from typer.testing import CliRunner

from tests.support import workbooks
from tests.support.proposals import imported, of
from tests.support.workbooks import Cell

NOW = "2026-11-23T09:00:00.000Z"


def written(folder: Path, *lines: str) -> Path:
    file = folder / "list.csv"
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return file


def told(row: Row) -> list[tuple[str, str]]:
    return [(warning.pointer, warning.detail) for warning in row.warnings]


# --- columns of one name


def test_the_second_date_of_a_name_never_becomes_the_first(tmp_path: Path) -> None:
    file = written(tmp_path, "Titel;Status;Datum;Datum", "A;offen;04.03.2026 09:15;05.03.2026 10:00",
                   "B;offen;;05.03.2026 10:00")  # fmt: skip
    toml, questions, notes = of(file)
    assert questions == []
    assert '"Datum" = "detected_at"' in toml
    assert any(note.startswith('"Datum (2)" repeats the name of a column') for note in notes)
    first, second = imported(file)
    assert (first.body["detected_at"], first.body["description"]) == (
        "2026-03-04T09:15:00.000Z", "Datum: 05.03.2026 10:00"
    )  # fmt: skip
    assert (second.body.get("detected_at"), second.body["description"]) == (None, "Datum: 05.03.2026 10:00")
    wanted = "has several columns of one name; the first one is read, and the others go into the description"
    assert told(second) == [("/detected_at", f"{wanted} (column Datum)")]


@pytest.mark.parametrize("rest", ["leave_out", "refuse"])
def test_a_repeated_column_loses_no_value_without_a_warning(tmp_path: Path, rest: str) -> None:
    file = written(tmp_path, "Titel,Status,Status", "A,,closed")
    table: dict[str, Any] = {"columns": {"Titel": "title", "Status": "status"}, "rest": rest}
    (row,) = read(file, mapping.of_table(table))
    assert row.body.get("status") is None
    assert [pointer for pointer, _ in told(row)] == ["/status"]
    (silent,) = read(file, mapping.of_table(table | {"leave_out": ["Status (2)"]}))
    assert told(silent) == []


def test_lists_and_texts_still_take_all_columns_of_one_name(tmp_path: Path) -> None:
    file = written(tmp_path, "Titel,Labels,Labels,Text,Text", "A,,b,,two")
    (row,) = read(file, mapping.of_table({"columns": {"Titel": "title", "Labels": "tags", "Text": "description"}}))
    assert (row.body["tags"], row.body["description"], row.warnings) == (["b"], "two", ())


def test_a_repeated_name_whose_number_is_in_use_gets_no_number(tmp_path: Path) -> None:
    file = written(tmp_path, "Titel,Datum,Datum,Datum (2)", "A,2026-03-04,2026-03-05,2026-03-06")
    columns = {"Titel": "title", "Datum": "detected_at", "Datum (2)": "reported_at"}
    (row,) = read(file, mapping.of_table({"columns": columns, "zone": "UTC", "rest": "description"}))
    assert (row.body["reported_at"], row.body["description"]) == ("2026-03-06T00:00:00.000Z", "Datum: 2026-03-05")


# --- dates in a column of times


def timed(folder: Path, cell: Cell, *, rest: str = "leave_out") -> Row:
    day = datetime(2026, 3, 4)  # noqa: DTZ001  # a workbook has no zones
    file = workbooks.write(folder / "list.xlsx", {"S": [["Titel", "Erkannt am", "Uhrzeit"], ["A", day, cell]]})
    (row,) = read(file, mapping.of_table({
        "columns": {"Titel": "title", "Erkannt am": "detected_at", "Uhrzeit": "detected_at"}, "rest": rest,
        "zone": "Europe/Berlin",
    }))  # fmt: skip
    return row


@pytest.mark.parametrize("cell", [datetime(2026, 3, 4, 14, 30), "04.03.2026 14:30", "2026-03-04T13:30:00Z"])  # noqa: DTZ001
def test_the_time_of_a_complete_date_of_the_same_day_is_taken(tmp_path: Path, cell: Cell) -> None:
    row = timed(tmp_path, cell)
    assert (row.body["detected_at"], row.warnings) == ("2026-03-04T13:30:00.000Z", ())


@pytest.mark.parametrize("cell", ["05.03.2026", "05.03.2026 14:30", datetime(2026, 3, 3, 23, 59), "03/04/2026 10:00"])  # noqa: DTZ001
def test_another_date_in_a_column_of_times_is_told(tmp_path: Path, cell: Cell) -> None:
    row = timed(tmp_path, cell)
    assert row.body["detected_at"] == "2026-03-03T23:00:00.000Z"
    wanted = "has a second date; the first one is taken, and the other goes nowhere (column Uhrzeit)"
    assert told(row) == [("/detected_at", wanted)]


def test_the_same_date_in_a_column_of_times_says_nothing_new(tmp_path: Path) -> None:
    row = timed(tmp_path, "04.03.2026", rest="description")
    assert (row.body["description"], row.warnings) == ("Uhrzeit: 04.03.2026", ())


# --- errors with a way out


@pytest.mark.parametrize("cell", ["31.11.2024", "04.03.2024 25:10", "gestern", "04.03.2024 14:30 EST", "4. Foo 2024"])
def test_the_error_of_a_date_names_the_way_out(tmp_path: Path, cell: str) -> None:
    columns = {"Titel": "title", "Erkannt": "detected_at"}
    table: dict[str, Any] = {"columns": columns, "zone": "Europe/Berlin", "rest": "description", "separator": ";"}
    file = written(tmp_path, "Titel;Erkannt", f"A;{cell}")
    (row,) = read(file, mapping.of_table(table))
    (problem,) = row.unreadable
    assert f'add "{cell}" = "" to [values."Erkannt"] to leave out the date' in problem.detail
    (left,) = read(file, mapping.of_table(table | {"values": {"Erkannt": {cell: ""}}}))
    assert checking.check(left, NOW)["description"] == f"Erkannt: {cell}"


def test_an_error_about_all_dates_names_only_the_option(tmp_path: Path) -> None:
    table = {"columns": {"Titel": "title", "Erkannt": "detected_at"}}
    (row,) = read(written(tmp_path, "Titel,Erkannt", "A,03/04/2024"), mapping.of_table(table))
    assert row.unreadable[0].detail.endswith("pass --date-order with the right one (column Erkannt)")


# --- ends before the report


def dry_run(file: Path, *arguments: str) -> str:
    return CliRunner().invoke(cli, ["import", str(file), "--dry-run", *arguments]).stderr


@pytest.mark.parametrize(("status", "field"), [("closed", "closed_at"), ("contained", "contained_at")])
def test_an_end_before_the_report_is_told_with_both_fields(tmp_path: Path, status: str, field: str) -> None:
    file = written(tmp_path, f"title,status,reported_at,{field}",
                   f"A,{status},2024-03-05T09:00:00Z,2024-03-04T09:00:00Z",
                   f"B,{status},2024-03-03T09:00:00Z,2024-03-04T09:00:00Z")  # fmt: skip
    assert f"1  {field}  2      {field} is before reported_at; check the two dates" in " ".join(
        line for line in dry_run(file).splitlines() if "before" in line
    ).replace("   1", "1")


@pytest.mark.parametrize("field", ["detected_at", "occurred_at"])
def test_an_end_before_the_detection_fails_its_row(tmp_path: Path, field: str) -> None:
    file = written(tmp_path, f"title,status,{field},closed_at", "A,closed,2024-03-05T09:00:00Z,2024-03-04T09:00:00Z")
    (row,) = read(file)
    with pytest.raises(InvalidIncident) as refused:
        checking.check(row, NOW)
    assert [each.pointer for each in refused.value.violations] == ["/closed_at"]
    assert f"must not be before {field}" in refused.value.violations[0].detail


# --- sheets


def test_two_sheets_have_their_own_records_and_keys(tmp_path: Path) -> None:
    names = ["2024", "A B", "A.B", "A_B", "A  B", "A  .B", "x" * 80, "x" * 81]
    sheets: dict[str, list[list[Cell]]] = {name: [["title"], ["the same"]] for name in names}
    file = workbooks.write(tmp_path / "list.xlsx", sheets)
    jobs = [Job(file, "acme", None, None, file, mapping.of_fields({"sheet": name}), sheet=name) for name in names]
    assert len({job.record for job in jobs}) == len(names)
    assert jobs[0].record.name == "list.xlsx.2024.progress"
    assert all(len(job.record.name) < 100 for job in jobs)
    assert len({key for job in jobs for key in keys(job)}) == len(names)


def keys(job: Job) -> list[str]:
    with Progress(None) as progress:
        return [checked.key for _, checked in importer._checked_rows(job, progress)
                if isinstance(checked, checking.CheckedRow)]  # fmt: skip


def test_the_record_of_another_file_has_no_sheet(tmp_path: Path) -> None:
    file = written(tmp_path, "title", "A")
    job = Job(file, "acme", None, None, file)
    assert job.record.name == "list.csv.progress"


@pytest.mark.parametrize("arguments", [[], ["--sheet", "A"]])
def test_the_first_sheet_has_one_record_however_it_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str]
) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"A": [["title"], ["x"]], "B": [["title"], ["y"]]})
    used: list[Path] = []
    monkeypatch.setattr(importer, "dry_run", lambda job: used.append(job.record))
    CliRunner().invoke(cli, ["import", str(file), "--dry-run", *arguments])
    assert [each.name for each in used] == ["list.xlsx.A.progress"]


def test_a_workbook_of_thousands_of_sheets_is_proposed_in_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "_SHEETS", 3)
    sheets: dict[str, list[list[Cell]]] = {f"S{n}": [["Titel"], ["x"]] for n in range(2_000)}
    sheets["S2"] = [["Titel", "Status"], ["x", "offen"], ["y", "offen"]]
    file = workbooks.write(tmp_path / "list.xlsx", sheets)
    toml, _, notes = suggesting.suggest(file, {})
    assert 'sheet = "S2"' in toml
    assert any(
        "2,000 sheets. The sheet was chosen among the first 3 of them" in note and "did not look at the others" in note
        for note in notes
    )
    assert len(toml) < 2_000
    assert all(len(note) < 1_000 for note in notes)
    with pytest.raises(StepFailed) as refused:
        list(read(file, mapping.of_fields({"sheet": "missing"})))
    assert refused.value.detail.endswith("S19 and 1,980 more")


def test_slow_sheets_end_the_look_at_a_workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_SECONDS", 0.0)
    file = workbooks.write(tmp_path / "list.xlsx", {name: [["Titel"], ["x"]] for name in "ABC"})
    notes = suggesting.suggest(file, {}).notes
    assert any("3 sheets. The sheet was chosen among the first 1 of them" in note for note in notes)


# --- files that are not regular


COMMANDS = [
    ["import", "{}", "--dry-run"], ["import", "{}", "--suggest"], ["import", "rows.csv", "--dry-run", "--map", "{}"],
    ["import", "rows.csv", "--suggest", "--map", "{}"], ["explain", "{}"], ["intake", "try", "{}", "rows.csv"],
    ["intake", "map", "{}", "--tenant", "acme"], ["deadlines", "settings", "set", "--tenant", "acme", "--rules", "{}"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", COMMANDS)
@pytest.mark.parametrize("ending", ["csv", "xlsx", "jsonl"])
def test_a_pipe_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], ending: str
) -> None:
    pipe = tmp_path / f"pipe.{ending}"
    os.mkfifo(pipe)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("title\nA\n")
    for file in (pipe, Path("/dev/zero")):
        refused = CliRunner().invoke(cli, [word.format(file) for word in arguments]).exception
        assert isinstance(refused, StepFailed)
        assert refused.what == f"{file} is not a regular file."
