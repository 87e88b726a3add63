"""Read Inspector findings. A vulnerability is only a risk: the tenant's settings decide whether it becomes an incident.

The EventBridge schema in the Inspector user guide describes the fields. The dates have two forms, and neither form is
ISO 8601. The date of the first scan that saw a vulnerability does not show when the vulnerability began. So there is no
``occurred_at``.
"""

from .assets import one_form, place_of
from .categories import category_of
from .dates import choose_dates
from .finding import Report, Skipped, SkipReason, build_finding, severity_named
from .kinds import kind_of
from .nodes import Node

SOURCE = "aws.inspector2"

_OF_STATUS: dict[str | None, SkipReason] = {"CLOSED": "closed", "SUPPRESSED": "suppressed"}


def read(event: Node) -> list[Report]:
    """Return the event's one finding, or the reason to skip the event. Raises MalformedEvent."""
    detail = event.at("detail").needed_object()
    title = detail.at("title").title()
    if reason := _OF_STATUS.get(detail.at("status").text()):
        return [Skipped(reason, SOURCE)]
    arn = detail.at("findingArn").needed_text()
    account_id = detail.at("awsAccountId").needed_account_id()
    finding_type, cve = detail.at("type").text(), detail.at("packageVulnerabilityDetails.vulnerabilityId").text()
    types = [text for text in (finding_type, cve) if text]
    kind = kind_of(SOURCE, "vulnerability", types)
    place = place_of(arn, None, account_id)
    return [
        build_finding(
            choose_dates(
                event.at("time"),
                occurred=[],
                detected=[detail.at("updatedAt")],
                last_seen=[detail.at("lastObservedAt"), detail.at("updatedAt")],
            ),
            source=SOURCE,
            account_id=account_id,
            key=arn,
            title=title,
            description=detail.at("description").text(),
            category=category_of(kind, types),
            severity=severity_named(detail.at("severity").text()),
            asset_ids=[
                one_form(resource.at("id").text(), place._replace(region=resource.at("region").text() or place.region))
                for resource in detail.at("resources").each()
            ],
            alert_ids=[arn],
            tags=[cve or finding_type],
            kind=kind,
            finding_class="vulnerability",
            names=types,
            exploited=detail.at("exploitAvailable").text() == "YES",
        )
    ]
