"""Tests of the console's check of a history, in Node.js, against the client's check. They need node.

The histories come from the real handlers. Somebody with write access to the table then falsifies them.
"""

import json
from copy import deepcopy
from decimal import Decimal
from random import Random
from typing import Any, cast

import boto3
import get_incident
import list_incident_changes
import pytest
from create_incident import handler as create
from delete_incident import handler as delete
from grc_client import Change, Incident, history_faults
from update_incident import handler as update

from tests.browser.test_console_merge import node
from tests.support import moto_table, releases
from tests.support.damage import DAMAGES, Item
from tests.support.events import Context, changes_event, create_event, delete_event, get_event, patch_event
from tests.support.incidents import FULL
from tests.unit import test_history
from tests.unit.test_history import CHANGES, INCIDENT
from tests.unit.test_history import DAMAGES as DAMAGES_OF_TEXT

Texts = tuple[str, list[str]]
LONG = "123456789012345.6789"
"""An amount that a float would round. In ``VALUES``, the text LONG stands for it."""
VALUES: dict[str, list[Any]] = {
    "financial_impact": [None, 0, 0.5, 980, "LONG"],
    "lessons_learned": [
        None, [], {}, "", 'a "quote"\\ \u2028\x7f\u0001🚒', 12345678901234567890, [1e16, 1e200, -0.0, 0.1, 1000.0],
        {"10": 1, "9": 2, "": {"b": [], "a": {}}, "__proto__": {"toString": None}, "#1": "'2", " a : 1 ": [" 1 , 2 "]},
    ],
    "regulatory_reports": [None, FULL["regulatory_reports"], {"eu-gdpr": None}],
    "title": ["a", "12", "#12", "'12", "🚒 é", "\\\\\\"],
    "tags": [[], ["10", "9"], ["#1"], None], "severity": [None, "low", "high"], "owner_id": [None, "ada", "__proto__"],
    "description": [None, "1" * 20_000, '\\"' * 10_000],
}  # fmt: skip


@pytest.fixture(autouse=True)
def table(deployed: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of the table, which is empty before each test."""
    monkeypatch.setenv("TABLE_NAME", deployed)
    moto_table.clear(deployed)
    return deployed


def body(answer: dict[str, Any]) -> str:
    assert answer["statusCode"] in {200, 201}, answer
    text: str = answer["body"]
    return text


def incident(random: Random, *, old: int = 0) -> str:
    """Make an incident with 10 changes, the first ``old`` of them by release 0.1.0. Return the incident's id."""

    def changed(number: int, incident_id: str) -> str:
        if number % 6 == 5:
            delete(delete_event(incident_id), Context)
            body(update(patch_event(incident_id, {"is_deleted": False}), Context))
        patch = {field: random.choice(VALUES[field]) for field in random.sample(sorted(VALUES), 3)}
        if number == 0:
            answer = create(create_event({**FULL, "incident_number": None}), Context)
        else:
            sent = json.dumps(patch).replace('"LONG"', LONG).encode()
            answer = update(patch_event(incident_id, None, body=sent), Context)
        made: str = json.loads(body(answer))["id"]
        return made

    made = ""
    with releases.without_hashes():
        for number in range(old):
            made = changed(number, made)
    for number in range(old, 8):
        made = changed(number, made)
    return made


def read(incident_id: str) -> Texts | None:
    """Return the texts of an incident and of the pages of its changes, or None if nobody can read an answer.

    The latter happens if somebody writes a text into the table where an amount or JSON should be.
    """
    pages: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = list_incident_changes.handler(changes_event(incident_id, limit=4, **cursor), Context)
        try:
            following = json.loads(answer["body"]).get("next_cursor")
        except ValueError:
            return None
        if answer["statusCode"] == 500:
            return None
        pages.append(body(answer))
        if following is None:
            return body(get_incident.handler(get_event(incident_id), Context)), pages
        cursor = {"cursor": following}


def of_the_client(texts: Texts) -> list[str]:
    values, *pages = (json.loads(text, parse_float=Decimal) for text in (texts[0], *texts[1]))
    changes = [Change.model_validate(one) for page in pages for one in page["items"]]
    return history_faults(Incident.model_validate(values), changes)


def of_the_console(histories: list[Texts]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = node("call.mjs", "history", given=[["check", *texts] for texts in histories])
    return found


def said(checks: list[dict[str, Any]]) -> list[str]:
    return [one["text"] for one in node("call.mjs", "history", given=[["verdict", one] for one in checks])]


def test_untouched_histories_have_no_fault_whatever_their_values_are(table: str) -> None:
    histories: list[Texts] = []
    for number in range(8):
        moto_table.clear(table)  # moto gets slower with each item
        texts = read(incident(Random(number), old=number % 4))
        assert texts
        histories.append(texts)

    checks = of_the_console(histories)

    assert [one["faults"] for one in checks] == [[]] * 8 == [of_the_client(one) for one in histories]
    assert [one["unhashed"] for one in checks[:4]] == [[], [1], [1, 2], [1, 2, 3]]
    assert [one["since"] for one in checks[:4]] == [1, 2, 3, 4]
    assert {one["last"] for one in checks} == {10}
    assert any(LONG in page for _, pages in histories for page in pages)
    assert said([checks[0], checks[3]]) == [
        "No fault: 10 changes fit their hashes, and the incident's values lead back to the values after change 1.",
        "No fault: 7 changes fit their hashes, and the incident's values lead back to the values after change 4. "
        "Changes 1 to 3 have no hash, like the changes of release 0.1.0, so nothing proves them.",
    ]


def stored(table: str) -> list[Item]:
    return cast("list[Item]", boto3.client("dynamodb", region_name="us-east-1").scan(TableName=table)["Items"])


def replace(table: str, before: list[Item], after: list[Item]) -> None:
    client = boto3.client("dynamodb", region_name="us-east-1")
    keys = [(item["pk"], item["sk"]) for item in after]
    for item in before:
        if (item["pk"], item["sk"]) not in keys:
            client.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})
    for item in after:
        if item not in before:
            client.put_item(TableName=table, Item=item)


def test_each_falsification_in_the_table_is_found_and_named_like_in_the_client(table: str) -> None:
    histories: list[Texts] = []
    names: list[str] = []
    unread = 0
    for number in range(3):
        moto_table.clear(table)
        incident_id = incident(Random(number))
        items = stored(table)
        (item,) = (one for one in items if one["pk"]["S"].endswith("#INCIDENT"))
        changes = [one for one in items if one["pk"]["S"].endswith("#CHANGE")]
        for seed, (name, damage) in enumerate(DAMAGES.items()):
            if name == "another end of the chain":  # no answer of the API has it
                continue
            falsified, falsified_changes = deepcopy((item, changes))
            damage(Random(100 * number + seed), falsified, falsified_changes)
            damaged = [falsified, *falsified_changes]
            replace(table, [item, *changes], damaged)
            texts = read(incident_id)
            replace(table, damaged, [item, *changes])
            if texts is None:
                unread += 1
            else:
                histories.append(texts)
                names.append(name)
    assert len({*names}) == len(DAMAGES) - 1
    assert unread < 4

    checks = of_the_console(histories)

    assert [one["faults"] for one in checks] == [of_the_client(one) for one in histories]
    for name, one, text in zip(names, checks, said(checks), strict=True):
        if name == "no hash" and one["unhashed"] == [one["last"]]:  # could be a change of release 0.1.0
            assert text.endswith("so nothing proves it.")
        else:
            assert one["faults"], name
            assert text.startswith(f"Fault: {one['faults'][0]}.")


def test_each_damage_to_the_example_of_the_documentation_is_found() -> None:
    histories = []
    by_the_client = []
    for damage, _ in DAMAGES_OF_TEXT.values():
        now, changes = json.loads(INCIDENT), json.loads(CHANGES)
        damage(now, changes)
        histories.append((json.dumps(now), [json.dumps({"items": changes})]))
        by_the_client.append(test_history.of_the_client(json.dumps(now), json.dumps(changes)))

    untouched, *damaged = of_the_console([(INCIDENT, [f'{{"items": {CHANGES}}}']), *histories])

    assert untouched == {"faults": [], "last": 2, "unhashed": [], "since": 1}
    assert [one["faults"] for one in damaged] == by_the_client
    assert all(by_the_client)


def test_an_unknown_schema_version_cannot_be_checked_and_a_conversion_without_hashes_can(table: str) -> None:
    sent = {"title": "x", "severity": "low", "tags": ["a", "b"]}
    with releases.without_hashes():
        incident_id = json.loads(body(create(create_event(sent), Context)))["id"]
    (item,) = (one for one in stored(table) if one["pk"]["S"].endswith("#INCIDENT"))
    older = item | {"severity": {"S": "LOW"}, "tags": {"S": "a, b"}}
    del older["schema_version"]
    replace(table, [item], [older])
    body(update(patch_event(incident_id, {"title": "b"}), Context))
    body(update(patch_event(incident_id, {"severity": None}), Context))
    texts = read(incident_id)
    assert texts
    newer = (texts[0].replace('"schema_version":1', '"schema_version":2'), texts[1])

    converted, unknown = of_the_console([texts, newer])

    assert converted == {"faults": of_the_client(texts), "last": 3, "unhashed": [1], "since": 2}
    assert unknown == {"faults": of_the_client(newer), "last": 3, "unhashed": [1], "since": None}
    assert converted["faults"] == []
    assert said([unknown])[0].startswith(
        "Fault: the incident's values cannot be checked, because its schema_version is 2."
    )


def test_a_verdict_says_no_more_than_the_check_proves() -> None:
    found = {"faults": [], "last": 5, "unhashed": [1, 2, 3, 4, 5], "since": None}
    some = found | {"unhashed": [1, 2, 4], "since": 3}
    newer = found | {"unhashed": [2], "since": 1}
    bad = some | {"faults": ["change 3 differs from its hash", "change 5 differs from its hash"]}
    assert said([found, some, newer, bad]) == [
        "Not proved: Changes 1 to 5 have no hash, like the changes of release 0.1.0, so nothing proves them.",
        "No fault: 2 changes fit their hashes, and the incident's values lead back to the values after change 3. "
        "Changes 1 to 2 and 4 have no hash, like the changes of release 0.1.0, so nothing proves them.",
        "No fault: 4 changes fit their hashes, and the incident's values lead back to the values after change 1. "
        "Change 2 has no hash, like the changes of release 0.1.0, so nothing proves it.",
        "Fault: change 3 differs from its hash. The check found 1 more fault. "
        "Changes 1 to 2 and 4 have no hash, like the changes of release 0.1.0, so nothing proves them.",
    ]


def test_a_history_that_changes_all_the_time_is_not_checked_and_has_no_fault() -> None:
    for changes in range(1, 6):
        assert node("busy_history.mjs", given=changes) == [changes + 1, changes + 1]
    assert node("busy_history.mjs", given=6) == "The incident changes all the time. Check its history later."
