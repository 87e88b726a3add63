"""Tests of the command `incidents`, as a new user sees it."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from incidents_cli.console import command

from tests.support import templates
from tests.support.checkout import PATH, Checkout, free_port
from tests.support.waiting import until


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
        "event_bus_name", "queue_url", "dead_letters_url", "functions",
    ]  # fmt: skip
    assert values["endpoint_url"] == f"http://127.0.0.1:{stack.port}"
    modules = {path.stem for path in (templates.CHECKOUT / "functions").glob("*.py")}
    assert set(values["functions"]) == modules | {"get_documentation"}
    assert values["api_url"] in stack.answer("status")


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

    unknown = stack.run("logs", "drop_incidents")
    assert unknown.returncode == 1
    assert "list_incidents" in unknown.stderr


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


def test_down_and_up_keep_the_data(stack: Checkout) -> None:
    client = stack.caller(stack.token("kept"))
    incident = client.post(json={"title": "kept"}).json()

    stack.answer("down")
    assert stack.run("status").returncode == 1
    again = stack.run("down")
    assert (again.returncode, again.stdout) == (0, "")
    stack.up()

    client = stack.caller(stack.token("kept"))
    assert client.get(f"/{incident['id']}").json() == incident
    assert client.post(json={"title": "next"}).json()["incident_number"] > incident["incident_number"]
    samples = stack.caller(stack.token("acme")).get().json()["items"]
    assert [one["title"] for one in samples].count("Customer export left in a public bucket") == 1


def test_a_second_checkout_runs_next_to_the_first(stack: Checkout, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Checkout(tmp_path_factory.mktemp("other"), free_port(), stack.http)
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
    other.up("--no-samples")

    assert other.status["endpoint_url"] == f"http://127.0.0.1:{port}"
    assert other.caller(other.token("acme")).get().json()["items"] == [incident]


def _comes_back_after_a_crash(other: Checkout, incident: dict[str, Any]) -> None:
    os.kill(json.loads((other.home / "stack.json").read_text())["pid"], signal.SIGKILL)
    until(lambda: other.run("status").returncode != 0)

    again = other.run("up", "--detach", "--no-samples")

    assert again.returncode == 0, again.stderr
    assert "not stopped cleanly" in again.stderr
    assert other.caller(other.token("acme")).get().json()["items"] == [incident]


def _starts_over_on_the_same_port(other: Checkout) -> None:
    other.answer("up", "--detach", "--fresh", "--no-samples")

    assert other.status["endpoint_url"] == f"http://127.0.0.1:{other.port}"
    assert other.caller(other.token("acme")).get().json()["items"] == []


def test_a_kill_during_the_start_leaves_no_process(tmp_path: Path, http: httpx2.Client) -> None:
    checkout = Checkout(tmp_path / "home", free_port(), http)
    record = checkout.home / "stack.json"
    words = (Path(sys.executable).with_name("incidents"), "up", "--detach", "--port", str(checkout.port))
    environment = os.environ | {"INCIDENTS_HOME": str(checkout.home)}
    with subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(record.exists, every=0.05)
        pid = json.loads(record.read_text())["pid"]
        starting = checkout.run("status", "--json")
        process.terminate()
        assert process.wait(30) != 0

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
