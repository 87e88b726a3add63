"""Tests of the behavior that all operations share: identity, scope, the log line, and unexpected errors."""

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import list_incident_changes
import list_incidents
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from incidents.commands import creating
from incidents.runtime.log import logger
from incidents.storage import dynamodb

from tests.support import templates
from tests.support.events import ISSUER, Context, changes_event, claims, get_event, list_event
from tests.support.operations import OPERATIONS, call, calls_to_dynamodb

every_operation = pytest.mark.parametrize("operation", OPERATIONS)


def test_these_tests_cover_every_operation() -> None:
    assert len(OPERATIONS) == len(templates.operations())


@pytest.fixture
def calls() -> Iterator[list[str]]:
    with calls_to_dynamodb() as made:
        yield made


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Return the functions' log."""
    written = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", written)
    return written


@every_operation
@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"tenant_id": None}, 403),
        ({"tenant_id": ""}, 403),
        ({"tenant_id": "[acme globex]"}, 403),
        ({"tenant_id": "acme#INCIDENT"}, 403),
        ({"tenant_id": ".acme"}, 403),
        ({"tenant_id": "null"}, 403),
        ({"tenant_id": "a" * 300}, 403),
        ({"tenant_id": "\u0430cme"}, 403),
        ({"sub": None}, 403),
        ({"sub": "system:guardduty"}, 403),
        ({"app_id": "[a b]"}, 403),
        ({"app_id": "null"}, 403),
        ({"app_id": ""}, 403),
        ({"scope": None}, 403),
        ({"scope": "incidents:readwrite"}, 403),
        ({"scope": "INCIDENTS:READ INCIDENTS:WRITE"}, 403),
        ({"exp": None}, 401),
        ({"exp": "1"}, 401),
        ({"exp": "soon"}, 401),
        ({"iss": None}, 401),
        ({"iss": "https://issuer.example/"}, 401),
        ({"token_use": "id"}, 401),
    ],
)
def test_untrusted_claims_are_refused_before_any_call(
    calls: list[str], operation: str, changed: dict[str, str | None], status: int
) -> None:
    answer = call(operation, claims(**changed))  # type: ignore[arg-type]

    assert answer["statusCode"] == status
    assert calls == []


TOKEN_SETTINGS = {"JWT_ISSUER": ISSUER, "TOKEN_CLAIMS": "tenant_id app_id  scope,scp"}


@pytest.mark.parametrize("missing", TOKEN_SETTINGS)
def test_a_deployed_function_without_a_setting_of_tokens_refuses_every_token(
    missing: str, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    for name, value in TOKEN_SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(missing)
    assert call("list", claims())["statusCode"] == 200
    calls.clear()
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")

    assert call("list", claims())["statusCode"] == 500
    assert calls == []


def test_a_deployed_function_with_its_settings_of_tokens_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**TOKEN_SETTINGS, "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"}.items():
        monkeypatch.setenv(name, value)

    assert call("list", claims())["statusCode"] == 200


def test_names_of_claims_that_cannot_be_read_refuse_every_token(
    monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    monkeypatch.setenv("TOKEN_CLAIMS", "tenant_id app_id")

    assert call("list", claims())["statusCode"] == 500
    assert calls == []


@every_operation
@pytest.mark.parametrize("query", ["dry_run=true", "fields", "%C3%A4=1", "a=1&a=2", "%ff=1"])
def test_an_unknown_parameter_is_refused_before_any_call(operation: str, query: str, calls: list[str]) -> None:
    handler, event = OPERATIONS[operation]

    answer = handler(event() | {"rawQueryString": query}, Context)

    assert answer["statusCode"] == 400
    assert "parameter" in answer["body"] or "percent-encoded" in answer["body"]
    assert calls == []


@every_operation
@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"authorizer": None},
        {"authorizer": {"lambda": {}}},
        {"authorizer": {"jwt": {}}},
        {"authorizer": {"jwt": {"claims": None}}},
    ],
)
def test_a_request_without_verified_claims_is_not_authenticated(operation: str, broken: dict[str, Any]) -> None:
    handler, event = OPERATIONS[operation]

    answer = handler(event() | {"requestContext": broken}, Context)

    assert answer["statusCode"] == 401
    assert answer["headers"]["www-authenticate"] == "Bearer"
    assert json.loads(answer["body"])["request_id"] == "lambda-request-1"


@every_operation
def test_a_read_scope_allows_no_write_and_a_write_scope_no_read(operation: str) -> None:
    needed = OPERATIONS[operation][0].scope
    other = {"incidents:read": "incidents:write", "incidents:write": "incidents:read"}[needed]

    assert call(operation, claims(scope=other))["statusCode"] == 403
    assert call(operation, claims(scope=f"[openid {needed}]"))["statusCode"] in (200, 201, 404)


def test_each_request_logs_one_json_line_without_the_caller_s_texts(log: io.StringIO) -> None:
    created = json.loads(call("create", claims())["body"])
    call("get", claims())

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert len(lines) == 2
    assert lines[0] | {"timestamp": "", "duration_ms": 0} == {
        "level": "INFO", "message": "request", "timestamp": "", "service": "service_undefined",
        "operation": "create_incident", "request_id": "gateway-request-1", "tenant_id": "acme", "status": 201,
        "duration_ms": 0, "incident_id": created["id"],
    }  # fmt: skip
    assert (lines[1]["status"], lines[1]["error"]) == (404, "NotFound")
    assert "Secret title" not in json.dumps(lines)


def test_an_unexpected_error_gives_a_500_problem_and_one_log_line(
    monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("with Secret title in its text")

    monkeypatch.setattr(creating, "create_incident", fail)

    answer = call("create", claims())

    assert answer["statusCode"] == 500
    assert json.loads(answer["body"])["request_id"] == "gateway-request-1"
    (line,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["level"], line["error"], line["status"]) == ("ERROR", "RuntimeError", 500)
    assert any("create_incident" in frame for frame in line["frames"])
    assert "Secret title" not in answer["body"] + json.dumps(line)


THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "Any")
UNREACHABLE = ConnectTimeoutError(endpoint_url="https://dynamodb.example")


@every_operation
@pytest.mark.parametrize("refusal", [THROTTLED, UNREACHABLE], ids=["throttled", "unreachable"])
def test_an_unavailable_table_gives_503_with_retry_after(
    monkeypatch: pytest.MonkeyPatch, operation: str, refusal: Exception
) -> None:
    client = dynamodb.client()

    def refuse(**_: object) -> None:
        raise refusal

    client.meta.events.register("before-call.dynamodb", refuse)
    try:
        answer = call(operation, claims())
    finally:
        client.meta.events.unregister("before-call.dynamodb", refuse)

    assert answer["statusCode"] == 503
    assert answer["headers"]["retry-after"] == "1"
    assert "dynamodb.example" not in answer["body"]


@pytest.mark.parametrize("conflicts", [1, 7, 8])
def test_a_create_in_conflict_with_other_transactions_is_tried_eight_times(
    monkeypatch: pytest.MonkeyPatch, conflicts: int
) -> None:
    client, met = dynamodb.client(), 0
    reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}, {"Code": "None"}]
    error = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": reasons}

    def conflict(**_: object) -> None:
        nonlocal met
        met += 1
        if met <= conflicts:
            raise ClientError(error, "TransactWriteItems")  # type: ignore[arg-type]

    monkeypatch.setattr(time, "sleep", lambda _: None)
    client.meta.events.register("before-call.dynamodb.TransactWriteItems", conflict)
    try:
        answer = call("create", claims())
    finally:
        client.meta.events.unregister("before-call.dynamodb.TransactWriteItems", conflict)

    assert answer["statusCode"] == (201 if conflicts < 8 else 503)
    assert met == min(conflicts + 1, 8)


def test_all_reads_except_lists_of_incidents_are_strongly_consistent() -> None:
    asked: dict[str, bool] = {}
    client = dynamodb.client()
    created = json.loads(call("create", claims())["body"])

    def note(params: dict[str, Any], model: Any, **_: object) -> None:
        asked[f"{model.name} {params.get('IndexName', 'table')}"] = params.get("ConsistentRead", False)

    client.meta.events.register("before-parameter-build.dynamodb", note)
    try:
        list_incident_changes.handler(changes_event(created["id"]), Context)
        list_incidents.handler(list_event(), Context)
    finally:
        client.meta.events.unregister("before-parameter-build.dynamodb", note)

    assert asked == {"GetItem table": True, "Query table": True, "Query active": False}


def test_a_transaction_canceled_for_another_reason_is_not_retried() -> None:
    client, tried = dynamodb.client(), 0
    reasons = [{"Code": "ValidationError"}, {"Code": "None"}, {"Code": "TransactionConflict"}]
    error = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": reasons}

    def cancel(**_: object) -> None:
        nonlocal tried
        tried += 1
        raise ClientError(error, "TransactWriteItems")  # type: ignore[arg-type]

    client.meta.events.register("before-call.dynamodb.TransactWriteItems", cancel)
    try:
        answer = call("create", claims())
    finally:
        client.meta.events.unregister("before-call.dynamodb.TransactWriteItems", cancel)

    assert (answer["statusCode"], tried) == (500, 1)


def test_create_makes_two_calls_to_dynamodb_and_get_and_list_one_each(calls: list[str]) -> None:
    created = json.loads(call("create", claims())["body"])
    OPERATIONS["get"][0](get_event(created["id"]), Context)
    call("list", claims())

    assert calls == ["UpdateItem", "TransactWriteItems", "GetItem", "Query"]
