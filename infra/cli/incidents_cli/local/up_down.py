"""The steps of `incidents up` and `incidents down`."""

import fcntl
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING

import httpx2

from ..console import StepFailed, command, interrupted, open_private, stderr, step
from . import emulator, issuer, routes, sam, sign_in, unchanged
from .local_stack import DEFAULT_PORT, TEMPLATE, Stack, StackFolder, load, new_access_key

if TYPE_CHECKING:
    from incidents.storage.account_map import AccountMap

AccountMapOf = Callable[[Stack], "AccountMap"]
"""A function that returns the account map of a running stack.

``up`` has this function as a parameter, because ``local`` must not import from ``operate``.
"""

SAMPLE_ACCOUNT = "111122223333"
_FINDINGS_SECONDS = 60
HISTORY_LOCK = {"HistoryRetentionMode": "GOVERNANCE", "HistoryRetentionDays": "1"}
TENANT = "acme"  # the tenant of the samples and of the token that `up` prints


def up(
    folder: StackFolder, *, port: int | None, fresh: bool, samples: bool, account_map: AccountMapOf
) -> tuple[Stack, bool]:
    """Start or update this checkout's stack with the current code.

    Return the stack, and whether this call started it. A build or a deployment that would change nothing is skipped. If
    ``samples`` is true and the samples' tenant has no incident, load the sample incidents and the sample findings.
    Before the findings, link their account in the account map. Raises StepFailed.
    """
    if not TEMPLATE.exists():
        raise StepFailed(
            "There is no template.yaml here.", "", "Run `uv run incidents up` in a checkout of the project."
        )
    folder.make()
    with _alone(folder):
        known = _start_over(folder) if fresh else load(folder)
        running = known is not None and emulator.is_alive(known)
        if known is not None and running and not known.access_key:
            stderr.print("An earlier version started the stack, without protection. It is stopped and started again.")
            known, running = emulator.stop(known, folder), False
        stack = _on_port(known, port, running)
        if known is not None and known.pid is not None and not running:
            _after_a_crash(folder)
        if not running:
            emulator.require_whole_state(folder)
        target = sam.host_parameters()
        _build(folder, target)
        with step("Fetching the emulator", "The emulator is installed"):
            interpreter = emulator.install()
        try:
            if not running:
                # While the stack was stopped, another user may have taken its port. A command that still ran may then
                # have sent its token or the key to that user. So each start has a new key, and a new key of the issuer.
                folder.issuer_key.unlink(missing_ok=True)
                with step("Starting the emulator", f"Started the emulator on 127.0.0.1:{stack.port}"):
                    stack = emulator.start(interpreter, stack, folder)
            stack = _deploy(stack, folder, target)
            if samples and newest_incident(stack, folder) is None:
                with step("Loading sample incidents through the API", "Loaded sample incidents through the API"):
                    _load_samples(stack, folder)
                with step("Sending sample findings to EventBridge", "The sample findings became incidents"):
                    _send_sample_findings(stack, folder, account_map(stack))
            with step("Calling the API", "The API answers"):
                if newest := newest_incident(stack, folder):
                    _call(stack, "GET", f"/{newest}", issuer.token(stack, folder, tenant=TENANT))
            stack = replace(stack, ready=True)
            stack.save(folder)
        except BaseException:
            if not running:
                emulator.stop(stack, folder)
            raise
    return stack, not running


def left_behind(folder: StackFolder) -> str:
    """Return a text about the remains of an interrupted `incidents up`, with advice."""
    stack, to_start = load(folder), command("up")
    if stack is None or not emulator.is_alive(stack):
        return f"No stack runs. Start the stack: {to_start}"
    return f"The stack runs, perhaps with a part of the new code. Deploy the code again: {to_start}"


def down(folder: StackFolder) -> bool:
    """Stop this checkout's stack and keep its data. Return whether the stack was running.

    Raises StepFailed if the emulator cannot write its data. The stack then still runs. Also raises StepFailed if the
    emulator stopped without writing its data, or if another command starts or stops the stack.
    """
    stack = load(folder)
    if stack is None or not emulator.is_alive(stack):
        return False
    with _alone(folder), step("Stopping the emulator", "Stopped the emulator; its data is kept"):
        if stack.ready:  # before, the emulator has no data of a user
            with interrupted(f"The stack still runs. Stop it: {command('down')}"):
                emulator.save(stack, folder)
        began = time.monotonic()
        if emulator.stop(stack, folder).pid is not None:
            seconds = time.monotonic() - began
            was_killed = seconds >= emulator.STOP_SECONDS
            raise StepFailed(
                "The emulator stopped, but did not write its data. All writes since it last wrote its data are lost.",
                f"  It did not end within {emulator.STOP_SECONDS} seconds, so this command killed it."
                if was_killed
                else f"  It ended after {seconds:.1f} seconds, and did not write {folder.state}.",
                f"Check the free space of the disk. The emulator's output is in {folder.logs / 'emulator.log'}.",
            )
    return True


def wait_for_end(stack: Stack, folder: StackFolder) -> None:
    """Return when another command has stopped the stack. Raises StepFailed if the emulator ended by itself."""
    while emulator.is_alive(stack):
        time.sleep(0.5)
    with _alone(folder, wait=True):  # the other command records its stop when the emulator has ended
        now = load(folder)
    if now is not None and now.pid == stack.pid:
        log = folder.logs / "emulator.log"
        raise StepFailed("The emulator stopped.", "", f"Read its log {log}, then start it again: {command('up')}")


def parameters(stack: Stack, target: dict[str, str]) -> dict[str, str]:
    """Return all template parameters for a deployment to the emulator. ``target`` has the parameters of the build."""
    local = {"DeletionProtection": "false", "TakeSimulatedEvents": "true", "JwtIssuer": stack.issuer, **HISTORY_LOCK}
    console = {
        "ConsoleClientId": sign_in.CLIENT,
        "ConsoleAuthorizeUrl": stack.endpoint_url + sign_in.AUTHORIZE,
        "ConsoleTokenUrl": stack.endpoint_url + sign_in.TOKEN,
        "ConsoleSignOutUrl": stack.endpoint_url + sign_in.SIGN_OUT,
        "ConsoleScopes": " ".join(sign_in.SCOPES),
    }
    return {**target, **local, **console}


def _build(folder: StackFolder, target: dict[str, str]) -> None:
    wanted = unchanged.fingerprint_of_build(target)
    if unchanged.fingerprint_in(folder.build) == wanted:
        stderr.print("The functions are already built.")
        return
    with step("Fetching SAM", "SAM is installed"):
        sam.install()
    unchanged.unmark_build(folder.build)
    name = f"{target['PythonRuntime']} on {target['Architecture']}"
    with step(f"Building the functions for {name}", f"Built the functions for {name}"):
        sam.build(target, folder.build, folder.logs / "build.log")
    unchanged.mark_build(folder.build, wanted)


def _deploy(stack: Stack, folder: StackFolder, target: dict[str, str]) -> Stack:
    issuer.publish(stack, folder)  # before the first call: the authorizer caches a failed read of the keys
    given = parameters(stack, target)
    wanted = unchanged.fingerprint_of_deployment(folder.build, given)
    if unchanged.is_deployed(stack, wanted):
        stderr.print("The emulator has this build already.")
        return stack
    unchanged.unmark_deployment(stack)
    with step("Deploying template.yaml with `sam deploy`", "Deployed template.yaml with `sam deploy`"):
        sam.deploy(stack, given, folder.build, folder.logs / "deploy.log")
        stack = stack.discover()
        if stack.history_bucket:
            _lock_manifests(stack)
    with step("Creating the routes", "Created the routes of the API"):
        routes.create(stack)
    unchanged.mark_deployment(stack, wanted)
    return stack


def _lock_manifests(stack: Stack) -> None:
    """Lock the objects of the manifests' bucket. The emulator's CloudFormation ignores the lock in the template."""
    rule = {"Mode": HISTORY_LOCK["HistoryRetentionMode"], "Days": int(HISTORY_LOCK["HistoryRetentionDays"])}
    stack.client("s3").put_object_lock_configuration(
        Bucket=stack.history_bucket,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": rule}},  # type: ignore[typeddict-item]
    )


@contextmanager
def _alone(folder: StackFolder, *, wait: bool = False) -> Iterator[None]:
    with open_private(folder.lock, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise StepFailed(
                "Another `incidents up` or `incidents down` of this checkout is running.",
                "",
                "Wait until that command ends, then try again.",
            ) from None
        yield


def _start_over(folder: StackFolder) -> Stack | None:
    """Stop the stack, and remove its data and its record.

    Return a new stack with the recorded port, or None if there was no readable record.
    """
    try:
        known = load(folder)
    except StepFailed:  # a broken record must not prevent a fresh start
        known = None
    if known is not None:
        emulator.stop(known, folder)
        known = Stack(known.port)
    _remove_data(folder)
    folder.record.unlink(missing_ok=True)
    return known


def _after_a_crash(folder: StackFolder) -> None:
    """Report which data a crash lost. The emulator writes its data to disk only when it is stopped cleanly."""
    if emulator.has_state(folder):
        stderr.print("The emulator was not stopped cleanly. All writes since its last clean stop are lost.")
    else:
        stderr.print("The emulator was never stopped cleanly. All data is lost, and the stack starts empty.")
        left = folder.path / "left-by-a-crash"
        shutil.rmtree(left, ignore_errors=True)
        left.mkdir(mode=0o700)
        for part in (folder.state, folder.objects):  # a person may have removed a file, and can put it back
            part.rename(left / part.name)
        stderr.print(f"The files that were left are in {left}.")
        _remove_data(folder)


def _remove_data(folder: StackFolder) -> None:
    for part in (folder.state, folder.objects, folder.build):
        shutil.rmtree(part, ignore_errors=True)
    folder.contents.unlink(missing_ok=True)
    folder.make()


def _on_port(known: Stack | None, port: int | None, running: bool) -> Stack:
    stack = known or Stack(port=port or DEFAULT_PORT)
    if running:
        emulator.must_answer(stack)
        if port not in (None, stack.port):
            raise StepFailed(
                f"This checkout's stack already runs on port {stack.port}.", "",
                f"To move the stack: {command('down')}, then {command(f'up --port {port}')}",
            )  # fmt: skip
        stderr.print(f"The stack runs on port {stack.port}. This command updates it with the current code.")
        return stack
    stack = replace(stack, port=port or stack.port, pid=None, access_key=new_access_key())
    if not emulator.is_free(stack.port):
        raise StepFailed(
            f"Port {stack.port} of 127.0.0.1 is taken by another program.", "",
            f"Use another port: {command(f'up --port {stack.port + 1}')}",
        )  # fmt: skip
    return stack


def newest_incident(stack: Stack, folder: StackFolder) -> str | None:
    """Return the id of the newest incident of the samples' tenant, or None."""
    newest = _call(stack, "GET", "?limit=1", issuer.token(stack, folder, tenant=TENANT)).json()["items"]
    return newest[0]["id"] if newest else None


def _load_samples(stack: Stack, folder: StackFolder) -> None:
    for sample in json.loads(files(__package__).joinpath("samples.json").read_text()):
        token = issuer.token(stack, folder, tenant=TENANT, subject=sample["subject"], app=sample.get("app"))
        _call(stack, "POST", "", token, sample["incident"])


def _send_sample_findings(stack: Stack, folder: StackFolder, accounts: "AccountMap") -> None:
    """Put the sample findings on the event bus, and wait until each has become an incident.

    Raises StepFailed after 60 seconds.
    """
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
    token = issuer.token(stack, folder, tenant=TENANT)
    while titles - {item["title"] for item in _call(stack, "GET", "", token).json()["items"]}:
        if time.monotonic() > deadline:
            raise StepFailed(
                "The sample findings did not become incidents.", "", f"Read the log: {command('logs ingest_finding')}"
            )
        time.sleep(0.2)


def _call(stack: Stack, method: str, path: str, token: str, body: object = None) -> httpx2.Response:
    answer = httpx2.request(
        method, stack.incidents_url + path, json=body, headers={"authorization": f"Bearer {token}"}, timeout=30,
        trust_env=False,
    )  # fmt: skip
    if not answer.is_success:
        raise StepFailed(
            f"The API answered {method} {stack.incidents_url}{path} with {answer.status_code}.", f"  {answer.text}",
            f"Read the functions' logs: {command('logs')}",
        )  # fmt: skip
    return answer
