"""Tests of columns whose cells, and not only whose names, decide about the field."""

from pathlib import Path

import pytest

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
