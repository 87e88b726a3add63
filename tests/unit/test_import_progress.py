"""Tests of the record of an import's progress, and of the check that an incident matches its row."""

import json
import os
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from grc_client import Incident, NotFound
from hypothesis import given, settings
from incidents.domain import json_text, model, payloads, wire_form
from incidents_cli import console
from incidents_cli.console import StepFailed
from incidents_cli.operate.importing import importer
from incidents_cli.operate.importing.checking import CheckedRow
from incidents_cli.operate.importing.job import Job
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
        assert (progress.made("key"), progress.made("other")) == ("inc_1", None)
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


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_half_line_at_the_end_is_cut_off(tmp_path: Path, cut: int) -> None:
    """A process that is killed while it writes leaves an incomplete line at the end."""
    file = tmp_path / "progress"
    note(file, 3)
    os.truncate(file, file.stat().st_size - cut)
    for _ in range(2):
        with Progress(file) as progress:
            assert [progress.made(f"{n:064}") for n in range(3)] == ["inc_1", "inc_1", None]
            assert progress.begin(PLACE)
            progress.record("further", "inc_2")
    with Progress(file) as progress:
        assert progress.made("further") == "inc_2"


@pytest.mark.parametrize("size", [0, 1, 20, 30])
def test_a_record_that_was_killed_while_it_was_created_is_created_again(tmp_path: Path, size: int) -> None:
    file = tmp_path / "progress"
    with Progress(file):
        pass
    os.truncate(file, size)
    note(file, 1)
    with Progress(file) as progress:
        assert progress.made(f"{0:064}") == "inc_1"


@pytest.mark.parametrize("line", ["notes", "[]", "{}", '{"done": "key"}', "[" * 100_000])
def test_a_broken_record_is_refused_and_kept(tmp_path: Path, line: str) -> None:
    file = tmp_path / "progress"
    note(file, 1)
    with file.open("a") as more:
        more.write(f"{line}\n")
    before = file.read_bytes()
    with pytest.raises(StepFailed, match="is not the record of an import") as refused:
        Progress(file)
    assert "second incident" in refused.value.advice
    assert file.read_bytes() == before


def test_a_repeated_import_does_not_record_its_rows_again(tmp_path: Path) -> None:
    file = tmp_path / "progress"
    note(file, 100)
    before = file.stat().st_size
    note(file, 100)
    assert file.stat().st_size < before + 200
    with Progress(file) as progress:
        progress.record(f"{0:064}", "inc_2")
    with Progress(file) as progress:
        assert progress.made(f"{0:064}") == "inc_2"


# --- attacks by another user of the folder


SIDE_FILES = ("journal", "wal", "shm")


def former(file: Path, *, is_finished: int = 0, rows: int = 2, incident_id: str = "inc_1") -> None:
    """Write the record of release 0.1.0."""
    with closing(sqlite3.connect(file)) as base, base:
        base.execute("CREATE TABLE IF NOT EXISTS import (place TEXT NOT NULL, is_finished INTEGER NOT NULL)")
        base.execute("CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY, incident_id TEXT NOT NULL) WITHOUT ROWID")
        base.execute("INSERT INTO import VALUES (?, ?)", (PLACE, is_finished))
        base.executemany("INSERT INTO done VALUES (?, ?)", [(f"{n:064}", incident_id) for n in range(rows)])


def hot_journal(pages: bytes) -> bytes:
    """Return a journal that makes SQLite write these pages over a database, as after a crash."""
    size, count, nonce = 4096, len(pages) // 4096, 0x1234
    head = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + struct.pack(">IIIII", count, nonce, count, 512, size)
    journal = head.ljust(512, b"\0")
    for n in range(count):
        page = pages[n * size : (n + 1) * size]
        check = (nonce + sum(page[at] for at in range(size - 200, 0, -200))) & 0xFFFFFFFF
        journal += struct.pack(">I", n + 1) + page + struct.pack(">I", check)
    return journal


@pytest.mark.parametrize("side", SIDE_FILES)
@pytest.mark.parametrize("kind", ["file", "pipe", "link"])
def test_files_with_the_names_that_a_database_uses_have_no_effect(tmp_path: Path, side: str, kind: str) -> None:
    file, forged = tmp_path / "progress", tmp_path / "forged"
    note(file, 1)
    former(forged, rows=5, incident_id="inc_forged")
    planted = file.with_name(f"progress-{side}")
    if kind == "file":
        planted.write_bytes(hot_journal(forged.read_bytes()))
    elif kind == "link":
        planted.symlink_to(forged)
    else:
        os.mkfifo(planted)
    with Progress(file) as progress:
        assert [progress.made(f"{n:064}") for n in (0, 1)] == ["inc_1", None]


def test_a_record_that_is_exchanged_while_it_is_opened_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, forged = tmp_path / "progress", tmp_path / "forged"
    note(file, 1)
    with Progress(forged) as progress:
        progress.begin(PLACE)
        progress.record("key", "inc_forged")

    def exchanging(*arguments: Any) -> Any:
        opened = console.open_private(*arguments)
        if forged.exists():
            forged.replace(file)
        return opened

    monkeypatch.setattr("incidents_cli.operate.importing.progress.open_private", exchanging)
    with pytest.raises(StepFailed, match="cannot be opened"):
        Progress(file)


@pytest.mark.parametrize("kind", ["pipe", "link", "foreign"])
def test_a_planted_record_is_refused(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "progress"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "link":
        note(tmp_path / "other", 1)
        file.symlink_to(tmp_path / "other")
    else:
        note(file, 1)
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(StepFailed, match="cannot be opened"):
        Progress(file)


# --- the record of release 0.1.0


@pytest.mark.parametrize("is_finished", [0, 1])
def test_a_record_of_release_0_1_0_goes_on(tmp_path: Path, is_finished: int) -> None:
    file = tmp_path / "progress"
    former(file, is_finished=is_finished)
    for _ in range(2):  # the second time, the record has today's form
        with Progress(file) as progress:
            assert [progress.made(f"{n:064}") for n in range(3)] == ["inc_1", "inc_1", None]
    with Progress(file) as progress:
        assert progress.begin(PLACE) is not bool(is_finished)
    assert [path.name for path in tmp_path.iterdir()] == ["progress"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_record_of_release_0_1_0_is_repaired_by_its_own_journal_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed import leaves a journal, which has the state before the last second."""
    file, before, journal = tmp_path / "progress", tmp_path / "before", tmp_path / "progress-journal"
    former(before, rows=1)
    former(file, rows=2)
    journal.write_bytes(hot_journal(before.read_bytes()))
    kept = [file.read_bytes(), journal.read_bytes()]

    def opened(path: Path) -> Any:
        raise PermissionError(1, "the file must be a regular file of this user", str(path))

    with monkeypatch.context() as foreign:
        foreign.setattr("incidents_cli.operate.importing.former_progress.open_own", opened)
        with pytest.raises(StepFailed, match="cannot be opened") as refused:
            Progress(file)
    assert str(journal) in refused.value.detail
    assert [file.read_bytes(), journal.read_bytes()] == kept

    with Progress(file) as progress:
        assert [progress.made(f"{n:064}") for n in range(2)] == ["inc_1", None]
    assert not journal.exists()


def test_a_full_disk_keeps_the_record_of_release_0_1_0(tmp_path: Path) -> None:
    file = tmp_path / "progress"
    former(file, rows=100)
    before = file.read_bytes()
    with room_for(len(before) // 2), pytest.raises(StepFailed, match="cannot be opened"):
        Progress(file)
    assert file.read_bytes() == before
    with Progress(file) as progress:
        assert progress.made(f"{99:064}") == "inc_1"


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

    with room_for(file.stat().st_size + 3_000), pytest.raises(StepFailed, match="progress cannot be written") as failed:
        note(file, 1_000)
    assert "run the same command again" in failed.value.advice
    with Progress(file) as progress:
        assert progress.begin(PLACE)
        assert progress.made(f"{0:064}") == "inc_1"
        assert progress.made(f"{20:064}") == "inc_1"
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


def test_further_values_of_an_incident_do_not_differ_from_its_row() -> None:
    values = payloads.new_incident({"title": "x", "incident_number": "IR-1"})
    there: Any = model.unset_fields() | values | STAMPS | {"owner_id": "kim", "tags": ["late"], "severity": "low"}
    assert differing(values, read_back(there)) == []


def test_only_its_user_can_read_the_record_of_an_import(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        (tmp_path / "older").touch(mode=0o644)  # an earlier version made the file with these rights
        for name in ("older", "new"):
            with Progress(tmp_path / name) as progress:
                progress.begin("here")
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


@pytest.mark.parametrize("erased", [slice(1), slice(1, 2), slice(2, 5), slice(5)])
def test_a_continued_import_creates_again_what_was_erased_in_the_meantime(tmp_path: Path, erased: slice) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("title,severity\n" + "".join(f"row {n},low\n" for n in range(5)) + "bad,nonsense\n")
    job = Job(file, "acme", None, None, tmp_path / "errors")
    stored: dict[str, str] = {}  # the titles of the incidents by their ids

    def create(title: str, **_: object) -> SimpleNamespace:
        stored[incident_id := f"inc_{len(stored)}_{title}"] = title
        return SimpleNamespace(id=incident_id, replayed=False)

    def get(incident_id: str) -> None:
        if incident_id not in stored:
            raise NotFound(404, None, {})

    client: Any = SimpleNamespace(grc=SimpleNamespace(incidents=SimpleNamespace(create=create, get=get)))
    counts = []
    for _ in range(2):
        with Progress(tmp_path / "progress") as progress:
            counts.append(importer.run_import(job, progress, client, PLACE, concurrency=1))
        for incident_id in [*stored][erased]:
            del stored[incident_id]
    missing = len(range(5)[erased])
    results = [(each.created, each.already_there, each.failed) for each in counts]
    assert results == [(5, 0, 1), (missing, 5 - missing, 1)]


@pytest.mark.parametrize(
    ("replayed", "created_at", "kind"),
    [
        (False, "2026-11-23T09:00:01Z", "created"),
        (True, "2026-11-23T09:00:01Z", "created"),  # the first attempt of this import's create made the incident
        (True, "2026-11-23T08:59:59Z", "already_there"),
    ],
)
def test_an_incident_of_this_import_s_own_first_attempt_is_created(replayed: bool, created_at: str, kind: str) -> None:
    incident = SimpleNamespace(id="inc_1", replayed=replayed, created_at=datetime.fromisoformat(created_at))
    incidents: Any = SimpleNamespace(create=lambda **_: incident)
    checked = CheckedRow(Row(2, ""), {"title": "x"}, "key")
    began = datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert send(incidents, checked, None, began) == Outcome(kind, "inc_1")  # type: ignore[arg-type]
