"""Tests that no finding is lost or duplicated in a storm of findings, while processes end again and again.

The findings are shuffled. Some findings come twice, and some come through another hub. Invalid events are mixed with
the findings. So are hostile events, which are built to be slow, oversized or malformed. As in a queue, every message is
delivered again until a worker has handled it. At the end, each true finding is one incident, even if the finding has
hostile texts. All other events are in the dead letters with a reason. Nothing else was written.

Another test measures how long a flood of one tenant's messages delays the messages of another tenant.
"""

import itertools
import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import ingest_finding
import pytest
from incidents.domain.errors import Busy
from incidents.edges import findings_queue, queues, sqs
from incidents.runtime import deadline
from incidents.storage import dynamodb as client_module
from incidents.storage.account_map import AccountMap

from tests.faults.clock import Clock
from tests.faults.injection import EXIT_STATUS, Attempt, Faults, Kind
from tests.support import invariants, scale
from tests.support.events import Context
from tests.support.queues import sqs_event
from tests.support.recorded import event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EVENTS = scale.of(short=1_000, full=10_000)
ENDS = scale.of(short=10, full=100)
# The share of processes that end when they send a dead letter. All others end at a call to the table.
AT_A_DEAD_LETTER = 0.2
WORKERS = 4
SEED = 20261123
ACCOUNTS = {"111122223333": "acme", "444455556666": "globex"}
ARN = "arn:aws:guardduty:eu-central-1:{}:detector/d0/finding/{:032x}"


def finding(n: int) -> dict[str, Any]:
    account = sorted(ACCOUNTS)[n % 2]
    return event(
        "guardduty", id=f"direct-{n}", detail__accountId=account, detail__arn=ARN.format(account, n),
        detail__id=f"{n:032x}", detail__title=f"finding {n}",
    )  # fmt: skip


def through_another_hub(n: int) -> dict[str, Any]:
    account = sorted(ACCOUNTS)[n % 2]
    return event(
        "security_hub_asff_guardduty", id=f"hub-{n}", detail__findings__0__Id=ARN.format(account, n),
        detail__findings__0__AwsAccountId=account, detail__findings__0__Title=f"finding {n}",
    )  # fmt: skip


def poison(n: int) -> object:
    """Return an event that can never succeed. The events have three kinds, which are used in turn."""
    return (
        f'{{"source": "aws.guardduty", "n": {n}',
        event("guardduty", id=f"unmapped-{n}", detail__accountId="999988887777"),
        event("guardduty", id=f"unknown-{n}", **{"detail-type": f"GuardDuty Weather {n}"}),
    )[n % 3]


def hostile(n: int) -> object:
    """Return an event that is built to be slow, oversized or malformed, and can never succeed.

    Its size is below SQS's limit of 1 MiB.
    """
    flag = f"\U0001f3f4{chr(0xE0067) * 20_000}\U000e007f"
    alert = event("alert_escalated", id=f"hostile-{n}", source="unknown.producer")
    return (
        alert | {"source": "a" * 1_100},
        alert | {"source": f" unknown.producer{n}"},
        alert | {"detail": alert["detail"] | {"title": flag, "alert_ids": [flag, *(f"a{k}" for k in range(5_000))]}},
        event("security_hub_asff_guardduty", id=f"hostile-{n}", detail__findings__0__AwsAccountId="999988887777",
              detail__findings__0__Types=["a/" * 30_000 + "\n"]),
        "[" * 60_000 + str(n),
        f'{{"source": "aws.guardduty", "detail-type": "GuardDuty Finding", "n": {n}{"1" * 5_000}}}',
        event("guardduty", id=f"hostile-{n}", detail=[[]] * 5_000),
        event("guardduty", id=f"hostile-{n}", detail__accountId="\x00" * 60_000),
    )[n % 8]  # fmt: skip


def slow_but_true(n: int) -> dict[str, Any]:
    """Return a true finding whose texts are built to be slow and oversized. Its title is an ordinary one."""
    account = sorted(ACCOUNTS)[n % 2]
    flag = f"\U0001f3f4{chr(0xE0067) * 10_000}\U000e007f"
    return event(
        "security_hub_asff_guardduty", id=f"slow-{n}", detail__findings__0__Id=ARN.format(account, n),
        detail__findings__0__AwsAccountId=account, detail__findings__0__Title=f"finding {n}",
        detail__findings__0__Types=["TTPs/" * 20_000 + "\n", flag], detail__findings__0__Description="\x85" * 30_000,
        detail__findings__0__Resources=[{"Type": "Other", "Id": flag[k:]} for k in range(3)],
    )  # fmt: skip


def storm(random: Random) -> tuple[list[str], int, set[str]]:
    """Return the bodies in order of delivery, the number of true findings, and the bodies of the invalid events."""
    doubled, elsewhere, bad, hard, slow = (EVENTS * share // 100 for share in (20, 10, 5, 1, 1))
    true = EVENTS - doubled - elsewhere - bad - hard
    findings = [json.dumps(finding(n) if n >= slow else slow_but_true(n)) for n in range(true)]
    poisoned = [one if isinstance(one, str) else json.dumps(one) for one in (
        *map(poison, range(bad)), *map(hostile, range(hard)))]  # fmt: skip
    bodies = [
        *findings,
        *random.choices(findings, k=doubled),
        *(json.dumps(through_another_hub(n)) for n in random.sample(range(slow, true), elsewhere)),
        *poisoned,
    ]
    random.shuffle(bodies)
    return bodies, true, set(poisoned)


class End(NamedTuple):
    """The point where a process ends: at one of its attempts to reach the table, or at its first dead letter.

    ``attempt`` is the ordinal number of the attempt. If it is None, the process ends at its first dead letter.
    """

    kind: Kind
    attempt: int | None


def drawn_end(random: Random) -> End:
    kind = random.choice((Kind.END_BEFORE, Kind.END_AFTER))
    return End(kind, None if random.random() < AT_A_DEAD_LETTER else random.randrange(1, 3 * EVENTS // ENDS))


def work(bodies: list[str], notes: Path, dead_letters: Path, end: End | None) -> None:
    """Handle the bodies that the file ``notes`` does not record as handled, ten at a time.

    If ``end`` is given, the process ends at this point.
    """
    client_module.client.cache_clear()  # a process must not share a connection with its parent
    queues.client.cache_clear()
    attempts = itertools.count(1)

    def choose(_: Attempt) -> Kind | None:
        return end.kind if end and end.attempt == next(attempts) else None

    with notes.open("a", buffering=1) as handled, dead_letters.open("a", buffering=1) as letters:

        def send(params: Any, **_: object) -> None:
            ends_here = end and end.attempt is None and end.kind
            if ends_here is not Kind.END_BEFORE:
                letters.write(json.dumps(params) + "\n")
            if ends_here:
                os._exit(EXIT_STATUS)

        events = queues.client().meta.events
        events.register("provide-client-params.sqs.SendMessage", send)
        events.register("before-call.sqs.SendMessage", lambda **_: (SimpleNamespace(status_code=200), {}))  # type: ignore[arg-type]
        with Faults(client_module.client(), choose, lambda: None).at_work():
            left = sorted(set(range(len(bodies))) - set(map(int, read(notes))))
            while left:
                batch, left = left[:10], left[10:]
                sent = sqs_event(*(bodies[n] for n in batch))
                answer = ingest_finding.handler(sent, Context)
                failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
                for n, record in zip(batch, sent["Records"], strict=True):
                    if record["messageId"] in failed:
                        left.append(n)
                    else:
                        handled.write(f"{n}\n")


def read(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def deliver(bodies: list[str], folder: Path, random: Random) -> int:
    """Let workers handle all bodies, and restart each worker that ended; return how many times a worker ended."""
    fork = multiprocessing.get_context("fork")
    shares = {worker: bodies[worker::WORKERS] for worker in range(WORKERS)}
    ended = 0
    running: dict[int, Any] = {}
    while shares or running:
        for worker, share in shares.items():
            end = drawn_end(random) if ended + len(running) < ENDS else None
            paths = folder / f"handled-{worker}", folder / f"dead-letters-{worker}"
            running[worker] = fork.Process(target=work, args=(share, *paths, end))
            running[worker].start()
        shares = {}
        for worker, process in list(running.items()):
            process.join(0.05)
            if process.exitcode is not None:
                del running[worker]
                assert process.exitcode in (0, EXIT_STATUS)
                ended += process.exitcode == EXIT_STATUS
                if process.exitcode == EXIT_STATUS:
                    shares[worker] = bodies[worker::WORKERS]
    return ended


@pytest.mark.usefixtures("clock")
def test_each_true_finding_becomes_exactly_one_incident(
    service: str, dynamodb: "DynamoDBClient", tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    promise: Callable[[str, str], None],
) -> None:  # fmt: skip
    monkeypatch.setenv("DEAD_LETTERS_URL", "https://sqs.example/dead-letters")
    for account, tenant in ACCOUNTS.items():
        AccountMap(client_module.client(), service).link(account, tenant)
    random = Random(SEED)
    bodies, true, poisoned = storm(random)

    ended = deliver(bodies, tmp_path, random)

    found = [item for item in invariants.everything(dynamodb, service) if item["pk"]["S"] != "ACCOUNTS"]
    assert invariants.violations(found) == []
    kinds = Counter(item["pk"]["S"].rpartition("#")[2] for item in found)
    titles = Counter(item["title"]["S"] for item in found if item["pk"]["S"].endswith("#INCIDENT"))
    letters = [json.loads(line) for worker in range(WORKERS) for line in read(tmp_path / f"dead-letters-{worker}")]
    assert set(titles) == {f"finding {n}" for n in range(true)}, "no finding is lost"
    assert set(titles.values()) == {1}, "no finding is duplicated"
    assert kinds["INCIDENT"] == kinds["NUMBER"] == kinds["FINDING"] == true
    assert set(kinds) == {"INCIDENT", "CHANGE", "NUMBER", "COUNTER", "FINDING", "EVIDENCE"}
    events = sum(int(item["events"]["N"]) for item in found if item["pk"]["S"].endswith("#FINDING"))
    assert kinds["EVIDENCE"] == events >= true, "no finding is without its event, and no event without its finding"
    assert {letter["MessageBody"] for letter in letters} == poisoned
    reasons = {letter["MessageAttributes"]["reason"]["StringValue"] for letter in letters}
    assert all(reasons)
    assert not any("receive" in reason for reason in reasons), "each of them at its first receive"
    assert ended == ENDS
    promise(
        "Each true finding is exactly one incident, and none is lost",
        f"{len(bodies):,} events arrived, and {ended} processes were killed. {EVENTS * 20 // 100:,} events were exact "
        f"duplicates, {EVENTS * 10 // 100:,} reported a known finding through a second service, and {len(poisoned)} "
        f"were invalid. {EVENTS * 2 // 100} of all events were slow, oversized or malformed: {true:,} findings became "
        f"{kinds['INCIDENT']:,} incidents, and all {len(poisoned)} invalid events are dead letters with a reason",
    )


FLOOD, QUIET = 400, 10


@pytest.mark.usefixtures("service")
def test_a_flood_of_one_tenant_delays_another_by_at_most_one_share_for_each_batch(
    clock: Clock, promise: Callable[[str, str], None]
) -> None:
    """In each batch of the flood, one of ten messages hangs and uses its complete share of the time.

    A fair queue of SQS delivers the quiet tenant's messages first. The test has no queue, so it gives the messages to
    the function in this order, too.
    """
    flood, quiet = [f"flood {n}" for n in range(FLOOD)], [f"quiet {n}" for n in range(QUIET)]
    done: dict[str, float] = {}

    def operate(message: findings_queue.Message) -> list[str]:
        hangs = message.body.startswith("flood") and message.body.endswith("0")
        clock.wait(deadline.left() if hangs else 0.05)
        if hangs:
            raise Busy
        done[message.body] = clock.seconds
        return ["created"]

    operate.__module__ = "ingest_finding"
    handler = findings_queue.consumer(operate)

    def seconds_until_the_quiet_tenant_is_served(waiting: list[str]) -> float:
        began = clock.seconds
        while waiting:
            batch, waiting = waiting[:10], waiting[10:]
            ends = clock.seconds + 60
            context = SimpleNamespace(get_remaining_time_in_millis=lambda ends=ends: (ends - clock.seconds) * 1000)
            sent = sqs_event(*batch)
            failed = {one["itemIdentifier"] for one in handler(sent, context)["batchItemFailures"]}
            undone = [record["body"] for record in sent["Records"] if record["messageId"] in failed]
            assert undone == [body for body in batch if body.startswith("flood") and body.endswith("0")]
        return max(done[body] for body in quiet) - began

    behind, fair = map(seconds_until_the_quiet_tenant_is_served, (flood + quiet, quiet + flood))

    one_batch = sqs.share(60, 10) + 9 * 0.05
    assert behind <= (FLOOD // 10 + 1) * one_batch
    assert fair <= one_batch
    promise(
        "A flood of one tenant's findings delays another tenant's findings by a limited time",
        f"A queue has {FLOOD} messages of one tenant. Every tenth message hangs. Behind them are {QUIET} messages of a "
        "second tenant. One batch runs at a time: the last finding of the second tenant becomes an incident after "
        f"{behind:.0f} s on a simulated clock. If the queue delivers the messages of the second tenant first, that "
        f"finding becomes an incident after {fair:.1f} s",
    )
