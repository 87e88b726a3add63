"""The commands of `incidents history`. They seal a history, and check a history against its manifests."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from incidents.domain import timestamps

from ...console import StepFailed, clean, say, stderr, step, succeeded
from ..deployment import Deployment, RegionOption, StackOption, TableOption
from ..tenants.commands import TenantOption, tenant_reader


def fingerprint(given: str) -> str:
    """Return a fingerprint in lower case, without the colons and blanks that other programs write.

    Raises typer.BadParameter for a text that is no SHA-256.
    """
    plain = re.sub(r"[:\s]", "", given).lower()
    if not re.fullmatch("[0-9a-f]{64}", plain):
        raise typer.BadParameter("a fingerprint has 64 hexadecimal digits")
    return plain


_RECENT = ("settling", "unsettled")  # the outcomes of tenants whose newest changes may not be in the index yet

history = typer.Typer(no_args_is_help=True, help="Seal the history of a tenant, or check it against its seals.")


@history.command()
def seal(
    tenant_id: Annotated[
        str | None, typer.Option("--tenant", help="Seal only this tenant. Default: all tenants with unsealed changes.")
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="With --tenant: seal all incidents of the tenant.")] = False,
    erasure: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --tenant: also seal this proof of the tenant's erasure.")
    ] = None,
    restored_to: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="With --tenant: seal all incidents after a restore of the table to TIME."),
    ] = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Write signed manifests now. The schedule does the same once an hour for all tenants with unsealed changes."""
    from ..tenants.reading import nothing_of  # takes 50 ms, so `--help` does not import it
    from . import manifest_bucket, proofs  # takes 60 ms, so `--help` does not import it

    if tenant_id is None and (whole or erasure or restored_to):
        raise StepFailed("--whole, --erasure and --restored-to need a tenant.", "", "Add --tenant.")
    if erasure and (whole or restored_to):
        other = "--whole" if whole else "--restored-to"
        raise StepFailed(f"--erasure and {other} need one manifest each.", "", "Run the command twice.")
    order: dict[str, Any] = {}
    deployment = Deployment(stack, region)
    manifest_bucket.bucket_of(deployment)
    if tenant_id is not None:
        reader = tenant_reader(tenant_id, None, stack, region)
        has_manifests = restored_to and next(manifest_bucket.lines(deployment, tenant_id), None)  # a restore took all
        if not erasure and not has_manifests and next(reader.items("INCIDENT"), None) is None:
            raise nothing_of(reader, "Nothing was sealed.")
        erased = proofs.erasure_of(erasure, reader) if erasure else None
        order = {"tenant_id": tenant_id, "whole": whole, "erasure": erased, "restored_to": _parsed(restored_to)}
    with step("Sealing", "Sealed"):
        answer = deployment.client("lambda").invoke(
            FunctionName=deployment.outputs["SealHistoryFunction"], Payload=json.dumps(order)
        )
        outcomes: dict[str, Any] = json.loads(answer["Payload"].read())
        left = {name: count for name, count in outcomes.items() if name not in ("computed", *_RECENT)}
        if "FunctionError" in answer or left:
            detail = outcomes.get("errorType") or ", ".join(f"{name}: {count}" for name, count in left.items())
            advice = "Run the command again in a minute. If it fails again, follow docs/runbooks/history.md."
            raise StepFailed("Some histories are not sealed.", f"  {detail}", advice)
    stderr.print(f"Sealed tenants: {outcomes.get('computed', 0)}.")
    if recent := sum(outcomes.get(name, 0) for name in _RECENT):
        stderr.print(f"Tenants with changes in the last minutes, which a later run seals: {recent}.")


@history.command()
def verify(
    tenant_id: TenantOption,
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FINGERPRINT",
            parser=fingerprint,
            help="The fingerprint of a key that may sign. Default: the stack's key.",
        ),
    ] = None,
    table: TableOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Check the history of a tenant in the table against its manifests. Print one line for each fault.

    After a rotation of the key, repeat --key for each key. The service must not choose the keys that an auditor trusts.
    """
    from ..tenants.export import line_of  # takes 50 ms, so `--help` does not import it
    from . import manifest_bucket, verify_history  # takes 90 ms, so `--help` does not import it

    deployment = Deployment(stack, region)
    reader = tenant_reader(tenant_id, table, stack, region)
    keys = set(key or [manifest_bucket.fingerprint(deployment)])
    with step("Checking the history", "Checked the history"):
        # The check reads all manifests first. Otherwise, they could have a change that the table did not have yet.
        manifests = manifest_bucket.lines(deployment, tenant_id)
        unreadable = list[str]()
        export = ((line_of(each, reader, unreadable).text or "{}").encode() for each in reader.incidents())
        report = verify_history.check(tenant_id, keys, manifests, export)
        report.faults += unreadable
    for fault in report.faults:
        say(clean(fault))
    stderr.print(f"{report.incidents:>9,} incidents\n{report.manifests:>9,} manifests")
    stderr.print(f"The manifests end at {report.until}. Changed since then: {report.unsealed} incidents.")
    for change in report.late:
        stderr.print(f"Sealed more than a day late: {clean(change)}")
    if report.unproved:
        stderr.print(f"Incidents with a change without a hash, which nothing proves: {report.unproved}.")
    if report.erasures:
        times = ", ".join(time for _, time, _ in report.erasures)
        stderr.print(f"Erasures of the tenant: until {times}. Older incidents are gone.")
    if report.restores:
        times = ", ".join(time for _, time, _ in report.restores)
        stderr.print(f"Restores of the table: to {times}. Incidents that lost sealed changes: {len(report.lost)}.")
    stderr.print(f"Keys: {', '.join(sorted(keys))}")
    stderr.print(f"Write this down for the next audit. The {report.newest}.")
    if report.faults:
        raise StepFailed(f"Faults: {len(report.faults)}.", "", "Follow docs/runbooks/history.md.")
    succeeded(f"The history of the tenant {tenant_id} has no faults.")


def _parsed(restored_to: str | None) -> str | None:
    try:
        return timestamps.parse(restored_to) if restored_to else None
    except ValueError as error:
        raise StepFailed("--restored-to is not a time.", f"  {error}", "Give the time of the restore.") from None
