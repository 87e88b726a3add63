"""Tests of a tenant's settings on AWS's own DynamoDB Local: the command, all versions, verify, export and erase."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from incidents.storage import guard, keys
from incidents.storage.settings import INTAKE, Settings, SettingsMoved, TenantSettings
from incidents_cli.operate import intake as intake_commands
from incidents_cli.operate.importing import rows
from incidents_cli.operate.tenants import erase as erasing
from incidents_cli.operate.tenants import verify as walk
from incidents_cli.operate.tenants.checkpoint import Checkpoint
from incidents_cli.operate.tenants.export import export
from incidents_cli.operate.tenants.violations import Violation

from tests.support.tenants import ADA, OwnDeployment, Table, run

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FIRST = {"kinds": {"posture": "critical"}, "let_in": [], "leave_out": []}


@pytest.fixture
def table(dynamodb: "DynamoDBClient", service: str, monkeypatch: pytest.MonkeyPatch) -> Table:
    """Return the table that the commands change."""
    monkeypatch.setattr(intake_commands, "Deployment", lambda *_: OwnDeployment(dynamodb, service))
    monkeypatch.setattr(walk, "PAUSE_SECONDS", 0)
    return Table(dynamodb, service, "acme")


def set_(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    return run(monkeypatch, "intake", "set", "--tenant", "acme", *words)


def verified(table: Table, path: Path) -> tuple[walk.Outcome, list[Violation]]:
    found: list[Violation] = []
    checkpoint = Checkpoint(path / "checkpoint", verified=table.tenant)
    return walk.verify(table.reader, checkpoint, None, found.append, lambda *_: None), found


def settings(table: Table) -> TenantSettings:
    return TenantSettings("acme", table.client, table.name)


def test_a_tenant_without_settings_shows_the_defaults(
    table: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "intake", "show", "--tenant", "acme") == 0

    shown = capsys.readouterr()
    assert set(json.loads(shown.out)["kinds"]) == {"detection", "exposure", "alarm"}
    assert "no settings" in shown.err


def test_set_changes_only_what_it_names_and_keeps_who_and_when_of_each_write(
    table: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set_(monkeypatch, "--kinds", "detection,posture:critical", "--let-in", "acme.*", "--let-in", "Recon:*") == 0
    assert set_(monkeypatch, "--leave-out", "prowler.*") == 0
    capsys.readouterr()

    assert run(monkeypatch, "intake", "show", "--tenant", "acme") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {
        "kinds": {"detection": "informational", "posture": "critical"}, "let_in": ["acme.*", "Recon:*"],
        "leave_out": ["prowler.*"],
    }  # fmt: skip
    first, second = [line for line in shown.err.splitlines() if line.startswith("version")]
    assert (first.split()[1], second.split()[1]) == ("1", "2")
    assert first.endswith(ADA)

    assert set_(monkeypatch, "--let-in", "none") == 0
    assert json.loads(capsys.readouterr().out)["let_in"] == []
    assert set_(monkeypatch, "--defaults") == 0
    assert json.loads(capsys.readouterr().out)["leave_out"] == []
    versions = [item["sk"]["S"] for item in table.reader.items("SETTINGS")]
    assert versions == ["intake", *(f"intake#{n:010d}" for n in (1, 2, 3, 4))]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--kinds", "postur"], "'postur'"), (["--kinds", "posture:hgh"], "kinds.posture must be one of"),
        (["--kinds", "detection, posture:"], "kinds.posture must be one of"),
        (["--let-in", ""], "value of an option is empty"), ([], "nothing to set"),
        (["--kinds", "posture:low,posture:critical"], "A kind occurs twice in --kinds."),
        (["--let-in", "none", "--let-in", "x"], "no other --let-in may be given"),
        (["--leave-out", "x", "--leave-out", "none"], "no other --leave-out may be given"),
    ],
)  # fmt: skip
def test_invalid_settings_write_nothing(
    table: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert set_(monkeypatch, *words) == 1
    assert said in " ".join(capsys.readouterr().err.split())
    assert list(table.reader.items("SETTINGS")) == []


def test_two_writers_of_one_version_do_not_overwrite_each_other(table: Table) -> None:
    first = Settings(FIRST, 1, "2026-11-20T00:00:00.000Z", ADA)
    with guard.serving_tenant("acme"):
        settings(table).write(INTAKE, first)
        with pytest.raises(SettingsMoved):
            settings(table).write(INTAKE, first._replace(changed_by="grace"))
        settings(table).write(INTAKE, first._replace(version=2))
        with pytest.raises(SettingsMoved):
            settings(table).write(INTAKE, first._replace(version=2, changed_by="grace"))
        assert settings(table).read(INTAKE) == first._replace(version=2)
        assert settings(table).read(INTAKE, 1) == first


def test_settings_are_verified_exported_and_erased(
    table: Table, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for words in (["--kinds", "posture:critical"], ["--kinds", "posture:high"]):
        assert set_(monkeypatch, *words) == 0

    outcome, found = verified(table, tmp_path)
    assert (outcome.looked_at, found) == ({"settings": 3}, [])

    file = tmp_path / "acme.jsonl"
    done = export(table.reader, file, lambda *_: None)
    told = [json.loads(line)["settings"] for line in file.read_text().splitlines()]
    assert [(one["name"], one["version"], one["changed_by"]) for one in told] == [("intake", n, ADA) for n in (1, 2)]
    assert told[1]["value"]["kinds"] == {"posture": "high"}
    assert done.incidents == 0
    assert [row.is_left_out for row in rows.read(file)] == [True, True], "an import leaves out the settings"

    erased = erasing.erase(table.reader, tmp_path / "proof.json", 0, lambda *_: None)
    assert erased.items["SETTINGS"] == 3
    assert list(table.reader.items("SETTINGS")) == []


@pytest.mark.parametrize(
    ("sk", "changed"),
    [
        ("intake", {"value": {"S": "{"}}), ("intake", {"value": {"S": '{"kinds":{"x":"y"}}'}}),
        ("intake", {"version": {"N": "7"}}), ("intake#0000000002", {"version": {"N": "1"}}),
        ("intake#0000000002", {"value": {"S": "{}"}}), ("intake#0000000001", {"changed_by": {"N": "1"}}),
        ("intake#0000000001", {"expires_at": {"N": "1"}}),
    ],
)  # fmt: skip
def test_verify_reports_damaged_settings(
    table: Table, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sk: str, changed: dict[str, Any]
) -> None:
    for words in (["--kinds", "posture:critical"], ["--kinds", "posture:high"]):
        set_(monkeypatch, *words)
    place = keys.Key(keys.settings("acme", "").pk, sk)
    table.put(table.of(place), **changed)

    _, found = verified(table, tmp_path)

    assert found
    assert {violation.rule for violation in found} <= {"settings", "expiry"}
