import json
import time
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from create_incident import handler as create
from incidents.domain import model
from incidents.domain.errors import Violation
from incidents.storage import dynamodb as table_client
from incidents.storage.incident_repository import IncidentRepository
from update_incident import handler as update

from tests.support.events import Context, claims, create_event, http_event, patch_event

DAY = 24 * 3600


def send(incident: dict[str, Any], key: str = "key-1", **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = create(create_event(incident, headers={"idempotency-key": key}, **more), Context)
    return answer


def count(table: str, kind: str = "#INCIDENT") -> int:
    found = boto3.client("dynamodb").scan(TableName=table)["Items"]
    return sum(item["pk"]["S"].endswith(kind) for item in found)


def test_a_repeated_create_returns_the_incident_in_its_current_state(table: str) -> None:
    first = send({"title": "x"})
    incident = json.loads(first["body"])
    assert "idempotency-replayed" not in first["headers"]
    assert json.loads(update(patch_event(incident["id"], {"severity": "high"}), Context)["body"])["severity"] == "high"

    again = send({"title": "x"})

    assert (again["statusCode"], again["headers"]["idempotency-replayed"]) == (201, "true")
    assert (again["headers"]["location"], again["headers"]["etag"]) == (first["headers"]["location"], '"2"')
    assert json.loads(again["body"])["severity"] == "high"
    assert (count(table), count(table, "#NUMBER"), count(table, "#CHANGE")) == (1, 1, 2)


def test_equal_values_in_another_form_are_the_same_body() -> None:
    texts = [
        '{"title": "x", "financial_impact": 1.50, "lessons_learned": {"a": 1, "b": 2}, '
        '"detected_at": "2026-01-01T00:00:00Z"}',
        '{"lessons_learned":{"b":2,"a":1},"detected_at":"2026-01-01T01:00:00+01:00","financial_impact":15e-1,"title":"x"}',
    ]
    answers = [create(http_event(body=text, headers={"idempotency-key": "k"}), Context) for text in texts]

    assert answers[0]["body"] == answers[1]["body"]


@pytest.mark.parametrize(
    "other",
    [
        {"title": "y"},
        {"title": "x", "severity": "low"},
        {"title": "x", "lessons_learned": {"a": True}},
        {"title": "x", "lessons_learned": {"a": 1}, "financial_impact": 123456789012345.6788},
    ],
)
def test_the_same_key_with_another_body_is_refused(table: str, other: dict[str, Any]) -> None:
    send({"title": "x", "lessons_learned": {"a": 1}, "financial_impact": 1})
    before = boto3.client("dynamodb").scan(TableName=table)["Items"]

    answer = send(other)

    assert answer["statusCode"] == 422
    assert "another body" in json.loads(answer["body"])["detail"]
    assert boto3.client("dynamodb").scan(TableName=table)["Items"] == before


def test_amounts_that_differ_only_beyond_a_double_s_precision_are_different_bodies() -> None:
    def sent(amount: str) -> int:
        body = f'{{"title": "x", "financial_impact": {amount}}}'
        status: int = create(http_event(body=body, headers={"idempotency-key": "k"}), Context)["statusCode"]
        return status

    assert (sent("123456789012345.6789"), sent("123456789012345.6788")) == (201, 422)


def test_a_key_belongs_to_a_tenant_and_an_application(table: str) -> None:
    callers = [claims(), claims("globex"), claims(app_id="soc-portal"), claims(app_id="other"), claims(sub="grace")]
    incidents = [json.loads(send({"title": "x"}, caller=caller)["body"])["id"] for caller in callers]

    assert len(set(incidents)) == 4
    assert incidents[4] == incidents[0], "the people of one tenant share idempotency keys"


def test_a_refused_create_stores_no_key(table: str) -> None:
    assert send({"title": ""})["statusCode"] == 422
    assert count(table, "#IDEMPOTENCY") == 0
    assert send({"title": "x"})["statusCode"] == 201

    assert send({"title": "y", "incident_number": "IR-1"}, key="key-2")["statusCode"] == 201
    assert send({"title": "z", "incident_number": "IR-1"}, key="key-3")["statusCode"] == 409
    assert send({"title": "z", "incident_number": "IR-2"}, key="key-3")["statusCode"] == 201


def test_a_repeated_create_with_a_given_number_is_not_a_conflict() -> None:
    first, again = (send({"title": "x", "incident_number": "IR-1"}) for _ in range(2))

    assert again["statusCode"] == 201
    assert again["body"] == first["body"]


def test_a_key_expires_after_a_day_even_if_its_record_is_still_stored(table: str) -> None:
    send({"title": "x"})
    client = boto3.client("dynamodb")
    (item,) = [one for one in client.scan(TableName=table)["Items"] if one["pk"]["S"].endswith("#IDEMPOTENCY")]
    assert int(item["expires_at"]["N"]) == pytest.approx(time.time() + DAY, abs=60)
    client.put_item(TableName=table, Item=item | {"expires_at": {"N": str(int(time.time()) - 1)}})

    answer = send({"title": "y"})

    assert answer["statusCode"] == 201
    assert "idempotency-replayed" not in answer["headers"]
    assert count(table) == 2
    assert send({"title": "y"})["headers"]["idempotency-replayed"] == "true"


@pytest.mark.parametrize(("key", "status"), [("", 400), ("k" * 256, 400), ("k" * 255, 201), ("ключ #*\n", 201)])
def test_a_key_has_1_to_255_characters(key: str, status: int) -> None:
    assert send({"title": "x"}, key=key)["statusCode"] == status


def test_a_repeated_create_is_not_checked_against_the_rules_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = send({"title": "x", "status": "closed", "detected_at": "2026-01-01T00:00:00Z"})

    def refuse(*_: object, **__: object) -> list[Violation]:
        return [Violation("/title", "not any more")]

    monkeypatch.setattr(model, "apply_rules", refuse)
    assert send({"title": "x", "status": "closed", "detected_at": "2026-01-01T00:00:00Z"})["body"] == first["body"]


def cancelled(*codes: str) -> ClientError:
    error: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": ""},
        "CancellationReasons": [{"Code": code} for code in codes],
    }
    return ClientError(error, "TransactWriteItems")


def test_a_conflict_on_the_number_alone_still_finds_a_rival_with_the_same_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = send({"title": "x", "incident_number": "IR-1"})
    find_key, client = IncidentRepository.find_key, table_client.client()
    # The first lookup finds nothing, because the rival has not committed yet.
    looks = iter([None])
    monkeypatch.setattr(IncidentRepository, "find_key", lambda *args: next(looks, find_key(*args)))
    answers = iter([cancelled("None", "None", "ConditionalCheckFailed", "TransactionConflict")])

    def conflict(**_: object) -> None:
        if error := next(answers, None):
            raise error

    client.meta.events.register("before-call.dynamodb.TransactWriteItems", conflict)
    try:
        again = send({"title": "x", "incident_number": "IR-1"})
    finally:
        client.meta.events.unregister("before-call.dynamodb.TransactWriteItems", conflict)

    assert (again["statusCode"], again["body"]) == (201, first["body"])
    assert again["headers"]["idempotency-replayed"] == "true"
