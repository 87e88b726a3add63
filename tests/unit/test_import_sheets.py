"""Tests of what people keep in a spreadsheet besides incidents: sums, currencies, times of day, titles above the table."""

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


TOTALS = ["Summe Schäden", "Gesamt", "GESAMTSUMME:", "Total", "Grand total", "Zwischensumme", "Somme", "Total general", "Sum"]


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
    assert detail.startswith(f"is in {unit}, but the field is in US dollars; to keep the text, remove the column from")
    (kept,) = read(file, by({"Titel": "title"}))
    assert unit in checking.check(kept, NOW)["description"]


@pytest.mark.parametrize("name", ["Schaden (€)", "Schadenshöhe in EUR", "Kosten TEUR", "cost (k$)", "Cost in million USD"])
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
