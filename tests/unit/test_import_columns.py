"""Tests of columns whose cells, and not only whose names, decide about the field."""

from pathlib import Path

import pytest
from incidents_cli.main import cli
from typer.testing import CliRunner

from tests.support import workbooks
from tests.support.proposals import imported, of

SENTENCE = "Der Zugang wurde gesperrt, weil das Konto auffällig war; danach wurde Frau Weiß informiert."


def written(folder: Path, *lines: str) -> Path:
    file = folder / "list.csv"
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return file


@pytest.mark.parametrize(
    "cells",
    [
        [SENTENCE, "Passwort zurückgesetzt"], ["Konto gesperrt, Passwort zurückgesetzt", "Schulung"],
        ["- Patch eingespielt\n- Schulung angesetzt", "Keine"], ["CA-17", SENTENCE],
    ],
)  # fmt: skip
def test_a_column_of_prose_is_no_list_of_ids(tmp_path: Path, cells: list[str]) -> None:
    file = written(tmp_path, "Titel|Maßnahmen", *(f'A|"{cell}"' for cell in cells))
    assert '"Maßnahmen" has sentences, and no list of ids or names.' in of(file).notes
    for row, cell in zip(imported(file), cells, strict=True):
        assert "corrective_action_ids" not in row.body
        assert row.body["description"] == f"Maßnahmen: {cell}"


@pytest.mark.parametrize("cell", ["CA-17, CA-18", "M 17; M 18", "Schulung", "CA-17\nCA-18"])
def test_a_column_of_ids_is_a_list(tmp_path: Path, cell: str) -> None:
    (row,) = imported(written(tmp_path, "Titel|Maßnahmen", f'A|"{cell}"'))
    items = [item.strip() for item in cell.replace(";", ",").replace("\n", ",").split(",")]
    assert row.body["corrective_action_ids"] == items


def test_names_of_systems_may_have_several_words(tmp_path: Path) -> None:
    (row,) = imported(written(tmp_path, "Titel|Betroffene Systeme", "A|Mail Server, File Server"))
    assert row.body["affected_asset_ids"] == ["Mail Server", "File Server"]


@pytest.mark.parametrize("column", ["Risiko", "Risiken", "Risk", "Auswirkung"])
def test_a_column_of_levels_has_no_ids_of_risks(tmp_path: Path, column: str) -> None:
    rows = imported(written(tmp_path, f"Titel|{column}", "A|hoch", "B|mittel", "C|gering"))
    assert [row.body.get("realized_risk_ids") for row in rows] == [None] * 3
    assert [row.body.get("severity") for row in rows] == ["high", "medium", "low"]


def test_a_column_of_levels_gets_no_field_if_another_column_is_the_severity(tmp_path: Path) -> None:
    (row,) = imported(written(tmp_path, "Titel|Risiko|Schweregrad", "A|hoch|gering"))
    assert (row.body["severity"], row.body["description"]) == ("low", "Risiko: hoch")
    assert "realized_risk_ids" not in row.body


def test_a_column_of_ids_of_risks_is_a_list(tmp_path: Path) -> None:
    (row,) = imported(written(tmp_path, "Titel|Risiko", "A|R-17, R-18"))
    assert row.body["realized_risk_ids"] == ["R-17", "R-18"]


@pytest.mark.parametrize("title", ["Vorfall", "Ereignis", "Sicherheitsvorfall"])
def test_the_words_of_a_german_register_are_known(tmp_path: Path, title: str) -> None:
    head = f"{title}|Prio|Stand|Behoben am"
    closed = "Laptop aus Auto gestohlen|hoch|erledigt|04.03.2024 10:00"
    file = written(tmp_path, head, closed, "Phishing in der Buchhaltung|gering|offen|")
    first, second = (row.body for row in imported(file))
    assert (first["title"], first["severity"], first["status"]) == ("Laptop aus Auto gestohlen", "high", "closed")
    assert first["closed_at"] == "2024-03-04T10:00:00.000Z"
    assert (second["title"], second["severity"], second["status"]) == ("Phishing in der Buchhaltung", "low", "new")


@pytest.mark.parametrize(("column", "cells"), [("Stand", "15.06.2026|04.03.2024"), ("Vorfall", "V-17|V-18")])
def test_a_name_without_fitting_cells_gets_no_field(tmp_path: Path, column: str, cells: str) -> None:
    first, second = cells.split("|")
    toml = of(written(tmp_path, f"Titel|{column}", f"A|{first}", f"B|{second}")).toml
    assert f'# "{column}" has no field' in toml


@pytest.mark.parametrize("owner", ["N.N.", "n. n.", "n.n.", "N. N."])
def test_nobody_is_no_owner(tmp_path: Path, owner: str) -> None:
    (row,) = imported(written(tmp_path, "Titel|Zuständig", f"A|{owner}"))
    assert row.body.get("owner_id") is None


def test_a_register_without_a_detection_is_told_and_shown_the_line_to_write(tmp_path: Path) -> None:
    proposal = of(written(tmp_path, "Titel|Gemeldet am|Uhrzeit", "A|04.03.2024|10:00"))
    assert '# "Gemeldet am" = "detected_at"\n# "Uhrzeit" = "detected_at"\n' in proposal.toml
    told = "Without detected_at, MTTD, MTTR and the time to contain stay empty. Choose its column."
    assert told in proposal.notes
    assert told not in of(written(tmp_path, "Titel|Erkannt am", "A|04.03.2024")).notes


def test_each_chosen_sheet_has_its_own_errors_file(tmp_path: Path) -> None:
    sheet = [["title", "severity"], ["A", "wrong"]]
    file = workbooks.write(tmp_path / "list.xlsx", {"2025": sheet, "Teil 2": sheet})
    for chosen in ((), ("--sheet", "2025"), ("--sheet", "Teil 2")):
        assert CliRunner().invoke(cli, ["import", str(file), "--dry-run", *chosen]).exit_code == 1
    names = sorted(each.name for each in tmp_path.glob("*.errors.jsonl"))
    assert names == ["list.xlsx.2025.errors.jsonl", "list.xlsx.Teil_2.errors.jsonl", "list.xlsx.errors.jsonl"]
