"""Tests that no name and no cell of a file breaks a proposed mapping, a hint or a message."""

import csv
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incidents.domain.errors import Violation
from incidents_cli.operate.importing import mapping, suggesting
from incidents_cli.operate.importing.convert import as_text
from incidents_cli.operate.importing.mapping import folded, quoted
from incidents_cli.operate.importing.reasons import Reasons
from incidents_cli.operate.importing.rows import Row, read

from tests.support.proposals import imported, of

_ODD = st.text(st.sampled_from("ab1 \n\t\r\"'\\#=?[]{},;.\x00\x07\x1b\x7f\x85\u2028\u202e\ufeff\ufffdÄ"), max_size=8)
_KNOWN = st.sampled_from(["Meldedatum", "Status", "Nr.", "geschlossen am", "Behoben am", "Schaden (EUR)", "Systeme"])
_NAMES = st.one_of(_ODD, st.builds(lambda name, odd: name.replace(" ", "\n") + odd, _KNOWN, _ODD))
_CELLS = st.one_of(
    _ODD, st.sampled_from(["04.03.2024", "14:30", "hoch", "mittel\n(2)", "offen", "12,50 €", "", "x; y"])
)


@st.composite
def _tables(draw: st.DrawFn) -> list[list[str]]:
    odd = draw(_ODD)
    usual = ["Titel", "festgestellt am", "Uhrzeit", "Schweregrad", f"Priorität ({odd})"]
    usual = [name.replace(" ", draw(st.sampled_from([" ", "\n", "\r\n", "\t"]))) for name in usual]
    names = draw(st.lists(_NAMES.filter(str.strip), max_size=5, unique_by=lambda name: folded(name.strip())))
    row = st.lists(_CELLS, min_size=len(names), max_size=len(names))
    rows = draw(st.lists(row, max_size=4))
    return [
        [*usual, *names],
        *([f"Vorfall {n}", "04.03.2024", "14:30", "", odd, *cells] for n, cells in enumerate(rows)),
    ]


@settings(max_examples=100, deadline=None)
@given(table=_tables())
def test_each_proposed_mapping_is_valid_and_the_import_accepts_it(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]
) -> None:
    file = tmp_path_factory.mktemp("odd") / "list.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened, delimiter=";").writerows(table)
    answers: dict[str, Any] = {"separator": ";", "zone": "UTC", "encoding": "utf-8", "header_row": 1}
    document = tomllib.loads(suggesting.suggest(file, answers).toml)
    accepted = mapping.of_table(mapping.without_questions(document))
    assert [row.body["title"] for row in read(file, accepted)][: len(table) - 1] == [row[0] for row in table[1:]]


def written(folder: Path, header: list[str], *records: list[str]) -> Path:
    file = folder / "list.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened, delimiter=";").writerows([header, *records])
    return file


def test_line_breaks_in_the_names_of_columns_stay_out_of_the_comments(tmp_path: Path) -> None:
    header = ["Titel", "festgestellt\nam", "Uhrzeit\nFeststellung", "Schwere-\ngrad", "Priorität"]
    (row,) = imported(written(tmp_path, header, ["A", "04.03.2024", "14:30", "", "hoch"]))
    assert (row.body["detected_at"], row.body["severity"]) == ("2024-03-04T14:30:00.000Z", "high")


def test_the_hint_of_an_error_can_be_pasted_into_the_mapping(tmp_path: Path) -> None:
    header = ["Titel", 'fest"gestellt\nam\\']
    file = written(tmp_path, header, ["A", '31.\n"02".2024'])
    table = {"columns": {"Titel": "title", header[1]: "detected_at"}, "zone": "UTC", "rest": "description"}
    (row,) = read(file, mapping.of_table(table))
    (problem,) = row.unreadable
    line, _, where = problem.detail.partition("or add ")[2].partition(" to leave")[0].partition(" to ")
    table |= tomllib.loads(f"{where}\n{line}\n")
    (row,) = read(file, mapping.of_table(table))
    assert (row.unreadable, "detected_at" in row.body) == ((), False)


def test_a_lone_surrogate_of_a_cell_can_stand_in_a_mapping() -> None:
    name = as_text("am \ud800")
    assert tomllib.loads(f"{quoted(name)} = 1") == {name: 1}


def test_each_reason_is_one_line_of_the_table() -> None:
    reasons = Reasons()
    reasons.add(3, [Violation("/title", "is wrong (column a\nb)")])
    assert list(reasons.table("reason"))[1:] == ["   1  title  3      is wrong (column a b)"]


def test_constants_that_are_tables_stay_toml(tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text(
        '[columns]\n"Titel" = "title"\n[constants]\nlessons_learned = {a = [1, true]}\n'
    )
    toml = of(written(tmp_path, ["Titel"], ["A"]), str(tmp_path / "known.toml")).toml
    assert tomllib.loads(toml)["constants"] == {"lessons_learned": {"a": [1, True]}}


def test_a_given_table_of_values_stays_if_the_column_has_a_line_break(tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text(
        '[columns]\n"Titel" = "title"\n"Schwere grad" = "severity"\n[values."Schwere grad"]\n"7" = "low"\n'
    )
    file = written(tmp_path, ["Titel", "Schwere\ngrad"], ["A", "7"], ["B", "hoch"])
    (tmp_path / "full.toml").write_text(of(file, str(tmp_path / "known.toml")).toml, "utf-8")
    bodies: list[Row] = list(read(file, mapping.load(str(tmp_path / "full.toml"))))
    assert [row.body["severity"] for row in bodies] == ["low", "high"]
