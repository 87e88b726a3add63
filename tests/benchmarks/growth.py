"""Measures how the cost of an operation changes with the size of a tenant and with the number of tenants.

The cost is the calls, units and seconds of one operation on DynamoDB Local.
"""

import io
import json
import os
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import date, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import announce_deadlines
import boto3
import compute_metrics
import create_incident
import follow_incidents
import get_incident
import list_deadlines
import list_incident_updates
import list_incidents
import schedule_metrics
from incidents.domain import model
from incidents.domain.model import Incident
from incidents.edges import queues
from incidents.runtime.log import logger
from incidents.storage import dynamodb as table_client
from incidents.storage import keys, stored_form
from ulid import ULID

from tests.support import dynamodb_local, templates, units
from tests.support.deadlines import STAGE
from tests.support.events import (
    Context,
    board_event,
    claims,
    create_event,
    get_event,
    list_event,
    record,
    stream_event,
    updates_event,
)
from tests.support.metric_world import Queue
from tests.support.queues import sqs_event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

A_DAY = 10
TENANTS_SIZE = 1_000
TIMES = 15
_FIRST = 1_700_000_000
_TABLE = "incidents"


def measure(sizes: list[int], tenants: list[int]) -> dict[str, Any]:
    """Return the cost of each operation, by the tenant's number of incidents and by the number of tenants."""
    return {
        "incidents": {str(size): _measured({"acme": size}) for size in sizes},
        "tenants": {
            str(number): _measured({"acme": TENANTS_SIZE} | {f"other-{n}": TENANTS_SIZE for n in range(number - 1)})
            for number in tenants
        },
    }


def _measured(sizes: dict[str, int]) -> dict[str, Any]:
    """Fill a table, and return the cost of each operation in the tenant acme.

    The table is in a new DynamoDB Local, because DynamoDB Local becomes slower with everything that it has ever stored.
    """
    with dynamodb_local.running() as url:
        os.environ |= {
            "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_DYNAMODB": url, "TABLE_NAME": _TABLE, "CURSOR_KEY": "the key of the benchmarks",
            "METRICS_QUEUE_URL": "metrics", "MARK_SETTLE_SECONDS": "0", "EVENT_BUS_NAME": "incidents",
        }  # fmt: skip
        os.environ.pop("JWT_ISSUER", None)
        logger.setLevel("ERROR")
        table_client.client.cache_clear()
        client = boto3.client("dynamodb")
        client.create_table(TableName=_TABLE, **templates.table(), **templates.stream())
        stored = {tenant: _fill(client, tenant, size) for tenant, size in sizes.items()}
        with redirect_stdout(io.StringIO()):  # hides the metrics that the jobs print for CloudWatch
            return _operations(client, stored["acme"])


def _operations(client: "DynamoDBClient", stored: list[stored_form.Item]) -> dict[str, Any]:
    caller = claims("acme")
    middle = stored[len(stored) // 2]["id"]["S"]
    queue = Queue()
    queues.client = lambda: cast("Any", queue)  # type: ignore[assignment]  # a replacement for SQS, as in the tests
    changed = [record(one, one | {"severity": {"S": "low"}}, n) for n, one in enumerate(stored[:: A_DAY // 2][:10])]

    def answered(handler: Any, event: dict[str, Any]) -> None:
        answer = handler(event, Context)
        assert answer["statusCode"] in (200, 201), answer
        assert "items" not in json.loads(answer["body"]) or json.loads(answer["body"])["items"]

    def job() -> None:
        follow_incidents.handler(stream_event(changed), Context)
        schedule_metrics.handler({}, Context)
        body = queue.bodies.pop()
        assert compute_metrics.handler(sqs_event(body), Context) == {"batchItemFailures": []}

    turns = count()

    def deadlines_job() -> None:
        images = []
        for one in stored[:: A_DAY // 2][:10]:
            turn = next(turns)
            moved = {"status": {"S": ("new", "investigating")[turn // 10 % 2]}, "version": {"N": str(turn + 2)}}
            images.append(one | moved | {"reportable_to": {"L": [{"S": "GDPR"}]}})
            client.put_item(TableName=_TABLE, Item=images[-1])
        changes = [record(None, image, n) for n, image in enumerate(images)]
        follow_incidents.handler(stream_event(changes), Context)
        assert announce_deadlines.handler({}, Context) == {"computed": len(images)}

    operations: dict[str, Callable[[], None]] = {
        "first page": lambda: answered(list_incidents.handler, list_event(caller)),
        "filtered list": lambda: answered(list_incidents.handler, list_event(caller, status="new", severity="high")),
        "page of updates": lambda: answered(list_incident_updates.handler, updates_event(caller)),
        "get": lambda: answered(get_incident.handler, get_event(middle, caller=caller)),
        "create": lambda: answered(create_incident.handler, create_event({"title": "Another one"}, caller=caller)),
        "metrics job": job,
        "board of deadlines": lambda: answered(list_deadlines.handler, board_event(caller)),
        "deadlines job": deadlines_job,
    }
    return {name: _one(operation) for name, operation in operations.items()}


def _one(operation: Callable[[], None]) -> dict[str, Any]:
    operation()  # this first call is not measured, because it creates counters, connections and marks
    with units.of_calls() as used:
        operation()
    seconds = []
    for _ in range(TIMES):
        began = time.perf_counter()
        operation()
        seconds.append(time.perf_counter() - began)
    return {"calls": used.calls, "read": used.units.read, "written": used.units.written, "seconds": seconds}


def _fill(client: "DynamoDBClient", tenant: str, size: int) -> list[stored_form.Item]:
    """Store a tenant's incidents, ten a day, and return their items.

    Every third incident is closed. Every fifth incident has the severity high.
    """
    found = []
    for n in range(size):
        day = date(2026, 6, 1) - timedelta(days=n // A_DAY)
        incident = model.unset_fields() | {
            "id": f"inc_{ULID.from_timestamp(_FIRST + n)}", "tenant_id": tenant, "created_at": f"{day}T09:00:00.000Z",
            "updated_at": f"{day}T09:00:00.000Z", "created_by": "ada", "updated_by": "ada", "version": 1,
            "schema_version": 1, "source": "edm", "source_type": "api", "incident_number": f"IR-{n}",
            "title": "An incident " * 20, "description": "words " * 200, "status": "closed" if n % 3 == 0 else "new",
            "severity": "high" if n % 5 == 0 else "low", "occurred_at": f"{day}T06:00:00.000Z",
            "detected_at": f"{day}T08:00:00.000Z",
        }  # fmt: skip
        if n % 3 == 0:
            incident |= {"closed_at": f"{day}T18:00:00.000Z", "mttr_minutes": 600, "mttd_minutes": 120}
        found.append(stored_form.from_incident(cast("Incident", incident)))
    items = found + [_row(tenant, n, one["id"]["S"]) for n, one in enumerate(found)]
    for start in range(0, len(items), 25):
        puts: Any = [{"PutRequest": {"Item": one}} for one in items[start : start + 25]]
        assert not client.batch_write_item(RequestItems={_TABLE: puts})["UnprocessedItems"]
    return found


def _row(tenant: str, n: int, incident_id: str) -> stored_form.Item:
    """Return a board row. The dates of the rows are in a period of one year."""
    due_at = f"{date(2027, 1, 1) + timedelta(days=n % 365)}T06:00:00.000Z"
    entry = {"incident_id": incident_id, "incident_number": f"IR-{n}", "app_id": None, "status": "new", "version": 1}
    text = json.dumps(entry | {"stages": [STAGE | {"due_at": due_at}] * 3})
    return stored_form.key(keys.board_row(tenant, due_at, incident_id)) | {"entry": {"S": text}}
