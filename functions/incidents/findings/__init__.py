"""Read the findings in an event. The package calls neither AWS nor a clock. It has one adapter per source:

``guardduty``           GuardDuty, directly from the detector
``malware_scan``        GuardDuty's scans of S3 objects, which need no detector
``security_hub_asff``   Security Hub CSPM: imported findings, and findings that a person sent with a custom action
``security_hub_ocsf``   Security Hub's second version
``security_hub_insight`` the results of a Security Hub insight that a person sent
``security_hub``        the code that both Security Hub adapters share
``cloudwatch_alarm``    CloudWatch alarms
``health``              AWS Health, including abuse reports
``macie``               Macie
``inspector``           Inspector
``access_analyzer``     IAM Access Analyzer: access from outside
``cloudtrail``          CloudTrail: sign-ins of the root user, and calls that switch off logging or detection
``security_ir``         AWS Security Incident Response: new cases
``alert_escalated``     this service's own event, from any producer; ``alert_escalated.v1.json`` is the schema

``mapping``             any event of a partner, by a tenant's mapping; it is not in ``ADAPTERS``
``paths``               the paths of a mapping: JMESPath without functions, with a limit of steps

The adapters share these modules:

``finding``             the result of an adapter
``kinds``               the kind of a finding, for the tenant's policy: one table
``categories``          the category of a finding: one table
``finding_types``       the types of findings, in the product's own words
``assets``              the one form of each asset
``dates``               dates in all forms that sources write
``nodes``               access to an event whose values may have any type

To add a source, add a module with ``read``, a line in ``ADAPTERS``, and a recorded event in ``tests/events``.
"""

from collections.abc import Callable
from typing import Any

from . import (
    access_analyzer,
    alert_escalated,
    cloudtrail,
    cloudwatch_alarm,
    guardduty,
    health,
    inspector,
    macie,
    malware_scan,
    security_hub,
    security_hub_asff,
    security_hub_insight,
    security_hub_ocsf,
    security_ir,
)
from .finding import REASONS, Finding, Report, Skipped, SkipReason, own_part
from .nodes import EventRefused, MalformedEvent, Node, UnknownEvent

__all__ = [
    "ADAPTERS",
    "ANY_SERVICE",
    "ANY_SOURCE",
    "OWN_SOURCE",
    "PARTNER",
    "REASONS",
    "Adapter",
    "EventRefused",
    "Finding",
    "MalformedEvent",
    "Node",
    "Report",
    "SkipReason",
    "Skipped",
    "UnknownEvent",
    "adapter",
    "as_from_aws",
    "name_of",
    "read",
]

Adapter = Callable[[Node], list[Report]]

OWN_SOURCE = "grc.incidents"
SIMULATED = "simulated."
ANY_SOURCE = "*"
ANY_SERVICE = "aws.*"
PARTNER = "aws.partner/"

ADAPTERS: dict[tuple[str, str], Adapter] = {
    (guardduty.SOURCE, "GuardDuty Finding"): guardduty.read,
    (guardduty.SOURCE, malware_scan.SCAN_RESULT): malware_scan.read,
    (security_hub.SOURCE, "Security Hub Findings - Imported"): security_hub_asff.read,
    (security_hub.SOURCE, security_hub_asff.CUSTOM_ACTION): security_hub_asff.read,
    (security_hub.SOURCE, security_hub_insight.INSIGHT_RESULTS): security_hub_insight.read,
    (security_hub.SOURCE, "Findings Imported V2"): security_hub_ocsf.read,
    (cloudwatch_alarm.SOURCE, "CloudWatch Alarm State Change"): cloudwatch_alarm.read,
    (health.SOURCE, "AWS Health Event"): health.read,
    (health.SOURCE, health.ABUSE_EVENT): health.read,
    (macie.SOURCE, "Macie Finding"): macie.read,
    (inspector.SOURCE, "Inspector2 Finding"): inspector.read,
    (access_analyzer.SOURCE, "Access Analyzer Finding"): access_analyzer.read,
    (security_ir.SOURCE, security_ir.CASE_CREATED): security_ir.read,
    (ANY_SERVICE, cloudtrail.SIGN_IN): cloudtrail.read,
    (ANY_SERVICE, cloudtrail.CALL): cloudtrail.read,
    (ANY_SOURCE, "Alert Escalated"): alert_escalated.read,
}
"""The adapters by source and detail-type.

``ANY_SERVICE`` matches every source ``aws.*``, because the source of a CloudTrail event is the called service.
``ANY_SOURCE`` matches every other source. Neither matches a partner's source ``aws.partner/*``: see ``mapping``.
"""

_OF_SEVERAL = (security_hub_asff.read, security_hub_ocsf.read)  # they return one report for each finding of the event


def as_from_aws(event: Any) -> Any:
    """Return an event of the source ``simulated.aws.*`` with the source ``aws.*``. Return any other event unchanged.

    Only AWS can put events of the source ``aws.*`` on a bus. So a person who tries out a stack sends simulated events.
    """
    source = event.get("source") if isinstance(event, dict) else None
    if not isinstance(source, str) or not source.startswith(f"{SIMULATED}aws."):
        return event
    return event | {"source": source.removeprefix(SIMULATED)}


def read(event: Any, received: Any = None) -> list[Report]:
    """Return the reports of an EventBridge event. Each report is a finding, a reason to skip, or an error.

    If ``as_from_aws`` has changed the event, ``received`` is the event before the change.

    The service's own events are always skipped, so that an incident cannot create another incident. Raises
    UnknownEvent if there is no adapter for the event, and MalformedEvent if the event cannot be read.
    """
    whole = Node(event).needed_object()
    source, detail_type = whole.at("source").exact_text(), whole.at("detail-type").exact_text()
    if source == OWN_SOURCE:
        return [Skipped("own", source)]
    chosen = adapter(source, detail_type)
    if chosen is None:
        raise UnknownEvent
    came = event if received is None else received
    return [
        report._replace(received=own_part(came, place) if chosen in _OF_SEVERAL else came, adapter=name_of(chosen))
        if isinstance(report, Finding)
        else report
        for place, report in enumerate(chosen(whole))
    ]


def name_of(adapter: Adapter) -> str:
    """Return the name of an adapter, which is its module's name."""
    return adapter.__module__.rpartition(".")[2]


def adapter(source: str, detail_type: str) -> Adapter | None:
    """Return the adapter for a source and a detail-type, or None if there is no adapter."""
    any_one = ANY_SERVICE if source.startswith("aws.") and not source.startswith(PARTNER) else ANY_SOURCE
    return ADAPTERS.get((source, detail_type)) or ADAPTERS.get((any_one, detail_type))
