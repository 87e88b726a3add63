"""Tests that the emulator's port stays taken while the emulator stops."""

import socket

import pytest
from incidents_cli.local.kept_port import keep_ports


def test_the_port_stays_taken_and_resets_connections_after_the_server_closes_its_sockets() -> None:
    class OpenSockets:
        def __init__(self) -> None:
            self.insecure_sockets = [socket.create_server(("127.0.0.1", 0))]

    class ServerConfiguration:
        def create_sockets(self) -> OpenSockets:
            return OpenSockets()

    keep_ports(ServerConfiguration)
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
