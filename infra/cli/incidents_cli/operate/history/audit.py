"""The commands of `incidents audit`. They print who changed what, and write an auditor's pack."""

import csv
import sys
from datetime import date
from pathlib import Path
from secrets import token_hex
from typing import Annotated

import typer
from incidents.domain import timestamps

from ...console import StepFailed, clean, command, interrupted, say, stderr, succeeded
from ..deployment import Deployment, RegionOption, StackOption, TableOption
from ..tenants.commands import TenantOption, tenant_reader
from .commands import fingerprint

audit = typer.Typer(no_args_is_help=True, help="Print who changed what in a tenant, or write an auditor's pack.")

FirstDay = Annotated[str | None, typer.Option("--from", metavar="DATE", help="The first day (UTC).")]
LastDay = Annotated[str | None, typer.Option("--to", metavar="DATE", help="The last day (UTC), included.")]


@audit.command()
def trail(
    tenant_id: TenantOption,
    by: Annotated[str | None, typer.Option(metavar="PERSON", help="Print only the changes by this author.")] = None,
    first: FirstDay = None,
    last: LastDay = None,
    table: TableOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Print the changes in a tenant as CSV, one line for each changed field, incident by incident."""
    from ..tenants.export import line_of  # takes 50 ms, so `--help` does not import it
    from ..tenants.reading import nothing_of  # takes 50 ms, so `--help` does not import it
    from . import pack  # takes 0.2 s (the rules of deadlines), so `--help` does not import it
    from .verify_history import UNREADABLE  # takes 90 ms, so `--help` does not import it

    period = _period(first or f"{timestamps.FIRST_YEAR}-01-01", last or f"{timestamps.LAST_YEAR}-12-31")
    reader = tenant_reader(tenant_id, table, stack, region)
    writer = csv.writer(sys.stdout, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(pack.CHANGE_COLUMNS)
    incident, gaps = None, list[str]()
    for incident in reader.incidents():
        known = len(gaps)
        line = line_of(incident, reader, gaps)
        try:
            rows = [*pack.change_rows(pack.read(line.text.encode()), period)] if line.text else []
        except UNREADABLE as error:
            gaps.append(f"{incident.incident_id}: it cannot be read ({type(error).__name__})")
            continue
        if not line.is_whole and len(gaps) == known:
            gaps.append(f"{incident.incident_id}: {'changes are' if line.text else 'the incident is'} missing")
        for row in rows:
            if by in (None, row[1]):
                writer.writerow([clean(pack.as_cell(cell)) for cell in row])
    if incident is None:
        raise nothing_of(reader)
    if gaps:
        advice = f"Follow docs/runbooks/restore.md after: {command('verify')} --tenant {tenant_id}"
        detail = "\n".join(f"  {gap}" for gap in gaps)
        raise StepFailed("The output lacks changes of these incidents.", detail, advice)


@audit.command(name="pack")
def pack_(
    tenant_id: TenantOption,
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="The first day of the period (UTC).")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="The last day of the period (UTC), included.")],
    sample: Annotated[int, typer.Option(min=0, help="The number of incidents in the sample.")] = 25,
    seed: Annotated[str | None, typer.Option(help="Choose the sample with this text. Default: a random text.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="DIR", help="The new folder. Default: audit-TENANT-FROM-TO.")
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FINGERPRINT",
            parser=fingerprint,
            help="The fingerprint of an earlier key that may sign. The stack's key always may.",
        ),
    ] = None,
    table: TableOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Write the files that an auditor needs for a period into a new folder, with a program that checks them.

    If the history has faults, the pack has a list of them, and the exit code is 1.
    """
    from . import pack  # takes 0.2 s (the rules of deadlines), so `--help` does not import it

    period = _period(first, last)
    reader = tenant_reader(tenant_id, table, stack, region)
    place = folder or Path(f"audit-{tenant_id}-{first}-{last}")
    chosen = pack.Choice(period, sample, seed or token_hex(8))
    with interrupted(f"No pack was written to {place}."):
        written = pack.write(place, Deployment(stack, region), reader, chosen, set(key or ()))
    stderr.print(f"{written.population} incidents in the period, {written.sample} in the sample (seed {chosen.seed})")
    stderr.print(f"The manifests end at {written.until}. The fingerprint of the stack's key:")
    say(written.fingerprint)
    stderr.print("Give the fingerprint to the auditor in another way than the pack.")
    if written.faults:
        raise StepFailed(
            f"Wrote {place}, but the history has faults: {written.faults}.", "",
            f"{place / pack.FAULTS} lists the faults. Follow docs/runbooks/history.md.",
        )  # fmt: skip
    succeeded(f"Wrote {place}")


def _period(first: str, last: str) -> tuple[str, str]:
    """Return the first and the last moment of a period as RFC 3339 texts."""
    try:
        start, end = (date.fromisoformat(day) for day in (first, last))
    except ValueError as error:
        raise StepFailed("A date is not valid.", f"  {error}", "Write a date like 2026-01-31.") from None
    if not timestamps.FIRST_YEAR <= start.year <= end.year <= timestamps.LAST_YEAR and start <= end:
        years = f"from {timestamps.FIRST_YEAR} to {timestamps.LAST_YEAR}"
        raise StepFailed("A date is not valid.", f"  {first} to {last}", f"Name dates {years}.")
    if start > end:
        raise StepFailed("The period ends before it begins.", f"  {first} to {last}", "Swap the two dates.")
    return f"{start.isoformat()}T00:00:00.000Z", f"{end.isoformat()}T23:59:59.999Z"
