import json
from typing import Any

import boto3
import pytest
from create_incident import handler as create
from delete_incident import handler as delete
from incidents.domain import wire_form
from list_incidents import handler as list_

from tests.support.events import Context, claims, create_event, delete_event, http_event, list_event


def make(count: int, **caller: str) -> list[str]:
    return [
        json.loads(create(create_event({"title": "x"}, caller=claims(**caller)), Context)["body"])["id"]
        for _ in range(count)
    ]


def page(caller: dict[str, str] | None = None, **parameters: Any) -> dict[str, Any]:
    answer = list_(list_event(caller, **parameters), Context)
    assert answer["statusCode"] == 200, answer
    found: dict[str, Any] = json.loads(answer["body"])
    return found


def ids(found: dict[str, Any]) -> list[str]:
    return [incident["id"] for incident in found["items"]]


def test_a_tenant_without_incidents_gets_an_empty_page() -> None:
    assert page() == {"items": [], "next_cursor": None}


def test_a_list_has_complete_incidents_newest_first() -> None:
    answer = create(create_event({"title": "first", "tags": ["a"]}), Context)
    (second,) = make(1)

    found = page()

    assert [found["items"][1]] == [json.loads(answer["body"])]
    assert ids(found)[0] == second
    assert ids(page(order="asc")) == ids(found)[::-1]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 100])
def test_the_pages_hold_each_incident_once_and_no_last_page_is_empty(limit: int, order: str) -> None:
    made = make(6)
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        found = page(limit=limit, order=order, **({"cursor": cursor} if cursor else {}))
        assert 1 <= len(found["items"]) <= limit
        seen += ids(found)
        cursor, pages = found["next_cursor"], pages + 1

    assert seen == sorted(made, reverse=order == "desc")
    assert pages == -(-6 // limit)


def test_a_page_has_fifty_incidents_by_default(table: str) -> None:
    (first,) = make(1)
    key = {"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": first}}
    outside = boto3.client("dynamodb")
    item = outside.get_item(TableName=table, Key=key)["Item"]
    others = (f"{first[:-2]}{n}" for n in range(10, 61))
    for copy in [{"S": other} for other in others if other != first][:50]:
        outside.put_item(TableName=table, Item=item | {"sk": copy, "id": copy})

    found = page()

    assert len(found["items"]) == 50
    assert len(page(cursor=found["next_cursor"])["items"]) == 1


def test_a_list_has_only_the_caller_s_incidents() -> None:
    person, app, other_app = make(1), make(1, app_id="soc-portal"), make(1, app_id="other-app")
    foreign = make(1, tenant="globex")

    assert set(ids(page())) == {*person, *app, *other_app}
    assert ids(page(claims(app_id="soc-portal"))) == app
    assert ids(page(claims(app_id="app"))) == []
    assert ids(page(claims("globex"))) == foreign


def test_a_cursor_of_another_tenant_is_refused() -> None:
    make(3, tenant="globex")
    cursor = page(claims("globex"), limit=1)["next_cursor"]
    (mine,) = make(1)

    for caller in (claims(), claims(app_id="soc-portal")):
        answer = list_(list_event(caller, limit=1, cursor=cursor), Context)
        assert answer["statusCode"] == 400
        assert mine not in answer["body"]


@pytest.mark.parametrize(
    ("query", "right"),
    [
        ("limit=0", "from 1 to 100"),
        ("limit=101", "from 1 to 100"),
        ("limit=-1", "from 1 to 100"),
        ("limit=1e1", "from 1 to 100"),
        ("limit=%D9%A3", "from 1 to 100"),
        ("limit=", "from 1 to 100"),
        ("limit=5&limit=5", "`limit` must be given once"),
        ("order=newest", "desc or asc"),
        ("colour=red", "'colour' is not known; use one of status,"),
        ("tenant_id=globex", "'tenant_id' is not known"),
        ("cursor=", "unchanged"),
        ("cursor=abc", "unchanged"),
        ("cursor=%FF", "percent-encoded"),
        ("&".join(f"p{n}=1" for n in range(201)), "at most 200 parameters"),
    ],
)
def test_the_error_names_a_bad_list_parameter_and_the_right_values(query: str, right: str) -> None:
    answer = list_(http_event(query=query, content_type=None), Context)

    assert answer["statusCode"] == 400
    assert right in json.loads(answer["body"])["detail"]


def test_a_cursor_with_a_changed_character_is_refused() -> None:
    make(3)
    cursor = page(limit=1)["next_cursor"]

    for place in range(len(cursor) + 1):
        for changed in (
            cursor[:place] + cursor[place + 1 :],
            *(cursor[:place] + c + cursor[place + 1 :] for c in "A_-=9"),
        ):
            if changed != cursor:
                assert list_(list_event(cursor=changed), Context)["statusCode"] == 400
    assert len(page(cursor=cursor)["items"]) == 2


def test_a_cursor_belongs_to_its_filters_and_order_but_not_to_its_limit() -> None:
    make(5)
    cursor = page(limit=1, source=["edm", "web"])["next_cursor"]

    assert len(page(limit=3, source=["web", "edm"], cursor=cursor)["items"]) == 3
    for other in (
        {},
        {"source": "edm"},
        {"source": ["edm", "web"], "order": "asc"},
        {"source": ["edm", "web"], "tag": "x"},
    ):
        assert list_(list_event(None, cursor=cursor, **other), Context)["statusCode"] == 400


def test_cursors_outlive_a_rotation_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    make(2)
    cursor = page(limit=1)["next_cursor"]

    monkeypatch.setenv("CURSOR_KEY", "the next key")
    assert list_(list_event(cursor=cursor), Context)["statusCode"] == 400
    # the key ends with a line break, like a key from a file
    monkeypatch.setenv("CURSOR_KEY_BEFORE", "the key of the tests\n")
    assert len(page(cursor=cursor)["items"]) == 1
    assert page(limit=1)["next_cursor"] != cursor


SEVERAL: dict[str, dict[str, Any]] = {
    "a": {
        "severity": "high",
        "tags": ["vip", "eu"],
        "owner_id": "red",
        "detected_at": "2026-03-01T00:00:00Z",
        "affected_asset_ids": ["host-1", "host-2"],
        "triggered_by_alert_ids": ["alert-1"],
        "reportable_to": ["GDPR Art. 33"],
    },
    "b": {
        "severity": "low",
        "tags": ["eu"],
        "status": "closed",
        "category": "phishing",
        "affected_asset_ids": ["host-2"],
        "commander_ids": ["ada"],
    },
    "c": {
        "status": "review",
        "source": "splunk",
        "detected_at": "2026-03-02T12:00:00+02:00",
        "incident_number": "IR 1",
    },
    "d": {"severity": "high", "status": "closed", "owner_id": "blue"},
    "e": {"category": "phishing", "source": "splunk", "owner_id": "red", "tags": ["vip"]},
}


@pytest.fixture
def several() -> dict[str, dict[str, Any]]:
    """Create five incidents and return them by title: an application created d, and e is deleted."""
    made = {}
    for title, values in SEVERAL.items():
        caller = claims(app_id="soc-portal" if title == "d" else None)
        made[title] = json.loads(create(create_event({"title": title, **values}, caller=caller), Context)["body"])
    assert delete(delete_event(made["e"]["id"]), Context)["statusCode"] == 204
    return made


def titles(caller: dict[str, str] | None = None, **parameters: Any) -> str:
    return "".join(incident["title"] for incident in page(caller, order="asc", **parameters)["items"])


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        ({}, "abcd"),
        ({"status": "closed"}, "bd"),
        ({"status": ["closed", "review"]}, "bcd"),
        ({"status": "dismissed"}, ""),
        ({"severity": "high"}, "ad"),
        ({"severity": ["high", "low"]}, "abd"),
        ({"severity": "high", "status": "closed"}, "d"),
        ({"severity": "high", "owner_id": ["red", "green"]}, "a"),
        ({"category": "phishing"}, "b"),
        ({"source": "splunk"}, "c"),
        ({"tag": "eu"}, "ab"),
        ({"tag": ["vip", "eu"]}, "ab"),
        ({"tag": "vi"}, ""),
        ({"app_id": "soc-portal"}, "d"),
        ({"app_id": ["soc-portal", "other"], "status": "closed"}, "d"),
        ({"app_id": "soc-portal", "status": "new"}, ""),
        ({"detected_from": "2026-03-01T00:00:00Z"}, "ac"),
        ({"detected_from": "2026-03-01T00:00:00.001Z"}, "c"),
        ({"detected_to": "2026-03-02T10:00:00Z"}, "ac"),
        ({"detected_from": "2026-03-02T00:00:00Z", "detected_to": "2026-03-02T09:59:59Z"}, ""),
        ({"incident_number": "IR 1"}, "c"),
        ({"incident_number": "IR 1", "status": "review"}, "c"),
        ({"incident_number": "IR 1", "status": "new"}, ""),
        ({"incident_number": "IR 2"}, ""),
        ({"created_to": "2020-01-01T00:00:00Z"}, ""),
        ({"created_from": "2020-01-01T00:00:00Z"}, "abcd"),
        ({"created_from": "9998-01-01T00:00:00Z"}, ""),
        ({"affected_asset_id": "host-2"}, "ab"),
        ({"affected_asset_id": ["host-1", "host-3"]}, "a"),
        ({"affected_asset_id": "host"}, ""),
        ({"affected_asset_id": "host-2", "triggered_by_alert_id": "alert-1"}, "a"),
        ({"affected_account_id": "host-2"}, ""),
        ({"reportable_to": "GDPR Art. 33"}, "a"),
        ({"commander_id": ["ada", "bob"]}, "b"),
        ({"open": "true"}, "ac"),
        ({"open": "false"}, "bd"),
        ({"open": "true", "status": ["closed", "review"]}, "c"),
        ({"open": "true", "status": "closed"}, ""),
        ({"open": "false", "app_id": "soc-portal"}, "d"),
        ({"open": "true", "include_deleted": "true"}, "ace"),
        ({"unowned": "true"}, "bc"),
        ({"unowned": "false"}, "ad"),
        ({"unowned": "true", "owner_id": "red"}, ""),
        ({"unowned": "true", "open": "true"}, "c"),
        ({"q": "ir"}, "c"),
        ({"q": " C\u00a0iR "}, "c"),
        ({"q": "a d"}, ""),
        ({"q": "inc-20", "open": "true"}, "a"),
        ({"q": "E"}, ""),
        ({"q": "E", "include_deleted": "true"}, "e"),
        ({"include_deleted": "true"}, "abcde"),
        ({"include_deleted": "false"}, "abcd"),
        ({"include_deleted": "true", "tag": "vip"}, "ae"),
        ({"include_deleted": "true", "status": "new"}, "ae"),
        ({"include_deleted": "true", "app_id": "soc-portal"}, "d"),
    ],
    ids=str,
)
def test_a_list_has_exactly_the_incidents_that_match_its_filters(
    several: dict[str, dict[str, Any]], parameters: dict[str, Any], shown: str
) -> None:
    assert titles(**parameters) == shown
    seen, cursor = "", None
    while cursor is not None or not seen:
        more: dict[str, Any] = {"cursor": cursor} if cursor else {}
        found = page(limit=1, order="desc", **parameters, **more)
        seen += "".join(incident["title"] for incident in found["items"])
        cursor = found["next_cursor"]
        if cursor is None:
            break
    assert seen == shown[::-1]


def test_a_search_ignores_case_in_every_alphabet() -> None:
    for title in ("STRASSE gesperrt", "Stra\u00dfe frei", "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 stra"):
        create(create_event({"title": title}), Context)

    for words, shown in {"stra\u00dfe": 2, "STRASSE FREI": 1, "\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c3": 1}.items():
        assert len(page(q=words)["items"]) == shown


def test_a_cursor_belongs_to_the_filters_of_owners_statuses_and_words() -> None:
    make(3)
    cursor = page(limit=1, open="true", unowned="true", q="x INC")["next_cursor"]

    assert len(page(open="true", unowned="true", q="inc  X inc", cursor=cursor)["items"]) == 2
    for other in (
        {"open": "true", "unowned": "true"},
        {"open": "true", "q": "x inc"},
        {"unowned": "true", "q": "x inc"},
        {"open": "true", "unowned": "true", "q": "x"},
        {"open": "true", "unowned": "false", "q": "x inc"},
    ):
        assert list_(list_event(None, cursor=cursor, **other), Context)["statusCode"] == 400


def test_both_ends_of_a_creation_range_are_included(several: dict[str, dict[str, Any]]) -> None:
    moment = several["b"]["created_at"]

    assert "b" in titles(created_from=moment, created_to=moment)
    assert titles(created_from=moment)[0] == "b" or several["a"]["created_at"] == moment
    assert titles(created_to=moment)[-1] == "b" or several["c"]["created_at"] == moment


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        ({}, "d"),
        ({"app_id": "soc-portal"}, "d"),
        ({"app_id": "other"}, ""),
        ({"app_id": ["other", "soc-portal"]}, "d"),
        ({"status": "closed"}, "d"),
        ({"include_deleted": "true"}, "d"),
        ({"incident_number": "IR 1"}, ""),
        ({"incident_number": "IR 1", "include_deleted": "true"}, ""),
        ({"open": "true"}, ""),
        ({"open": "false"}, "d"),
        ({"affected_asset_id": "host-2"}, ""),
        ({"q": "inc"}, "d"),
    ],
    ids=str,
)
def test_an_application_s_filters_select_only_its_own_incidents(
    several: dict[str, dict[str, Any]], parameters: dict[str, Any], shown: str
) -> None:
    assert titles(claims(app_id="soc-portal"), **parameters) == shown


def test_a_deleted_incident_is_found_by_its_number_only_on_request(several: dict[str, dict[str, Any]]) -> None:
    number = several["e"]["incident_number"]

    assert titles(incident_number=number) == ""
    assert titles(incident_number=number, include_deleted="true") == "e"


@pytest.mark.parametrize(
    ("query", "right"),
    [
        ("status=open", "`status` must be one of new, investigating"),
        ("status=new&status=open", "`status` must be one of"),
        ("severity=HIGH", "`severity` must be one of critical"),
        ("tag=", "`tag` must be 1 to 2048 characters"),
        ("owner_id=" + "x" * 2049, "`owner_id` must be 1 to 2048 characters"),
        ("app_id=" + "x" * 129, "`app_id` must be 1 to 128 characters"),
        ("&".join(f"tag={n}" for n in range(11)), "`tag` must be given at most 10 times"),
        ("created_from=yesterday", "`created_from` must be an RFC 3339"),
        ("detected_to=2026-01-01T00:00:00", "`detected_to` must be an RFC 3339"),
        (
            "created_from=2026-01-02T00:00:00Z&created_to=2026-01-01T00:00:00Z",
            "`created_from` must not be after `created_to`",
        ),
        ("created_from=2026-01-01T00:00:00Z&created_from=2026-01-01T00:00:00Z", "`created_from` must be given once"),
        ("include_deleted=yes", "`include_deleted` must be false or true"),
        ("owner_id=", "`owner_id` must be 1 to 2048 characters; to list incidents without an owner, use unowned=true"),
        ("triggered_by_alert_ids=a", "'triggered_by_alert_ids' is not known; use triggered_by_alert_id."),
        ("tags=a", "'tags' is not known; use tag."),
        ("affected_asset_id=", "`affected_asset_id` must be 1 to 2048 characters"),
        ("reportable_to=" + "x" * 2049, "`reportable_to` must be 1 to 2048 characters"),
        ("open=1", "`open` must be true or false"),
        ("open=true&open=false", "`open` must be given once"),
        ("unowned=", "`unowned` must be true or false"),
        ("q=", "`q` must have at least one word"),
        ("q=%20%C2%A0", "`q` must have at least one word"),
        ("q=" + "x" * 301, "at most 300 characters"),
        ("q=a&q=b", "`q` must be given once"),
        ("include_deleted=true&include_deleted=true", "`include_deleted` must be given once"),
        ("incident_number=", "`incident_number` must be 1 to 64 characters"),
        ("incident_number=1&incident_number=2", "`incident_number` must be given once"),
    ],
)
def test_the_error_names_a_bad_filter_and_the_right_values(query: str, right: str) -> None:
    answer = list_(http_event(query=query, content_type=None), Context)

    assert answer["statusCode"] == 400
    assert right in json.loads(answer["body"])["detail"]


@pytest.mark.parametrize(
    "offset",
    ["+01:00", "+0100", "%2B01:00", "%2B0100", "%2B01", "+01", "%2001:00", ".000000+0000", "z", ",5Z", "-00:00"],
)
def test_a_filter_s_date_may_have_its_offset_in_every_form_that_clients_send(offset: str) -> None:
    made = make(1)
    for parameter in ("created_from", "detected_to"):
        answer = list_(http_event(query=f"{parameter}=2026-11-20T10:00:00{offset}", content_type=None), Context)
        assert answer["statusCode"] == 200, answer["body"]
    assert list_(http_event(query=f"created_from=2020-11-20T10:00:00{offset}"), Context)["body"].count(made[0]) == 1


@pytest.mark.parametrize("moment", ["2026-11-20T10:00:00", "2026-11-20T10:00:00+", "2026-11-20T10:00:00++01:00"])
def test_a_filter_s_date_without_a_full_offset_is_refused_with_the_right_form(moment: str) -> None:
    answer = list_(http_event(query=f"created_from={moment}", content_type=None), Context)

    assert answer["statusCode"] == 400
    assert "with an offset, from 1970 to 9998, like 2026-11-23T06:16:30Z" in json.loads(answer["body"])["detail"]


def test_an_incident_is_found_by_a_whole_arn_as_its_tag() -> None:
    tag = "arn:aws:iam::111122223333:role/" + "r" * 200
    create(create_event({"title": "x", "tags": [tag]}), Context)
    make(1)

    assert [one["tags"] for one in page(tag=tag)["items"]] == [[tag]]


def test_a_page_of_incidents_ends_at_the_size_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(3)
    document = json.dumps(page()["items"][0], separators=(",", ":"))
    size = len(json.dumps(document))  # the size of the incident as sent: a JSON text inside a JSON envelope
    monkeypatch.setattr(wire_form, "PAGE_BYTES", 2 * size)

    first = page()
    assert ids(first) == made[:0:-1]
    assert len(json.dumps(first["items"][0], separators=(",", ":"))) < size
    assert ids(page(cursor=first["next_cursor"])) == made[:1]
    monkeypatch.setattr(wire_form, "PAGE_BYTES", 1)
    assert len(page()["items"]) == 1
