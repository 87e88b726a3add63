"""Tests that a command sends nothing to a program at the stack's port that does not know the stack's key."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import boto3
import httpx2
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from grc_client import Client, ConnectionFailed
from incidents_cli.local import listener

KEY = "0123456789abcdef0123456789abcdef"
SECRET = "a-secret-of-the-developer"


@pytest.fixture(autouse=True)
def checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_keys", {})
    monkeypatch.setattr(socket.socket, "connect", socket.socket.connect)  # restores the method after the test
    listener.check_connections()


@contextmanager
def program(answer: Callable[[str], bytes | None]) -> Iterator[tuple[int, list[bytes]]]:
    """Run a server. Yield its port, and the requests that it gets.

    ``answer`` returns the answer to the target of a request, or None to close the connection.
    """
    received: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as lines:  # the command may end the connection
            while line := lines.readline():
                head = line
                while (line := lines.readline()).strip():
                    head += line
                length = re.search(rb"content-length: (\d+)", head.lower())
                received.append(head + lines.read(int(length[1]) if length else 0))
                said = answer(head.split()[1].decode())
                if said is None:
                    return
                connection.sendall(said)

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        listener.trust(port, KEY)
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield port, received
        server.shutdown(socket.SHUT_RDWR)  # wakes the thread
    thread.join()


def ok(text: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


def with_httpx2(port: int) -> None:
    httpx2.get(f"http://127.0.0.1:{port}/", headers={"authorization": SECRET}, trust_env=False, timeout=5)


def with_boto3(port: int) -> None:
    tables = boto3.client(
        "dynamodb", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id=SECRET,
        aws_secret_access_key="x", config=Config(retries={"total_max_attempts": 1}, connect_timeout=5),
    )  # fmt: skip
    tables.list_tables()


def with_the_client(port: int) -> None:
    with Client(f"http://127.0.0.1:{port}", SECRET, retry_for=0) as client:
        client.grc.incidents.list()


CALLS = pytest.mark.parametrize("call", [with_httpx2, with_boto3, with_the_client])


@CALLS
def test_the_stacks_emulator_gets_the_request_after_its_proof(call: Callable[[int], None]) -> None:
    def emulator(target: str) -> bytes:
        return ok(listener.answer(KEY, target) or '{"items": [], "next_cursor": null, "TableNames": []}')

    with program(emulator) as (port, received):
        call(port)

    proof, request = received
    assert proof.startswith(b"GET /_incidents/proof/")
    assert SECRET.encode() not in proof
    assert SECRET.encode() in request


@CALLS
@pytest.mark.parametrize(
    "answer",
    [
        lambda target: None,
        lambda target: ok(target.rpartition("/")[2] * 2),
        lambda target: ok(listener.proof("", target.rpartition("/")[2])),
        lambda target: ok(listener.answer("f" * 32, target) or "{}"),
        lambda target: b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        lambda target: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000,
        lambda target: b"x" * 100_000,
        lambda target: b"\r\n\r\n" + b"\xff" * 64,
    ],
    ids=["closes", "echo", "no key", "another start", "refusal", "endless head", "no HTTP", "no text"],
)
def test_another_program_gets_nothing_but_the_challenge(
    call: Callable[[int], None], answer: Callable[[str], bytes | None]
) -> None:
    with (
        program(answer) as (port, received),
        pytest.raises((httpx2.ConnectError, EndpointConnectionError, ConnectionFailed)),
    ):
        call(port)

    assert received, "the program was not asked"
    for request in received:
        assert re.fullmatch(rb"GET /_incidents/proof/[0-9a-f]{32} HTTP/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n", request)


def test_each_connection_has_another_challenge() -> None:
    challenges = set[str]()

    def emulator(target: str) -> bytes:
        if proof := listener.answer(KEY, target):
            challenges.add(target)
        return ok(proof or "")

    with program(emulator) as (port, _):
        for _ in range(5):
            with_httpx2(port)

    assert len(challenges) == 5


def test_a_port_of_no_stack_is_not_asked() -> None:
    with program(lambda target: ok("")) as (port, received):
        listener._keys.clear()
        with_httpx2(port)

    assert len(received) == 1


def test_a_program_that_answers_byte_by_byte_keeps_no_command() -> None:
    head = iter(b"HTTP/1.1 200 OK\r\n" + b"x" * 4000)

    def drip(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            for byte in head:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        listener.trust(port, KEY)
        answering = threading.Thread(target=lambda: drip(server.accept()[0]))
        answering.start()
        with pytest.raises(httpx2.ConnectTimeout):
            httpx2.get(f"http://127.0.0.1:{port}/", timeout=0.5, trust_env=False)
        answering.join()

    assert len(bytes(head)) > 3900


def test_a_program_that_answers_too_slowly_is_no_stack() -> None:
    with program(lambda target: b"HTTP/1.1 200 OK\r\n") as (port, received), pytest.raises(httpx2.ConnectTimeout):
        httpx2.get(f"http://127.0.0.1:{port}/", timeout=0.2, trust_env=False)

    assert len(received) == 1
