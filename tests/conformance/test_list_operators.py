"""Tests of races between edits of one list, through the client, on AWS's own DynamoDB Local.

The client sends a request again after a 503, for at most a minute.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from grc_client import Add, Client, Incident, Remove
from incidents.runtime.log import logger

from tests.support.gateway import Gateway

WRITERS = 200
ROUNDS = 30


@pytest.fixture
def client(service: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(logger, "info", lambda *_, **__: None)
    return Client("https://api.example", "token", transport=Gateway(), retry_for=300)  # 200 threads may be slow


def check_the_trail(client: Client, incident: Incident, first: tuple[str, ...]) -> None:
    """Check that the trail has every version, and that each change of the tags begins with the last result."""
    before, versions = list(first), []
    for change in client.grc.incidents.changes(incident.id, limit=100):
        versions.append(change.version)
        if change.version > 1:
            assert change.changes["tags"].from_ == before
            before = change.changes["tags"].to
    assert versions == list(range(1, incident.version + 1))
    assert tuple(before) == incident.tags


def test_of_200_concurrent_adds_through_the_client_none_is_lost(
    client: Client, promise: Callable[[str, str], None]
) -> None:
    made = client.grc.incidents.create(title="x", affected_asset_ids=["first"])

    def add(n: int) -> None:
        client.grc.incidents.update(made.id, affected_asset_ids=Add(f"asset-{n}"))

    began = time.monotonic()
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(add, range(WRITERS)))
    took = time.monotonic() - began

    after = client.grc.incidents.get(made.id)
    first, *added = after.affected_asset_ids
    assert first == "first"
    assert sorted(added) == sorted(f"asset-{n}" for n in range(WRITERS))
    assert after.version == WRITERS + 1
    promise("Concurrent additions to one list are all kept", f"{WRITERS} additions at once: 0 lost, in {took:.0f} s")


def test_an_add_and_a_remove_of_one_item_end_in_one_of_their_two_orders(client: Client) -> None:
    chance = Random(24)
    made = client.grc.incidents.create(title="x", tags=["kept"])

    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            edits = [Add("x"), Remove("x")]
            chance.shuffle(edits)
            done = list(pool.map(lambda edit: client.grc.incidents.update(made.id, tags=edit), edits))
            after = client.grc.incidents.get(made.id)
            assert after.tags in (("kept",), ("kept", "x"))
            assert after.version == max(one.version for one in done)

    check_the_trail(client, client.grc.incidents.get(made.id), ("kept",))


def test_concurrent_edits_keep_the_order_of_what_they_do_not_name(client: Client) -> None:
    letters = [f"t{n}" for n in range(20)]
    made = client.grc.incidents.create(title="x", tags=letters)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: client.grc.incidents.update(
            made.id, tags=Remove(letters[2 * n]) | Add(f"new-{n}", letters[2 * n + 1])), range(10)))  # fmt: skip

    after = client.grc.incidents.get(made.id)
    assert after.tags[:10] == tuple(letters[1::2])
    assert sorted(after.tags[10:]) == sorted(f"new-{n}" for n in range(10))
    check_the_trail(client, after, tuple(letters))
