"""`incidents verify` and `incidents tenant`: check, export or erase all items of a tenant."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from incidents.domain import model
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ...console import StepFailed, command, stderr
from ..deployment import Deployment, RegionOption, StackOption, TableOption
from .checkpoint import Checkpoint, in_file_names

if TYPE_CHECKING:
    from .reading import TenantReader

tenant = typer.Typer(no_args_is_help=True, help="Export or erase all items of a tenant.")

TenantOption = Annotated[str, typer.Option("--tenant", help="The tenant id, as in the claim tenant_id.")]


def verify(
    tenant_id: TenantOption,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the violations to this file, as JSON Lines.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the checkpoint in this file. Default: verify-TENANT.checkpoint."),
    ] = None,
    table: TableOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Check all items of a tenant and print one line per violation. Write nothing to the table.

    An interrupted run continues when you run the same command again.
    """
    from . import verify as walk  # 0.8 s: pydantic, and botocore's session

    reader = _reader(tenant_id, table, stack, region)
    if missing := reader.missing_indexes():
        advice = "Restore the table with all its indexes, as docs/runbooks/restore.md describes."
        raise StepFailed("The table lacks indexes.", f"  {', '.join(sorted(missing))}", advice)
    file = checkpoint or Path(f"verify-{in_file_names(tenant_id)}.checkpoint")
    state = Checkpoint(file, verified=tenant_id, table=reader.table_arn(), report=str(report or "none"))
    with _show_progress(f"Verifying {tenant_id}") as show:
        outcome = walk.verify(reader, state, report, lambda violation: typer.echo(str(violation)), show)
    state.remove()
    for kind, count in outcome.looked_at.items():
        stderr.print(f"{count:>9,} {kind}")
    if not outcome.looked_at:
        raise StepFailed(
            f"The table has no items of the tenant {tenant_id}.", f"  {reader.table_arn()}",
            "Check that --tenant is the claim tenant_id of its tokens. If it is, and the tenant had incidents, this "
            "table lost them or never had them.",
        )  # fmt: skip
    if outcome.violations:
        detail = "\n".join(f"  {rule}: {count}" for rule, count in sorted(outcome.violations.items()))
        raise StepFailed(
            f"Violations in the tenant {tenant_id}: {sum(outcome.violations.values())}.", detail,
            "Follow docs/runbooks/restore.md: its table says what to do for each rule.",
        )  # fmt: skip
    stderr.print(f"[green]✓[/green] The tenant {tenant_id} has no violations.")


@tenant.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="The file to make, with one incident per line.")],
    tenant_id: TenantOption,
    table: TableOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Write every incident with its trail to a file, deleted incidents included. An interrupted run continues."""
    from . import export as walk  # 50 ms: ulid

    reader = _reader(tenant_id, table, stack, region)
    with _show_progress(f"Exporting {tenant_id}") as show:
        done = walk.export(reader, file, lambda count, part: show("incidents", count, part))
    stderr.print(f"[green]✓[/green] {done.incidents:,} incidents with {done.changes:,} changes")
    if done.incomplete:
        stderr.print(
            f"[yellow]Incomplete trails: {done.incomplete}. To find the cause: "
            f"{command('verify')} --tenant {tenant_id}[/yellow]"
        )
    typer.echo(f"{done.sha256}  {file}")


@tenant.command()
def erase(
    tenant_id: TenantOption,
    yes_erase: Annotated[
        str | None, typer.Option(metavar="TENANT", help="Confirm the tenant here instead of at the prompt.")
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the proof to a new file. Default: erasure-TENANT.json."),
    ] = None,
    quiet_seconds: Annotated[
        float | None,
        typer.Option(min=0, help="Wait until no item came back for so many seconds. Default: 120."),
    ] = None,
    table: TableOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Delete every item of a tenant permanently, and write a proof. An interrupted run continues."""
    from . import erase as walk  # 50 ms: ulid

    reader = _reader(tenant_id, table, stack, region)
    stderr.print(
        f"This erases all items of the tenant {tenant_id} from {reader.table_arn()}. You cannot undo this.",
        markup=False,
    )
    stderr.print("Off-board the tenant first (docs/runbooks/offboarding.md): an active writer makes new items.")
    if (yes_erase or typer.prompt("Type the tenant's id to erase it", err=True)) != tenant_id:
        raise StepFailed(
            "The confirmation names another tenant: nothing was erased.", "", f"To erase the tenant, type {tenant_id}."
        )
    quiet = walk.QUIET_SECONDS if quiet_seconds is None else quiet_seconds
    file = proof or Path(f"erasure-{in_file_names(tenant_id)}.json")
    with _show_progress(f"Erasing {tenant_id}") as show:
        done = walk.erase(reader, file, quiet, lambda kind, count: show(f"{kind} items", count, None))
    for kind, count in done.items.items():
        typer.echo(f"{kind:<12} {count:>9} erased")
    typer.echo(f"{'remaining':<12} {sum(done.remaining.values()):>9} in {len(done.remaining)} partitions")
    stderr.print(f"[green]✓[/green] The tenant {tenant_id} is erased. The proof is {file}")


def _reader(tenant_id: str, table: str | None, stack: str | None, region: str | None) -> "TenantReader":
    from .reading import TenantReader  # 50 ms: ulid

    deployment = Deployment(stack, region)
    if not model.TENANT_ID.fullmatch(tenant_id):
        raise StepFailed(
            "The tenant id is not valid.", f"  {tenant_id}",
            f"A tenant id has {model.TENANT_ID_RULE}.",
        )  # fmt: skip
    return TenantReader(deployment.client("dynamodb"), table or deployment.table_name, tenant_id)


@contextmanager
def _show_progress(doing: str) -> Iterator[Callable[[str, int, float | None], None]]:
    """Show a walk's progress: the kind of items, their count, and a bar if the finished part is known."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True) as progress:
        task = progress.add_task(doing, total=None)

        def show(kind: str, count: int, part: float | None) -> None:
            total = None if part is None else 1
            progress.update(task, description=f"{doing}: {count:,} {kind}", completed=part or 0, total=total)

        yield show
