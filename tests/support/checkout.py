"""Runs the local stack as its user does: through the command and over HTTP."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.support.templates import CHECKOUT

PATH = "/api/v1/grc/incidents"


def free_port() -> int:
    """Return a port that no connection gets by itself. The system gives connections the ports from 32768 on Linux."""
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class Checkout:
    """The stack of one checkout, used through the command and over HTTP."""

    home: Path
    port: int
    http: httpx2.Client
    # A cache of the commands' outputs. `incidents up` and `incidents down` empty the cache.
    _told: dict[tuple[str, ...], str] = field(default_factory=dict)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        if arguments[0] in ("up", "down"):
            self._told.clear()
        command = Path(sys.executable).with_name("incidents")
        environment = os.environ | {"INCIDENTS_HOME": str(self.home)}
        return subprocess.run([command, *arguments], env=environment, capture_output=True, text=True, check=False)

    def answer(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def told(self, *arguments: str) -> str:
        """Return the output of a command, cached until the next `incidents up` or `incidents down`.

        The cache saves about a second for each call.
        """
        if arguments not in self._told:
            self._told[arguments] = self.answer(*arguments)
        return self._told[arguments]

    def up(self, *arguments: str) -> str:
        return self.answer("up", "--detach", "--port", str(self.port), *arguments)

    def restart_with_another_key(self) -> None:
        self._told.clear()
        command = (sys.executable, "-m", "tests.support.restart")
        environment = os.environ | {"INCIDENTS_HOME": str(self.home)}
        done = subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    @contextmanager
    def in_foreground(self) -> Iterator["subprocess.Popen[str]"]:
        """Run `incidents up` in the foreground, as in a terminal, and yield the process."""
        self._told.clear()
        command = (Path(sys.executable).with_name("incidents"), "up", "--no-samples", "--port", str(self.port))
        environment = os.environ | {"INCIDENTS_HOME": str(self.home)}
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            # Without this line, a process in the background may ignore SIGINT.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process:  # fmt: skip
            assert process.stdout is not None
            try:
                assert any(line.startswith("Try it") for line in process.stdout), "`incidents up` ended early"
                yield process
            finally:
                process.kill()

    @property
    def status(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self.told("status", "--json"))
        return values

    def token(self, tenant: str = "initech", **options: str) -> str:
        more = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        return self.told("token", "--tenant", tenant, *more).strip()

    def caller(self, token: str | None) -> "Caller":
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return Caller(self.http, self.status["api_url"] + PATH, headers)


class Caller:
    """A client of the incidents API that holds a token."""

    def __init__(self, http: httpx2.Client, url: str, headers: dict[str, str]) -> None:
        self._http, self._url, self._headers = http, url, headers

    def request(
        self, method: str, path: str = "", headers: dict[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        return self._http.request(method, self._url + path, headers=self._headers | (headers or {}), **more)

    def get(self, path: str = "", **options: Any) -> httpx2.Response:
        return self.request("GET", path, **options)

    def post(self, **options: Any) -> httpx2.Response:
        return self.request("POST", **options)

    def patch(self, path: str, patch: object, headers: dict[str, str] | None = None) -> httpx2.Response:
        sent_as = {"content-type": "application/merge-patch+json"} | (headers or {})
        return self.request("PATCH", path, content=json.dumps(patch), headers=sent_as)

    def delete(self, path: str, headers: dict[str, str] | None = None) -> httpx2.Response:
        return self.request("DELETE", path, headers=headers)
