"""Tests of both clients on a server that wants to take their memory, their time or their token.

Each server ends by itself after a while, so that a client without limits fails the test instead of hanging.
"""

import asyncio
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import cache, partial

import grc_client
import pytest
from grc_client import AsyncClient, Client, receiving

TOKEN = "eyJhbGciOiJSUzI1NiJ9.canary.c2ln"
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
BLOCK = b"10000\r\n" + b" " * 65_536 + b"\r\n"
DRIPS, PAUSE = 200, 0.02  # 4 seconds
TIMEOUT, PATIENCE = 0.3, 20  # seconds of a client: longer than a drip's pause, and for a test of other limits

Use = Callable[..., None]


class Server:
    """A server that sends the given pieces to each connection. It counts the pieces that it could send.

    Where the pieces have None, it waits for the connection's next request.
    """

    def __init__(self, pieces: Callable[[], Iterator[bytes | None]], pause: float = 0) -> None:
        self.sent, self.connections, self.requests = 0, 0, list[bytes]()
        self._pieces, self._pause = pieces, pause
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                with connection, suppress(OSError):
                    self.requests.append(connection.recv(65_536))
                    for piece in self._pieces():
                        if piece is None:
                            self.requests.append(connection.recv(65_536))
                            continue
                        connection.sendall(piece)
                        self.sent += 1
                        time.sleep(self._pause)


def listed(url: str, timeout: float = PATIENCE) -> None:
    with Client(url, TOKEN, timeout=timeout, retry_for=0) as client:
        client.grc.incidents.list()


def listed_with_asyncio(url: str, timeout: float = PATIENCE) -> None:
    async def use() -> None:
        async with AsyncClient(url, TOKEN, timeout=timeout, retry_for=0) as client:
            await client.grc.incidents.list()

    asyncio.run(use())


both = pytest.mark.parametrize("use", [listed, listed_with_asyncio], ids=["blocking", "asyncio"])


def endless() -> Iterator[bytes]:
    yield CHUNKED
    yield from [BLOCK] * 1000  # 64 MB


@cache
def packed() -> bytes:
    packer = zlib.compressobj(wbits=31)
    return b"".join([*(packer.compress(bytes(1_000_000)) for _ in range(400)), packer.flush()])


def bomb() -> Iterator[bytes]:
    yield OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed())
    yield packed()


@pytest.fixture
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * receiving.LARGEST, "httpx2 2.0 unpacks 64 KiB at once, so up to 66 MB, and copies them"


@both
def test_an_endless_answer_ends_at_the_limit(use: Use, little_memory: None) -> None:
    with closing(Server(endless)) as server:
        with pytest.raises(grc_client.UnexpectedAnswer, match="has more than 10,485,760 bytes"):
            use(server.url)
        assert server.sent < 500


@both
def test_a_packed_answer_is_not_unpacked_beyond_the_limit(use: Use, little_memory: None) -> None:
    packed()
    with (
        closing(Server(bomb)) as server,
        pytest.raises(grc_client.UnexpectedAnswer, match="has more than 10,485,760 bytes"),
    ):
        use(server.url)


def drip(head: bytes, drop: bytes) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield head
        yield from [drop] * DRIPS

    return pieces


SLOW = {
    "body": drip(OK + b"content-length: 10000\r\n\r\n", b" "),
    "chunks": drip(CHUNKED, b"1\r\n \r\n"),
    "status": drip(b"HTTP/1.1 200 ", b"O"),
    "headers": drip(OK, b"x: y\r\n"),
    "informational": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@both
@pytest.mark.parametrize("pieces", SLOW.values(), ids=SLOW.keys())
def test_an_answer_in_small_pieces_ends_at_the_time_limit(use: Use, pieces: Callable[[], Iterator[bytes]]) -> None:
    with closing(Server(pieces, PAUSE)) as server:
        with pytest.raises(grc_client.ConnectionFailed, match="ReadTimeout"):
            use(server.url, TIMEOUT)
        assert server.sent < DRIPS // 2


def test_the_time_limit_holds_on_a_connection_that_is_used_again() -> None:
    def twice() -> Iterator[bytes | None]:
        body = b'{"items": [], "next_cursor": null}'
        yield OK + b"content-length: %d\r\n\r\n" % len(body) + body
        yield None
        yield from drip(b"", b"H")()

    with closing(Server(twice, PAUSE)) as server, Client(server.url, TOKEN, timeout=PATIENCE, retry_for=0) as client:
        client.grc.incidents.list()
        with pytest.raises(grc_client.ConnectionFailed, match="ReadTimeout"):
            client.with_options(timeout=TIMEOUT).grc.incidents.list()
        assert (server.connections, len(server.requests)) == (1, 2)
        assert server.sent < DRIPS // 2


@both
def test_headers_without_end_are_refused(use: Use) -> None:
    def flood() -> Iterator[bytes]:
        yield OK
        yield from [b"x: " + b"y" * 65_000 + b"\r\n"] * 500  # 32 MB

    with closing(Server(flood)) as server:
        with pytest.raises(grc_client.ConnectionFailed):
            use(server.url)
        assert server.sent < 250


@both
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_token_does_not_follow_a_redirect(use: Use, status: int) -> None:
    with closing(Server(partial(iter, (OK,)))) as other:
        for target in (f"{other.url}/api/v1/grc/incidents", "file:///etc/passwd", "//127.0.0.2/x"):
            head = f"HTTP/1.1 {status} Moved\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n".encode()
            with closing(Server(partial(iter, (head,)))) as server:
                with pytest.raises(grc_client.UnexpectedAnswer, match=f"{status}"):
                    use(server.url)
                assert len(server.requests) == 1
        assert other.requests == []
