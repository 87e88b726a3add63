"""The commands of `incidents metrics`. They print a tenant's metrics, and start the jobs that compute metrics."""

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

from ..console import StepFailed, alone, command, interrupted, require_new, stderr, step
from . import metrics_view
from .deployment import Deployment, RegionOption, StackOption

if TYPE_CHECKING:
    from incidents.storage.metric_repository import MetricRepository

metrics = typer.Typer(
    no_args_is_help=True, help="Show MTTD, MTTR and time to contain, or start the jobs that compute these metrics."
)

Tenant = Annotated[str, typer.Option(help="The tenant id, as in the claim tenant_id.")]


@metrics.command()
def show(
    tenant: Tenant,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first day (UTC). Default: 29 days before --to.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="The last day (UTC), included. Default: today.")
    ] = None,
    group_by: Annotated[str, typer.Option(help="Group by severity, category, app or none.")] = "severity",
    interval: Annotated[str, typer.Option(help="The trend's interval: day, week or month.")] = "day",
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the trend as a picture.")] = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Print a tenant's MTTD, MTTR and time to contain as tables and a trend. With --png, also draw a picture."""
    if png is not None:
        metrics_view.check_name(png)
        require_new(png)
    asked = {"from": first, "to": last, "group_by": group_by, "interval": interval}
    given = {name: [value] for name, value in asked.items() if value is not None}
    try:
        with guard.serving_tenant(tenant):
            window = parameters.metrics_window(given)
            deployment = Deployment(stack, region)
            answer = get_incident_metrics(window, _repository(deployment, tenant))
    except MalformedRequest as error:
        raise StepFailed(
            "An option is not valid.", f"  {error}", "Correct the option, then run the command again."
        ) from None
    if answer["computed_at"] is None:
        from .tenants.reading import TenantReader, nothing_of  # takes 50 ms, so `--help` does not import it

        reader = TenantReader(deployment.client("dynamodb"), deployment.table_name, tenant)
        if reader.is_empty():
            raise nothing_of(reader)
    metrics_view.show(answer, tenant)
    if png is not None:
        with alone(png), step("Drawing", f"Wrote {png}"):
            require_new(png)  # another command may have written it meanwhile
            metrics_view.draw(answer, tenant, png)


@metrics.command()
def run(stack: StackOption = None, region: RegionOption = None) -> None:
    """Start the scheduled job now.

    The metrics of the marked days are then computed within about a minute. Days with very recent marks are computed
    later.
    """
    deployment = Deployment(stack, region)
    started = deployment.client("lambda").invoke(FunctionName=deployment.outputs["ScheduleMetricsFunction"])
    answer: dict[str, Any] = json.loads(started["Payload"].read())
    if "FunctionError" in started:
        raise StepFailed(
            "The job failed.", f"  {answer.get('errorType')}", "Read the log of the function schedule_metrics."
        )
    stderr.print(f"Tenants with marked days: {answer['tenants']}. The queue now has a message for each tenant.")


@metrics.command()
def rebuild(tenant: Tenant, stack: StackOption = None, region: RegionOption = None) -> None:
    """Mark all days on which a tenant has incidents or day buckets. The jobs then compute these days' metrics again."""
    from incidents.storage.marks import Marks  # takes 0.4 s (botocore), so `--help` does not import it

    from .tenants.reading import TenantReader, nothing_of  # takes 50 ms, so `--help` does not import it

    deployment = Deployment(stack, region)
    with step("Reading the tenant's incidents", "Read the tenant's incidents"), guard.serving_tenant(tenant):
        days = sorted(set(_repository(deployment, tenant).days()))
    reader = TenantReader(deployment.client("dynamodb"), deployment.table_name, tenant)
    if not days and reader.is_empty():
        raise nothing_of(reader, "Nothing was marked.")
    marked = Marks(keys.METRIC_DAYS, deployment.guarded_dynamodb, deployment.table_name)
    n, left = 0, "Days marked: {} of {}. Run the same command again."
    with interrupted(lambda: left.format(n, len(days))), stderr.status("Marking ...") as shown:
        for n, (kind, day) in enumerate(days, start=1):
            marked.mark(tenant, kind, day, now=time.time_ns() // 1_000_000)
            shown.update(f"Marking ... {n} of {len(days)}")
    stderr.print(
        f"Marked {len(days)} days. The scheduled job computes their metrics. To start it now: {command('metrics run')}"
    )


def _repository(deployment: Deployment, tenant: str) -> "MetricRepository":
    from incidents.storage.metric_repository import MetricRepository  # takes 0.4 s, so `--help` does not import it

    if not model.TENANT_ID.fullmatch(tenant):
        raise StepFailed(
            "The tenant id is not valid.", f"  {tenant}",
            f"A tenant id has {model.TENANT_ID_RULE}.",
        )  # fmt: skip
    identity = Identity(tenant, "operator", None, frozenset())
    return MetricRepository(identity, deployment.guarded_dynamodb, deployment.table_name)
