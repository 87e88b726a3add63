"""Tests of both clients on a network that fails."""

import asyncio
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grc_client
import httpx2
import pytest
from grc_client import AsyncClient, Client

CREATES, CLIENTS = 200, 8
TOKEN = "eyJhbGciOiJSUzI1NiJ9.canary.c2ln"


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
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_port}", proxy
        finally:
            proxy.shutdown()
            thread.join()
            proxy.upstream.close()


def test_creates_through_an_unreliable_proxy_make_each_incident_once(base_url: str, token: str, tag: str) -> None:
    with unreliable(base_url) as (url, proxy), Client(url, token) as client, ThreadPoolExecutor(CLIENTS) as clients:
        made = list(clients.map(lambda n: client.grc.incidents.create(title=str(n), tags=[tag]), range(CREATES)))

    assert proxy.did["refuse"] > CREATES * 0.08
    assert min(proxy.did.values()) > CREATES * 0.05
    assert [incident.title for incident in made] == [str(n) for n in range(CREATES)]
    with Client(base_url, token) as straight:
        stored = {one.id: one for one in straight.grc.incidents.list(limit=100, tag=tag, include_deleted=True)}
    assert set(stored) == {incident.id for incident in made}
    assert len(stored) == CREATES
    assert len({incident.incident_number for incident in made}) == CREATES


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """Run a server that sends the given bytes, one answer for each connection, and yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    connection.recv(65_536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(5)


def http(status: str, body: bytes, *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


PAGE = b'{"items": [], "next_cursor": null}'


@pytest.mark.parametrize(
    "first",
    [
        http("408 Request Timeout", b"Request Timeout", "content-type: text/plain"),
        http("408 Request Timeout", b""),
        http("502 Bad Gateway", b"<h1>Bad gateway</h1>", "content-type: text/html"),
        http("504 Gateway Timeout", b'{"message": "Endpoint request timed out"}', "content-type: application/json"),
        http("200 OK", PAGE)[:-5],
        b"HTTP/1.1 2",
        b"",
    ],
    ids=["408 text", "408 empty", "502 page", "504 of the gateway", "cut in the body", "cut in the head", "closed"],
)
def test_a_failure_that_passes_is_retried(first: bytes) -> None:
    with answering(first, http("200 OK", PAGE, "content-type: text/plain")) as url, Client(url, TOKEN) as client:
        assert client.grc.incidents.list().items == ()


def listed(url: str) -> None:
    with Client(url, TOKEN) as client:
        client.grc.incidents.list()


def listed_with_asyncio(url: str) -> None:
    async def use() -> None:
        async with AsyncClient(url, TOKEN) as client:
            await client.grc.incidents.list()

    asyncio.run(use())


@pytest.mark.parametrize(("use", "host"), [(listed, "127.0.0.1:1"), (listed_with_asyncio, "no-such-host.invalid")])
def test_a_host_that_cannot_be_reached_is_reported_within_seconds(
    use: Callable[[str], None], host: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "grc_client")
    began = time.monotonic()
    with pytest.raises(grc_client.ConnectionFailed, match=f"no answer from {host.partition(':')[0]}: ConnectError"):
        use(f"http://{host}")
    assert time.monotonic() - began < 10
    assert "retry 1 in 0." in caplog.text
    assert "after ConnectError" in caplog.text


def test_neither_a_log_nor_an_error_has_the_password_of_a_proxy(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    refusal = http("407 Proxy Authentication Required", b"who are you?")
    with answering(refusal) as proxy:
        transport = httpx2.HTTPTransport(proxy=proxy.replace("http://", "http://ada:hunter2@"))
        with (
            Client("https://api.example", TOKEN, transport=transport, retry_for=0) as client,
            pytest.raises(grc_client.ConnectionFailed, match="ProxyError 407") as refused,
        ):
            client.grc.incidents.list()
    assert "ProxyError 407 Proxy Authentication Required" in caplog.text
    for canary in ("hunter2", "canary", "YWRhOmh1bnRlcjI"):  # the last one is the password in base64
        assert canary not in caplog.text + str(refused.value) + repr(refused.value)
