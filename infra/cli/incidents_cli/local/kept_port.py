"""Keeps the stack's port until the emulator's process ends, so that nobody else can take it while functions still run.

The emulator's own interpreter imports this file. So the file imports only the standard library.
"""

import socket
import struct
import threading
from contextlib import suppress
from typing import Any


class KeptPort(socket.socket):
    """A listening socket whose port stays taken until this process ends. After ``close``, it resets each connection.

    When the server stops, it closes its sockets first, and then waits for the calls that run. Meanwhile, another user
    could take the port, and would receive requests of the functions.
    """

    _is_closed = False

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            threading.Thread(target=self._reset_connections, daemon=True).start()

    def _reset_connections(self) -> None:
        self.setblocking(True)
        with suppress(OSError):
            while True:
                connection, _ = self.accept()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()


def keep_ports(configuration: Any) -> None:
    """Let the server's class of configurations create each of its listening sockets as a KeptPort."""
    create = configuration.create_sockets

    def create_and_keep(self: Any) -> Any:
        created = create(self)
        created.insecure_sockets[:] = [
            KeptPort(each.family, each.type, each.proto, fileno=each.detach()) for each in created.insecure_sockets
        ]
        return created

    configuration.create_sockets = create_and_keep
