"""`incidents verify` and `incidents tenant`: all of a tenant, checked, taken away, erased."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from incidents.domain import model
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ...console import StepFailed, command, stderr
from ..deployment import Deployment, RegionOption, StackOption, TableOption
from .checkpoint import Checkpoint

if TYPE_CHECKING:
    from .reading import TenantReader

tenant = typer.Typer(no_args_is_help=True, help="All of a tenant: take it away, erase it.")

TenantOption = Annotated[str, typer.Option("--tenant", help="The tenant id, as in the claim tenant_id.")]


def verify(
    tenant_id: TenantOption,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the violations here, as JSON Lines.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where it stands, to go on. Default: verify-TENANT.checkpoint.")
    ] = None,
    table: TableOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Check all that must hold of a tenant's items, one line a violation. It reads; cut off, it goes on."""
    from . import verify as walk  # 0.8 s: pydantic, and botocore's session

    reader = _reader(tenant_id, table, stack, region)
    if missing := reader.missing_indexes():
        advice = "Restore the table with all of its indexes: docs/runbooks/restore.md"
        raise StepFailed("The table lacks indexes.", f"  {', '.join(sorted(missing))}", advice)
    file = checkpoint or Path(f"verify-{tenant_id}.checkpoint")
    state = Checkpoint(file, verified=tenant_id, table=reader.table_arn(), report=str(report or "none"))
    with _show_progress(f"Verifying {tenant_id}") as show:
        outcome = walk.verify(reader, state, report, lambda violation: typer.echo(str(violation)), show)
    state.remove()
    for kind, count in outcome.looked_at.items():
        stderr.print(f"{count:>9,} {kind}")
    if not outcome.looked_at:
        raise StepFailed(
            f"There is nothing of the tenant {tenant_id}.", f"  {reader.table_arn()}",
            "Is that how its tokens name it (tenant_id)? If it had incidents, this table lost them, or never had them.",
        )  # fmt: skip
    if outcome.violations:
        detail = "\n".join(f"  {rule}: {count}" for rule, count in sorted(outcome.violations.items()))
        raise StepFailed(
            f"{sum(outcome.violations.values())} violations in the tenant {tenant_id}.", detail,
            "docs/runbooks/restore.md says what to do about each rule.",
        )  # fmt: skip
    stderr.print(f"[green]✓[/green] All that must hold of the tenant {tenant_id} holds.")


@tenant.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="To be made; one incident a line.")],
    tenant_id: TenantOption,
    table: TableOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Write every incident with its whole trail to a file; deleted ones too. It goes on where it was cut off."""
    from . import export as walk  # 50 ms: ulid

    reader = _reader(tenant_id, table, stack, region)
    with _show_progress(f"Exporting {tenant_id}") as show:
        done = walk.export(reader, file, lambda count, part: show("incidents", count, part))
    stderr.print(f"[green]✓[/green] {done.incidents:,} incidents with {done.changes:,} changes")
    if done.incomplete:
        stderr.print(
            f"[yellow]{done.incomplete} trails are not whole: see {command('verify')} --tenant {tenant_id}[/yellow]"
        )
    typer.echo(f"{done.sha256}  {file}")


@tenant.command()
def erase(
    tenant_id: TenantOption,
    yes_erase: Annotated[str | None, typer.Option(metavar="TENANT", help="Instead of typing it when asked.")] = None,
    proof: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The proof, to be made. Default: erasure-TENANT.json.")
    ] = None,
    quiet_seconds: Annotated[
        float | None,
        typer.Option(min=0, help="How long nothing may come back before the last look. Default: 120."),
    ] = None,
    table: TableOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Delete every item of a tenant for good, and prove it. It goes on where it was cut off."""
    from . import erase as walk  # 50 ms: ulid

    reader = _reader(tenant_id, table, stack, region)
    stderr.print(
        f"This erases all of the tenant {tenant_id} from {reader.table_arn()}, and cannot be undone.", markup=False
    )
    stderr.print("Off-board it first (docs/runbooks/offboarding.md): whoever still writes, writes anew.")
    if (yes_erase or typer.prompt("Type the tenant to erase it", err=True)) != tenant_id:
        raise StepFailed("That is another tenant: nothing was erased.", "", f"Type {tenant_id}, or leave it.")
    quiet = walk.QUIET_SECONDS if quiet_seconds is None else quiet_seconds
    file = proof or Path(f"erasure-{tenant_id}.json")
    with _show_progress(f"Erasing {tenant_id}") as show:
        done = walk.erase(reader, file, quiet, lambda kind, count: show(f"{kind} items", count, None))
    for kind, count in done.items.items():
        typer.echo(f"{kind:<12} {count:>9} erased")
    typer.echo(f"{'remaining':<12} {sum(done.remaining.values()):>9} in {len(done.remaining)} partitions")
    stderr.print(f"[green]✓[/green] The tenant {tenant_id} is erased; the proof is {file}")


def _reader(tenant_id: str, table: str | None, stack: str | None, region: str | None) -> "TenantReader":
    from .reading import TenantReader  # 50 ms: ulid

    deployment = Deployment(stack, region)
    if not model.TENANT_ID.fullmatch(tenant_id):
        raise StepFailed("That is no tenant.", f"  {tenant_id}", "A tenant id is 2 to 63 of a-z, 0-9 and -.")
    return TenantReader(deployment.client("dynamodb"), table or deployment.table_name, tenant_id)


@contextmanager
def _show_progress(doing: str) -> Iterator[Callable[[str, int, float | None], None]]:
    """Show how far a walk has come: what it is at, how many of them, and a bar where it is known which part is done."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True) as progress:
        task = progress.add_task(doing, total=None)

        def show(kind: str, count: int, part: float | None) -> None:
            total = None if part is None else 1
            progress.update(task, description=f"{doing}: {count:,} {kind}", completed=part or 0, total=total)

        yield show
