"""Tests that requests with bad input never get a 5xx.

A refused request leaves every byte of the table unchanged.
"""

import json
from typing import TYPE_CHECKING, Any

import pytest
from create_incident import handler as create
from delete_incident import handler as delete
from get_incident import handler as get
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from incidents.domain import model
from incidents.edges import parameters
from list_incident_changes import handler as list_changes
from list_incidents import handler as list_
from update_incident import handler as update

from tests.support.events import Context, create_event, http_event
from tests.support.incidents import FULL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

many = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
texts = st.lists(st.text(max_size=3), max_size=3)
offsets = st.integers(-1500, 1500).map(lambda minutes: f"{minutes // 60:+03d}:{abs(minutes) % 60:02d}")
moments = (
    st.sampled_from(
        ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00+05:00", "2026-01-03T00:00:00", "2026-02-30T00:00:00Z"]
    )
    | st.builds("{}{}".format, st.datetimes().map(lambda moment: moment.isoformat()), offsets | st.just("Z"))
    | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z", fullmatch=True)
)
likely = {
    **{field: moments | st.none() for field in model.MILESTONES},
    "title": st.text(max_size=5) | st.none(),
    "status": st.sampled_from([*model.STATUSES, "open"]) | st.none(),
    "severity": st.sampled_from([*model.SEVERITIES, "urgent"]) | st.none(),
    "mttd_minutes": st.integers(-1, 2000) | st.none(),
    "financial_impact": st.floats() | st.integers() | st.text(max_size=3),
    "tags": texts | st.none(),
    "reportable_to": st.dictionaries(st.sampled_from(["add", "remove", "set"]), anything | texts, max_size=3),
    "lessons_learned": anything,
    "incident_number": st.sampled_from(["IR-1", "INC-2026-000003", "INC-2026-999999999999", "#", "\u0660"]),
    "is_deleted": st.booleans() | st.none(),
}
documents = st.fixed_dictionaries({}, optional=likely) | st.dictionaries(
    st.sampled_from(model.FIELDS), anything, max_size=4
)
bodies = (
    st.builds(json.dumps, documents)
    | st.builds(json.dumps, anything)
    | st.text(max_size=40)
    | st.binary(max_size=40)
    | st.builds(json.dumps, documents).map(lambda text: text[:-1])
)
headers = st.dictionaries(
    st.sampled_from(["if-match", "if-none-match", "idempotency-key"]), st.text(max_size=12) | st.just('"1"'), max_size=2
)
queries = st.lists(
    st.tuples(
        st.sampled_from([*parameters.REPEATABLE, *parameters.SINGLE, "other"]),
        st.text(max_size=6) | moments | st.just("1"),
    ),
    max_size=3,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)) | st.text(max_size=30)


@pytest.fixture
def client(dynamodb: "DynamoDBClient", service: str) -> "DynamoDBClient":
    return dynamodb


@pytest.fixture
def incident_id(client: "DynamoDBClient") -> str:
    made: str = json.loads(create(create_event(FULL), Context)["body"])["id"]
    return made


def table(client: "DynamoDBClient") -> list[str]:
    pages = client.get_paginator("scan").paginate(TableName="incidents", ConsistentRead=True)
    return sorted(json.dumps(item, sort_keys=True) for page in pages for item in page["Items"])


def check(client: "DynamoDBClient", handler: Any, event: dict[str, Any]) -> None:
    before = table(client)

    answer = handler(event, Context)

    status = answer["statusCode"]
    assert status < 500, (event, answer)
    assert len(json.dumps(answer)) < 6_000_000
    if status >= 400:
        problem = json.loads(answer["body"])
        assert (problem["status"], problem["request_id"]) == (status, "gateway-request-1")
        assert problem["detail"]
        assert table(client) == before


@many
@given(body=bodies, sent=headers)
def test_no_create_gives_a_5xx_and_a_refused_one_writes_nothing(
    client: "DynamoDBClient", body: str | bytes, sent: dict[str, str]
) -> None:
    check(client, create, http_event(body=body, headers=sent))


@many
@given(body=bodies, sent=headers)
def test_no_update_gives_a_5xx_and_a_refused_one_writes_nothing(
    client: "DynamoDBClient", incident_id: str, body: str | bytes, sent: dict[str, str]
) -> None:
    check(client, update, http_event(body=body, headers=sent, path={"incident_id": incident_id}))


@many
@given(sent=headers, name=st.text(max_size=30) | st.none())
def test_no_other_request_by_id_gives_a_5xx_and_a_refused_one_writes_nothing(
    client: "DynamoDBClient", incident_id: str, sent: dict[str, str], name: str | None
) -> None:
    for handler in (get, list_changes, delete):
        path = {"incident_id": incident_id if name is None else name}
        check(client, handler, http_event(headers=sent, path=path, content_type=None))


@many
@given(query=queries)
def test_no_list_gives_a_5xx_and_a_refused_one_writes_nothing(
    client: "DynamoDBClient", incident_id: str, query: str
) -> None:
    check(client, list_, http_event(query=query, content_type=None))
    check(client, list_changes, http_event(query=query, content_type=None, path={"incident_id": incident_id}))
