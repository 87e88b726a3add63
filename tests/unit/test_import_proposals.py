"""Tests of the proposal for a file: the found columns of a spreadsheet, the questions, and the missing columns."""

from datetime import date, time
from pathlib import Path

import pytest
from incidents_cli.console import StepFailed
from incidents_cli.main import cli
from incidents_cli.operate.importing import mapping, words
from incidents_cli.operate.importing.rows import Row, read
from incidents_cli.operate.importing.suggesting import Proposal
from typer.testing import CliRunner

from tests.support import workbooks
from tests.support.proposals import of
from tests.support.workbooks import Cell, Shown

HEAD: list[Cell] = ["Aktenzeichen", "Titel", "Status", "Erkannt am", "Schweregrad", "Geschlossen am"]
BODY: list[list[Cell]] = [
    ["V-1", "A", "offen", date(2024, 3, 4), "hoch", None],
    ["V-2", "B", "neu", None, "gering", None],
]


def imported(file: Path, proposal: Proposal) -> list[Row]:
    assert proposal.questions == []
    map_file = file.with_suffix(".toml")
    map_file.write_text(proposal.toml, "utf-8")
    return list(read(file, mapping.load(str(map_file))))


def written(folder: Path, text: str) -> Path:
    file = folder / "list.csv"
    file.write_text(text, "utf-8")
    return file


# --- the place of the table


@pytest.mark.parametrize(
    ("above", "row"),
    [
        ([], None),
        ([["Register der Vorfälle"], [None], ["Stand: 1.2.2025"]], 4),
        ([["Register", None, None, "vertraulich"], ["Stand", "14.11.2025"]], 3),
        ([["Allgemein", None, None, "Zeiten", None, None]], 2),
    ],
)
def test_the_header_is_found_below_titles(tmp_path: Path, above: list[list[Cell]], row: int | None) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"S": [*above, HEAD, *BODY]})
    proposal = of(file)
    rows = imported(file, proposal)
    assert [each.body["title"] for each in rows] == ["A", "B"]
    assert mapping.load(str(file.with_suffix(".toml"))).header_row == row
    assert any(f"row {row}" in note for note in proposal.notes) == (row is not None)


def test_unknown_columns_are_a_header_too(tmp_path: Path) -> None:
    file = written(tmp_path, "Register\n\nFoo;Bar;Baz\n1;2024-03-04;x\n")
    toml, _, _ = of(file)
    assert "header_row = 3" in toml
    assert '# "Bar" has no field' in toml


@pytest.mark.parametrize("text", ["sep=;\n{}", "Register\nStand 2024\n\n{}", "\ufeffsep=;\r\n{}"])
def test_lines_above_the_header_of_a_csv_file_are_skipped(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text.format("Titel;Status;Erkannt am\nA, B;offen;04.03.2024\nC;offen;05.03.2024\n"))
    assert [row.body["title"] for row in imported(file, of(file))] == ["A, B", "C"]


def test_the_sheet_with_the_incidents_is_found(tmp_path: Path) -> None:
    cover: list[list[Cell]] = [["Vorfallregister 2024"], ["Stand", "01.02.2025"], ["Autor", "ISB"]]
    file = workbooks.write(tmp_path / "list.xlsx", {"Deckblatt": cover, "Vorfälle": [HEAD, *BODY], "Legende": [["x"]]})
    proposal = of(file)
    assert [row.body["title"] for row in imported(file, proposal)] == ["A", "B"]
    assert any('"Deckblatt" (0 rows), "Legende" (0 rows)' in note for note in proposal.notes)


@pytest.mark.parametrize("row", ['"4"', "0", "true"])
def test_a_wrong_header_row_is_refused(tmp_path: Path, row: str) -> None:
    (tmp_path / "map.toml").write_text(f'header_row = {row}\n[columns]\n"A" = "title"\n')
    with pytest.raises(StepFailed) as refused:
        mapping.load(str(tmp_path / "map.toml"))
    assert "header_row" in refused.value.detail


# --- columns


def test_a_column_in_another_currency_gets_no_field_and_this_is_told(tmp_path: Path) -> None:
    table: list[list[Cell]] = [[*HEAD, "Schaden"], *([*row, Shown(12.5, '#,##0.00 "€"')] for row in BODY)]
    file = workbooks.write(tmp_path / "list.xlsx", {"S": table})
    proposal = of(file)
    assert '"Schaden" is in €, and financial_impact is in US dollars.' in proposal.notes
    assert imported(file, proposal)[0].body["description"] == "Schaden: 12.5 €"


def test_a_column_of_times_after_a_date_is_joined_with_it(tmp_path: Path) -> None:
    table: list[list[Cell]] = [["Titel", "Erkannt am", "Uhrzeit", "Ende", "Zeit"],
                               ["A", date(2024, 3, 4), time(14, 30), None, None]]  # fmt: skip
    file = workbooks.write(tmp_path / "list.xlsx", {"S": table})
    assert imported(file, of(file))[0].body["detected_at"] == "2024-03-04T14:30:00.000Z"


def test_a_column_of_times_in_another_place_is_asked(tmp_path: Path) -> None:
    file = written(tmp_path, "Titel;Erkannt am;Status;Uhrzeit;Dauer\nA;04.03.2024;offen;14:30;01:30\n")
    (question,) = of(file).questions
    assert question.startswith('columns: "Uhrzeit" has times of day')


@pytest.mark.parametrize(
    ("head", "cells", "field"),
    [
        ("Status", "abgeschlossen", "closed_at"), ("Status", "offen", "contained_at"),
        ("Status;Geschlossen am", "abgeschlossen;05.03.2024", "contained_at"), ("Kategorie", "x", None),
    ],
)  # fmt: skip
def test_a_column_that_may_be_either_end_is_decided_by_the_rows_or_asked(
    tmp_path: Path, head: str, cells: str, field: str | None
) -> None:
    file = written(tmp_path, f"Titel;Behoben am;{head}\nA;04.03.2024;{cells}\n")
    toml, questions, _ = of(file)
    assert f'"Behoben am" = "{field or "?"}"' in toml
    assert [question.partition(":")[0] for question in questions] == ([] if field else ["columns"])


def test_day_numbers_of_a_spreadsheet_are_told(tmp_path: Path) -> None:
    file = written(tmp_path, "Titel;Erkannt am\nA;45355,385\n")
    assert any("45355,385 looks like the number" in note for note in of(file).notes)


def test_important_fields_without_a_column_are_told_at_the_end(tmp_path: Path) -> None:
    file = written(tmp_path, "Titel;Erkannt am;Foo\nA;04.03.2024;x\n")
    told = CliRunner().invoke(cli, ["import", str(file), "--suggest", "--zone", "UTC"])
    missing = "No column for: incident_number, severity, status, closed_at."
    assert f"# {missing}" in told.stdout
    assert told.stderr.splitlines()[0] == missing
    assert "second incident" in told.stderr.splitlines()[1]
    assert told.stderr.splitlines()[2] == 'Columns without a field, which go into the description: "Foo".'
    full = workbooks.write(tmp_path / "full.xlsx", {"S": [[*HEAD, "Beginn"], *([*row, row[3]] for row in BODY)]})
    assert of(full).notes == []


def test_a_column_without_a_name_is_named_by_its_place(tmp_path: Path) -> None:
    file = written(tmp_path, "Titel;;Status\nA;Notiz;offen\n")
    proposal = of(file)
    assert '# "column 2" has no field' in proposal.toml
    assert imported(file, proposal)[0].body["description"] == "column 2: Notiz"


def test_the_last_columns_of_a_workbook_may_have_no_name(tmp_path: Path) -> None:
    table: list[list[Cell]] = [["Titel", "Status"], ["A", "offen", None, "Notiz"], ["B", "offen"]]
    file = workbooks.write(tmp_path / "list.xlsx", {"S": table})
    proposal = of(file)
    assert '# "column 4" has no field' in proposal.toml
    assert [row.body.get("description") for row in imported(file, proposal)] == ["column 4: Notiz", None]


def test_cells_without_a_digit_go_where_the_rest_goes(tmp_path: Path) -> None:
    file = written(tmp_path, "Titel;Erkannt am;Schaden\nA;unbekannt;k. A.\nB;04.03.2024;12\n")
    first, second = imported(file, of(file))
    assert first.body == {"title": "A", "description": "Erkannt am: unbekannt\nSchaden: k. A."}
    assert second.body["financial_impact"] == 12


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("Ticket#", "incident_number"), ("Vorgangsschlüssel", "incident_number"), ("Vorfall-Nr.", "incident_number"),
        ("Benutzerdefiniertes Feld (Grundursache)", "root_cause"), ("Custom field (Severity)", "severity"),
        ("Schwere-\ngrad", "severity"), ("Erkannt\nam", "detected_at"), ("Bekannt geworden am", "detected_at"),
        ("Datum des Vorfalls", "occurred_at"), ("Abschlussdatum", "closed_at"), ("Bearbeitungsstand", "status"),
        ("Schadenskategorie", "severity"), ("Sachverhalt", "description"), ("Schadensumme", "financial_impact"),
        ("Meldung an Behörde am", "reported_to_regulators_at"), ("Art des Vorfalls", "category"),
        ("Fachlich zuständig", "owner_id"), ("Betroffene IT-Systeme", "affected_asset_ids"),
        ("Date d\u2019ouverture", "detected_at"), ("Dernière modification", "last_known_at"), ("Vorfall", None),
    ],
)  # fmt: skip
def test_the_name_of_a_german_or_french_column_is_known(column: str, field: str | None) -> None:
    assert words.meaning(column) == field


@pytest.mark.parametrize(
    ("field", "text", "meaning"),
    [
        ("status", "erfolglos geschlossen", "closed"), ("status", "mit Workaround geschlossen", "closed"),
        ("status", "zusammengefasst", "dismissed"), ("status", "Wartet auf Support", "investigating"),
        ("status", "Wird überprüft", "review"), ("status", "En cours (Attribué)", "investigating"),
        ("status", "Clos", "closed"), ("severity", "Höchste", "critical"), ("severity", "Très basse", "informational"),
        ("severity", "1 sehr niedrig", "informational"), ("severity", "2 niedrig", "low"),
        ("severity", "Majeure", "critical"), ("severity", "Schweregrad 1", "critical"), ("severity", "1", None),
    ],
)  # fmt: skip
def test_a_german_or_french_value_is_known(field: str, text: str, meaning: str | None) -> None:
    assert words.value(field, text) == meaning


def test_the_person_who_has_the_ticket_is_the_owner(tmp_path: Path) -> None:
    file = written(tmp_path, "Titel;Verantwortlicher;Besitzer\nA;root@localhost;mueller\n")
    (row,) = imported(file, of(file))
    assert (row.body["owner_id"], row.body["description"]) == ("mueller", "Verantwortlicher: root@localhost")


def test_two_values_that_become_one_severity_are_told(tmp_path: Path) -> None:
    file = written(tmp_path, "Titel;Schweregrad\nA;sehr hoch\nB;existenzbedrohend\nC;1 - sehr hoch\nD;hoch\n")
    toml, _, notes = of(file)
    assert '"existenzbedrohend" = "critical"  # as "sehr hoch"' in toml
    told = '"sehr hoch" and "existenzbedrohend" of Schweregrad become the same severity: critical.'
    assert [note for note in notes if "same severity" in note] == [told]


# --- a given mapping


GIVEN = (
    'rest = "tags"\nleave_out = ["Weg"]\nheader_row = 2\n[constants]\nsource = "x"\n'
    '[columns]\n"Was" = "title"\n"Wie" = "severity"\n"Wann" = "detected_at"\n"Wieviel" = "financial_impact"\n'
    '"Tippfehler" = "category"\n[values.severity]\n"rot" = "critical"\n"blau" = "?"\n'
)


def test_a_given_mapping_keeps_its_columns_and_gets_what_is_missing(tmp_path: Path) -> None:
    text = "Register\nWas;Wie;Wann;Wieviel;Status;Weg\nA;rot;13/03/2024;1.250,50;offen;x\nB;blau;04/03/2024;1;neu;y\n"
    file = written(tmp_path, text)
    (tmp_path / "given.toml").write_text(GIVEN, "utf-8")
    proposal = of(file, str(tmp_path / "given.toml"))
    assert [question.partition(":")[0] for question in proposal.questions] == ["severity"]
    assert '"Tippfehler" is in the mapping, but not in the file.' in proposal.notes
    (tmp_path / "map.toml").write_text(proposal.toml.replace('"?"', '"low"'), "utf-8")
    first, second = read(file, mapping.load(str(tmp_path / "map.toml")))
    assert first.body == {
        "title": "A", "severity": "critical", "detected_at": "2024-03-13T00:00:00.000Z", "financial_impact": 1250.5,
        "source": "x", "tags": ["Status:offen"],
    }  # fmt: skip
    assert second.body["severity"] == "low"


def test_an_answered_proposal_is_proposed_again(tmp_path: Path) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"S": [["Register"], HEAD, *BODY]})
    first = of(file)
    (tmp_path / "map.toml").write_text(first.toml, "utf-8")
    again = of(file, str(tmp_path / "map.toml"))
    assert imported(file, again) == imported(file, first)


def test_a_preset_may_be_given(tmp_path: Path) -> None:
    file = written(tmp_path, "Summary,Status,Priority\nA,To Do,Highest\n")
    assert "an export of jira" in of(file, "jira").toml


def test_a_preset_for_a_german_export_is_refused_with_the_way_out(tmp_path: Path) -> None:
    file = written(tmp_path, "Zusammenfassung,Vorgangsschlüssel,Status\nA,X-1,Offen\n")
    with pytest.raises(StepFailed) as refused:
        list(read(file, mapping.load("jira", {"zone": "UTC"})))
    assert "reads the English names" in refused.value.advice
    assert "--suggest" in refused.value.advice


# --- the preview


def test_a_dry_run_shows_the_first_rows_as_they_would_be_stored(tmp_path: Path) -> None:
    file = written(tmp_path, "title,severity,tags\nA,low,x; y\nB,dire,\nC,high,\nD,high,\n")
    told = CliRunner().invoke(cli, ["import", str(file), "--dry-run"]).stderr
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert "Line 2 becomes:" in lines
    assert 'tags ["x", "y"]' in lines
    assert "Line 4 becomes:" in lines
    assert not any(line.startswith(("Line 3", "Line 5")) for line in lines)


def test_a_long_value_is_shortened_in_the_preview(tmp_path: Path) -> None:
    file = written(tmp_path, f"title,description\nA,{'long ' * 100}\n")
    told = CliRunner().invoke(cli, ["import", str(file), "--dry-run"]).stderr
    assert max(map(len, told.splitlines())) < 130
