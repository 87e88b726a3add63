"""Tests the example of docs/runbooks/schema-migration.md: an upgrade to version 2 and a rollback.

Old and new functions run at the same time. The test reads the example's code from the page itself, so the page cannot
show code that does not work. "Old code" is the present code. "New code" is the present code with the example's changes.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import boto3
import pytest
from create_incident import handler as create
from get_incident import handler as get
from incidents.domain import model, payloads
from incidents.storage import upcasting
from list_incident_changes import handler as list_changes
from list_incidents import handler as list_
from pydantic import create_model
from update_incident import handler as update

from tests.support import invariants, templates
from tests.support.events import Context, changes_event, claims, create_event, get_event, list_event, patch_event

PAGE = templates.CHECKOUT / "docs" / "runbooks" / "schema-migration.md"
TOOL = claims(sub="system:serviceaccount:soc:scanner")
Step = Callable[[dict[str, Any]], dict[str, Any]]


def step_of_the_page() -> Step:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"Item": dict[str, Any]}
    exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - our own page, of this commit
    return cast("Step", names["from_1"])


@contextmanager
def new_code() -> Iterator[None]:
    """Let the functions use version 2 of the schema within the block."""
    assert (model.SCHEMA_VERSION, 1 in upcasting.STEPS) == (1, False), (
        "version 2 exists: change the example to version 3"
    )
    by = Literal["tool", "person"] | None
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(upcasting.STEPS, 1, step_of_the_page())
        patched.setattr(model, "SCHEMA_VERSION", 2)
        patched.setattr(model, "FIELDS", (*model.FIELDS, "detected_by"))
        patched.setattr(model, "_UNSET", {**model._UNSET, "detected_by": None})
        for name in ("NewIncident", "IncidentPatch"):
            payload = getattr(payloads, name)
            patched.setattr(payloads, name, create_model(name, __base__=payload, detected_by=(by, None)))
        yield


def body(answer: dict[str, Any]) -> dict[str, Any]:
    assert answer["statusCode"] < 300, answer["body"]
    value: dict[str, Any] = json.loads(answer["body"])
    return value


def shown(incident: dict[str, Any]) -> dict[str, Any]:
    return body(get(get_event(incident["id"]), Context))


def patched(incident: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    return body(update(patch_event(incident["id"], patch), Context))


def stored(table: str, incident: dict[str, Any]) -> dict[str, Any]:
    key = {"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": incident["id"]}}
    item: dict[str, Any] = boto3.client("dynamodb", region_name="us-east-1").get_item(TableName=table, Key=key)["Item"]
    return item


def history(incident: dict[str, Any]) -> list[tuple[int, list[str]]]:
    changes = body(list_changes(changes_event(incident["id"]), Context))["items"]
    return [(change["version"], sorted(change["changes"])) for change in changes]


def violations(table: str) -> list[str]:
    return invariants.violations(invariants.everything(boto3.client("dynamodb", region_name="us-east-1"), table))


def created(caller: dict[str, str] | None = None, **values: Any) -> dict[str, Any]:
    return body(create(create_event({"title": "x"} | values, caller=caller), Context))


def test_new_code_reads_old_items_and_converts_them_with_their_next_change(table: str) -> None:
    by_a_tool, by_a_person = created(TOOL), created()
    before = stored(table, by_a_tool)

    with new_code():
        assert shown(by_a_tool) == by_a_tool | {"schema_version": 2, "detected_by": "tool"}
        assert shown(by_a_person)["detected_by"] == "person"
        assert stored(table, by_a_tool) == before, "a read must not write"
        listed = body(list_(list_event(), Context))["items"]
        assert {one["detected_by"] for one in listed} == {"tool", "person"}
        assert violations(table) == []

        patched(by_a_tool, {"severity": "high"})
        assert violations(table) == []

    after = stored(table, by_a_tool)
    assert (after["schema_version"], after["detected_by"]) == ({"N": "2"}, {"S": "tool"})


def test_a_patch_away_from_the_upcast_value_and_back_stores_the_new_form(table: str) -> None:
    """The page uses these two patches to store every document in the new form, before lists filter by the new field."""
    by_a_tool = created(TOOL)
    before = stored(table, by_a_tool)

    with new_code():
        patched(by_a_tool, {"detected_by": "tool"})
        assert stored(table, by_a_tool) == before, "the API shows this value already, so nothing changes"

        patched(by_a_tool, {"detected_by": "person"})
        patched(by_a_tool, {"detected_by": "tool"})

        assert history(by_a_tool)[1:] == [(2, ["detected_by"]), (3, ["detected_by"])]
        assert violations(table) == []
    after = stored(table, by_a_tool)
    assert (after["schema_version"], after["detected_by"]) == ({"N": "2"}, {"S": "tool"})


def test_old_code_changes_new_items_and_keeps_their_new_fields(table: str) -> None:
    with new_code():
        incident = created(detected_by="person")
        patched(incident, {"detected_by": "tool"})

    # Roll back to the old code.
    seen = shown(incident)
    assert "detected_by" not in seen
    assert list(seen) == [field for field in model.FIELDS if field != "app_id"]
    assert patched(incident, {"title": "y", "status": "closed"})["closed_at"] is not None
    assert body(list_(list_event(), Context))["items"][0]["title"] == "y"
    assert stored(table, incident)["detected_by"] == {"S": "tool"}
    assert update(patch_event(incident["id"], {"detected_by": "person"}), Context)["statusCode"] == 422

    # Roll forward to the new code again.
    with new_code():
        again = patched(incident, {"severity": "low"})
        assert (again["detected_by"], again["title"], again["status"]) == ("tool", "y", "closed")
        assert [version for version, _ in history(incident)] == [1, 2, 3, 4]
        assert history(incident)[1][1] == ["detected_by"]
        assert violations(table) == []
        ours = created()
    assert history(incident)[1] == (2, ["detected_by"]), "old code must show a change of an unknown field"
    assert stored(table, ours)["schema_version"] == {"N": "2"}


def test_functions_of_both_versions_change_one_incident_in_turn(table: str) -> None:
    """During a deployment, each call may reach either version."""
    incident = created()
    for turn in range(6):
        title = f"turn {turn}"
        if turn % 2:
            assert patched(incident, {"title": title})["title"] == title
        else:
            with new_code():
                answer = patched(incident, {"title": title, "detected_by": "tool" if turn else "person"})
                assert answer["detected_by"] == ("tool" if turn else "person")
    item = stored(table, incident)
    assert (item["title"], item["detected_by"], item["version"]) == ({"S": "turn 5"}, {"S": "tool"}, {"N": "7"})
    assert [version for version, _ in history(incident)] == [1, 2, 3, 4, 5, 6, 7]
    with new_code():
        assert violations(table) == []
