"""Fills a tenant's day buckets for a year, as the metrics job does after the incidents were created and closed.

The incidents themselves are not stored, because only the job reads them.
"""

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING

from incidents.domain import tally, timestamps
from incidents.domain.identity import Identity
from incidents.domain.tally import Facts
from incidents.storage import guard
from incidents.storage.metric_repository import MetricRepository

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FIRST, LAST = date(2025, 6, 1), date(2026, 6, 1)  # 366 days
COMPUTED_AT = timestamps.to_milliseconds("2026-06-02T00:00:00.000Z")


def fill(client: "DynamoDBClient", table: str, tenant: str, incidents: int, category: Callable[[int], str]) -> None:
    """Store the buckets of incidents that are spread evenly over the year. ``category`` names an incident's category.

    Every tenth incident is still open. The durations are log-normal, with medians of two hours, six hours and a day.
    """
    random = Random(incidents)
    days: dict[tuple[str, str], list[Facts]] = {}
    length = (LAST - FIRST).days + 1
    for n in range(incidents):
        detected = FIRST + timedelta(days=n * length // incidents)
        mttd, contain, mttr = (round(random.lognormvariate(mean, 1.2)) for mean in (4.8, 5.9, 7.3))
        hour = f"{n % 24:02}:{n % 60:02}:{n % 59:02}"
        is_open = n % 10 == 0
        at = timestamps.to_milliseconds(f"{detected}T{hour}.000Z")
        facts = Facts(
            app_id="scanner", severity=random.choice(["critical", "high", "medium", "low"]), category=category(n),
            status="investigating" if is_open else "closed", is_deleted=False, occurred_at="known",
            detected_at=timestamps.from_milliseconds(at), mttd_minutes=mttd,
            contained_at=None if is_open else timestamps.from_milliseconds(at + 60_000 * contain),
            closed_at=None if is_open else timestamps.from_milliseconds(at + 60_000 * mttr),
            mttr_minutes=None if is_open else mttr,
        )  # fmt: skip
        days.setdefault(("detected", str(detected)), []).append(facts)
        if facts.closed_at:
            days.setdefault(("closed", facts.closed_at[:10]), []).append(facts)
    metrics = MetricRepository(Identity(tenant, "jobs", None, frozenset()), client, table)
    with guard.serving_tenant(tenant):
        for kind in ("detected", "closed"):
            for (of, day), facts_of_day in days.items():
                if of == kind:
                    totals = tally.totals_by_group(kind, facts_of_day)
                    metrics.replace(None, kind, tally.to_bucket(day, COMPUTED_AT, totals))
