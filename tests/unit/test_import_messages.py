"""Tests that the messages of an import name the reason of a fault, and not its consequences."""

from pathlib import Path
from typing import Any

import pytest
from incidents.domain.errors import InvalidIncident, Violation
from incidents_cli.operate.importing import checking, mapping
from incidents_cli.operate.importing.reasons import Reasons
from incidents_cli.operate.importing.rows import Row, read

from tests.support.proposals import of

NOW = "2026-11-23T09:00:00.000Z"
COLUMNS = {"Nr": "incident_number", "Titel": "title", "Status": "status", "Erkannt": "detected_at",
           "Gemeldet": "reported_at", "Uhrzeit": "reported_at", "Ende": "closed_at"}  # fmt: skip


def row_of(folder: Path, head: str, cells: str, **settings: Any) -> Row:
    (folder / "list.csv").write_text(f"{head}\n{cells}\n", "utf-8")
    table: dict[str, Any] = {"columns": {name: COLUMNS[name] for name in head.split(";")}, "separator": ";",
                             "zone": "UTC", "values": {"status": {"offen": "new"}}}  # fmt: skip
    (row,) = read(folder / "list.csv", mapping.of_table(table | settings))
    return row


def problems(row: Row) -> list[Violation]:
    with pytest.raises(InvalidIncident) as refused:
        checking.check(row, NOW)
    return list(refused.value.violations)


@pytest.mark.parametrize("clock", ["14:30", "9.30", "gegen 12 Uhr"])
def test_the_time_after_an_unreadable_date_is_no_second_error(tmp_path: Path, clock: str) -> None:
    (problem,) = problems(row_of(tmp_path, "Titel;Gemeldet;Uhrzeit", f"A;31.02.2025;{clock}"))
    assert "31.02.2025" in problem.detail


def test_a_time_without_its_date_is_told(tmp_path: Path) -> None:
    (problem,) = problems(row_of(tmp_path, "Titel;Gemeldet;Uhrzeit", "A;;14:30"))
    assert problem.detail == "is a time of day, and the cell of its date is empty (column Uhrzeit)"


def test_a_typo_of_a_year_does_not_make_the_other_dates_wrong(tmp_path: Path) -> None:
    (problem,) = problems(row_of(tmp_path, "Titel;Erkannt;Gemeldet", "A;04.03.2062;04.03.2026"))
    assert (problem.pointer, problem.detail.partition(":")[0]) == ("/detected_at", "is in the future")


def test_a_true_contradiction_stays_next_to_a_date_in_the_future(tmp_path: Path) -> None:
    row = row_of(tmp_path, "Titel;Erkannt;Gemeldet;Ende", "A;04.03.2026;04.03.2062;01.03.2026")
    assert {problem.pointer for problem in problems(row)} == {"/reported_at", "/closed_at"}


def test_a_total_has_one_reason(tmp_path: Path) -> None:
    (problem,) = problems(row_of(tmp_path, "Nr;Titel", "Summe;"))
    assert problem.pointer == "/incident_number"


def test_a_line_that_several_rows_name_differently_is_another_line() -> None:
    reasons = Reasons()
    for line, other in ((16, 17), (17, 16)):
        reasons.add(line, [checking.clash(other)])
    (row,) = list(reasons.table("reason"))[1:]
    assert row.startswith("   2  incident_number  16, 17  is also the number of another line, and the two rows differ")
    alone = Reasons()
    alone.add(16, [checking.clash(17)])
    assert "line 17" in list(alone.table("reason"))[1]


@pytest.mark.parametrize(
    ("rest", "where"), [("description", "into the description"), ("tags", "into the tags"), ("leave_out", "nowhere"),
                        ("refuse", "into the description")],
)  # fmt: skip
def test_a_warning_says_where_a_cell_goes(tmp_path: Path, rest: str, where: str) -> None:
    row = row_of(tmp_path, "Titel;Status;Ende", "A;offen;04.03.2024", rest=rest)
    assert [each.detail for each in row.warnings] == [f"goes {where}, because the status is new"]


def test_a_missing_beginning_is_told(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("Titel;Erkannt am\nA;04.03.2024\n", "utf-8")
    toml, _, notes = of(file)
    assert "No column for occurred_at, so mttd_minutes stays empty." in notes
    assert "# No column for occurred_at, so mttd_minutes stays empty." in toml
    file.write_text("Titel;Erkannt am;Eingetreten am\nA;04.03.2024;03.03.2024\n", "utf-8")
    assert not any("mttd_minutes" in note for note in of(file).notes)
