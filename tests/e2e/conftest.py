"""Fixtures of the suites that use the local stack."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from incidents_cli.local import emulator, routes, sam, up_down
from incidents_cli.local.local_stack import Stack, StackFolder

from tests.support.checkout import Caller, Checkout, free_port
from tests.support.user_pool import Pool


@pytest.fixture(scope="session")
def pool(stack: Checkout, tmp_path_factory: pytest.TempPathFactory, http: httpx2.Client) -> Iterator[Pool]:
    """Deploy the same build again with a user pool, and yield the pool.

    As on AWS, this deployment publishes versions of the functions.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("INCIDENTS_HOME", str(tmp_path_factory.mktemp("home")))
        home = StackFolder()
    home.make()
    deployed = emulator.start(emulator.install(), Stack(free_port()), home)
    with_pool = {"CreateUserPool": "true", "JwtIssuer": "", "MachineTenantId": "acme", "MachineAppId": "soc-portal"}

    def deploy(**parameters: str) -> Stack:
        given = up_down.parameters(deployed, sam.host_parameters()) | with_pool | parameters
        sam.deploy(deployed, given, Path(stack.home) / "build", home.logs / "deploy.log", versions=True)
        found = deployed.discover()
        routes.create(found)
        return found

    try:
        yield Pool(deploy(), home, http, deploy)
    finally:
        emulator.stop(deployed, home)


@pytest.fixture
def announced(stack: Checkout, aws: Callable[[str], Any]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Subscribe to the bus with a separate rule and queue; yield a function that returns all events so far."""
    queue = aws("sqs").create_queue(QueueName="subscriber")["QueueUrl"]
    arn = aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [{**policy, "Resource": arn}]})
    aws("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": document})
    of_bus = {"EventBusName": stack.status["event_bus_name"]}
    aws("events").put_rule(Name="subscriber", EventPattern=json.dumps({"source": ["grc.incidents"]}), **of_bus)
    aws("events").put_targets(Rule="subscriber", Targets=[{"Id": "queue", "Arn": arn}], **of_bus)
    came: list[dict[str, Any]] = []

    def receive() -> list[dict[str, Any]]:
        messages = aws("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            came.append(json.loads(message["Body"]))
            aws("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return came

    yield receive
    aws("events").remove_targets(Rule="subscriber", Ids=["queue"], **of_bus)
    aws("events").delete_rule(Name="subscriber", **of_bus)
    aws("sqs").delete_queue(QueueUrl=queue)


WINDOW = "?from=2026-02-01&to=2026-02-28&interval=month"
WITHIN = 180  # the limit in seconds from a write until its metrics appear


@pytest.fixture(scope="session")
def computed(stack: Checkout) -> Iterator["Future[Caller]"]:
    """Yield the future of a caller.

    The future completes when the schedule has computed the two incidents of the caller's tenant.

    Nothing else starts this computation, and the schedule may need more than a minute. So suites that run before
    test_metrics.py request this fixture, but do not wait for the result.
    """
    closed = {
        "title": "x", "status": "closed", "severity": "high", "occurred_at": "2026-02-02T08:00:00Z",
        "detected_at": "2026-02-02T09:30:00Z", "contained_at": "2026-02-02T10:00:00Z",
        "closed_at": "2026-02-04T09:30:00Z",
    }  # fmt: skip
    opened = {"title": "x", "status": "investigating", "severity": "low"} | {
        name: closed[name] for name in ("occurred_at", "detected_at")
    }
    caller, nobody_waits = stack.caller(stack.token("measured")), threading.Event()
    for incident in (closed, opened):
        assert caller.post(json=incident).status_code == 201
    with ThreadPoolExecutor(1) as meanwhile:
        yield meanwhile.submit(_until_computed, caller, nobody_waits)
        nobody_waits.set()


def _until_computed(caller: Caller, nobody_waits: threading.Event) -> Caller:
    deadline = time.monotonic() + WITHIN
    while True:
        answer = caller.get(f"/metrics{WINDOW}")
        assert answer.status_code == 200, answer.text
        if (answer.json()["mttd"]["n"], answer.json()["mttr"]["n"]) == (2, 1):
            return caller
        assert time.monotonic() < deadline, f"no metrics {WITHIN} s after a write"
        assert not nobody_waits.wait(1), "the test run has ended"
