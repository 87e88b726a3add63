"""Tests of `incidents verify` on AWS's own DynamoDB Local.

An intact tenant passes, and the command reports each kind of damage.
"""

import json
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from zlib import compress

import pytest
from incidents.commands import creating, updating
from incidents.domain.errors import Busy
from incidents.domain.identity import Identity
from incidents.storage import keys
from incidents.storage.deadline_repository import DeadlineRepository, Head
from incidents.storage.incident_repository import IncidentRepository
from incidents.storage.marks import Marks
from incidents_cli.console import StepFailed
from incidents_cli.operate.tenants import verify as walk
from incidents_cli.operate.tenants.checkpoint import Checkpoint
from incidents_cli.operate.tenants.reading import TenantReader
from incidents_cli.operate.tenants.violations import Violation

from tests.support import invariants, templates
from tests.support.deadlines import STAGE
from tests.support.tenants import Table, live, operator, run

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOBODY = "inc_01M83J8EHSBKC38ZQ0R08TEPS6"
SOON = {"N": "1785000000"}


_SOUND: list[tuple[str, list[dict[str, Any]]]] = []


@pytest.fixture
def table(
    request: pytest.FixtureRequest, dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> Iterator[Table]:
    """Yield the table of an intact tenant.

    The tenant is made only once. Before and after each test, the fixture restores the tenant's items.
    """
    if not _SOUND:
        world, service = request.getfixturevalue("world")(), request.getfixturevalue("service")
        tenant = live(world, service, dynamodb)
        _SOUND.append((tenant, invariants.everything(dynamodb, service)))
        dynamodb.create_table(TableName="sound", **templates.table())
    monkeypatch.setattr(walk, "PAUSE_SECONDS", 0)
    tenant, sound = _SOUND[0]
    table = Table(dynamodb, "sound", tenant)
    table.make_exactly(sound)
    yield table
    table.make_exactly(sound)


def verified(table: Table, path: Path, tell: walk.Tell = lambda *_: None) -> tuple[walk.Outcome, list[Violation]]:
    found: list[Violation] = []
    checkpoint = Checkpoint(path / "checkpoint", verified=table.tenant)
    return walk.verify(table.reader, checkpoint, path / "report.jsonl", found.append, tell), found


def test_verify_accepts_an_intact_tenant(table: Table, tmp_path: Path) -> None:
    outcome, found = verified(table, tmp_path)

    assert found == []
    assert {kind: count for kind, count in outcome.looked_at.items() if kind != "metric items"} == {
        "incidents": 9, "numbers": 9, "counters": 1, "idempotency keys": 1, "findings": 1, "evidence": 1,
    }  # fmt: skip
    assert outcome.looked_at["metric items"] > 10
    assert (tmp_path / "report.jsonl").read_text() == ""


def test_verify_accepts_a_document_of_an_older_schema(table: Table, tmp_path: Path) -> None:
    older = {"severity": {"S": "LOW"}, "tags": {"S": "a, b"}}
    table.put(without_hashes(table, "nothing known"), "schema_version", **older)

    assert verified(table, tmp_path)[1] == []


def without_hashes(table: Table, title: str) -> dict[str, Any]:
    """Remove the hashes of an incident with one change, as if release 0.1.0 had made it. Return the incident's item."""
    table.put(change(table, title, 1), "hash", "nonce", "state_hash")
    table.put(table.titled(title), "chain_head")
    return table.titled(title)


def change(table: Table, title: str, version: int) -> dict[str, Any]:
    return table.of(keys.change(table.tenant, table.titled(title)["sk"]["S"], version))


def with_another(item: dict[str, Any], field: str, side: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return the attribute ``changes`` of a change's item, with another value for ``from`` or ``to`` of one field."""
    pair = item["changes"]["M"][field]["M"] | {side: value}
    return {"changes": {"M": item["changes"]["M"] | {field: {"M": pair}}}}


def and_of(item: dict[str, Any], field: str, to: str) -> dict[str, Any]:
    """Return the attribute ``changes`` of a change's item, with one more field."""
    pair = {"M": {"from": {"S": "x"}, "to": {"S": to}}}
    return {"changes": {"M": item["changes"]["M"] | {field: pair}}}


def detected_on(table: Table, day: str) -> dict[str, Any]:
    return {
        "detected_at": {"S": f"{day}T00:00:00.000Z"},
        "detected_day_pk": {"S": keys.by_detected_day(table.tenant, day)},
    }


def bucket(table: Table, day: str, kind: str = "detected", app: str | None = None) -> dict[str, Any]:
    return table.of(keys.metric_bucket(table.tenant, app, kind, day))


def number_of(table: Table, title: str) -> dict[str, Any]:
    return table.of(keys.number(table.tenant, table.titled(title)["incident_number"]["S"]))


Damage = Callable[[Table], object]
DAMAGE: dict[str, tuple[Damage, set[str]]] = {
    "a change in the middle is missing": (
        lambda t: t.delete(change(t, "another title", 3)),
        {"versions", "chain", "state"},
    ),
    "change 1 is missing": (lambda t: t.delete(change(t, "nothing known", 1)), {"versions", "chain"}),
    "the last change is missing": (
        lambda t: t.delete(change(t, "of its own number", 2)),
        {"versions", "stamps", "chain", "state"},
    ),
    "a change too many": (
        lambda t: t.put(c := change(t, "of its own number", 2), sk={"S": f"{c['sk']['S'][:-1]}3"}, version={"N": "3"}),
        {"versions", "history", "chain"},
    ),
    "a change that says another former value": (
        lambda t: t.put(c := change(t, "closed at once", 3), **with_another(c, "status", "from", {"S": "recovering"})),
        {"history", "chain"},
    ),
    "a value that no change left": (
        lambda t: t.put(t.titled("another title"), title={"S": "a third title"}),
        {"history"},
    ),
    "a change of a field that is written once": (
        lambda t: t.put(c := change(t, "of its own number", 2), **and_of(c, "created_by", "ada")),
        {"history", "chain", "state"},
    ),
    "a change under another name": (
        lambda t: t.put(change(t, "of its own number", 2), action={"S": "closed"}),
        {"action", "chain"},
    ),
    "a move that no lifecycle has": (
        lambda t: t.put(c := change(t, "another title", 6), **with_another(c, "status", "to", {"S": "new"})),
        {"lifecycle", "history", "chain"},
    ),
    "another author": (lambda t: t.put(change(t, "another title", 3), by={"S": "mallory"}), {"chain"}),
    "another moment": (
        lambda t: t.put(change(t, "another title", 3), at=change(t, "another title", 4)["at"]), {"chain"}
    ),
    "another value, in every place that names it": (
        lambda t: (
            t.put_all([
                (c := change(t, "of its own number", 2)) | with_another(c, "owner_id", "to", {"S": "mallory"}),
                t.titled("of its own number") | {"owner_id": {"S": "mallory"}},
            ])
        ),
        {"chain"},
    ),
    "another first value": (
        lambda t: t.put(c := change(t, "of its own number", 2), **with_another(c, "owner_id", "from", {"S": "eve"})),
        {"chain", "state"},
    ),
    "another value that was never changed": (
        lambda t: t.put(t.titled("nothing known"), owner_id={"S": "mallory"}), {"state"}
    ),
    "two changes with each other's content": (
        lambda t: t.put_all(
            other | {name: one[name] for name in ("sk", "version")}
            for one, other in permutations([change(t, "another title", 2), change(t, "another title", 3)])
        ),
        {"chain", "history"},
    ),
    "another field from which a date was read": (
        lambda t: t.put(change(t, "found", 1), dates={"M": {"detected_at": {"S": "detail.time"}}}), {"chain"}
    ),
    "a change without its hash": (lambda t: t.put(change(t, "another title", 3), "hash"), {"chain"}),
    "a change without any trace of a hash": (
        lambda t: t.put(change(t, "another title", 3), "hash", "nonce"), {"chain"}
    ),
    "a first change without state_hash": (
        lambda t: t.put(change(t, "another title", 1), "state_hash"), {"chain"}
    ),
    "a new chain in the middle": (
        lambda t: t.put(change(t, "another title", 3), state_hash={"S": "0" * 64}), {"chain", "state"}
    ),
    "an incident without its chain_head": (lambda t: t.put(t.titled("another title"), "chain_head"), {"chain"}),
    "an incident with an earlier chain_head": (
        lambda t: t.put(t.titled("another title"), chain_head={"S": f"1:{change(t, 'another title', 1)['hash']['S']}"}),
        {"chain"},
    ),
    "an author whom the trail does not know": (
        lambda t: t.put(t.titled("nothing known"), updated_by={"S": "mallory"}),
        {"stamps"},
    ),
    "created at another moment": (
        lambda t: t.put(t.titled("nothing known"), created_at={"S": "2026-02-01T00:00:00.000Z"}),
        {"stamps", "state"},
    ),
    "missing in an index": (lambda t: t.put(t.titled("nothing known"), "active_pk"), {"indexes"}),
    "deleted and still in an index": (
        lambda t: t.put(t.titled("deleted"), active_pk={"S": keys.active(t.tenant)}),
        {"indexes"},
    ),
    "in the index of another status": (
        lambda t: t.put(t.titled("nothing known"), active_status_pk={"S": keys.active_by_status(t.tenant, "closed")}),
        {"indexes"},
    ),
    "of another application": (
        lambda t: t.put(t.titled("of an application, too"), app_id={"S": "other"}),
        {"indexes", "metrics", "state"},
    ),
    "of another tenant": (
        lambda t: t.put(t.titled("nothing known"), tenant_id={"S": "globex"}),
        {"partition", "indexes", "state"},
    ),
    "without its number": (lambda t: t.delete(number_of(t, "nothing known")), {"number"}),
    "a number of no incident": (
        lambda t: t.put(number_of(t, "nothing known"), sk={"S": "IR-2"}, incident_id={"S": NOBODY}),
        {"number"},
    ),
    "a number that points at another": (
        lambda t: t.put(number_of(t, "nothing known"), incident_id=t.titled("deleted")["id"]),
        {"number"},
    ),
    "a counter below a number": (lambda t: t.put(t.first("COUNTER"), count={"N": "7"}), {"counter"}),
    "no counter": (lambda t: t.delete(t.first("COUNTER")), {"counter"}),
    "minutes that the timestamps do not tell": (
        lambda t: t.put(t.titled("closed at once"), mttd_minutes={"N": "59"}),
        {"minutes", "metrics", "state"},
    ),
    "closed without a date": (
        lambda t: t.put(t.titled("imported"), "closed_at"),
        {"milestones", "indexes", "state"},
    ),
    "milestones out of order": (
        lambda t: t.put(t.titled("deleted"), occurred_at={"S": "2026-02-02T00:00:00.000Z"}),
        {"milestones", "state"},
    ),
    "deleted by nobody": (lambda t: t.put(t.titled("deleted"), "deleted_by"), {"stamps", "history"}),
    "a word of no vocabulary": (
        lambda t: t.put(t.titled("nothing known"), severity={"S": "huge"}),
        {"fields", "state"},
    ),
    "a timestamp in another form": (
        lambda t: t.put(t.titled("nothing known"), reported_at={"S": "2026-02-02T00:00:00Z"}),
        {"fields", "state"},
    ),
    "a version of the schema that nobody knows": (
        lambda t: t.put(t.titled("nothing known"), schema_version={"N": "99"}),
        {"schema_version"},
    ),
    "no version": (lambda t: t.put(t.titled("nothing known"), "version"), {"readable"}),
    "a change that cannot be read": (lambda t: t.put(change(t, "nothing known", 1), "at"), {"readable", "chain"}),
    "an incident is gone": (lambda t: t.delete(t.titled("nothing known")), {"orphan", "number"}),
    "a finding of no incident": (lambda t: t.put(t.first("FINDING"), incident_id={"S": NOBODY}), {"finding"}),
    "an idempotency key of no incident": (
        lambda t: t.put(t.first("IDEMPOTENCY"), incident_id={"S": NOBODY}),
        {"idempotency"},
    ),
    "an idempotency key that never expires": (lambda t: t.put(t.first("IDEMPOTENCY"), "expires_at"), {"idempotency"}),
    "an incident that expires": (lambda t: t.put(t.titled("imported"), expires_at=SOON), {"expiry"}),
    "an unreadable incident that expires": (
        lambda t: t.put(t.titled("nothing known"), "version", expires_at=SOON),
        {"expiry", "readable"},
    ),
    "a change that expires": (lambda t: t.put(change(t, "another title", 3), expires_at=SOON), {"expiry"}),
    "a number that expires": (lambda t: t.put(number_of(t, "nothing known"), expires_at=SOON), {"expiry"}),
    "a counter that expires": (lambda t: t.put(t.first("COUNTER"), expires_at=SOON), {"expiry"}),
    "a stored event is missing": (lambda t: t.delete(t.first("EVIDENCE")), {"evidence"}),
    "a stored event that was changed": (
        lambda t: t.put(t.first("EVIDENCE"), event={"B": compress(b'{"title":"forged"}')}), {"evidence"}
    ),
    "a stored event that cannot be read": (lambda t: t.put(t.first("EVIDENCE"), event={"B": b"x"}), {"evidence"}),
    "a stored event at another time": (
        lambda t: t.put(t.first("EVIDENCE"), observed_at={"S": "2026-02-05T00:00:00.000Z"}), {"evidence"}
    ),
    "a stored event of no incident": (
        lambda t: t.put(e := t.first("EVIDENCE"), sk={"S": f"{NOBODY}#{e['sk']['S'].partition('#')[2]}"}), {"evidence"}
    ),
    "a stored event with a summary that no mapping gave": (
        lambda t: t.put(t.first("EVIDENCE"), summary={"S": '{"link":["https://evil.example/"]}'}), {"evidence"}
    ),
    "a stored event with a summary of another form": (
        lambda t: t.put(t.first("EVIDENCE"), summary={"S": '"text"'}), {"evidence"}
    ),
    "a stored event without its rule": (lambda t: t.put(t.first("EVIDENCE"), rule={"S": ""}), {"evidence"}),
    "a stored event that is said to be cut": (
        lambda t: t.put(t.first("EVIDENCE"), is_cut={"BOOL": True}), {"evidence"}
    ),
    "a stored event that expires": (lambda t: t.put(t.first("EVIDENCE"), expires_at=SOON), {"expiry"}),
    "a finding with more events than are stored": (
        lambda t: t.put(t.first("FINDING"), events={"N": "2"}), {"evidence"}
    ),
    "a finding that expires": (lambda t: t.put(t.first("FINDING"), expires_at=SOON), {"expiry"}),
    "a bucket that expires": (lambda t: t.put(bucket(t, "2026-02-01"), expires_at=SOON), {"expiry"}),
    "a bucket with other values": (
        lambda t: t.put(b := bucket(t, "2026-02-01"), rows={"S": b["rows"]["S"].replace('"mttd",60', '"mttd",61')}),
        {"metrics"},
    ),
    "a bucket is missing": (lambda t: t.delete(bucket(t, "2026-02-01", app="scanner")), {"metrics"}),
    "a bucket that its day does not know": (
        lambda t: t.put(bucket(t, "2026-02-01"), sk={"S": "ALL#DETECTED#2026-02-11"}, day={"S": "2026-02-11"}),
        {"metrics"},
    ),
    "a day that was never computed": (
        lambda t: t.delete(t.of(keys.metric_day(t.tenant, "closed", "2026-02-02")), bucket(t, "2026-02-02", "closed")),
        {"metrics"},
    ),
    "an incident that its day does not have": (
        lambda t: t.put(t.titled("deleted"), **detected_on(t, "2026-02-04")),
        {"metrics", "state"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_verify_reports_each_kind_of_damage(name: str, table: Table, tmp_path: Path) -> None:
    damage, rules = DAMAGE[name]

    damage(table)
    outcome, found = verified(table, tmp_path)

    assert {violation.rule for violation in found} == rules, "\n".join(map(str, found))
    assert outcome.violations == {rule: sum(one.rule == rule for one in found) for rule in rules}
    report = [json.loads(line) for line in (tmp_path / "report.jsonl").read_text().splitlines()]
    assert report == [{"tenant_id": table.tenant, **violation._asdict()} for violation in found]


def test_verify_reports_a_number_without_an_incident(table: Table, tmp_path: Path) -> None:
    incident, number = table.titled("nothing known"), number_of(table, "nothing known")
    table.put(number, "incident_id")

    _, found = verified(table, tmp_path)

    named = number["sk"]["S"]
    assert [(one.rule, one.subject, one.found) for one in found] == [
        ("number", incident["sk"]["S"], f"number {named}, whose item names no incident"),
        ("number", named, f"number {named} without an incident"),
    ]


def test_verify_does_not_check_the_bucket_of_a_marked_day(table: Table, tmp_path: Path) -> None:
    table.put(bucket(table, "2026-02-01"), rows={"S": "[]"})
    Marks(keys.METRIC_DAYS, table.client, table.name).mark(table.tenant, "detected", "2026-02-01", now=0)

    assert verified(table, tmp_path)[1] == []


def test_verify_only_reads(table: Table, tmp_path: Path) -> None:
    operations: set[str] = set()
    table.client.meta.events.register("before-call.dynamodb", lambda model, **_: operations.add(model.name), "watched")
    try:
        verified(table, tmp_path)
    finally:
        table.client.meta.events.unregister("before-call.dynamodb", unique_id="watched")

    assert operations == {"Query", "GetItem", "BatchGetItem"}


def test_verify_reports_its_progress(table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "AT_ONCE", 2)
    told: dict[str, list[tuple[int, float | None]]] = {}

    verified(table, tmp_path, lambda kind, count, part: told.setdefault(kind, []).append((count, part)))

    assert [count for count, _ in told["incidents"]] == [2, 4, 6, 8, 9]
    parts = [part for _, part in told["incidents"] if part is not None]
    assert parts == sorted(parts)
    assert (len(parts), parts[-1]) == (5, 1)
    assert all(part is not None and 0 <= part <= 1 for _, part in told["findings"])


class CutOff(Exception):
    pass


@pytest.mark.parametrize("after", range(1, 8))
def test_verify_continues_after_any_interruption_and_reports_each_violation_once(
    after: int, table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for title, damage in (("nothing known", "active_pk"), ("another title", "active_pk")):
        table.put(table.titled(title), damage)
    table.put(bucket(table, "2026-02-01"), rows={"S": "[]"})
    table.delete(number_of(table, "imported"))
    (tmp_path / "whole").mkdir()
    whole = verified(table, tmp_path / "whole")
    steps = 0

    def tell(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == after:
            raise CutOff

    with pytest.raises(CutOff):
        verified(table, tmp_path, tell)
    with (tmp_path / "report.jsonl").open("a") as report:
        report.write('{"rule": "half a li')
    assert capsys.readouterr().err == ""
    outcome, _ = verified(table, tmp_path)

    assert "What it has read before is not read again" in capsys.readouterr().err
    assert outcome == whole[0]
    assert (tmp_path / "report.jsonl").read_text() == (tmp_path / "whole" / "report.jsonl").read_text()


def test_verify_refuses_a_checkpoint_of_another_run(table: Table, tmp_path: Path) -> None:
    Checkpoint(tmp_path / "checkpoint", verified="globex").save({})

    with pytest.raises(StepFailed, match="of another command") as refused:
        verified(table, tmp_path)
    assert refused.value.detail == f"  verified: globex, not {table.tenant}"
    same = {"verified": table.tenant, "table": "t"}
    Checkpoint(tmp_path / "checkpoint", **same, exported="x").save({})
    with pytest.raises(StepFailed) as refused:
        Checkpoint(tmp_path / "checkpoint", **same, report="r.jsonl").load({})
    assert refused.value.detail == "  exported: x, not none\n  report: none, not r.jsonl"


def test_a_write_during_verify_is_not_a_violation(table: Table, tmp_path: Path) -> None:
    """A second writer changes the table between two reads of the command.

    The two reads are of an incident and its changes, or of a number and its incident.
    """
    repository = IncidentRepository(Identity(table.tenant, "ada", None, frozenset()), table.client, table.name)
    writes = 0

    def write(params: dict[str, Any], **_: object) -> None:
        nonlocal writes
        partition = params.get("ExpressionAttributeValues", {}).get(":pk", {}).get("S", "")
        if partition.endswith(("#CHANGE", "#NUMBER")) and writes < 2:
            writes += 1
            incident_id = table.titled("nothing known")["sk"]["S"]
            updating.update_incident(incident_id, {"description": f"written {writes}"}, None, repository)
            creating.create_incident({"title": f"made {writes}"}, repository)

    table.client.meta.events.register("provide-client-params.dynamodb.Query", write, "rival")
    try:
        outcome, found = verified(table, tmp_path)
    finally:
        table.client.meta.events.unregister("provide-client-params.dynamodb.Query", unique_id="rival")

    assert (writes, found, outcome.violations) == (2, [], {})


def test_verify_reads_unprocessed_keys_again(table: Table, tmp_path: Path) -> None:
    refused = 0

    def refuse(parsed: dict[str, Any], **_: object) -> None:
        nonlocal refused
        answers = parsed["Responses"].get(table.name, [])
        if refused < 5 and len(answers) > 1:
            refused += 1
            keys_left = [{"pk": one["pk"], "sk": one["sk"]} for one in answers[1:]]
            parsed["Responses"][table.name] = answers[:1]
            parsed["UnprocessedKeys"] = {table.name: {"Keys": keys_left, "ConsistentRead": True}}

    table.client.meta.events.register("after-call.dynamodb.BatchGetItem", refuse, "throttle")
    try:
        _, found = verified(table, tmp_path)
    finally:
        table.client.meta.events.unregister("after-call.dynamodb.BatchGetItem", unique_id="throttle")

    assert (refused, found) == (5, [])


def test_the_command_prints_one_line_for_each_violation_and_fails(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    operator(monkeypatch, table, tmp_path)

    assert run(monkeypatch, "verify", "--tenant", table.tenant) == 0
    assert capsys.readouterr().out == ""

    item = table.titled("nothing known")
    table.put(item, "active_pk")
    assert run(monkeypatch, "verify", "--tenant", table.tenant, "--report", "report.jsonl", "--table", table.name) == 1
    printed = capsys.readouterr()
    assert printed.out == (
        f"{item['sk']['S']}  indexes: found no active_pk; expected active_pk TENANT#{table.tenant}\n"
    )
    assert "Violations in the tenant" in printed.err
    assert "indexes: 1" in printed.err
    assert json.loads((tmp_path / "report.jsonl").read_text())["rule"] == "indexes"
    assert not list(tmp_path.glob("*.checkpoint"))

    def busy(*_: object) -> NoReturn:
        raise Busy

    monkeypatch.setattr(TenantReader, "items", busy)
    assert run(monkeypatch, "verify", "--tenant", table.tenant) == 1
    assert "The table is busy" in capsys.readouterr().err
    assert run(monkeypatch, "verify", "--tenant", "No#Tenant") == 1
    assert "The tenant id is not valid" in capsys.readouterr().err


def test_verify_fails_for_a_tenant_without_any_items(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    operator(monkeypatch, table, tmp_path)

    assert run(monkeypatch, "verify", "--tenant", "nobody") == 1
    printed = capsys.readouterr().err
    assert "The table has no items of the tenant nobody" in printed
    assert "no violations" not in printed
    assert not list(tmp_path.iterdir())


def test_verify_refuses_a_table_without_one_of_its_indexes(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = templates.table()
    indexes = [index for index in whole["GlobalSecondaryIndexes"] if index["IndexName"] != keys.ACTIVE]
    attributes = [one for one in whole["AttributeDefinitions"] if one["AttributeName"] != "active_pk"]
    lacking = whole | {"GlobalSecondaryIndexes": indexes, "AttributeDefinitions": attributes}
    table.client.create_table(TableName="lacking", **lacking)
    operator(monkeypatch, table, tmp_path)

    assert run(monkeypatch, "verify", "--tenant", table.tenant, "--table", "lacking") == 1
    assert "lacks indexes" in capsys.readouterr().err
    table.client.delete_table(TableName="lacking")


AT = "2026-06-09T18:00:00.000Z"
HEAD = Head(1, "2026-11", None, None, None, {"x": []}, AT)


def without_alert(table: Table, incident_id: str) -> None:
    table.delete(table.of(keys.alert(table.tenant, AT, incident_id)))


def with_an_entry(table: Table, incident_id: str) -> None:
    entry = {"stages": [STAGE]}
    table.put(table.of(keys.deadline_head(table.tenant, incident_id)), entry={"S": json.dumps(entry)})


def unreadable(table: Table, incident_id: str) -> None:
    table.put(table.of(keys.deadline_head(table.tenant, incident_id)), "version")


def expiring(table: Table, incident_id: str) -> None:
    table.put(table.of(keys.deadline_head(table.tenant, incident_id)), expires_at={"N": "1"})


def only_a_row(table: Table, incident_id: str) -> None:
    table.put(table.of(keys.deadline_head(table.tenant, incident_id)), sk={"S": f"DUE#~#{incident_id}"})


@pytest.mark.parametrize(
    ("damage", "rules", "rules_of_marked"),
    [
        (lambda *_: None, set(), set()),
        (without_alert, {"deadlines"}, set()),
        (with_an_entry, {"deadlines"}, set()),
        (unreadable, {"deadlines"}, set()),
        (only_a_row, {"deadlines"}, {"deadlines"}),
        (expiring, {"expiry"}, {"expiry"}),
    ],
)
def test_verify_checks_what_is_kept_of_deadlines(
    table: Table, tmp_path: Path, damage: Callable[[Table, str], None], rules: set[str], rules_of_marked: set[str]
) -> None:
    incident_id = table.titled("nothing known")["sk"]["S"]
    DeadlineRepository(table.tenant, table.client, table.name).replace(incident_id, None, HEAD)
    damage(table, incident_id)

    outcome, violations = verified(table, tmp_path)

    assert {violation.rule for violation in violations} == rules
    assert outcome.looked_at["deadline items"] >= 1
    Marks(keys.DEADLINES, table.client, table.name).mark(table.tenant, incident_id, now=1)
    (tmp_path / "again").mkdir()
    assert {violation.rule for violation in verified(table, tmp_path / "again")[1]} == rules_of_marked


def test_verify_finds_a_head_without_an_incident(table: Table, tmp_path: Path) -> None:
    DeadlineRepository(table.tenant, table.client, table.name).replace("inc_gone", None, HEAD)
    assert [violation.found for violation in verified(table, tmp_path)[1]] == ["a head without an incident"]


def test_verify_finds_deadlines_that_were_never_computed(table: Table, tmp_path: Path) -> None:
    item = without_hashes(table, "nothing known")
    incident_id = item["sk"]["S"]
    table.put(item, reportable_to={"L": [{"S": "GDPR"}]})

    (violation,) = verified(table, tmp_path)[1]

    assert (violation.rule, violation.subject) == ("deadlines", incident_id)
    assert violation.found == "deadlines without a head"
    for n, done in enumerate((mark_deadlines, without_regime)):
        done(table, incident_id)
        (tmp_path / str(n)).mkdir()
        assert verified(table, tmp_path / str(n))[1] == []


def mark_deadlines(table: Table, incident_id: str) -> None:
    Marks(keys.DEADLINES, table.client, table.name).mark(table.tenant, incident_id, now=1)


def without_regime(table: Table, incident_id: str) -> None:
    table.delete(table.of(keys.mark(keys.DEADLINES, table.tenant, incident_id)))
    table.put(table.of(keys.incident(table.tenant, incident_id)), reportable_to={"L": [{"S": "a free text"}]})
