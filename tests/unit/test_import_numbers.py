"""Tests of rows with the same incident number. Equal rows become one incident, and different rows are refused."""

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from incidents.domain.errors import Violation
from incidents_cli.main import cli
from incidents_cli.operate.importing import checking, importer
from incidents_cli.operate.importing.checking import CheckedRow
from incidents_cli.operate.importing.job import Counts, Job
from incidents_cli.operate.importing.progress import Progress, SameNumber
from incidents_cli.operate.importing.sending import Outcome
from typer.testing import CliRunner, Result

HEAD = "incident_number,title,severity"


def written(folder: Path, *rows: str, head: str = HEAD) -> Path:
    file = folder / "rows.csv"
    file.write_text("\n".join([head, *rows]) + "\n", "utf-8")
    return file


def dry(file: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["import", str(file), "--dry-run", *options])


def told(file: Path) -> dict[int, list[tuple[str, str]]]:
    """Return the errors in the errors file by line, in the order of the file."""
    lines = map(json.loads, file.with_name(f"{file.name}.errors.jsonl").read_text("utf-8").splitlines())
    return {one["line"]: [(each["pointer"], each["detail"]) for each in one["errors"]] for one in lines}


def sent(file: Path, monkeypatch: pytest.MonkeyPatch, **values: Any) -> tuple[list[int], Counts]:
    """Import a file without an API. Return the line numbers of the rows that would be sent, and the counts."""
    lines: list[int] = []

    def create(_: Any, checked: CheckedRow, *rest: Any) -> Outcome:
        lines.append(checked.row.line)
        return Outcome("created", f"inc_{checked.row.line}")

    class Api:
        class grc:  # noqa: N801  # a name of the client
            incidents = None

    monkeypatch.setattr(importer, "send", create)
    job = Job(file, "acme", None, None, file.with_name(f"{file.name}.errors.jsonl"))._replace(**values)
    with Progress(None) as progress:
        counts = importer.run_import(job, progress, Api(), "place", 1)  # type: ignore[arg-type]
    return lines, counts


DIFFERING = ["V-1,A,low", "V-2,B,low", "V-3,C,low", "V-1,A,high"]


def test_different_rows_with_one_number_are_each_an_error_that_names_the_other_row(tmp_path: Path) -> None:
    file = written(tmp_path, *DIFFERING)
    done = dry(file)
    assert (done.exit_code, done.stdout.split()) == (1, ["valid", "2", "failed", "2"])
    assert {line: errors[0][0] for line, errors in told(file).items()} == {2: "/incident_number", 5: "/incident_number"}
    assert "of line 5, and the two rows differ" in told(file)[2][0][1]
    assert "of line 2, and the two rows differ" in told(file)[5][0][1]
    assert "2  incident_number  2, 5" in done.stderr, "one reason for both rows"
    assert "Line 3 becomes:" in done.stderr, "the preview has only valid rows"
    assert "Line 2 becomes:" not in done.stderr


def test_neither_of_two_different_rows_with_one_number_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, *DIFFERING)
    lines, counts = sent(file, monkeypatch)
    assert (lines, counts.created, counts.failed) == ([3, 4], 2, 2)
    assert list(told(file)) == [2, 5]


def test_a_refused_row_does_not_raise_the_counter_before_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    year = datetime.now(UTC).year
    numbers = [f"INC-{year}-00000{n}" for n in (9, 9, 7, 3, 7)]
    file = written(tmp_path, *(f"{number},T{n % 4},low" for n, number in enumerate(numbers, start=2)))
    lines, _ = sent(file, monkeypatch)
    assert lines == [5], "2 and 3, and 4 and 6, have one number; 5 has the highest number that is left"
    assert list(told(file)) == [2, 3, 4, 6]


def test_equal_rows_with_one_number_are_one_incident(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, "V-1,A,low", "V-2,B,", "V-1,A,low", "V-1,A,low")
    done = dry(file)
    assert (done.exit_code, done.stdout.split()) == (0, ["valid", "2", "failed", "0", "left", "out", "2"])
    assert "2  incident_number  4, 5" in done.stderr
    assert "also the number of line 2, and the two rows are equal; they become one incident" in done.stderr
    lines, counts = sent(file, monkeypatch)
    assert (lines, counts.created, counts.failed, counts.left_out) == ([2, 3], 2, 0, 2)


def test_of_three_rows_each_one_names_a_row_that_differs(tmp_path: Path) -> None:
    file = written(tmp_path, "V-1,A,low", "V-1,A,low", "V-1,B,low", "V-1,C,low")
    assert dry(file).exit_code == 1
    named = {line: detail.partition("of line ")[2].partition(",")[0] for line, ((_, detail),) in told(file).items()}
    assert named == {2: "4", 3: "4", 4: "2", 5: "2"}


def test_an_invalid_row_has_a_number_too(tmp_path: Path) -> None:
    file = written(tmp_path, "V-1,A,dire", "V-1,A,low")
    assert dry(file).exit_code == 1
    assert [[pointer for pointer, _ in errors] for errors in told(file).values()] == [
        ["/severity", "/incident_number"], ["/incident_number"],
    ]  # fmt: skip


def test_rows_without_a_number_or_with_an_impossible_one_do_not_clash(tmp_path: Path) -> None:
    file = written(tmp_path, ",A,low", ",B,low", "Vö,A,low", "Vö,B,low")
    assert dry(file).exit_code == 1
    assert [[pointer for pointer, _ in errors] for errors in told(file).values()] == [["/incident_number"]] * 2


def test_a_number_that_no_text_can_encode_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"title": "A", "incident_number": "\\ud800"}\n{"title": "B", "incident_number": 7}\n')
    assert dry(file).exit_code == 1
    assert len(told(file)) == 2


def test_a_row_that_is_left_out_does_not_clash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rows.jsonl"
    rows: list[dict[str, Any]] = [{"title": "A", "incident_number": "V-1", "app_id": app} for app in ("scanner", None)]
    file.write_text("".join(f"{json.dumps({'incident': row | {'title': str(n)}})}\n" for n, row in enumerate(rows)))
    assert sent(file, monkeypatch, other_apps="skip")[0] == [2]
    assert sent(file, monkeypatch, other_apps="adopt")[0] == []


def test_the_numbers_of_many_rows_need_no_second_check_of_the_file(tmp_path: Path) -> None:
    chance = random.Random(7)
    numbers = [chance.randbytes(16) for _ in range(2_000)]
    with Progress(None) as progress:
        assert not any(progress.same_number(each, each, line) for line, each in enumerate(numbers))
        assert not progress.has_clash
        assert not any(progress.same_number(each, each, line) for line, each in enumerate(numbers)), "a second reading"
        assert progress.same_number(numbers[5], numbers[5], 3_000) == SameNumber(5, is_equal=True)
        assert progress.same_number(numbers[5], b"other", 3_001) == SameNumber(5, is_equal=False)
        assert progress.has_clash
        assert progress.same_number(numbers[5], numbers[5], 5) == SameNumber(3_001, is_equal=False)


def test_the_error_is_of_the_number(tmp_path: Path) -> None:
    assert checking.clash(7) == Violation(
        "/incident_number", "is also the number of line 7, and the two rows differ; leave one of them out, or give "
        "each incident its own number",
    )  # fmt: skip


# --- rows that end without a date


ENDED = ["A,closed,2024-03-04T00:00:00Z,", "B,closed,2024-03-05T00:00:00Z,", "C,new,2024-03-05T00:00:00Z,",
         "D,contained,2024-03-05T00:00:00Z,", "E,closed,2024-03-05T00:00:00Z,2024-03-06T00:00:00Z"]  # fmt: skip


@pytest.mark.parametrize(
    ("option", "said"), [("last-known", "the last known date is taken, tag closed-at-last-known"),
                         ("review", "the status becomes review, tag closed-without-date")],
)  # fmt: skip
def test_the_rows_that_end_without_a_date_are_counted(tmp_path: Path, option: str, said: str) -> None:
    file = written(tmp_path, *ENDED, head="title,status,detected_at,closed_at")
    done = dry(file, f"--closed-without-date={option}")
    assert done.exit_code == 0
    lines = [" ".join(line.split()) for line in done.stderr.splitlines()]
    assert f"2 closed_at 2, 3 is missing, although status is closed; {said}" in lines
    assert any(line.startswith("1 contained_at 5 is missing, although status is contained") for line in lines)
    assert "is missing" not in dry(written(tmp_path, ENDED[4], head="title,status,detected_at,closed_at")).stderr
