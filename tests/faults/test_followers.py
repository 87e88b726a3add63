"""Tests that a follower misses no change, while eight writers change incidents and calls fail at random.

Writers and followers are processes. The writers' clocks differ by up to five seconds. Their calls to the table fail,
and faults end some of them. Each follower uses the Python client, and is killed at random moments. It continues with
the last cursor that it stored. After each drain, its copy must equal the table.

Waiting takes no real time: a drain puts all clocks forward by more than the time before which the updates end.
"""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import create_incident
import delete_incident
import pytest
import update_incident
from grc_client import Client, calls
from incidents.runtime.log import logger
from incidents.storage import dynamodb as client_module
from incidents.storage import feed_reader, keys

from tests.faults.injection import ENDS, EXIT_STATUS, Attempt, Faults, Kind
from tests.support import invariants, scale
from tests.support.events import Context, claims, create_event, delete_event, patch_event
from tests.support.gateway import Gateway

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHANGES = scale.of(short=1_000, full=10_000)
TURNS, WAVES, WRITERS = scale.of(short=2, full=10), 2, 8
OPERATIONS = -(-CHANGES // (TURNS * WAVES * WRITERS)) + 3  # a writer's operations in a wave; some change nothing
SKEW = 5.0  # seconds between the first and the last writer's clock
SETTLE = 20.0  # the updates end this many seconds before now
RATE = 0.03  # the share of the calls that fail
SEED = 20261127
FORK = multiprocessing.get_context("fork")
APPS = (None, "soc-portal", "scanner")
FOLLOWED = (None, "soc-portal")


class Start(NamedTuple):
    """The inputs of a process: the seconds by which its clock is ahead, and the file of its notes."""

    ahead: float  # seconds
    notes: Path
    seed: str


def prepare(start: Start, ends: bool) -> tuple[Random, Faults]:
    """Give this process its own connection, clock and faults."""
    client_module.client.cache_clear()
    now = time.time_ns
    time.time_ns = lambda: now() + int(start.ahead * 1e9)
    random = Random(start.seed)
    kinds = [kind for kind in Kind if ends or kind not in ENDS]

    def choose(_: Attempt) -> Kind | None:
        return random.choice(kinds) if random.random() < RATE else None

    return random, Faults(client_module.client(), choose, lambda: None)


def write(start: Start, ids: list[str]) -> None:
    """Create, change, delete and restore incidents at random, until the notes have all operations of a wave."""
    random, faults = prepare(start, ends=True)
    done = len(start.notes.read_text().splitlines()) if start.notes.exists() else 0
    with start.notes.open("a", buffering=1) as notes, faults.at_work():
        for _ in range(done, OPERATIONS):
            notes.write("begun\n")
            if not ids or random.random() < 0.25:
                caller = claims(app_id=random.choice(APPS))
                answer = create_incident.handler(create_event({"title": f"{random.random()}"}, caller=caller), Context)
                ids += [json.loads(answer["body"])["id"]] if answer["statusCode"] == 201 else []
                continue
            one = random.choice(ids)
            if random.random() < 0.2:
                delete_incident.handler(delete_event(one), Context)
            else:
                update_incident.handler(patch_event(one, {"is_deleted": False, "title": f"{random.random()}"}), Context)


def follow(start: Start, app_id: str | None) -> None:
    """Receive updates with the client until no update waits. Write each incident and the cursor to the notes."""
    _, faults = prepare(start, ends=False)
    time.sleep = lambda _: None  # the client must not pause
    calls.UPDATES_LIMIT, feed_reader.ENTRIES_READ = 7, 20
    with Client("https://api.example", "token", transport=Gateway(claims(app_id=app_id))) as client, faults.at_work():
        follower = client.grc.incidents.follow(cursor=cursor_of(start.notes), every=None)
        with start.notes.open("a", buffering=1) as notes:
            notes.write("\n")  # ends the line that a killed follower did not finish
            for incident in follower:
                received = {"id": incident.id, "version": incident.version, "is_deleted": incident.is_deleted}
                notes.write(json.dumps({**received, "title": incident.title, "cursor": follower.cursor}) + "\n")
            notes.write(json.dumps({"cursor": follower.cursor}) + "\n")


def received(notes: Path) -> list[dict[str, Any]]:
    """Return the complete lines of a follower's notes."""
    lines = notes.read_text().splitlines() if notes.exists() else []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:  # the line is empty, or a kill cut it
            continue
    return found


def cursor_of(notes: Path) -> str | None:
    return next((one["cursor"] for one in reversed(received(notes))), None)


def copy_of(notes: Path) -> dict[str, tuple[int, bool, str]]:
    """Return the state of each incident as a follower last received it."""
    return {one["id"]: (one["version"], one["is_deleted"], one["title"]) for one in received(notes) if "id" in one}


class Crowd:
    """The processes of a test. It starts them again after they end too early, and kills the followers at random."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ahead = 0.0
        self.ended = self.killed = self.started = 0
        self._random = Random(SEED)

    def start(self, work: Callable[..., None], name: str, more: Any, *, ahead: float = 0.0) -> Any:
        self.started += 1
        start = Start(self.ahead + ahead, self.folder / f"{name}.notes", f"{SEED} {name} {self.started}")
        process = FORK.Process(target=work, args=(start, more))
        process.start()
        return process

    def notes_of(self, app_id: str | None) -> Path:
        return self.folder / f"follower {app_id}.notes"

    def wave(self, number: int, ids: list[str]) -> None:
        """Run all writers. At the same time, run the followers, and kill them again and again."""
        writers = {n: self._writer(number, n, ids) for n in range(WRITERS)}
        followers = {app_id: self._follower(app_id) for app_id in FOLLOWED}
        while writers:
            wait([process.sentinel for process in writers.values()], timeout=self._random.uniform(0.1, 0.6))
            for n, process in list(writers.items()):
                if process.exitcode is None:
                    continue
                assert process.exitcode in (0, EXIT_STATUS)
                del writers[n]
                if process.exitcode == EXIT_STATUS:
                    self.ended += 1
                    writers[n] = self._writer(number, n, ids)
            if self._random.random() < 0.5:
                continue
            app_id = self._random.choice(FOLLOWED)
            self._stop(followers[app_id])
            followers[app_id] = self._follower(app_id)
        for process in followers.values():
            self._stop(process)

    def drain(self) -> None:
        """Put all clocks forward, and let each follower receive all remaining updates."""
        self.ahead += SETTLE + SKEW
        for app_id in FOLLOWED:
            process = self._follower(app_id)
            process.join(60)
            assert process.exitcode == 0

    def _writer(self, wave: int, n: int, ids: list[str]) -> Any:
        return self.start(write, f"writer {wave} {n}", list(ids), ahead=SKEW * (n / (WRITERS - 1) - 0.5))

    def _follower(self, app_id: str | None) -> Any:
        return self.start(follow, f"follower {app_id}", app_id)

    def _stop(self, process: Any) -> None:
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        self.killed += process.exitcode != 0


@pytest.mark.usefixtures("clock")
def test_a_follower_misses_nothing(
    service: str, dynamodb: "DynamoDBClient", tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    promise: Callable[[str, str], None],
) -> None:  # fmt: skip
    monkeypatch.setenv("FEED_SETTLE_SECONDS", str(SETTLE))
    for level in ("info", "error"):
        monkeypatch.setattr(logger, level, lambda *_, **__: None)
    crowd, missed = Crowd(tmp_path), 0
    ids: list[str] = []
    for turn in range(TURNS):
        for n in range(WAVES):
            crowd.wave(WAVES * turn + n, ids)
            crowd.ahead += SETTLE + SKEW  # the next wave's followers receive these changes while the writers continue
            ids = [item["sk"]["S"] for item in invariants.of_tenant(dynamodb, service, "acme")
                   if item["pk"]["S"] == keys.incident("acme", "").pk]  # fmt: skip
        crowd.drain()

        stored = [item for item in invariants.everything(dynamodb, service) if item["pk"]["S"].endswith("#INCIDENT")]
        for app_id in FOLLOWED:
            reached = {
                item["sk"]["S"]: (int(item["version"]["N"]), item["is_deleted"]["BOOL"], item["title"]["S"])
                for item in stored
                if app_id in (None, item.get("app_id", {}).get("S"))
            }
            copy = copy_of(crowd.notes_of(app_id))
            missed += sum(copy.get(one) != state for one, state in reached.items())
            assert set(copy) == set(reached), "an application must receive exactly its own incidents"
            assert copy == reached

    found = invariants.everything(dynamodb, service)
    changes = sum(item["pk"]["S"].endswith("#CHANGE") for item in found)
    tombstones = sum(state[1] for state in copy_of(crowd.notes_of(None)).values())
    assert invariants.violations(found) == []
    assert changes >= CHANGES
    assert crowd.ended > 0
    assert crowd.killed > TURNS
    assert tombstones > 0
    promise(
        "Who follows the incidents misses no change",
        f"{changes:,} changes by {WRITERS} writers, whose clocks differ by {SKEW:g} s and of whom faults ended "
        f"{crowd.ended}: 2 followers, killed {crowd.killed} times, missed {missed}, and {tombstones} deletions arrived",
    )
