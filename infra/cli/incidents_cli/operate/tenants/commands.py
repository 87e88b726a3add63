"""The commands `incidents verify` and `incidents tenant`.

They check, export or erase all items of a tenant, and show or lower its counters of incident numbers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from incidents.domain import model
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ...console import StepFailed, alone, clean, command, interrupted, require_new, say, stderr, succeeded
from ..deployment import Deployment, RegionOption, StackOption, TableOption, guarded
from .checkpoint import Checkpoint, in_file_names

if TYPE_CHECKING:
    from .counter import Year
    from .reading import TenantReader

tenant = typer.Typer(no_args_is_help=True, help="Export or erase all items of a tenant, or look at its counters.")

TenantOption = Annotated[str, typer.Option("--tenant", help="The tenant id, as in the claim tenant_id.")]


def verify(
    tenant_id: TenantOption,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the broken rules to this new file, as JSON Lines.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the checkpoint in this file. Default: verify-TENANT.checkpoint."),
    ] = None,
    table: TableOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Check all items of a tenant, and print one line for each broken rule. Write nothing to the table.

    An interrupted run continues when you run the same command again.
    """
    from . import verify as walk  # takes 0.8 s (pydantic and botocore), so `--help` does not import it
    from .reading import nothing_of  # takes 50 ms, so `--help` does not import it

    reader = tenant_reader(tenant_id, table, stack, region)
    if missing := reader.missing_indexes():
        advice = "Restore the table with all its indexes, as docs/runbooks/restore.md describes."
        raise StepFailed("The table lacks indexes.", f"  {', '.join(sorted(missing))}", advice)
    file = checkpoint or Path(f"verify-{in_file_names(tenant_id)}.checkpoint")
    if report is not None and report.absolute() == file.absolute():
        raise StepFailed("The report and the checkpoint are the same file.", f"  {file}", "Name another --checkpoint.")
    state = Checkpoint(file, verified=tenant_id, table=reader.table_arn(), report=str(report or "none"))

    def left() -> str:
        return f"The checkpoint {file} is left. Run the same command again to continue." if file.exists() else ""

    with alone(*filter(None, (file, report))):
        if report is not None and not file.exists():  # a continued run appends to its own report
            require_new(report)
        with interrupted(left), _show_progress(f"Verifying {tenant_id}") as show:
            outcome = walk.verify(reader, state, report, lambda violation: say(clean(violation)), show)
        state.remove()
    for kind, count in outcome.looked_at.items():
        stderr.print(f"{count:>9,} {kind}")
    if not outcome.looked_at:
        raise nothing_of(reader)
    if outcome.violations:
        detail = "\n".join(f"  {rule}: {count}" for rule, count in sorted(outcome.violations.items()))
        raise StepFailed(
            f"Violations in the tenant {tenant_id}: {sum(outcome.violations.values())}.", detail,
            "Follow docs/runbooks/restore.md. Its table has the remedy for each rule.",
        )  # fmt: skip
    succeeded(f"The tenant {tenant_id} has no violations.")
    if state.continued:
        stderr.print(f"This run continued the run of {state.continued}, and did not read its part of the items again.")


@tenant.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="The new file, with one incident per line.")],
    tenant_id: TenantOption,
    table: TableOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Write every incident of a tenant with its trail to a file. Deleted incidents are included.

    An interrupted run continues when you run the same command again.
    """
    from . import export as walk  # takes 50 ms, so `--help` does not import it

    reader = tenant_reader(tenant_id, table, stack, region)
    left = f"If {file}.part and {file}.checkpoint are left, run the same command again to continue."
    with alone(file), interrupted(left), _show_progress(f"Exporting {tenant_id}") as show:
        done = walk.export(reader, file, lambda count, part: show("incidents", count, part))
    succeeded(f"{done.incidents:,} incidents with {done.changes:,} changes and {done.events:,} events of findings")
    say(f"{done.sha256}  {file}")
    if done.incomplete:
        raise StepFailed(
            f"{file} is written, but incidents lack some of their changes: {done.incomplete}.", "",
            f"To find the cause: {command('verify')} --tenant {tenant_id}",
        )  # fmt: skip


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
        typer.Option(min=0, max=86_400, help="End after this number of seconds without a new item. Default: 120."),
    ] = None,
    table: TableOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Delete every item of a tenant permanently, and write a proof of the deletion to a file.

    An interrupted run continues when you run the same command again.
    """
    from . import erase as walk  # takes 50 ms, so `--help` does not import it

    reader = tenant_reader(tenant_id, table, stack, region)
    stderr.print(
        f"This command erases all items of the tenant {tenant_id} from {reader.table_arn()}. You cannot undo it.",
    )
    stderr.print(
        "If the stack seals histories, the manifests keep the ids of the tenant and of its incidents until their locks "
        "end. They have no content of incidents."
    )
    stderr.print("Off-board the tenant first (docs/runbooks/offboarding.md), so that nobody writes new items for it.")
    if (yes_erase or typer.prompt("Type the tenant's id to erase it", err=True)) != tenant_id:
        raise StepFailed(
            "The confirmation names another tenant. Nothing was erased.", "", f"To erase the tenant, type {tenant_id}."
        )
    quiet = walk.QUIET_SECONDS if quiet_seconds is None else quiet_seconds
    file = proof or Path(f"erasure-{in_file_names(tenant_id)}.json")
    left = (
        f"Some items of the tenant {tenant_id} may be left, and there is no proof yet. Run the same command again to "
        f"continue from {file}.checkpoint."
    )
    with alone(file), interrupted(left), _show_progress(f"Erasing {tenant_id}") as show:
        done = walk.erase(reader, file, quiet, lambda kind, count: show(f"{kind} items", count, None))
    for kind, count in done.items.items():
        say(f"{kind:<12} {count:>9} erased")
    say(f"{'remaining':<12} {sum(done.remaining.values()):>9} in {len(done.remaining)} partitions")
    succeeded(f"The tenant {tenant_id} is erased. The proof is {file}")


@tenant.command()
def counter(
    tenant_id: TenantOption,
    lower: Annotated[
        int | None,
        typer.Option(metavar="YEAR", help="Lower this year's counter to the highest number that exists."),
    ] = None,
    below: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="With --lower: the mistyped number that raised the counter."),
    ] = None,
    table: TableOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Print the counter of each year and the highest incident number that exists, or lower a counter.

    The widest gap between two numbers shows where a mistyped number raised the counter.
    """
    from . import counter as counting  # takes 0.8 s (botocore), so `--help` does not import it
    from .reading import nothing_of  # takes 50 ms, so `--help` does not import it

    bound = model.count_raised_by(below) if below else None
    if below and (bound is None or bound[0] != lower):
        raise StepFailed(
            "--below does not fit.", f"  {below}", "Name a number like INC-2026-000042, of the year that --lower names."
        )
    reader = tenant_reader(tenant_id, table, stack, region)
    if lower is None:
        years = counting.read(reader)
        for each in years:
            say(_described(each))
        if not years:
            if reader.is_empty():
                raise nothing_of(reader)
            stderr.print(f"The tenant {tenant_id} has no numbers of the form INC-2026-000042.")
        return
    stderr.print(f"Reading the numbers, and waiting {counting.SETTLE_SECONDS} seconds for creates that are under way.")
    left = f"The counter may be lowered or not. Look: {command('tenant counter')} --tenant {tenant_id}"
    try:
        with interrupted(left):
            client = guarded(Deployment(stack, region).client("dynamodb"))
            year = counting.lower(reader, client, lower, bound and bound[1])
    except counting.Refused as refused:
        fault, current = refused.args
        raise StepFailed(
            fault, f"  {_described(current) if current else f'{lower} has no counter'}",
            "If a mistyped number raised the counter, add --below with this number. "
            "The mistyped number is at the upper end of a gap.",
        ) from None  # fmt: skip
    count = 1 + (year.counter or 0)
    succeeded(f"The next number of {lower} is {model.generated_number(lower, count)}.")


def _described(year: "Year") -> str:
    named = [f"{year.year:04d}  counter {'none' if year.counter is None else year.counter}"]
    if year.counts:
        highest = ", ".join(model.generated_number(year.year, count) for count in year.counts[:-4:-1])
        named.append(f"highest numbers {highest}")
    if (gap := year.widest_gap) and gap[1] - gap[0] > 1:
        named.append(f"widest gap {gap[0]} to {gap[1]}")
    if year.ignored:
        named.append(f"ignored {year.ignored[0]} to {year.ignored[-1]}")
    return "  ".join(named)


def tenant_reader(tenant_id: str, table: str | None, stack: str | None, region: str | None) -> "TenantReader":
    """Return a reader of a tenant's items. Raises StepFailed if the tenant id is not valid."""
    from .reading import TenantReader  # takes 50 ms, so `--help` does not import it

    deployment = Deployment(stack, region)
    if not model.TENANT_ID.fullmatch(tenant_id):
        raise StepFailed(
            "The tenant id is not valid.", f"  {tenant_id}",
            f"A tenant id has {model.TENANT_ID_RULE}.",
        )  # fmt: skip
    return TenantReader(deployment.client("dynamodb"), table or deployment.table_name, tenant_id)


@contextmanager
def _show_progress(doing: str) -> Iterator[Callable[[str, int, float | None], None]]:
    """Yield a function that shows progress: the kind of items, their number, and a bar for the finished part.

    If the finished part is None, the bar only shows that the command is running.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True) as progress:
        task = progress.add_task(doing, total=None)

        def show(kind: str, count: int, part: float | None) -> None:
            total = None if part is None else 1
            progress.update(task, description=f"{doing}: {count:,} {kind}", completed=part or 0, total=total)

        yield show
