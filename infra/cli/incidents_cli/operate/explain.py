"""The command `incidents explain`. It prints whether an event would arrive, and the incident that it would become."""

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from incidents import findings
from incidents.domain import event_json, intake_policy
from incidents.domain.intake_policy import Decision, Policy
from incidents.findings import EventRefused, Finding, Skipped, kinds, mapping

from ..console import StepFailed, clean, require_regular, say
from .deployment import Deployment, RegionOption, StackOption

_ENVELOPE = {"version": "0", "id": "00000000-0000-0000-0000-000000000000", "account": "000000000000", "resources": []}


def explain(
    file: Annotated[
        Path, typer.Argument(metavar="EVENT.json", help="A file with one event as EventBridge delivers it.")
    ],
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Print whether an event would arrive, and the incident that it would become. Write nothing.

    The command names the rule that decides, the adapter, the tenant and the key.
    """
    from incidents import reports as reading  # takes 0.8 s (pydantic and botocore), so `--help` does not import it

    given = _read(file)
    deployment = Deployment(stack, region)
    arrives = _arrival(given, deployment)
    event = findings.as_from_aws(given)
    try:
        reports = reading.reports_of(
            event,
            of_partner=lambda node: reading.mapped(node, deployment.account_map(), partial(_mappings, deployment)),
        )
    except EventRefused as refused:
        if not arrives.by:
            raise StepFailed("The event would never arrive.", f"  {arrives}", "Name another event.") from None
        raise StepFailed(
            "The event would become a dead letter.", f"  {refused}", "Fix the event at its producer."
        ) from None
    matched = findings.adapter(event["source"], event["detail-type"])
    is_mapped = matched is None and event["source"].startswith(findings.PARTNER)
    _line("adapter", findings.name_of(matched) if matched else mapping.ADAPTER if is_mapped else "none")
    _line("arrives", str(arrives))
    for report in reports:
        say()
        if isinstance(report, Skipped):
            _line("no incident", report.reason)
        elif isinstance(report, EventRefused):
            _line("refused", f"{report}. The event's other findings are stored. Then the event becomes a dead letter")
        else:
            _explain_finding(report, deployment)


def _explain_finding(finding: Finding, deployment: Deployment) -> None:
    from incidents import intake  # takes 0.8 s (pydantic and botocore), so `--help` does not import it

    policy, refusal = intake_policy.DEFAULT, ""
    try:
        tenant_id = intake.tenant_of(finding, deployment.account_map())
        policy = _policy(tenant_id, deployment)
        whose = tenant_id
    except EventRefused as refused:
        whose, refusal = "none", f": {refused}"
    decision = _decide(policy, finding, deployment)
    dead = "; the event would become a dead letter" if refusal and decision.reason is None else ""
    _line("tenant", f"{whose}{refusal} ({_sender(finding)}){dead}")
    decided_by = (
        f"the mapping {finding.source}"
        if finding.adapter == mapping.ADAPTER
        else str(kinds.line_for(finding.source, finding.finding_class, finding.names))
    )
    _line("kind", f"{finding.kind} ({decided_by})")
    _line("no incident" if decision.reason else "incident", _because(decision))
    _line("key", finding.key)
    if decision.reason:
        return
    for date, read_from in finding.dates.items():
        _line(date, f"from {read_from}")
    say(json.dumps(intake.incident_of(finding), indent=2, ensure_ascii=False))


def _mappings(deployment: Deployment, tenant_id: str) -> Any:
    from incidents.storage.settings import MAPPINGS  # takes 0.4 s (botocore), so `--help` does not import it

    with deployment.settings_of(tenant_id) as settings:
        stored = settings.read(MAPPINGS)
    return stored and stored.value


def _policy(tenant_id: str, deployment: Deployment) -> Policy:
    from incidents import intake  # takes 0.8 s (pydantic and botocore), so `--help` does not import it

    with deployment.settings_of(tenant_id) as settings:
        return intake.policy_in(settings)


def _decide(policy: Policy, finding: Finding, deployment: Deployment) -> Decision:
    enabled = deployment.parameters.get("EnabledSources", "").split(",")
    return intake_policy.decide(policy, finding.facts, enabled)


def _because(decision: Decision) -> str:
    return f"{decision.reason}: {decision.rule}" if decision.reason else f"because {decision.rule}"


class _Arrival(NamedTuple):
    """The stack's rules that match an event, such as ``grc-incidents-findings``. ``by`` is empty if no rule matches."""

    by: list[str]

    def __str__(self) -> str:
        if not self.by:
            return "never: no rule of the stack matches the event"
        return "by " + ", ".join(self.by)


def _arrival(event: Any, deployment: Deployment) -> _Arrival:
    """Ask EventBridge which of the stack's own rules match the complete event."""
    if not isinstance(event, dict):
        return _Arrival([])
    bus = deployment.outputs["EventBusName"]
    events = deployment.client("events")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    whole = _ENVELOPE | {"time": now, "region": events.meta.region_name, "detail": {}} | event
    matching = []
    for on in ("default", bus):
        for page in events.get_paginator("list_rules").paginate(EventBusName=on, NamePrefix=f"{bus}-"):
            matching += [
                f"the rule {rule['Name']} on the bus {on}"
                for rule in page["Rules"]
                if "EventPattern" in rule
                and events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(whole))["Result"]
            ]
    return _Arrival(matching)


def _sender(finding: Finding) -> str:
    account = f"account {finding.account_id}"
    return f"{account}, producer {finding.producer}" if finding.producer else account


def _line(name: str, value: str) -> None:
    say(f"{name:<14} {clean(value)}")


def _read(file: Path) -> Any:
    require_regular(file)
    try:
        return event_json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise StepFailed(
            f"{file} cannot be read as JSON.",
            f"  {error}",
            "Name a file with one event as EventBridge delivers it.",
        ) from None
