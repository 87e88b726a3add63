"""Tests that the cost of the metrics grows with the number of changed days, and not with the size of the tenant."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING

import compute_metrics
from incidents.storage import stored_form

from tests.support import scale, units
from tests.support.events import Context, record
from tests.support.incidents import item
from tests.support.metric_world import MetricWorld, mark
from tests.support.queues import sqs_event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LARGE_TENANT = scale.of(short=5_000, full=100_000)
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
    for start in range(0, count, 25):
        client.batch_write_item(
            RequestItems={table: [{"PutRequest": {"Item": one}} for one in found[start : start + 25]]}
        )
    return found


def test_ten_changes_cost_the_same_for_a_tenant_of_any_size(
    world: Callable[[], MetricWorld], dynamodb: "DynamoDBClient", service: str, promise: Callable[[str, str], None]
) -> None:
    world()
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
        f"Ten changed incidents on twenty days cost {costs['small'].read:.1f} read units in a tenant with 1,000 "
        f"incidents, and {costs['large'].read:.1f} in a tenant with {LARGE_TENANT:,}",
    )
