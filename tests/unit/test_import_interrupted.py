"""Tests of an import that ends early, while calls of a slow API wait for their answers."""

import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import CancelledError, wait
from pathlib import Path

import jwt
import pytest
from incidents_cli.operate.importing.calling import Threads

from tests.support.waiting import until

CALLS = 8  # the default of --concurrency


def test_ctrl_c_does_not_wait_for_a_server_that_does_not_answer(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("title\n" + "".join(f"row {n}\n" for n in range(50)))
    token = jwt.encode({"tenant_id": "acme", "sub": "ada", "token_use": "access"}, "x" * 32, "HS256")
    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            for _ in range(CALLS):
                connections.append(server.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        command = [sys.executable, "-c", "from incidents_cli.main import app; app()", "import", str(file)]
        with subprocess.Popen(
            [*command, "--tenant", "acme", "--url", url], env=os.environ | {"GRC_TOKEN": token}, stderr=subprocess.PIPE,
            text=True,
        ) as process:  # fmt: skip
            until(lambda: len(connections) == CALLS or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            try:
                _, printed = process.communicate(timeout=15)  # no call of the client ends within 20 seconds
            finally:
                process.kill()
                for connection in connections:
                    connection.close()
    assert process.returncode == 130
    assert f"Calls without an answer yet: {CALLS}." in printed
    assert "Run the same command again to continue." in printed
    assert "Traceback" not in printed


def test_a_call_in_a_thread_gives_its_result_or_its_error() -> None:
    threads = Threads[float](2)
    right, wrong = threads.submit(float, "1.5"), threads.submit(float, "x")
    assert right.result(10) == 1.5
    with pytest.raises(ValueError, match="could not convert"):
        wrong.result(10)
    threads.stop()


def test_a_call_that_has_not_begun_can_be_cancelled() -> None:
    began, end = threading.Event(), threading.Event()

    def hold() -> bool:
        began.set()
        return end.wait(10)

    threads = Threads[bool](1)
    first, second, third = (threads.submit(hold) for _ in range(3))
    assert began.wait(10)
    assert not first.cancel()
    assert second.cancel()
    end.set()
    wait([first, third], 10)
    assert first.result()
    assert third.result()
    with pytest.raises(CancelledError):
        second.result()
    threads.stop()
