"""Runs a command that calls the API, with the client's requests answered by a test."""

import grc_client
import httpx2
import pytest

URL = "https://api.example"


def answer_with(transport: httpx2.BaseTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every client of this test a transport, and the environment a token."""
    client = grc_client.Client
    monkeypatch.setattr(grc_client, "Client", lambda *given: client(*given, transport=transport))
    monkeypatch.setenv("GRC_TOKEN", "a.b.c")
