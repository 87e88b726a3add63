"""Tests of the characters in callers' texts. A create and a patch refuse bad characters, and the error names them."""

import json
from hashlib import sha256
from typing import Any

import boto3
import pytest
from create_incident import handler as create
from get_incident import handler as get
from incidents.domain import model
from update_incident import handler as update

from tests.support.events import Context, create_event, get_event, http_event, patch_event


def sent(values: dict[str, Any], **more: Any) -> tuple[int, Any]:
    answer = create(create_event({"title": "x"} | values, **more), Context)
    return answer["statusCode"], json.loads(answer["body"])


def patched(incident_id: str, values: dict[str, Any]) -> tuple[int, Any]:
    answer = update(patch_event(incident_id, values), Context)
    return answer["statusCode"], json.loads(answer["body"])


def named(problem: Any) -> dict[str, str]:
    return {error["pointer"]: error["detail"] for error in problem["errors"]}


def older(table: str, **values: Any) -> str:
    """Store an incident with values that an earlier release accepted, and return its id."""
    incident_id: str = sent({})[1]["id"]
    for field, value in values.items():
        attribute = {"L": [{"S": item} for item in value]} if isinstance(value, list) else {"S": value}
        boto3.client("dynamodb").update_item(
            TableName=table,
            Key={"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": incident_id}},
            UpdateExpression="SET #field = :value",
            ExpressionAttributeNames={"#field": field},
            ExpressionAttributeValues={":value": attribute},
        )
    return incident_id


LINES = sorted(model.LINES)


@pytest.mark.parametrize("field", LINES)
@pytest.mark.parametrize("text", ["   ", "a\x00b", "a\x7f", "a\u200b", "\u202ea", "a\nb", "M\ufffdnchen"])
def test_a_blank_or_invisible_text_is_refused_by_its_field_s_name(table: str, field: str, text: str) -> None:
    incident_id = sent({})[1]["id"]
    before = boto3.client("dynamodb").scan(TableName=table)["Items"]
    value, pointer = (["fine", text], f"/{field}/1") if field in model.LISTS else (text, f"/{field}")

    for status, problem in (sent({field: value}), patched(incident_id, {field: value})):
        assert status == 422
        assert list(named(problem)) == [pointer]
        assert named(problem)[pointer].startswith("must ")
    assert boto3.client("dynamodb").scan(TableName=table)["Items"] == before


@pytest.mark.parametrize("field", sorted(model.PARAGRAPHS))
def test_a_text_of_several_lines_may_hold_line_ends_and_tabs_but_no_escape(field: str) -> None:
    assert sent({field: "one\r\n\ttwo\n"})[1][field] == "one\r\n\ttwo\n"
    status, problem = sent({field: "a\x1b[2Jb"})
    assert (status, list(named(problem))) == (422, [f"/{field}"])


@pytest.mark.parametrize("lessons", ["M\ufffdnchen", ["a", {"b": "\ufffd"}], {"\ufffd": 1}])
def test_lessons_learned_with_a_lost_character_are_refused(lessons: Any) -> None:
    status, problem = sent({"lessons_learned": lessons})

    assert (status, list(named(problem))) == (422, ["/lessons_learned"])
    assert "not valid UTF-8" in named(problem)["/lessons_learned"]


def test_a_body_that_the_gateway_damaged_is_refused_and_nothing_is_stored(table: str) -> None:
    """The emulator puts U+FFFD where bytes are not valid UTF-8. AWS sends such a body in base64."""
    damaged = http_event(body='{"title":"M\ufffdnchen"}')
    as_bytes = http_event(body=b'{"title":"M\xfcnchen"}')

    assert create(damaged, Context)["statusCode"] == 422
    assert create(as_bytes, Context)["statusCode"] == 400
    assert boto3.client("dynamodb").scan(TableName=table)["Items"] == []


def test_one_error_names_odd_texts_together_with_other_bad_values() -> None:
    status, problem = sent({"title": " ", "tags": ["a\x00", "x" * 257], "severity": "urgent", "owner_id": "\u200b"})

    assert status == 422
    assert set(named(problem)) == {"/title", "/tags/0", "/tags/1", "/severity", "/owner_id"}


# --- stored values stay readable and patchable

OLD: dict[str, Any] = {
    "title": " ", "category": "", "owner_id": "a\u200b", "source": "\x00", "description": "M\ufffdnchen \x00",
    "tags": ["a", "a", "\x01", " "], "commander_ids": ["\ufffd", "fine"], "lessons_learned": '"\ufffd"',
}  # fmt: skip


def test_an_old_incident_is_read_and_another_field_of_it_is_patched(table: str) -> None:
    incident_id = older(table, **OLD)
    shown = OLD | {"lessons_learned": "\ufffd"}

    read = json.loads(get(get_event(incident_id), Context)["body"])
    status, after = patched(incident_id, {"severity": "high"})

    assert {field: read[field] for field in OLD} == shown
    assert status == 200
    assert {field: after[field] for field in OLD} == shown


def test_a_patch_that_repeats_old_values_changes_nothing(table: str) -> None:
    incident_id = older(table, **OLD)

    for field, value in (OLD | {"lessons_learned": "\ufffd"}).items():
        answer = update(patch_event(incident_id, {field: value}), Context)
        assert (answer["statusCode"], answer["headers"]["etag"]) == (200, '"1"'), field


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"description": "M\ufffdnchen, edited"}, 200),
        ({"owner_id": "b\u200b"}, 200),
        ({"owner_id": "b\u200c"}, 422),
        ({"commander_ids": ["\ufffd", "fine", "another"]}, 200),
        ({"commander_ids": ["fine", "\u200b"]}, 422),
        ({"tags": [" ", "\x01", "new"]}, 200),
        ({"tags": ["  "]}, 422),
        ({"lessons_learned": {"kept": "\ufffd"}}, 200),
        ({"root_cause": "M\ufffdnchen"}, 422),
        ({"title": "  "}, 422),
    ],
)
def test_a_field_may_keep_the_characters_that_it_has(table: str, values: dict[str, Any], status: int) -> None:
    assert patched(older(table, **OLD), values)[0] == status


# --- limits, and equal tags


def test_an_arn_and_an_official_finding_type_fit_whole() -> None:
    arn = "arn:aws-us-gov:securityhub:us-gov-west-1:111122223333:" + "r" * (2048 - 54)
    tags = ["Software and Configuration Checks/Industry and Regulatory Standards", "t" * 256]
    assert len(arn) == 2048

    status, made = sent({"affected_asset_ids": [arn], "owner_id": arn, "tags": tags})

    assert (status, made["affected_asset_ids"], made["owner_id"], made["tags"]) == (201, [arn], arn, tags)
    assert sent({"affected_asset_ids": [arn + "x"]})[0] == 422


def test_equal_tags_count_once_and_keep_their_order() -> None:
    status, made = sent({"tags": ["b", "a", "b", "c", "a"]})
    assert (status, made["tags"]) == (201, ["b", "a", "c"])

    fifty = [str(n) for n in range(50)]
    assert sent({"tags": [*fifty, *fifty]})[1]["tags"] == fifty
    assert patched(made["id"], {"tags": ["c", "c", "a"]})[1]["tags"] == ["c", "a"]
    assert update(patch_event(made["id"], {"tags": ["c", "a", "c"]}), Context)["headers"]["etag"] == '"2"'


def test_a_create_of_the_former_release_with_equal_tags_is_replayed(table: str) -> None:
    """The former release stored both tags, and a fingerprint of both."""
    body = {"title": "x", "tags": ["a", "a"]}
    headers = {"idempotency-key": "key-1"}
    first = sent(body, headers=headers)[1]
    (record,) = [
        item
        for item in boto3.client("dynamodb").scan(TableName=table)["Items"]
        if item["pk"]["S"].endswith("IDEMPOTENCY")
    ]
    former = json.dumps(body | {"source": "edm", "source_type": "api", "status": "new"}, sort_keys=True)
    assert record["fingerprint"]["S"] == sha256(former.encode()).hexdigest()

    status, again = sent(body, headers=headers)

    assert (status, again["id"]) == (201, first["id"])
    assert sent(body | {"tags": ["a"]}, headers=headers)[0] == 422


# --- dates


@pytest.mark.parametrize("offset", ["+01:00", "+0100", " 01:00", " 0100", "+01"])
def test_a_body_s_date_may_have_its_offset_in_every_form_that_clients_send(offset: str) -> None:
    assert sent({"detected_at": f"2026-11-20T10:00:00{offset}"})[1]["detected_at"] == "2026-11-20T09:00:00.000Z"
