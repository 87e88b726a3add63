import json
from typing import Any

import pytest
from create_incident import handler as create
from incidents import dynamodb
from list_incidents import handler as list_

from tests.support.events import Context, claims, create_event, http_event, list_event


def make(count: int, **caller: str) -> list[str]:
    return [
        json.loads(create(create_event({"title": "x"}, caller=claims(**caller)), Context)["body"])["id"]
        for _ in range(count)
    ]


def page(caller: dict[str, str] | None = None, **parameters: object) -> dict[str, Any]:
    answer = list_(list_event(caller, **parameters), Context)
    assert answer["statusCode"] == 200, answer
    found: dict[str, Any] = json.loads(answer["body"])
    return found


def ids(found: dict[str, Any]) -> list[str]:
    return [incident["id"] for incident in found["items"]]


def test_of_nothing_is_an_empty_page() -> None:
    assert page() == {"items": [], "next_cursor": None}


def test_shows_whole_incidents_newest_first() -> None:
    answer = create(create_event({"title": "first", "tags": ["a"]}), Context)
    (second,) = make(1)

    found = page()

    assert [found["items"][1]] == [json.loads(answer["body"])]
    assert ids(found)[0] == second
    assert ids(page(order="asc")) == ids(found)[::-1]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 100])
def test_pages_hold_each_incident_once_and_the_last_page_is_never_empty(limit: int, order: str) -> None:
    made = make(6)
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        found = page(limit=limit, order=order, **({"cursor": cursor} if cursor else {}))
        assert 1 <= len(found["items"]) <= limit
        seen += ids(found)
        cursor, pages = found["next_cursor"], pages + 1

    assert seen == sorted(made, reverse=order == "desc")
    assert pages == -(-6 // limit)


def test_fifty_a_page_unless_asked_otherwise(table: str) -> None:
    (first,) = make(1)
    key = {"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": first}}
    item = dynamodb.client().get_item(TableName=table, Key=key)["Item"]
    for n in range(10, 60):
        copy = {"S": f"{first[:-2]}{n}"}
        dynamodb.client().put_item(TableName=table, Item=item | {"sk": copy, "id": copy})

    found = page()

    assert len(found["items"]) == 50
    assert len(page(cursor=found["next_cursor"])["items"]) == 1


def test_a_tenant_sees_its_own_and_an_application_sees_its_own() -> None:
    person, app, other_app = make(1), make(1, app_id="soc-portal"), make(1, app_id="other-app")
    foreign = make(1, tenant="globex")

    assert set(ids(page())) == {*person, *app, *other_app}
    assert ids(page(claims(app_id="soc-portal"))) == app
    assert ids(page(claims(app_id="app"))) == []
    assert ids(page(claims("globex"))) == foreign


def test_a_cursor_of_another_tenant_leads_to_nothing_of_it() -> None:
    make(3, tenant="globex")
    cursor = page(claims("globex"), limit=1)["next_cursor"]
    (mine,) = make(1)

    assert ids(page(order="asc", cursor=cursor)) == [mine]


@pytest.mark.parametrize(
    ("query", "right"),
    [
        ("limit=0", "from 1 to 100"),
        ("limit=101", "from 1 to 100"),
        ("limit=-1", "from 1 to 100"),
        ("limit=1e1", "from 1 to 100"),
        ("limit=%D9%A3", "from 1 to 100"),
        ("limit=", "from 1 to 100"),
        ("limit=5&limit=5", "limit must be given once"),
        ("order=newest", "desc, newest first"),
        ("colour=red", "'colour' must be one of limit, cursor, order"),
        ("tenant_id=globex", "'tenant_id' must be one of"),
        ("cursor=", "unchanged"),
        ("cursor=abc", "unchanged"),
        ("cursor=%FF", "percent-encoded"),
        ("&".join(f"p{n}=1" for n in range(101)), "at most 100 parameters"),
    ],
)
def test_a_bad_parameter_is_named_with_what_would_be_right(query: str, right: str) -> None:
    answer = list_(http_event(query=query, content_type=None), Context)

    assert answer["statusCode"] == 400
    assert right in json.loads(answer["body"])["detail"]


def test_a_changed_cursor_is_refused_or_leads_to_the_caller_own_incidents() -> None:
    mine = make(3)
    make(3, tenant="globex")
    cursor = page(limit=1)["next_cursor"]

    for place in range(len(cursor)):
        for character in "A_-=+/ .~9":
            changed = cursor[:place] + character + cursor[place + 1 :]
            answer = list_(list_event(cursor=changed), Context)
            assert answer["statusCode"] in (200, 400)
            if answer["statusCode"] == 200:
                assert set(ids(json.loads(answer["body"]))) <= set(mine)
