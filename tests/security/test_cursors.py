"""Tests that a cursor is accepted only unchanged, and that it tells its bearer nothing.

The tests try 10,000 changed cursors. Each of them is refused and reads nothing. They also decode every cursor in all
ways that are open to a bearer, and search the results for other people's incidents.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from urllib.parse import quote

import list_incident_changes
import list_incident_findings
import list_incident_updates
import list_incidents
import pytest
from create_incident import handler as create
from ulid import ULID
from update_incident import handler as update

from tests.support.events import Context, claims, create_event, http_event, patch_event
from tests.support.findings import store_evidence
from tests.support.operations import calls_to_dynamodb

TAMPERS = 10_000
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/.% \n\x00é"

PAGES = ("limit=1", "limit=1&include_deleted=true", "limit=1&order=asc", "limit=2&status=new&status=closed",
         "limit=1&include_deleted=true&created_to=2999-01-01T00:00:00Z")  # fmt: skip

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


def updates(query: str, caller: dict[str, str]) -> dict[str, Any]:
    return list_incident_updates.handler(http_event(query=query, caller=caller, content_type=None), Context)


def changes(incident_id: str) -> List:
    path = {"incident_id": incident_id}
    return lambda query, caller: list_incident_changes.handler(
        http_event(path=path, query=query, caller=caller, content_type=None), Context
    )


def findings(incident_id: str) -> List:
    path = {"incident_id": incident_id}
    return lambda query, caller: list_incident_findings.handler(
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
    store_evidence("acme", incident_id, "x", 2)
    lists: list[List] = [list_, changes(incident_id), updates, findings(incident_id)]
    cursors = [cursor_of(read) for read in lists]
    for read, cursor in zip(lists, cursors, strict=True):
        assert read(f"limit=1&cursor={cursor}", claims())["statusCode"] == 200
    calls.clear()

    for turn, read in enumerate(lists):
        cursors_made = tampered(Random(turn), cursors[turn], cursors[turn - 1])
        for _ in range(TAMPERS // len(lists)):
            changed = next(cursors_made)
            answer = read(f"limit=1&cursor={quote(changed, safe='')}", claims())
            assert answer["statusCode"] == 400, changed

    assert calls == []
    promise(
        "A changed cursor is answered with 400 and reads nothing",
        f"{TAMPERS:,} changed cursors were sent: they caused {len(calls)} calls to the table",
    )


def test_a_cursor_works_only_for_its_own_list(incident_id: str, calls: list[str]) -> None:
    page, history, newest = cursor_of(list_), cursor_of(changes(incident_id)), cursor_of(updates)
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
        (updates, f"cursor={newest}", claims("globex")),
        (updates, f"cursor={newest}", claims(app_id="soc-portal")),
        (updates, f"cursor={newest}&since=2026-01-01T00:00:00Z", claims()),
        (updates, f"cursor={page}", claims()),
        (updates, f"cursor={history}", claims()),
        (list_, f"cursor={newest}", claims()),
        (changes(incident_id), f"cursor={newest}", claims()),
    ):
        assert read(query, caller)["statusCode"] == 400
    assert calls == []


def every_cursor(read: List, query: str, caller: dict[str, str]) -> list[str]:
    """Return the cursors of all pages of a list."""
    cursors: list[str] = []
    while True:
        page = read(query + (f"&cursor={cursors[-1]}" if cursors else ""), caller)
        assert page["statusCode"] == 200
        body = json.loads(page["body"])
        if body["next_cursor"] is None:
            return cursors
        cursors.append(body["next_cursor"])
        if body.get("caught_up"):
            return cursors


def decodings(cursor: str) -> Iterator[bytes]:
    """Yield every text that a person without the key can decode from a cursor."""
    yield cursor.encode()
    for cut in range(4):
        for padded in (cursor[cut:], cursor[cut:][::-1]):
            raw = urlsafe_b64decode(padded[: len(padded) // 4 * 4])
            yield from (raw, raw[::-1], bytes(byte ^ 0xFF for byte in raw), raw.hex().encode())


def told(incident_id: str) -> set[bytes]:
    """Return the texts and bytes that would reveal an incident's id or the moment of its creation."""
    made = ULID.from_str(incident_id.removeprefix("inc_"))
    moment = made.milliseconds
    return {
        incident_id[4:12].encode(), incident_id[-8:].encode(), bytes(made)[:5], bytes(made)[-4:],
        str(moment).encode()[:8], made.datetime.isoformat()[:10].encode(), b"inc_",
        moment.to_bytes(8, "big")[2:7], moment.to_bytes(8, "little")[1:6],
    }  # fmt: skip


def test_no_cursor_of_any_identity_tells_an_incident_or_a_moment(
    service: str, monkeypatch: pytest.MonkeyPatch, promise: Callable[[str, str], None]
) -> None:
    monkeypatch.setattr("incidents.storage.page_reader.ITEMS_READ", 2)  # pages then end at incidents of other callers
    monkeypatch.setattr("incidents.storage.feed_reader.ENTRIES_READ", 2)
    app, other = claims(app_id="soc-portal"), claims(app_id="scanner")
    ids = []
    for number in range(4):
        for caller in (app, other, claims()):
            answer = create(create_event({"title": f"number {number}"}, caller=caller), Context)
            ids.append(json.loads(answer["body"])["id"])
    secrets = set().union(*map(told, ids))

    cursors = [
        every_cursor(list_, query, caller) for query in PAGES for caller in (app, other, claims(), claims("globex"))
    ]
    for incident_id in ids[:3]:
        for n in range(2):
            update(patch_event(incident_id, {"title": f"changed {n}"}, caller=claims()), Context)
        cursors.append(every_cursor(changes(incident_id), "limit=1", claims()))
    of_updates = [
        cursor
        for caller in (app, other, claims(), claims("globex"))
        for cursor in every_cursor(updates, "limit=1", caller)
    ]
    seen = [cursor for some in cursors for cursor in some] + of_updates

    found = [cursor for cursor in seen if any(secret in text for text in decodings(cursor) for secret in secrets)]
    assert found == []
    assert {len(cursor) for cursor in of_updates} == {128}
    assert {len(cursor) for cursor in seen} == {86, 128}
    assert len(set(seen)) == len(seen) > 50
    # A page that reaches the limit of a read is short. Its cursor is at an incident that the caller may not read.
    assert any(not json.loads(list_(f"limit=1&include_deleted=true&cursor={cursor}", app)["body"])["items"]
               for cursor in every_cursor(list_, "limit=1&include_deleted=true", app))  # fmt: skip
    promise(
        "A cursor reveals nothing about incidents that its bearer may not reach",
        f"{len(seen)} cursors of 4 identities were decoded in {sum(1 for _ in decodings(seen[0]))} ways: 0 reveal an "
        "id, a part of an id or a time",
    )
