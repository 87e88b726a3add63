"""Tests of forms that exports of other programs have: dates, JSON in cells, numbers with a sign, and weak columns."""

from pathlib import Path

import pytest
from incidents_cli.operate.importing import mapping, moments
from incidents_cli.operate.importing.rows import Row, read

from tests.support.proposals import imported, of

BERLIN = moments.DateRules(moments.zone("Europe/Berlin"), "day-first")


def written(folder: Path, *lines: str) -> Path:
    file = folder / "list.csv"
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return file


def told(row: Row) -> dict[str, str]:
    return {warning.pointer: warning.detail for warning in row.warnings}


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("Mon Mar 04 2024 09:15:22 GMT+0000 (GMT)", "09:15:22.000"),
        ("Mon Mar 04 2024 09:15:22 GMT+0100 (Central European Standard Time)", "08:15:22.000"),
        ("Mar 4, 2024 @ 09:15:22.123", "08:15:22.123"),
        ("2024-03-04 at 09:15", "08:15:00.000"),
        ("2024-03-04 09:15 (UTC)", "09:15:00.000"),
        ("04.03.2024 09:15 (MEZ)", "08:15:00.000"),
        ("2024-03-04T09:15:22Z (UTC)", "09:15:22.000"),
    ],
)
def test_a_date_of_a_script_or_of_a_search_program_is_read(text: str, stamp: str) -> None:
    assert moments.parse(text, BERLIN) == moments.Moment(f"2024-03-04T{stamp}Z")
    assert moments.looks_like_date(text)


@pytest.mark.parametrize("text", ["04.03.2024 09:15 (geschätzt)", "04.03.2024 (Montag)", "2024-03-04 09:15 (EST)"])
def test_another_note_after_a_date_is_not_ignored(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be a date and time|several meanings"):
        moments.parse(text, BERLIN)


@pytest.mark.parametrize(
    ("text", "is_told"),
    [("04.07.2024 09:15 MEZ", True), ("2024-03-04 09:15 CEST", True), ("04.07.2024 09:15 MESZ", False),
     ("2024-03-04 09:15 CET", False), ("04.07.2024 09:15 UTC", False)],
)  # fmt: skip
def test_a_zone_of_the_other_season_is_told(text: str, is_told: bool) -> None:
    assert (moments.parse(text, BERLIN).warning == moments.OTHER_SEASON) is is_told


def test_a_json_object_gives_its_name_and_stays_where_the_rest_goes(tmp_path: Path) -> None:
    owner = '{""email"":""kim@example.com"",""assignedTo"":""Kim Park""}'
    labels = '[{""labelName"":""vip"",""labelType"":""User""},""plain"",'
    labels += '{""key"":{""id"":""k""},""value"":{""name"":""soc""}},{""x"":1}]'
    file = written(tmp_path, "Title,Owner,Labels", f'A,"{owner}","{labels}"', 'B,"{""email"":null}",[]')
    columns = {"Title": "title", "Owner": "owner_id", "Labels": "tags"}
    named, nameless = read(file, mapping.of_table({"columns": columns, "rest": "description"}))
    assert (named.body["owner_id"], named.body["tags"]) == ("Kim Park", ["vip", "plain", "soc", '{"x":1}'])
    assert '"labelType":"User"' in named.body["description"]
    assert '"email":"kim@example.com"' in named.body["description"]
    assert set(told(named)) == {"/owner_id", "/tags"}
    assert ("owner_id" in nameless.body, nameless.body["description"]) == (False, 'Owner: {"email":null}')


def test_json_of_a_json_lines_file_keeps_its_form(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"name": "A", "extra": {"a": [1, null]}}\n')
    (row,) = read(file, mapping.of_table({"columns": {"name": "title"}, "rest": "description"}))
    assert row.body["description"] == 'extra: {"a":[1,null]}'


def test_a_number_may_begin_with_a_sign(tmp_path: Path) -> None:
    file = written(tmp_path, "ID,Name,Status", "#9211,A,open", "# 9212,B,open")
    rows = imported(file)
    assert [row.body["incident_number"] for row in rows] == ["9211", "9212"]
    assert [len(row.repairs) for row in rows] == [1, 1]


def test_a_milestone_is_the_status_only_without_a_better_column(tmp_path: Path) -> None:
    both = written(tmp_path, "Title,State,Milestone", "A,Open,17.9", "B,Closed,")
    assert of(both).questions == []
    assert '"Milestone" has no field' in of(both).toml
    only = written(tmp_path, "Title,Milestone", "A,mitigated", "B,resolved")
    assert '"Milestone" = "status"' in of(only).toml


def test_a_verdict_is_no_category(tmp_path: Path) -> None:
    file = written(tmp_path, "Title,Classification", "A,True positive", "B,FalsePositive", "C,Not set")
    assert '"Classification" says whether an alert was right' in of(file).toml
    (first, *_) = imported(file)
    assert (first.body.get("category"), first.body["description"]) == (None, "Classification: True positive")
    mixed = written(tmp_path, "Title,Classification", "A,True positive", "B,Malware")
    assert '"Classification" = "category"' in of(mixed).toml


def test_a_start_after_the_entry_is_no_occurrence(tmp_path: Path) -> None:
    file = written(tmp_path, "Title,Created,Started", "A,2024-03-04 09:15,2024-03-04 09:40", "B,2024-03-06 10:00,",
                   "C,2024-03-07 10:00,2024-03-07 09:00", "D,2024-03-08 10:00,2024-03-08 11:00")  # fmt: skip
    proposal = of(file)
    assert any(note.startswith('"Started" is after "Created" in most rows') for note in proposal.notes)
    assert all("occurred_at" not in row.body for row in imported(file))
    usual = written(tmp_path, "Title,Created,Started", "A,2024-03-04 09:15,2024-03-04 09:00", "B,2024-03-06 10:00,")
    assert imported(usual)[0].body["occurred_at"] == "2024-03-04T09:00:00.000Z"


def test_the_start_of_a_plan_is_no_occurrence(tmp_path: Path) -> None:
    rows = ["A;04.03.2024;{};04.03.2024 09:15", "B;05.03.2024;;06.03.2024 10:00"]
    planned = written(tmp_path, "Thema;Beginn;Abgabedatum;Angelegt", rows[0].format("20.03.2024"), rows[1])
    assert any(note.startswith('"Beginn" may be the planned start of the work') for note in of(planned).notes)
    assert "Beginn: 04.03.2024" in imported(planned)[0].body["description"]
    timed = written(tmp_path, "Thema;Beginn;Abgabedatum;Angelegt", "A;04.03.2024 08:00;;04.03.2024 09:15")
    assert '"Beginn" = "occurred_at"' in of(timed).toml
    register = written(tmp_path, "Thema;Beginn;Angelegt", "A;04.03.2024;04.03.2024 09:15")
    assert '"Beginn" = "occurred_at"' in of(register).toml


def test_an_entry_after_the_report_is_no_detection(tmp_path: Path) -> None:
    file = written(tmp_path, "Titel;Gemeldet am;Erstellt am", "A;04.03.2024 09:15;04.03.2024 09:40",
                   "B;05.03.2024 10:00;06.03.2024 08:00")  # fmt: skip
    proposal = of(file)
    assert any(note.startswith('"Erstellt am" is after "Gemeldet am" in most rows') for note in proposal.notes)
    assert '# "Gemeldet am" = "detected_at"' in proposal.toml
    first = imported(file)[0].body
    assert (first["reported_at"], "detected_at" in first) == ("2024-03-04T09:15:00.000Z", False)
    assert first["description"] == "Erstellt am: 04.03.2024 09:40"
    detected = written(tmp_path, "Titel;Gemeldet am;Erkannt am", "A;04.03.2024 09:15;04.03.2024 09:40")
    assert '"Erkannt am" = "detected_at"' in of(detected).toml


@pytest.mark.parametrize(
    ("began", "found", "is_told"),
    [("04.03.2024", "04.03.2024 09:15", True), ("03.03.2024", "04.03.2024 09:15", False),
     ("04.03.2024 08:00", "04.03.2024 09:15", False), ("04.03.2024", "04.03.2024", False)],
)  # fmt: skip
def test_an_occurrence_without_a_time_on_the_day_of_the_detection_is_told(
    tmp_path: Path, began: str, found: str, is_told: bool
) -> None:
    file = written(tmp_path, "Titel;Beginn;Erkannt", f"A;{began};{found}")
    columns = {"Titel": "title", "Beginn": "occurred_at", "Erkannt": "detected_at"}
    (row,) = read(file, mapping.of_table({"columns": columns, "zone": "UTC", "separator": ";"}))
    assert ("/occurred_at" in told(row)) is is_told
