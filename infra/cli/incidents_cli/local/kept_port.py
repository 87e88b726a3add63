"""The stack's port: nobody else can take it before the emulator's process ends, or use up the process's files.

The emulator's own interpreter imports this file. So the file imports only the standard library.
"""

import resource
import socket
import struct
import threading
from contextlib import suppress
from typing import Any

_OWN_FILES = 256
"""The number of open files that connections must leave to the process: for state, logs and the pipes of functions."""


class KeptPort(socket.socket):
    """A listening socket whose port stays taken until this process ends. After ``close``, it resets each connection.

    When the server stops, it closes its sockets first, and then waits for the calls that run. Meanwhile, another user
    could take the port, and would receive requests of the functions.

    If many connections are open, it resets further ones. Otherwise, the process could no longer open files.
    """

    _is_closed = False

    def accept(self) -> tuple[socket.socket, Any]:
        """Return a connection, as ``socket.accept`` does. Raises BlockingIOError if too many files are open."""
        connection, address = super().accept()
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if connection.fileno() >= most - _OWN_FILES > 0:  # a new file gets the lowest free number
            _reset(connection)
            raise BlockingIOError
        return connection, address

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            threading.Thread(target=self._reset_connections, daemon=True).start()

    def _reset_connections(self) -> None:
        self.setblocking(True)
        with suppress(OSError):
            while True:
                _reset(super().accept()[0])


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def keep_ports(configuration: Any) -> None:
    """Let the server's class of configurations create each of its listening sockets as a KeptPort."""
    create = configuration.create_sockets
    configuration.backlog = 1024  # with the usual 100, the system may reset some of 400 connections at once

    def create_and_keep(self: Any) -> Any:
        created = create(self)
        created.insecure_sockets[:] = [
            KeptPort(each.family, each.type, each.proto, fileno=each.detach()) for each in created.insecure_sockets
        ]
        return created

    configuration.create_sockets = create_and_keep
