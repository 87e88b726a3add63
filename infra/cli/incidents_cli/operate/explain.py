"""`incidents explain`: what an event would become, without writing anything."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from incidents import findings
from incidents.findings import EventRefused, Finding, Skipped

from ..console import StepFailed, stderr
from .deployment import Deployment, RegionOption, StackOption


def explain(
    file: Annotated[Path, typer.Argument(metavar="EVENT.json", help="An event as EventBridge delivers it.")],
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Print what an event would become: adapter, tenant, key, incident. Nothing is written."""
    from incidents import intake  # 0.8 s: pydantic, and botocore's session

    deployment = Deployment(stack, region)
    given = _read(file)
    event = findings.as_from_aws(given)
    if event is not given:
        stderr.print(f"As {event['source']}, which is what a stack with TakeSimulatedEvents=true takes it for.")
    account_map = deployment.account_map()
    try:
        reports = findings.read(event, findings.OFF_UNLESS_ENABLED)
    except EventRefused as refused:
        raise StepFailed("It would go to the dead letters.", f"  {refused}", "Its producer must mend it.") from None
    matched = findings.adapter(event["source"], event["detail-type"])
    _say("adapter", matched.__module__.rpartition(".")[2] if matched else "none")
    for report in reports:
        typer.echo()
        if isinstance(report, Skipped):
            _say("makes nothing", report.reason)
            continue
        if isinstance(report, EventRefused):
            _say("refused", f"{report}: once the others are taken, the event goes to the dead letters")
            continue
        try:
            decided = f"{intake.tenant_of(report, account_map)} ({_sender(report)})"
        except EventRefused as refused:
            decided = f"none: {refused} ({_sender(report)}), so it would go to the dead letters"
        _say("tenant", decided)
        _say("key", report.key)
        for date, read_from in report.dates.items():
            _say(date, f"from {read_from}")
        typer.echo(json.dumps(intake.incident_of(report), indent=2, ensure_ascii=False))
    if event["source"] in findings.OFF_UNLESS_ENABLED:
        stderr.print(f"{event['source']} is off unless the stack's parameter EnabledSources names it.")


def _sender(finding: Finding) -> str:
    account = f"account {finding.account_id}"
    return f"{account}, producer {finding.producer}" if finding.producer else account


def _say(name: str, value: str) -> None:
    typer.echo(f"{name:<14} {value}")


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise StepFailed(
            f"{file} cannot be read as JSON.", f"  {error}", "Give it an event as EventBridge has it."
        ) from None
