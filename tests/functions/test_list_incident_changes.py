import json
from typing import Any

import boto3
import pytest
from create_incident import handler as create
from delete_incident import handler as delete
from incidents.domain import wire_form
from list_incident_changes import handler as list_changes
from update_incident import handler as update

from tests.support.events import Context, changes_event, claims, create_event, delete_event, http_event, patch_event
from tests.support.incidents import FULL


def created(caller: dict[str, str] | None = None, **values: Any) -> dict[str, Any]:
    incident: dict[str, Any] = json.loads(
        create(create_event({"title": "x", **values}, caller=caller), Context)["body"]
    )
    return incident


def patch(incident_id: str, values: object, sub: str = "ada") -> dict[str, Any]:
    answer = update(patch_event(incident_id, values, caller=claims(sub=sub)), Context)
    assert answer["statusCode"] == 200, answer
    incident: dict[str, Any] = json.loads(answer["body"])
    return incident


def history(incident_id: str, **parameters: Any) -> dict[str, Any]:
    answer = list_changes(changes_event(incident_id, **parameters), Context)
    assert answer["statusCode"] == 200, answer
    page: dict[str, Any] = json.loads(answer["body"])
    return page


def test_each_change_has_its_author_time_action_and_values() -> None:
    incident = created(**FULL)
    incident_id = incident["id"]
    second = patch(incident_id, {"financial_impact": 0.5, "lessons_learned": ["new"], "tags": None}, sub="grace")
    third = patch(incident_id, {"status": "review"})
    fourth = patch(incident_id, {"status": "closed", "closed_at": "2026-06-01T00:00:00Z"})
    delete(delete_event(incident_id, caller=claims(sub="bob")), Context)
    patch(incident_id, {"is_deleted": False, "title": "back"})

    page = history(incident_id)

    assert page["next_cursor"] is None
    assert [(one["version"], one["by"], one["action"]) for one in page["items"]] == [
        (1, "ada", "created"),
        (2, "grace", "updated"),
        (3, "ada", "reopened"),
        (4, "ada", "closed"),
        (5, "bob", "deleted"),
        (6, "ada", "restored"),
    ]
    assert list(page["items"][0]) == ["version", "at", "by", "action", "changes", "nonce", "state_hash", "hash"]
    assert {tuple(one)[5:] for one in page["items"][1:]} == {("nonce", "hash")}
    assert (page["items"][0]["at"], page["items"][0]["changes"]) == (incident["created_at"], {})
    assert page["items"][1]["at"] == second["updated_at"]
    assert page["items"][1]["changes"] == {
        "financial_impact": {"from": FULL["financial_impact"], "to": 0.5},
        "lessons_learned": {"from": FULL["lessons_learned"], "to": ["new"]},
        "tags": {"from": FULL["tags"], "to": []},
    }
    assert page["items"][2]["changes"] == {
        "status": {"from": "closed", "to": "review"},
        "closed_at": {"from": incident["closed_at"], "to": None},
        "mttr_minutes": {"from": incident["mttr_minutes"], "to": None},
    }
    assert page["items"][3]["changes"]["mttr_minutes"] == {"from": None, "to": fourth["mttr_minutes"]}
    assert set(page["items"][4]["changes"]) == {"is_deleted", "deleted_at", "deleted_by"}
    assert set(page["items"][5]["changes"]) == {"is_deleted", "deleted_at", "deleted_by", "title"}
    assert third["closed_at"] is None


def test_undoing_all_changes_gives_the_created_incident() -> None:
    first = created(severity="low", tags=["a"], lessons_learned={"n": 1})
    for values in (
        {"severity": "high"},
        {"tags": None, "lessons_learned": None},
        {"status": "closed"},
        {"status": "review"},
    ):
        last = patch(first["id"], values)

    for change in reversed(history(first["id"])["items"]):
        for field, pair in change["changes"].items():
            assert last[field] == pair["to"]
            last[field] = pair["from"]
    moved = {"updated_at": "", "updated_by": "", "version": 0}
    assert last | moved == first | moved


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_the_pages_hold_each_change_once(limit: int) -> None:
    incident_id = created()["id"]
    created()
    for n in range(3):
        patch(incident_id, {"title": f"title {n}"})
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = history(incident_id, limit=limit, **({"cursor": cursor} if cursor else {}))
        seen += [change["version"] for change in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1

    assert seen == [1, 2, 3, 4]
    assert pages == -(-4 // limit)


def test_a_cursor_of_another_incident_is_refused() -> None:
    one, other = created()["id"], created()["id"]
    for incident_id in (one, other):
        patch(incident_id, {"title": "y"})
    cursor = history(one, limit=1)["next_cursor"]

    assert list_changes(changes_event(other, cursor=cursor), Context)["statusCode"] == 400


@pytest.mark.parametrize(
    ("query", "right"),
    [
        ("limit=0", "from 1 to 100"),
        ("order=asc", "'order' is not known"),
        ("limit=1&limit=1", "`limit` must be given once"),
        ("cursor=1", "unchanged"),
    ],
)
def test_the_error_names_a_bad_parameter_of_a_list_of_changes(query: str, right: str) -> None:
    path = {"incident_id": created()["id"]}
    answer = list_changes(http_event(path=path, query=query, content_type=None), Context)

    assert answer["statusCode"] == 400
    assert right in json.loads(answer["body"])["detail"]


def test_only_a_caller_who_may_read_the_incident_may_read_its_changes() -> None:
    person, app = created(), created(caller=claims(app_id="soc-portal"))
    answers = [
        list_changes(changes_event(person["id"], caller=claims("globex")), Context),
        list_changes(changes_event(person["id"], caller=claims(app_id="soc-portal")), Context),
        list_changes(changes_event(app["id"], caller=claims(app_id="other")), Context),
        list_changes(changes_event("inc_01M83J8EHSBKC38ZQ0R08TEPS6"), Context),
        list_changes(changes_event("nonsense"), Context),
    ]

    assert {(answer["statusCode"], answer["body"]) for answer in answers} == {(404, answers[0]["body"])}
    assert len(history(app["id"], caller=claims(app_id="soc-portal"))["items"]) == 1


def test_a_change_above_the_page_s_size_limit_is_alone_on_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    incident_id = created()["id"]
    for n in range(3):
        patch(incident_id, {"title": f"title {n}"})
    monkeypatch.setattr(wire_form, "PAGE_BYTES", 1)

    seen: list[int] = []
    cursor = None
    while not seen or cursor:
        page = history(incident_id, **({"cursor": cursor} if cursor else {}))
        assert len(page["items"]) == 1
        seen.append(page["items"][0]["version"])
        cursor = page["next_cursor"]
    assert seen == [1, 2, 3, 4]


def test_changes_of_fields_of_a_newer_version_are_shown(table: str) -> None:
    incident_id = created()["id"]
    patch(incident_id, {"title": "y"})
    client = boto3.client("dynamodb")
    key = {"pk": {"S": "TENANT#acme#CHANGE"}, "sk": {"S": f"{incident_id}#0000000002"}}
    item: Any = client.get_item(TableName=table, Key=key)["Item"]
    for field, value in {
        "score": {"N": "1.5"},
        "playbook": {"M": {"steps": {"L": [{"N": "3"}, {"M": {}}]}, "on": {"BOOL": True}}},
        "teams": {"SS": ["a", "b"]},
    }.items():
        item["changes"]["M"][field] = {"M": {"from": {"NULL": True}, "to": value}}
    client.put_item(TableName=table, Item=item)

    changes = history(incident_id)["items"][1]["changes"]

    assert changes["score"] == {"from": None, "to": 1.5}
    assert changes["playbook"] == {"from": None, "to": {"steps": [3, {}], "on": True}}
    assert sorted(changes["teams"]["to"]) == ["a", "b"]
