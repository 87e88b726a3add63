"""A tenant that leaves the local stack: verified, exported, erased, while its stream and its schedule run."""

import json
from hashlib import sha256
from pathlib import Path

from tests.support.checkout import Checkout


def test_a_tenant_leaves(stack: Checkout, tmp_path: Path) -> None:
    caller = stack.caller(stack.token("leaving"))
    made = [
        caller.post(json={"title": f"incident {n}", "detected_at": f"2026-11-0{n}T00:00:00Z"}).json() for n in (1, 2, 3)
    ]
    assert caller.patch(f"/{made[0]['id']}", {"status": "closed"}).status_code == 200
    assert caller.delete(f"/{made[1]['id']}").status_code == 204
    file, proof, kept = (str(tmp_path / name) for name in ("out.jsonl", "proof.json", "checkpoint"))
    of = ("--tenant", "leaving")

    assert stack.answer("verify", *of, "--checkpoint", kept) == ""
    assert stack.answer("tenant", "export", file, *of).split()[0] == sha256(Path(file).read_bytes()).hexdigest()
    exported = [json.loads(line) for line in Path(file).read_text().splitlines()]
    assert [line["incident"] for line in exported] == [caller.get(f"/{one['id']}").json() for one in made]
    assert [line["changes"] for line in exported] == [
        caller.get(f"/{one['id']}/changes").json()["items"] for one in made
    ]

    refused = stack.run("tenant", "erase", *of, "--proof", proof, "--yes-erase", "another")
    assert (refused.returncode, "nothing was erased" in refused.stderr) == (1, True)
    stack.answer("tenant", "erase", *of, "--proof", proof, "--yes-erase", "leaving", "--quiet-seconds", "5")

    told = json.loads(Path(proof).read_text())
    assert {kind: told["items"][kind] for kind in ("INCIDENT", "CHANGE", "NUMBER")} == {
        "INCIDENT": 3, "CHANGE": 5, "NUMBER": 3,
    }  # fmt: skip
    assert told["items"]["MARK"] > 0, "the stream told of them"
    assert set(told["remaining"].values()) == {0}
    assert caller.get(params={"include_deleted": "true"}).json()["items"] == []
    assert caller.get(f"/{made[0]['id']}").status_code == 404
