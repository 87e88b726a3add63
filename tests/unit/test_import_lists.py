"""Tests of lists as people write them in a cell, and of the regimes to which an incident is reportable."""

from pathlib import Path
from typing import Any

import pytest
from incidents_cli.operate.importing import cells, mapping
from incidents_cli.operate.importing.rows import Row, read

from tests.support.proposals import imported, of


def row_of(folder: Path, cell: str, target: str, values: dict[str, str] | None = None) -> Row:
    """Return the row of a file with a title and one further column, which has this cell."""
    file = folder / "list.csv"
    quotes = '"' + cell.replace('"', '""') + '"'
    file.write_text(f"Titel|Spalte|Foo\nA|{quotes}|x\n", "utf-8")
    table: dict[str, Any] = {
        "columns": {"Titel": "title", "Spalte": target}, "rest": "description", "separator": "|",
        "list_separators": [",", ";", "\n"], "values": {"Spalte": values or {}},
    }  # fmt: skip
    (row,) = read(file, mapping.of_table(table))
    return row


# --- reportable_to


@pytest.mark.parametrize(
    "cell", ["nein", "Nein", "no", "keine", "n. b.", "n.b.", "-", "nein (unter Schwelle)", "in Prüfung", "unklar"]
)
def test_a_no_is_no_regime_and_is_told(tmp_path: Path, cell: str) -> None:
    row = row_of(tmp_path, cell, "reportable_to")
    assert "reportable_to" not in row.body
    assert f"Spalte: {cell}" in row.body["description"]
    assert [warning.pointer for warning in row.warnings] == ["/reportable_to"]


@pytest.mark.parametrize("cell", ["ja", "Ja (BaFin)", "ja \u2013 LfDI", "ja, BaFin", "yes", "x", "ja/BSI"])
def test_a_yes_without_a_regime_fails_until_the_mapping_names_the_regime(tmp_path: Path, cell: str) -> None:
    (problem,) = row_of(tmp_path, cell, "reportable_to").unreadable
    assert problem.detail.startswith(f'does not name a regime: "{cell}" (column Spalte); add "{cell}" = "eu-gdpr"')
    row = row_of(tmp_path, cell, "reportable_to", {cell: "eu-dora"})
    assert (row.unreadable, row.body["reportable_to"]) == ((), ["eu-dora"])


@pytest.mark.parametrize(
    ("cell", "regimes"), [("eu-gdpr; eu-nis2", ["eu-gdpr", "eu-nis2"]), ("BaFin", ["BaFin"]), ("SI-CERT", ["SI-CERT"])]
)
def test_the_name_of_a_regime_is_taken(tmp_path: Path, cell: str, regimes: list[str]) -> None:
    row = row_of(tmp_path, cell, "reportable_to")
    assert (row.body["reportable_to"], row.warnings) == (regimes, ())


def test_a_yes_of_a_column_of_regimes_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("Titel;meldepflichtig an\nA;ja (BaFin)\nB;nein\nC;DORA\n", "utf-8")
    toml, (question,), _ = of(file)
    assert question.startswith('reportable_to: which regime does "ja (BaFin)" mean')
    assert '"nein" = ""  # no regime' in toml
    assert '"DORA"' not in toml


def test_a_yes_or_no_without_a_mapping_is_told() -> None:
    (warning,) = cells.warnings({"reportable_to": "nein"})
    assert warning.detail == "says yes or no, and does not name a regime"
    assert list(cells.warnings({"reportable_to": "eu-gdpr"})) == []


# --- items


@pytest.mark.parametrize(
    ("cell", "items"),
    [
        ("- Mail\n- CRM", ["Mail", "CRM"]), ("* Mail\n\u2022 CRM", ["Mail", "CRM"]), ("-5, - 6", ["-5", "6"]),
        ("Server (FS01, FS02)", ["Server (FS01, FS02)"]), ("A (b (c, d); e), F", ["A (b (c, d); e)", "F"]),
        ("A (b, c", ["A (b", "c"]), ("A) b, (c", ["A) b", "(c"]), ("SAP; CRM, DMS", ["SAP", "CRM", "DMS"]),
        ("TCP/IP, HR", ["TCP/IP", "HR"]), ("- ", ["-"]),
    ],
)  # fmt: skip
def test_a_list_is_divided_as_people_write_it(tmp_path: Path, cell: str, items: list[str]) -> None:
    row = row_of(tmp_path, cell, "affected_asset_ids")
    assert (row.body["affected_asset_ids"], row.warnings) == (items, ())


def test_a_slash_between_spaces_stays_and_is_told_if_nothing_proves_a_list(tmp_path: Path) -> None:
    row = row_of(tmp_path, "USV 2 / Klimaanlage", "affected_asset_ids")
    assert row.body["affected_asset_ids"] == ["USV 2 / Klimaanlage"]
    assert [warning.detail for warning in row.warnings] == [
        'has " / " inside an item, which stays one item; to divide it, add " / " to list_separators (column Spalte)'
    ]


@pytest.mark.parametrize(("other", "first"), [("Klimaanlage; CRM", ["USV 2", "Klimaanlage"]),
                                              ("CRM", ["USV 2 / Klimaanlage"])])  # fmt: skip
def test_a_slash_divides_if_another_cell_has_one_of_the_items(tmp_path: Path, other: str, first: list[str]) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f'Titel,Betroffene Systeme\nA,USV 2 / Klimaanlage\nB,"{other}"\n', "utf-8")
    assert imported(file)[0].body["affected_asset_ids"] == first


def test_a_word_for_nothing_is_found_in_a_long_column(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    rows = "".join(f"A;srv-{n}\n" for n in range(100))
    file.write_text(f"Titel;Betroffene Systeme\n{rows}A;n. b.\nA;n.b.\n", "utf-8")
    assert [row.body.get("affected_asset_ids") for row in imported(file)[-2:]] == [None, None]
