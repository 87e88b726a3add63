"""The command `incidents explain`. It prints the incident that an event would become, and writes nothing."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from incidents import findings
from incidents.findings import EventRefused, Finding, Skipped

from ..console import StepFailed, clean, say, stderr
from .deployment import Deployment, RegionOption, StackOption


def explain(
    file: Annotated[
        Path, typer.Argument(metavar="EVENT.json", help="A file with one event as EventBridge delivers it.")
    ],
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Print the incident that an event would become, with its adapter, tenant and key. Write nothing."""
    from incidents import intake  # takes 0.8 s (pydantic and botocore), so `--help` does not import it

    deployment = Deployment(stack, region)
    given = _read(file)
    event = findings.as_from_aws(given)
    if event is not given:
        stderr.print(f"A stack with TakeSimulatedEvents=true treats this event as an event from {event['source']}.")
    account_map = deployment.account_map()
    try:
        reports = findings.read(event, findings.OFF_UNLESS_ENABLED)
    except EventRefused as refused:
        raise StepFailed(
            "The event would become a dead letter.", f"  {refused}", "Fix the event at its producer."
        ) from None
    matched = findings.adapter(event["source"], event["detail-type"])
    _line("adapter", matched.__module__.rpartition(".")[2] if matched else "none")
    for report in reports:
        say()
        if isinstance(report, Skipped):
            _line("no incident", report.reason)
            continue
        if isinstance(report, EventRefused):
            _line("refused", f"{report}. The event's other findings are stored. Then the event becomes a dead letter")
            continue
        try:
            decided = f"{intake.tenant_of(report, account_map)} ({_sender(report)})"
        except EventRefused as refused:
            decided = f"none: {refused} ({_sender(report)}); the event would become a dead letter"
        _line("tenant", decided)
        _line("key", report.key)
        for date, read_from in report.dates.items():
            _line(date, f"from {read_from}")
        say(json.dumps(intake.incident_of(report), indent=2, ensure_ascii=False))
    if event["source"] in findings.OFF_UNLESS_ENABLED:
        stderr.print(f"A stack ignores events from {event['source']} unless its parameter EnabledSources names it.")


def _sender(finding: Finding) -> str:
    account = f"account {finding.account_id}"
    return f"{account}, producer {finding.producer}" if finding.producer else account


def _line(name: str, value: str) -> None:
    say(clean(f"{name:<14} {value}"))


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise StepFailed(
            f"{file} cannot be read as JSON.",
            f"  {error}",
            "Name a file with one event as EventBridge delivers it.",
        ) from None
