"""What `incidents up` and `incidents down` do, step by step."""

import fcntl
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files

import httpx

from . import emulator, issuer, routes, sam
from .accounts import system_repository
from .console import StepFailed, stderr, step
from .stack import DEFAULT_PORT, TEMPLATE, Home, Stack, load

SAMPLE_ACCOUNT = "111122223333"
_FINDINGS_SECONDS = 60
TENANT = "acme"  # the tenant of the samples and of the token that `up` prints


def up(home: Home, *, port: int | None, fresh: bool, samples: bool) -> tuple[Stack, bool]:
    """Bring this checkout's stack up with the code as it is; return it, and whether this call started its process."""
    if not TEMPLATE.exists():
        raise StepFailed("There is no template.yaml here.", "", "Run `incidents` from a checkout of the project.")
    home.make()
    with _alone(home):
        known = _start_over(home) if fresh else load(home)
        running = known is not None and emulator.is_alive(known)
        stack = _on_port(known, port, running)
        if known is not None and known.pid is not None and not running:
            _after_a_crash(home)
        with step("Fetching SAM and the emulator", "SAM and the emulator are here"):
            sam.install()
            interpreter = emulator.install()
        target = sam.host_parameters()
        name = f"{target['PythonRuntime']} on {target['Architecture']}"
        with step(f"Building the functions for {name}", f"Built the functions for {name}"):
            sam.build(target, home.build, home.logs / "build.log")
        try:
            if not running:
                with step("Starting the emulator", f"Started the emulator on 127.0.0.1:{stack.port}"):
                    stack = emulator.start(interpreter, stack, home)
            stack = _deploy(stack, home, target)
            if samples and newest_incident(stack, home) is None:
                with step("Loading sample incidents through the API", "Loaded sample incidents through the API"):
                    _load_samples(stack, home)
                with step("Sending sample findings to EventBridge", "EventBridge made incidents of sample findings"):
                    _send_sample_findings(stack, home)
            with step("Calling it", "It answers"):
                if newest := newest_incident(stack, home):
                    _call(stack, "GET", f"/{newest}", issuer.token(stack, home, tenant=TENANT))
            stack = replace(stack, ready=True)
            stack.save(home)
        except BaseException:
            if not running:
                emulator.stop(stack, home)
            raise
    return stack, not running


def down(home: Home) -> bool:
    """Stop this checkout's stack and keep its data; return whether there was one running."""
    stack = load(home)
    if stack is None or not emulator.is_alive(stack):
        return False
    with step("Stopping the emulator", "Stopped the emulator; its data is kept"):
        emulator.stop(stack, home)
    return True


def running_stack(home: Home) -> Stack:
    """Return the stack that is up. Raises StepFailed, which says what it is doing instead."""
    stack = load(home)
    if stack is None or not emulator.is_alive(stack):
        raise StepFailed("The stack is not running.", "", "Start it: incidents up")
    if not stack.ready:
        raise StepFailed("The stack is starting.", "", "Wait for `incidents up` to say that it is up.")
    if not emulator.answers(stack):
        raise StepFailed("The stack runs but does not answer.", "", "Start it again: incidents down, then incidents up")
    return stack


def parameters(stack: Stack, target: dict[str, str]) -> dict[str, str]:
    """Return what the template is told where it is deployed onto the emulator."""
    local = {"DeletionProtection": "false", "TakeSimulatedEvents": "true", "JwtIssuer": stack.issuer}
    return {**target, **local}


def _deploy(stack: Stack, home: Home, target: dict[str, str]) -> Stack:
    issuer.publish(stack, home)  # before the first call: the authorizer remembers a failed look-up
    with step("Deploying template.yaml with `sam deploy`", "Deployed template.yaml with `sam deploy`"):
        sam.deploy(stack, parameters(stack, target), home.build, home.logs / "deploy.log")
        stack = stack.discover()
    with step("Creating the routes", "Created the routes of the API"):
        routes.create(stack)
    return stack


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    with home.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StepFailed(
                "Another `incidents up` of this checkout is at work.", "", "Wait for it, then try again."
            ) from None
        yield


def _start_over(home: Home) -> Stack | None:
    """Stop what runs and remove its data; return the stack as it is then: nothing but its port."""
    try:
        known = load(home)
    except StepFailed:  # a broken record is one of the reasons to start over
        known = None
    if known is not None:
        emulator.stop(known, home)
        known = Stack(known.port)
    _remove_data(home)
    home.record.unlink(missing_ok=True)
    return known


def _after_a_crash(home: Home) -> None:
    """The emulator writes its state when it is stopped in order. After anything else, say what that means."""
    if (home.state / "cloudformation.json").exists():
        stderr.print("The emulator was not stopped in order: what was written since it last was, is lost.")
    else:
        stderr.print("The emulator was never stopped in order: its data is lost, and the stack begins anew.")
        _remove_data(home)


def _remove_data(home: Home) -> None:
    for folder in (home.state, home.objects, home.build):
        shutil.rmtree(folder, ignore_errors=True)
    home.make()


def _on_port(known: Stack | None, port: int | None, running: bool) -> Stack:
    stack = known or Stack(port=port or DEFAULT_PORT)
    if running:
        if not emulator.answers(stack):
            raise StepFailed(
                "The stack runs but does not answer.", "", "Start it again: incidents down, then incidents up"
            )
        if port not in (None, stack.port):
            raise StepFailed(
                f"This checkout's stack already runs, on port {stack.port}.", "",
                f"To move it: incidents down, then incidents up --port {port}",
            )  # fmt: skip
        stderr.print(f"The stack runs on port {stack.port}; it gets the code as it is now.")
        return stack
    stack = replace(stack, port=port or stack.port, pid=None)
    if not emulator.is_free(stack.port):
        raise StepFailed(
            f"Port {stack.port} of 127.0.0.1 is taken by another program.", "",
            f"Take another one: incidents up --port {stack.port + 1}",
        )  # fmt: skip
    return stack


def newest_incident(stack: Stack, home: Home) -> str | None:
    """Return the id of the newest incident of the samples' tenant, or None."""
    found = _call(stack, "GET", "?limit=1", issuer.token(stack, home, tenant=TENANT)).json()["items"]
    return found[0]["id"] if found else None


def _load_samples(stack: Stack, home: Home) -> None:
    for sample in json.loads(files(__package__).joinpath("samples.json").read_text()):
        token = issuer.token(stack, home, tenant=TENANT, subject=sample["subject"], app=sample.get("app"))
        _call(stack, "POST", "", token, sample["incident"])


def _send_sample_findings(stack: Stack, home: Home) -> None:
    """Put findings on the bus as their producers do, and wait until they are incidents."""
    accounts = system_repository(stack.client("dynamodb"), stack.table_name)
    accounts.link(SAMPLE_ACCOUNT, TENANT)
    events = json.loads(files(__package__).joinpath("sample_findings.json").read_text())
    for event in events:
        simulated = event["source"].startswith("simulated.")
        if not simulated:
            accounts.allow(stack.account_id, event["source"], TENANT)
        stack.client("events").put_events(
            Entries=[{
                "Source": event["source"],
                "DetailType": event["detail-type"],
                "Detail": json.dumps(event["detail"]),
                "EventBusName": "default" if simulated else stack.event_bus_name,
            }]
        )  # fmt: skip
    deadline = time.monotonic() + _FINDINGS_SECONDS
    titles = {event["detail"]["title"] for event in events}
    token = issuer.token(stack, home, tenant=TENANT)
    while titles - {item["title"] for item in _call(stack, "GET", "", token).json()["items"]}:
        if time.monotonic() > deadline:
            raise StepFailed(
                "The sample findings did not become incidents.", "", "See why: incidents logs ingest_finding"
            )
        time.sleep(0.2)


def _call(stack: Stack, method: str, path: str, token: str, body: object = None) -> httpx.Response:
    answer = httpx.request(
        method, stack.incidents_url + path, json=body, headers={"authorization": f"Bearer {token}"}, timeout=30,
        trust_env=False,
    )  # fmt: skip
    if not answer.is_success:
        raise StepFailed(
            f"The API answered {method} {stack.incidents_url}{path} with {answer.status_code}.", f"  {answer.text}",
            "See what the functions say: incidents logs",
        )  # fmt: skip
    return answer
