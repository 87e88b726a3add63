"""Tests of the choice of the column with the incident's own number."""

from pathlib import Path

import pytest

from tests.support.proposals import imported, of


def chosen(folder: Path, head: str, *cells: str) -> tuple[list[str], str, list[str]]:
    """Return the columns of incident numbers, the mapping and the notes for a file with these cells."""
    file = folder / "list.csv"
    rows = "".join(f"A;04.03.2024;{each}\n" for each in cells)
    file.write_text(f"Titel;Erkannt am;{head}\n{rows}", "utf-8")
    toml, _, notes = of(file)
    columns = [line.split('"')[1] for line in toml.splitlines() if '" = "incident_number"' in line]
    return columns, toml, notes


@pytest.mark.parametrize(
    ("head", "cells", "own"),
    [
        ("lfd. Nr.;Aktenzeichen", ["1;IT-1", "2;", "3;", "4;IT-1"], "lfd. Nr."),
        ("Aktenzeichen;lfd. Nr.", ["IT-1;12", ";12a", ";14", "IT-2;15"], "lfd. Nr."),
        ("Az.;Vorfall-Nr.", ["IT-1;V-1", "IT-2;V-2", "IT-3;V-3"], "Vorfall-Nr."),
        ("Nr.;Ticket-ID", ["1;T-8", "2;T-9", "3;"], "Ticket-ID"),
        ("Nummer;Kennung", ["V-1;K-1", "V-1;K-2", "V-2;K-3"], "Kennung"),
        ("lfd. Nr.;Aktenzeichen", ["1;V-1", "2;V-2", "3;V-3"], "Aktenzeichen"),
        ("Aktenzeichen", ["V-1", "V-2", "V-3"], "Aktenzeichen"),
    ],
)
def test_the_complete_and_unique_column_is_the_number(tmp_path: Path, head: str, cells: list[str], own: str) -> None:
    columns, _, notes = chosen(tmp_path, head, *cells)
    assert columns == [own]
    assert any(other in note for other in head.split(";") for note in notes) == (";" in head)


def test_empty_and_repeated_numbers_are_told_if_no_column_is_better(tmp_path: Path) -> None:
    columns, toml, notes = chosen(tmp_path, "Aktenzeichen", "IT-1", "", "IT-1", "IT-2")
    assert columns == ["Aktenzeichen"]
    assert '"Aktenzeichen" = "incident_number"  # has 1 empty and 1 repeated cells' in toml
    assert any(note.startswith('"Aktenzeichen" has 1 empty and 1 repeated cells. A row without') for note in notes)


def test_repeated_numbers_are_counted_in_a_long_column(tmp_path: Path) -> None:
    cells = [f"V-{n}" for n in range(500)]
    assert chosen(tmp_path, "Nummer", *cells)[2] == chosen(tmp_path, "Nummer", *cells[1:])[2]
    assert any("1 repeated cells" in note for note in chosen(tmp_path, "Nummer", *cells, "V-499")[2])


def test_a_word_for_a_total_in_the_column_of_numbers_stays_so_that_the_import_names_the_total(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("lfd. Nr.;Titel;Erkannt am;Kosten\n1;A;04.03.2024;1\n2;B;04.03.2024;1\nSumme;;;2\n", "utf-8")
    assert any("for a total" in problem.detail for row in imported(file) for problem in row.unreadable)
