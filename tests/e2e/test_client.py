"""Tests of the client on the local stack.

They run the unchanged examples of the client's README, and they use the client through an unreliable proxy.
"""

import os
import random
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from grc_client import Client

from tests.support.checkout import Checkout
from tests.support.templates import CHECKOUT

README = (CHECKOUT / "client" / "README.md").read_text()
SETUP = re.findall(r"^```bash\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
CREATES, CLIENTS = 1_000, 8


@pytest.mark.parametrize("example", range(len(EXAMPLES)))
def test_the_examples_of_the_client_s_readme_work_as_pasted(stack: Checkout, example: int, tmp_path: Path) -> None:
    (setup,) = SETUP
    code = EXAMPLES[example]
    # The first example is five lines. The test removes its URL and token, so that the client uses the local stack.
    if example == 0:
        assert len(code.splitlines()) == 5
        code = code.replace('"https://api.example", token="eyJ..."', "")
    (tmp_path / "example.py").write_text(code)
    # Other tests count the incidents of acme, so this test uses another tenant.
    setup = setup.replace("--tenant acme", "--tenant readers")
    # The script calls `incidents` directly, because its PATH begins with the environment of these tests.
    script = f"set -eu\n{setup.replace('uv run incidents', 'incidents')}\npython -W error {tmp_path / 'example.py'}\n"
    environment = os.environ | {
        "INCIDENTS_HOME": str(stack.home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


class Unreliable(ThreadingHTTPServer):
    """A proxy that cuts 20 % of the connections and answers 10 % of the requests with 503.

    It cuts a connection before or after the call to the API, or in the middle of the answer.
    """

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.upstream = httpx2.Client(base_url=upstream, timeout=60, trust_env=False)
        self.chance = random.Random(20261123)
        self.lock = threading.Lock()
        self.did: dict[str, int] = dict.fromkeys(("pass", "refuse", "cut before", "cut behind", "cut within"), 0)

    def fate(self) -> str:
        with self.lock:
            drawn = self.chance.random()
            fate = (
                "refuse" if drawn < 0.1
                else "pass" if drawn >= 0.3
                else ("cut before", "cut behind", "cut within")[int((drawn - 0.1) * 15)]
            )  # fmt: skip
            self.did[fate] += 1
            return fate


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Unreliable

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        fate = self.server.fate()
        if fate == "refuse":
            self._send(503, b'{"message": "Service Unavailable"}')
            return
        if fate != "cut before":
            kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            answer = self.server.upstream.request(self.command, self.path, headers=kept, content=body)
            if fate == "pass":
                self._send(answer.status_code, answer.content, dict(answer.headers))
                return
            if fate == "cut within":
                self.wfile.write(b"HTTP/1.1 201 Created\r\ncontent-length: 5000\r\n\r\n" + answer.content[:20])
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST  # noqa: N815  # http.server's names

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name in {"content-type", "etag"} & set(headers or {}):
            self.send_header(name, (headers or {})[name])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def unreliable(upstream: str) -> Iterator[tuple[str, Unreliable]]:
    with Unreliable(upstream) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_port}", proxy
        finally:
            proxy.shutdown()
            thread.join()
            proxy.upstream.close()


def test_a_thousand_creates_through_an_unreliable_proxy_make_a_thousand_incidents(stack: Checkout) -> None:
    token = stack.token("unreliable")
    upstream = stack.status["api_url"]
    with unreliable(upstream) as (url, proxy), Client(url, token) as client, ThreadPoolExecutor(CLIENTS) as clients:
        made = list(clients.map(lambda n: client.grc.incidents.create(title=f"number {n}"), range(CREATES)))

    assert proxy.did["refuse"] > CREATES * 0.08
    assert min(proxy.did.values()) > CREATES * 0.05
    assert [incident.title for incident in made] == [f"number {n}" for n in range(CREATES)]
    with Client(upstream, token) as straight:
        stored = {incident.id: incident for incident in straight.grc.incidents.list(limit=100, include_deleted=True)}
    assert set(stored) == {incident.id for incident in made}
    assert len(stored) == CREATES
    assert len({incident.incident_number for incident in made}) == CREATES
