"""A server that replays recorded answers of DynamoDB Local: the same bytes each time, with almost no work.

`python -m tests.benchmarks.canned URL` serves on a free port of the loopback interface, and prints the port.

``POST /_scene`` with ``{"scene": NAME, "record": BOOL}`` sets the scene of the next requests. If ``record`` is true,
the server passes each request on to URL, and stores the answer by scene and operation. Otherwise it returns the stored
answer.
"""

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO
from urllib.parse import urlsplit

_kept: dict[tuple[str, str], bytes] = {}
_now = {"scene": "", "record": False}


@contextmanager
def serving(upstream: str) -> Iterator[str]:
    """Run a server that replays the answers of the DynamoDB at a URL, and yield the server's own URL."""
    command = (sys.executable, "-m", "tests.benchmarks.canned", upstream)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def scene(url: str, name: str, *, record: bool = False) -> None:
    """Set the scene of the next requests."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    connection.request("POST", "/_scene", json.dumps({"scene": name, "record": record}))
    assert connection.getresponse().status == 200
    connection.close()


def _serve(client: socket.socket, upstream: str) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with client, client.makefile("rb") as stream:
        while line := stream.readline():
            headers = http.client.parse_headers(stream)
            client.sendall(_answer(line.split()[1], headers, _body(stream, headers), upstream))


def _body(stream: BinaryIO, headers: http.client.HTTPMessage) -> bytes:
    return stream.read(int(headers.get("content-length", "0")))


def _answer(path: bytes, headers: http.client.HTTPMessage, body: bytes, upstream: str) -> bytes:
    if path == b"/_scene":
        _now.update(json.loads(body))
        return b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    key = (str(_now["scene"]), headers["x-amz-target"])
    if _now["record"]:
        _kept[key] = _passed_on(headers, body, upstream)
    return _kept[key]


def _passed_on(headers: http.client.HTTPMessage, body: bytes, upstream: str) -> bytes:
    connection = http.client.HTTPConnection(upstream)
    connection.request("POST", "/", body, dict(headers.items()))
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    kept = ("content-type", "x-amz-crc32", "x-amzn-requestid")
    lines = [f"{name}: {answer.headers[name]}" for name in kept if name in answer.headers]
    head = "\r\n".join([f"HTTP/1.1 {answer.status} OK", *lines, f"content-length: {len(content)}", "", ""])
    return head.encode() + content


def _main() -> None:
    upstream = urlsplit(sys.argv[1]).netloc
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)  # noqa: T201
        while True:
            client, _ = server.accept()
            threading.Thread(target=_serve, args=(client, upstream), daemon=True).start()


if __name__ == "__main__":
    _main()
