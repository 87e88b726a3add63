"""Tests of the command `incidents`, as a new user sees it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import httpx2
import pytest
from incidents_cli.console import command
from incidents_cli.local import emulator, state_files
from incidents_cli.local.local_stack import Stack

from tests.support import templates
from tests.support.checkout import PATH, Caller, Checkout, free_port
from tests.support.waiting import until

BURST = 400
ALREADY_BUILT = "The functions are already built."
ALREADY_DEPLOYED = "The emulator has this build already."


def test_the_three_lines_that_up_prints_work_as_pasted(welcome: str) -> None:
    lines = [line for line in welcome.splitlines() if line.startswith("curl ")]

    answers = [subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True) for line in lines]

    listed, created, shown = [json.loads(answer.stdout) for answer in answers]
    assert len(listed["items"]) == 3
    assert created["incident_number"] > listed["items"][0]["incident_number"]
    assert shown == listed["items"][0]
    assert all("Host:" not in line for line in lines)


def test_the_api_returns_the_samples(stack: Checkout) -> None:
    found = stack.caller(stack.token("acme")).get(params={"order": "asc"}).json()["items"]

    assert found[0]["title"] == "Customer export left in a public bucket"
    assert (found[0]["mttd_minutes"], found[0]["mttr_minutes"]) == (3465, 11955)
    assert found[1]["app_id"] == "soc-portal"
    assert {incident["source"] for incident in found} >= {"aws.guardduty", "acme.soc"}, (
        "the incidents of these samples must come through EventBridge"
    )


def test_status_prints_only_json(stack: Checkout) -> None:
    values = stack.status

    assert list(values) == [
        "api_url", "endpoint_url", "region", "access_key_id", "secret_access_key", "issuer", "audience", "table_name",
        "event_bus_name", "queue_url", "dead_letters_url", "functions", "calls",
    ]  # fmt: skip
    assert values["endpoint_url"] == f"http://127.0.0.1:{stack.port}"
    modules = {path.stem for path in (templates.CHECKOUT / "functions").glob("*.py")}
    assert set(values["functions"]) == modules | {"get_documentation", "get_console"}
    assert values["api_url"] in stack.answer("status")


def test_the_emulator_saves_its_state_while_it_runs(stack: Checkout, http: httpx2.Client) -> None:
    key = {"authorization": f"AWS4-HMAC-SHA256 Credential={stack.status['access_key_id']}/"}
    began = time.time() - 1

    saved = http.post(stack.status["endpoint_url"] + state_files.SAVE, headers=key)

    assert (saved.status_code, saved.text) == (204, "")
    assert all((stack.home / "state" / f"{name}.json").stat().st_mtime >= began for name in emulator._STATE)


def test_the_stack_has_exactly_the_routes_of_the_template(stack: Checkout) -> None:
    anonymous = stack.caller(None)
    events = [event["Properties"] for one in templates.operations().values() for event in one["Events"].values()]

    for event in events:
        path = event["Path"].removeprefix(PATH).replace("{incident_id}", "inc_1")
        assert anonymous.request(event["Method"], path).status_code == 401
    for method, path in (("PUT", ""), ("GET", "/inc_1/elsewhere"), ("POST", "/inc_1")):
        assert anonymous.request(method, path).status_code == 404


def test_logs_prints_one_line_for_each_request(stack: Checkout) -> None:
    stack.caller(stack.token("logs-tenant")).get()

    printed = stack.answer("logs", "list_incidents")
    lines = [json.loads(line.split(" ", 2)[2]) for line in printed.splitlines() if '"message":"request"' in line]
    (line,) = [line for line in lines if line.get("tenant_id") == "logs-tenant"]
    assert (line["operation"], line["status"], line["service"]) == ("list_incidents", 200, "incidents")

    request_id = stack.caller(stack.token("logs-tenant")).get("/inc_0").json()["request_id"]
    of_request = stack.answer("logs", "--request", request_id).splitlines()
    assert [json.loads(line.split(" ", 2)[2])["status"] for line in of_request if '"message":"request"' in line] == [
        404
    ]
    assert all(request_id in line for line in of_request)
    assert request_id in stack.answer("logs", "--since", "1h")
    nothing = stack.run("logs", "--since", "9998-01-01T00:00:00Z")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "No log event matches.\n")

    unknown = stack.run("logs", "drop_incidents")
    assert unknown.returncode == 1
    assert "list_incidents" in unknown.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--tenant", "Not A Tenant"], "tenant_id"), (["--tenant", "acme", "--subject", "system:x"], "sub"),
        (["--tenant", "acme", "--app", "a b"], "app_id"), (["--tenant", "acme", "--expires-in", "-1"], "expired"),
        (["--tenant", "acme", "--scope", "openid"], "scopes"),
    ],
)  # fmt: skip
def test_token_refuses_what_the_api_refuses(stack: Checkout, words: list[str], named: str) -> None:
    refused = stack.run("token", *words)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert named in refused.stderr


def test_only_its_user_can_read_what_the_stack_writes(stack: Checkout) -> None:
    kept = [path for name in ("state", "objects", "logs", "tmp") for path in (stack.home / name).rglob("*")]
    files = [stack.home / name for name in ("stack.json", "issuer-key.pem", "token", "lock", "logs/emulator.log")]
    open_to_others = [path for path in (*files, *kept) if path.exists() and path.stat().st_mode & 0o077]
    assert [path for path in open_to_others if "ministack-lambda" not in str(path)] == []
    unpacked = [path for path in (stack.home / "tmp").iterdir() if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in unpacked} <= {0o700}


def test_the_stack_listens_on_loopback_only(stack: Checkout) -> None:
    listening = "0A"
    port = f":{stack.port:04X}"
    addresses = {
        fields[1].removesuffix(port)
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for fields in (line.split() for line in Path(table).read_text().splitlines())
        if fields[1].endswith(port) and fields[3] == listening
    }
    assert addresses == {"0100007F"}


def test_the_next_call_succeeds_after_a_worker_is_killed(stack: Checkout) -> None:
    client = stack.caller(stack.token("killed"))
    made = client.post(json={"title": "x"}).json()["id"]
    workers = [
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and str(stack.home) in _command_line(process)
    ]
    assert workers

    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    until(lambda: all(_has_ended(pid) for pid in workers), every=0.01)

    assert client.get(f"/{made}").status_code == 200
    assert client.post(json={"title": "y"}).status_code == 201
    assert len(client.get().json()["items"]) == 2


def _has_ended(pid: int) -> bool:
    """Return whether a process has ended.

    A killed process loses its command line before its parent can see that it ended.
    """
    try:
        state = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in ("Z", "X")


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_text()
    except OSError:
        return ""


@contextmanager
def another_user_who_wants_the_port(stack: Checkout) -> Iterator[list[str]]:
    """Take the stack's port as soon as it is free, and yield the words that begin the lines of the first request.

    Meanwhile, `incidents follow` runs, which calls the API every five seconds. If it finds the stopping stack first, it
    ends, and sends nothing to the user.
    """
    command = (Path(sys.executable).with_name("incidents"), "follow", "--tenant", "kept")
    words: list[str] = []

    def take() -> None:
        ends = time.monotonic() + 120
        while not words and following.poll() is None and time.monotonic() < ends:
            with socket.socket() as server, suppress(OSError):
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind(("127.0.0.1", stack.port))
                server.listen()
                assert not emulator.is_alive(running), "the port is free before the emulator has ended"
                server.settimeout(1)
                connection, _ = server.accept()
                with connection:
                    words.extend(re.split("[ :]", line)[0] for line in connection.recv(10_000).decode().splitlines())

    recorded = json.loads((stack.home / "stack.json").read_text())
    running = Stack(stack.port, stack.status["access_key_id"], recorded["pid"])
    with (
        subprocess.Popen(
            command, env=os.environ | {"INCIDENTS_HOME": str(stack.home)}, stdout=subprocess.PIPE, text=True
        ) as following,
        ThreadPoolExecutor(1) as user,
    ):
        assert following.stdout is not None
        assert "kept" in following.stdout.readline()
        taking = user.submit(take)
        yield words
        taking.result()
        following.terminate()


def test_down_and_up_keep_the_data(stack: Checkout) -> None:
    client = stack.caller(stack.token("kept"))
    incident = client.post(json={"title": "kept"}).json()
    before = stack.status

    with another_user_who_wants_the_port(stack) as sent_to_the_user:
        written = datetime.now(UTC).isoformat()
        client.post(json={"title": "its record of the stream is read before the stop or after it"})
        stack.answer("down")
    assert [line for line in sent_to_the_user if line] in ([], ["GET", "Host"])
    assert not (stack.home / "tmp").exists(), "the code that workers unpacked is removed"
    assert stack.run("status").returncode == 1
    again = stack.run("down")
    assert (again.returncode, again.stdout) == (0, "")
    started = stack.run("up", "--detach", "--port", str(stack.port))
    assert started.returncode == 0, started.stderr
    assert ALREADY_BUILT in started.stderr
    assert ALREADY_DEPLOYED in started.stderr

    until(lambda: '"records":' in stack.answer("logs", "publish_incident_events", "--since", written), 20, every=0.5)

    # While the stack was stopped, a process of another user may have got the key or a token.
    assert client.get(f"/{incident['id']}").status_code == 401
    assert stack.status["access_key_id"] != before["access_key_id"]

    client = stack.caller(stack.token("kept"))
    assert client.get(f"/{incident['id']}").json() == incident
    assert client.post(json={"title": "next"}).json()["incident_number"] > incident["incident_number"]
    samples = stack.caller(stack.token("acme")).get().json()["items"]
    assert [one["title"] for one in samples].count("Customer export left in a public bucket") == 1


def test_many_calls_on_a_new_stack_wait_for_each_other_and_succeed(
    stack: Checkout, promise: Callable[[str, str], None]
) -> None:
    """The stack has just come up, so no function has a worker yet."""
    limit, seen = emulator.calls_at_once(), list[dict[str, int]]()
    with (
        ThreadPoolExecutor(BURST) as pool,
        httpx2.Client(timeout=180, trust_env=False, limits=httpx2.Limits(max_connections=BURST)) as http,
    ):
        caller = Caller(http, stack.status["api_url"] + PATH, {"authorization": f"Bearer {stack.token('burst')}"})
        calls = [pool.submit(caller.post, json={"title": f"incident {n}"}) for n in range(BURST)]
        while not all(call.done() for call in calls):
            status = stack.run("status", "--json")
            assert status.returncode == 0 or "The stack is busy." in status.stderr
            seen += [json.loads(status.stdout)["calls"]] if status.returncode == 0 else []
        answers = [call.result() for call in calls]

    assert [answer.status_code for answer in answers] == [201] * BURST
    assert len({answer.json()["incident_number"] for answer in answers}) == BURST
    assert max((each["running"] for each in seen), default=0) <= limit
    assert not seen or max(each["waiting"] for each in seen) > 0, "the calls must be more than may run"
    unpacked = stack.home / "tmp"
    most = 2 * limit + len(stack.status["functions"])
    until(lambda: sum(str(unpacked) in _command_line(process) for process in Path("/proc").iterdir()) <= most)
    until(lambda: sum(path.is_dir() for path in unpacked.iterdir()) <= most)
    promise(
        "A new local stack answers a burst of calls",
        f"{BURST} creates were sent at once: {BURST} were answered with 201. At most {limit} ran at the same time",
    )


def test_a_second_checkout_runs_next_to_the_first(stack: Checkout, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Checkout(tmp_path_factory.mktemp("other"), free_port(), stack.http)
    shutil.copytree(stack.home / "build", other.home / "build")  # both builds are equal, so copy one
    try:
        with other.in_foreground() as process:
            client = other.caller(other.token("acme"))
            assert client.get().json()["items"] == []
            incident = client.post(json={"title": "only here"}).json()
            assert incident["id"] not in stack.caller(stack.token("acme")).get().text
            assert stack.caller(other.token("acme")).get().status_code == 401
            port = free_port()
            refused = other.run("up", "--detach", "--port", str(port))
            assert refused.returncode == 1
            assert f"{command('down')}, then {command(f'up --port {port}')}" in refused.stderr
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        assert other.run("status").returncode == 1

        _moves_to_another_port_with_its_data(other, port, incident)
        _comes_back_after_a_crash(other, incident)
        _starts_over_on_the_same_port(other)
    finally:
        other.run("down")


def _moves_to_another_port_with_its_data(other: Checkout, port: int, incident: dict[str, Any]) -> None:
    other.port = port
    moved = other.run("up", "--detach", "--no-samples", "--port", str(port))

    assert moved.returncode == 0, moved.stderr
    assert ALREADY_BUILT in moved.stderr
    assert ALREADY_DEPLOYED not in moved.stderr, "the issuer's URL has the port"
    status = other.status
    assert status["endpoint_url"] == f"http://127.0.0.1:{port}"
    assert other.caller(other.token("acme")).get().json()["items"] == [incident]
    queues = boto3.Session(status["access_key_id"], status["secret_access_key"], region_name=status["region"]).client(
        "sqs", endpoint_url=status["endpoint_url"]
    )
    assert status["queue_url"].startswith(status["endpoint_url"])
    queues.send_message(QueueUrl=status["queue_url"], MessageBody="no finding")
    kept = {"QueueUrl": status["dead_letters_url"], "AttributeNames": ["ApproximateNumberOfMessages"]}
    until(lambda: queues.get_queue_attributes(**kept)["Attributes"]["ApproximateNumberOfMessages"] == "1")


def _comes_back_after_a_crash(other: Checkout, incident: dict[str, Any]) -> None:
    os.kill(json.loads((other.home / "stack.json").read_text())["pid"], signal.SIGKILL)
    until(lambda: other.run("status").returncode != 0)

    again = other.run("up", "--detach", "--no-samples")

    assert again.returncode == 0, again.stderr
    assert "not stopped cleanly" in again.stderr
    assert ALREADY_DEPLOYED not in again.stderr, "the crash has lost the deployment with this port"
    assert other.caller(other.token("acme")).get().json()["items"] == [incident]


def _starts_over_on_the_same_port(other: Checkout) -> None:
    other.answer("up", "--detach", "--fresh", "--no-samples")

    assert other.status["endpoint_url"] == f"http://127.0.0.1:{other.port}"
    assert other.caller(other.token("acme")).get().json()["items"] == []


def test_a_kill_during_the_start_leaves_no_process(stack: Checkout, tmp_path: Path, http: httpx2.Client) -> None:
    checkout = Checkout(tmp_path / "home", free_port(), http)
    checkout.home.mkdir(mode=0o700)
    shutil.copytree(stack.home / "build", checkout.home / "build")  # both builds are equal, so copy one
    record = checkout.home / "stack.json"
    words = (Path(sys.executable).with_name("incidents"), "up", "--detach", "--port", str(checkout.port))
    environment = os.environ | {"INCIDENTS_HOME": str(checkout.home)}
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        until(record.exists, every=0.05)
        pid = json.loads(record.read_text())["pid"]
        starting = checkout.run("status", "--json")
        process.terminate()
        told = process.communicate(timeout=60)[1]
        assert process.returncode == 130, told

    assert f"Stopped. No stack runs. Start the stack: {command('up')}" in told
    assert (starting.returncode, starting.stdout) == (1, "")
    assert "The stack is starting" in starting.stderr
    assert not _command_line(Path("/proc", str(pid)))
    assert json.loads(record.read_text())["pid"] is None


def test_the_error_of_a_port_in_use_says_what_to_do(tmp_path: Path, http: httpx2.Client) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = Checkout(tmp_path / "home", port, http).run("up", "--detach", "--port", str(port))

    assert done.returncode == 1
    assert f"Port {port} of 127.0.0.1 is taken" in done.stderr
    assert command(f"up --port {port + 1}") in done.stderr
    assert done.stdout == ""


def test_commands_without_a_stack_say_how_to_start_one(tmp_path: Path, http: httpx2.Client) -> None:
    checkout = Checkout(tmp_path / "home", free_port(), http)
    for words in (["status"], ["status", "--json"], ["token", "--tenant", "acme"], ["logs"]):
        done = checkout.run(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"Start it: {command('up')}" in done.stderr


def test_a_home_that_is_not_a_folder_is_reported_without_a_traceback(tmp_path: Path, http: httpx2.Client) -> None:
    (tmp_path / "home").write_text("a file")

    for words in (["up"], ["status"]):
        done = Checkout(tmp_path / "home", free_port(), http).run(*words)
        assert done.returncode == 1
        assert "cannot be read or written" in done.stderr
        assert "Traceback" not in done.stderr
