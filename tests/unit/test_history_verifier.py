"""Attacks the histories of random tenants, and the proofs of these histories. The verifier must find each attack."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from incidents.domain import manifests, model, timestamps
from incidents.domain.manifests import Record
from incidents.manifest_store import Overtaken
from incidents_cli.operate.history import verify_history
from ulid import ULID

from tests.support import scale
from tests.support.sealed import HOUR, START, SealedTenant, SigningKey, attacked, computed_anew, damaged, timed

TENANTS = scale.of(short=4, full=200)
VERIFIER = Path(verify_history.__file__)


@pytest.fixture(scope="module")
def tenant() -> SealedTenant:
    return SealedTenant(Random(1), "acme", SigningKey())


def test_each_attack_on_each_tenant_is_found(promise: Callable[[str, str], None]) -> None:
    key, tried = SigningKey(), Counter[str]()
    for number in range(TENANTS):
        random = Random(number)
        past = ("", "an erasure", "a restore")[number % 3]
        tenant = SealedTenant(random, f"tenant-{number}", key, past=past)
        other = SealedTenant(random, "other", key)
        assert tenant.faults() == [], number
        for attacks in (damaged(random, tenant), attacked(random, tenant, other), timed(random, tenant)):
            for name, forged in attacks:
                tried[name] += 1
                assert forged.faults(), (number, name)

    assert len(tried) == 2 * 15 + 10 + 14 + 10 + 13 + 11
    promise(
        "An attack on a sealed history is found", f"{TENANTS} tenants, {tried.total()} attacks of {len(tried)} kinds"
    )


def test_no_untouched_tenant_has_a_fault() -> None:
    """The index is late by up to an hour, runs end early or write many manifests, and tables are restored."""
    key, manifests, split = SigningKey(), 0, 0
    for number in range(scale.of(short=60, full=2_000)):
        for past in ("", "an erasure", "a restore"):
            report = SealedTenant(Random(number), "acme", key, past=past).report()
            assert report.faults == [], (number, past)
            assert (len(report.erasures), len(report.restores)) == (past == "an erasure", past == "a restore")
            manifests, split = manifests + report.manifests, split + report.manifests - len(report.ends)
    assert split > manifests / 10


def test_the_fault_names_the_incident_and_the_change(tenant: SealedTenant) -> None:
    line = json.loads(tenant.lines()[0])
    line["changes"][0]["by"], first = "mallory", tenant.ids()[0]
    lines = [json.dumps(line).encode(), *tenant.lines()[1:]]
    report = verify_history.check("acme", {tenant.key.fingerprint}, b"".join(tenant.files).splitlines(), lines)

    assert "do not fit the tenant" in report.faults[0]
    assert report.faults[1:] == [
        f"{first}: change 1 differs from its hash",
        f"{first}: its values do not lead back to the values after change 1",
    ]


def test_a_manifest_with_an_erasure_allows_that_earlier_incidents_are_gone(tenant: SealedTenant) -> None:
    gone = deepcopy(tenant)
    gone.erase()
    gone.export()
    report = gone.report()

    assert (report.faults, report.until, len(report.erasures)) == ([], tenant.report().until, 1)
    assert json.loads(gone.files[-1].splitlines()[0])["entries"] == [], "the index still shows the erased incidents"


def test_an_index_that_is_late_after_the_seal_of_an_erasure_is_a_fault_until_the_next_erasure() -> None:
    """The command that seals an erasure waits for the index. Otherwise, this fault would be usual."""
    tenant = SealedTenant(Random(1), "acme", SigningKey())
    erased, late = tenant.ids(), deepcopy(tenant._index)
    tenant.erase()
    tenant._index = late
    tenant.seal(at_once=manifests.ENTRIES)
    tenant.export()
    sealed = {entry[0] for entry in json.loads(tenant.files[-1].splitlines()[0])["entries"]}
    assert sealed <= {*erased}
    assert tenant.faults() == [f"{each}: the export does not have it" for each in sorted(sealed)] != []

    tenant.erase()
    assert tenant.faults() == []


@pytest.mark.parametrize("hours", [1, 3, 24])
def test_incidents_that_were_created_before_an_erasure_was_sealed_have_no_faults(hours: int) -> None:
    tenant = SealedTenant(Random(1), "acme", SigningKey())
    tenant._stored, tenant.entries, tenant._index, erased = {}, {}, {}, tenant.now  # the erasure itself
    tenant.now += 60_000
    tenant._create()
    for _ in range(hours):
        tenant.now += HOUR
        tenant.seal(at_once=manifests.ENTRIES)
    tenant.seal_erasure(erased)
    for _ in range(2):
        tenant.now += 2 * HOUR
        tenant.seal(at_once=manifests.ENTRIES)
    tenant.export()

    assert tenant.report().faults == []


@pytest.mark.parametrize("is_again", [False, True], ids=["sealed late", "sealed again"])
@pytest.mark.parametrize("seed", range(10))
def test_an_erasure_does_not_explain_that_a_later_incident_is_gone(seed: int, is_again: bool) -> None:
    tenant = SealedTenant(Random(seed), "acme", SigningKey())
    erased = tenant.now
    if is_again:
        tenant.erase()
    tenant._stored, tenant._index = {}, {}
    tenant.now = erased + 1
    tenant._create()
    tenant.now += HOUR
    tenant.seal(at_once=manifests.ENTRIES)
    (removed,) = tenant.ids()
    tenant._stored, tenant._index = {}, {}  # somebody removes the incident before the seal of the erasure
    tenant.seal_erasure(erased)
    tenant.now += HOUR
    tenant.seal()
    tenant.export()

    assert tenant.faults() == [f"{removed}: the export does not have it"]
    tenant.seal_erasure(erased + 1)
    assert tenant.faults() == []


@pytest.mark.parametrize("seed", range(10))
def test_an_invented_incident_of_the_past_is_a_fault(seed: int) -> None:
    """Somebody with the table's credentials adds an incident today, and claims that it was created long ago."""
    tenant = SealedTenant(Random(seed), "acme", SigningKey())
    for claimed, real in (("created_at", False), ("created_by", False), ("id", False), ("id", True)):
        forged = deepcopy(tenant)
        if real:
            forged.seal_erasure(forged.now)  # of a tenant whose incidents are gone
            forged.documents = []
        document = deepcopy(tenant.documents[-1])
        old = f"inc_{ULID.from_int((START - 1000 * HOUR) << 80)}"
        document["incident"][claimed] = {"created_at": "2026-01-01T00:00:00.000Z", "created_by": "ceo", "id": old}[
            claimed
        ]
        computed_anew("acme", document)
        forged.documents = sorted([*forged.documents[:-1], document], key=lambda line: line["incident"]["id"])
        faults = " ".join(forged.faults())
        assert "do not fit the tenant" in faults, claimed
        assert ("is older than an erasure" in faults) is real


@pytest.mark.parametrize("is_invented", [False, True], ids=["the same", "invented"])
@pytest.mark.parametrize("seed", range(10))
def test_an_erased_incident_that_is_there_again_is_a_fault(seed: int, is_invented: bool) -> None:
    tenant = SealedTenant(Random(seed), "acme", SigningKey())
    again = tenant.ids()
    documents = [deepcopy(document) for document in tenant.documents]
    tenant.erase()
    for _ in range(2):
        tenant.now += 2 * HOUR
        tenant.seal()
    tenant.documents = documents
    if is_invented:
        for document in documents:
            document["incident"]["owner_id"] = "mallory"
            computed_anew("acme", document)

    assert {fault.partition(":")[0] for fault in tenant.faults()} == {*again}


@pytest.mark.parametrize("is_again", [False, True], ids=["sealed late", "sealed again"])
@pytest.mark.parametrize("seed", range(10))
def test_a_restore_does_not_explain_what_is_missing_from_the_new_table(seed: int, is_again: bool) -> None:
    tenant = SealedTenant(Random(seed), "acme", SigningKey())
    kept, restored_to = tenant.kept(), tenant.now
    tenant.now += HOUR
    tenant._change()
    tenant.restore(kept, restored_to, is_sealed=is_again)
    target = tenant.ids()[0]
    tenant.now += HOUR
    unchanged = deepcopy((tenant._stored, tenant._index))
    tenant.forge_change(target, tenant.now)
    tenant.seal(at_once=manifests.ENTRIES)
    tenant._stored, tenant._index = unchanged  # somebody removes the change before the seal of the restore
    tenant.seal(Record(restored_to=timestamps.from_milliseconds(restored_to)), whole=True)
    tenant.export()

    assert {fault.partition(":")[0] for fault in tenant.faults()} == {target}


@pytest.mark.parametrize("skew", [0, 2_000, 50_000])
def test_a_change_just_after_the_time_of_a_restore_can_stay_without_a_fault(skew: int) -> None:
    tenant = SealedTenant(Random(3), "acme", SigningKey())
    tenant.now += HOUR
    tenant.seal(at_once=manifests.ENTRIES)
    target, restored_to = tenant.ids()[0], tenant.now
    tenant.forge_change(target, restored_to + skew)  # the clock of the function was ahead
    kept = tenant.kept()
    tenant.forge_change(target, restored_to + 55_000)  # the restore takes it away
    tenant.now = restored_to + 2 * HOUR
    tenant.seal(at_once=manifests.ENTRIES)
    tenant.restore(kept, restored_to)
    for _ in range(2):
        tenant.now += 2 * HOUR
        tenant.seal(at_once=manifests.ENTRIES)
    tenant.export()

    assert tenant.report().faults == []


def test_a_restore_explains_only_what_it_took_away() -> None:
    tenant = SealedTenant(Random(1), "acme", SigningKey())
    kept, at = deepcopy(tenant.kept()), tenant.now
    tenant.now += HOUR
    lost = random_id(tenant)
    tenant.forge_change(lost, tenant.now)
    tenant.forge_incident(tenant.now)
    created = tenant.ids()[-1]
    tenant.now += HOUR
    tenant.seal()
    tenant.now += 3 * HOUR
    unexplained = deepcopy(tenant)
    unexplained.restore(deepcopy(kept), at, is_sealed=False)
    unexplained.export()
    assert {fault.partition(":")[0] for fault in unexplained.faults()} == {lost, created}

    tenant.restore(deepcopy(kept), at)
    tenant.export()
    report = tenant.report()
    assert (report.faults, report.lost) == ([], {lost, created})
    assert [time for _, time, _ in report.restores] == [timestamps.from_milliseconds(at)]

    tenant.now += 3 * HOUR
    tenant.restore(deepcopy(kept), tenant.now - HOUR, is_sealed=False)
    tenant.export()
    assert tenant.faults(), "an earlier restore does not explain that later changes are gone"


def test_a_restore_does_not_explain_what_somebody_altered_before_its_seal() -> None:
    tenant = SealedTenant(Random(1), "acme", SigningKey())
    tenant.now += HOUR
    tenant.seal()
    target, old = tenant.ids()[:2]
    tenant.now += HOUR
    forked = deepcopy(tenant)
    tenant.forge_change(target, tenant.now - 1)
    tenant.seal()
    unaltered, at = tenant.kept(), tenant.now
    forked.forge_change(target, tenant.now - 1)  # another change with the same time and version
    altered, removed, backdated = forked.kept(), tenant.kept(), deepcopy(tenant)
    del removed[old]
    tenant.now += HOUR
    backdated.forge_change(target, tenant.now - 1)
    tenant.forge_change(target, tenant.now)
    tenant.now += HOUR
    tenant.seal()  # so a manifest has another change in place of the backdated change
    tenant.now += 2 * HOUR
    tenant.seal()

    faults = {}
    for name, kept in {
        "unaltered": unaltered, "altered": altered, "removed": removed, "backdated": backdated.kept()
    }.items():  # fmt: skip
        restored = deepcopy(tenant)
        restored.restore(kept, at)
        restored.export()
        faults[name] = [fault.partition(" of ")[0] for fault in restored.faults()]
    assert faults.pop("unaltered") == []
    assert faults.pop("removed") == [f"{old}: the export does not have it"]
    version = json.loads(tenant.files[-2].splitlines()[0])["entries"]
    version = next(entry[1] for entry in version if entry[0] == target)
    assert faults.pop("altered") == [f"{target}: a manifest has another change {version - 1}"]
    assert faults.pop("backdated") == [f"{target}: change {version}"]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("later", ["", "a whole seal", "the same restore", "another restore"])
def test_a_change_that_is_invented_after_the_seal_of_a_restore_is_a_fault(seed: int, later: str) -> None:
    tenant = SealedTenant(Random(seed), "acme", SigningKey(), past="a restore")
    report = tenant.report()
    ((_, restored_to, _),) = report.restores
    at = timestamps.to_milliseconds(restored_to)
    for target in sorted(report.lost & {*tenant.ids()}):
        last = tenant.last_change(target)
        for invented in (last, (last + at) // 2, at - 1, at + 30_000, at + 59_000) if last < at else ():
            forged = deepcopy(tenant)
            forged.forge_change(target, invented)
            forged.now += HOUR
            if later == "a whole seal":
                forged.seal(whole=True)
            if later == "the same restore":
                forged.seal(Record(restored_to=restored_to), whole=True)
            if later == "another restore":
                forged.restore(forged.kept(), forged.now)
            forged.export()
            assert forged.faults(), (target, invented)


@pytest.mark.parametrize("seed", range(8))
def test_an_incident_that_is_put_back_after_the_seal_of_a_restore_is_a_fault(seed: int) -> None:
    tenant = SealedTenant(Random(seed), "acme", SigningKey())
    kept, restored_to = tenant.kept(), tenant.now
    tenant.now += 30_000
    tenant._create()
    (lost,) = {*tenant.ids()} - {*kept}
    taken = tenant._stored[lost], tenant._index[lost]
    tenant.now += HOUR
    tenant.seal()
    tenant.restore(kept, restored_to)
    for hours in (0, 1, 3):
        tenant.now += hours * HOUR
        tenant.seal(at_once=manifests.ENTRIES)
        tenant.export()
        assert tenant.faults() == []
    tenant._stored[lost], tenant._index[lost] = taken
    tenant.export()

    assert any(fault.startswith(lost) for fault in tenant.faults())


def test_a_restore_does_not_explain_an_invented_time_in_the_future() -> None:
    tenant = SealedTenant(Random(1), "acme", SigningKey())
    tenant.now += 2 * HOUR
    tenant.seal()
    target = random_id(tenant)
    tenant.forge_change(target, tenant.now + 5 * HOUR)
    tenant.now += HOUR
    tenant.seal()
    kept, at = tenant.kept(), tenant.now
    tenant.now += 7 * HOUR
    tenant.export()
    before = tenant.faults()
    tenant.restore(kept, at)
    tenant.now += 2 * HOUR
    tenant.seal(at_once=manifests.ENTRIES)
    tenant.export()

    assert [fault for fault in before if fault.startswith(f"{target}: change ")]
    assert [fault for fault in tenant.faults() if fault.startswith(f"{target}: change ")]


def end_early(tenant: SealedTenant, record: Record = manifests.NOTHING, *, at_once: int) -> None:
    """Run the job's code, and end it after the first manifest."""
    tenant._left = 2
    with pytest.raises(Overtaken):
        tenant.seal(record, whole=record != manifests.NOTHING, at_once=at_once)


def test_a_seal_of_a_restore_that_ended_early_is_no_fault() -> None:
    tenant = SealedTenant(Random(1), "acme", SigningKey())
    kept, at = tenant.kept(), tenant.now
    tenant.now += 3 * HOUR
    tenant.forge_change(random_id(tenant), tenant.now)
    tenant.now += HOUR
    tenant.seal(at_once=manifests.ENTRIES)
    tenant.restore(kept, at, is_sealed=False)
    end_early(tenant, Record(restored_to=timestamps.from_milliseconds(at)), at_once=2)
    tenant.export()

    assert (tenant.faults(), len(tenant.report().lost)) == ([], 1)


def test_a_run_on_the_old_table_that_ended_early_hides_no_change_invented_after_a_restore() -> None:
    tenant = SealedTenant(Random(1), "acme", SigningKey())
    tenant.now += 3 * HOUR
    tenant.seal(at_once=manifests.ENTRIES)
    tenant.now += 2 * HOUR
    kept, at, target = tenant.kept(), tenant.now, random_id(tenant)
    tenant.forge_change(target, at + 60_000)
    tenant.now += HOUR
    end_early(tenant, at_once=1)
    tenant._stored, tenant._table = kept, "restored"
    tenant._index = {each: [(0, stored.item)] for each, (_, stored, _) in kept.items()}
    tenant.now += 2 * HOUR
    tenant.seal(Record(restored_to=timestamps.from_milliseconds(at)), whole=True)
    tenant.export()
    assert (tenant.faults(), tenant.report().lost) == ([], {target})
    tenant.forge_change(target, at + 30_000)
    tenant.export()

    invented = len(tenant._stored[target][2])
    assert [fault.partition(" of ")[0] for fault in tenant.faults()] == [f"{target}: change {invented}"]


def random_id(tenant: SealedTenant) -> str:
    return Random(1).choice(tenant.ids())


def test_an_entry_of_another_form_is_the_only_fault_and_the_next_manifests_follow() -> None:
    tenant = SealedTenant(Random(2), "acme", SigningKey())
    content = json.loads(tenant.files[-1].splitlines()[0])
    wrong, *right = content["entries"]
    content["entries"] = [[wrong[0], wrong[1], "damaged"], *right]
    tenant.replace_last(content)
    tenant.now += 2 * HOUR
    tenant.seal()
    tenant.export()

    (fault, *of_the_incident) = tenant.faults()
    assert fault.startswith(f"manifest {content['number']}: has an entry of another form")
    assert {one.partition(":")[0] for one in of_the_incident} <= {wrong[0]}


def test_an_object_that_is_not_a_manifest_is_one_fault(tenant: SealedTenant) -> None:
    for junk in (b"\n\n", b"junk\n{}\n", b'{"a":1}\n{"public_key":1}\n', b"[" * 100_000 + b"\n\n", b"\xff\n\n"):
        for place in (0, 3, len(tenant.files)):
            forged = deepcopy(tenant)
            forged.files.insert(place, junk)
            (fault,) = forged.faults()
            assert fault.startswith(f"manifest {place + 1}: "), fault


@pytest.mark.parametrize(
    ("number", "error"),
    [("1e999999", "Overflow"), ("1e-999999", "Inexact"), (f"0.{'1' * 10**6}", "Inexact"), (f"1e{10**30}", "Overflow"),
     (f"{'1' * 10**6}.5", "Overflow"), ("1" * 10**6, "ValueError"), ("1250000.5" + "0" * 30 + "1", "Inexact")],
)  # fmt: skip
def test_a_number_that_is_longer_than_any_stored_number_is_a_fault(
    number: str, error: str, tenant: SealedTenant
) -> None:
    """Without this limit, 450 KB with thousands of such amounts take 15 seconds."""
    line = json.loads(tenant.lines()[0])
    line["changes"][-1]["changes"]["financial_impact"] = {"from": "number", "to": None}
    text = json.dumps(line).replace('"number"', number)
    report = verify_history.check(
        "acme", {tenant.key.fingerprint}, b"".join(tenant.files).splitlines(), [text.encode(), *tenant.lines()[1:]]
    )

    (unreadable, gone) = report.faults
    assert unreadable.startswith(f"line 1 of the export: it cannot be read ({error}: ")
    assert len(unreadable) < 300
    assert gone == f"{line['incident']['id']}: the export does not have it"


def test_the_longest_numbers_that_the_service_stores_are_read() -> None:
    amount = model.IMPACT_MAX - Decimal(1).scaleb(-model.IMPACT_DECIMALS)
    whole = -(2**1024 - 1)
    text = f"[{amount},{sys.float_info.max!r},{-sys.float_info.min!r},5e-324,{whole}]"
    read = verify_history.read_json(text.encode())
    assert read == json.loads(text, parse_float=Decimal)
    assert read[0] == Decimal("999999999999999.9999")


@pytest.mark.parametrize("write", [
    str.upper, lambda key: ":".join(key[at : at + 2] for at in range(0, 64, 2)).upper(), lambda key: f" {key}\n",
    lambda key: " ".join(key[at : at + 8] for at in range(0, 64, 8)),
])  # fmt: skip
def test_a_fingerprint_may_have_capital_letters_colons_and_blanks(
    write: Callable[[str], str], tenant: SealedTenant
) -> None:
    assert tenant.report(keys={write(tenant.key.fingerprint)}).faults == []
    assert tenant.report(keys={write(tenant.key.fingerprint)[:-3]}).faults


def test_a_manifest_of_another_tenant_and_of_another_format_are_told_apart(tenant: SealedTenant) -> None:
    content = json.loads(tenant.files[-1].splitlines()[0])
    told = []
    for members in ({"tenant_id": "globex"}, {"format": 2}):
        forged = deepcopy(tenant)
        forged.replace_last(content | members)
        told += [fault for fault in forged.faults() if fault.startswith("manifest ")]
    name = f"manifest {len(tenant.files)}"
    assert told == [f"{name}: belongs to the tenant 'globex'", f"{name}: has another format"]


def test_a_seal_that_comes_late_is_named() -> None:
    """Nobody can tell a late seal from a change with an invented time, if the tenant had no manifest in between."""
    tenant = SealedTenant(Random(3), "acme", SigningKey())
    tenant.now += 3 * HOUR
    tenant.seal()
    target, at = tenant.ids()[0], tenant.now - HOUR // 2
    tenant.now += 30 * HOUR
    tenant.forge_change(target, at)
    tenant.seal()
    tenant.export()
    report = tenant.report()

    assert report.faults == []
    (late,) = report.late
    assert late.startswith(f"{target}: change ")
    assert late.endswith(f" of {timestamps.from_milliseconds(at)}")


def test_the_next_manifest_contains_the_hash_that_the_report_names(tenant: SealedTenant) -> None:
    named = tenant.report().newest.split()[-1]
    later = deepcopy(tenant)
    later.seal()
    assert named.encode() in later.files[-1]
    assert later.report().newest != tenant.report().newest


def test_the_program_needs_no_other_module_of_the_service(tenant: SealedTenant, tmp_path: Path) -> None:
    (tmp_path / "verify_history.py").write_bytes(VERIFIER.read_bytes())
    (tmp_path / "manifests.jsonl").write_bytes(b"".join(tenant.files))
    (tmp_path / "export.jsonl").write_bytes(b"\n".join(tenant.lines()))
    program = [sys.executable, "-I", "verify_history.py", "--tenant", "acme", "--key", tenant.key.fingerprint]

    told = subprocess.run([*program[:3], "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "")
    good = subprocess.run([*program, "manifests.jsonl", "export.jsonl"], cwd=tmp_path, capture_output=True, text=True)
    (tmp_path / "export.jsonl").write_bytes(b"\n".join(tenant.lines()[1:]))
    bad = subprocess.run([*program, "manifests.jsonl", "export.jsonl"], cwd=tmp_path, capture_output=True, text=True)

    assert (good.returncode, good.stderr) == (0, "")
    unhashed = sum(any("hash" not in each for each in document["changes"]) for document in tenant.documents)
    assert f"without a hash: {unhashed};" in good.stdout
    assert f"{len(tenant.documents)} incidents, {len(tenant.files)} manifests" in good.stdout
    assert (bad.returncode, bad.stderr) == (1, "1 faults\n")
    gone = tenant.documents[0]["incident"]["id"]
    assert bad.stdout.startswith(f"FAULT  {gone}: the export does not have it\n")


def test_the_verifier_has_at_most_200_lines_and_one_dependency() -> None:
    text = VERIFIER.read_text()
    imported = {
        line.split()[1].partition(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))
    }

    assert len(text.splitlines()) <= 200
    assert imported - sys.stdlib_module_names == {"cryptography"}
