"""Tests that mappings turn the exports of other programs into the right incidents, and ask about ambiguous values."""

import json
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from incidents.domain import model, tally
from incidents.domain.errors import InvalidIncident
from incidents_cli.console import StepFailed
from incidents_cli.operate.importing import amounts, checking, mapping, moments, suggesting, words
from incidents_cli.operate.importing.checking import CheckedRow
from incidents_cli.operate.importing.job import ClosedWithoutDate
from incidents_cli.operate.importing.rows import Row, read

from tests.support.templates import CHECKOUT

NOW = "2026-11-23T09:00:00.000Z"

EXPORTS = CHECKOUT / "tests" / "imports"
NAMES = sorted(file.stem for file in EXPORTS.glob("*.csv"))


def checked(row: Row, without_date: ClosedWithoutDate | None = None) -> dict[str, Any]:
    given = checking.check(row, NOW, None, without_date)
    return {name: value for name, value in CheckedRow(row, given, "").fields.items() if name not in ("source_type",)}


def proposed(file: Path, given: str | None = None, **answers: str) -> mapping.Mapping:
    """Return the mapping that is proposed for a file, as a second command reads it."""
    toml, questions, _ = suggesting.suggest(file, answers, given)
    assert questions == []
    map_file = file.with_suffix(".toml")
    map_file.write_text(toml, "utf-8")
    return mapping.load(str(map_file))


def written(folder: Path, content: str | bytes, name: str = "export.csv") -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def shown(row: Row, without_date: ClosedWithoutDate | None = None) -> dict[str, Any]:
    """Return the values of a row as in the files of expected incidents, in which an amount is a text."""
    return {n: str(v) if n == "financial_impact" else v for n, v in checked(row, without_date).items()}


def expected(name: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    wanted = json.loads((EXPORTS / f"{name}.expected.json").read_text("utf-8"))
    return wanted["answers"], wanted["incidents"]


def given_values(folder: Path, name: str) -> str | None:
    """Write the meanings that only a person knows, such as the meaning of a severity 8, and return the file's name."""
    wanted = json.loads((EXPORTS / f"{name}.expected.json").read_text("utf-8")).get("values", {})
    tables = [
        f"[values.{field}]\n" + "".join(f'"{text}" = "{value}"\n' for text, value in meanings.items())
        for field, meanings in wanted.items()
    ]
    return str(written(folder, "".join(tables), "values.toml")) if tables else None


@pytest.mark.parametrize("name", NAMES)
def test_an_export_becomes_the_right_incidents_by_its_proposal(tmp_path: Path, name: str) -> None:
    answers, wanted = expected(name)
    file = written(tmp_path, (EXPORTS / f"{name}.csv").read_bytes())
    given = given_values(tmp_path, name)
    assert [shown(row, "last-known") for row in read(file, proposed(file, given, **answers))] == wanted


@pytest.mark.parametrize("preset", mapping.presets())
def test_an_export_becomes_the_right_incidents_by_its_preset(preset: str) -> None:
    answers, wanted = expected(preset)
    rows = read(EXPORTS / f"{preset}.csv", mapping.load(preset, answers))
    assert [shown(row, "last-known") for row in rows] == wanted


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_proposal_recognizes_encoding_and_separator(tmp_path: Path, encoding: str, separator: str) -> None:
    lines = [["title", "Schweregrad", "Geschlossen am"], ["Datenträger", "Hoch", "04.03.2024 09:15"], ["ß", "low", ""]]
    text = "".join(separator.join(line) + "\r\n" for line in lines)
    file = written(tmp_path, text.encode(encoding))
    found = [checked(row) for row in read(file, proposed(file, zone="UTC"))]
    assert [(each["title"], each["severity"], each.get("closed_at")) for each in found] == [
        ("Datenträger", "high", "2024-03-04T09:15:00.000Z"), ("ß", "low", None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["04/03/2024", "05/03/2024"], "date_order: the rows allow each order"),
        (["04/03/2024", "13/03/2024", "03/13/2024"], "date_order: the rows contradict each other"),
        (["24/03/04", "25/03/04"], "date_order: the rows allow each order"),
        (["2024-03-04 09:15"], "zone: in which zone"),
    ],
)
def test_a_proposal_asks_what_the_rows_do_not_prove(tmp_path: Path, cells: list[str], told: str) -> None:
    file = written(tmp_path, "title,detected_at\n" + "".join(f"x,{cell}\n" for cell in cells))
    toml, questions, _ = suggesting.suggest(file, {})
    assert any(told in question for question in questions)
    (tmp_path / "map.toml").write_text(toml)
    with pytest.raises(StepFailed, match="open questions"):
        mapping.load(str(tmp_path / "map.toml"))


@pytest.mark.parametrize(("cell", "order"), [("13/03/2024", "day-first"), ("03/13/2024", "month-first")])
def test_a_proposal_takes_the_order_that_the_rows_prove(tmp_path: Path, cell: str, order: str) -> None:
    file = written(tmp_path, f"title,detected_at\nx,04/03/2024\ny,{cell}\n")
    assert proposed(file, zone="UTC").dates.order == order


def test_a_value_without_a_meaning_is_asked_and_not_guessed(tmp_path: Path) -> None:
    file = written(tmp_path, "title,severity,status\nx,2,Mondphase\n")
    _, questions, _ = suggesting.suggest(file, {})
    assert [question.partition(":")[0] for question in questions] == ["severity", "status"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2024-03-04T09:15:22+01:00", "2024-03-04T08:15:22.000Z"),
        ("2024-03-04 09:15:22 UTC", "2024-03-04T09:15:22.000Z"),
        ("2024-03-04 09:15:22 +0100", "2024-03-04T08:15:22.000Z"),
        ("2024-03-04", "2024-03-04T00:00:00.000Z"),
        ("04.03.2024 09:15", "2024-03-04T09:15:00.000Z"),
        ("4. März 2024 09:15", "2024-03-04T09:15:00.000Z"),
        ("11/May/24 12:05 AM", "2024-05-11T00:05:00.000Z"),
        ("Mar 4, 2024 9:15 PM", "2024-03-04T21:15:00.000Z"),
        ("Mon, 04 Mar 2024 09:15:22 +0000", "2024-03-04T09:15:22.000Z"),
        ("1709283600000", "2024-03-01T09:00:00.000Z"),
        ("1709283600", "2024-03-01T09:00:00.000Z"),
        ("13/03/2024", "2024-03-13T00:00:00.000Z"),
        ("03/04/2024", "day-first or month-first"),
        ("2024-02-30", "exists"),
        ("2024-03-04 09:15 CST", "several meanings"),
        ("2024-03-04 13:15 PM", "not a date and time"),
        ("soon", "must be a date and time"),
    ],
)
def test_a_date_is_read_in_one_way_or_refused(text: str, wanted: str) -> None:
    try:
        assert moments.parse(text, moments.DateRules(UTC)).text == wanted
    except ValueError as error:
        assert wanted in str(error)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("2024-10-27 02:30", moments.TWICE), ("2024-10-27 03:30", None), ("2024-03-31 02:30", "does not have")],
)
def test_a_time_at_the_change_of_the_clocks_is_told(text: str, wanted: str | None) -> None:
    rules = moments.DateRules(moments.zone("Europe/Berlin"))
    try:
        assert moments.parse(text, rules).warning == wanted
    except ValueError as error:
        assert wanted is not None
        assert wanted in str(error)


@pytest.mark.parametrize(
    ("text", "decimal", "wanted"),
    [
        ("48.250", None, "may be thousands or decimals"), ("48.250", ",", "48250"), ("48.250", ".", "48.250"),
        ("1,250.50", None, "1250.50"), ("48.250,50", None, "48250.50"), ("12,5", None, "12.5"), ("$12", None, "12"),
        ("0.250", None, "0.250"), ("1 250,50", None, "1250.50"), ("1'250.50", None, "1250.50"),
        ("1.234.567", None, "1234567"), ("12 EUR", None, "in US dollars"), ("25,-", None, "25.00"),
        ("1,2,3", None, "must be a number"),
    ],
)  # fmt: skip
def test_an_amount_is_read_in_one_way_or_asked(text: str, decimal: amounts.Mark | None, wanted: str) -> None:
    try:
        assert amounts.parse(text, decimal) == wanted
    except ValueError as error:
        assert wanted in str(error)


CLOSED = "title,status,occurred_at,detected_at\nA,closed,2024-03-01T02:10:00Z,2024-03-01T06:40:00Z\n"


@pytest.mark.parametrize("status", ["closed", "contained"])
def test_a_row_that_ended_without_a_date_is_refused(tmp_path: Path, status: str) -> None:
    (row,) = read(written(tmp_path, CLOSED.replace("closed", status)))
    with pytest.raises(InvalidIncident) as refused:
        checking.check(row, NOW)
    (one,) = refused.value.violations
    assert one.pointer == f"/{status}_at"
    assert "--closed-without-date=last-known" in one.detail
    assert "--closed-without-date=review" in one.detail


@pytest.mark.parametrize("status", ["closed", "contained"])
def test_no_end_is_invented(tmp_path: Path, status: str) -> None:
    (row,) = read(written(tmp_path, CLOSED.replace("closed", status)))
    known = checked(row, "last-known")
    assert (known["status"], known[f"{status}_at"], known["tags"]) == (
        status, "2024-03-01T06:40:00.000Z", [f"{status}-at-last-known"]
    )  # fmt: skip
    reviewed = checked(row, "review")
    assert (reviewed["status"], reviewed.get(f"{status}_at"), reviewed["tags"]) == (
        "review", None, [f"{status}-without-date"]
    )  # fmt: skip


def test_a_row_without_any_date_has_no_last_known_date(tmp_path: Path) -> None:
    (row,) = read(written(tmp_path, "title,status\nA,closed\n"))
    with pytest.raises(InvalidIncident) as refused:
        checking.check(row, NOW, None, "last-known")
    assert "no other date" in refused.value.violations[0].detail
    assert checked(row, "review")["status"] == "review"


def test_the_last_known_date_of_an_export_is_its_last_update(tmp_path: Path) -> None:
    file = written(tmp_path, (EXPORTS / "jira.csv").read_text().replace("In Progress", "Done"))
    *_, row = read(file, mapping.load("jira", {"zone": "UTC"}))
    assert checked(row, "last-known")["closed_at"] == "2024-05-13T07:07:00.000Z"


def test_a_failed_row_of_a_mapped_file_is_imported_from_the_errors_file(tmp_path: Path) -> None:
    read_by = mapping.load("jira", {"zone": "UTC"})
    rows = list(read(EXPORTS / "jira.csv", read_by))
    errors = written(
        tmp_path, "".join(f'{{"line": {row.line}, "errors": [], {row.stood}}}\n' for row in rows), "errors.jsonl"
    )
    assert [row.body for row in read(errors, read_by)] == [row.body for row in rows]


MAP = '[columns]\n"A" = "title"\n"B" = "severity"\n"C" = "tags"\n"D" = "tags"\n'


@pytest.mark.parametrize(
    ("rest", "field", "wanted"),
    [
        ("description", "description", "E: 5"), ("tags", "tags", ["x", "y", "E:5"]), ("leave_out", "tags", ["x", "y"]),
    ],
)  # fmt: skip
def test_the_rest_goes_where_the_mapping_says(tmp_path: Path, rest: str, field: str, wanted: object) -> None:
    map_file = written(tmp_path, f'rest = "{rest}"\n{MAP}', "map.toml")
    (row,) = read(written(tmp_path, "A,B,C,D,E\nt,HIGH,x,y,5\n"), mapping.load(str(map_file)))
    assert checked(row)[field] == wanted


def test_a_column_that_is_not_in_the_mapping_is_refused_by_default(tmp_path: Path) -> None:
    map_file = written(tmp_path, MAP, "map.toml")
    with pytest.raises(StepFailed) as refused:
        list(read(written(tmp_path, "A,B,C,D,E\nt,high,x,y,5\n"), mapping.load(str(map_file))))
    assert "E: is not in the mapping" in refused.value.detail


NOT_OF_FILES = ("rot13", "zip", "base64", "idna", "punycode", "undefined")


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[columns", "is not TOML"),
        ("[columns]\n", "no column becomes the title"),
        ('[columns]\n"A" = "titel"', "titel is not a field of an incident"),
        (f'zone = "Berlin"\n{MAP}', "'Berlin' is not a time zone"),
        (f'date_order = "dmy"\n{MAP}', "must be one of day-first month-first year-first, not dmy"),
        (f'encoding = "ansi-german"\n{MAP}', "is not an encoding"),
        *((f'encoding = "{name}"\n{MAP}', f"encoding: {name} is not an encoding") for name in NOT_OF_FILES),
        (f'encoding = "x\\u0000y"\n{MAP}', "encoding: "),
        (f'date_formats = ["%d.%m.%Y", "%d%m %d%m"]\n{MAP}', "date_formats: '%d%m %d%m' is not a format"),
        (f'date_formats = ["%Q"]\n{MAP}', "date_formats: '%Q' is not a format"),
        (f'date_formats = ["%d %"]\n{MAP}', "date_formats: '%d %' is not a format"),
        (f"list_separators = {'[' * 5000}{']' * 5000}\n{MAP}", "nested too deeply"),
        (f"{'a.' * 5000}a = 1\n{MAP}", "nested too deeply"),
        (f"list_separators = {'[' * 20}{']' * 20}\n{MAP}", "nested too deeply"),
        (f"decimal = 3\n{MAP}", "decimal: must be a text"),
        (f'colour = "red"\n{MAP}', "colour: is not a part of a mapping"),
        (f'{MAP}[values.severity]\n"1" = "urgent"', "must be one of critical"),
        (f'{MAP}[values.Z]\n"1" = "urgent"', "neither a field nor a column"),
        (f'{MAP}[values.severity]\n"1" = "?"', "which value of the field does it mean?"),
    ],
)
def test_a_wrong_mapping_is_refused_and_the_line_is_named(tmp_path: Path, toml: str, told: str) -> None:
    with pytest.raises(StepFailed) as refused:
        mapping.load(str(written(tmp_path, toml, "map.toml")))
    assert told in f"{refused.value.what}{refused.value.detail}"


def test_a_file_that_lacks_the_byte_order_mark_of_its_encoding_is_refused(tmp_path: Path) -> None:
    read_by = mapping.of_table({"encoding": "utf-16", "columns": {"a": "title"}})
    with pytest.raises(StepFailed, match="is not utf-16"):
        list(read(written(tmp_path, "a\nbc\n".encode("utf-16-le")), read_by))


def test_a_mapping_that_is_missing_names_the_presets() -> None:
    with pytest.raises(StepFailed) as refused:
        mapping.load("jirra")
    assert "dfir-iris, firehydrant, jira, pagerduty, servicenow, thehive" in refused.value.advice


@pytest.mark.parametrize("preset", mapping.presets())
def test_a_preset_says_which_export_it_reads(preset: str) -> None:
    assert (mapping.PRESETS / f"{preset}.toml").read_text().startswith("# Reads ")
    assert mapping.load(preset).columns


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("started_at", "occurred_at"), ("resolved_at", "closed_at"), ("mitigated_at", "contained_at"),
        ("Short description", "title"), ("Geschlossen am", "closed_at"), ("updated_from", None),
    ],
)  # fmt: skip
def test_a_column_is_recognized_by_meaning(column: str, field: str | None) -> None:
    assert words.meaning(column) == field


def test_an_unknown_column_is_told_by_meaning_or_not_at_all(tmp_path: Path) -> None:
    file = written(tmp_path, "title,started_at,resolved_at,updated_from,severty\n")
    with pytest.raises(StepFailed) as refused:
        list(read(file))
    told = dict(line.strip().split(": ", 1) for line in refused.value.detail.split("\n"))
    unknown = "is not a field of an incident"
    assert told == {
        "started_at": f"{unknown}; the name means occurred_at", "resolved_at": f"{unknown}; the name means closed_at",
        "updated_from": unknown, "severty": f"{unknown}; did you mean severity?",
    }  # fmt: skip
    assert "--suggest" in refused.value.advice


def test_every_word_means_one_thing() -> None:
    tables = words._words()
    for table in (tables["columns"], *tables["values"].values()):
        listed = [word for field, found in table.items() for word in {mapping.folded(each) for each in [field, *found]}]
        assert [word for word in listed if listed.count(word) > 1] == []
    assert set(tables["columns"]) <= mapping.TARGETS
    assert set(tables["presets"]) == set(mapping.presets())


def test_a_last_known_end_counts_as_imported_in_the_metrics(tmp_path: Path) -> None:
    (row,) = read(written(tmp_path, CLOSED))
    given = checking.check(row, NOW, None, "last-known")
    incident: Any = model.unset_fields() | given
    assert model.apply_rules(incident, given, NOW) == []
    assert (incident["mttd_minutes"], incident["mttr_minutes"]) == (270, None)
    counted = tally.Tally()
    counted.add("closed", tally.Facts(**{name: incident.get(name) for name in tally.Facts._fields}))
    assert (counted.minutes, counted.imported) == ({("mttr", 0): 1}, {"mttr": 1})

    confirmed = incident | {"tags": []}
    assert model.apply_rules(confirmed, {"tags": []}, NOW, before=incident) == []
    assert confirmed["mttr_minutes"] == 0
    real = tally.Tally()
    real.add("closed", tally.Facts(**{name: confirmed.get(name) for name in tally.Facts._fields}))
    assert (real.minutes, real.imported["mttr"]) == ({("mttr", 0): 1}, 0)
