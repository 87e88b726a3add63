"""Tests of the record of an import's progress, and of the check that an incident matches its row."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from grc_client import Incident
from hypothesis import given, settings
from incidents.domain import json_text, model, payloads, wire_form
from incidents_cli.console import StepFailed
from incidents_cli.operate.importing.checking import CheckedRow
from incidents_cli.operate.importing.progress import Progress
from incidents_cli.operate.importing.rows import Row
from incidents_cli.operate.importing.sending import Outcome, differing, send

from tests.support.disks import room_for
from tests.unit.test_import_rows import STAMPS, bodies, settled

PLACE = "acme  http://127.0.0.1"


def test_equal_rows_are_counted_from_one_again_in_each_reading() -> None:
    with Progress(None) as progress:
        assert [progress.nth(one) for one in (b"a", b"b", b"a", b"a", b"b")] == [1, 1, 2, 3, 2]
        progress.read_again()
        assert progress.nth(b"a") == 1


def test_only_an_unfinished_import_into_the_same_place_continues(tmp_path: Path) -> None:
    file = tmp_path / "progress"
    with Progress(file) as progress:
        assert not progress.begin(PLACE)
        progress.record("key", "inc_1")
    with Progress(file) as progress:
        assert progress.begin(PLACE)
        assert (progress.made("key"), progress.made("other"), progress.any_made()) == ("inc_1", None, "inc_1")
    with Progress(file) as progress:
        assert not progress.begin("globex  http://127.0.0.1")
        progress.finish()
    with Progress(file) as progress:
        assert not progress.begin("globex  http://127.0.0.1")
        assert progress.made("key") == "inc_1"


def test_a_second_import_of_a_file_at_the_same_time_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "progress"
    with Progress(file), pytest.raises(StepFailed, match="cannot be opened") as refused:
        Progress(file)
    assert "the other import" in refused.value.advice


def test_a_file_that_is_not_an_import_record_is_not_changed(tmp_path: Path) -> None:
    file = tmp_path / "progress"
    file.write_text("somebody's notes\n" * 1000)
    with pytest.raises(StepFailed, match="is not the record of an import"):
        Progress(file)
    assert file.read_text().startswith("somebody's notes")


def test_entries_older_than_a_second_survive_a_kill(tmp_path: Path) -> None:
    file = tmp_path / "progress"
    script = (
        "import os, sys, time; from pathlib import Path\n"
        "from incidents_cli.operate.importing.progress import Progress\n"
        "progress = Progress(Path(sys.argv[1]))\nprogress.begin('here')\nprogress.record('early', 'inc_1')\n"
        "time.sleep(1.1)\nprogress.record('late', 'inc_2')\nprogress.record('lost', 'inc_3')\nos.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(file)], check=False).returncode == -9
    with Progress(file) as progress:
        assert progress.begin("here")
        assert [progress.made(key) for key in ("early", "late", "lost")] == ["inc_1", "inc_2", None]


def note(file: Path, rows: int) -> None:
    with Progress(file) as progress:
        progress.begin(PLACE)
        for n in range(rows):
            progress.record(f"{n:064}", "inc_1")


@pytest.mark.parametrize("seconds", [0, 3600], ids=["at a row", "at the end"])
def test_an_import_reports_a_full_disk_and_continues_after_its_last_written_row(
    seconds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("incidents_cli.operate.importing.progress._SECONDS", seconds)
    file = tmp_path / "progress"
    with room_for(0), pytest.raises(StepFailed, match="cannot be opened") as failed:
        Progress(file)
    assert "the disk has room" in failed.value.advice
    note(file, 1)

    with room_for(file.stat().st_size), pytest.raises(StepFailed, match="progress cannot be written") as failed:
        note(file, 1_000)
    assert "run the same command again" in failed.value.advice
    with Progress(file) as progress:
        assert progress.begin(PLACE)
        assert progress.made(f"{0:064}") == "inc_1"
        assert (progress.made(f"{20:064}") is not None) is (seconds == 0)
        assert progress.made(f"{999:064}") is None


# --- the comparison of an incident with its row


def read_back(incident: Any) -> Incident:
    return Incident.model_validate(json.loads(wire_form.dump_incident(incident), parse_float=Decimal))


@settings(deadline=None, max_examples=40)
@given(bodies)
def test_an_incident_made_from_a_row_has_no_differing_field(body: dict[str, Any]) -> None:
    values = payloads.new_incident(json_text.loads(json.dumps(body)))
    assert differing(values, read_back(settled(body))) == []


FULL = {
    "title": "x",
    "incident_number": "IR-1",
    "status": "closed",
    "severity": "low",
    "occurred_at": "2026-01-01T00:00:00Z",
    "closed_at": "2026-01-02T00:00:00Z",
    "mttd_minutes": 5,
    "financial_impact": 10,
    "lessons_learned": {"a": [1, True]},
    "tags": ["a", "b"],
    "commander_ids": ["c"],
}
OTHER = {  # values that differ from the values in FULL, in the model's form
    "title": "y",
    "incident_number": "IR-2",
    "status": "review",
    "severity": None,
    "occurred_at": "2026-01-01T00:00:01.000Z",
    "closed_at": "2026-01-03T00:00:00.000Z",
    "mttd_minutes": 6,
    "financial_impact": Decimal("10.0001"),
    "lessons_learned": '{"a": [1, 1]}',
    "tags": ["b", "a"],
    "commander_ids": [],
}


@pytest.mark.parametrize("field", FULL)
def test_a_differing_field_is_named(field: str) -> None:
    values = payloads.new_incident(json_text.loads(json.dumps(FULL)))
    there: Any = model.unset_fields() | values | STAMPS

    assert differing(values, read_back(there)) == []
    assert differing(values, read_back(there | {field: OTHER[field]})) == [field]


def test_only_its_user_can_read_the_record_of_an_import(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        (tmp_path / "older").touch(mode=0o644)  # as an earlier version made it
        for name in ("older", "new"):
            with Progress(tmp_path / name) as progress:
                progress.begin("here")
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("replayed", "created_at", "kind"),
    [
        (False, "2026-11-23T09:00:01Z", "created"),
        (True, "2026-11-23T09:00:01Z", "created"),  # by the first attempt of this import's create
        (True, "2026-11-23T08:59:59Z", "already_there"),
    ],
)
def test_an_incident_of_this_import_s_own_first_attempt_is_created(replayed: bool, created_at: str, kind: str) -> None:
    incident = SimpleNamespace(id="inc_1", replayed=replayed, created_at=datetime.fromisoformat(created_at))
    incidents: Any = SimpleNamespace(create=lambda **_: incident)
    checked = CheckedRow(Row(2, ""), {"title": "x"}, "key")
    began = datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert send(incidents, checked, None, began) == Outcome(kind, "inc_1")  # type: ignore[arg-type]
