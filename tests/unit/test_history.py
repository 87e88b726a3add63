"""Tests the hashes of a history: the example of docs/history.md, its program, and the canonical JSON."""

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from hashlib import sha256
from random import Random
from typing import Any, cast

import pytest
import rfc8785
from grc_client import Change, Incident, history_faults
from hypothesis import given, settings
from incidents.domain import json_text, model, payloads, wire_form
from incidents.domain.model import Change as Entry

from tests.support import documents
from tests.support.drawn import values

PAGE = documents.PAGES["history.md"]
INCIDENT, CHANGES = documents.blocks(PAGE, "json")
STATE, ENTRY = (block.rstrip("\n") for block in documents.blocks(PAGE, "text"))

Document = dict[str, Any]
Damage = Callable[[Document, list[Document]], object]


def of_the_program(incident: str, changes: str) -> list[str]:
    """Return the faults that the page's program finds."""
    names: dict[str, Any] = {}
    (program,) = documents.blocks(PAGE, "python")
    exec(compile(program, "history.md", "exec"), names)  # noqa: S102 - our own page
    return list(names["faults"](incident, changes))


def of_the_client(incident: str, changes: str) -> list[str]:
    unset: Document = {field: [] if field in model.LISTS else None for field in model.FIELDS if field != "app_id"}
    whole = unset | json.loads(incident, parse_float=Decimal)
    entries: Iterable[Document] = json.loads(changes, parse_float=Decimal)
    return history_faults(Incident.model_validate(whole), map(Change.model_validate, entries))


CHECKS = pytest.mark.parametrize("check", [of_the_program, of_the_client])


@CHECKS
def test_the_example_of_the_page_has_no_fault(check: Callable[[str, str], list[str]]) -> None:
    assert check(INCIDENT, CHANGES) == []


def test_the_lines_of_the_page_have_the_hashes_of_the_example() -> None:
    first, second = json.loads(CHANGES)
    assert sha256(STATE.encode()).hexdigest() == first["state_hash"]
    assert sha256(ENTRY.encode()).hexdigest() == second["hash"]
    assert rfc8785.dumps(json.loads(STATE)).decode() == STATE
    assert rfc8785.dumps(json.loads(ENTRY)).decode() == ENTRY


DAMAGES: dict[str, tuple[Damage, set[str]]] = {
    "a value": (lambda _, changes: changes[1]["changes"]["severity"].update(to="low"), {"change 2"}),
    "an amount": (lambda _, changes: changes[1]["changes"]["financial_impact"].update(to=981), {"change 2"}),
    "an author": (lambda _, changes: changes[0].update(by="mallory"), {"change 1", "lead back"}),
    "a time": (lambda _, changes: changes[1].update(at="2026-11-27T22:45:51.215Z"), {"change 2"}),
    "an action": (lambda _, changes: changes[1].update(action="closed"), {"change 2"}),
    "a nonce": (lambda _, changes: changes[1].update(nonce="0" * 32), {"change 2"}),
    "a member that nobody knows": (lambda _, changes: changes[1].update(note="x"), {"change 2"}),
    "a removed hash": (lambda _, changes: changes[0].pop("hash"), {"change 2"}),
    "a removed change": (lambda _, changes: changes.pop(0), {"change"}),
    "an added change": (lambda _, changes: changes.append({**changes[-1], "version": 3}), {"change"}),
    "an added change without a hash": (
        lambda _, changes: changes.append({"version": 3, "at": changes[-1]["at"], "by": "ceo", "action": "updated",
                                           "changes": {}}), {"change"},
    ),
    "a cut trail": (lambda _, changes: changes.pop(), {"change", "lead back"}),
    "a value that no change has": (lambda incident, _: incident.update(title="Laptop found"), {"lead back"}),
    "a value after its last change": (lambda incident, _: incident.update(severity="low"), {"severity is not"}),
    "the author of the last change": (lambda incident, _: incident.update(updated_by="mallory"), {"updated_by is not"}),
    "the time of the last change": (
        lambda incident, _: incident.update(updated_at="2026-11-27T22:45:51.215Z"), {"updated_at is not"},
    ),
    "an amount after its last change": (
        lambda incident, _: incident.update(financial_impact=1), {"financial_impact is not"},
    ),
    "a JSON field": (lambda incident, _: incident["lessons_learned"].update(hours=1), {"lead back"}),
    "a first value": (lambda _, changes: changes[1]["changes"]["severity"].update({"from": "high"}), {"change 2"}),
    "a newer schema version": (lambda incident, _: incident.update(schema_version=2), {"cannot be checked"}),
    "another tenant": (lambda incident, _: incident.update(tenant_id="globex"), {"change 1", "change 2", "lead back"}),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
@CHECKS
def test_each_damage_to_the_example_is_found(check: Callable[[str, str], list[str]], name: str) -> None:
    incident, changes = json.loads(INCIDENT), json.loads(CHANGES)
    damage, named = DAMAGES[name]

    damage(incident, changes)
    found = check(json.dumps(incident), json.dumps(changes))

    assert found
    assert all(any(part in fault for fault in found) for part in named), found


def text(random: Random) -> str:
    """Return a text with characters of all kinds, except surrogates, which the service refuses."""
    ends = (0x20, 0x7F, 0xD7FF, 0xFFFF, 0x10FFFF)
    drawn = (chr(random.randint(0, random.choice(ends))) for _ in range(random.randint(0, 8)))
    return "".join(one for one in drawn if not "\ud800" <= one <= "\udfff")


def value(random: Random, depth: int = 0) -> Any:
    """Return a value of a type that a hash can cover: a name is ASCII, and a number is whole."""
    match random.randint(0, 6 if depth < 3 else 4):
        case 0:
            return random.choice([None, True, False])
        case 1:
            return random.choice([0, 5, model.MINUTES_MAX, 2**53 - 1, -1])
        case 2 | 3:
            return text(random)
        case 4:
            return [text(random) for _ in range(random.randint(0, 3))]
    names = ["".join(chr(random.randint(0, 127)) for _ in range(random.randint(0, 3))) for _ in range(4)]
    return {name: value(random, depth + 1) for name in names}


def test_the_canonical_json_is_rfc_8785_for_all_types_that_can_occur() -> None:
    for number in range(3_000):
        drawn = value(Random(number))
        assert wire_form.canonical_json(drawn) == rfc8785.dumps(drawn)


@settings(max_examples=200, database=None, deadline=None)
@given(values, values)
def test_the_hashes_cover_only_values_for_which_the_canonical_json_is_rfc_8785(body: Document, other: Document) -> None:
    with pytest.MonkeyPatch.context() as patch:
        hashed: list[Any] = []
        canonical_json = wire_form.canonical_json

        def note(value: Any) -> bytes:
            hashed.append(value)
            return canonical_json(value)

        patch.setattr(wire_form, "canonical_json", note)
        before, after = (
            cast("model.Incident", model.unset_fields() | payloads.new_incident(json_text.loads(json.dumps(sent))))
            for sent in ({"title": "x"} | body, {"title": "y"} | other)
        )
        change = Entry(2, "t", "ada", "updated", model.changed_values(before, after), {"detected_at": "a.b"}, "e")
        wire_form.state_hash(before)
        wire_form.change_hash("acme", "inc", change, None)

    assert len(hashed) == 2
    assert [canonical_json(value) for value in hashed] == [rfc8785.dumps(value) for value in hashed]
