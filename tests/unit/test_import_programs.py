"""Tests of what the exports of many programs have in common: forms, labels, unneeded columns, misleading dates."""

from pathlib import Path

import pytest
from incidents_cli.console import StepFailed
from incidents_cli.operate.importing import mapping, suggesting, tables, words
from incidents_cli.operate.importing.rows import read

from tests.support import workbooks
from tests.support.proposals import imported, of


def written(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    file = folder / "list.csv"
    file.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    return file


# --- columns


def test_the_times_of_a_form_are_no_dates_of_the_incident(tmp_path: Path) -> None:
    head = "ID,Start time,Completion time,Email,Name,What happened?,When was it detected?"
    row = "7,2024-03-04 09:15,2024-03-04 09:21,kim@example.com,Kim Park,Clicked a link,2024-03-03 22:00"
    file = written(tmp_path, head, row)
    assert '"Start time" says when or by whom the form was filled in.' in of(file).notes
    (only,) = imported(file)
    assert only.body == {
        "incident_number": "7", "title": "Clicked a link", "detected_at": "2024-03-03T22:00:00.000Z",
        "reported_at": "2024-03-04T09:21:00.000Z",
        "description": "Start time: 2024-03-04 09:15\nEmail: kim@example.com\nName: Kim Park",
    }  # fmt: skip


def test_a_register_with_a_name_and_a_start_is_no_form(tmp_path: Path) -> None:
    (only,) = imported(written(tmp_path, "Name,Start time,Email", "A,2024-03-04 09:15,kim@example.com"))
    assert (only.body["title"], only.body["occurred_at"]) == ("A", "2024-03-04T09:15:00.000Z")


@pytest.mark.parametrize(
    ("head", "row", "note"),
    [
        ("Severity,Priority", "1 - High,2", '"Priority" is not needed, because each row has its "Severity".'),
        ("status,status_label", "5,Closed", '"status" is not needed, because each row has its "status_label".'),
        ("Priority,Severity (drop down)", "3,High",
         '"Priority" is not needed, because each row has its "Severity (drop down)".'),
    ],
)  # fmt: skip
def test_the_unknown_values_of_an_unneeded_column_are_not_asked(tmp_path: Path, head: str, row: str, note: str) -> None:
    proposal = of(written(tmp_path, f"Title,{head}", f"A,{row}"))
    assert (proposal.questions, note in proposal.notes) == ([], True)


def test_the_unknown_values_of_a_needed_column_are_asked(tmp_path: Path) -> None:
    proposal = of(written(tmp_path, "Title,Severity,Priority", "A,High,2", "B,,3"))
    assert len(proposal.questions) == 2


def test_a_state_may_be_a_place(tmp_path: Path) -> None:
    proposal = of(written(tmp_path, "Title,State", "A,TX", "B,CA"))
    assert (proposal.questions, '"State" has no values of a status.' in proposal.notes) == ([], True)
    assert len(of(written(tmp_path, "Title,State", "A,6", "B,7")).questions) == 2
    assert len(of(written(tmp_path, "Title,State", "A,Odd", "B,Closed")).questions) == 1


@pytest.mark.parametrize(
    ("head", "cells", "statuses"),
    [
        ("Abgeschlossen?", ("ja", "Nein"), ["closed", "new"]), ("Closed (Y/N)", ("Y", "N"), ["closed", "new"]),
        ("Erledigt", ("x", ""), ["closed", None]), ("Closed;Status", ("yes;offen", "no;offen"), ["new", "new"]),
        ("Closed?", ("yes", "maybe"), [None, None]),
    ],
)  # fmt: skip
def test_the_answer_whether_an_incident_is_closed_is_the_status(
    tmp_path: Path, head: str, cells: tuple[str, str], statuses: list[str | None]
) -> None:
    rows = imported(written(tmp_path, f"Title;{head}", *(f"A;{cell}" for cell in cells)))
    assert [row.body.get("status") for row in rows] == statuses


def test_scores_are_no_severities(tmp_path: Path) -> None:
    scores = of(written(tmp_path, "Title,Severity", *(f"A,{n}.5" for n in range(13))))
    assert (scores.questions, '"Severity" has no values of a severity.' in scores.notes) == ([], True)


def test_a_link_is_no_number(tmp_path: Path) -> None:
    head = "Reference,Incident ID,Title"
    first, _ = imported(written(tmp_path, head, "https://x.example/1,A-1,A", "https://x.example/2,A-2,B"))
    assert first.body["incident_number"] == "A-1"


def test_a_rounded_number_is_no_number(tmp_path: Path) -> None:
    toml = of(written(tmp_path, "Task ID,Name", "1.21143E+15,A", "1.21143E+15,B")).toml
    assert '"Task ID" has a value that cannot be a number of an incident: "1.21143E+15"' in toml


def test_the_column_of_a_board_is_the_status(tmp_path: Path) -> None:
    first, _ = imported(written(tmp_path, "Card ID,Card Name,List Name", "c1,A,In Progress", "c2,B,To Do"))
    assert first.body == {"incident_number": "c1", "title": "A", "status": "investigating"}
    assert '"List Name" has no field' in of(written(tmp_path, "Card Name,List Name", "A,Berlin")).toml


@pytest.mark.parametrize("text", ["-None-", "--", "<none>", "null", "Unspecified", "Not assigned"])
def test_a_severity_that_is_nothing_is_not_asked(tmp_path: Path, text: str) -> None:
    assert of(written(tmp_path, "Title,Severity", f"A,{text}", "B,high")).questions == []


# --- dates


def test_an_end_that_open_incidents_have_is_no_closing(tmp_path: Path) -> None:
    rows = ["A,open,2024-03-04T10:00:00Z", "B,in progress,2024-03-05T10:00:00Z", "C,closed,2024-03-06T10:00:00Z"]
    proposal = of(written(tmp_path, "Name,State,End", *rows))
    assert '"End" has a date in each row that is not closed, so it is not the closing.' in proposal.notes
    reopened = ["A,open,2024-03-04T10:00:00Z", "B,in progress,", "C,closed,2024-03-06T10:00:00Z"]
    assert '"End" = "closed_at"' in of(written(tmp_path, "Name,State,End", *reopened)).toml


def test_a_detection_after_the_entry_is_another_phase(tmp_path: Path) -> None:
    head, row = "Name,Created at,Identified at", "A,2024-03-04T09:15:00Z,2024-03-04T{}:25:00Z"
    proposal = of(written(tmp_path, head, row.format("09")))
    assert '"Identified at" is after "Created at" in most rows, so it is not the detection.' in proposal.notes
    (only,) = imported(written(tmp_path, head, row.format("08")))
    assert only.body["detected_at"] == "2024-03-04T08:25:00.000Z"


def test_cells_for_nothing_do_not_make_a_column_no_date(tmp_path: Path) -> None:
    rows = ["A,2024-03-04 09:15,2024-03-05 10:00", "B,2024-03-04 09:15,-", "C,2024-03-04 09:15,Not set"]
    first, *_ = imported(written(tmp_path, "Subject,Created Time,Resolved Time", *rows))
    assert first.body["closed_at"] == "2024-03-05T10:00:00.000Z"


def test_a_column_of_dates_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    proposal = of(written(tmp_path, "Title,Created At", "A,4 fructidor 232"))
    assert '"Created At" has no dates that can be read, such as "4 fructidor 232".' in proposal.notes


def test_all_columns_of_dates_prove_the_order(tmp_path: Path) -> None:
    file = written(tmp_path, "Title,Created,Target Date", "A,04/03/2024 09:15,14/03/2024 09:15")
    assert 'date_order = "day-first"' in of(file).toml


def test_a_planned_start_may_be_at_midnight(tmp_path: Path) -> None:
    head = "Name,Created At,Start Date,Due Date"
    file = written(tmp_path, head, "A,2024-03-04,2024-03-01T00:00:00.000Z,2024-03-08T11:00:00.000Z")
    assert '"Start Date" may be the planned start' in of(file).toml


# --- values and cells


@pytest.mark.parametrize(
    ("field", "text", "meaning"),
    [
        ("status", "Onhold", "investigating"), ("status", "Resolved - Duplicate Incident", "dismissed"),
        ("status", "Ticket closed", "closed"), ("severity", "P-2", "high"), ("severity", "🔴 High", "high"),
        ("severity", "⚠️ Low", "low"), ("severity", "hoch?", None),
        ("severity", "Priority 1 - Critical", "critical"), ("severity", "Priority 1", None),
    ],
)  # fmt: skip
def test_a_value_may_be_written_in_another_way(field: str, text: str, meaning: str | None) -> None:
    assert words.value(field, text) == meaning


def test_two_priorities_that_become_one_severity_are_told(tmp_path: Path) -> None:
    notes = of(written(tmp_path, "Title,Priority", "A,P-0", "B,P-1")).notes
    assert '"P-0" and "P-1" of Priority become the same severity: critical.' in notes


@pytest.mark.parametrize("cell", ['"[a,b]"', "\"['a', 'b']\"", ";#a;#b;#", "a;#1;#b;#2", "1;#a;#2;#b", "a;#b"])
def test_a_list_as_a_program_prints_it_is_divided(tmp_path: Path, cell: str) -> None:
    (only,) = imported(written(tmp_path, "Title,Tags", f"A,{cell}"))
    assert only.body["tags"] == ["a", "b"]


@pytest.mark.parametrize("cell", ['="0017"', '"=""0017"""'])
def test_a_number_that_a_program_writes_as_a_formula_is_read(tmp_path: Path, cell: str) -> None:
    (only,) = imported(written(tmp_path, "Ticket ID,Subject", f"{cell},=1+1"))
    assert (only.body["incident_number"], only.body["title"]) == ("0017", "=1+1")
    (own,) = read(written(tmp_path, "title", cell))
    assert own.body["title"] == '="0017"'


def test_a_number_may_be_a_choice_in_sharepoint(tmp_path: Path) -> None:
    (only,) = imported(written(tmp_path, "Title,Tags", "A,;#2024;#b;#"))
    assert only.body["tags"] == ["2024", "b"]


def test_the_number_of_a_person_in_a_list_of_sharepoint_is_dropped(tmp_path: Path) -> None:
    (only,) = imported(written(tmp_path, "Title,Assigned To", 'A,"Park, Kim;#12"'))
    assert only.body["owner_id"] == "Park, Kim"


def test_a_row_of_one_cell_below_the_table_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, "Number,Title,Status", "1,A,open", "Confidential - do not distribute")
    (tmp_path / "map.toml").write_text(of(file).toml, "utf-8")
    _, last = read(file, mapping.load(str(tmp_path / "map.toml")))
    assert "has only one cell; remove the row" in last.unreadable[0].detail


def test_the_lines_of_the_picture_of_a_table_are_no_rows(tmp_path: Path) -> None:
    ruler, head = "-" * 30, "|Number |Title |Status |"
    file = written(tmp_path, "04.03.2024  List", ruler, "", ruler, head, ruler, "|1 |A |open |", "|2 |B |new |", ruler)
    assert [row.body["title"] for row in imported(file)] == ["A", "B"]
    of_database = written(tmp_path, " id | title | status", "----+-------+--------", "  1 | A     | open")
    assert [row.body["title"] for row in imported(of_database)] == ["A"]


def test_zones_of_the_rows_are_told(tmp_path: Path) -> None:
    notes = of(written(tmp_path, "Title,Opened,Time zone", "A,2024-03-04 09:15,Europe/Berlin")).notes
    assert any(note.startswith('"Time zone" has zones, but') for note in notes)


def test_a_workbook_with_another_ending_is_told(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(workbooks.write(tmp_path / "list.xlsx", {"S": [["Title"], ["A"]]}).read_bytes())
    with pytest.raises(StepFailed, match="is a workbook"):
        of(file)


def test_columns_that_are_too_many_for_a_description_are_told(tmp_path: Path) -> None:
    names = [f"action.variety.{n:04}" for n in range(2000)]
    file = written(tmp_path, ",".join(["Title", *names]), ",".join(["A", *("0" for _ in names)]))
    toml, _, notes = of(file)
    assert max(map(len, notes)) < 1000
    assert any('write rest = "leave_out"' in note for note in notes)
    (tmp_path / "map.toml").write_text(toml, "utf-8")
    (refused,) = read(file, mapping.load(str(tmp_path / "map.toml")))
    assert 'write rest = "leave_out"' in refused.unreadable[0].detail
    (tmp_path / "map.toml").write_text(toml.replace('rest = "description"', 'rest = "leave_out"'), "utf-8")
    (only,) = read(file, mapping.load(str(tmp_path / "map.toml")))
    assert (only.unreadable, only.body) == ((), {"title": "A"})


# --- encodings


@pytest.mark.parametrize(
    ("text", "encoding", "guess"),
    [
        ("Gerät gelöscht", "mac_roman", "mac_roman"), ("Gerät gelöscht", "cp1252", "cp1252"),
        ("\u201cIt\u2019s lost\u201d \u2013 wait\u2026", "cp1252", "cp1252"), ("le cœur", "cp1252", "cp1252"),
        ("créé à Besançon", "mac_roman", "mac_roman"), ("Müll", "utf-8", "utf-8"),
    ],
)  # fmt: skip
def test_the_letters_show_the_encoding_of_a_spreadsheet(tmp_path: Path, text: str, encoding: str, guess: str) -> None:
    file = written(tmp_path, "Title;Status", f"{text};open", encoding=encoding)
    assert tables.encoding(file) == guess
    notes = suggesting.suggest(file, {}).notes
    assert any(f'It is read as {guess}, for example "{text}"' in note for note in notes) == (guess != "utf-8")
