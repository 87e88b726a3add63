"""Tests that a tenant can leave the local stack and return while the jobs run.

The tenant is verified, exported, erased and imported.
"""

import csv
import json
import random
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.support import scale
from tests.support.checkout import Caller, Checkout

ROWS = scale.of(short=60, full=10_000)
# Of every 12 incidents, one is changed, one is closed, one is deleted, and one belongs to an application.
EVERY = 12
PERSONS_ROWS = ROWS - ROWS // EVERY

STAMPED = {"id", "created_at", "updated_at", "version", "deleted_at"}
"""Fields that an import cannot restore. All other fields stay the same, such as people, applications and numbers."""


def rows(file: Path, first: int, last: int) -> None:
    """Write an import file. Each field that a create may have is set in some rows and missing in others."""
    chance = random.Random(20261123)
    with file.open("w", encoding="utf-8") as lines:
        for n in range(first, last):
            day, month = 1 + n % 28, 1 + n % 10
            row: dict[str, Any] = {
                "title": f'Number {n}: ä "quoted"',
                "severity": chance.choice(["critical", "low"]),
            }
            if n % 2:
                row |= {"detected_at": f"2025-{month:02d}-{day:02d}T08:00:00+02:00", "tags": ["old", f"t{n % 5}"]}
                row |= {"occurred_at": f"2025-{month:02d}-{day:02d}T05:30:00Z", "financial_impact": n / 4}
            if n % 4 == 1:
                row |= {"status": "closed", "closed_at": f"2025-{month:02d}-{day:02d}T23:00:00Z"}
            if n % 3 == 0:
                row |= {"lessons_learned": {"n": [n, None, 0.5]}, "commander_ids": ["b", "a"]}
            if n % 3 == 0 or n >= PERSONS_ROWS:  # an application cannot import a number that the service assigned
                row |= {"incident_number": f"IR {n}"}
            if n % 5 == 0:
                row |= {
                    "description": "two\nlines\u2028" * (n % 40),
                    "category": "phishing",
                    "owner_id": f"user-{n % 7}",
                }
            if n % 6 == 0:
                row |= {"mttd_minutes": n, "source": "aws.guardduty", "source_type": "system"}
            lines.write(json.dumps(row) + "\n")


def live(caller: Caller) -> None:
    """Change, close and delete some of a tenant's incidents."""
    page: dict[str, str] = {"limit": "100"}
    n = 0
    while True:
        answer = caller.get(params=page).json()
        for incident in answer["items"]:
            n += 1
            if n % EVERY == 1:
                changed = {"root_cause": "a person", "mttd_minutes": None, "tags": None, "status": "investigating"}
                assert caller.patch(f"/{incident['id']}", changed).status_code == 200
            elif n % EVERY == 2:
                assert caller.patch(f"/{incident['id']}", {"status": "closed"}).status_code == 200
            elif n % EVERY == 3:
                assert caller.delete(f"/{incident['id']}").status_code == 204
        if answer["next_cursor"] is None:
            return
        page["cursor"] = answer["next_cursor"]


def exported(stack: Checkout, file: Path, tenant: str) -> list[dict[str, Any]]:
    digest = stack.answer("tenant", "export", str(file), "--tenant", tenant).split()[0]
    assert digest == sha256(file.read_bytes()).hexdigest()
    with file.open(
        encoding="utf-8"
    ) as lines:  # a description may contain a line separator that JSON Lines does not use
        return [json.loads(line) for line in lines]


def documents(lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return each incident by its number, without the fields that the API sets.

    ``deleted_at`` is kept, but only as true or false.
    """
    return {
        one["incident"]["incident_number"]: {
            name: value is not None if name == "deleted_at" else value
            for name, value in one["incident"].items()
            if name == "deleted_at" or name not in STAMPED
        }
        for one in lines
    }


def the_history_is_proved(stack: Checkout, pack: Path) -> None:
    """Seal the history, and check an auditor's pack with its own program. A removed incident must be found."""
    stack.answer("history", "seal", "--tenant", "leaving", "--whole")
    period = ("--from", "2025-01-01", "--to", "2099-12-31", "--sample", "5", "--seed", "x")
    key = stack.answer("audit", "pack", "--tenant", "leaving", *period, "--folder", str(pack)).strip()
    with (pack / "population.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == ROWS
    with (pack / "contents.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            assert sha256((pack / row["file"]).read_bytes()).hexdigest() == row["sha256"]
    assert len((pack / "sample.jsonl").read_bytes().splitlines()) == 5
    program = [sys.executable, "-I", "verify_history.py", "--tenant", "leaving", "--key", key, "manifests.jsonl"]
    assert subprocess.run([*program, "export.jsonl"], cwd=pack, check=False).returncode == 0
    lines = (pack / "export.jsonl").read_bytes().splitlines(keepends=True)
    (pack / "cut.jsonl").write_bytes(b"".join(lines[1:]))
    assert subprocess.run([*program, "cut.jsonl"], cwd=pack, check=False).returncode == 1


def test_a_tenant_leaves_and_returns_with_equal_incidents(stack: Checkout, tmp_path: Path) -> None:
    of, proof = ("--tenant", "leaving"), tmp_path / "proof.json"
    check = ("verify", *of, "--checkpoint", str(tmp_path / "checkpoint"))
    person, app = tmp_path / "person.jsonl", tmp_path / "app.jsonl"
    rows(person, 0, PERSONS_ROWS)
    rows(app, PERSONS_ROWS, ROWS)
    stack.answer("import", str(person), *of)
    stack.answer("import", str(app), *of, "--app", "scanner")
    caller = stack.caller(stack.token("leaving"))
    live(caller)

    assert stack.answer(*check) == ""
    the_history_is_proved(stack, tmp_path / "pack")
    before = exported(stack, tmp_path / "out.jsonl", "leaving")
    assert len(before) == ROWS
    example = next(one for one in before if len(one["changes"]) > 1)
    at = f"/{example['incident']['id']}"
    assert example == {"incident": caller.get(at).json(), "changes": caller.get(f"{at}/changes").json()["items"]}

    erase = ("tenant", "erase", *of, "--proof", str(proof))
    refused = stack.run(*erase, "--yes-erase", "another")
    assert (refused.returncode, "Nothing was erased" in refused.stderr) == (1, True)
    stack.answer(*erase, "--yes-erase", "leaving", "--quiet-seconds", "5")

    told = json.loads(proof.read_text())
    assert {kind: told["items"][kind] for kind in ("INCIDENT", "CHANGE", "NUMBER")} == {
        "INCIDENT": ROWS, "CHANGE": sum(len(one["changes"]) for one in before), "NUMBER": ROWS,
    }  # fmt: skip
    assert told["items"]["MARK"] > 0, "the stream must have marked the erased days"
    assert set(told["remaining"].values()) == {0}
    assert caller.get(params={"include_deleted": "true"}).json()["items"] == []
    assert caller.get(at).status_code == 404
    stack.answer("history", "seal", *of, "--erasure", str(proof))
    assert stack.answer("history", "verify", *of) == ""

    stack.answer("import", str(tmp_path / "out.jsonl"), *of, "--other-apps", "skip")
    stack.answer("import", str(tmp_path / "out.jsonl"), *of, "--other-apps", "skip", "--app", "scanner")
    after = exported(stack, tmp_path / "again.jsonl", "leaving")
    assert documents(after) == documents(before)
    assert len(after) == len(before)
    assert {one["incident"]["id"] for one in after}.isdisjoint(one["incident"]["id"] for one in before)
    assert stack.answer(*check) == ""
