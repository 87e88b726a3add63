"""Attacks the histories of random tenants, and the proofs of these histories. The verifier must find each attack."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from incidents_cli.operate.history import verify_history

from tests.support import scale
from tests.support.sealed import SealedTenant, SigningKey, attacked, damaged

TENANTS = scale.of(short=4, full=200)
VERIFIER = Path(verify_history.__file__)


@pytest.fixture(scope="module")
def tenant() -> SealedTenant:
    return SealedTenant(Random(1), "acme", SigningKey())


def test_each_attack_on_each_tenant_is_found() -> None:
    key, tried = SigningKey(), set()
    for number in range(TENANTS):
        random = Random(number)
        tenant, other = SealedTenant(random, f"tenant-{number}", key), SealedTenant(random, "other", key)
        assert tenant.faults() == []
        for attacks in (damaged(random, tenant), attacked(random, tenant, other)):
            for name, forged in attacks:
                tried.add(name)
                assert forged.faults(), (number, name)

    assert len(tried) == 30 + 14 + 10 + 13


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
    erased = manifests.dump("acme", "table", end, manifests.Window(end.to, end.to), {}, erasure="0" * 64)
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
    assert bad.stdout.startswith(f"FAULT  {gone}: the export does not have it, but a manifest does\n")


def test_the_verifier_has_at_most_200_lines_and_one_dependency() -> None:
    text = VERIFIER.read_text()
    imported = {
        line.split()[1].partition(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))
    }

    assert len(text.splitlines()) <= 200
    assert imported - sys.stdlib_module_names == {"cryptography"}
