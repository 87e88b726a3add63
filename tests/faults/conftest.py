"""Fixtures of the fault tests."""

import pytest

from tests.faults.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)
