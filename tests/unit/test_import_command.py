"""Tests of the checks that `incidents import` makes before its first request."""

import json
import os
from pathlib import Path
from typing import Any

import jwt
import pytest
from incidents.storage.evidence_reader import StoredEvidence
from incidents_cli.console import StepFailed, alone
from incidents_cli.main import cli
from typer.testing import CliRunner, Result

from tests.support.disks import room_for

URL = "http://127.0.0.1:9"  # no server listens there


def run(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["import", str(file), "--tenant", "acme", *arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = tmp_path / "rows.csv"
    rows.write_text("title,severity\nfine,low\nwrong,dire\n")
    return rows


def token(**claims: Any) -> str:
    return jwt.encode(claims, "a key that nobody here trusts, and of no matter", algorithm="HS256")


def test_a_file_that_took_the_place_of_a_lock_is_kept(tmp_path: Path) -> None:
    """An export to `a.lock`, for example, ends while another command writes `a`."""
    with alone(tmp_path / "a"):
        (tmp_path / "new").write_text("precious")
        (tmp_path / "new").replace(tmp_path / "a.lock")
    assert (tmp_path / "a.lock").read_text() == "precious"


def test_two_imports_do_not_write_one_errors_file(file: Path) -> None:
    with alone(file.with_name("errors")):
        refused = run(file, "--errors", str(file.with_name("errors")), "--dry-run").exception
        assert str(refused) == f"Another command writes {file.with_name('errors')}."
        assert run(file, "--errors", str(file.with_name("others")), "--dry-run").exit_code == 1
    assert {path.name for path in file.parent.iterdir()} == {"rows.csv", "others"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "GRC_TOKEN has no token"),
        ("no token", "is not a token"),
        ("no.token", "is not a JWT"),
        (token(tenant_id="globex"), "not a token of tenant acme"),
        (token(), "not a token of tenant acme"),
        (token(tenant_id="acme"), "not a token of application scanner"),
        (token(tenant_id="acme", app_id="other"), "not a token of application scanner"),
    ],
)
def test_import_refuses_a_token_of_another_tenant_or_application(
    file: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, told: str
) -> None:
    if given is None:
        monkeypatch.delenv("GRC_TOKEN", raising=False)
    else:
        monkeypatch.setenv("GRC_TOKEN", given)
    refused = run(file, "--url", URL, "--app", "scanner").exception
    assert isinstance(refused, StepFailed)
    assert told in refused.what
    assert given is None or given not in f"{refused.what}{refused.detail}{refused.advice}"
    assert [path.name for path in file.parent.iterdir()] == ["rows.csv"]


ENTRA = "tid azp idtyp=app scp,roles"


@pytest.mark.parametrize(
    ("named", "claims", "told"),
    [
        (None, {"tenant_id": ["acme"], "app_id": ["scanner"]}, ""),
        (ENTRA, {"tid": "acme", "azp": "scanner", "idtyp": "app", "tenant_id": "globex"}, ""),
        ("https://example.com/t app_id  scope", {"https://example.com/t": "acme", "app_id": "scanner"}, ""),
        (None, {"tenant_id": ["acme", "globex"]}, "not a token of tenant acme"),
        (None, {"tenant_id": {"acme": 1}}, "not a token of tenant acme"),
        (ENTRA, {"tenant_id": "acme", "app_id": "scanner"}, "not a token of tenant acme"),
        (ENTRA, {"tid": "acme", "azp": "scanner"}, "not a token of application scanner"),
        ("tid azp", {"tid": "acme"}, "names of the claims cannot be read"),
        ("tid azp idtyp scope", {"tid": "acme"}, "names of the claims cannot be read"),
    ],
)
def test_import_reads_the_claims_that_the_stack_reads(
    file: Path, monkeypatch: pytest.MonkeyPatch, named: str | None, claims: dict[str, Any], told: str
) -> None:
    monkeypatch.setenv("GRC_TOKEN", token(**claims))
    given = [] if named is None else ["--claims", named]
    refused = run(file, "--url", "api.example", "--app", "scanner", *given).exception
    assert isinstance(refused, StepFailed)
    assert told in refused.what
    assert told or "base_url must be" in refused.detail, "the token is accepted, and the URL is not"


def test_import_reports_an_invalid_url(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRC_TOKEN", token(tenant_id="acme"))
    refused = run(file, "--url", "api.example").exception
    assert isinstance(refused, StepFailed)
    assert "base_url must be" in refused.detail


def test_a_dry_run_needs_no_stack_and_writes_only_the_wrong_rows(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCIDENTS_HOME", str(tmp_path / "home"))
    errors = tmp_path / "rows.csv.errors.jsonl"
    earlier = '{"line": 7, "errors": [], "row": {}}\n'
    errors.write_text(earlier)

    done = run(file, "--dry-run")

    assert (done.exit_code, done.stdout.split()) == (1, ["valid", "1", "failed", "1"])
    (told,) = map(json.loads, errors.read_text().splitlines())
    assert (told["line"], told["cells"]["title"]) == (3, "wrong")
    assert [error["pointer"] for error in told["errors"]] == ["/severity"]
    assert (tmp_path / "rows.csv.errors.jsonl.before").read_text() == earlier

    errors.write_text(errors.read_text().replace("dire", "low"))
    again = run(errors, "--dry-run")
    assert (again.exit_code, again.stdout.split()) == (0, ["valid", "1", "failed", "0"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name, errors.name, f"{errors.name}.before"]


def test_import_does_not_write_errors_over_its_rows_or_its_record(file: Path) -> None:
    refused = run(file, "--dry-run", "--errors", str(file)).exception
    assert isinstance(refused, StepFailed)
    assert file.read_text().startswith("title")
    record = file.with_name("rows.csv.progress")
    record.write_text("which rows are done")
    assert isinstance(run(file, "--dry-run", "--errors", str(record)).exception, StepFailed)
    assert record.read_text() == "which rows are done"


@pytest.mark.parametrize("name", ["mine.txt", "mine.txt.before"])
def test_import_never_replaces_a_file_that_no_import_wrote(file: Path, name: str) -> None:
    mine, errors = file.with_name(name), file.with_name("mine.txt")
    errors.write_text('{"line": 7, "errors": [], "row": {}}\n')
    mine.write_text("mine")

    for dry_run in ([], ["--dry-run"]):
        refused = run(file, "--errors", str(errors), *dry_run).exception
        assert isinstance(refused, StepFailed)
        assert refused.what == f"{mine} exists already."
        assert mine.read_text() == "mine"

    mine.unlink()
    for _ in range(3):
        assert run(file, "--errors", str(errors), "--dry-run").exit_code == 1
    assert {path.name for path in file.parent.iterdir()} == {file.name, "mine.txt", "mine.txt.before"}


def test_an_empty_errors_file_does_not_replace_the_former_one(file: Path) -> None:
    errors, before = file.with_name("errors"), file.with_name("errors.before")
    earlier = '{"line": 7, "errors": [], "row": {}}\n'
    errors.touch()
    before.write_text(earlier)

    assert run(file, "--errors", str(errors), "--dry-run").exit_code == 1

    assert before.read_text() == earlier
    assert len(errors.read_text().splitlines()) == 1


@pytest.mark.parametrize("name", ["folder", "pipe", "link"])
def test_import_refuses_an_errors_path_that_is_not_a_regular_file(file: Path, name: str) -> None:
    there = file.parent / name
    if name == "folder":
        there.mkdir()
    elif name == "pipe":
        os.mkfifo(there)
    else:
        there.symlink_to("/dev/full")
    for dry_run in ([], ["--dry-run"]):
        refused = run(file, "--errors", str(there), *dry_run).exception
        assert isinstance(refused, StepFailed)
        assert refused.what == f"{there} is not a regular file."
    assert sorted(path.name for path in file.parent.iterdir()) == sorted(["rows.csv", name])


def test_import_reports_an_unwritable_errors_file_before_it_sends_a_request(file: Path) -> None:
    for errors in ("nowhere/errors.jsonl", "rows.csv/errors.jsonl", "x" * 300):
        refused = run(file, "--errors", str(file.parent / errors)).exception
        assert isinstance(refused, StepFailed)
        assert refused.what.endswith(f"{errors} cannot be written.")
    with room_for(0):
        refused = run(file, "--dry-run").exception
    assert isinstance(refused, StepFailed)
    assert refused.what.endswith("rows.csv.errors.jsonl cannot be written.")


def test_a_dry_run_without_errors_leaves_no_errors_file(file: Path) -> None:
    file.write_text("title\nfine\n")
    assert run(file, "--dry-run").exit_code == 0
    assert list(file.parent.iterdir()) == [file]


def test_import_skips_or_adopts_incidents_of_other_applications_only_on_request(tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    line = '{{"incident": {{"title": "x", "is_deleted": false{}}}, "changes": []}}\n'
    file.write_text(line.format("") + line.format(', "app_id": "scanner"') * 2 + line.format(', "app_id": "other"'))

    refused = run(file, "--dry-run").exception
    assert isinstance(refused, StepFailed)
    assert refused.detail.strip() == "scanner: 2, other: 1"
    refused = run(file, "--dry-run", "--app", "scanner").exception
    assert isinstance(refused, StepFailed)
    assert refused.detail.strip() == "no application: 1, other: 1"
    assert run(file, "--dry-run", "--other-apps", "skip").stdout.split() == [
        "valid",
        "1",
        "failed",
        "0",
        "left",
        "out",
        "3",
    ]
    assert run(file, "--dry-run", "--other-apps", "adopt").stdout.split() == ["valid", "4", "failed", "0"]
    as_scanner = run(file, "--dry-run", "--other-apps", "skip", "--app", "scanner")
    assert as_scanner.stdout.split() == ["valid", "2", "failed", "0", "left", "out", "2"]


def test_lines_of_settings_are_counted_as_left_out(tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    settings = {"name": "intake", "version": 1, "changed_at": "x", "changed_by": "y", "value": {}}
    file.write_text('{"title": "a"}\n' + json.dumps({"settings": settings}) + '\n{"settings": "x", "title": "b"}\n')

    done = run(file, "--dry-run")

    assert done.stdout.split() == ["valid", "1", "failed", "1", "left", "out", "1"]
    assert "has the tenant's settings; an import creates only incidents" in done.stderr


def test_a_dry_run_counts_the_repairs_of_an_export_by_rule(tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    documents: list[dict[str, object]] = [
        {"title": " "}, {"title": "\x00", "tags": ["a", "a"]}, {"title": "fine"}, {"title": "a\u200b",
        "severity": "dire"},
    ]  # fmt: skip
    file.write_text("".join(json.dumps({"incident": one, "changes": []}) + "\n" for one in documents))

    done = run(file, "--dry-run")

    assert done.exit_code == 1
    assert [line.rsplit(maxsplit=1) for line in done.stdout.splitlines()] == [
        ["valid", "3"], ["failed", "1"], ["repaired", "3"], ["  blank title replaced by (untitled):", "2"],
        ["  equal items merged:", "1"], ["  control or invisible characters removed:", "1"],
    ]  # fmt: skip


def test_a_row_stays_unchanged_through_several_errors_files(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    given = r'{"titel": "\ud800 ä", "financial_impact": 123456789012345.1200, "lessons_learned": {"b": 1e2}}'
    file.write_text(f"{given}\n{{\n", encoding="utf-8")

    for _ in range(3):
        assert run(file, "--dry-run").exit_code == 1
        file = file.with_name(f"{file.name}.errors.jsonl")
        first, second = file.read_text(encoding="utf-8").splitlines()
        assert first.endswith(f', "row": {given}}}')
        assert second.endswith(', "row": "{"}')
        assert file.stat().st_mode & 0o077 == 0


def test_rows_without_an_application_are_accepted_for_any_application(file: Path) -> None:
    done = run(file, "--dry-run", "--app", "scanner")
    assert done.stdout.split() == ["valid", "1", "failed", "1"]


GERMAN = (
    "Nummer;Bezeichnung;Schweregrad;Status;Erkannt am;Geschlossen am;Schaden\r\n"
    "V-1;Gerät verloren;Hoch;Geschlossen;04.03.2024 09:15;05.03.2024 18:40;48.250,50\r\n"
    "V-2;Ohne Ende;Hoch;Geschlossen;04.03.2024 09:15;;1.250\r\n"
)


def test_a_proposed_mapping_imports_the_file_with_the_second_command(tmp_path: Path) -> None:
    file = tmp_path / "liste.csv"
    file.write_bytes(GERMAN.encode("cp1252"))
    proposed = CliRunner().invoke(
        cli, ["import", str(file), "--suggest", "--zone", "Europe/Berlin", "--currency", "USD"]
    )
    encoding, beginning = proposed.stderr.splitlines()
    assert (proposed.exit_code, beginning) == (0, "No column for occurred_at, so mttd_minutes stays empty.")
    assert encoding.startswith('The file is not UTF-8. It is read as cp1252, for example "Gerät verloren".')
    (tmp_path / "map.toml").write_text(proposed.stdout, "utf-8")

    refused = run(file, "--dry-run", "--map", str(tmp_path / "map.toml"))
    assert (refused.exit_code, refused.stdout.split()) == (1, ["valid", "1", "failed", "1"])
    assert "--closed-without-date=last-known" in refused.stderr
    done = run(file, "--dry-run", "--map", str(tmp_path / "map.toml"), "--closed-without-date", "review")
    assert (done.exit_code, done.stdout.split()) == (0, ["valid", "2", "failed", "0"])


def test_open_questions_are_told_and_can_be_answered_by_options(tmp_path: Path) -> None:
    file = tmp_path / "liste.csv"
    file.write_text("title,detected_at,financial_impact\nA,03/04/2024,48.250\n")
    proposed = CliRunner().invoke(cli, ["import", str(file), "--suggest"])
    assert [line.split(":")[0] for line in proposed.stderr.splitlines()[:3]] == ["? zone", "? date_order", "? decimal"]
    (tmp_path / "map.toml").write_text(proposed.stdout)

    refused = run(file, "--dry-run", "--map", str(tmp_path / "map.toml")).exception
    assert isinstance(refused, StepFailed)
    assert "open questions" in refused.what
    answers = ["--zone", "UTC", "--date-order", "day-first", "--decimal", "."]
    assert run(file, "--dry-run", "--map", str(tmp_path / "map.toml"), *answers).exit_code == 0


def test_the_reasons_of_failed_rows_are_summed_up(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    lines = [f"A{n},dire,2024-03-0{n}T00:00:00Z,2024-01-01T00:00:00Z" for n in range(1, 6)]
    file.write_text("\n".join(["title,severity,occurred_at,detected_at", *lines, "B,low,,soon", ""]))
    told = run(file, "--dry-run").stderr.splitlines()
    table = [" ".join(line.split()) for line in told if line.strip()]
    assert "rows field lines reason" in table
    assert any(line.startswith("5 severity 2, 3, 4, 5, 6 must be one of") for line in table)
    assert any(line.startswith("1 detected_at 7 must be an RFC 3339") for line in table)


def test_what_may_be_meant_in_another_way_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text('title,tags,financial_impact\nA,"phishing,finance",48.250\n')
    done = run(file, "--dry-run")
    assert done.exit_code == 0
    table = [" ".join(line.split()) for line in done.stderr.splitlines()]
    assert "1 tags 2 has a comma inside an item; only a semicolon separates items here" in table
    assert "1 financial_impact 2 may be thousands or decimals; it is read with a decimal point" in table


def test_an_import_without_a_tenant_is_refused(file: Path) -> None:
    refused = CliRunner().invoke(cli, ["import", str(file)]).exception
    assert isinstance(refused, StepFailed)
    assert "--tenant" in refused.advice


def test_answers_without_a_mapping_are_refused(file: Path) -> None:
    refused = run(file, "--dry-run", "--zone", "UTC").exception
    assert isinstance(refused, StepFailed)
    assert "--suggest" in refused.advice


def test_the_events_of_an_export_are_passed_over_and_counted(tmp_path: Path) -> None:
    event = {
        "incident_id": "inc_01M83J8EHSBKC38ZQ0R08TEPS6", "observed_at": "2026-11-17T02:40:02.118Z",
        "source": "aws.guardduty", "adapter": "guardduty", "rule": "x", "sha256": "0" * 64, "is_cut": False,
        "summary": {}, "event": {"title": "no incident"},
    }  # fmt: skip
    assert event.keys() == {"incident_id", *StoredEvidence._fields} - {"position", "value"}, (
        "these are an export's members"
    )
    file = tmp_path / "export.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in [{"title": "an incident"}, *[{"evidence": event}] * 3]))

    printed = run(file, "--dry-run")

    assert printed.exit_code == 0
    told = " ".join(printed.output.split())
    assert "3 (row) 2, 3, 4 has the event of a finding; an import creates only incidents" in told
    assert "left out 3" in told
    file.write_text('{"evidence": "of another program", "title": "x"}\n')
    assert "event of a finding" not in run(file, "--dry-run").output


def listed(folder: Path, text: str) -> Path:
    file = folder / "list.csv"
    file.write_text(text, "utf-8")
    return file


def test_a_reason_quotes_the_value_of_its_first_row(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text('zone = "UTC"\n[columns]\n"T" = "title"\n"E" = "detected_at"\n')
    file = listed(tmp_path, "T,E\nA,bald\nB,nie\n")
    told = CliRunner().invoke(cli, ["import", str(file), "--dry-run", "--map", str(tmp_path / "map.toml")]).stderr
    assert "2  detected_at  2, 3   must be a date and time, like 2026-11-23T06:16:30Z, not 'bald'" in told


def test_an_option_is_named_only_if_a_question_has_one(tmp_path: Path) -> None:
    def told(text: str) -> str:
        return CliRunner().invoke(cli, ["import", str(listed(tmp_path, text)), "--suggest"]).stderr

    assert 'Answer the questions in the mapping, where "?" stands.' in told("Titel;Status\nA;grau\n").splitlines()
    assert "or with the named options" in told("Titel;Erkannt am\nA;04.03.2024\n")
