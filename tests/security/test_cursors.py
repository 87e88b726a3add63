"""Tests that a cursor is accepted only unchanged.

The tests try 10,000 changed cursors. Each of them is refused and reads nothing.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from urllib.parse import quote

import list_incident_changes
import list_incidents
import pytest
from create_incident import handler as create
from update_incident import handler as update

from tests.support.events import Context, claims, create_event, http_event, patch_event
from tests.support.operations import calls_to_dynamodb

TAMPERS = 10_000
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/.% \n\x00é"

List = Callable[[str, dict[str, str]], dict[str, Any]]


@pytest.fixture
def calls(service: str) -> Iterator[list[str]]:
    with calls_to_dynamodb() as made:
        yield made


@pytest.fixture
def incident_id(calls: list[str]) -> str:
    """Create an incident with two changes, and return its id. The same tenant has two more incidents."""
    for number in range(2):
        create(create_event({"title": f"number {number}"}), Context)
    made: str = json.loads(create(create_event({"title": "the last"}), Context)["body"])["id"]
    update(patch_event(made, {"status": "investigating"}), Context)
    return made


def list_(query: str, caller: dict[str, str]) -> dict[str, Any]:
    return list_incidents.handler(http_event(query=query, caller=caller, content_type=None), Context)


def changes(incident_id: str) -> List:
    path = {"incident_id": incident_id}
    return lambda query, caller: list_incident_changes.handler(
        http_event(path=path, query=query, caller=caller, content_type=None), Context
    )


def cursor_of(read: List, query: str = "limit=1", caller: dict[str, str] | None = None) -> str:
    cursor = json.loads(read(query, caller or claims())["body"])["next_cursor"]
    assert isinstance(cursor, str)
    return cursor


def tampered(random: Random, cursor: str, other: str) -> Iterator[str]:
    """Yield changed cursors without end. No yielded cursor equals one of the two given cursors."""
    while True:
        place, length = random.randrange(len(cursor)), random.randrange(1, 8)
        raw = bytearray(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
        changed = random.choice((
            cursor[:place] + random.choice(ALPHABET) + cursor[place + 1 :],
            cursor[:place] + random.choice(ALPHABET) + cursor[place:],
            cursor[:place] + cursor[place + length :],
            cursor[:place],
            cursor + random.choice(ALPHABET) * length,
            cursor[place:] + cursor[:place],
            cursor[:place] + cursor[place:].swapcase(),
            cursor[:place] + other[place:],
            cursor + other,
            urlsafe_b64encode(raw).decode().rstrip("="),
        ))  # fmt: skip
        if changed not in (cursor, other):
            yield changed


def test_a_changed_cursor_gives_400_and_reads_nothing(
    incident_id: str, calls: list[str], promise: Callable[[str, str], None]
) -> None:
    lists: list[List] = [list_, changes(incident_id)]
    cursors = [cursor_of(read) for read in lists]
    for read, cursor in zip(lists, cursors, strict=True):
        assert read(f"limit=1&cursor={cursor}", claims())["statusCode"] == 200
    calls.clear()

    for turn, read in enumerate(lists):
        cursors_made = tampered(Random(turn), cursors[turn], cursors[1 - turn])
        for _ in range(TAMPERS // len(lists)):
            changed = next(cursors_made)
            answer = read(f"limit=1&cursor={quote(changed, safe='')}", claims())
            assert answer["statusCode"] == 400, changed

    assert calls == []
    promise(
        "A changed cursor is answered with 400 and reads nothing",
        f"{TAMPERS:,} changed cursors were sent: {len(calls)} calls to the table",
    )


def test_a_cursor_works_only_for_its_own_list(incident_id: str, calls: list[str]) -> None:
    page, history = cursor_of(list_), cursor_of(changes(incident_id))
    other_incident = json.loads(create(create_event({"title": "other"}), Context)["body"])["id"]
    calls.clear()

    for read, query, caller in (
        (list_, f"cursor={page}", claims("globex")),
        (list_, f"cursor={page}", claims(app_id="soc-portal")),
        (list_, f"cursor={page}&status=new", claims()),
        (list_, f"cursor={page}&order=asc", claims()),
        (list_, f"cursor={page}&include_deleted=true", claims()),
        (list_, f"cursor={history}", claims()),
        (changes(incident_id), f"cursor={page}", claims()),
        (changes(incident_id), f"cursor={history}", claims("globex")),
        (changes(other_incident), f"cursor={history}", claims()),
    ):
        assert read(query, caller)["statusCode"] == 400
    assert calls == []
