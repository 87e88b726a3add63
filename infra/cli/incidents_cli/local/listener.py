"""Lets this process send something to the stack's port only after the stack's emulator has proved its key there.

When a stack stops, another user of the machine may take its port. Without the proof, a command that still runs would
send its token, the stack's key and incidents to this user, and would take this user's answers for those of the stack.

The emulator's own interpreter imports this file, too. So the file imports only the standard library.
"""

import hmac
import secrets
import socket
import time
from typing import Any

PROOF = "/_incidents/proof/"
"""The path at which the guard proves that it knows the stack's key. A random text of 32 characters follows the path."""

_CHARACTERS, _LARGEST_ANSWER, _SUCCESS, _SECONDS = 32, 4096, b"HTTP/1.1 200 ", 10
_keys: dict[int, str] = {}
_connect = socket.socket.connect


class NotTheStack(ConnectionRefusedError):
    """Another program listens at the stack's port, or another start of the stack."""

    def __init__(self, port: int) -> None:
        super().__init__(f"another program, or another start of the stack, answers at 127.0.0.1:{port}")


def proof(key: str, challenge: str) -> str:
    """Return what only a program that knows the key can answer to a challenge."""
    return hmac.new(key.encode(), f"incidents listener {challenge}".encode(), "sha256").hexdigest()


def answer(key: str, path: str) -> str | None:
    """Return the guard's answer to a GET of ``path``, or None if the path has no challenge."""
    challenge = path.removeprefix(PROOF)
    return proof(key, challenge) if path != challenge and len(challenge) == _CHARACTERS else None


def trust(port: int, key: str) -> None:
    """Take a program at ``port`` for the stack's emulator only if it knows ``key``."""
    _keys[port] = key


def check_connections() -> None:
    """Check each new connection of this process to the port of a trusted stack.

    The method of the standard library is replaced, because all HTTP libraries of the command use it: httpx2, and
    urllib3 for boto3. A library takes NotTheStack for a failed connection, so it sends nothing. A check before the
    connection could not see who listens at the moment of the connection.
    """
    socket.socket.connect = _connect_and_check  # type: ignore[assignment,method-assign]


def _connect_and_check(connection: socket.socket, address: Any, /) -> None:
    _connect(connection, address)
    if connection.family == socket.AF_INET and (key := _keys.get(address[1])) is not None:
        _require_proof(connection, address[1], key)


def _require_proof(connection: socket.socket, port: int, key: str) -> None:
    """Ask for a proof on a new connection, which stays open for the first request.

    Raises NotTheStack, or TimeoutError if the complete proof takes longer than the connection's timeout.
    """
    challenge = secrets.token_hex(_CHARACTERS // 2)
    timeout = connection.gettimeout()
    ends = time.monotonic() + (timeout or _SECONDS)
    wanted, received = proof(key, challenge).encode(), b""
    connection.sendall(f"GET {PROOF}{challenge} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    while len(received) < _LARGEST_ANSWER:
        connection.settimeout(max(0.001, ends - time.monotonic()))  # another program may send byte by byte
        received += (part := connection.recv(_LARGEST_ANSWER))
        if not part or not received.startswith(_SUCCESS[: len(received)]):
            break
        _, is_complete, body = received.partition(b"\r\n\r\n")
        if is_complete and len(body) >= len(wanted):
            if not hmac.compare_digest(body, wanted):
                break
            connection.settimeout(timeout)
            return
    raise NotTheStack(port)
