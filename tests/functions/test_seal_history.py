"""Tests of the job that seals the histories of tenants, with a bucket on moto."""

import json
import re
import time
from collections.abc import Iterator
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import seal_history
from botocore.exceptions import ResponseStreamingError
from create_incident import handler as create
from delete_incident import handler as delete
from follow_incidents import handler as follow
from incidents import manifest_store, sealing
from incidents.domain import manifests, timestamps
from incidents.domain.errors import Busy
from incidents.domain.manifests import Window
from incidents.manifest_store import Overtaken
from incidents.runtime import cloudwatch
from incidents.storage import keys, marks
from incidents.storage.feed_reader import FeedReader
from incidents_cli.operate.history import manifest_bucket, verify_history
from update_incident import handler as update

from tests.support import history_world
from tests.support.events import Context, claims, create_event, delete_event, patch_event, record, stream_event
from tests.support.history_world import BUCKET, LocalKms, check, contents, exported, locked_bucket
from tests.support.incidents import FULL, item

HOUR = 3600
ERASED = "2026-01-01T00:00:00.000Z"


@pytest.fixture
def kms(table: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalKms]:
    """Return the signing key. The job uses this key, and an empty bucket."""
    here = LocalKms()
    manifest_store.s3.cache_clear()
    manifest_store.signing_key.cache_clear()
    s3 = boto3.client("s3", region_name="us-east-1")
    locked_bucket(s3)
    monkeypatch.setattr(manifest_store, "kms", lambda: here)
    for name, value in {
        "HISTORY_BUCKET": BUCKET, "HISTORY_KEY": "key", "HISTORY_RETENTION": "GOVERNANCE", "MARK_SETTLE_SECONDS": "0",
        "POWERTOOLS_METRICS_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    yield here
    history_world.remove_all(s3)
    s3.delete_bucket(Bucket=BUCKET)
    manifest_store.s3.cache_clear()
    manifest_store.signing_key.cache_clear()


def created(tenant: str = "acme", **fields: Any) -> str:
    answer = create(create_event({"title": "x", **fields}, caller=claims(tenant)), Context)
    assert answer["statusCode"] == 201, answer
    mark(tenant)
    incident_id: str = json.loads(answer["body"])["id"]
    return incident_id


def patched(incident_id: str, tenant: str = "acme", **fields: Any) -> None:
    assert update(patch_event(incident_id, fields, caller=claims(tenant)), Context)["statusCode"] == 200
    mark(tenant)


def mark(tenant: str = "acme") -> None:
    marks.seals().mark(tenant, now=time.time_ns() // 1_000_000)


def marked() -> list[str]:
    return [one.tenant_id for one in marks.seals().of_all_tenants()]


def run(**order: Any) -> dict[str, int]:
    return seal_history.handler(order, Context)


def test_each_change_marks_its_tenant_only_if_the_service_seals_histories(
    kms: LocalKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = [record(None, item(1)), record(item(1), item(2), 101), record(item(2), None, 102)]
    for change in changes:
        follow(stream_event([change]), Context)
        (one,) = marks.seals().of_all_tenants()
        assert (one.tenant_id, one.name) == ("acme", ())
    assert run() == {"computed": 1}

    monkeypatch.setenv("HISTORY_RETENTION", "")
    follow(stream_event(changes), Context)
    assert marked() == []


def test_a_record_whose_tenant_cannot_be_marked_comes_again(kms: LocalKms, monkeypatch: pytest.MonkeyPatch) -> None:
    set_mark = marks.Marks.mark

    def refuse(self: Any, tenant_id: str, *name: str, **more: Any) -> None:
        if not name and tenant_id == "acme":
            raise Busy
        set_mark(self, tenant_id, *name, **more)

    monkeypatch.setattr(marks.Marks, "mark", refuse)
    changes = [record(None, item(1)), record(None, item(1, tenant_id="other"), 101)]
    assert follow(stream_event(changes), Context) == {"batchItemFailures": [{"itemIdentifier": "100"}]}
    assert marked() == ["other"]


def test_a_sealed_tenant_is_proved_until_the_last_run(kms: LocalKms) -> None:
    one, other = created(**FULL), created()
    patched(one, title="y", financial_impact=0.5)
    assert run() == {"computed": 1}
    delete(delete_event(other), Context)
    mark()
    patched(one, lessons_learned={"a": [1e16, "\u2028"]})
    assert run() == {"computed": 1}
    assert marked() == []

    report = check("acme", kms.key)
    assert (report.faults, report.incidents, report.manifests, report.unsealed) == ([], 2, 2, 0)
    first, last = contents("acme")
    assert first["from"] == manifests.BEGINNING
    assert first["table"] == last["table"]
    assert last["from"] < first["to"] < last["to"], "the windows overlap"
    assert {entry[0]: entry[1] for entry in last["entries"]} == {one: 3, other: 2}

    patched(one, title="z")
    report = check("acme", kms.key)
    assert (report.faults, report.unsealed, report.until) == ([], 1, last["to"])


def test_an_altered_table_is_found(kms: LocalKms, table: str) -> None:
    incident_id = created(severity="low")
    patched(incident_id, severity="high")
    run()
    dynamodb = boto3.client("dynamodb", region_name="us-east-1")
    key = {"pk": {"S": "TENANT#acme#CHANGE"}, "sk": {"S": f"{incident_id}#{2:010d}"}}
    dynamodb.update_item(
        TableName=table, Key=key, UpdateExpression="SET #by = :by", ExpressionAttributeNames={"#by": "by"},
        ExpressionAttributeValues={":by": {"S": "mallory"}},
    )  # fmt: skip

    assert f"{incident_id}: change 2 differs from its hash" in check("acme", kms.key).faults


def test_a_run_without_a_mark_writes_nothing(kms: LocalKms) -> None:
    assert run() == {}
    assert contents("acme") == []


def test_an_operator_can_seal_a_tenant_that_has_no_mark(kms: LocalKms) -> None:
    incident_id = created()
    run()
    assert run(tenant_id="acme", whole=True) == {"computed": 1}
    assert run(tenant_id="acme", erasure=[ERASED, "0" * 64]) == {"computed": 1}

    _, whole, erasure = contents("acme")
    assert whole["from"] == manifests.BEGINNING
    assert [entry[0] for entry in whole["entries"]] == [incident_id]
    assert erasure["erasure"] == [ERASED, "0" * 64]
    assert check("acme", kms.key).faults == []


def test_an_operator_s_clock_may_be_a_little_ahead(kms: LocalKms) -> None:
    ended = timestamps.from_milliseconds(time.time_ns() // 1_000_000 + 30_000)
    assert run(tenant_id="acme", erasure=[ended, "0" * 64]) == {"computed": 1}


def test_an_erasure_is_sealed_without_the_entries_that_the_index_may_still_show(kms: LocalKms) -> None:
    created()
    run(tenant_id="acme", erasure=[ERASED, "0" * 64])
    run()
    created()
    run(tenant_id="acme", erasure=[ERASED, "1" * 64])

    first, _, last = contents("acme")
    assert (first["entries"], first["to"], first["more"]) == ([], manifests.BEGINNING, True)
    assert (last["entries"], last["from"], last["more"]) == ([], last["to"], True)


def test_a_restore_seals_all_incidents_and_records_its_time(kms: LocalKms) -> None:
    incident_id = created()
    run()
    assert run(tenant_id="acme", restored_to="2026-01-01T00:00:00.000Z") == {"computed": 1}

    last = contents("acme")[-1]
    assert (last["from"], last["restored_to"]) == (manifests.BEGINNING, "2026-01-01T00:00:00.000Z")
    assert [entry[0] for entry in last["entries"]] == [incident_id]
    assert [time for _, time, _ in check("acme", kms.key).restores] == ["2026-01-01T00:00:00.000Z"]


def test_the_first_run_on_another_table_seals_all_incidents(kms: LocalKms, monkeypatch: pytest.MonkeyPatch) -> None:
    created()
    run()
    newest = manifest_store.ManifestStore.newest
    monkeypatch.setattr(manifest_store.ManifestStore, "newest", lambda *given: newest(*given)._replace(table="old"))
    mark()
    assert run() == {"computed": 1}
    assert [content["from"] for content in contents("acme")] == [manifests.BEGINNING] * 2


def later(patch: pytest.MonkeyPatch, hours: float) -> None:
    """Let the job's clock be some hours ahead."""
    now = time.time_ns
    patch.setattr(time, "time_ns", lambda: now() + round(hours * HOUR * 1e9))


def test_a_change_that_somebody_adds_after_the_run_of_its_time_is_found(
    kms: LocalKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job's clock is ahead. So the time of a later change looks invented."""
    one, other = created(), created()
    with monkeypatch.context() as patch:
        later(patch, 2)
        run()
    patched(one, title="backdated")
    backdated = created()
    patched(other, title="backdated")
    with monkeypatch.context() as patch:
        later(patch, 2.5)
        run(tenant_id="acme", whole=True)

    report = check("acme", kms.key)
    assert report.unsealed == 0, "the manifests have the forged changes"
    assert {fault[: fault.index(" of 20")] for fault in report.faults} == {
        f"{one}: change 2", f"{backdated}: change 1", f"{other}: change 2"
    }  # fmt: skip
    assert all(fault.endswith("is in no manifest of its time") for fault in report.faults)


def test_a_run_reads_the_index_to_its_end(kms: LocalKms, monkeypatch: pytest.MonkeyPatch) -> None:
    """An incident that changes all the time, or that has a time in the future, must be in each manifest."""
    monkeypatch.setenv("MARK_SETTLE_SECONDS", "300")
    incident_id = created()
    for version in (1, 2):
        assert run(tenant_id="acme") == {"computed": 1}
        last = contents("acme")[-1]
        assert last["to"] < timestamps.from_milliseconds(time.time_ns() // 1_000_000 - 290_000)
        assert [(entry[0], entry[1]) for entry in last["entries"]] == [(incident_id, version)]
        patched(incident_id, title="y")
    assert check("acme", kms.key).faults == []


def test_a_run_has_an_incident_whose_entry_moved_while_the_run_read_it(
    kms: LocalKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While an entry moves to its new place in the index, a reader may miss it at both places."""
    created()
    moved = created()
    entries, reads = FeedReader.entries, []

    def missed(self: FeedReader, start: str) -> Iterator[Any]:
        reads.append(start)
        return (item for item in entries(self, start) if len(reads) > 1 or item["sk"]["S"] != moved)

    monkeypatch.setenv("MARK_SETTLE_SECONDS", "300")
    monkeypatch.setattr(FeedReader, "entries", missed)
    run(tenant_id="acme")
    (content,) = contents("acme")
    assert reads == [manifests.BEGINNING, content["to"]]
    assert moved in [entry[0] for entry in content["entries"]]


def test_the_parts_of_a_run_end_at_the_latest_when_the_run_began(
    kms: LocalKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK_SETTLE_SECONDS", "300")
    monkeypatch.setattr(manifests, "ENTRIES", 2)
    ids = {created() for _ in range(5)}
    run(tenant_id="acme")

    parts = contents("acme")
    assert {entry[0] for part in parts for entry in part["entries"]} == ids
    assert [part["more"] for part in parts] == [True] * (len(parts) - 1) + [False]
    assert len({part["to"] for part in parts}) == 1
    assert all(part["from"] <= part["to"] for part in parts)
    assert check("acme", kms.key).faults == []


def damage(table: str, incident_id: str, name: str, value: Any) -> None:
    boto3.client("dynamodb", region_name="us-east-1").update_item(
        TableName=table, Key={"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": incident_id}},
        UpdateExpression="SET #name = :value", ExpressionAttributeNames={"#name": name},
        ExpressionAttributeValues={":value": value},
    )  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [
    ("chain_head", {"S": "x"}), ("chain_head", {"S": f"3:{'0' * 64}"}), ("chain_head", {"NULL": True}),
    ("version", {"N": "0"}), ("version", {"N": "1.5"}), ("version", {"S": "1"}), ("updated_at", {"S": "zzz"}),
])  # fmt: skip
def test_an_item_of_another_form_is_left_out_and_stops_nothing(
    name: str, value: Any, kms: LocalKms, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    wrong, right = created(), created()
    damage(table, wrong, name, value)
    with pytest.raises(sealing.Unsealable):
        run()
    assert marked() == ["acme"]

    (content,) = contents("acme")
    assert [entry[0] for entry in content["entries"]] == [right]
    (line,) = [one for one in caplog.records if one.message == "unsealable incident"]
    assert (vars(line)["tenant_id"], vars(line)["incident_id"]) == ("acme", wrong)
    faults = verify_history.check("acme", {kms.key.fingerprint}, history_world.manifest_lines("acme"), []).faults
    assert faults == [f"{right}: the export does not have it"], "all manifests are right"
    with pytest.raises(sealing.Unsealable):
        run(tenant_id="acme")


@pytest.mark.parametrize("order", [
    {"tenant_id": "a/b"}, {"tenant_id": ""}, {"tenant_id": "acme", "erasure": "x"},
    {"tenant_id": "acme", "restored_to": "2026-01-01"},
    {"tenant_id": "acme", "erasure": "0" * 64}, {"tenant_id": "acme", "erasure": [ERASED, "x"]},
    {"tenant_id": "acme", "erasure": ["2026-01-01", "0" * 64]}, {"tenant_id": "acme", "erasure": [ERASED, 1]},
    {"tenant_id": "acme", "erasure": [ERASED, "0" * 64], "restored_to": ERASED},
    {"tenant_id": "acme", "erasure": [ERASED, "0" * 64], "whole": True},
    {"tenant_id": "acme", "erasure": ["2999-01-01T00:00:00.000Z", "0" * 64]},
    {"tenant_id": "acme", "restored_to": "2999-01-01T00:00:00.000Z"},
])  # fmt: skip
def test_an_order_of_another_form_is_refused(order: dict[str, Any], kms: LocalKms) -> None:
    with pytest.raises(ValueError, match="the order must name"):
        run(**order)


def test_a_large_tenant_gets_manifests_of_limited_size(kms: LocalKms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "ENTRIES", 2)
    ids = sorted(created() for _ in range(5))
    run()

    parts = contents("acme")
    assert [len(part["entries"]) for part in parts] == [2, 2, 1]
    assert sorted(entry[0] for part in parts for entry in part["entries"]) == ids
    assert check("acme", kms.key).faults == []


def test_a_run_that_ends_early_continues_after_its_last_manifest(
    kms: LocalKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifests, "ENTRIES", 2)
    for _ in range(4):
        created()
    times = iter([100.0, 100.0, 0.0])
    with monkeypatch.context() as patch:
        patch.setattr(sealing, "deadline", SimpleNamespace(left=lambda: next(times)))
        assert run() == {"postponed": 1}
    assert len(contents("acme")) == 1
    assert marked() == ["acme"]

    assert run() == {"computed": 1}
    report = check("acme", kms.key)
    assert (report.faults, report.unsealed) == ([], 0)


def test_a_failed_tenant_blocks_no_other_tenant(kms: LocalKms, monkeypatch: pytest.MonkeyPatch) -> None:
    tenants = ["acme", "other", "third"]
    for tenant in tenants:
        created(tenant)
    put = manifest_store.ManifestStore.put

    def fail(self: Any, tenant_id: str, manifest: bytes) -> Any:
        if tenant_id == "other":
            raise RuntimeError
        return put(self, tenant_id, manifest)

    monkeypatch.setattr(manifest_store.ManifestStore, "put", fail)
    assert run() == {"computed": 2, "failed": 1}
    assert marked() == ["other"]
    assert [len(contents(tenant)) for tenant in tenants] == [1, 0, 1]


def test_all_tenants_of_a_shard_are_sealed(kms: LocalKms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "SEALS", keys.SEALS._replace(shards=1))
    tenants = ["acme", "acme-b", "acme.c", "acme_d", "acmee", "b1", "Z9"]
    for tenant in tenants:
        mark(tenant)

    assert run() == {"computed": 7}
    assert marked() == []
    assert [len(contents(tenant)) for tenant in tenants] == [1] * 7


def test_unreadable_marks_are_a_failure(kms: LocalKms, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Any:
        raise Busy

    monkeypatch.setattr(marks.Marks, "of_all_tenants", refuse)
    assert run() == {"failed": 1}


def test_a_run_with_too_little_time_postpones_the_tenants(kms: LocalKms, monkeypatch: pytest.MonkeyPatch) -> None:
    created()
    monkeypatch.setattr(sealing, "deadline", SimpleNamespace(left=lambda: 1.0))
    assert run() == {"postponed": 1}
    assert marked() == ["acme"]


def test_runs_that_have_time_for_some_tenants_starve_no_tenant(kms: LocalKms, monkeypatch: pytest.MonkeyPatch) -> None:
    tenants = [f"tenant-{n}" for n in range(6)]
    start = time.time_ns() // 1_000_000
    sealed: list[str] = []
    monkeypatch.setattr(sealing, "_seal", lambda order, *_: sealed.append(order.tenant_id))
    for hour in range(3):
        for tenant in tenants:
            marks.seals().mark(tenant, now=start + hour)
        seconds = iter([60.0, 60.0])  # so a run has time for two tenants
        with monkeypatch.context() as short:
            short.setattr(sealing, "deadline", SimpleNamespace(left=lambda seconds=seconds: next(seconds, 0.0)))
            assert run() == {"computed": 2, "postponed": 1}
    assert sorted(sealed) == tenants


def test_the_gauge_has_the_oldest_mark_even_if_no_tenant_has_a_turn(
    kms: LocalKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tenant, minutes in (("acme", 3), ("third", 200), ("other", 5)):
        marks.seals().mark(tenant, now=time.time_ns() // 1_000_000 - minutes * 60_000)
    gauges: dict[str, int] = {}
    monkeypatch.setattr(cloudwatch, "gauge", gauges.__setitem__)
    monkeypatch.setattr(sealing, "deadline", SimpleNamespace(left=lambda: 1.0))
    assert run() == {"postponed": 1}
    assert gauges == {"OldestSealMarkMinutes": 200}


def test_a_tenant_with_many_changes_takes_at_most_half_of_the_time(
    kms: LocalKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        created("flooding")
    created("other")
    (since,) = (one.since for one in marks.seals().of_all_tenants() if one.tenant_id == "flooding")
    now, put = [0.0], manifest_store.ManifestStore.put

    def slow_put(*given: Any) -> Any:
        now[0] += 10.0
        return put(*given)

    with monkeypatch.context() as slow:
        slow.setattr(manifests, "ENTRIES", 1)
        slow.setattr(manifest_store.ManifestStore, "put", slow_put)
        slow.setattr(sealing, "deadline", SimpleNamespace(left=lambda: 60.0 - now[0]))
        assert run() == {"postponed": 1, "computed": 1}
    assert [len(contents(tenant)) for tenant in ("flooding", "other")] == [4, 2]
    (still,) = marks.seals().of_all_tenants()
    assert (still.tenant_id, still.since) == ("flooding", since), "the mark keeps its age"

    assert run() == {"computed": 1}
    report = check("flooding", kms.key)
    assert (report.faults, report.unsealed) == ([], 0)


def test_of_two_runs_at_the_same_time_one_is_overtaken(kms: LocalKms, monkeypatch: pytest.MonkeyPatch) -> None:
    incident_id = created()
    sign = kms.sign
    outcomes = []

    def slow_sign(**given: Any) -> dict[str, bytes]:
        monkeypatch.setattr(kms, "sign", sign)
        outcomes.append(run())
        patched(incident_id, title="changed while the first run is slow")
        return sign(**given)

    monkeypatch.setattr(kms, "sign", slow_sign)
    outcomes.append(run())

    assert outcomes == [{"computed": 1}, {"overtaken": 1}]
    assert marked() == ["acme"], "the change is not lost"
    assert run() == {"computed": 1}
    report = check("acme", kms.key)
    assert (report.faults, report.manifests, report.unsealed) == ([], 2, 0)


def test_a_change_during_a_run_keeps_the_mark(kms: LocalKms, monkeypatch: pytest.MonkeyPatch) -> None:
    incident_id = created()
    sign = kms.sign

    def sign_later(**given: Any) -> dict[str, bytes]:
        monkeypatch.setattr(kms, "sign", sign)
        patched(incident_id, title="y")
        return sign(**given)

    monkeypatch.setattr(kms, "sign", sign_later)
    assert run() == {"computed": 1}
    assert marked() == ["acme"]


def test_the_first_version_of_an_object_counts(kms: LocalKms) -> None:
    created()
    run()
    s3 = boto3.client("s3", region_name="us-east-1")
    name = manifests.name("acme", 1)
    s3.put_object(Bucket=BUCKET, Key=name, Body=b"{}")
    s3.delete_object(Bucket=BUCKET, Key=name)

    mark()
    assert run() == {"computed": 1}
    assert [content["number"] for content in contents("acme")] == [1, 2]
    assert check("acme", kms.key).faults == []


JUNK = {
    "!": b"", "zzz": b"junk", "0000000001.jsonl": b"junk", "9999999997.jsonl": b"{}\n{}\n", "9999999998.txt": b"x",
    "9999999995.jsonl": b"[" * 100_000,
}  # fmt: skip


def test_objects_that_are_no_manifests_are_skipped_and_reported(
    kms: LocalKms, caplog: pytest.LogCaptureFixture
) -> None:
    """The object of the manifest with the number 2 exists already, and of the manifest with the number 4."""
    incident_id = created()
    assert run() == {"computed": 1}
    s3 = boto3.client("s3", region_name="us-east-1")
    for name, content in JUNK.items():
        s3.put_object(Bucket=BUCKET, Key=f"acme/{name}", Body=content)
    for version in (2, 3):
        patched(incident_id, title=f"title {version}")
        assert run() == {"computed": 1}

    assert {vars(one)["object"] for one in caplog.records if one.message == "not a manifest"} >= {
        f"acme/{name}" for name in JUNK if re.fullmatch(r"[0-9]{10}\.jsonl", name) and name < "9999999996"
    }  # fmt: skip
    deployed: Any = SimpleNamespace(outputs={"HistoryBucket": BUCKET}, client=lambda _: s3)
    lines = [*manifest_bucket.lines(deployed, "acme")]
    report = verify_history.check("acme", {kms.key.fingerprint}, lines, exported("acme"))
    assert len(report.faults) == len(JUNK)
    assert all(fault.startswith("manifest ") for fault in report.faults)
    assert (report.manifests, report.unsealed) == (3 + len(JUNK), 0)
    numbers = [json.loads(line)["number"] for line in lines[::2] if line.startswith(b'{"entries"')]
    assert numbers == [1, 3, 5]


@pytest.mark.parametrize(
    ("number", "end"),
    [(7, "2999-01-01T00:00:00.000Z"), (7, "2026-99-99T00:00:00.000Z"), (7, "0000-01-01T00:00:00.000Z"),
     (9_999_999_999, "2026-01-01T00:00:00.000Z"), (1_000_000_001, "2026-01-01T00:00:00.000Z")],
)  # fmt: skip
def test_a_false_newest_manifest_neither_stops_the_job_nor_moves_its_window(
    kms: LocalKms, number: int, end: str
) -> None:
    incident_id = created()
    run()
    manifest = manifests.dump("acme", "t", manifests.START._replace(next_number=number), Window(end, end), {})
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.put_object(Bucket=BUCKET, Key=manifests.name("acme", number), Body=manifest + b'\n{"signature":"x"}\n')
    for title in ("second", "third"):
        patched(incident_id, title=title)
        assert run() == {"computed": 1}

    sealed = [content for content in contents("acme") if content["table"] != "t"]
    assert [content["entries"][0][1] for content in sealed] == [1, 2, 3]


@pytest.mark.parametrize("tenant_id", ["acme/0", "acme/", "../acme", "acme/9999999990.jsonl", "", "x\n"])
def test_a_mark_that_names_no_tenant_seals_nothing(kms: LocalKms, tenant_id: str) -> None:
    marks.seals().mark(tenant_id, now=time.time_ns() // 1_000_000)

    assert run() == {}
    listed = boto3.client("s3", region_name="us-east-1").list_objects_v2(Bucket=BUCKET)
    assert listed["KeyCount"] == 0


def test_an_order_with_a_day_that_does_not_exist_is_refused(kms: LocalKms) -> None:
    with pytest.raises(ValueError, match="day is out of range"):
        seal_history.handler({"tenant_id": "acme", "restored_to": "2026-02-30T00:00:00.000Z"}, Context)


class Cut:
    """An S3 client whose connection ends in the middle of each object."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def get_object(self, **named: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._s3.get_object(**named)
        half = answer["Body"].read(answer["ContentLength"] // 2)
        return answer | {"Body": BytesIO(half)}


def test_a_cut_answer_of_the_bucket_starts_no_new_chain(kms: LocalKms, monkeypatch: pytest.MonkeyPatch) -> None:
    incident_id = created()
    assert run() == {"computed": 1}
    patched(incident_id, title="second")
    s3 = boto3.client("s3", region_name="us-east-1")
    with monkeypatch.context() as broken:
        broken.setattr(manifest_store, "s3", lambda: Cut(s3))
        assert run() == {"failed": 1}
        with pytest.raises(ResponseStreamingError):
            run(tenant_id="acme")
    assert marked() == ["acme"]
    assert run() == {"computed": 1}

    assert [content["number"] for content in contents("acme")] == [1, 2]
    assert check("acme", kms.key).faults == []
    deployed: Any = SimpleNamespace(outputs={"HistoryBucket": BUCKET}, client=lambda _: Cut(s3))
    with pytest.raises(ResponseStreamingError, match="bytes of acme/"):
        [*manifest_bucket.lines(deployed, "acme")]


def test_a_tenant_whose_only_object_is_no_manifest_is_sealed(kms: LocalKms) -> None:
    created()
    boto3.client("s3", region_name="us-east-1").put_object(Bucket=BUCKET, Key=manifests.name("acme", 1), Body=b"x")
    assert run() == {"computed": 1}
    lines = history_world.manifest_lines("acme")
    assert json.loads(lines[-2])["number"] == 2
    assert json.loads(lines[-2])["previous_hash"] is None


def test_a_manifest_cannot_be_deleted_or_replaced_by_the_job(kms: LocalKms) -> None:
    created()
    run()
    s3 = boto3.client("s3", region_name="us-east-1")
    (version,) = s3.list_object_versions(Bucket=BUCKET, Prefix="acme/")["Versions"]
    with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])
    with pytest.raises(Overtaken):
        manifest_store.ManifestStore().put("acme", manifests.without_signature(history_world.manifest_lines("acme")[0]))


def test_all_incidents_of_the_export_are_in_the_table(kms: LocalKms) -> None:
    """The other tests would not notice an export without incidents."""
    created()
    assert len([*exported("acme")]) == 1
