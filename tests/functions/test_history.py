"""Tests the chain of hashes that the commands write, with the client's own check of a history."""

import json
from typing import Any, cast

import boto3
import pytest
from create_incident import handler as create
from delete_incident import handler as delete
from grc_client import Change, Client, history_faults
from incidents import publishing
from update_incident import handler as update

from tests.support import invariants, operations, releases
from tests.support.events import Context, claims, create_event, delete_event, patch_event
from tests.support.gateway import Gateway
from tests.support.incidents import FULL

KEY = {"idempotency-key": "key-1"}


@pytest.fixture
def items(table: str) -> Any:
    """Return a function that returns the items of a kind, and checks all items against the rules."""

    def read(kind: str) -> list[dict[str, Any]]:
        found = invariants.everything(boto3.client("dynamodb", region_name="us-east-1"), table)
        assert invariants.violations(found) == []
        return [item for item in found if item["pk"]["S"].endswith(kind)]

    return read


def created(**values: Any) -> str:
    answer = create(create_event({"title": "x"} | values, headers=KEY), Context)
    assert answer["statusCode"] == 201, answer
    return cast("str", json.loads(answer["body"])["id"])


def patched(incident_id: str, **values: Any) -> None:
    answer = update(patch_event(incident_id, values), Context)
    assert answer["statusCode"] == 200, answer


def trail(incident_id: str) -> list[Change]:
    """Return the changes of an incident. The client must find no fault in them."""
    with Client("https://api.example", "a.b.c", transport=Gateway()) as client:
        changes = list(client.grc.incidents.changes(incident_id, limit=2))
        assert history_faults(client.grc.incidents.get(incident_id), changes) == []
    return changes


def begins(incident_id: str) -> list[int]:
    """Return the versions of the changes that begin a chain."""
    return [change.version for change in trail(incident_id) if change.state_hash]


def test_each_change_has_a_hash_and_the_first_also_has_the_hash_of_all_values(items: Any) -> None:
    incident_id = created(**FULL)
    patched(incident_id, financial_impact=0.5, lessons_learned=[1e16, {"": "\u2028"}], tags=None)
    patched(incident_id, regulatory_reports=None)
    patched(incident_id, status="review")
    patched(incident_id, severity="low", lessons_learned=None, reported_to_regulators_at=None)
    delete(delete_event(incident_id), Context)
    patched(incident_id, is_deleted=False)

    changes = trail(incident_id)

    assert begins(incident_id) == [1]
    assert len({change.hash for change in changes} | {change.nonce for change in changes}) == 14
    (item,) = items("#INCIDENT")
    assert item["chain_head"] == {"S": f"7:{changes[-1].hash}"}


def test_a_repeated_create_has_one_hash(items: Any) -> None:
    incident_id = created()
    (before,) = trail(incident_id)

    assert created() == incident_id

    assert trail(incident_id) == [before]
    assert len(items("#CHANGE")) == 1


def test_a_change_after_an_older_release_begins_a_new_chain(items: Any) -> None:
    incident_id = created(severity="low")
    patched(incident_id, title="a")
    with releases.without_hashes():
        patched(incident_id, severity="high")
        patched(incident_id, title="b", tags=["one"])
    assert [(change.hash, change.nonce, change.state_hash) for change in trail(incident_id)[2:]] == [(None,) * 3] * 2
    patched(incident_id, title="c")
    patched(incident_id, severity=None)
    assert begins(incident_id) == [1, 5]

    with releases.without_hashes():
        delete(delete_event(incident_id), Context)
    patched(incident_id, is_deleted=False)

    assert begins(incident_id) == [1, 5, 8]
    assert items("#INCIDENT")


def test_an_incident_of_an_older_release_gets_a_chain_with_its_next_change(items: Any) -> None:
    with releases.without_hashes():
        incident_id = created(severity="low")
        patched(incident_id, title="a")
    patched(incident_id, title="b")
    patched(incident_id, title="c")

    assert begins(incident_id) == [3]
    assert items("#INCIDENT")


def test_a_document_of_an_older_schema_gets_a_chain_with_its_next_change(items: Any, table: str) -> None:
    with releases.without_hashes():
        incident_id = created(severity="low", tags=["a", "b"])
    (item,) = items("#INCIDENT")
    del item["schema_version"]
    older = item | {"severity": {"S": "LOW"}, "tags": {"S": "a, b"}}
    boto3.client("dynamodb", region_name="us-east-1").put_item(TableName=table, Item=older)

    patched(incident_id, title="b")
    patched(incident_id, tags=None)

    assert begins(incident_id) == [2]
    assert items("#INCIDENT")


@pytest.mark.parametrize("head", [{"S": ""}, {"S": "1"}, {"N": "1"}, {"S": "1:"}, {"S": ":"}, {"S": "x:y:z"}])
def test_a_damaged_chain_head_stops_no_change(head: dict[str, str], table: str) -> None:
    incident_id = created()
    boto3.client("dynamodb", region_name="us-east-1").update_item(
        TableName=table, Key={"pk": {"S": "TENANT#acme#INCIDENT"}, "sk": {"S": incident_id}},
        UpdateExpression="SET chain_head = :head", ExpressionAttributeValues={":head": head},
    )  # fmt: skip

    patched(incident_id, title="b")


def test_neither_an_answer_nor_an_event_has_the_chain_head(items: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURSOR_KEY", "x")
    monkeypatch.setenv("FEED_SETTLE_SECONDS", "0")
    incident_id = created(reportable_to=["GDPR"])
    (before,) = items("#INCIDENT")
    patched(incident_id, title="b")
    (after,) = items("#INCIDENT")
    monkeypatch.setattr(operations, "UNKNOWN", incident_id)
    answers = {name: operations.call(name, claims()) for name in operations.OPERATIONS}
    events = [publishing.announcement(*pair) for pair in ((None, before), (before, after))]

    assert {answer["statusCode"] for answer in answers.values()} <= {200, 201, 204}
    heads = [item["chain_head"]["S"].partition(":")[2] for item in (before, after)]
    for name, answer in {**answers, "events": {"body": repr(events)}}.items():
        assert "chain_head" not in answer["body"]
        assert name == "list changes" or not any(head in answer["body"] for head in heads), name
