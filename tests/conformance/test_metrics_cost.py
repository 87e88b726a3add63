"""Tests of the cost of the metrics.

The jobs' cost grows with the number of changed days, and not with the size of the tenant. The cost of an answer grows
with the incidents of its window, and not with the number of their categories.
"""

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import compute_metrics
import get_incident_metrics
from incidents.storage import stored_form

from tests.support import metric_year, scale, templates, units
from tests.support.events import Context, claims, metrics_event, record
from tests.support.incidents import item
from tests.support.metric_world import MetricWorld, ask, mark
from tests.support.queues import sqs_event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LARGE_TENANT = scale.of(short=3_000, full=100_000)
A_DAY = 10


def fill(client: "DynamoDBClient", table: str, tenant: str, count: int) -> list[stored_form.Item]:
    """Store incidents, ten a day, and return their items.

    Each incident is closed two days later. The items have only the attributes that the metrics jobs read.
    """
    found = []
    for n in range(count):
        day = date(2026, 6, 1) - timedelta(days=n // A_DAY)
        moments = {"occurred_at": f"{day}T06:00:00.000Z", "detected_at": f"{day}T08:00:00.000Z",
                   "closed_at": f"{day + timedelta(days=2)}T08:00:00.000Z"}  # fmt: skip
        whole = item(
            1, tenant_id=tenant, id=f"inc_{n:026d}", status="closed", mttd_minutes=120, mttr_minutes=2_880, **moments
        )
        found.append({name: value for name, value in whole.items() if not name.startswith("active_")})
    put_all(client, table, found)
    return found


def test_ten_changes_cost_the_same_for_a_tenant_of_any_size(
    world: Callable[[], MetricWorld], dynamodb: "DynamoDBClient", service: str, promise: Callable[[str, str], None]
) -> None:
    world()
    dynamodb.update_table(TableName=service, **templates.no_stream())
    costs = {}
    for tenant, count in (("small", 1_000), ("large", LARGE_TENANT)):
        incidents = fill(dynamodb, service, tenant, count)
        changed = [
            record(one, one | {"severity": {"S": "high"}}, n)
            for n, one in enumerate(incidents[: 50 * A_DAY : 5 * A_DAY])
        ]
        assert len(changed) == 10
        with units.of_calls() as used:
            mark(changed)
            assert compute_metrics.handler(sqs_event({"tenant_id": tenant}), Context) == {"batchItemFailures": []}
        costs[tenant] = used.units
    assert costs["large"] == costs["small"]
    assert costs["small"].read > 0
    promise(
        "The cost of the metrics jobs does not depend on the size of the tenant",
        f"After ten changed incidents on twenty days, the jobs use {costs['small'].read:.1f} read units in a tenant "
        f"with 1,000 incidents, and {costs['large'].read:.1f} in a tenant with {LARGE_TENANT:,} incidents",
    )


YEARS = scale.of(short=18_000, full=100_000)


def test_the_cost_of_an_answer_does_not_grow_with_the_number_of_categories(
    dynamodb: "DynamoDBClient", service: str, promise: Callable[[str, str], None]
) -> None:
    def cost(tenant: str, incidents: int, category: Callable[[int], str]) -> float:
        metric_year.fill(dynamodb, service, tenant, incidents, category)
        window = {"from": str(metric_year.FIRST), "to": str(metric_year.LAST), "group_by": "category"}
        with units.of_calls() as used:
            answer = get_incident_metrics.handler(metrics_event(claims(tenant), **window), Context)
        assert answer["statusCode"] == 200
        assert len(answer["body"]) < 1_000_000
        return used.units.read

    one, many = cost("one", YEARS, lambda n: "malware"), cost("many", YEARS, lambda n: f"{n} a long name")
    usual = many if YEARS == 18_000 else cost("usual", 18_000, lambda n: f"{n} a long name")
    assert usual <= 500
    assert many <= 1.5 * one
    promise(
        "The cost of a metrics answer does not depend on the number of categories",
        f"A year with {YEARS:,} incidents costs {one:,.0f} read units with one category, and {many:,.0f} if each "
        "incident has its own category",
    )


def test_a_flooded_tenant_is_as_before_once_the_flood_is_deleted(
    world: Callable[[], MetricWorld], dynamodb: "DynamoDBClient", service: str
) -> None:
    world()
    dynamodb.update_table(TableName=service, **templates.no_stream())
    flood = scale.of(short=1_500, full=100_000)
    caller = claims("acme")

    def known(n: int) -> dict[str, Any]:
        day = f"2026-02-{1 + n % 14:02d}"  # DynamoDB Local is slow with many incidents of one day
        return {"occurred_at": f"{day}T06:00:00.000Z", "detected_at": f"{day}T08:00:00.000Z", "mttd_minutes": 120}

    of_people = [item(1, id=f"inc_{n:026d}", severity="high", category="malware", **known(n)) for n in range(50)]
    put_all(dynamodb, service, of_people)
    compute(of_people)
    before, cost_before = asked(caller)

    spam = [
        item(1, id=f"inc_{n:026d}", app_id="scanner", category=f"category {n}", **known(n))
        for n in range(50, 50 + flood)
    ]
    put_all(dynamodb, service, spam)
    compute(spam)

    told, _ = asked(caller)
    assert told["mttd"]["n"] == flood + 50
    assert len(told["groups"]) == 100
    assert told["groups"][0]["group"] == "malware"
    assert told["groups"][0]["mttd"]["n"] == 50
    assert told["other"]["mttd"]["n"] == flood - 99
    assert len(json.dumps(told)) < 1_000_000

    deleted = [one | {"is_deleted": {"BOOL": True}} for one in spam]
    put_all(dynamodb, service, deleted)
    compute(deleted)

    after, cost_after = asked(caller)
    assert after["excluded"]["deleted"]["mttd"] == flood
    for answer in (before, after):
        del answer["excluded"], answer["as_of"], answer["computed_at"]
        for told in (answer["open"], answer["groups"][0]["open"]):
            del told["p50"], told["p90"], told["max"]
    assert after == before
    assert cost_after == cost_before


def asked(caller: dict[str, str]) -> tuple[dict[str, Any], float]:
    with units.of_calls() as used:
        told = ask(caller, "category", "day")
    return told, used.units.read


def put_all(client: "DynamoDBClient", table: str, items: list[stored_form.Item]) -> None:
    for start in range(0, len(items), 25):
        puts: Any = [{"PutRequest": {"Item": one}} for one in items[start : start + 25]]
        assert not client.batch_write_item(RequestItems={table: puts})["UnprocessedItems"]


class LongContext(Context):
    """A context with much time. The tests of this module measure costs, and a loaded machine may be slow."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 600_000


def compute(changed: list[stored_form.Item]) -> None:
    """Mark the days of changed incidents, and compute their metrics."""
    records = [record(None, one, n) for n, one in enumerate(changed)]
    for start in range(0, len(records), 1_000):  # the stream delivers batches
        mark(records[start : start + 1_000])
    assert compute_metrics.handler(sqs_event({"tenant_id": "acme"}), LongContext) == {"batchItemFailures": []}
