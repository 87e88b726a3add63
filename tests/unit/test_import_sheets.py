"""Tests of spreadsheets with sums below the table, currencies, times of day, and days without a time."""

from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from incidents.domain.errors import InvalidIncident
from incidents_cli.operate.importing import checking, mapping
from incidents_cli.operate.importing.rows import Row, read

from tests.support import workbooks
from tests.support.workbooks import Cell, Shown

NOW = "2026-11-23T09:00:00.000Z"


def problems(row: Row) -> list[tuple[str, str]]:
    with pytest.raises(InvalidIncident) as invalid:
        checking.check(row, NOW)
    return [(one.pointer, one.detail) for one in invalid.value.violations]


def by(columns: dict[str, str], **settings: Any) -> mapping.Mapping:
    return mapping.of_table({"rest": "description", "zone": "Europe/Berlin", "columns": columns} | settings)


# --- sums below a table


TOTALS = [
    "Summe Schäden",
    "Gesamt",
    "GESAMTSUMME:",
    "Total",
    "Grand total",
    "Zwischensumme",
    "Somme",
    "Total general",
    "Sum",
]


@pytest.mark.parametrize("title", TOTALS)
def test_the_sum_below_a_table_is_no_incident(tmp_path: Path, title: str) -> None:
    table: list[list[Cell]] = [["Titel", "Status", "Schaden"], ["A", "new", 5], [title, None, 156200.75]]
    file = workbooks.write(tmp_path / "list.xlsx", {"S": table})
    read_by = by({"Titel": "title", "Status": "status", "Schaden": "financial_impact"}, constants={"source": "x"})
    first, total = read(file, read_by)
    assert checking.check(first, NOW)["title"] == "A"
    ((pointer, detail),) = problems(total)
    assert (pointer, "no date, status or number" in detail) == ("/title", True)


def test_the_sum_below_a_plain_table_is_no_incident(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("title,status,financial_impact\nA,new,5\nTotal,,5\n")
    _, total = read(file)
    assert "sum of a table" in problems(total)[0][1]


@pytest.mark.parametrize("own", ["incident_number", "status", "detected_at", "severity"])
def test_an_incident_may_have_a_total_in_its_title(tmp_path: Path, own: str) -> None:
    value = {"incident_number": "V-1", "status": "new", "severity": "low", "detected_at": "2024-03-04T00:00:00Z"}[own]
    file = tmp_path / "list.csv"
    file.write_text(f"title,{own}\nTotal loss of power,{value}\nTotally fine,\n")
    assert [checking.check(row, NOW)["title"] for row in read(file)] == ["Total loss of power", "Totally fine"]


# --- currencies


EURO, DOLLAR, POUND = '#,##0.00 "€"', '"$"#,##0.00', "[$£-809]#,##0"


@pytest.mark.parametrize(
    ("cell", "unit"),
    [
        ("1.850,00 €", "€"), ("12 EUR", "EUR"), ("£12", "£"), ("CHF 1'250.50", "CHF"), ("A$ 5", "A$"), ("5 kr", "kr"),
        (Shown(12500, EURO), "€"), (Shown(86400.75, POUND), "£"),
    ],
)  # fmt: skip
def test_an_amount_in_another_currency_is_not_taken_as_dollars(tmp_path: Path, cell: Cell, unit: str) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"S": [["Titel", "Schaden"], ["A", cell]]})
    (row,) = read(file, by({"Titel": "title", "Schaden": "financial_impact"}))
    ((pointer, detail),) = problems(row)
    assert pointer == "/financial_impact"
    assert detail.startswith(f"is in {unit}, but the field is in US dollars, not in thousands or millions; to keep")
    (kept,) = read(file, by({"Titel": "title"}))
    assert unit in checking.check(kept, NOW)["description"]


@pytest.mark.parametrize(
    "name", ["Schaden (€)", "Schadenshöhe in EUR", "Kosten TEUR", "cost (k$)", "Cost in million USD"]
)
def test_a_column_in_another_currency_is_not_taken_as_dollars(tmp_path: Path, name: str) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"S": [["Titel", name], ["A", 12500]]})
    (row,) = read(file, by({"Titel": "title", name: "financial_impact"}))
    assert "the field is in US dollars" in problems(row)[0][1]


@pytest.mark.parametrize("cell", [Shown(12.5, DOLLAR), 12.5, "$12.50", "US$ 12.50", "12,5", "12.5 USD"])
def test_an_amount_in_dollars_is_read(tmp_path: Path, cell: Cell) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"S": [["Titel", "Loss (USD)"], ["A", cell], ["B", "25,-"]]})
    rows = read(file, by({"Titel": "title", "Loss (USD)": "financial_impact"}))
    assert [float(checking.check(row, NOW)["financial_impact"]) for row in rows] == [12.5, 25]


def test_the_currency_of_an_open_document_is_read(tmp_path: Path) -> None:
    cells = '<table:table-cell office:value-type="currency" office:currency="EUR" office:value="12.5"/>'
    file = workbooks.write_open_document(tmp_path / "list.ods", ["Titel", "Schaden"], ["A"], cells)
    (row,) = read(file, by({"Titel": "title"}))
    assert checking.check(row, NOW)["description"] == "Schaden: 12.5 EUR"


# --- dates


def dated(tmp_path: Path, head: str, row: str, columns: dict[str, str], **settings: Any) -> Row:
    file = tmp_path / "list.csv"
    file.write_text(f"{head}\n{row}\n", "utf-8")
    (only,) = read(file, by(columns, separator=";", **settings))
    return only


DATES = {"Titel": "title", "Status": "status", "Erkannt": "detected_at", "Ende": "closed_at"}


def test_the_date_of_the_last_update_is_kept_where_the_rest_goes(tmp_path: Path) -> None:
    columns = {"Titel": "title", "Updated": "last_known_at"}
    for rest, field, wanted in (("description", "description", "Updated: 05.03.2024"),
                                ("tags", "tags", ["Updated:05.03.2024"])):  # fmt: skip
        row = dated(tmp_path, "Titel;Updated", "A;05.03.2024", columns, rest=rest)
        assert checking.check(row, NOW)[field] == wanted


@pytest.mark.parametrize(
    ("day", "clock"), [("04.03.2024", "14:30"), ("2024-03-04", "14:30:00"), ("4. März 2024", "14.30 Uhr")]
)
def test_a_date_is_joined_with_the_time_in_the_next_column(tmp_path: Path, day: str, clock: str) -> None:
    columns = {"Titel": "title", "Tag": "detected_at", "Uhrzeit": "detected_at", "Ende": "closed_at"}
    row = dated(tmp_path, "Titel;Tag;Uhrzeit;Ende", f"A;{day};{clock};", columns)
    assert checking.check(row, NOW)["detected_at"] == "2024-03-04T13:30:00.000Z"


def test_the_typed_date_and_time_of_a_workbook_are_joined(tmp_path: Path) -> None:
    table: list[list[Cell]] = [["Titel", "Tag", "Uhrzeit"], ["A", date(2024, 3, 4), time(14, 30)],
                               ["B", datetime(2024, 3, 4, 9, 15), time(14, 30)]]  # noqa: DTZ001  # fmt: skip
    file = workbooks.write(tmp_path / "list.xlsx", {"S": table})
    rows = list(read(file, by({"Titel": "title", "Tag": "detected_at", "Uhrzeit": "detected_at"})))
    first, second = (checking.check(row, NOW) for row in rows)
    assert (first["detected_at"], second["detected_at"]) == ("2024-03-04T13:30:00.000Z", "2024-03-04T08:15:00.000Z")
    assert second["description"] == "Uhrzeit: 14:30:00"


@pytest.mark.parametrize(
    "columns",
    [
        {"Uhrzeit": "detected_at", "Tag": "detected_at"},
        {"Tag": "closed_at", "Uhrzeit": "detected_at"},
        {"Tag": "detected_at", "Ende": "detected_at", "Uhrzeit": "detected_at"},
    ],
)
def test_a_time_that_does_not_stand_below_its_date_is_refused(tmp_path: Path, columns: dict[str, str]) -> None:
    row = dated(tmp_path, "Titel;Tag;Uhrzeit;Ende", "A;04.03.2024;14:30;", {"Titel": "title"} | columns)
    assert [pointer for pointer, detail in problems(row) if "directly below the column of its date" in detail] == [
        "/detected_at"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "4.3.2024 09:15 Uhr", "04.03.2024 09:15 h", "04.03.2024 09.15", "Mo, 04.03.2024 09:15", "Montag 4.3.2024 9:15",
        "04.03.2024, 09:15 Uhr", "4. März 2024, 9:15 Uhr", "04.03.2024 09:15 MEZ", "04.03.2024 10:15 MESZ",
        "04.03.2024 09:15 CET", "Mo 2024-03-04 09:15",
    ],
)  # fmt: skip
def test_a_german_date_is_read(tmp_path: Path, text: str) -> None:
    row = dated(tmp_path, "Titel;Erkannt", f"A;{text}", {"Titel": "title", "Erkannt": "detected_at"})
    assert checking.check(row, NOW)["detected_at"] == "2024-03-04T08:15:00.000Z"


@pytest.mark.parametrize(
    "text", ["ca 04.03.2024", "ab 4. März 2024", "Ende 4. March 2024", "vor 2024-03-04", "KW 12/2024"]
)
def test_a_word_before_a_date_is_not_ignored(tmp_path: Path, text: str) -> None:
    row = dated(tmp_path, "Titel;Erkannt", f"A;{text}", {"Titel": "title", "Erkannt": "detected_at"})
    assert "must be a date and time" in problems(row)[0][1]


@pytest.mark.parametrize("cell", ["45355", "45355,385", 45355.385, 45360])
def test_a_spreadsheet_s_number_of_a_day_is_named(tmp_path: Path, cell: Cell) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"S": [["Titel", "Erkannt"], ["A", cell]]})
    (row,) = read(file, by({"Titel": "title", "Erkannt": "detected_at"}))
    assert "the number that a spreadsheet keeps for a day" in problems(row)[0][1]


# --- ends


def test_an_end_without_a_time_on_the_day_of_the_detection_is_a_last_known_date(tmp_path: Path) -> None:
    row = dated(tmp_path, "Titel;Status;Erkannt;Ende", "A;closed;04.03.2024 09:15;04.03.2024", DATES)
    given = checking.check(row, NOW)
    assert (given["closed_at"], given["tags"], given["description"]) == (
        "2024-03-04T08:15:00.000Z", ["closed-at-last-known"], "Ende: 04.03.2024"
    )  # fmt: skip
    (told,) = row.warnings
    assert (told.pointer, "has no time" in told.detail) == ("/closed_at", True)


@pytest.mark.parametrize(
    ("detected", "end", "wanted"),
    [
        ("04.03.2024 09:15", "05.03.2024", "2024-03-04T23:00:00.000Z"),
        ("", "04.03.2024", "2024-03-03T23:00:00.000Z"),
        ("04.03.2024 09:15", "04.03.2024 10:00", "2024-03-04T09:00:00.000Z"),
    ],
)  # fmt: skip
def test_an_end_in_order_stays(tmp_path: Path, detected: str, end: str, wanted: str) -> None:
    given = checking.check(dated(tmp_path, "Titel;Status;Erkannt;Ende", f"A;closed;{detected};{end}", DATES), NOW)
    assert (given["closed_at"], given.get("tags")) == (wanted, None)


@pytest.mark.parametrize("end", ["03.03.2024", "04.03.2024 00:00", "03.03.2024 10:00"])
def test_an_end_before_the_detection_is_refused(tmp_path: Path, end: str) -> None:
    row = dated(tmp_path, "Titel;Status;Erkannt;Ende", f"A;closed;04.03.2024 09:15;{end}", DATES)
    assert "must not be before detected_at" in problems(row)[0][1]


def test_a_containment_without_a_time_keeps_the_order(tmp_path: Path) -> None:
    columns = {**DATES, "Ende": "contained_at", "Zu": "closed_at"}
    row = dated(tmp_path, "Titel;Status;Erkannt;Ende;Zu", "A;closed;04.03.2024 09:15;04.03.2024;04.03.2024", columns)
    given = checking.check(row, NOW)
    assert (given["contained_at"], given["closed_at"]) == ("2024-03-04T08:15:00.000Z",) * 2
    assert given["tags"] == ["contained-at-last-known", "closed-at-last-known"]


@pytest.mark.parametrize(("status", "told"), [("new", 1), ("investigating", 1), ("dismissed", 0)])
def test_the_end_of_a_row_that_is_not_closed_is_kept_as_its_cell(tmp_path: Path, status: str, told: int) -> None:
    row = dated(tmp_path, "Titel;Status;Erkannt;Ende", f"A;{status};04.03.2024 09:15;05.03.2024 10:00", DATES)
    given = checking.check(row, NOW)
    assert (given["status"], given.get("closed_at"), given["description"]) == (status, None, "Ende: 05.03.2024 10:00")
    assert [warning.pointer for warning in row.warnings] == ["/closed_at"] * told
