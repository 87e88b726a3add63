"""Tests that the committed OpenAPI document describes the deployed API correctly.

Also tests that the document's page works in a real browser.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from incidents_cli.documents import openapi

from tests.support.browser import browse
from tests.support.checkout import Caller, Checkout
from tests.support.templates import CHECKOUT

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
DOCUMENT: dict[str, Any] = json.loads(openapi.FILE.read_text())
WRONG_STATEMENTS = ("Undocumented status code", "Response violates schema", "Schema-violating request accepted")
"""Schemathesis's headings for a missing status, a field's wrong type, and a rule that the API does not have."""


def schemathesis(stack: Checkout, document: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    person = stack.caller(stack.token("schemathesis"))
    incident = person.post(json={"title": "x"}).json()["id"]
    return subprocess.run(
        [Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIGURATION, "run", document,
         "--url", stack.status["api_url"], *options],
        env=os.environ | {
            "TOKEN": stack.token("schemathesis"),
            "INCIDENT_ID": incident,
            "NO_PROXY": "127.0.0.1",
            "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
            "PYTHONPATH": str(CHECKOUT),
        },
        cwd=document.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_schemathesis_finds_no_difference_between_document_and_api(stack: Checkout, tmp_path: Path) -> None:
    document = Path(shutil.copy(openapi.FILE, tmp_path))  # a copy, because schemathesis writes its reports next to it
    done = schemathesis(stack, document)

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Tested: (\d+)", done.stdout).group(1) == str(operations())  # type: ignore[union-attr]
    assert int(re.search(r"([0-9]+) generated, \1 passed", done.stdout)[1]) > 2_000  # type: ignore[index]
    assert "returned only 404" not in done.stdout, "the requests must reach existing incidents"


def operations() -> int:
    return sum(len(methods) for methods in DOCUMENT["paths"].values())


def test_schemathesis_finds_each_wrong_statement_in_the_document(stack: Checkout, tmp_path: Path) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    schemas = document["components"]["schemas"]
    del document["paths"]["/api/v1/grc/incidents"]["post"]["responses"]["422"]
    schemas["Incident"]["properties"]["title"]["type"] = "integer"
    schemas["NewIncident"]["required"].append("category")
    (tmp_path / "openapi.json").write_text(json.dumps(document))

    done = schemathesis(
        stack,
        tmp_path / "openapi.json",
        "--include-operation-id",
        "create_incident",
        "--phases",
        "examples,coverage",
    )

    assert done.returncode == 1, done.stdout + done.stderr
    for failure in WRONG_STATEMENTS:
        assert failure in done.stdout, done.stdout + done.stderr


def test_the_document_needs_no_token_and_is_the_committed_file(stack: Checkout) -> None:
    answer = stack.caller(None).get("/openapi.json")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text == openapi.FILE.read_text()
    known = stack.caller(None).get("/openapi.json", headers={"if-none-match": answer.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


def test_the_page_shows_every_operation_in_a_real_browser(stack: Checkout, tmp_path: Path) -> None:
    anonymous: Caller = stack.caller(None)
    assert anonymous.get("/docs").headers["content-type"] == "text/html; charset=utf-8"

    page, console = browse(f"{stack.status['api_url']}/api/v1/grc/incidents/docs#/incidents/create_incident", tmp_path)

    # The page logs "escaping deep link whitespace" for any link that contains an underscore.
    told = [line for line in console.splitlines() if "escaping deep link whitespace" not in line]
    assert told == [], "the console has an error or a refusal by the Content-Security-Policy"
    shown = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            assert f'id="operations-{operation["tags"][0]}-{operation["operationId"]}"' in shown
            assert operation["summary"] in shown
    assert re.search(r'class="opblock opblock-post is-open" id="operations-incidents-create_incident"', shown)
    assert "Failed to load" not in shown


PRESS = """
const until = (found) => new Promise((resolve) => {
  const look = () => found() ? resolve(found()) : setTimeout(look, 50);
  look();
});
const find = (selector) => document.querySelector(".opblock.is-open " + selector);
until(() => find(".try-out__btn"))
  .then((button) => { button.click(); return until(() => find(".execute")); })
  .then((button) => button.click());
"""


@contextmanager
def behind_a_prefix(stack: Checkout, planted: str) -> Iterator[tuple[str, list[str]]]:
    """Serve the API under another prefix, with a token in each call and a script planted in its pages.

    Yield the new URL of the API and the paths that were called, with their query strings.
    """
    prefix, called = "/some/prefix", list[str]()
    origin, token = stack.status["api_url"], stack.token("visitors")

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            called.append(self.path.removeprefix(prefix))
            answer = stack.http.get(origin + called[-1], headers={"authorization": f"Bearer {token}"})
            is_page = answer.headers["content-type"].startswith("text/html")
            body = answer.text + f"<script>{planted}</script>" if is_page else answer.text
            self.send_response(answer.status_code)
            self.send_header("content-type", answer.headers["content-type"])
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{prefix}", called
        server.shutdown()


@pytest.mark.parametrize(("tag", "operation"), [("incidents", "list_incidents"), ("metrics", "get_incident_metrics")])
def test_try_it_out_finds_something_at_the_first_press(
    stack: Checkout, tmp_path: Path, tag: str, operation: str
) -> None:
    title = stack.caller(stack.token("visitors")).post(json={"title": "the visitor's first"}).json()["title"]

    with behind_a_prefix(stack, PRESS) as (url, called):
        page, _ = browse(f"{url}/api/v1/grc/incidents/docs#/{tag}/{operation}", tmp_path)

    shown = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
    assert re.search(r"live-responses-table.*?response-col_status\D*200", shown, re.DOTALL), called
    assert f"{url}/api/v1/grc/incidents" in shown, "the call must go to the API that serves the page"
    assert operation != "list_incidents" or title in shown


def test_the_browser_refuses_and_reports_a_foreign_script(stack: Checkout, tmp_path: Path) -> None:
    """Shows that the test of the page would notice a foreign script: the browser refuses and reports the script."""
    page = stack.caller(None).get("/docs")
    planted = tmp_path / "planted.html"
    # A policy in a meta element may not contain frame-ancestors.
    rules = page.headers["content-security-policy"].replace("; frame-ancestors 'none'", "")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{rules}">'
    planted.write_text(f"<!doctype html>{policy}<script>document.title = 'planted'</script>")

    shown, console = browse(planted.as_uri(), tmp_path / "profile")

    assert "planted</title>" not in shown
    assert "Content Security Policy" in console
    planted.write_text(f"<!doctype html>{policy}<p>nothing that runs</p>")
    assert browse(planted.as_uri(), tmp_path / "other profile")[1] == ""
