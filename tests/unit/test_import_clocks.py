"""Tests of columns of times of day. A time that cannot be read never becomes midnight without a warning."""

from datetime import datetime, time
from pathlib import Path
from typing import Any

import pytest
from incidents.domain.errors import InvalidIncident
from incidents_cli.operate.importing import checking, mapping
from incidents_cli.operate.importing.rows import Row, read

from tests.support import workbooks
from tests.support.proposals import imported, of
from tests.support.workbooks import Cell

NOW = "2026-11-23T09:00:00.000Z"
DAY = datetime(2026, 3, 4)  # noqa: DTZ001  # a workbook has no zones


def row_of(folder: Path, clock: Cell, day: datetime = DAY, values: dict[str, str] | None = None) -> Row:
    """Return the row of a workbook with a date and a time of day, read in the zone Europe/Berlin."""
    file = workbooks.write(folder / "list.xlsx", {"S": [["Titel", "Erkannt am", "Uhrzeit"], ["A", day, clock]]})
    table: dict[str, Any] = {
        "columns": {"Titel": "title", "Erkannt am": "detected_at", "Uhrzeit": "detected_at"},
        "zone": "Europe/Berlin", "rest": "description", "values": {"Uhrzeit": values or {}},
    }  # fmt: skip
    (row,) = read(file, mapping.of_table(table))
    return row


@pytest.mark.parametrize(
    ("clock", "stamp"),
    [
        (0.5625, "12:30"), ("0.5625", "12:30"), ("0,5625", "12:30"), (time(14, 30), "13:30"), ("8.15", "07:15"),
        ("8.15 Uhr", "07:15"), ("9h15", "08:15"), ("9 Uhr 15", "08:15"), ("14:30 (MEZ)", "13:30"),
        ("um 9 Uhr", "08:00"), ("14:30 CET", "13:30"), ("14:30 UTC", "14:30"), ("14:30+02:00", "12:30"),
        ("1899-12-30 14:30:00", "13:30"),
    ],
)  # fmt: skip
def test_a_time_of_day_is_read_in_each_unambiguous_form(tmp_path: Path, clock: Cell, stamp: str) -> None:
    row = row_of(tmp_path, clock)
    assert checking.check(row, NOW)["detected_at"] == f"2026-03-04T{stamp}:00.000Z"
    assert (row.warnings, row.body.get("tags"), row.body.get("description")) == ((), None, None)


def test_the_milliseconds_of_a_time_cell_are_kept(tmp_path: Path) -> None:
    row = row_of(tmp_path, workbooks.Shown(52_200.071 / 86_400, "hh:mm:ss"))
    assert checking.check(row, NOW)["detected_at"] == "2026-03-04T13:30:00.071Z"


@pytest.mark.parametrize("clock", ["ca. 14:30", "gegen 14:30", "~14:30", "circa 14.30 Uhr", "around 2:30 PM"])
def test_an_estimated_time_is_taken_with_a_warning_and_its_words_stay(tmp_path: Path, clock: str) -> None:
    row = row_of(tmp_path, clock)
    assert checking.check(row, NOW)["detected_at"] == "2026-03-04T13:30:00.000Z"
    assert [warning.detail for warning in row.warnings] == ["is about this time, as the cell says; the time is taken"]
    assert row.body["description"] == f"Uhrzeit: {clock}"


@pytest.mark.parametrize(
    "clock", ["14:30-15:00", "09:00-10:00", "25:10", "gegen Mittag", "vor 14:30", "ab 9 Uhr", "0.50", "14:30 EST", 8.15,
              0, "1480", "0.0.00", "?", "vormittags", "0"],
)  # fmt: skip
def test_an_unreadable_time_fails_its_row(tmp_path: Path, clock: Cell) -> None:
    with pytest.raises(InvalidIncident) as refused:
        checking.check(row_of(tmp_path, clock), NOW)
    (problem,) = refused.value.violations
    assert problem.pointer == "/detected_at"
    assert "column Uhrzeit" in problem.detail
    assert f'"{clock}" = "" to [values."Uhrzeit"]' in problem.detail


def test_a_zone_of_the_other_season_fails_its_row(tmp_path: Path) -> None:
    row = row_of(tmp_path, "14:30 (MEZ)", datetime(2026, 7, 4))  # noqa: DTZ001
    with pytest.raises(InvalidIncident) as refused:
        checking.check(row, NOW)
    detail = refused.value.violations[0].detail
    assert '"14:30 (MEZ)" has a zone that is not the zone of that day' in detail
    assert '"14:30 (MEZ)" = "" to [values."Uhrzeit"]' in detail


def test_a_text_that_the_mapping_takes_for_no_time_is_tagged_and_told(tmp_path: Path) -> None:
    row = row_of(tmp_path, "gegen Mittag", values={"gegen Mittag": ""})
    given = checking.check(row, NOW)
    assert (given["detected_at"], given["tags"]) == ("2026-03-03T23:00:00.000Z", ["detected-at-without-time"])
    assert [warning.detail for warning in row.warnings] == [
        "has a cell without a time; the date is taken, tag detected-at-without-time"
    ]
    assert row.body["description"] == "Uhrzeit: gegen Mittag"


def test_the_date_of_a_further_column_goes_where_the_rest_goes(tmp_path: Path) -> None:
    row = row_of(tmp_path, "05.03.2026")
    assert checking.check(row, NOW)["detected_at"] == "2026-03-03T23:00:00.000Z"
    assert row.body["description"] == "Uhrzeit: 05.03.2026"


def test_a_column_of_which_half_is_text_keeps_its_readable_times(tmp_path: Path) -> None:
    clocks: list[Cell] = [time(9, 15), "ca. 14:30", "nachmittags", "abends", "8.15", 0.5625, "morgens", "14:30-15:00"]
    records: list[list[Cell]] = [["A", DAY, clock] for clock in clocks]
    file = workbooks.write(tmp_path / "list.xlsx", {"S": [["Titel", "Erkannt am", "Uhrzeit"], *records]})
    notes = of(file).notes
    assert (
        '"Uhrzeit" has cells that are not times of day: 1, in line 9, such as "14:30-15:00". Their rows will fail.'
        in notes
    )
    assert any(note.startswith('"Uhrzeit" has texts without a time, such as "nachmittags"') for note in notes)
    rows = imported(file)
    assert [row.body["detected_at"][11:16] for row in rows] == [
        "09:15", "14:30", "00:00", "00:00", "08:15", "13:30", "00:00", "00:00"
    ]  # fmt: skip
    assert [bool(row.unreadable) for row in rows] == [*(False,) * 7, True]
    assert [row.body.get("tags") is not None for row in rows] == [False, False, True, True, False, False, True, False]


@pytest.mark.parametrize("head", ["Uhrzeit;Behoben am;Uhrzeit", "Uhrzeit;Behoben am;uhrzeit", "um;Behoben am;Uhrzeit"])
def test_each_column_of_times_belongs_to_the_date_on_its_left(tmp_path: Path, head: str) -> None:
    file = tmp_path / "list.csv"
    file.write_text(
        f"Titel;Status;Erkannt am;{head}\nA;erledigt;04.03.2026;09:15;05.03.2026;14:05\n"
        "B;offen;06.03.2026;10:20;;\nC;erledigt;04.03.2026;;05.03.2026;16:05\n"
        f"Titel;Status;Erkannt am;{head}\n", "utf-8"
    )  # fmt: skip
    *rows, repeated = imported(file)
    assert repeated.unreadable[0].detail.startswith("repeats the names of the columns")
    both, opened, closed = (row.body for row in rows)
    assert (both["detected_at"], both["closed_at"]) == ("2026-03-04T09:15:00.000Z", "2026-03-05T14:05:00.000Z")
    assert (opened["detected_at"], opened.get("closed_at")) == ("2026-03-06T10:20:00.000Z", None)
    assert (closed["detected_at"], closed["closed_at"]) == ("2026-03-04T00:00:00.000Z", "2026-03-05T16:05:00.000Z")


def test_a_mapping_names_the_second_column_of_a_name_by_its_number(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("Titel,Text,Text\nA,one,two\n", "utf-8")
    columns = {"Titel": "title", "Text": "description", "Text (2)": "root_cause"}
    (row,) = read(file, mapping.of_table({"columns": columns}))
    assert (row.body["description"], row.body["root_cause"]) == ("one", "two")
