"""Tests of `incidents tenant export` and `erase` on AWS's own DynamoDB Local.

An export loses and duplicates no data. An erasure leaves no data behind.
"""

import io
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, cast

import get_incident
import list_incident_changes
import pytest
from incidents.commands import creating, deleting, updating
from incidents.domain import timestamps
from incidents.domain.identity import Identity
from incidents.domain.model import Change, Incident, generated_number
from incidents.storage import keys, stored_form
from incidents.storage.account_map import AccountMap
from incidents.storage.deadline_repository import DeadlineRepository, Head
from incidents.storage.incident_repository import IncidentRepository
from incidents.storage.marks import Marks
from incidents.storage.settings import INTAKE, Settings, TenantSettings
from incidents_cli.console import StepFailed, alone
from incidents_cli.operate.importing import rows
from incidents_cli.operate.tenants import erase as erasing
from incidents_cli.operate.tenants import export as exporting
from incidents_cli.operate.tenants.checkpoint import Checkpoint
from incidents_cli.operate.tenants.export import Exported, export
from ulid import ULID

from tests.support import invariants, scale, templates
from tests.support.disks import room_for
from tests.support.events import Context, claims, get_event, http_event
from tests.support.findings import findings_of
from tests.support.metric_world import MetricWorld, mark
from tests.support.tenants import Table, live, operator, run

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LARGE = scale.of(short=1_000, full=10_000)


class CutOff(Exception):
    pass


@pytest.fixture
def at_large(world: Callable[[], MetricWorld]) -> MetricWorld:
    return world()


@pytest.fixture
def table(at_large: MetricWorld, service: str, dynamodb: "DynamoDBClient") -> Table:
    return Table(dynamodb, service, live(at_large, service, dynamodb))


def fill(table: Table, number: int) -> None:
    """Store more incidents as the service would: copies of one incident, of which every tenth is deleted."""
    table.client.update_table(TableName=table.name, **templates.no_stream())
    repository = IncidentRepository(Identity(table.tenant, "ada", None, frozenset()), table.client, table.name)
    model = creating.create_incident({"title": "many", "tags": ["ü"]}, repository).stored.incident
    year, first = int(model["created_at"][:4]), repository.next_count(int(model["created_at"][:4])) + 1
    repository.raise_count(year, first + number)
    same_moment = model["id"][:14]
    made = [
        cast(
            "Incident", {**model, "id": f"{same_moment}{n:016d}", "incident_number": generated_number(year, first + n)}
        )
        for n in range(number - 1)
    ]
    created = Change(1, model["created_at"], "ada", "created", {})
    table.put_all(
        item
        for one in made
        for item in (stored_form.from_incident(one), stored_form.from_change(one, created), stored_form.number(one))
    )
    for one in made[::10]:
        deleting.delete_incident(one["id"], None, repository)


def shown(tenant: str, incident_id: str) -> dict[str, Any]:
    """Return an incident and its changes, as the API shows them."""
    caller = claims(tenant)
    document = get_incident.handler(get_event(incident_id, caller=caller), Context)["body"]
    of_changes = http_event(path={"incident_id": incident_id}, query="limit=100", content_type=None, caller=caller)
    changes = json.loads(list_incident_changes.handler(of_changes, Context)["body"], parse_float=str)["items"]
    return {"incident": json.loads(document, parse_float=str), "changes": changes}


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line, parse_float=str) for line in file.read_text().splitlines()]


def test_an_export_has_the_same_data_as_the_api(table: Table, tmp_path: Path) -> None:
    file = tmp_path / "acme.jsonl"

    done = export(table.reader, file, lambda *_: None)

    *told, event = lines(file)
    assert told == [shown(table.tenant, line["incident"]["id"]) for line in told]
    assert [line["incident"]["id"] for line in told] == sorted(one["sk"]["S"] for one in table.reader.items("INCIDENT"))
    assert any(line["incident"]["is_deleted"] for line in told)
    changes = sum(len(line["changes"]) for line in told)
    assert done == Exported(9, changes, 1, 0, sha256(file.read_bytes()).hexdigest())
    (found,) = (line for line in told if line["incident"]["title"] == "found")
    (shown_event,) = findings_of(found["incident"]["id"], claims(table.tenant))
    shown_event["summary"] = {}  # only a tenant's mapping stores a summary
    assert event == {"evidence": {"incident_id": found["incident"]["id"], **shown_event}}
    assert [row.is_left_out for row in rows.read(file)] == [False] * 9 + [True], "an import passes over the event"
    assert event["evidence"]["sha256"] == found["changes"][0]["evidence"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_an_export_continues_after_any_interruption_with_the_same_result(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "SETTLE_SECONDS", -1.0)
    fill(table, 350)
    whole = export(table.reader, tmp_path / "whole.jsonl", lambda *_: None)
    steps = -(-whole.incidents // 100) + whole.events

    for after in range(1, steps + 1):
        file, so_far = tmp_path / f"{after}.jsonl", 0

        def tell(*_: object, after: int = after) -> None:
            nonlocal so_far
            so_far += 1
            if so_far == after:
                raise CutOff

        with pytest.raises(CutOff):
            export(table.reader, file, tell)
        assert not file.exists()
        with file.with_name(f"{file.name}.part").open("a") as part:
            part.write('{"incident": {"id": "half a li')
        assert export(table.reader, file, lambda *_: None) == whole


def test_a_continued_export_has_an_event_that_was_written_late(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (event,) = table.reader.items("EVIDENCE")
    oldest, found = min(one["sk"]["S"] for one in table.reader.items("INCIDENT")), event["sk"]["S"].split("#")[0]
    assert oldest < found
    settled = iter([True, False])  # the incidents are settled, and the event is of a young incident
    steps = iter(["the incidents"])
    file = tmp_path / "acme.jsonl"

    def tell(*_: object) -> None:
        if next(steps, None) is None:  # the event is in the file
            raise CutOff

    with monkeypatch.context() as young:
        young.setattr(exporting, "_is_settled", lambda _: next(settled))
        with pytest.raises(CutOff):
            export(table.reader, file, tell)
    late = event | {"sk": {"S": event["sk"]["S"].replace(found, oldest)}}
    table.client.put_item(TableName=table.name, Item=late)
    export(table.reader, file, lambda *_: None)

    assert [line["evidence"]["incident_id"] for line in lines(file) if "evidence" in line] == [oldest, found]


def test_an_export_to_a_folder_is_refused(
    table: Table, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    operator(monkeypatch, table, tmp_path)
    for folder in (str(tmp_path), ".", ".."):
        assert run(monkeypatch, "tenant", "export", "--tenant", table.tenant, folder) == 1
        assert f"{folder} is a folder." in capsys.readouterr().err.replace("\n", "")
    assert list(tmp_path.iterdir()) == []


def test_two_commands_do_not_write_one_file(
    table: Table, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    operator(monkeypatch, table, tmp_path)
    before, of = invariants.everything(table.client, table.name), ("--tenant", table.tenant)
    commands_of = {
        "out.jsonl": ("tenant", "export", *of, "out.jsonl"),
        "report.jsonl": ("verify", *of, "--report", "report.jsonl"),
        "v.checkpoint": ("verify", *of, "--checkpoint", "v.checkpoint"),
        "proof.json": ("tenant", "erase", *of, "--yes-erase", table.tenant, "--proof", "proof.json"),
    }
    for file, words in commands_of.items():
        for other in (file, f"{file}.part", f"{file}.checkpoint"):
            with alone(Path(other)):
                assert run(monkeypatch, *words) == 1
                assert f"Another command writes {file}." in capsys.readouterr().err
                assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    assert invariants.everything(table.client, table.name) == before

    lock = tmp_path / "out.jsonl.lock"
    lock.write_text("precious")
    assert run(monkeypatch, *commands_of["out.jsonl"]) == 1
    assert lock.read_text() == "precious"
    lock.write_text("")  # a killed command leaves its lock
    assert run(monkeypatch, *commands_of["out.jsonl"]) == 0
    assert run(monkeypatch, "verify", *of, "--report", "a", "--checkpoint", "a.checkpoint") == 0
    assert {path.name for path in tmp_path.iterdir()} == {"out.jsonl", "a"}


def test_an_export_interrupted_after_its_last_rename_is_finished(table: Table, tmp_path: Path) -> None:
    file = tmp_path / "acme.jsonl"
    whole = export(table.reader, file, lambda *_: None)
    with pytest.raises(StepFailed, match="exists already"):
        export(table.reader, file, lambda *_: None)

    file.rename(tmp_path / "acme.jsonl.part")
    state = {"after": "~", "bytes": 0, **whole._asdict()}
    about = {"exported": table.tenant, "table": table.reader.table_arn()}
    (tmp_path / "acme.jsonl.checkpoint").write_text(json.dumps({"about": about, "state": state}))
    (tmp_path / "acme.jsonl.part").rename(file)
    assert export(table.reader, file, lambda *_: None) == whole
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("way", ["another content", "foreign", "link"])
def test_a_file_that_somebody_put_in_place_of_an_export_is_not_its_result(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    file = tmp_path / "acme.jsonl"
    with monkeypatch.context() as cut:
        cut.setattr(Checkpoint, "remove", lambda _: None)
        whole = export(table.reader, file, lambda *_: None)
    if way == "another content":
        file.write_text("forged")
    elif way == "link":
        file.rename(tmp_path / "elsewhere")
        file.symlink_to("elsewhere")
    else:
        euid = os.geteuid()
        # The first check is of the checkpoint, and the second check is of the export.
        monkeypatch.setattr(os, "geteuid", iter((euid, euid + 1)).__next__)
    with pytest.raises(StepFailed, match="exists already"):
        export(table.reader, file, lambda *_: None)
    monkeypatch.undo()
    if way == "foreign":
        assert export(table.reader, file, lambda *_: None) == whole


def test_an_incident_that_changes_during_an_export_is_exported_at_one_version(table: Table, tmp_path: Path) -> None:
    """A second writer changes the incident between the export's reads of the incident and of its changes."""
    repository = IncidentRepository(Identity(table.tenant, "ada", None, frozenset()), table.client, table.name)
    ids = [item["sk"]["S"] for item in table.reader.items("INCIDENT")]
    written: list[str] = []

    def write(params: dict[str, Any], **_: object) -> None:
        partition = params["ExpressionAttributeValues"].get(":pk", {}).get("S", "")
        if partition.endswith(("#INCIDENT", "#CHANGE")) and partition not in written:
            written.append(partition)
            updating.update_incident(ids[1], {"description": f"{len(written)}"}, None, repository)
            updating.update_incident(ids[-1], {"description": f"{len(written)}"}, None, repository)

    for first in ("#CHANGE", "#INCIDENT"):
        written[:] = [partition for kind, partition in table.reader.partitions.items() if first[1:] == kind]
        table.client.meta.events.register("provide-client-params.dynamodb.Query", write, "rival")
        try:
            done = export(table.reader, tmp_path / f"{first}.jsonl", lambda *_: None)
        finally:
            table.client.meta.events.unregister("provide-client-params.dynamodb.Query", unique_id="rival")

        assert (len(written), done.incomplete) == (2, 0)
        for line in lines(tmp_path / f"{first}.jsonl")[:-1]:  # the last line is an event
            assert [change["version"] for change in line["changes"]] == [*range(1, len(line["changes"]) + 1)]
            for field, pair in line["changes"][-1]["changes"].items():
                assert line["incident"][field] == pair["to"]


@pytest.mark.parametrize("kind", ["#INCIDENT", "#CHANGE"])
def test_an_incident_that_is_created_during_an_export_is_no_gap(table: Table, tmp_path: Path, kind: str) -> None:
    """A second writer creates an incident just before the export's first read of the incidents or of the changes."""
    repository = IncidentRepository(Identity(table.tenant, "ada", None, frozenset()), table.client, table.name)
    made: list[str] = []

    def create(params: dict[str, Any], **_: object) -> None:
        if not made and params["ExpressionAttributeValues"][":pk"]["S"].endswith(kind):
            made.append(creating.create_incident({"title": "just now"}, repository).stored.incident["id"])

    table.client.meta.events.register("provide-client-params.dynamodb.Query", create, "rival")
    try:
        done = export(table.reader, tmp_path / "acme.jsonl", lambda *_: None)
    finally:
        table.client.meta.events.unregister("provide-client-params.dynamodb.Query", unique_id="rival")

    exported = [line["incident"]["id"] for line in lines(tmp_path / "acme.jsonl") if "incident" in line]
    assert (exported[-1:], done.incomplete, done.incidents) == (made, 0, len(exported))


def test_an_export_that_continues_has_every_incident_from_before(table: Table, tmp_path: Path) -> None:
    """An incident with an older id than the last exported one is written when the export has been cut off."""
    repository = IncidentRepository(Identity(table.tenant, "ada", None, frozenset()), table.client, table.name)
    made = [creating.create_incident({"title": "new"}, repository).stored for _ in range(2)]
    late = min(made, key=lambda stored: stored.incident["id"])
    trail = [*table.reader.changes(late.incident["id"])]
    for item in (late.item, *trail):
        table.delete(item)

    def cut_off(*_: object) -> None:
        raise CutOff

    with pytest.raises(CutOff):
        export(table.reader, tmp_path / "acme.jsonl", cut_off)
    table.put_all([late.item, *trail])
    export(table.reader, tmp_path / "acme.jsonl", lambda *_: None)

    titles = [line["incident"]["title"] for line in lines(tmp_path / "acme.jsonl") if "incident" in line]
    assert titles.count("new") == 2


def test_an_export_interrupted_among_the_events_has_every_incident_from_before(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow create draws its id before the export reads the newest incident, and is stored after this read."""
    slow = ULID()
    time.sleep(0.002)
    repository = IncidentRepository(Identity(table.tenant, "ada", None, frozenset()), table.client, table.name)
    creating.create_incident({"title": "newer"}, repository)
    file = tmp_path / "acme.jsonl"

    def tell(_: int, part: float | None) -> None:
        told.append(part)
        if told.count(1.0) == 2:  # once for the incidents, then for the first events
            raise CutOff

    told: list[float | None] = []
    with pytest.raises(CutOff):
        export(table.reader, file, tell)
    monkeypatch.setattr(creating, "ULID", lambda: slow)
    late = creating.create_incident({"title": "slow"}, repository).stored.incident["id"]

    export(table.reader, file, lambda *_: None)

    exported = [line["incident"]["id"] for line in lines(file) if "incident" in line]
    assert late in exported
    assert len(exported) == len(set(exported)) == len([*table.reader.items("INCIDENT")])


def test_an_export_interrupted_before_its_rename_is_finished(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "acme.jsonl"

    replace = Path.replace

    def stop(path: Path, target: Path) -> Path:
        if target == file:
            raise CutOff
        return replace(path, target)

    with monkeypatch.context() as cut:
        cut.setattr(Path, "replace", stop)
        with pytest.raises(CutOff):
            export(table.reader, file, lambda *_: None)
    assert not file.exists()
    before = (tmp_path / "acme.jsonl.part").read_bytes()

    whole = export(table.reader, file, lambda *_: None)

    assert file.read_bytes() == before
    assert whole.sha256 == sha256(before).hexdigest()
    assert list(tmp_path.iterdir()) == [file]


def test_trails_with_gaps_are_exported_and_counted(
    table: Table, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.delete(table.of(keys.change(table.tenant, table.titled("another title")["sk"]["S"], 3)))
    gone = table.titled("nothing known")
    table.delete(gone)

    done = export(table.reader, tmp_path / "acme.jsonl", lambda *_: None)

    assert (done.incidents, done.incomplete) == (8, 2)
    operator(monkeypatch, table, tmp_path)
    assert run(monkeypatch, "tenant", "export", "--tenant", table.tenant, "b.jsonl") == 1
    assert "b.jsonl is written, but incidents lack some of their changes: 2." in capsys.readouterr().err
    assert (tmp_path / "b.jsonl").read_bytes() == (tmp_path / "acme.jsonl").read_bytes()

    table.put(table.titled("imported"), "version")
    with pytest.raises(StepFailed, match="cannot be read"):
        export(table.reader, tmp_path / "again.jsonl", lambda *_: None)


def mentions(table: Table, besides: str = "") -> list[dict[str, Any]]:
    """Return every item that contains the tenant's name.

    ``besides`` is the name of another tenant that starts with the same letters. Items that contain only this longer
    name do not count.
    """
    found = invariants.everything(table.client, table.name)
    return [item for item in found if table.tenant in json.dumps(item).replace(besides, "")]


def erase(table: Table, folder: Path, quiet: float = 0, tell: erasing.Tell = lambda *_: None) -> erasing.Erased:
    return erasing.erase(table.reader, folder / "proof.json", quiet, tell)


def test_an_erasure_removes_all_of_the_tenant_and_nothing_of_others(
    table: Table, at_large: MetricWorld, tmp_path: Path
) -> None:
    other = f"{table.tenant}-b"
    for world_caller, title in ((5, "another tenant's"), (2, "marked")):
        at_large.do("create", world_caller, [{"title": title, "detected_at": "2026-02-01T00:00:00Z"}])
    at_large.deliver(Random(0), everything=True)
    assert at_large.marked() == ["2026-02-01", "2026-02-01"], "each tenant must have one mark"
    system = AccountMap(table.client, table.name)
    for account, tenant in (("111122223333", table.tenant), ("444455556666", other)):
        system.link(account, tenant)
        system.allow("111122223333", "example.soc", tenant)
    system.allow("444455556666", "example.soc", table.tenant)
    for tenant in (table.tenant, other):
        TenantSettings(tenant, table.client, table.name).write(
            INTAKE, Settings({}, 1, "2026-02-01T00:00:00.000Z", "ada")
        )
        Marks(keys.DEADLINES, table.client, table.name).mark(tenant, "inc_1", now=1)
        Marks(keys.SEALS, table.client, table.name).mark(tenant, now=1)
        head = Head(1, "2026-11", None, "{}", None, {}, "2026-06-09T18:00:00.000Z")
        DeadlineRepository(tenant, table.client, table.name).replace("inc_1", None, head)
    before = invariants.everything(table.client, table.name)
    counted = Counter(item["pk"]["S"] for item in before)

    done = erase(table, tmp_path)

    partitions = keys.partitions(table.tenant)
    assert done.items == {kind: counted[partition] for kind, partition in partitions.items()} | {
        "ACCOUNT": 3, "MARK": 1, "DEADLINEDUE": 1, "SEALDUE": 1, "ALERTDUE": 1,
    }  # fmt: skip
    assert done.remaining == dict.fromkeys(done.items, 0)
    assert mentions(table, besides=other) == []
    assert [item for item in before if other in json.dumps(item, default=repr) and item["pk"]["S"] != "ACCOUNTS"] == [
        item for item in invariants.everything(table.client, table.name) if item["pk"]["S"] != "ACCOUNTS"
    ]
    assert [(link.account_id, link.producer, link.tenants) for link in system.links()] == [
        ("111122223333", "example.soc", (other,)),
        ("444455556666", None, (other,)),
    ]
    proof = json.loads((tmp_path / "proof.json").read_text())
    assert proof == done._asdict()
    assert (proof["tenant"], proof["table"]) == (table.tenant, table.reader.table_arn())
    assert proof["started"] < proof["ended"]
    with pytest.raises(StepFailed, match="exists already"):
        erase(table, tmp_path)


def test_an_erasure_also_removes_items_that_stream_jobs_write_later(
    table: Table, at_large: MetricWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream marks the days of erased incidents.

    A job that is already running then writes the days' buckets again.
    """
    marks: list[str] = []
    sleeps = 0

    def sleep(_: float) -> None:
        nonlocal sleeps
        sleeps += 1
        if sleeps == 1:
            at_large.deliver(Random(0), everything=True)
            marks.extend(at_large.marked())
        if sleeps == 2:
            mark(at_large.told[-1])
            at_large.compute()

    monkeypatch.setattr(time, "sleep", sleep)

    done = erase(table, tmp_path, quiet=1)

    assert len(marks) > 3
    assert done.items["MARK"] >= len(marks)
    assert sleeps > 2
    assert mentions(table) == []


def test_an_erasure_fails_if_the_tenant_still_writes(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = IncidentRepository(Identity(table.tenant, "ada", None, frozenset()), table.client, table.name)
    monkeypatch.setattr(time, "sleep", lambda _: creating.create_incident({"title": "still here"}, repository))
    monkeypatch.setattr(erasing, "_ROUNDS", 3)

    with pytest.raises(StepFailed, match="still writes") as failed:
        erase(table, tmp_path, quiet=0.2)
    assert failed.value.detail.endswith("CHANGE, COUNTER, INCIDENT, NUMBER")
    assert not (tmp_path / "proof.json").exists()

    monkeypatch.setattr(time, "sleep", lambda _: None)
    assert erase(table, tmp_path).items["INCIDENT"] == 9 + 3


def test_an_erasure_continues_after_any_interruption_and_counts_everything(
    table: Table, at_large: MetricWorld, tmp_path: Path
) -> None:
    found = invariants.everything(table.client, table.name)
    counted = Counter(item["pk"]["S"].rpartition("#")[2] for item in found)
    started: list[str] = []
    for after in itertools.count(1):
        steps = 0

        def tell(*_: object, after: int = after) -> None:
            nonlocal steps
            steps += 1
            if steps == after:
                raise CutOff

        try:
            done = erase(table, tmp_path, tell=tell)
            break
        except CutOff:
            started.append(json.loads((tmp_path / "proof.json.checkpoint").read_text())["state"]["started"])

    assert len(started) > 2
    assert (done.started, done.items) == (started[0], counted)
    assert mentions(table) == []
    assert not (tmp_path / "proof.json.checkpoint").exists()


def test_the_end_of_an_erasure_is_not_before_the_creation_of_an_erased_incident(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seal of the proof must cover each erased incident, also if the operator's clock is slow.

    The seal must cover no other incident, whatever the holder of the table has written.
    """
    newest = list(table.reader.items("INCIDENT"))[-1]
    for odd in ("inc_", f"inc_7{'Z' * 25}", str(keys.ids_made_at(round(time.time() * 1000) + 600_000)[0])):
        table.put_all([newest | {"sk": {"S": odd}}])
    time.sleep(1.1)  # the time of the table has no fraction of a second
    monkeypatch.setattr(erasing, "_now", lambda: "2026-01-01T00:00:00.000Z")

    ended = erase(table, tmp_path).ended

    assert newest["created_at"]["S"] <= ended <= timestamps.from_milliseconds(round(time.time() * 1000))


def test_an_erasure_that_cannot_write_its_proof_erases_nothing(table: Table, tmp_path: Path) -> None:
    before = invariants.everything(table.client, table.name)

    with pytest.raises(StepFailed, match="cannot be written"):
        erase(table, tmp_path / "nowhere")
    with room_for(0), pytest.raises(StepFailed, match="cannot be written"):
        erase(table, tmp_path)
    assert invariants.everything(table.client, table.name) == before


def test_an_erasure_on_a_full_disk_stops_with_at_most_one_page_uncounted(table: Table, tmp_path: Path) -> None:
    fill(table, 250)
    kept = Checkpoint(tmp_path / "proof.json.checkpoint", erased=table.tenant, table=table.reader.table_arn())
    kept.save({"started": "2026-02-01T00:00:00.000Z", "items": {}})

    with room_for(kept.path.stat().st_size), pytest.raises(StepFailed, match="cannot be written") as failed:
        erase(table, tmp_path)
    left = len(list(table.reader.items("INCIDENT")))

    assert failed.value.what.startswith(str(kept.path))
    assert (9 + 250) - left == 100
    assert erase(table, tmp_path).items["INCIDENT"] == left


def test_the_error_names_a_file_that_cannot_be_written(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    operator(monkeypatch, table, tmp_path)
    table.put(table.titled("nothing known"), "active_pk")
    nowhere = ("--tenant", table.tenant, "--quiet-seconds", "0", "--proof", "nowhere/p.json")
    commands_of = {
        "nowhere/v.jsonl": ("verify", "--tenant", table.tenant, "--report", "nowhere/v.jsonl"),
        "nowhere/v.checkpoint": ("verify", "--tenant", table.tenant, "--checkpoint", "nowhere/v.checkpoint"),
        "nowhere/out.jsonl": ("tenant", "export", "nowhere/out.jsonl", "--tenant", table.tenant),
        "nowhere/p.json": ("tenant", "erase", *nowhere, "--yes-erase", table.tenant),
    }
    for file, words in commands_of.items():
        assert run(monkeypatch, *words) == 1
        told = capsys.readouterr().err.replace("\n", "")
        assert f"✗ {file} cannot be written." in told
        assert "Check that you may write there and that the disk has room." in told
        assert "Traceback" not in told
    assert invariants.of_tenant(table.client, table.name, table.tenant)


def test_an_export_continues_after_a_full_disk(table: Table, tmp_path: Path) -> None:
    fill(table, 150)
    whole = export(table.reader, tmp_path / "whole.jsonl", lambda *_: None)
    size = (tmp_path / "whole.jsonl").stat().st_size

    with room_for(size - 10), pytest.raises(StepFailed, match=r"again.jsonl.part cannot be written"):
        export(table.reader, tmp_path / "again.jsonl", lambda *_: None)
    assert export(table.reader, tmp_path / "again.jsonl", lambda *_: None) == whole


def test_an_erasure_retries_unprocessed_items(table: Table, tmp_path: Path) -> None:
    sent: list[int] = []

    def refuse(params: dict[str, Any], **_: object) -> None:
        """Process only the first item of a batch, and return all other items as unprocessed."""
        request = json.loads(params["body"])["RequestItems"][table.name]
        sent.append(len(request))
        params["body"] = json.dumps({"RequestItems": {table.name: request[:1]}}).encode()
        left.append(request[1:])

    def answer(parsed: dict[str, Any], **_: object) -> None:
        if rest := left.pop():
            parsed["UnprocessedItems"] = {table.name: rest}

    left: list[list[Any]] = []
    events = table.client.meta.events
    events.register("before-call.dynamodb.BatchWriteItem", refuse, "refuse")
    events.register("after-call.dynamodb.BatchWriteItem", answer, "answer")
    try:
        done = erase(table, tmp_path)
    finally:
        events.unregister("before-call.dynamodb.BatchWriteItem", unique_id="refuse")
        events.unregister("after-call.dynamodb.BatchWriteItem", unique_id="answer")

    assert done.items["INCIDENT"] == 9
    assert sent[:9] == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert mentions(table) == []


def test_the_commands_verify_export_and_erase_a_tenant(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    promise: Callable[[str, str], None],
) -> None:  # fmt: skip
    """The test follows the operator's steps when a tenant leaves: verify, export, erase."""
    fill(table, LARGE)
    operator(monkeypatch, table, tmp_path)
    of = ("--tenant", table.tenant)

    started = time.monotonic()
    assert run(monkeypatch, "verify", *of) == 0
    verified = time.monotonic()
    assert run(monkeypatch, "tenant", "export", "out.jsonl", *of) == 0
    exported = time.monotonic()
    printed = capsys.readouterr()
    assert printed.out == f"{sha256((tmp_path / 'out.jsonl').read_bytes()).hexdigest()}  out.jsonl\n"
    assert f"{9 + LARGE:,} incidents with" in printed.err
    assert "and 1 events of findings" in printed.err
    ids = [line["incident"]["id"] for line in lines(tmp_path / "out.jsonl") if "incident" in line]
    assert ids == [item["sk"]["S"] for item in table.reader.items("INCIDENT")]
    assert len(ids) == 9 + LARGE

    monkeypatch.setattr("sys.stdin", io.StringIO("another\n"))
    assert run(monkeypatch, "tenant", "erase", *of) == 1
    assert run(monkeypatch, "tenant", "erase", *of, "--yes-erase", "another") == 1
    assert "Nothing was erased" in capsys.readouterr().err
    assert len(list(table.reader.items("INCIDENT"))) == 9 + LARGE

    monkeypatch.setattr("sys.stdin", io.StringIO(f"{table.tenant}\n"))
    began = time.monotonic()
    assert run(monkeypatch, "tenant", "erase", *of, "--quiet-seconds", "0") == 0
    erased = time.monotonic() - began
    partitions = len(keys.KINDS) + len(keys.MARK_KINDS) + 2
    assert f"remaining            0 in {partitions} partitions" in capsys.readouterr().out
    assert json.loads((tmp_path / f"erasure-{table.tenant}.json").read_text())["items"]["INCIDENT"] == 9 + LARGE
    assert mentions(table) == []
    promise(
        "Off-boarding exports and erases all data of a tenant",
        f"{9 + LARGE:,} incidents were verified in {verified - started:.1f} s, exported in {exported - verified:.1f} s "
        f"and erased in {erased:.1f} s: 0 items of the tenant are left",
    )


@pytest.mark.parametrize("tenant", ["acmee", "ACME"])
def test_a_tenant_of_which_there_is_nothing_gets_no_file_and_no_proof(
    table: Table, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], tenant: str
) -> None:
    operator(monkeypatch, table, tmp_path)
    before = invariants.everything(table.client, table.name)

    for words in (
        ("tenant", "export", "--tenant", tenant, "a.jsonl"),
        ("tenant", "erase", "--tenant", tenant, "--yes-erase", tenant, "--quiet-seconds", "0"),
        ("verify", "--tenant", tenant),
        ("metrics", "show", "--tenant", tenant),
    ):
        assert run(monkeypatch, *words) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert f"The table has no items of the tenant {tenant}." in printed.err
    assert list(tmp_path.iterdir()) == []
    assert invariants.everything(table.client, table.name) == before


def test_an_interrupted_erasure_of_everything_still_writes_its_proof(
    table: Table, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    operator(monkeypatch, table, tmp_path)
    words = ("tenant", "erase", "--tenant", table.tenant, "--yes-erase", table.tenant, "--quiet-seconds", "0.01")

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(time, "sleep", interrupt)
        assert run(patched, *words) == 130
    left = f"continue from erasure-{table.tenant}.json.checkpoint."
    assert left in capsys.readouterr().err
    assert not list(table.reader.items("INCIDENT"))

    assert run(monkeypatch, *words) == 0
    proof = json.loads((tmp_path / f"erasure-{table.tenant}.json").read_text())
    assert proof["items"]["INCIDENT"] == 9


def test_a_command_replaces_no_other_file(table: Table, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    operator(monkeypatch, table, tmp_path)
    names = ("out.jsonl.part", "trend.png", "proof.json")
    for name in names:
        (tmp_path / name).write_text("precious")
    erase = ("tenant", "erase", "--yes-erase", table.tenant)

    for words in (
        ("tenant", "export", "out.jsonl"),
        ("verify", "--report", "one", "--checkpoint", "one"),
        ("verify", "--report", "proof.json"),
        ("metrics", "show", "--png", "trend.png"),
        (*erase, "--proof", "proof.json"),
    ):
        assert run(monkeypatch, *words, "--tenant", table.tenant) == 1

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(names, "precious")


def test_only_its_user_can_read_what_a_command_writes(
    table: Table, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    operator(monkeypatch, table, tmp_path)
    for name in ("report.jsonl", "b.jsonl.part"):  # an earlier version or another program left these files
        (tmp_path / name).touch(mode=0o644)
    before = os.umask(0)
    try:
        run(monkeypatch, "verify", "--tenant", table.tenant, "--report", "report.jsonl", "--checkpoint", "kept")
        assert run(monkeypatch, "tenant", "export", "--tenant", table.tenant, "b.jsonl") == 0
        erase = ("tenant", "erase", "--tenant", table.tenant, "--yes-erase", table.tenant, "--quiet-seconds", "0")
        assert run(monkeypatch, *erase) == 0
    finally:
        os.umask(before)

    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "report.jsonl": 0o600, "b.jsonl": 0o600, f"erasure-{table.tenant}.json": 0o600,
    }  # fmt: skip
