"""Attacks the histories of random tenants, and the proofs of these histories. The verifier must find each attack."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from incidents_cli.operate.history import verify_history

from tests.support import scale
from tests.support.sealed import SealedTenant, SigningKey, attacked, damaged, timed

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
            assert (report.faults, report.late) == ([], []), (number, past)
            assert (report.erasures, len(report.restores)) == (past == "an erasure", past == "a restore")
            manifests, split = manifests + report.manifests, split + report.manifests - len(report.ends)
    assert split > manifests / 10


def test_the_fault_names_the_incident_and_the_change(tenant: SealedTenant) -> None:
    line = json.loads(tenant.lines()[0])
    line["changes"][0]["by"] = "mallory"
    lines = [json.dumps(line).encode(), *tenant.lines()[1:]]
    report = verify_history.check("acme", {tenant.key.fingerprint}, b"".join(tenant.files).splitlines(), lines)

    assert report.faults == [
        "inc_00000000000000000000000000: change 1 differs from its hash",
        "inc_00000000000000000000000000: its values do not lead back to the values after change 1",
    ]


def test_a_manifest_with_an_erasure_allows_that_earlier_incidents_are_gone(tenant: SealedTenant) -> None:
    from incidents.domain import manifests  # the other tests need only the verifier

    end = manifests.position(manifests.without_signature(tenant.files[-1]))
    record = manifests.Record(erasure="0" * 64)
    erased = manifests.dump("acme", "table", end, manifests.Window(end.to, end.to, more=True), {}, record)
    files = [*tenant.files, tenant.key.sign(erased)]
    report = verify_history.check("acme", {tenant.key.fingerprint}, b"".join(files).splitlines(), [])

    assert (report.faults, report.until, report.erasures) == ([], end.to, 1)


def test_the_program_needs_no_other_module_of_the_service(tenant: SealedTenant, tmp_path: Path) -> None:
    (tmp_path / "verify_history.py").write_bytes(VERIFIER.read_bytes())
    (tmp_path / "manifests.jsonl").write_bytes(b"".join(tenant.files))
    (tmp_path / "export.jsonl").write_bytes(b"\n".join(tenant.lines()))
    program = [sys.executable, "-I", "verify_history.py", "--tenant", "acme", "--key", tenant.key.fingerprint]

    good = subprocess.run([*program, "manifests.jsonl", "export.jsonl"], cwd=tmp_path, capture_output=True, text=True)
    (tmp_path / "export.jsonl").write_bytes(b"\n".join(tenant.lines()[1:]))
    bad = subprocess.run([*program, "manifests.jsonl", "export.jsonl"], cwd=tmp_path, capture_output=True, text=True)

    assert (good.returncode, good.stderr) == (0, "")
    unhashed = sum("hash" not in document["changes"][-1] for document in tenant.documents)
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
