"""Tests of amounts, dates, numbers, sheets and rows that an import once misread without a warning."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from incidents.domain.errors import InvalidIncident
from incidents_cli.main import cli
from incidents_cli.operate.importing import amounts, checking, formats, mapping, moments, words
from incidents_cli.operate.importing.rows import Row, read
from typer.testing import CliRunner

from tests.support import workbooks
from tests.support.proposals import imported, of
from tests.support.workbooks import Shown

NOW = "2026-11-23T09:00:00.000Z"
FIELDS = {"Titel": "title", "Status": "status", "Schweregrad": "severity", "Eingetreten": "occurred_at",
          "Erkannt": "detected_at", "Gemeldet": "reported_at", "Ende": "closed_at", "Schaden": "financial_impact",
          "Nr": "incident_number", "Whg": "currency"}  # fmt: skip


def written(folder: Path, text: str) -> Path:
    file = folder / "list.csv"
    file.write_text(text, "utf-8")
    return file


def row_of(folder: Path, head: str, cells: str, **settings: Any) -> Row:
    """Return the row of a file with a header and one record, by the mapping of FIELDS."""
    table = {"columns": {name: FIELDS[name] for name in head.split(";")}, "zone": "UTC", "rest": "description"}
    (row,) = read(written(folder, f"{head}\n{cells}\n"), mapping.of_table(table | settings))
    return row


def problems(row: Row) -> dict[str, str]:
    try:
        checking.check(row, NOW)
    except InvalidIncident as invalid:
        return {violation.pointer[1:]: violation.detail for violation in invalid.violations}
    return {}


# --- amounts


@pytest.mark.parametrize("head", ["Kosten;Währung", "Kosten;Foo", "Cost;Currency code", "Kosten;Whg."])
def test_only_the_amounts_of_rows_with_us_dollars_become_the_financial_impact(tmp_path: Path, head: str) -> None:
    file = written(tmp_path, f"Titel;{head}\nA;48.250,75;EUR\nB;1.200,50;USD\nC;300,25;CHF\nD;7,50;\n")
    rows = imported(file)
    assert [str(row.body.get("financial_impact")) for row in rows] == ["None", "1200.5", "None", "None"]
    assert "48.250,75" in rows[0].body["description"]
    assert "EUR" in rows[0].body["description"]
    assert any("US dollars" in note for note in of(file).notes)


def test_amounts_with_a_column_of_another_currency_get_no_field(tmp_path: Path) -> None:
    file = written(tmp_path, "Titel;Kosten;Währung\nA;48.250,75;EUR\n")
    assert '"Kosten" is in EUR, and financial_impact is in US dollars.' in of(file).notes
    assert "financial_impact" not in imported(file)[0].body


@pytest.mark.parametrize(("currency", "amount"), [("EUR", None), ("USD", "48250.50")])
def test_the_currency_of_amounts_with_a_decimal_comma_is_asked(
    tmp_path: Path, currency: str, amount: str | None
) -> None:
    file = written(tmp_path, "Titel;Schaden\nA;48.250,50\n")
    toml, (question,), _ = of(file)
    assert question == 'currency: in which currency is "48.250,50"? Pass --currency, such as EUR or USD'
    (tmp_path / "map.toml").write_text(toml, "utf-8")
    answers: list[list[Row]] = [
        imported(file, currency=currency),
        list(read(file, mapping.load(str(tmp_path / "map.toml"), {"currency": currency}))),
    ]
    for (row,) in answers:
        assert row.body.get("financial_impact") == (amount and pytest.approx(float(amount)))
        assert (row.body.get("description") is None) == (amount is not None)


def test_amounts_without_a_currency_are_told(tmp_path: Path) -> None:
    told = '"Cost" shows no currency, so its amounts become US dollars.'
    assert told in of(written(tmp_path, "Title,Cost\nA,1250.5\n")).notes
    assert told not in of(written(tmp_path, "Title,Cost\nA,$1250.5\n")).notes
    assert of(written(tmp_path, "title,financial_impact\nA,1250.5\n")).notes[-1].startswith("Without incident_number")


@pytest.mark.parametrize("wrong", ['"E U R"', '""', "5"])
def test_a_wrong_currency_is_refused(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "map.toml").write_text(f'currency = {wrong}\n[columns]\n"A" = "title"\n')
    result = CliRunner().invoke(
        cli, ["import", str(written(tmp_path, "A\nx\n")), "--dry-run", "--map", str(tmp_path / "map.toml")]
    )
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("code", "number", "text"),
    [
        ('#,##0" T€"', 1000, "1000 T€"), ('#,##0.0,,"Mio. €"', 12_500_000, "12.5 Mio. €"), ('0.0,"T€"', 1500, "1.5 T€"),
        ('#,##0" k$"', 4, "4 k$"), ("#,##0 €", 2, "2 €"), ("0%", 0.6, "60 %"), ("0.0%", 0.07, "7 %"),
        ('"V-2024-"000', 17, "V-2024-017"), ("00000", 42, "00042"), ('#,##0" Tsd."', 5, "5 Tsd"),
         ('0.0" h"', 2.5, "2.5 h"),
        ("$#,##0", 5, None), ('$#,##0,"K"', 5000, None), ("_-* #,##0.00\\ _€_-;-0", 5, None), ("#,##0", 5, None),
        ("General", 5, None), ("0.00E+00", 5, None), ('[$$-409]#,##0;[RED]"€"0', 5, None),
    ],
)  # fmt: skip
def test_a_number_is_read_as_the_workbook_shows_it(tmp_path: Path, code: str, number: float, text: str | None) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"S": [["Titel", "Zahl"], ["A", Shown(number, code)]]})
    (row,) = read(file, mapping.of_table({"columns": {"Titel": "title"}, "rest": "description"}))
    assert row.body["description"] == f"Zahl: {text or number}"


def test_a_percentage_of_an_open_document_is_read_as_it_is_shown(tmp_path: Path) -> None:
    cell = (
        '<table:table-cell office:value-type="percentage" office:value="0.25"><text:p>25 %</text:p></table:table-cell>'
    )
    file = workbooks.write_open_document(tmp_path / "a.ods", ["title", "x"], ["A"], cell)
    assert formats.shown(file, "S")[(1, 1)].text(0.25) == "25 %"


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.234,-", "1234.00"), ("25.-", "25.00"), ("1.234,50-", "-1234.50"), ("12.500,00 US-Dollar", "12500.00")],
)
def test_an_amount_proves_its_own_mark(text: str, number: str) -> None:
    assert amounts.parse(text, None) == number


@pytest.mark.parametrize("text", ["5 T€", "Schaden (k€)", "3 Mio. €", "5 k$", "TEUR", "12 mln"])
def test_thousands_and_millions_are_another_unit(text: str) -> None:
    assert amounts.other_unit(text)


# --- dates


@pytest.mark.parametrize("day", ["2042-11-14", "14.11.2032", "2026-11-25"])
def test_a_date_in_the_future_is_refused(tmp_path: Path, day: str) -> None:
    row = row_of(tmp_path, "Titel;Erkannt", f"A;{day}")
    assert "is in the future" in problems(row)["detected_at"]


def test_a_date_within_a_day_is_not_in_the_future(tmp_path: Path) -> None:
    assert problems(row_of(tmp_path, "Titel;Erkannt", "A;24.11.2026 08:59")) == {}


def test_a_date_in_the_future_of_a_plain_file_is_a_warning(tmp_path: Path) -> None:
    told = CliRunner().invoke(cli, ["import", str(written(tmp_path, "title,detected_at\nA,2042-01-01T00:00:00Z\n")),
                                    "--dry-run"])  # fmt: skip
    assert (told.exit_code, "is in the future: 2042-01-01" in told.stderr) == (0, True)
    line = tmp_path / "export.jsonl"
    line.write_text('{"incident": {"title": "A", "detected_at": "2042-01-01T00:00:00.000Z"}}\n')
    told = CliRunner().invoke(cli, ["import", str(line), "--dry-run"])
    assert (told.exit_code, "future" in told.stderr) == (0, False)


@pytest.mark.parametrize(
    ("head", "cells", "wanted", "tags"),
    [
        ("Erkannt;Ende", "04.03.2024;04.03.2024", {"closed_at": "2024-03-04T00"}, ["closed-at-last-known"]),
        ("Erkannt;Ende", "04.03.2024;05.03.2024", {"closed_at": "2024-03-05T00"}, None),
        ("Eingetreten;Erkannt", "04.03.2024 16:00;04.03.2024", {"detected_at": "2024-03-04T16"}, None),
        ("Eingetreten;Erkannt", "04.03.2024;04.03.2024", {"detected_at": "2024-03-04T00"}, None),
        ("Erkannt;Gemeldet", "04.03.2024 16:00;04.03.2024", {"reported_at": "2024-03-04T16"}, None),
        ("Eingetreten;Gemeldet", "04.03.2024 16:00;04.03.2024", {"reported_at": "2024-03-04T16"}, None),
        ("Eingetreten;Erkannt;Ende", "04.03.2024 16:00;04.03.2024;04.03.2024", {"closed_at": "2024-03-04T16"},
         ["closed-at-last-known"]),
    ],
)  # fmt: skip
def test_a_date_without_a_time_is_not_before_an_earlier_date_of_its_day(
    tmp_path: Path, head: str, cells: str, wanted: dict[str, str], tags: list[str] | None
) -> None:
    row = row_of(tmp_path, f"Titel;{head}", f"A;{cells}")
    given = checking.check(row, NOW)
    assert {field: given[field][:13] for field in wanted} == wanted
    assert given.get("tags") == tags
    assert len(row.warnings) == (cells != "04.03.2024;05.03.2024") + (head.count(";") == 2)


@pytest.mark.parametrize(("reported", "closed"), [("04.03.2024 10:00", "T10:00"), ("05.03.2024 10:00", "T09:05")])
def test_an_end_without_a_time_is_not_before_a_report_of_its_day(tmp_path: Path, reported: str, closed: str) -> None:
    row = row_of(tmp_path, "Titel;Erkannt;Gemeldet;Ende", f"A;04.03.2024 09:05;{reported};04.03.2024")
    assert checking.check(row, NOW)["closed_at"] == f"2024-03-04{closed}:00.000Z"


def test_two_equal_reports_of_a_day_need_no_warning(tmp_path: Path) -> None:
    assert row_of(tmp_path, "Titel;Erkannt;Gemeldet", "A;04.03.2024;04.03.2024").warnings == ()


@pytest.mark.parametrize(
    "text",
    ["0.0.00", "0000-00-00", "0000-00-00 00:00:00", "00.00.0000", "0", "30.12.1899", "12/30/1899", "1.1.4501",
     "1/1/4501 12:00 AM", "0001-01-01T00:00:00Z", "1900-01-00", "01.01.1900", "9999-12-31", "1970-01-01 00:00:00"],
)  # fmt: skip
def test_the_dates_that_programs_write_for_no_date_are_none(tmp_path: Path, text: str) -> None:
    row = row_of(tmp_path, "Titel;Status;Ende", f"A;new;{text}")
    assert (problems(row), row.body.get("closed_at"), row.warnings) == ({}, None, ())
    assert row.body["description"] == f"Ende: {text}"


@pytest.mark.parametrize("text", ["00:00", "0:00:00", "04.03.2024", "1.1.01", "1.1.2000", "-", ""])
def test_other_cells_are_not_taken_for_no_date(text: str) -> None:
    assert not moments.is_no_date(text)


@pytest.mark.parametrize(
    ("text", "stamp"),
    [("04.03.2024 9 Uhr", "2024-03-04T09:00"), ("04.03.2024 24:00", "2024-03-05T00:00"),
     ("4. Dez. 2023 17 Uhr", "2023-12-04T17:00"),
     ("2024-12-31 24:00:00", "2025-01-01T00:00"), ("04.03.2024 9 AM", "2024-03-04T09:00")],
)  # fmt: skip
def test_a_full_hour_and_the_end_of_a_day_are_times(text: str, stamp: str) -> None:
    assert moments.parse(text, moments.DateRules(moments.zone("UTC"))).text == f"{stamp}:00.000Z"


@pytest.mark.parametrize("text", ["04.03.2024 24:01", "04.03.2024 9", "04.03.2024 25:00", "31.12.9999 24:00"])
def test_a_time_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="date and time"):
        moments.parse(text, moments.DateRules(moments.zone("UTC")))


def test_a_year_before_1970_is_named() -> None:
    with pytest.raises(ValueError, match="must not be before 1970, not in 24"):
        moments.parse("04.03.0024", moments.DateRules(moments.zone("UTC")))


def test_cells_that_are_not_dates_are_told(tmp_path: Path) -> None:
    file = written(
        tmp_path, "Titel;Erkannt am;Ende\nA;31.11.2024;####\nB;04.03.2024 10:00;0.0.00\nC;;#WERT!\nD;;5.3.2024\n"
    )
    notes = of(file).notes
    assert (
        '"Erkannt am" has cells that are not dates: 1, in line 2, such as "31.11.2024". Their rows will fail.' in notes
    )
    assert (
        '"Ende" has cells that are not dates: 2, in lines 2, 4, such as "####", "#WERT!". Their rows will fail.'
        in notes
    )
    assert [list(problems(row)) for row in imported(file)] == [["detected_at", "closed_at"], [], ["closed_at"], []]


# --- columns


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("Vorfall-Nr.*", "incident_number"), ("* Titel", "title"), ("Status:", "status"),
        ("Titel (Pflichtfeld)", "title"),
        ("Severity (required)", "severity"), ("Schaden (EUR)", "financial_impact"), ("Kosten in €", "financial_impact"),
        ("Kosten [k€]", "financial_impact"), ("Schaden (USD)", "financial_impact"), ("Bearbeiter/in", "owner_id"),
        ("Zuständige/r", "owner_id"), ("Verantwortliche(r)", "owner_id"), ("Bearbeiter:in", "owner_id"),
        ("Incident Status", "status"), ("Vorfall entdeckt", "detected_at"), ("Erkannt am (TT.MM.JJJJ)", "detected_at"),
        ("Störungsbeginn", "occurred_at"), ("Kenntniserlangung", "detected_at"), ("Schließzeit", "closed_at"),
        ("Intern gemeldet am", "reported_at"), ("Ursachenanalyse", "root_cause"), ("Kategorien", "tags"),
        ("Benachrichtigung Betroffener am", "customer_notified_at"), ("Datum", "detected_at"),
        ("Beginnt am", "detected_at"),
        ("Vorfall", None), ("Status (Jira)", "status"), ("*", None), ("x" * 201, None), ("EUR", None),
    ],
)  # fmt: skip
def test_signs_units_and_endings_do_not_change_the_meaning_of_a_column(column: str, field: str | None) -> None:
    assert words.meaning(column) == field


@pytest.mark.parametrize(
    ("field", "text", "meaning"),
    [
        ("status", "laufend", "investigating"), ("status", "geschl.", "closed"), ("status", "i. B.", "investigating"),
        ("status", "Wiedervorlage", "investigating"), ("status", "zusammengeführt", "dismissed"),
        ("status", "Nicht begonnen", "new"), ("status", "Wartet auf jemand anderen", "investigating"),
        ("severity", "erheblich", "high"), ("severity", "moderat", "medium"), ("severity", "rot", "high"),
    ],
)  # fmt: skip
def test_the_value_of_a_register_is_known(field: str, text: str, meaning: str) -> None:
    assert words.value(field, text) == meaning


def test_an_undecided_severity_is_none_and_stays_a_text(tmp_path: Path) -> None:
    (row,) = imported(written(tmp_path, "Titel;Schweregrad\nA;?\n"))
    assert row.body == {"title": "A", "description": "Schweregrad: ?"}


def test_a_column_that_counts_the_rows_is_not_the_number_if_another_column_is(tmp_path: Path) -> None:
    lines = "".join(f"{n};T{n * 7};x\n" for n in range(1, 6))
    file = written(tmp_path, f"Nummer;Ticket#;Titel\n{lines}")
    assert [row.body["incident_number"] for row in imported(file)] == ["T7", "T14", "T21", "T28", "T35"]
    assert '"Nummer" only counts the rows.' in of(file).notes
    alone = of(written(tmp_path, "Nummer;Titel\n1;A\n2;B\n3;C\n"))
    assert '"Nummer" = "incident_number"  # may only count the rows' in alone.toml
    assert any(note.startswith('"Nummer" may only count the rows') for note in alone.notes)


def test_an_urgency_is_a_severity_only_if_no_other_column_is(tmp_path: Path) -> None:
    assert (
        '"Dringlichkeit" = "severity"' not in of(written(tmp_path, "Titel;Priorität;Dringlichkeit\nA;hoch;hoch\n")).toml
    )
    assert '"Dringlichkeit" = "severity"' in of(written(tmp_path, "Titel;Dringlichkeit\nA;hoch\n")).toml


def test_columns_without_a_field_are_told_and_their_dates_too(tmp_path: Path) -> None:
    head = "Nr;Titel;Status;Schweregrad;Erkannt am;Geschlossen am;Foo;Bar"
    notes = of(written(tmp_path, f"{head}\nA;x;neu;hoch;4.3.2024;;5.3.2024;y\n")).notes
    assert notes[0] == 'Columns without a field, which go into the description: "Foo", "Bar".'
    assert notes[1].startswith('Of these columns, the following have dates: "Foo".')


def test_the_description_is_the_title_if_no_other_column_is(tmp_path: Path) -> None:
    (row,) = imported(written(tmp_path, "Sachverhalt;Status\nLaptop verloren;offen\n"))
    assert row.body["title"] == "Laptop verloren"
    toml, questions, _ = of(written(tmp_path, f"Sachverhalt;Status\n{'lang ' * 100};offen\n"))
    assert ('"Sachverhalt" = "description"' in toml, len(questions)) == (True, 1)


def test_dashes_of_a_number_are_made_plain_and_counted(tmp_path: Path) -> None:
    row = row_of(tmp_path, "Titel;Nr", "A;V\u20132024\u2013002")
    assert (row.body["incident_number"], len(row.repairs)) == ("V-2024-002", 1)
    assert (
        '"Nr" has a value that cannot be a number of an incident: "Vö-1".'
        in of(written(tmp_path, "Nr;Titel\nVö-1;A\n")).notes
    )


def test_a_line_end_in_a_column_s_name_does_not_stand_in_the_description(tmp_path: Path) -> None:
    (row,) = imported(written(tmp_path, 'Titel;"Anzahl\nBetroffene"\nA;7\n'))
    assert row.body["description"] == "Anzahl Betroffene: 7"


# --- rows below the table


@pytest.mark.parametrize("text", ["Ergebnis", "Anzahl Vorfälle", "Mittelwert", "Stand 15.11.2024", "geprüft: Weiß",
                                  "Checked by me",
                                  "Fait à Paris"])  # fmt: skip
def test_a_row_below_the_table_is_refused(tmp_path: Path, text: str) -> None:
    row = row_of(tmp_path, "Nr;Titel;Status;Erkannt;Schaden", f";{text};;;9", decimal=".")
    assert "remove the row" in problems(row)["title"]
    assert problems(row_of(tmp_path, "Nr;Titel;Status;Erkannt", f";{text};new;")) == {}
    assert problems(row_of(tmp_path, "Titel;Status", "Notebook verloren;")) == {}


def test_one_word_in_a_column_of_times_does_not_lose_the_times_of_the_other_rows(tmp_path: Path) -> None:
    rows = "".join(f"A;0{n}.03.2024;09:1{n}\n" for n in range(1, 5))
    file = written(tmp_path, f"Titel;Entdeckt am;Uhrzeit Entdeckung\n{rows}B;08.03.2024;nachmittags\n")
    *timed, untimed = imported(file)
    assert [row.body["detected_at"] for row in timed] == [f"2024-03-0{n}T09:1{n}:00.000Z" for n in range(1, 5)]
    assert untimed.body["detected_at"] == "2024-03-08T00:00:00.000Z"
    assert "nachmittags" in untimed.body["description"]
    assert '"nachmittags" = ""' in of(file).toml


@pytest.mark.parametrize("letter", ["\U0001fae9", "\U000e0041", "\u202e", "\x7f", "\ue000"])
def test_a_proposal_with_any_character_is_toml(tmp_path: Path, letter: str) -> None:
    file = written(tmp_path, f"title,tag{letter}s,status\na,x,wobbly{letter}\n")
    shown = CliRunner().invoke(cli, ["import", str(file), "--suggest"])
    proposed = tomllib.loads(shown.stdout)
    assert f"tag{letter}s" in proposed["columns"]
    assert proposed["values"]["status"] == {f"wobbly{letter}": "?"}
