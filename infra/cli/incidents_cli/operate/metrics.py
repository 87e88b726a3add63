"""`incidents metrics`: what a tenant's incidents took, and the jobs that compute it."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from incidents.domain import model
from incidents.domain.errors import MalformedRequest
from incidents.domain.identity import Identity
from incidents.domain.metric_answer import get_incident_metrics
from incidents.edges import parameters
from incidents.storage import guard, keys

from ..console import StepFailed, command, stderr, step
from . import metrics_view
from .deployment import Deployment, RegionOption, StackOption

if TYPE_CHECKING:
    from incidents.storage.metric_repository import MetricRepository

metrics = typer.Typer(no_args_is_help=True, help="MTTD, MTTR and time to contain, and the jobs that compute them.")

Tenant = Annotated[str, typer.Option(help="The tenant id, as in the claim tenant_id.")]


@metrics.command()
def show(
    tenant: Tenant,
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help="Default: 30 days with --to.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Included. Default: today (UTC).")] = None,
    group_by: Annotated[str, typer.Option(help="severity, category, app or none.")] = "severity",
    interval: Annotated[str, typer.Option(help="Of the trend: day, week or month.")] = "day",
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a picture.")] = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Print what a tenant's incidents took: as a table and a trend, and on request as a picture."""
    asked = {"from": first, "to": last, "group_by": group_by, "interval": interval}
    given = {name: [value] for name, value in asked.items() if value is not None}
    try:
        with guard.serving_tenant(tenant):
            window = parameters.metrics_window(given)
            answer = get_incident_metrics(window, _repository(Deployment(stack, region), tenant).buckets)
    except MalformedRequest as error:
        raise StepFailed("That cannot be shown.", f"  {error}", "Look at what you typed.") from None
    metrics_view.show(answer, tenant)
    if png is not None:
        with step("Drawing", f"Wrote {png}"):
            metrics_view.draw(answer, tenant, png)


@metrics.command()
def run(stack: StackOption = None, region: RegionOption = None) -> None:
    """Start the scheduled job now: what was marked long enough ago is computed within a minute or so."""
    deployment = Deployment(stack, region)
    started = deployment.client("lambda").invoke(FunctionName=deployment.outputs["ScheduleMetricsFunction"])
    answer: dict[str, Any] = json.loads(started["Payload"].read())
    if "FunctionError" in started:
        raise StepFailed("The job failed.", f"  {answer.get('errorType')}", "Its log says more: schedule_metrics")
    stderr.print(f"Tenants with marked days: {answer['tenants']}; each has a message in the queue now.")


@metrics.command()
def rebuild(tenant: Tenant, stack: StackOption = None, region: RegionOption = None) -> None:
    """Mark every day of a tenant, from its incidents and from its buckets, so that all are computed again."""
    from incidents.storage.marks import Marks  # 0.4 s: botocore's session

    deployment = Deployment(stack, region)
    with step("Reading the tenant's incidents", "Read the tenant's incidents"), guard.serving_tenant(tenant):
        days = sorted(set(_repository(deployment, tenant).days()))
    marked = Marks(keys.METRIC_DAYS, deployment.guarded_dynamodb, deployment.table_name)
    with stderr.status("Marking ...") as shown:
        for n, (kind, day) in enumerate(days, start=1):
            marked.mark(tenant, kind, day, now=time.time_ns() // 1_000_000)
            shown.update(f"Marking ... {n} of {len(days)}")
    stderr.print(f"Marked {len(days)} days. The schedule computes them, or at once: {command('metrics run')}")


def _repository(deployment: Deployment, tenant: str) -> "MetricRepository":
    from incidents.storage.metric_repository import MetricRepository  # 0.4 s: botocore's session

    if not model.TENANT_ID.fullmatch(tenant):
        raise StepFailed("That is no tenant.", f"  {tenant}", "A tenant id is 2 to 63 of a-z, 0-9 and -.")
    identity = Identity(tenant, "operator", None, frozenset())
    return MetricRepository(identity, deployment.guarded_dynamodb, deployment.table_name)
