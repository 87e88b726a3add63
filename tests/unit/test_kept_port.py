"""Tests that the emulator's port stays taken while the emulator stops."""

import resource
import socket

import pytest
from incidents_cli.local.kept_port import KeptPort, keep_ports


def test_the_port_stays_taken_and_resets_connections_after_the_server_closes_its_sockets() -> None:
    class OpenSockets:
        def __init__(self) -> None:
            self.insecure_sockets = [socket.create_server(("127.0.0.1", 0))]

    class ServerConfiguration:
        backlog = 100

        def create_sockets(self) -> OpenSockets:
            return OpenSockets()

    keep_ports(ServerConfiguration)
    assert ServerConfiguration.backlog >= 400, "a burst of connections waits"
    (listening,) = ServerConfiguration().create_sockets().insecure_sockets
    port = listening.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as waiting:
        listening.setblocking(False)  # as the server does
        listening.close()
        listening.close()

        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", port))
        with pytest.raises(ConnectionResetError):
            waiting.recv(1)
    for _ in range(3):
        with pytest.raises(ConnectionResetError), socket.create_connection(("127.0.0.1", port), 5) as late:
            late.recv(1)
    listening.shutdown(socket.SHUT_RDWR)  # ends the thread
    socket.socket.close(listening)


def test_connections_leave_files_to_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as made:
        kept = KeptPort(made.family, made.type, made.proto, fileno=made.detach())
    with (
        socket.create_connection(kept.getsockname()) as early,
        kept.accept()[0] as accepted,
        socket.create_connection(kept.getsockname()) as late,
    ):
        limit = accepted.fileno() + 256 + 1  # the next connection has a higher number
        monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))

        with pytest.raises(BlockingIOError):
            kept.accept()

        with pytest.raises(ConnectionResetError):
            late.recv(1)
        accepted.sendall(b"x")
        assert early.recv(1) == b"x"
    socket.socket.close(kept)
