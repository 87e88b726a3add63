"""Tests that each function's role grants exactly the calls that the function makes, for each kind of partition."""

import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from announce_deadlines import handler as announce_deadlines
from compute_metrics import handler as compute_metrics
from create_incident import handler as create
from delete_incident import handler as delete
from follow_incidents import handler as follow_incidents
from get_incident import handler as get
from get_incident_deadlines import handler as get_deadlines
from get_incident_metrics import handler as get_metrics
from incidents import deadline_jobs
from incidents.domain import manifests, tally
from incidents.domain.manifests import Position
from incidents.edges import history_schedule
from incidents.storage import dynamodb, guard, keys, marks, stored_form
from incidents.storage.account_map import AccountMap
from incidents.storage.settings import INTAKE, Settings, TenantSettings
from incidents_cli.local.local_stack import operation_name
from ingest_finding import handler as ingest_finding
from list_deadlines import handler as list_deadlines
from list_incident_changes import handler as list_changes
from list_incident_findings import handler as list_findings
from list_incident_updates import handler as list_updates
from list_incidents import handler as list_
from schedule_metrics import handler as schedule_metrics
from seal_history import handler as seal_history
from update_incident import handler as update

from tests.support import templates
from tests.support.events import (
    Context,
    board_event,
    changes_event,
    claims,
    create_event,
    deadlines_event,
    delete_event,
    get_event,
    http_event,
    list_event,
    metrics_event,
    patch_event,
    record,
    stream_event,
    updates_event,
)
from tests.support.incidents import item
from tests.support.queues import sqs_event
from tests.support.recorded import event

LONG_AGO = (datetime.now(UTC) - timedelta(days=3, minutes=1)).isoformat()
THIS_YEAR = datetime.now(UTC).year
Grant = tuple[str, str, str]  # an action, a table or index, and a pattern of partition keys


def pattern(partition: str) -> str:
    """Return the pattern of a partition key: ``TENANT#acme#STATUS#new`` gives ``TENANT#*#STATUS#*``."""
    return "#".join("*" if place % 2 else name for place, name in enumerate(partition.split("#")))


def needed(operation: str, params: dict[str, Any]) -> set[Grant]:
    """Return the grants that a call to DynamoDB needs. A transaction needs the grants of its members."""
    match operation:
        case "TransactWriteItems":
            members = [member for write in params["TransactItems"] for member in write.items()]
            return set().union(*(needed(f"{kind}Item", write) for kind, write in members))
        case "BatchGetItem":
            reads = [key["pk"] for one in params["RequestItems"].values() for key in one["Keys"]]
            return {(f"dynamodb:{operation}", "table", pattern(partition["S"])) for partition in reads}
        case "Query":
            values = params["ExpressionAttributeValues"]
            partition = values.get(":partition") or values[":pk"]
        case _:
            partition = (params.get("Key") or params["Item"])["pk"]
    return {(f"dynamodb:{operation}", params.get("IndexName", "table"), pattern(partition["S"]))}


@pytest.fixture
def used() -> Iterator[set[Grant]]:
    """Yield a set that collects the grants that the calls to DynamoDB need."""
    seen: set[Grant] = set()
    client = dynamodb.client()

    def note(params: dict[str, Any], model: Any, **_: object) -> None:
        seen.update(needed(model.name, params))

    client.meta.events.register("before-parameter-build.dynamodb", note)
    yield seen
    client.meta.events.unregister("before-parameter-build.dynamodb", note)


def granted(function: str) -> set[Grant]:
    (policy,) = templates.service()["Resources"][f"{function}Role"]["Properties"]["Policies"]
    return {
        (action, resource, keys)
        for statement in policy["PolicyDocument"]["Statement"]
        for action in statement["Action"]
        # Only statements for the table have a condition. A statement for the stream has none, because Lambda
        # itself reads the stream.
        if "Condition" in statement
        for resource in [place(statement["Resource"])]
        for keys in statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    }


def place(resource: dict[str, Any]) -> str:
    path: str = resource.get("Fn::Sub") or "/".join(resource["Fn::GetAtt"])
    if path == "Storage/Outputs.TableArn":
        return "table"
    return path.removeprefix("${Storage.Outputs.TableArn}/index/")


def take_posture(tenant: str) -> None:
    with guard.serving_tenant(tenant):
        settings = TenantSettings(tenant, dynamodb.client(), os.environ["TABLE_NAME"])
        value = {"kinds": {"posture": "informational", "detection": "informational"}}
        settings.write(INTAKE, Settings(value, 1, "2026-11-20T00:00:00.000Z", "ada"))


def give_numbers_again() -> None:
    """Set the counter of incident numbers back, so that the next create finds taken numbers, and skips them."""
    for count in (1, 2):
        create(create_event({"title": "x", "incident_number": f"INC-{THIS_YEAR}-{count:06d}"}), Context)
    with guard.serving_tenant("acme"):
        dynamodb.client().update_item(
            TableName=os.environ["TABLE_NAME"], Key=stored_form.key(keys.counter("acme", THIS_YEAR)),
            UpdateExpression="SET #count = :zero", ExpressionAttributeNames={"#count": "count"},
            ExpressionAttributeValues={":zero": {"N": "0"}},
        )  # fmt: skip


def announce_all(incident_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute and announce the deadlines of an incident, and then take the incident off the board."""
    monkeypatch.setenv("EVENT_BUS_NAME", "incidents")
    monkeypatch.setattr(deadline_jobs, "put", lambda entries: set())
    named = {"reportable_to": ["GDPR"]}
    for patch in (named, {"detected_at": LONG_AGO}, {"is_deleted": True}):
        update(patch_event(incident_id, patch), Context)
        change = record(item(1, id=incident_id), item(2, id=incident_id, **(named | patch)))
        follow_incidents(stream_event([change]), Context)
        announce_deadlines({}, Context)


def seal_everything(incident_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seal a tenant whose mark can be removed, and a tenant whose mark must stay."""

    class Store:
        """A bucket without objects. The test is only about the table."""

        def newest(self, tenant_id: str) -> Position:
            return manifests.START

        def put(self, tenant_id: str, manifest: bytes) -> Position:
            return manifests.position(manifest)

    monkeypatch.setattr(history_schedule, "ManifestStore", Store)
    now = time.time_ns() // 1_000_000
    for settle, outcome in (("0", "computed"), ("60", "unsettled")):
        for marked_at in (now - 120_000, now):
            marks.seals().mark("acme", now=marked_at)
        monkeypatch.setenv("MARK_SETTLE_SECONDS", settle)
        assert seal_history({}, Context) == {outcome: 1}


def exercise(function: str, incident_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Call a function so that it makes each of its different calls to DynamoDB."""
    app = claims(app_id="soc-portal")
    match function:
        case "create_incident":
            for _ in ("once", "again"):
                create(create_event({"title": "x"}, headers={"idempotency-key": "one"}), Context)
            create(create_event({"title": "x", "incident_number": "IR-900"}, caller=app), Context)
            give_numbers_again()
            create(create_event({"title": "x", "regulatory_reports": {"eu-gdpr": {}}}), Context)
            create(create_event({"title": "x", "incident_number": "INC-2026-000900"}), Context)
        case "get_incident":
            get(get_event(incident_id), Context)
        case "list_incidents":
            for query in ("", "status=new", "open=false", "include_deleted=true", "incident_number=1"):
                list_(http_event(query=query, content_type=None), Context)
            list_(list_event(app), Context)
        case "update_incident":
            update(patch_event(incident_id, {"title": "y"}), Context)
            update(patch_event(incident_id, {"regulatory_reports": {"eu-gdpr": {}}}), Context)
        case "delete_incident":
            delete(delete_event(incident_id), Context)
        case "list_incident_changes":
            list_changes(changes_event(incident_id), Context)
        case "list_incident_findings":
            list_findings(changes_event(incident_id), Context)
        case "get_incident_deadlines":
            get_deadlines(deadlines_event(incident_id, history="true"), Context)
        case "list_incident_updates":
            list_updates(updates_event(), Context)
            list_updates(updates_event(app), Context)
        case "ingest_finding":
            AccountMap(dynamodb.client(), os.environ["TABLE_NAME"]).link("111122223333", "acme")
            give_numbers_again()
            ingest_finding(sqs_event(event("guardduty")), Context)
            later = {"detail__severity": 9.9}
            for moment in ("2026-11-18T00:00:00Z", "2026-11-18T01:00:00Z"):  # the second event adds nothing
                ingest_finding(sqs_event(event("guardduty", **later | {"detail__updatedAt": moment})), Context)
            AccountMap(dynamodb.client(), os.environ["TABLE_NAME"]).link("444455556666", "acme")
            take_posture("acme")
            ingest_finding(sqs_event(event("security_hub_asff_several")), Context)
            passed = {"detail__findings__0__Compliance__Status": "PASSED"}
            ingest_finding(sqs_event(event("security_hub_asff_several", **passed)), Context)
        case "publish_incident_events" | "get_documentation" | "get_console":
            pass  # these functions do not use the table
        case "get_incident_metrics":
            get_metrics(metrics_event(), Context)
            get_metrics(metrics_event(app), Context)
        case "list_deadlines":
            list_deadlines(board_event(), Context)
            list_deadlines(board_event(app, incident_id=incident_id), Context)
        case "announce_deadlines":
            announce_all(incident_id, monkeypatch)
        case "follow_incidents":
            changed = item(1, detected_at="2026-11-20T08:00:00.000Z", reportable_to=["GDPR"])
            monkeypatch.setenv("HISTORY_RETENTION", "GOVERNANCE")
            follow_incidents(stream_event([record(None, changed)]), Context)
        case "schedule_metrics":
            schedule_metrics({}, Context)
        case "seal_history":
            seal_everything(incident_id, monkeypatch)
        case "compute_metrics":
            closed = {"status": "closed", "detected_at": "2026-11-20T08:00:00Z", "closed_at": "2026-11-21T08:00:00Z"}
            for severity in ("low", "high"):
                create(create_event({"title": "x", "severity": severity, **closed}, caller=app), Context)
            moments = {"detected_at": "2026-11-20T08:00:00.000Z", "closed_at": "2026-11-21T08:00:00.000Z"}
            follow_incidents(stream_event([record(None, item(1, **moments))]), Context)
            monkeypatch.setattr(tally, "CHUNK_BYTES", 10)
            for _ in range(2):  # the second computation removes the parts of the first
                compute_metrics(sqs_event({"tenant_id": "acme"}), Context)
                follow_incidents(stream_event([record(None, item(1, **moments))]), Context)
        case _:
            raise AssertionError(f"{function} is new: add a case that exercises it")


@pytest.mark.parametrize("function", templates.functions())
def test_each_role_grants_exactly_what_its_function_uses(
    used: set[Grant], function: str, promise: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK_SETTLE_SECONDS", "0")
    incident_id = json.loads(create(create_event({"title": "x"}), Context)["body"])["id"]
    update(patch_event(incident_id, {"severity": "low"}), Context)
    used.clear()

    exercise(operation_name(function), incident_id, monkeypatch)
    used -= PREPARATION.get(function, set())

    unused, ungranted = granted(function) - used, used - granted(function)
    assert (unused, ungranted) == (set(), set())
    SHOWN[function] = len(used)
    promise(
        "Each function has exactly the permissions that it uses",
        f"{len(SHOWN)} roles have {sum(SHOWN.values())} permissions. Each permission is for one action on one kind of "
        f"partition of the table or of an index: {len(unused)} are granted but not used, and {len(ungranted)} are used "
        "but not granted",
    )


SHOWN: dict[str, int] = {}
# The grants for calls that an operator, a caller or another function makes before the function runs.
PREPARATION: dict[str, set[Grant]] = {
    "IngestFinding": {("dynamodb:PutItem", "table", "ACCOUNTS"), ("dynamodb:PutItem", "table", "TENANT#*#SETTINGS")},
    "AnnounceDeadlines": {
        ("dynamodb:UpdateItem", "table", "TENANT#*#INCIDENT"),
        ("dynamodb:PutItem", "table", "TENANT#*#CHANGE"),
        ("dynamodb:UpdateItem", "table", "DEADLINEDUE#*"),
        ("dynamodb:UpdateItem", "table", "METRICDUE#*"),
    },
    "ComputeMetrics": {
        ("dynamodb:UpdateItem", "table", "METRICDUE#*"),
        ("dynamodb:UpdateItem", "table", "TENANT#*#COUNTER"),
        *(("dynamodb:PutItem", "table", f"TENANT#*#{kind}") for kind in ("INCIDENT", "CHANGE", "NUMBER")),
    },
}
