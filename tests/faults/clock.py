"""A simulated clock. Waiting takes no real time, so a test can try a hang of many seconds at every call."""

from types import SimpleNamespace

import botocore.endpoint
import pytest
from incidents.runtime import deadline


class Clock:
    """A clock that advances only for waits: our pauses, botocore's pauses between attempts, and injected hangs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        monkeypatch.setattr(deadline, "monotonic", lambda: self.seconds)
        monkeypatch.setattr(deadline, "sleep", self.wait)
        monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=self.wait))

    def wait(self, seconds: float) -> None:
        self.seconds += seconds

    def hang(self) -> None:
        self.wait(deadline.bounds().read_seconds)
