import bisect
import json
import time
from typing import Any

import boto3
import pytest
from create_incident import handler as create
from delete_incident import handler as delete
from get_incident import handler as get
from incidents.domain import model, timestamps
from list_incident_changes import handler as list_changes
from list_incidents import handler as list_
from update_incident import handler as update

from tests.support.events import (
    Context,
    changes_event,
    claims,
    create_event,
    delete_event,
    get_event,
    list_event,
    patch_event,
)
from tests.support.incidents import FULL

DETECTED = "2026-11-20T10:00:00.000Z"


def created(caller: dict[str, str] | None = None, **values: Any) -> dict[str, Any]:
    answer = create(create_event({"title": "x", **values}, caller=caller), Context)
    assert answer["statusCode"] == 201, answer["body"]
    incident: dict[str, Any] = json.loads(answer["body"])
    return incident


def patch(incident: dict[str, Any], values: object, **more: Any) -> tuple[int, dict[str, Any]]:
    answer = update(patch_event(incident["id"], values, **more), Context)
    return answer["statusCode"], json.loads(answer["body"])


def patched(incident: dict[str, Any], values: object, **more: Any) -> dict[str, Any]:
    status, body = patch(incident, values, **more)
    assert status == 200, body
    return body


def items(table: str, kind: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = boto3.client("dynamodb").scan(TableName=table)["Items"]
    return [item for item in found if item["pk"]["S"].endswith(kind)]


def test_an_update_changes_only_the_fields_of_its_patch(table: str) -> None:
    incident = created(**FULL)
    time.sleep(0.002)

    answer = update(patch_event(incident["id"], {"title": "new", "tags": None}, caller=claims(sub="grace")), Context)

    assert (answer["statusCode"], answer["headers"]["etag"]) == (200, '"2"')
    after = json.loads(answer["body"])
    assert after["updated_at"] > incident["updated_at"]
    stamps = {"updated_at": after["updated_at"], "updated_by": "grace", "version": 2}
    assert after == incident | {"title": "new", "tags": []} | stamps
    assert get(get_event(incident["id"]), Context)["body"] == answer["body"]
    (item,) = items(table, "#INCIDENT")
    assert "tags" not in item
    assert item["version"] == {"N": "2"}


def test_every_answer_says_the_version_that_the_etag_says() -> None:
    incident = created()
    assert incident["version"] == 1
    versions = [
        patched(incident, values)["version"] for values in ({"title": "y"}, {"title": "y"}, {"severity": "low"})
    ]
    assert versions == [2, 2, 3]
    delete(delete_event(incident["id"]), Context)
    gone = get(get_event(incident["id"]), Context)
    assert (json.loads(gone["body"])["version"], gone["headers"]["etag"]) == (4, '"4"')
    assert patched(incident, {"is_deleted": False})["version"] == 5
    (listed,) = json.loads(list_(list_event(), Context)["body"])["items"]
    assert listed["version"] == 5


@pytest.mark.parametrize("version", [1, 2, "1", None])
def test_a_version_is_refused_from_a_caller_and_names_no_precondition(version: object) -> None:
    incident = created()
    for answer in (
        create(create_event({"title": "x", "version": version}), Context),
        update(patch_event(incident["id"], {"title": "y", "version": version}), Context),
    ):
        (violation,) = json.loads(answer["body"])["errors"]
        assert (answer["statusCode"], violation["pointer"]) == (422, "/version")
        assert violation["detail"] == "is set by the server; leave it out"


def test_updated_at_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    incident = created()
    # The clock of another machine shows the year 2001.
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000 * 10**9)

    assert patched(incident, {"title": "y"})["updated_at"] == incident["updated_at"]


def test_plain_json_is_accepted_as_a_merge_patch() -> None:
    incident = created()

    assert patched(incident, {"severity": "low"}, content_type="application/json")["severity"] == "low"


@pytest.mark.parametrize(
    "values", [{}, {"title": "x"}, {"title": "x", "status": "new", "tags": None, "severity": None}]
)
def test_a_patch_that_changes_nothing_writes_nothing(table: str, values: dict[str, Any]) -> None:
    incident = created()
    before = items(table)

    answer = update(patch_event(incident["id"], values), Context)

    assert (answer["statusCode"], answer["headers"]["etag"]) == (200, '"1"')
    assert json.loads(answer["body"]) == incident
    assert items(table) == before


@pytest.mark.parametrize("content_type", ["application/json", "application/merge-patch+json"])
@pytest.mark.parametrize("field", sorted(model.LISTS))
def test_a_patch_adds_to_and_removes_from_every_list_in_one_change(field: str, content_type: str) -> None:
    incident = created(None, **{field: ["c", "a", "b"]})

    after = patched(incident, {field: {"add": ["d", "a", "e", "d"], "remove": ["c", "x"]}}, content_type=content_type)

    assert after == incident | {
        field: ["a", "b", "d", "e"],
        "version": 2,
        **{stamp: after[stamp] for stamp in ("updated_at", "updated_by")},
    }
    answer = list_changes(changes_event(incident["id"]), Context)
    last = json.loads(answer["body"])["items"][-1]
    assert last["changes"] == {field: {"from": ["c", "a", "b"], "to": ["a", "b", "d", "e"]}}
    assert patched(incident, {field: {"add": ["d"], "remove": ["c"]}})["version"] == 2
    assert patched(incident, {field: {"remove": ["a", "b", "d", "e"]}})[field] == []


def test_operators_of_lists_go_with_other_changes_and_with_a_restoration() -> None:
    incident = created(tags=["a"], commander_ids=["ada"])
    assert delete(delete_event(incident["id"]), Context)["statusCode"] == 204

    assert patch(incident, {"tags": {"add": ["b"]}})[0] == 409
    after = patched(
        incident,
        {"is_deleted": False, "tags": {"add": ["b"]}, "commander_ids": {"remove": ["ada"]}, "reportable_to": ["BSI"]},
    )

    assert (after["tags"], after["commander_ids"], after["reportable_to"]) == (["a", "b"], [], ["BSI"])


@pytest.mark.parametrize(
    ("values", "pointer", "right"),
    [
        ({"tags": {}}, "/tags", "must be a list, or an object with add or remove, or both"),
        ({"tags": {"replace": ["a"]}}, "/tags/replace", "is not an operator of a list; use add or remove"),
        ({"tags": {"add": None}}, "/tags/add", "must not be null"),
        ({"tags": {"add": "a"}}, "/tags/add", "must be a list"),
        ({"tags": {"add": ["a", ""]}}, "/tags/add/1", "must not be empty"),
        ({"tags": {"add": ["x" * 257]}}, "/tags/add/0", "must be at most 256 characters"),
        ({"commander_ids": {"add": ["x" * 2049]}}, "/commander_ids/add/0", "must be at most 2048 characters"),
        ({"commander_ids": {"remove": [5]}}, "/commander_ids/remove/0", "must be a text"),
        ({"tags": {"add": ["a\u202e"]}}, "/tags/add/0", "must not hold the invisible or unassigned character U+202E"),
        ({"tags": {"add": ["b", "a"], "remove": ["a"]}}, "/tags", "item 1 of add, counted from 0, is in remove"),
        ({"tags": {"add": [f"t{n}" for n in range(50)]}}, "/tags", "must have at most 50 different items, not 51"),
        (
            {"affected_asset_ids": {"add": [f"x{n}" for n in range(500)]}},
            "/affected_asset_ids",
            "must have at most 500 different items, not 501",
        ),
        ({"reportable_to": {"add": ["x"] * 501}}, "/reportable_to/add", "must have at most 500 items, not 501"),
        ({"title": {"add": ["a"]}}, "/title", "must be a text"),
    ],
    ids=str,
)
def test_the_error_of_a_bad_operator_names_its_place_and_changes_nothing(
    values: dict[str, Any], pointer: str, right: str
) -> None:
    incident = created(tags=["kept"], affected_asset_ids=["kept"])

    status, problem = patch(incident, values)

    assert status == 422
    assert [(error["pointer"], right in error["detail"]) for error in problem["errors"]] == [(pointer, True)]
    assert patched(incident, {}) == incident


def test_a_create_has_no_operators_of_lists() -> None:
    answer = create(create_event({"title": "x", "tags": {"add": ["a"]}}), Context)

    assert answer["statusCode"] == 422
    assert json.loads(answer["body"])["errors"] == [{"pointer": "/tags", "detail": "must be a list"}]


def test_what_an_earlier_release_stored_can_be_edited(table: str) -> None:
    incident = created(tags=["a"])
    boto3.client("dynamodb").update_item(
        TableName=table,
        Key={"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": incident["id"]}},
        UpdateExpression="SET tags = :tags",
        ExpressionAttributeValues={":tags": {"L": [{"S": "a"}, {"S": "a"}, {"S": "b\x07"}]}},
    )

    assert patched(incident, {"tags": {"add": ["b\x07"]}})["version"] == 1
    assert patched(incident, {"tags": {"add": ["c"]}})["tags"] == ["a", "a", "b\x07", "c"]
    assert patched(incident, {"tags": {"remove": ["b\x07", "a"]}})["tags"] == ["c"]


def test_null_clears_a_field() -> None:
    incident = created(**FULL)
    optional = [field for field in FULL if field not in (
        "title", "source", "source_type", "status", "incident_number", "closed_at", "mttd_minutes", "mttr_minutes",
    )]  # fmt: skip

    after = patched(incident, dict.fromkeys(optional))

    assert {after[field] for field in optional if field not in model.LISTS} == {None}
    assert all(after[field] == [] for field in model.LISTS)
    assert (after["mttd_minutes"], after["mttr_minutes"]) == (None, None)


@pytest.mark.parametrize(
    ("stored", "sent", "merged"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": None, "e": 4}}, {"a": 1, "b": {"d": 3, "e": 4}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1}, [1], [1]),
        ({"a": 1}, "text", "text"),
        ("text", {"a": {"b": None}}, {"a": {}}),
        (None, {"a": None}, {}),
        ({"a": 1}, None, None),
        ({"a": 1}, {"a": True}, {"a": True}),
    ],
)
def test_lessons_learned_are_merged_by_rfc_7396(stored: object, sent: object, merged: object) -> None:
    incident = created(lessons_learned=stored)

    assert json.dumps(patched(incident, {"lessons_learned": sent})["lessons_learned"]) == json.dumps(merged)


def test_lessons_learned_in_another_order_are_unchanged(table: str) -> None:
    incident = created(lessons_learned={"a": 1, "b": [True]})
    before = items(table)

    assert patched(incident, {"lessons_learned": {"b": [True], "a": 1}}) == incident
    assert items(table) == before


@pytest.mark.parametrize(
    ("values", "pointer", "right"),
    [
        ({"title": None}, "/title", "must not be null"),
        ({"status": None}, "/status", "must not be null"),
        ({"source": None}, "/source", "must not be null"),
        ({"source_type": None}, "/source_type", "must not be null"),
        ({"is_deleted": None}, "/is_deleted", "must not be null"),
        ({"is_deleted": "false"}, "/is_deleted", "must be true or false"),
        ({"incident_number": None}, "/incident_number", "must not be null"),
        ({"incident_number": "other"}, "/incident_number", "cannot be changed"),
        ({"id": "inc_2"}, "/id", "set by the server"),
        ({"tenant_id": "globex"}, "/tenant_id", "set by the server"),
        ({"deleted_at": None}, "/deleted_at", "set by the server"),
        ({"version": 3}, "/version", "set by the server"),
        ({"severity": "urgent"}, "/severity", "must be one of"),
        ({"closed_at": DETECTED}, "/closed_at", "unless status is closed"),
        ({"occurred_at": "2026-11-20T10:00:00.001Z"}, "/occurred_at", "must not be after detected_at"),
        ({"reported_at": "2026-11-20T09:00:00Z"}, "/reported_at", "must not be before detected_at"),
        ({"occurred_at": DETECTED, "mttd_minutes": 5}, "/mttd_minutes", "must be 0"),
        ({"lessons_learned": {"a": {"b": "x" * 33_000}}}, "/lessons_learned", "at most 32 KiB"),
        ([], "", "must be a JSON object"),
        (None, "", "must be a JSON object"),
    ],
)
def test_the_error_of_a_bad_patch_names_its_field_and_changes_nothing(
    table: str, values: object, pointer: str, right: str
) -> None:
    incident = created(detected_at=DETECTED)
    before = items(table)

    status, problem = patch(incident, values)

    assert status == 422
    assert right in {error["pointer"]: error["detail"] for error in problem["errors"]}[pointer]
    assert items(table) == before


def test_lessons_too_deep_to_merge_are_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"a": deep}

    assert patch(created(lessons_learned={"a": {}}), {"lessons_learned": deep})[0] == 422


def test_a_number_that_stays_the_same_may_be_sent() -> None:
    incident = created()

    assert patched(incident, {"incident_number": incident["incident_number"]}) == incident


# --- lifecycle


@pytest.mark.parametrize("start", model.STATUSES)
@pytest.mark.parametrize("end", model.STATUSES)
def test_every_status_change_is_allowed_or_a_conflict_with_the_allowed_ones(start: str, end: str) -> None:
    incident = created(status=start)

    status, body = patch(incident, {"status": end})

    allowed = model.ALLOWED_TRANSITIONS[start]
    if end in (start, *allowed):
        assert (status, body["status"]) == (200, end)
    else:
        assert (status, body["allowed_transitions"]) == (409, list(allowed))
        assert [error["pointer"] for error in body["errors"]] == ["/status"]


def test_the_first_change_to_contained_and_the_last_to_closed_set_timestamps() -> None:
    incident = created(detected_at=DETECTED)

    contained = patched(incident, {"status": "contained"})
    assert contained["contained_at"] == contained["updated_at"]
    closed = patched(incident, {"status": "closed"})
    assert closed["closed_at"] == closed["updated_at"]
    assert closed["mttr_minutes"] == timestamps.minutes_between(DETECTED, closed["closed_at"])

    reopened = patched(incident, {"status": "investigating"})
    assert (reopened["closed_at"], reopened["mttr_minutes"]) == (None, None)
    again = patched(incident, {"status": "contained"})
    assert again["contained_at"] == contained["contained_at"]
    time.sleep(0.002)
    assert patched(incident, {"status": "closed"})["closed_at"] > closed["closed_at"]


def test_a_caller_may_give_the_milestone_of_a_status_change() -> None:
    closed = patched(created(detected_at=DETECTED), {"status": "closed", "closed_at": "2026-11-20T11:30:59Z"})

    assert (closed["closed_at"], closed["mttr_minutes"]) == ("2026-11-20T11:30:59.000Z", 90)


def test_closed_at_must_agree_with_the_status() -> None:
    incident = created(status="closed")

    assert patch(incident, {"closed_at": None})[0] == 422
    assert patch(incident, {"status": "review", "closed_at": incident["closed_at"]})[0] == 422
    assert patched(incident, {"status": "review", "closed_at": None})["closed_at"] is None


def test_reopening_clears_the_minutes_to_resolve() -> None:
    incident = created(status="closed", mttr_minutes=9)

    status, problem = patch(incident, {"status": "review", "mttr_minutes": 1440})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/mttr_minutes")
    assert patched(incident, {"status": "review"})["mttr_minutes"] is None


def test_given_minutes_are_replaced_if_the_server_sets_closed_at() -> None:
    incident = created(status="closed", detected_at=DETECTED, mttr_minutes=1)
    assert incident["mttr_minutes"] == timestamps.minutes_between(DETECTED, incident["closed_at"])

    other = created(detected_at=DETECTED)
    assert patched(other, {"status": "closed", "mttr_minutes": 1})["mttr_minutes"] > 1
    assert patched(other, {"mttr_minutes": None})["mttr_minutes"] > 1, "null must request the derived value"
    assert patch(other, {"mttr_minutes": 1})[0] == 422


def test_an_incident_of_the_largest_size_can_still_be_closed_and_deleted() -> None:
    ids = [f"{n:0128}" for n in range(500)]

    def sized(characters: int) -> dict[str, Any]:
        return {"title": "x", "affected_asset_ids": ids, "commander_ids": ids[:400], "description": "x" * characters}

    def refused(characters: int) -> bool:
        return bool(create(create_event(sized(characters)), Context)["statusCode"] == 413)

    least_refused = bisect.bisect_left(range(20_000), True, key=refused)
    incident = created(**sized(least_refused - 1))

    assert patched(incident, {"status": "closed"})["closed_at"]
    assert delete(delete_event(incident["id"]), Context)["statusCode"] == 204
    assert patched(incident, {"is_deleted": False})["deleted_at"] is None
    assert patch(incident, {"root_cause": "longer than null"})[0] == 413


def test_a_large_patch_may_make_an_incident_small() -> None:
    lessons = {f"lesson {n:06}": 1 for n in range(1600)}
    incident = created(lessons_learned=lessons)

    assert patched(incident, {"lessons_learned": dict.fromkeys(lessons)})["lessons_learned"] == {}


def test_derived_minutes_replace_given_ones_and_go_with_their_timestamps() -> None:
    incident = created(mttd_minutes=7, mttr_minutes=9, status="closed")
    assert (incident["mttd_minutes"], incident["mttr_minutes"]) == (7, 9)
    assert patched(incident, {"title": "y"})["mttd_minutes"] == 7

    derived = patched(incident, {"occurred_at": "2026-11-20T09:00:00Z", "detected_at": DETECTED})
    assert derived["mttd_minutes"] == 60
    assert derived["mttr_minutes"] == timestamps.minutes_between(DETECTED, incident["closed_at"])
    gone = patched(incident, {"occurred_at": None})
    assert (gone["mttd_minutes"], gone["mttr_minutes"]) == (None, derived["mttr_minutes"])
    assert patched(incident, {"mttd_minutes": 3})["mttd_minutes"] == 3


# --- conditional requests


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ('"1"', 200),
        ("*", 200),
        ('"7", "1"', 200),
        ('"2"', 412),
        ('W/"1"', 412),
        ('W/"2"', 412),
        ('W/"7", "8"', 412),
        ('"2", W/"1"', 412),
        ('W/""', 412),
        ('"one"', 412),
        ('"a,b"', 412),
        ('"99999999999999999999999999"', 412),
        ('"01"', 412),
        ('W/"2" , "1"', 200),
        (' , "1",, ', 200),
        ("1", 400),
        ("", 400),
        (",", 400),
        ("garbage", 400),
        ('junk"1"junk', 400),
        ('"a"1"b"', 400),
        ('w/"1"', 400),
        ('W/ "1"', 400),
        ('"1" "2"', 400),
        ('"1", 2', 400),
        ('"1", *', 400),
        ("'1'", 400),
        ('"\u00e9"', 400),
    ],
)
def test_an_update_with_if_match_needs_the_current_version(table: str, if_match: str, status: int) -> None:
    incident = created()
    before = items(table)

    seen, body = patch(incident, {"title": "y"}, headers={"if-match": if_match})

    assert seen == status
    if status == 412:
        assert 'is at version "1"' in body["detail"]
        assert ("weak" in body["detail"]) == ('W/"' in if_match)
    if status == 400:
        assert 'The header If-Match must be one or more ETags with quotes, like "3"' in body["detail"]
    if status != 200:
        assert items(table) == before
        answer = delete(delete_event(incident["id"], headers={"if-match": if_match}), Context)
        assert (answer["statusCode"], json.loads(answer["body"])["detail"]) == (status, body["detail"])


@pytest.mark.parametrize(
    ("if_none_match", "status"),
    [('"1"', 304), ('"01"', 200), ('W/"1"', 304), ("*", 304), ('"0", "1"', 304), ('"2"', 200), ('W/"2", W/"1"', 304)],
)
def test_get_with_if_none_match_gives_304_if_the_version_matches(if_none_match: str, status: int) -> None:
    incident = created()

    answer = get(get_event(incident["id"], headers={"if-none-match": if_none_match}), Context)

    assert (answer["statusCode"], answer["headers"]["etag"]) == (status, '"1"')
    assert (answer["body"] == "") == (status == 304)


@pytest.mark.parametrize("if_none_match", ["1", "", "garbage", 'w/"1"', '"1" "2"', '*, "1"', '"1'])
def test_a_malformed_if_none_match_is_refused_with_the_right_form(if_none_match: str) -> None:
    for incident_id in (created()["id"], "inc_01M83J8EHSBKC38ZQ0R08TEPS6"):
        answer = get(get_event(incident_id, headers={"if-none-match": if_none_match}), Context)

        assert answer["statusCode"] == 400
        assert "The header If-None-Match must be one or more ETags with quotes" in json.loads(answer["body"])["detail"]


# --- deletion and restoration


def test_a_second_deletion_changes_nothing(table: str) -> None:
    incident = created(detected_at=DETECTED, status="closed")

    assert delete(delete_event(incident["id"], caller=claims(sub="grace")), Context)["statusCode"] == 204
    once = items(table)
    again = delete(delete_event(incident["id"]), Context)

    assert (again["statusCode"], again["body"]) == (204, "")
    assert items(table) == once
    shown = json.loads(get(get_event(incident["id"]), Context)["body"])
    assert (shown["is_deleted"], shown["deleted_by"], shown["deleted_at"]) == (True, "grace", shown["updated_at"])
    (item,) = items(table, "#INCIDENT")
    assert {name for name in item if name.endswith("_pk")} == {"detected_day_pk", "closed_day_pk"}


def test_a_deletion_with_if_match_needs_the_current_version(table: str) -> None:
    incident = created()
    before = items(table)

    assert delete(delete_event(incident["id"], headers={"if-match": '"2"'}), Context)["statusCode"] == 412
    assert items(table) == before
    assert delete(delete_event(incident["id"], headers={"if-match": '"1"'}), Context)["statusCode"] == 204


def test_a_deleted_incident_accepts_only_its_restoration(table: str) -> None:
    incident = created(severity="low")
    delete(delete_event(incident["id"]), Context)
    before = items(table)

    for values in ({"title": "y"}, {}, {"is_deleted": True}):
        assert patch(incident, values)[0] == 409
    assert items(table) == before

    restored = patched(incident, {"is_deleted": False, "severity": "high"})
    assert (restored["is_deleted"], restored["deleted_at"], restored["deleted_by"]) == (False, None, None)
    assert restored["severity"] == "high"
    (item,) = items(table, "#INCIDENT")
    assert (item["active_pk"]["S"], item["active_status_pk"]["S"]) == ("TENANT#acme", "TENANT#acme#STATUS#new")


def test_a_patch_may_delete_an_incident() -> None:
    deleted = patched(created(), {"is_deleted": True})

    assert (deleted["is_deleted"], deleted["deleted_by"]) == (True, "ada")


# --- access


@pytest.mark.parametrize("handler", [update, delete], ids=["update", "delete"])
def test_a_caller_changes_only_incidents_within_reach(table: str, handler: Any) -> None:
    person, app = created(), created(caller=claims(app_id="soc-portal"))
    before = items(table)
    tries = [
        (person, claims("globex")),
        (person, claims(app_id="soc-portal")),
        (app, claims(app_id="other")),
        ({"id": "inc_01M83J8EHSBKC38ZQ0R08TEPS6"}, claims()),
        ({"id": "nonsense"}, claims()),
    ]

    answers = [
        handler(patch_event(incident["id"], {"title": "y"}, caller=caller), Context) for incident, caller in tries
    ]

    assert {(answer["statusCode"], answer["body"]) for answer in answers} == {(404, answers[0]["body"])}
    assert items(table) == before
    assert (
        handler(patch_event(app["id"], {"title": "y"}, caller=claims(app_id="soc-portal")), Context)["statusCode"] < 300
    )
    assert handler(patch_event(person["id"], {"title": "y"}), Context)["statusCode"] < 300


# --- documents of other versions


def test_a_document_of_version_0_is_read_and_converted_by_its_next_change(table: str) -> None:
    incident = created()
    client, key = boto3.client("dynamodb"), {"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": incident["id"]}}
    item = client.get_item(TableName=table, Key=key)["Item"]
    del item["schema_version"]
    old: Any = item | {"severity": {"S": "HIGH"}, "tags": {"S": "gdpr, s3"}}
    client.put_item(TableName=table, Item=old)

    shown = json.loads(get(get_event(incident["id"]), Context)["body"])
    assert (shown["schema_version"], shown["severity"], shown["tags"]) == (1, "high", ["gdpr", "s3"])
    assert client.get_item(TableName=table, Key=key)["Item"] == old

    patched(incident, {"title": "y"})
    stored = client.get_item(TableName=table, Key=key)["Item"]
    assert (stored["schema_version"], stored["severity"]) == ({"N": "1"}, {"S": "high"})
    assert stored["tags"] == {"L": [{"S": "gdpr"}, {"S": "s3"}]}


def test_a_patch_keeps_the_fields_of_a_newer_version(table: str) -> None:
    incident = created(tags=["a"])
    client, key = boto3.client("dynamodb"), {"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": incident["id"]}}
    item = client.get_item(TableName=table, Key=key)["Item"]
    newer: dict[str, Any] = {
        "schema_version": {"N": "2"},
        "playbook": {"M": {"steps": {"N": "3"}}},
        "future_pk": {"S": "x"},
    }
    client.put_item(TableName=table, Item=item | newer)

    assert patched(incident, {"title": "y", "tags": None})["schema_version"] == 2
    delete(delete_event(incident["id"]), Context)

    stored = client.get_item(TableName=table, Key=key)["Item"]
    assert {name: stored[name] for name in newer} == newer
    assert "tags" not in stored


def test_an_unknown_status_of_a_newer_version_is_kept(table: str) -> None:
    incident = created()
    client, key = boto3.client("dynamodb"), {"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": incident["id"]}}
    item = client.get_item(TableName=table, Key=key)["Item"]
    client.put_item(TableName=table, Item=item | {"schema_version": {"N": "2"}, "status": {"S": "hibernating"}})

    assert patched(incident, {"title": "y"})["status"] == "hibernating"
    assert patch(incident, {"status": "closed"})[0] == 409
