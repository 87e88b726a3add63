"""Tests the work that a function does before its first request, on Lambda and elsewhere."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from incidents_cli.local.local_stack import operation_name

from tests.support import templates
from tests.support.checkout import free_port
from tests.support.templates import CHECKOUT

THEN_GET = """
import get_incident
from tests.support.events import Context, claims, get_event
answer = get_incident.handler(get_event("inc_01M83J8EHSBKC38ZQ0R08TEPS6", caller=claims()), Context)
print(answer["statusCode"])
"""


class Table(ThreadingHTTPServer):
    """A replacement for DynamoDB that has no items and records all requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[tuple[str, str, int]] = []  # the method, the path and the client's port of each request
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self, body: bytes) -> None:
        assert isinstance(self.server, Table)
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.server.asked.append((self.command, self.path, self.client_address[1]))
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:  # http.server requires this name
        self._answer(b"healthy: dynamodb")

    def do_POST(self) -> None:
        self._answer(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def table() -> Iterator[Table]:
    with Table() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(code: str, url: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, cwd=CHECKOUT,
        env=os.environ | {
            "PYTHONPATH": f"functions{os.pathsep}.", "AWS_ENDPOINT_URL_DYNAMODB": url, "TABLE_NAME": "incidents",
            "POWERTOOLS_LOG_LEVEL": "CRITICAL", **environment,
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


STARTS = """
import importlib, os, sys
import botocore.session

made = []
create_client = botocore.session.Session.create_client

def noted(session, service, **more):
    made.append((service, id(session)))
    return create_client(session, service, **more)

botocore.session.Session.create_client = noted
for module in sys.argv[1:]:
    if not os.fork():
        importlib.import_module(module)
        print(module, len({session for _, session in made}), *sorted(service for service, _ in made), flush=True)
        os._exit(0)
    os.wait()
"""
SERVICE_OF = {
    "TABLE_NAME": "dynamodb", "METRICS_QUEUE_URL": "sqs", "DEAD_LETTERS_URL": "sqs", "EVENT_BUS_NAME": "events",
    "HISTORY_BUCKET": "s3", "HISTORY_KEY": "kms",
}  # fmt: skip
"""For each environment variable of a function, the AWS service that the function then calls."""

ON_LAMBDA = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}


def test_on_lambda_the_first_request_finds_an_open_connection(table: Table) -> None:
    assert run(THEN_GET, table.url, **ON_LAMBDA) == "404\n"

    (ping, get) = table.asked
    assert ping[:2] == ("GET", "/ping")
    assert get[:2] == ("POST", "/")
    assert ping[2] == get[2]


def test_outside_lambda_an_import_makes_no_request(table: Table) -> None:
    run("import get_incident", table.url)
    assert table.asked == []


def test_a_function_starts_without_a_reachable_table() -> None:
    assert run("import get_incident; print(1)", f"http://127.0.0.1:{free_port()}", **ON_LAMBDA) == "1\n"


def test_a_function_starts_without_its_settings() -> None:
    assert run("import get_incident; print(1)", "", TABLE_NAME="", AWS_DEFAULT_REGION="", **ON_LAMBDA) == "1\n"


def test_every_function_makes_its_clients_at_its_start_and_from_one_session(table: Table) -> None:
    calls = {
        operation_name(name): sorted(
            {SERVICE_OF[one] for one in given["Environment"]["Variables"] if one in SERVICE_OF}
        )
        for name, given in templates.functions().items()
        if "Environment" in given and name != templates.CONSOLE  # the console calls no AWS service
    }
    assert len(calls) == len(list((CHECKOUT / "functions").glob("*.py")))

    started = run(
        STARTS, table.url, *calls, AWS_ENDPOINT_URL_SQS=table.url, AWS_ENDPOINT_URL_EVENTS=table.url, **ON_LAMBDA
    )

    made = {line.split()[0]: line.split()[1:] for line in started.splitlines()}
    assert made == {module: ["1", *services] for module, services in calls.items()}


def test_outside_lambda_an_import_makes_no_client(table: Table) -> None:
    assert run(STARTS, table.url, "ingest_finding", "publish_incident_events") == (
        "ingest_finding 0\npublish_incident_events 0\n"
    )
