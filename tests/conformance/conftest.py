"""Fixtures of the conformance tests: patience with a busy machine, and the intake's accounts and dead letters."""

from collections.abc import Iterator
from typing import Any

import pytest
from incidents.edges import queues
from incidents.runtime import deadline
from incidents.storage import dynamodb
from incidents.storage.account_map import AccountMap

from tests.support.events import Context
from tests.support.recorded import ACCOUNT


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let DynamoDB Local take 5 s for an answer. On a busy machine, the 2 s of a deployed function can be too short."""
    patient = deadline.bounds()._replace(read_seconds=5)
    monkeypatch.setattr(deadline, "bounds", lambda: patient)
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda: 60_000)


@pytest.fixture
def accounts(service: str) -> AccountMap:
    """Return the account map, with one account linked to the tenant acme."""
    accounts = AccountMap(dynamodb.client(), service)
    accounts.link(ACCOUNT, "acme")
    return accounts


@pytest.fixture
def dead_letters(accounts: AccountMap, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Yield the list of messages that the function sends to the queue of dead letters.

    This fixture simulates SQS. The tests in tests/e2e use the queue of the local stack.
    """
    sent: list[dict[str, Any]] = []
    monkeypatch.setenv("DEAD_LETTERS_URL", "https://sqs.example/dead-letters")
    queues.client.cache_clear()
    sqs = queues.client()

    def answer(params: Any, **_: object) -> tuple[Any, dict[str, str]]:
        sent.append(params)
        return None, {"MessageId": "1"}

    sqs.meta.events.register("provide-client-params.sqs.SendMessage", lambda params, **_: sent.append(dict(params)))
    sqs.meta.events.register("before-call.sqs.SendMessage", lambda **_: (Answered(), {"MessageId": "1"}))  # type: ignore[arg-type]
    yield sent
    queues.client.cache_clear()


class Answered:
    """A replacement for an HTTP response. It has only the members that botocore reads."""

    status_code = 200
