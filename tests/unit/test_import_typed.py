"""Tests of dates and times that a person mistyped: a reader knows some of them, and the others are told."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from incidents_cli.operate.importing import checking, clocks, mapping, moments
from incidents_cli.operate.importing.moments import DateRules
from incidents_cli.operate.importing.rows import Row, read

from tests.support.proposals import of

RULES = DateRules(ZoneInfo("UTC"))


@pytest.mark.parametrize(
    "text", ["7. 4. 2025", " 7. 4.2025", "07.04. 2025", "7.April 25", "7.Apr.25", "7.Apr.2025", "07,04,2025",
             "7,4,2025", "Mo, 07. 04. 2025"],
)  # fmt: skip
def test_a_date_that_a_reader_knows_is_read(text: str) -> None:
    assert moments.parse(text, RULES) == moments.parse("07.04.2025", RULES)
    assert moments.is_day(text)
    assert moments.looks_like_date(text)


def test_the_time_after_such_a_date_is_read() -> None:
    for text in ("7. 4. 2025 14:30", "07,04,2025, 14:30 Uhr", "7.Apr.25 14.30"):
        assert moments.parse(text, RULES).text == "2025-04-07T14:30:00.000Z"


@pytest.mark.parametrize(
    "text", ["14.O5.2025", "07,04,25", "7- 4- 2025", "7.4.205", "07.04/2025", "1,234,5678", "7 4 2025"]
)
def test_a_date_is_not_guessed(text: str) -> None:
    with pytest.raises(ValueError, match="date"):
        moments.parse(text, RULES)


def test_a_year_before_1970_is_told(tmp_path: Path) -> None:
    assert any('not dates: 1, in line 2, such as "07.04.1925"' in note for note in register(tmp_path, "07.04.1925;;"))


@pytest.mark.parametrize(("cell", "clock"), [("14,30", "14:30"), ("1430", "14:30"), (1430, "14:30"), ("0815", "08:15")])
def test_a_time_without_a_colon_is_read_in_a_column_of_times(cell: Any, clock: str) -> None:
    assert clocks.read(cell) == clocks.TimeOfDay(clock)


@pytest.mark.parametrize("cell", ["0,50", "2430", "1460", "830", 830, "14300", 14.3, 8.15, 2025.0, True])
def test_a_number_that_may_be_no_time_is_not_read_as_a_time(cell: Any) -> None:
    assert clocks.read(cell) is None


def rows(folder: Path, text: str, **values: str) -> list[Row]:
    file = folder / "list.csv"
    file.write_text(f"Titel;festgestellt am\nA;{text}\n", "utf-8")
    table = {"columns": {"Titel": "title", "festgestellt am": "detected_at"}, "zone": "UTC", "separator": ";",
             "values": {"festgestellt am": values}}  # fmt: skip
    return list(read(file, mapping.of_table(table)))


def test_the_error_of_a_date_names_both_ways_out_and_both_work(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, "14.O5.2025")
    (problem,) = row.unreadable
    assert '; correct the cell, or add "14.O5.2025" = "" to [values."festgestellt am"] to leave out' in problem.detail
    assert problem.detail.endswith(', or the right date instead of ""')
    (right,) = rows(tmp_path, "14.O5.2025", **{"14.O5.2025": "14.05.2025"})
    (left,) = rows(tmp_path, "14.O5.2025", **{"14.O5.2025": ""})
    assert (right.body["detected_at"], right.unreadable) == ("2025-05-14T00:00:00.000Z", ())
    assert ("detected_at" in left.body, left.unreadable) == (False, ())


def register(folder: Path, *rows: str) -> list[str]:
    """Return the notes of the proposal for a register with these rows: detection, report, time of the report."""
    file = folder / "list.csv"
    listed = "".join(f"A;{row}\n" for row in rows)
    file.write_text(f"Titel;festgestellt am;Meldedatum;Uhrzeit Meldung\n{listed}", "utf-8")
    return of(file).notes


def test_all_bad_cells_are_counted_with_their_lines(tmp_path: Path) -> None:
    notes = register(
        tmp_path, "04.03.2024;05.03.2024;8:00", *(f"31.02.20{n};05.03.2024;{n}-{n}" for n in range(10, 16))
    )
    wanted = '"festgestellt am" has cells that are not dates: 6, in lines 3, 4, 5, 6, 7, 8, such as "31.02.2010", '
    assert any(note.startswith(wanted) for note in notes)
    assert any(
        note.startswith('"Uhrzeit Meldung" has cells that are not times of day: 6, in lines 3, 4,') for note in notes
    )


def test_future_dates_and_detections_years_before_the_report_are_told(tmp_path: Path) -> None:
    notes = register(tmp_path, "04.03.2024;05.03.2024;", "04.03.2062;05.03.2024;", "04.03.2015;05.03.2024;")
    told = '"festgestellt am" has dates in the future: 1, in line 3, such as "04.03.2062". Their rows will fail.'
    assert told in notes
    assert any(note.startswith('"festgestellt am" has dates more than a year before "Meldedatum": 1, in line 4')
               for note in notes)  # fmt: skip


def test_the_import_warns_of_a_detection_years_before_the_report() -> None:
    stamps = {"detected_at": "2015-04-07T00:00:00.000Z", "reported_at": "2025-04-08T00:00:00.000Z"}
    (warning,) = checking.before_report(stamps)
    assert warning.detail == "is more than a year before reported_at; check the two years"
    assert list(checking.before_report(stamps | {"detected_at": "2024-05-08T00:00:00.000Z"})) == []


def test_digits_are_a_time_of_a_column_of_times_but_do_not_prove_the_column(tmp_path: Path) -> None:
    assert not any(
        "Uhrzeit" in note for note in register(tmp_path, "04.03.2024;05.03.2024;1430", "04.03.2024;05.03.2024;8:00")
    )
    assert any("Uhrzeit Meldung" in note for note in register(tmp_path, "04.03.2024;05.03.2024;1430"))
