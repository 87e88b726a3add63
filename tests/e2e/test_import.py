"""Tests of `incidents import` on the local stack.

The imports are interrupted, are repeated, have bad rows, and read another tenant's export.
"""

import csv
import json
import random
import re
import signal
import subprocess
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support import scale
from tests.support.checkout import Caller, Checkout
from tests.support.disks import room_for
from tests.support.drawn import UNKNOWN_ID
from tests.support.imports import counts, cut_off, recorded

ROWS = scale.of(short=160, full=5_000)
UNNUMBERED, BAD = 7, 20  # one in 7 rows has no number, and one in 20 is bad
HEADER = ["incident_number", "title", "severity", "status", "detected_at", "closed_at", "tags", "financial_impact"]


def everything(caller: Caller) -> list[dict[str, Any]]:
    """Return all incidents that the caller may read, oldest first, including deleted incidents."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = caller.get(params={"limit": "100", "order": "asc", "include_deleted": "true", **cursor})
        if answer.status_code == 503:  # the stack is still busy with the import
            time.sleep(1)
            continue
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def history(file: Path) -> tuple[list[str], set[str]]:
    """Write a CSV file of incidents in random order.

    Return the numbers of the good rows and the titles of the bad rows.
    """
    chance = random.Random(20261123)
    counted = list(range(1, ROWS + 1))
    chance.shuffle(counted)
    numbers, bad = [], set()
    with file.open("w", newline="", encoding="utf-8") as text:
        table = csv.writer(text)
        table.writerow(HEADER)
        for n in counted:
            number = "" if n % UNNUMBERED == 0 else f"INC-2026-{n:06d}"
            closed = "2025-03-02T11:30:00+01:00" if n % 3 == 0 else ""
            severity = chance.choice(["critical", "high", "low"])
            # The row with the highest number is never bad, because the service may generate the number of a bad row.
            if n % BAD == BAD // 2:
                severity = "dire"
                bad.add(f"Number {n}")
            elif number:
                numbers.append(number)
            status = "closed" if closed else "review"
            table.writerow(
                [number, f"Number {n}", severity, status, "2025-03-01T09:00:00Z", closed, "old; paper", f"{n}.10"]
            )
    return numbers, bad


def test_an_import_continues_after_two_interruptions_and_another_one_changes_nothing(
    stack: Checkout, tmp_path: Path
) -> None:
    file = tmp_path / "history.csv"
    numbers, bad = history(file)
    caller = stack.caller(stack.token("import-history"))
    arguments = [str(file), "--tenant", "import-history"]

    assert cut_off(stack, arguments, ROWS // 5, signal.SIGKILL, partial(recorded, file)).code == -signal.SIGKILL
    assert cut_off(stack, arguments, ROWS // 2, signal.SIGINT, partial(recorded, file)).code == 130
    third = stack.run("import", *arguments)

    assert third.returncode == 1, "some rows are bad, so the import must fail"
    assert "are not sent again" in third.stderr
    assert counts(third)["created"] < ROWS * 0.6
    assert sum(counts(third).values()) == ROWS
    stored = everything(caller)
    titles = Counter(incident["title"] for incident in stored)
    assert set(titles) == {f"Number {n}" for n in range(1, ROWS + 1)} - bad, "no row is lost"
    assert set(titles.values()) == {1}, "no row is duplicated"
    by_number = {incident["incident_number"]: incident for incident in stored}
    assert set(numbers) < set(by_number)
    drawn = [int(number.removeprefix("INC-2026-")) for number in set(by_number) - set(numbers)]
    highest = max(int(number.removeprefix("INC-2026-")) for number in numbers)
    assert len(drawn) == len(stored) - len(numbers)
    assert min(drawn) > highest, "a generated number must not be the number of a later row"
    example = by_number["INC-2026-000003"]
    assert {name: example[name] for name in ("status", "closed_at", "mttr_minutes", "tags", "financial_impact")} == {
        "status": "closed", "closed_at": "2025-03-02T10:30:00.000Z", "mttr_minutes": 1530, "tags": ["old", "paper"],
        "financial_impact": 3.1,
    }  # fmt: skip

    _mended(stack, tmp_path, bad)
    _again(stack, arguments, tmp_path, caller)
    made = caller.post(json={"title": "the next one"}).json()["incident_number"]
    assert int(made.removeprefix("INC-2026-")) > max(drawn), "the counter must be above all generated numbers"


def _mended(stack: Checkout, folder: Path, bad: set[str]) -> None:
    errors = folder / "history.csv.errors.jsonl"
    told = [json.loads(line) for line in errors.read_text().splitlines()]
    assert {one["cells"]["title"] for one in told} == bad
    assert {error["pointer"] for one in told for error in one["errors"]} == {"/severity"}
    lines = (folder / "history.csv").read_text().splitlines()
    assert all(lines[one["line"] - 1].split(",")[1] == one["cells"]["title"] for one in told)

    errors.write_text(errors.read_text().replace("dire", "low"))
    done = stack.run("import", str(errors), "--tenant", "import-history")
    assert (done.returncode, counts(done)) == (0, {"created": len(bad), "already there": 0, "failed": 0})


def _again(stack: Checkout, arguments: list[str], folder: Path, caller: Caller) -> None:
    """Import the file again, first with the progress record next to the file and then without this record.

    Without the record, the import relies on the idempotency keys.
    """
    before = everything(caller)
    good = len(before) - ROWS // BAD
    second = stack.run("import", *arguments)
    assert counts(second) == {"created": 0, "already there": good, "failed": ROWS // BAD}
    (folder / "history.csv.progress").unlink()
    third = stack.run("import", *arguments, "--concurrency", "3")
    assert counts(third) == counts(second)
    assert everything(caller) == before


def test_an_import_continues_after_a_full_disk(stack: Checkout, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("title\n" + "".join(f"Number {n}\n" for n in range(120)))
    arguments = ["import", str(file), "--tenant", "import-full"]

    # The limit leaves enough space for the import's record without any rows. It also applies to the
    # processes that the test starts.
    with room_for(12 * 1024):
        stopped = stack.run(*arguments)
    assert (stopped.returncode, stopped.stdout) == (1, "")
    told = "".join(stopped.stderr.split())  # the console may break lines anywhere, so compare without spaces
    assert "rows.csv.progresscannotbewritten." in told
    assert "Traceback" not in stopped.stderr
    made = everything(stack.caller(stack.token("import-full")))
    assert made

    again = stack.run(*arguments)
    assert again.returncode == 0, again.stderr
    assert sum(counts(again).values()) == 120
    titles = Counter(incident["title"] for incident in everything(stack.caller(stack.token("import-full"))))
    assert titles == {f"Number {n}": 1 for n in range(120)}


# --- the import of another tenant's export


DIFFERENT = {"id", "tenant_id", "created_at", "updated_at", "version", "deleted_at"}
"""Fields that an import cannot restore, because the API sets them.

The same person created both incidents, so the fields that name a person are not among them.
"""


def exported(stack: Checkout, tenant: str) -> tuple[dict[str, Any], str]:
    """Create incidents of many kinds. Return the incidents by number, and the lines of their export."""
    person, scanner = stack.caller(stack.token(tenant)), stack.caller(stack.token(tenant, app="scanner"))
    bodies: list[dict[str, Any]] = [
        {"title": "Plain"},
        {"title": "Old", "status": "closed", "occurred_at": "2024-01-01T00:00:00Z", "closed_at": "2024-01-03T00:00:00Z",
         "detected_at": "2024-01-02T00:00:00Z", "incident_number": "IR 7", "financial_impact": 10.5},
        {"title": "Minutes given", "mttd_minutes": 5, "tags": ["x;y", "[z]"], "lessons_learned": {"a": [1, 2.5, None]}},
        {"title": "Stamped", "status": "contained"},
        {"title": "ä 👩\u200d💻 \"'", "description": "two\nlines \u2028", "commander_ids": ["b", "a"],
        "source_type": "system"},
    ]  # fmt: skip
    made = [person.post(json=body).json()["id"] for body in bodies]
    person.patch(f"/{made[0]}", {"status": "closed", "root_cause": "none"})
    person.patch(f"/{made[0]}", {"status": "investigating", "closed_at": None})
    person.patch(f"/{made[2]}", {"status": "dismissed"})
    gone = person.post(json={"title": "Deleted", "severity": "low"}).json()["id"]
    assert person.delete(f"/{gone}").status_code == 204
    apps = scanner.post(json={"title": "Scanned"}).json()["id"]
    texts = [person.get(f"/{one}").text for one in (*made, gone, apps)]
    lines = "".join(f'{{"incident": {text}, "changes": []}}\n' for text in texts)
    return {one["incident_number"]: one for one in map(json.loads, texts)}, lines


def test_the_import_of_an_export_makes_the_same_incidents(
    stack: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, lines = exported(stack, "import-from")
    token, url = stack.token("import-to"), stack.status["api_url"]
    receiver = stack.caller(token)
    file = tmp_path / "export.jsonl"
    file.write_text(lines)
    arguments = ["import", str(file), "--tenant", "import-to"]

    refused = stack.run(*arguments)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "scanner: 1" in refused.stderr
    assert everything(receiver) == []

    monkeypatch.setenv("GRC_TOKEN", token)
    own = stack.run(*arguments, "--other-apps", "skip", "--url", url)
    assert counts(own) == {"created": 6, "already there": 0, "failed": 0, "left out": 1}, own.stderr
    _for_its_application(stack, [*arguments, "--other-apps", "skip", "--app", "scanner"], tmp_path)

    (of_app,) = [one for one in everything(receiver) if "app_id" in one]
    (scanned,) = [one for one in before.values() if "app_id" in one]
    assert without(of_app) | {"incident_number": scanned["incident_number"]} == without(scanned)
    after = {one["incident_number"]: one for one in everything(receiver) if "app_id" not in one}
    assert set(after) == set(before) - {scanned["incident_number"]}
    for number, incident in after.items():
        assert without(incident) == without(before[number])
        assert (incident["deleted_at"] is None) is (before[number]["deleted_at"] is None)
        etag = receiver.get(f"/{incident['id']}").headers["etag"]
        assert etag == f'"{incident["version"]}"' == ('"2"' if incident["is_deleted"] else '"1"')

    _by_its_record(stack, file, [*arguments, "--other-apps", "skip"], receiver)


def _for_its_application(stack: Checkout, arguments: list[str], folder: Path) -> None:
    """Import the application's incident.

    The API assigns a new number, because an application cannot give the old number.
    """
    errors = folder / "export.jsonl.errors.jsonl"
    refused = stack.run(*arguments)
    assert counts(refused) == {"created": 0, "already there": 0, "failed": 1, "left out": 6}
    (row,) = map(json.loads, errors.read_text().splitlines())
    assert [error["pointer"] for error in row["errors"]] == ["/incident_number"]
    del row["row"]["incident"]["incident_number"]
    errors.write_text(json.dumps(row))
    made = stack.run("import", str(errors), *arguments[2:])
    assert counts(made) == {"created": 1, "already there": 0, "failed": 0}, made.stderr


def _by_its_record(stack: Checkout, file: Path, arguments: list[str], receiver: Caller) -> None:
    """Import a file whose rows are already in the progress record.

    The import looks up each recorded incident, even if the incident no longer exists.
    """
    before, record = everything(receiver), file.with_name(f"{file.name}.progress")
    for as_if in (None, "unknown", "unfinished"):
        if as_if is not None:
            lines = [json.loads(line) for line in record.read_text().splitlines()]
            if as_if == "unknown":
                lines = [line | {"incident_id": UNKNOWN_ID} if "done" in line else line for line in lines]
            else:
                lines = [line for line in lines if "finished" not in line]
            record.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        again = stack.run(*arguments)
        assert counts(again) == {"created": 0, "already there": 6, "failed": 0, "left out": 1}, again.stderr
        assert ("are not sent again" in again.stderr) is (as_if == "unfinished")
    assert everything(receiver) == before


def without(incident: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in incident.items() if field not in DIFFERENT}


def test_a_row_whose_number_is_in_use_matches_its_incident_or_is_an_error(stack: Checkout, tmp_path: Path) -> None:
    """The incidents were created without idempotency keys.

    The same case occurs if a file is imported again a week later, because the keys have expired.
    """
    caller = stack.caller(stack.token("import-taken"))
    rows = [{"title": f"Number {n}", "incident_number": f"IR-{n}", "financial_impact": n} for n in range(4)]
    ids = [caller.post(json=row).json()["id"] for row in rows]
    caller.patch(f"/{ids[1]}", {"severity": "high"})  # the row does not contain this field
    caller.patch(f"/{ids[2]}", {"title": "Changed since", "financial_impact": 0})
    caller.delete(f"/{ids[3]}")
    stamped = '"id": "x", "tenant_id": "x", "created_at": "x", "mttd_minutes": null'
    half = {"title": "Half done", "incident_number": "IR-9"}
    caller.post(json=half)
    file = tmp_path / "rows.jsonl"
    lines = [json.dumps(row) for row in rows]
    lines += [f'{{"incident": {json.dumps(half)[:-1]}, "is_deleted": true, {stamped}}}}}', *['{"title": "New"}'] * 2]
    twice = [{"title": title, "incident_number": number}
             for number, title in [("IR-20", "A"), ("IR-20", "B"), ("IR-21", "C"), ("IR-21", "C")]]  # fmt: skip
    lines += map(json.dumps, twice)
    file.write_text("\n".join(lines))

    done = stack.run("import", str(file), "--tenant", "import-taken")

    assert counts(done) == {"created": 3, "already there": 3, "failed": 4, "left out": 1}, done.stderr
    told = [json.loads(line) for line in (tmp_path / "rows.jsonl.errors.jsonl").read_text().splitlines()]
    assert {one["line"]: {error["pointer"] for error in one["errors"]} for one in told} == {
        3: {"/incident_number", "/title", "/financial_impact"},
        4: {"/incident_number", "/is_deleted"},
        8: {"/incident_number"},
        9: {"/incident_number"},
    }
    taken = [one for one in told if one["line"] < 8]
    assert all(re.search("inc_", one["errors"][0]["detail"]) and one["request_id"] for one in taken)
    assert [one["is_deleted"] for one in everything(caller)] == [False, False, False, True, True, False, False, False]
    assert caller.get(f"/{ids[2]}").json()["title"] == "Changed since"


def test_a_refused_token_stops_the_import_at_once(
    stack: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("title\n" + "Secret\n" * 1_000)
    token = stack.token("import-nobody")
    monkeypatch.setenv("GRC_TOKEN", token[:-8] + "AAAAAAA" + token[-1])

    arguments = ["import", str(file), "--tenant", "import-nobody", "--url", stack.status["api_url"]]

    _is_told(stack.run(*arguments), token)
    with file.with_name("rows.csv.progress").open("a") as record:
        # This entry makes the next import continue an earlier import and look up the entry's incident.
        record.write(f'{{"done": "a key", "incident_id": "{UNKNOWN_ID}"}}\n')
    _is_told(stack.run(*arguments), token)
    assert everything(stack.caller(token)) == []


def _is_told(done: "subprocess.CompletedProcess[str]", token: str) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    assert "401" in done.stderr
    assert "Traceback" not in done.stderr
    assert token[:-8] not in done.stderr
