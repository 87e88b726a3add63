"""Tests that no create is lost or duplicated while eight clients create incidents, calls fail and processes end.

The method follows the set test and the unique-ids test of Jepsen. Each client is a process that records its requests
and their answers. After a fault has ended a client, the client starts again and reads its record. Then it repeats every
request without an answer.
"""

import json
import multiprocessing
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import create_incident
import pytest
from incidents.storage import dynamodb as client_module

from tests.faults.injection import EXIT_STATUS, Attempt, Faults, Kind
from tests.support import invariants, scale
from tests.support.events import Context, claims, create_event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CLIENTS = 8
CREATES = scale.of(short=100, full=2_000)  # the number of creates of each client
RATE = 0.05  # the share of the calls that fail; a third of the failing calls fail at every attempt
SEED = 20261123


def work(client: int, run: int, notes: Path) -> None:
    """Run one client. It continues its last run, because the file ``notes`` records its requests and answers."""
    client_module.client.cache_clear()  # a process must not share a connection with its parent
    random = Random(f"{SEED} {client} {run}")
    lasting: dict[int, Kind] = {}
    decided: set[int] = set()
    done = Counter(note["key"] for note in read(notes) if note.get("status") == 201)

    with notes.open("a", buffering=1) as file:

        def note(**values: object) -> None:
            file.write(json.dumps(values) + "\n")

        def choose(attempt: Attempt) -> Kind | None:
            if attempt.call in decided:
                return lasting.get(attempt.call)
            decided.add(attempt.call)
            if random.random() >= RATE:
                return None
            kind = random.choice(list(Kind))
            if random.random() < 1 / 3:
                lasting[attempt.call] = kind
            note(fault=kind.name)
            return kind

        with Faults(client_module.client(), choose, lambda: None).at_work():
            for n in range(CREATES):
                key = f"{client}-{n}"
                while not done[key]:
                    event = create_event(
                        {"title": key}, caller=claims(sub=f"client-{client}"), headers={"idempotency-key": key}
                    )
                    note(key=key, sent=True)
                    answer = create_incident.handler(event, Context)
                    incident_id = json.loads(answer["body"]).get("id")
                    note(key=key, status=answer["statusCode"], id=incident_id)
                    done[key] += answer["statusCode"] == 201


def read(notes: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def run_clients(folder: Path) -> int:
    """Run all clients until they finish, restart each client that a fault ended, and return the number of restarts."""
    fork = multiprocessing.get_context("fork")
    ended = 0
    running: dict[Any, tuple[int, int, Any]] = {}

    def start(client: int, run: int) -> None:
        process = fork.Process(target=work, args=(client, run, folder / f"{client}.jsonl"))
        process.start()
        running[process.sentinel] = (client, run, process)

    for client in range(CLIENTS):
        start(client, 0)
    while running:
        for sentinel in wait(list(running)):
            client, run, process = running.pop(sentinel)
            process.join()
            assert process.exitcode in (0, EXIT_STATUS)
            if process.exitcode == EXIT_STATUS:
                ended += 1
                start(client, run + 1)
    return ended


@pytest.mark.usefixtures("clock")
def test_no_acknowledged_create_is_lost_or_duplicated(
    service: str, dynamodb: "DynamoDBClient", tmp_path: Path, promise: Callable[[str, str], None]
) -> None:
    ended = run_clients(tmp_path)

    notes = [note for client in range(CLIENTS) for note in read(tmp_path / f"{client}.jsonl")]
    sent = {note["key"] for note in notes if "sent" in note}
    answers = [note for note in notes if "status" in note]
    acknowledged = {note["key"]: note["id"] for note in answers if note["status"] == 201}
    attempts = sum("sent" in note for note in notes)
    unknown = attempts - len(acknowledged)
    faults = sum("fault" in note for note in notes)
    found = invariants.everything(dynamodb, service)
    stored = [item for item in found if item["pk"]["S"] == "TENANT#acme#INCIDENT"]
    times = Counter(item["title"]["S"] for item in stored)

    assert {note["status"] for note in answers} <= {201, 503}
    assert len(sent) == CLIENTS * CREATES
    assert sent == set(acknowledged), "a retry must resolve every unknown outcome"
    lost = set(acknowledged.values()) - {item["id"]["S"] for item in stored}
    doubled = [title for title, count in times.items() if count > 1]
    assert (lost, doubled) == (set(), [])
    assert len(stored) == CLIENTS * CREATES
    assert len({item["incident_number"]["S"] for item in stored}) == len(stored)
    assert invariants.violations(found) == []
    assert faults > attempts * RATE
    assert unknown > ended > 0
    promise(
        "No acknowledged write is lost or duplicated",
        f"{CLIENTS} clients each sent {CREATES:,} creates. {faults:,} faults were injected, and {ended} processes were "
        f"killed. {unknown} outcomes were unknown until a retry: "
        f"{len(lost)} creates were lost and {len(doubled)} duplicated. "
        f"All {len(stored):,} incidents have different numbers, and each incident has its first change",
    )
