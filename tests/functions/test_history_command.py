"""Tests of `incidents history` and `incidents audit`, with the table and the bucket on moto."""

import csv
import io
import json
import os
import time
from contextlib import contextmanager
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import boto3
import botocore.client
import pytest
import seal_history
from create_incident import handler as create
from incidents import manifest_store
from incidents.storage import guard, keys, marks
from incidents.storage.settings import DEADLINES, Settings, TenantSettings
from incidents_cli.console import StepFailed
from incidents_cli.main import cli
from incidents_cli.operate import deadlines, metrics
from incidents_cli.operate.history import audit, commands, verify_history
from incidents_cli.operate.history import pack as pack_files
from incidents_cli.operate.tenants import commands as tenant_commands
from typer.testing import CliRunner, Result
from update_incident import handler as update

from tests.functions.test_seal_history import kms  # noqa: F401  # a fixture
from tests.support import history_world, moto_table, sheets
from tests.support.events import Context, claims, create_event, patch_event
from tests.support.history_world import BUCKET, LocalKms
from tests.support.sealed import SigningKey

LATE = {"eu-gdpr": {"anchors": {"aware": "2026-06-01T06:00:00.000Z"}, "stages": {
    "authority": {"submitted_at": "2026-06-10T06:00:00Z", "reference": "A 1"}}}}  # fmt: skip


class Deployed:
    """The stack that the commands use, with moto's clients."""

    outputs: ClassVar = {"HistoryBucket": BUCKET, "HistoryKey": "key", "SealHistoryFunction": "seal_history"}
    kms: LocalKms

    def __init__(self, *_: object) -> None:
        self.table_name = os.environ["TABLE_NAME"]

    def client(self, service: str) -> Any:
        match service:
            case "kms":
                return self.kms
            case "lambda":
                return SimpleNamespace(invoke=self.invoke)
        return boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "seal_history"
        try:
            answer: dict[str, Any] = {"body": seal_history.handler(json.loads(Payload), Context)}
        except Exception as error:
            answer = {"body": {"errorType": type(error).__name__}, "FunctionError": "Unhandled"}
        return answer | {"Payload": io.BytesIO(json.dumps(answer.pop("body")).encode())}

    @property
    def guarded_dynamodb(self) -> Any:
        client = self.client("dynamodb")
        guard.watch(client)
        return client

    @contextmanager
    def settings_of(self, tenant_id: str) -> Any:
        with guard.serving_tenant(tenant_id):
            yield TenantSettings(tenant_id, self.guarded_dynamodb, self.table_name)


@pytest.fixture(autouse=True)
def _commands(kms: LocalKms, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(Deployed, "kms", kms, raising=False)
    for module in (commands, audit, tenant_commands, metrics, deadlines):
        monkeypatch.setattr(module, "Deployment", Deployed)


def created(**fields: Any) -> dict[str, Any]:
    answer = create(create_event({"title": "x", **fields}), Context)
    assert answer["statusCode"] == 201, answer
    marks.seals().mark("acme", now=time.time_ns() // 1_000_000)
    incident: dict[str, Any] = json.loads(answer["body"])
    return incident


def patched(incident: dict[str, Any], by: str = "grace", **fields: Any) -> None:
    event = patch_event(incident["id"], fields, caller=claims(sub=by))
    assert update(event, Context)["statusCode"] == 200


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments])


def failure(result: Result) -> StepFailed:
    assert isinstance(result.exception, StepFailed), result
    return result.exception


def falsify(incident: dict[str, Any], field: str = "title", value: str = "forged") -> None:
    boto3.client("dynamodb", region_name="us-east-1").update_item(
        TableName=os.environ["TABLE_NAME"],
        Key={"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": incident["id"]}},
        UpdateExpression=f"SET {field} = :value", ExpressionAttributeValues={":value": {"S": value}},
    )  # fmt: skip


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def pack(folder: Path, *options: str) -> Result:
    period = ("--from", "2026-01-01", "--to", "2099-12-31", "--folder", str(folder))
    return run("audit", "pack", "--tenant", "acme", *period, *options)


def test_a_sealed_tenant_verifies_until_somebody_falsifies_it() -> None:
    incident = created()
    assert run("history", "seal").exit_code == 0
    assert history_world.contents("acme")[-1]["number"] == 1
    assert run("history", "verify", "--tenant", "acme").exit_code == 0

    falsify(incident)
    refused = run("history", "verify", "--tenant", "acme")

    assert str(failure(refused)) == "Faults: 1."
    assert refused.stdout == f"{incident['id']}: its values do not lead back to the values after change 1\n"


def test_an_appended_change_is_found_though_the_incident_has_an_older_version(tmp_path: Path) -> None:
    incident = created()
    run("history", "seal")
    changes = boto3.client("dynamodb", region_name="us-east-1")
    stored = changes.get_item(
        TableName=os.environ["TABLE_NAME"],
        Key={"pk": {"S": "TENANT#acme#CHANGE"}, "sk": {"S": f"{incident['id']}#0000000001"}},
    )["Item"]
    forged: dict[str, Any] = {"version": {"N": "2"}, "sk": {"S": f"{incident['id']}#0000000002"}, "by": {"S": "ceo"}}
    changes.put_item(TableName=os.environ["TABLE_NAME"], Item={**stored, **forged})

    refused = run("history", "verify", "--tenant", "acme")

    assert str(failure(refused)).startswith("Faults: ")
    assert "do not fit the tenant, the schema version 1, or its changes" in refused.stdout
    assert "but the history has faults" in str(failure(pack(tmp_path / "pack")))
    assert "ceo" in (tmp_path / "pack" / "changes.csv").read_text()


def test_a_key_that_the_auditor_does_not_trust_is_refused() -> None:
    created()
    run("history", "seal")
    refused = run("history", "verify", "--tenant", "acme", "--key", "0" * 64)
    assert str(failure(refused)).startswith("Faults: ")
    assert "manifest 1: is signed by another key" in refused.stdout


@pytest.mark.parametrize("key", ["zz", "", "0" * 63, "0" * 65, "g" * 64])
def test_what_is_no_fingerprint_is_refused(tmp_path: Path, key: str) -> None:
    created()
    run("history", "seal")

    refused = (
        run("history", "verify", "--tenant", "acme", "--key", key),
        pack(tmp_path / "pack", "--key", key),
    )

    assert [(each.exit_code, "hexadecimal" in each.stderr) for each in refused] == [(2, True)] * 2
    assert not (tmp_path / "pack").exists()


def test_a_tenant_can_be_sealed_whole_and_with_the_proof_of_an_erasure(tmp_path: Path) -> None:
    created()
    assert run("history", "seal", "--tenant", "acme", "--whole").exit_code == 0
    proof = tmp_path / "proof.json"
    erased = run(
        "tenant", "erase", "--tenant", "acme", "--yes-erase", "acme", "--proof", str(proof), "--quiet-seconds", "0"
    )
    assert erased.exit_code == 0
    assert run("history", "seal", "--tenant", "acme", "--erasure", str(proof)).exit_code == 0
    for options in (("--whole",), ("--erasure", str(proof))):
        assert str(failure(run("history", "seal", *options))) == "--whole, --erasure and --restored-to need a tenant."

    sealed = [one["erasure"] for one in history_world.contents("acme")]
    assert sealed == [None, [json.loads(proof.read_text())["ended"], sha256(proof.read_bytes()).hexdigest()]]
    assert run("history", "verify", "--tenant", "acme").exit_code == 0


def test_an_erasure_is_not_sealed_while_the_index_still_shows_an_erased_incident(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise, the next manifest would have this incident, and each check would report it as missing."""
    erased = created()
    run("history", "seal")
    proof, of = tmp_path / "proof.json", ("--tenant", "acme")
    run("tenant", "erase", *of, "--yes-erase", "acme", "--proof", str(proof), "--quiet-seconds", "0")
    seal = ("history", "seal", *of, "--erasure", str(proof))
    base: Any = botocore.client.BaseClient
    call = base._make_api_call
    late = {"sk": {"S": erased["id"]}, "updated_at": {"S": erased["updated_at"]}, "version": {"N": "1"}}

    def answered(client: Any, operation: str, given: Any) -> Any:
        answer = call(client, operation, given)
        if operation == "Query" and given.get("IndexName") == keys.BY_UPDATED:
            values = given["ExpressionAttributeValues"]
            assert values.get(":ended", late["updated_at"])["S"] >= erased["updated_at"]
            answer["Items"].append(late)
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(base, "_make_api_call", answered)
        refused = failure(run(*seal))
        assert str(refused) == "The table's index still shows an erased incident. Nothing was sealed."
        assert refused.detail.strip() == erased["id"]
        marks.seals().mark("acme", now=time.time_ns() // 1_000_000)
        run("history", "seal")  # the schedule
    assert [one["erasure"] for one in history_world.contents("acme")] == [None, None]

    new = created()
    assert run(*seal).exit_code == 0
    run("history", "seal")
    assert [entry[0] for entry in history_world.contents("acme")[-1]["entries"]] == [new["id"]]
    assert run("history", "verify", *of).exit_code == 0


def test_verify_reads_one_manifest_at_a_time_and_all_of_them_before_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    incident = created()
    for title in ("a", "b", "c"):
        assert run("history", "seal").exit_code == 0
        patched(incident, title=title)
        marks.seals().mark("acme", now=time.time_ns() // 1_000_000)
    base: Any = botocore.client.BaseClient
    calls, call, read_json = list[str](), base._make_api_call, verify_history.read_json

    def counted(client: Any, operation: str, given: Any) -> Any:
        calls.append(operation)
        return call(client, operation, given)

    def noted(line: bytes) -> Any:
        calls.append("line")
        return read_json(line)

    monkeypatch.setattr(base, "_make_api_call", counted)
    monkeypatch.setattr(verify_history, "read_json", noted)
    assert run("history", "verify", "--tenant", "acme").exit_code == 0
    order = [one for one in calls if one in ("GetObject", "line", "Query")]
    assert order == ["GetObject", "line", "line"] * 3 + ["Query", "Query", "line"]


PROOF = {"tenant": "acme", "table": "T", "ended": "2026-01-01T00:00:00.000Z", "remaining": {"INCIDENT": 0}}


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        (b"", "It is not the proof"),
        (b"[" * 100_000, "It is not the proof"),
        (b"[]", "It is not the proof"),
        (b"{}", "It is not the proof"),
        (b" " * 1_000_001, "It is not the proof"),
        ({"ended": "yesterday"}, "It is not the proof"),
        ({"ended": "2026-01-01"}, "It is not the proof"),
        ({"remaining": []}, "It is not the proof"),
        ({"tenant": "globex"}, "It proves the tenant globex, not acme."),
        ({"table": "another"}, "It proves the table another, not "),
        ({"remaining": {"INCIDENT": 1}}, "It says that items are left: 1."),
        ({"ended": "9998-01-01T00:00:00.000Z"}, "The tenant has an incident that is older than the erasure: inc_"),
    ],
)
def test_a_file_that_does_not_prove_the_erasure_is_not_sealed(
    proof: bytes | dict[str, Any], why: str, tmp_path: Path
) -> None:
    created()
    file = tmp_path / "proof.json"
    if isinstance(proof, dict):
        table = tenant_commands.tenant_reader("acme", None, None, None).table_arn()
        proof = json.dumps(PROOF | {"table": table} | proof).encode()
    file.write_bytes(proof)

    refused = failure(run("history", "seal", "--tenant", "acme", "--erasure", str(file)))

    assert str(refused) == f"{file} does not prove the erasure of this tenant."
    assert why in refused.detail
    assert not history_world.contents("acme")


def test_a_pipe_is_not_the_proof_of_an_erasure(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    refused = run("history", "seal", "--tenant", "acme", "--erasure", str(tmp_path / "pipe"))

    assert isinstance(refused.exception, PermissionError)


def test_a_mistyped_tenant_is_told_as_such() -> None:
    created()
    for words in (
        ("history", "seal"), ("audit", "trail"), ("metrics", "rebuild"),
        ("deadlines", "rebuild"), ("tenant", "counter"),
    ):  # fmt: skip
        assert str(failure(run(*words, "--tenant", "ACME"))).startswith("The table has no items of the tenant ACME.")
        assert str(failure(run(*words, "--tenant", "../x"))) == "The tenant id is not valid."
        assert run(*words, "--tenant", "acme").exit_code == 0
    assert not history_world.contents("ACME")
    assert "Marked 0 incidents." in run("deadlines", "rebuild", "--tenant", "acme").stderr, "no incident has a regime"


def test_a_spreadsheet_runs_no_cell_whatever_it_splits_at(tmp_path: Path) -> None:
    texts = sheets.hostile_texts()
    with pack_files._table(tmp_path / "a.csv", ["x", "y", "z"]) as table:
        for text in texts:
            table.row([text, "b", text])

    written = (tmp_path / "a.csv").read_bytes().decode()
    sheets.must_have_no_formula(written)
    assert [row[1] for row in csv.reader(io.StringIO(written, newline=""))] == ["y"] + ["b"] * len(texts)


def test_a_spreadsheet_runs_no_cell_of_a_trail() -> None:
    incident = created(title="=1+1")
    for title in ("+1", "-1", "@SUM(1)", "\uff1d1+1"):
        patched(incident, title=title)

    lines = list(csv.DictReader(io.StringIO(run("audit", "trail", "--tenant", "acme").stdout)))

    assert [line["to"] for line in lines] == ["", "'+1", "'-1", "'@SUM(1)", "'\uff1d1+1"]


def test_a_pack_that_fails_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    created()
    run("history", "seal")

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(pack_files, "write_contents", fail)
        assert pack(tmp_path / "pack").exit_code == 1
    assert not (tmp_path / "pack").exists()
    assert pack(tmp_path / "pack").exit_code == 0


@pytest.mark.parametrize("name", ["README.md", "manifests.jsonl", "an earlier pack"])
def test_a_pack_is_not_written_into_a_folder_that_somebody_put_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    created()
    run("history", "seal")
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    (other / name).write_text("kept")
    mkdir = Path.mkdir

    def replaced(folder: Path, *arguments: Any, **named: Any) -> None:
        mkdir(folder, *arguments, **named)
        folder.rename(tmp_path / "away")
        other.rename(folder)

    monkeypatch.setattr(Path, "mkdir", replaced)

    refused = failure(pack(tmp_path / "pack"))

    assert "is not the folder that this command has created" in str(refused)
    assert {file.name: file.read_text() for file in (tmp_path / "pack").iterdir()} == {name: "kept"}
    assert not [*(tmp_path / "away").iterdir()]


@pytest.mark.parametrize("moment", ["the manifests", "the contents"])
@pytest.mark.parametrize("is_link", [False, True])
def test_a_pack_stays_in_its_folder_if_somebody_moves_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, is_link: bool
) -> None:
    created()
    run("history", "seal")
    victim, moved = tmp_path / "victim", tmp_path / "moved"
    victim.mkdir()
    (victim / "README.md").write_text("kept")
    name = "write_keys" if moment == "the manifests" else "write_contents"
    step = getattr(pack_files, name)

    def after_a_move(*arguments: Any) -> Any:
        folder = tmp_path / "pack"
        folder.rename(moved)
        if is_link:
            folder.symlink_to(victim)
        else:
            victim.rename(folder)
        return step(*arguments)

    monkeypatch.setattr(pack_files, name, after_a_move)

    pack(tmp_path / "pack")

    assert {file.name: file.read_text() for file in (tmp_path / "pack").iterdir()} == {"README.md": "kept"}
    assert {"README.md", "contents.csv", "manifests.jsonl"} <= {file.name for file in moved.iterdir()}
    assert {file.stat().st_mode & 0o777 for file in moved.iterdir()} == {0o600}
    assert Path.cwd() != moved


def test_a_failed_seal_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    created()

    def refuse(*_: object) -> None:
        raise manifest_store.Overtaken

    monkeypatch.setattr(manifest_store.ManifestStore, "put", refuse)
    assert failure(run("history", "seal")).detail == "  overtaken: 1"
    assert failure(run("history", "seal", "--tenant", "acme")).detail == "  Overtaken"


def test_a_stack_without_seals_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Deployed, "outputs", {})
    for result in (run("history", "seal"), run("history", "verify", "--tenant", "acme"), pack(tmp_path / "pack")):
        assert str(failure(result)) == "This stack seals no histories."


def test_the_trail_has_one_line_for_each_changed_field() -> None:
    incident = created(title="first")
    patched(incident, title="second", severity="low")
    patched(incident, by="mallory", title="third")

    lines = list(csv.DictReader(io.StringIO(run("audit", "trail", "--tenant", "acme").stdout)))
    assert sorted((one["version"], one["by"], one["field"], one["from"], one["to"]) for one in lines) == [
        ("1", "ada", "", "", ""), ("2", "grace", "severity", "", "low"), ("2", "grace", "title", "first", "second"),
        ("3", "mallory", "title", "second", "third"),
    ]  # fmt: skip
    by = list(csv.DictReader(io.StringIO(run("audit", "trail", "--tenant", "acme", "--by", "mallory").stdout)))
    assert [one["by"] for one in by] == ["mallory"]
    before = run("audit", "trail", "--tenant", "acme", "--to", "2020-01-01").stdout
    assert before.count("\n") == 1, "only the header"


def test_the_trail_says_which_changes_it_lacks() -> None:
    whole, cut, gone, odd, unknown = (created(title=f"incident {n}") for n in range(5))
    for incident in (whole, cut, gone):
        for title in ("second", "third"):
            patched(incident, by="mallory", title=title)
    dynamodb = boto3.client("dynamodb", region_name="us-east-1")
    for pk, sk in (("TENANT#acme#CHANGE", f"{cut['id']}#0000000002"), ("TENANT#acme#INCIDENT", gone["id"])):
        at = {"pk": {"S": pk}, "sk": {"S": sk}}
        assert dynamodb.get_item(TableName=os.environ["TABLE_NAME"], Key=at).get("Item"), "the key has another form"
        dynamodb.delete_item(TableName=os.environ["TABLE_NAME"], Key=at)
    falsify(odd, "version", "x")
    falsify(unknown, "financial_impact", "x")

    printed = run("audit", "trail", "--tenant", "acme")

    lines = list(csv.DictReader(io.StringIO(printed.stdout)))
    assert [one["version"] for one in lines if one["incident_id"] == whole["id"]] == ["1", "2", "3"]
    assert [one["version"] for one in lines if one["incident_id"] == cut["id"]] == ["1", "3"]
    lacking = failure(printed).detail.splitlines()
    assert lacking[:2] == [f"  {cut['id']}: changes are missing", f"  {gone['id']}: the incident is missing"]
    assert [line.partition(": it cannot be read (")[0] for line in lacking[2:]] == [
        f"  {odd['id']}", f"  {unknown['id']}"
    ]  # fmt: skip


@pytest.mark.parametrize("dates", [("2026-02-30", "2026-03-01"), ("2026-03-02", "2026-03-01"), ("x", "2026-03-01"),
                                   ("2026-03-01", "9999-12-31"), ("0001-01-01", "2026-03-01")])  # fmt: skip
def test_a_wrong_period_is_refused(dates: tuple[str, str]) -> None:
    failure(run("audit", "trail", "--tenant", "acme", "--from", dates[0], "--to", dates[1]))


def test_a_pack_has_the_population_the_sample_and_the_late_reports(tmp_path: Path) -> None:
    late = created(title="=1+1", reportable_to=["GDPR"], regulatory_reports=LATE)
    others = [created(title=f"incident {n}") for n in range(4)]
    patched(others[0], severity="low")
    run("history", "seal")
    place = tmp_path / "pack"

    done = pack(place, "--sample", "2", "--seed", "x")

    assert done.exit_code == 0, done.exception
    assert done.stdout.strip() == Deployed.kms.key.fingerprint
    population = rows(place / "population.csv")
    assert {one["id"] for one in population} == {late["id"], *(one["id"] for one in others)}
    assert [one["title"] for one in population if one["id"] == late["id"]] == ["'=1+1"]
    assert {one["newest_sealed_version"] for one in population} == {"1", "2"}
    lowest = sorted((one["id"] for one in population), key=lambda one: sha256(f"x:{one}".encode()).hexdigest())[:2]
    assert {one["id"] for one in rows(place / "sample.csv")} == set(lowest)
    histories = [json.loads(line) for line in (place / "sample.jsonl").read_bytes().splitlines()]
    assert {one["incident"]["id"] for one in histories} == set(lowest)
    (report,) = [one for one in rows(place / "deadlines.csv") if one["submitted_at"]]
    assert (report["stage"], report["is_late"], report["reference"]) == ("authority", "True", "A 1")
    assert len(rows(place / "changes.csv")) == 6
    assert json.loads((place / "metrics.json").read_text())["from"] == "2026-01-01"
    files = {one["file"]: one["sha256"] for one in rows(place / "contents.csv")}
    assert {path.name for path in place.iterdir()} == {*files, "contents.csv"}
    assert all(sha256((place / name).read_bytes()).hexdigest() == digest for name, digest in files.items())
    assert "exists already" in str(failure(pack(place)))


def test_a_pack_of_a_copy_of_the_table_has_the_settings_of_the_copy(tmp_path: Path) -> None:
    created(reportable_to=["GDPR"], regulatory_reports=LATE)
    run("history", "seal")
    dynamodb = boto3.client("dynamodb", region_name="us-east-1")
    with moto_table.another() as restored:
        for stored in dynamodb.scan(TableName=os.environ["TABLE_NAME"])["Items"]:
            dynamodb.put_item(TableName=restored, Item=stored)
        with Deployed().settings_of("acme") as settings:
            settings.write(DEADLINES, Settings({"regimes": {"eu-gdpr": "off"}}, 1, "2026-02-01T00:00:00.000Z", "ada"))
        assert pack(tmp_path / "pack").exit_code == 0
        assert pack(tmp_path / "copy", "--table", restored).exit_code == 0

    assert {one["state"] for one in rows(tmp_path / "pack" / "deadlines.csv")} == {"off"}
    (late,) = [one for one in rows(tmp_path / "copy" / "deadlines.csv") if one["submitted_at"]]
    assert (late["stage"], late["state"], late["is_late"]) == ("authority", "submitted_late", "True")


def test_the_report_names_the_newest_manifest_and_its_hash() -> None:
    created()
    run("history", "seal")
    newest = sha256(history_world.manifest_lines("acme")[0].rstrip(b"\n")).hexdigest()
    assert f"number 1, with the SHA-256 {newest}" in " ".join(
        run("history", "verify", "--tenant", "acme").stderr.split()
    )


def test_a_restore_is_sealed_and_told() -> None:
    created()
    run("history", "seal")
    of = ("history", "seal", "--tenant", "acme")
    assert run(*of, "--restored-to", "2026-01-31T09:15:00+01:00").exit_code == 0
    assert history_world.contents("acme")[-1]["restored_to"] == "2026-01-31T08:15:00.000Z"
    told = run("history", "verify", "--tenant", "acme")
    assert "Restores of the table: to 2026-01-31T08:15:00.000Z" in " ".join(told.stderr.split())

    assert str(failure(run(*of, "--restored-to", "yesterday"))) == "--restored-to is not a time."
    both = run(*of, "--restored-to", "2026-01-31T08:15:00Z", "--erasure", __file__)
    assert str(failure(both)) == "--erasure and --restored-to need one manifest each."
    both = run(*of, "--whole", "--erasure", __file__)
    assert str(failure(both)) == "--erasure and --whole need one manifest each."
    alone = failure(run("history", "seal", "--restored-to", "2026-01-31T08:15:00Z"))
    assert str(alone) == "--whole, --erasure and --restored-to need a tenant."


def test_a_restore_that_took_all_incidents_of_a_tenant_is_sealed() -> None:
    of = ("history", "seal", "--tenant", "acme", "--restored-to", "2026-01-31T08:15:00Z")
    assert "Nothing was sealed" in str(failure(run(*of)).what + failure(run(*of)).detail + failure(run(*of)).advice)
    created()
    run("history", "seal")
    moto_table.clear(os.environ["TABLE_NAME"])
    with moto_table.another() as restored, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TABLE_NAME", restored)
        assert run(*of).exit_code == 0
        assert history_world.contents("acme")[-1]["table"] == restored
        created()
        run("history", "seal")
        verified = run("history", "verify", "--tenant", "acme")
    assert verified.exit_code == 0, verified.exception


def test_a_pack_of_a_falsified_history_lists_the_faults(tmp_path: Path) -> None:
    incident, other = created(), created()
    run("history", "seal")
    falsify(incident)
    falsify(other, "financial_impact", "x")
    place = tmp_path / "pack"

    refused = pack(place)

    assert str(failure(refused)) == f"Wrote {place}, but the history has faults: 3."
    faults = (place / "faults.txt").read_text().splitlines()
    assert f"{incident['id']}: its values do not lead back to the values after change 1" in faults
    assert f"{other['id']}: the export does not have it" in faults
    assert [one for one in faults if one.startswith(f"{other['id']}: it cannot be read (")]
    readme = (place / "README.md").read_text().splitlines()
    assert readme[2] == "**This history has 3 faults. `faults.txt` lists them.**"
    assert "faults.txt" in {one["file"] for one in rows(place / "contents.csv")}
    assert [one["id"] for one in rows(place / "population.csv")] == [incident["id"]]


def test_a_pack_of_a_tenant_without_incidents_lists_all_of_them_as_faults(tmp_path: Path) -> None:
    incident = created()
    run("history", "seal")
    moto_table.clear(os.environ["TABLE_NAME"])
    failure(pack(tmp_path / "pack"))
    assert (tmp_path / "pack" / "faults.txt").read_text() == f"{incident['id']}: the export does not have it\n"

    place = tmp_path / "mistyped"
    other = run(
        "audit", "pack", "--tenant", "acmee", "--from", "2026-01-01", "--to", "2026-01-02", "--folder", str(place)
    )
    assert (str(failure(other)).endswith("No pack was written."), place.exists()) == (True, False)


@pytest.mark.parametrize(
    ("field", "value"),
    [("lessons_learned", "no JSON"), ("lessons_learned", "[" * 60_000), ("lessons_learned", '{"a":\n1}'),
     ("regulatory_reports", "no JSON"), ("lessons_learned", "9" * 5_000)],
)  # fmt: skip
def test_a_pack_of_an_item_of_another_form_is_written_with_a_fault(tmp_path: Path, field: str, value: str) -> None:
    created(title="good")
    bad = created(title="bad", reportable_to=["eu-gdpr"])
    run("history", "seal")
    falsify(bad, field, value)

    written = pack(tmp_path / "pack")

    assert "but the history has faults" in str(failure(written))
    faults = (tmp_path / "pack" / pack_files.FAULTS).read_text().splitlines()
    assert any(bad["id"] in fault for fault in faults), faults
    assert "good" in {one["title"] for one in rows(tmp_path / "pack" / "population.csv")}
    trail = run("audit", "trail", "--tenant", "acme")
    assert any(line.split(",")[4] not in ("incident_id", bad["id"]) for line in trail.stdout.splitlines())
    if bad["id"] not in trail.stdout:
        assert bad["id"] in failure(trail).detail


def test_a_line_with_an_endless_number_is_left_out_of_the_tables_of_a_pack(tmp_path: Path) -> None:
    """A cell would have a million zeros for each such number. A JSON field has space for 7,000 of these numbers."""
    (tmp_path / "lines").write_text('{"incident":{"a":[1e999999]}}\n{"incident":{"a":[1e300]}}\n')
    assert [*pack_files.incidents_in(tmp_path / "lines")] == [{"incident": {"a": [Decimal("1e300")]}}]


def test_an_unreadable_incident_is_a_fault() -> None:
    incident = created()
    run("history", "seal")
    falsify(incident, "financial_impact", "x")
    told = run("history", "verify", "--tenant", "acme").stdout.splitlines()
    assert [line[: len(incident["id"]) + 4] for line in told] == [f"{incident['id']}: th", f"{incident['id']}: it"]


def test_a_pack_trusts_only_the_key_of_the_stack_and_the_named_keys(tmp_path: Path) -> None:
    created()
    run("history", "seal")
    earlier, Deployed.kms.key = Deployed.kms.key, SigningKey()
    manifest_store.signing_key.cache_clear()
    created()
    run("history", "seal")

    failure(pack(tmp_path / "refused"))
    assert f"with the fingerprint {earlier.fingerprint}" in (tmp_path / "refused" / "faults.txt").read_text()
    assert len([*(tmp_path / "refused").glob("*.pem")]) == 1
    assert pack(tmp_path / "trusted", "--key", earlier.fingerprint.upper()).exit_code == 0
    assert (tmp_path / "trusted" / "faults.txt").read_text() == ""
    assert len([*(tmp_path / "trusted").glob("*.pem")]) == 2


def test_an_object_that_is_no_manifest_is_a_fault_of_the_pack(tmp_path: Path) -> None:
    created()
    run("history", "seal")
    s3 = boto3.client("s3", region_name="us-east-1")
    for name, junk in {"zzz": b"\xff", "!": b"1\n2\n3\n"}.items():
        s3.put_object(Bucket=BUCKET, Key=f"acme/{name}", Body=junk)

    failure(pack(tmp_path / "pack"))
    faults = (tmp_path / "pack" / "faults.txt").read_text().splitlines()
    assert [fault[:12] for fault in faults] == ["manifest 1: ", "manifest 3: "]
    assert len(run("history", "verify", "--tenant", "acme").stdout.splitlines()) == 2
