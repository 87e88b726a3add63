"""Tests that the logs and the problems in error responses contain no caller's texts and no caller's identity."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import create_incident
import delete_incident
import get_incident
import get_incident_deadlines
import get_incident_metrics
import list_deadlines
import list_incident_changes
import list_incident_findings
import list_incident_updates
import list_incidents
import pytest
import update_incident
from incidents.runtime.log import logger
from incidents.storage import dynamodb

from tests.support import templates
from tests.support.events import Context, claims, http_event
from tests.support.incidents import FULL

HANDLERS = (
    create_incident, get_incident, list_incidents, update_incident, delete_incident, list_incident_changes,
    list_incident_findings, list_incident_updates, get_incident_metrics, get_incident_deadlines,
    list_deadlines,
)  # fmt: skip
CANARY = "canary-7f3a"
KNOWN = {
    "level", "message", "timestamp", "service", "operation", "request_id", "tenant_id", "incident_id", "status",
    "duration_ms", "error", "frames",
}  # fmt: skip
EVERYWHERE = {
    "authorization": f"Bearer {CANARY}", "cookie": CANARY, "idempotency-key": CANARY, "if-match": f'"{CANARY}"',
    "if-none-match": CANARY, "user-agent": CANARY, "x-forwarded-for": CANARY, "referer": CANARY,
}  # fmt: skip
UNCONDITIONAL = {name: value for name, value in EVERYWHERE.items() if name not in ("if-match", "idempotency-key")}
PERSON = claims(
    sub=f"{CANARY}@example.com", email=f"{CANARY}@example.com", name=CANARY, app_id=f"app-{CANARY}", jti=CANARY
)
BODY = {
    name: CANARY if isinstance(value, str) and not name.endswith("_at") else value
    for name, value in FULL.items()
    if name not in ("status", "severity", "source_type", "lessons_learned", "closed_at", "mttr_minutes")
} | {"tags": [CANARY], "commander_ids": [CANARY, "b"], "lessons_learned": {CANARY: CANARY}}
BAD_BODIES: tuple[object, ...] = (
    BODY | {"title": ["x", CANARY]}, BODY | {"severity": CANARY}, BODY | {"occurred_at": CANARY}, BODY | {"id": CANARY},
    BODY | {"commander_ids": [CANARY, CANARY]}, BODY | {"financial_impact": CANARY}, CANARY, [CANARY],
    BODY | {"description": CANARY * 9_000}, BODY | {"title": f"{CANARY}\ud800"},
    BODY | {"regulatory_reports": {"eu-gdpr": {"anchors": {"aware": CANARY}, "facts": {"member_state": CANARY}}}},
    BODY | {"regulatory_reports": {"eu-gdpr": {"stages": {"authority": {"reference": f"{CANARY}\n"}}}}},
)  # fmt: skip
QUERIES = (
    f"cursor={CANARY}", f"owner_id={CANARY}&owner_id={CANARY}", f"status={CANARY}", f"created_from={CANARY}",
    f"limit={CANARY}", f"incident_number={CANARY}", f"tag={CANARY * 20}", f"order={CANARY}", f"since={CANARY}",
    f"history={CANARY}",
    f"%ff{CANARY}",
)  # fmt: skip
BAD_CLAIMS = (
    claims(tenant_id=f"{CANARY}#"), claims(sub=f"{CANARY} {CANARY}"), claims(app_id=f"[{CANARY}]"),
    claims(exp=CANARY), claims(iss=CANARY), claims(scope=CANARY),
)  # fmt: skip


@pytest.fixture
def log(service: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Yield the function's log: its own lines and the lines of every library."""
    written = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", written)
    anything_else = logging.StreamHandler(written)
    # Powertools adds the same filter to the log handler of Lambda
    anything_else.addFilter(lambda record: record.name != logger.name)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(anything_else)
    root.setLevel(logging.WARNING)  # Lambda uses this level
    yield written
    root.removeHandler(anything_else)
    root.setLevel(level)


def events(path: str) -> list[dict[str, Any]]:
    """Return requests with a canary in every place, for the incident id ``path``.

    The id belongs to an existing incident or is unknown.
    """
    usual: dict[str, Any] = {"caller": PERSON, "headers": EVERYWHERE, "path": {"incident_id": path}}
    bodies = (BODY, {"title": CANARY}, {"status": "review"}, {"is_deleted": False}, *BAD_BODIES)
    return [
        *(http_event(body=json.dumps(body), **usual) for body in bodies),
        *(http_event(body=json.dumps(body), **(usual | {"headers": UNCONDITIONAL})) for body in bodies[:4]),
        http_event(body=f'{{"{CANARY}": ', **usual),
        http_event(body=f'{{"a": {CANARY}}}', **usual),
        http_event(body=CANARY.encode() + b"\xff", **usual),
        *(http_event(query=query, **usual) for query in QUERIES),
        *(http_event(body=json.dumps(BODY), **(usual | {"caller": caller})) for caller in BAD_CLAIMS),
        http_event(body=json.dumps(BODY), **(usual | {"headers": EVERYWHERE | {"content-type": CANARY}})),
        http_event(body=json.dumps(BODY), **(usual | {"path": {"incident_id": CANARY}})),
    ]


def problems(answers: list[dict[str, Any]]) -> list[str]:
    return [answer["body"] + json.dumps(answer["headers"]) for answer in answers if answer["statusCode"] >= 400]


def test_no_log_line_and_no_problem_contains_a_canary(log: io.StringIO, promise: Callable[[str, str], None]) -> None:
    assert len(HANDLERS) == len(templates.operations())
    numbered = {"title": CANARY, "incident_number": CANARY}
    made = create_incident.handler(http_event(body=json.dumps(numbered), caller=PERSON), Context)
    incident_id = json.loads(made["body"])["id"]

    answers = [module.handler(event, Context) for module in HANDLERS for event in events(incident_id)]

    lines = log.getvalue().splitlines()
    assert len(lines) == len(answers) + 1
    assert CANARY not in log.getvalue()
    told = problems(answers)
    assert not [one for one in told if CANARY in one]
    statuses = {answer["statusCode"] for answer in answers}
    assert statuses >= {200, 201, 204, 400, 401, 403, 404, 409, 412, 415, 422}, statuses
    assert 500 not in statuses
    for line in map(json.loads, lines):
        assert set(line) <= KNOWN
        assert {"request_id", "operation", "status", "duration_ms"} <= set(line)
        assert "tenant_id" in line or line["status"] in (401, 403)
        assert "incident_id" not in line or line["incident_id"].startswith("inc_")
    promise(
        "Logs and problems contain no secret and no personal data",
        f"{len(answers)} requests had canaries in headers, bodies, claims, cursors, parameters and paths: the "
        f"{len(lines)} log lines and {len(told)} problems contain 0 canaries",
    )


def test_an_unexpected_error_puts_no_canary_in_a_log_line_or_problem(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(params: Any, **_: object) -> None:
        raise ValueError(f"cannot handle {params} of {CANARY}")

    dynamodb.client().meta.events.register("before-parameter-build.dynamodb", explode)
    incident_id = "inc_01M83J8EHSBKC38ZQ0R08TEPS6"
    sent = http_event(
        body=json.dumps({"title": CANARY}), caller=PERSON, headers={"idempotency-key": CANARY},
        path={"incident_id": incident_id},
    )  # fmt: skip

    answers = [module.handler(sent | {"rawQueryString": ""}, Context) for module in HANDLERS]

    assert {answer["statusCode"] for answer in answers} == {500}
    assert CANARY not in log.getvalue()
    assert CANARY not in json.dumps(problems(answers))
    assert [set(json.loads(line)) for line in log.getvalue().splitlines()] == [KNOWN] * len(HANDLERS)


def test_the_log_of_these_tests_includes_the_warnings_of_libraries(log: io.StringIO) -> None:
    logging.getLogger("botocore.hooks").warning("params %s", CANARY)

    assert CANARY in log.getvalue()
