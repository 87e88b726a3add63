"""Read Inspector findings. This source is off by default.

A vulnerability is only a risk. It becomes an incident if it is critical and an exploit is available. The EventBridge
schema in the Inspector user guide describes the fields. The dates have two forms, and neither form is ISO 8601.
"""

from .dates import choose_dates
from .finding import Reason, Report, Skipped, build_finding
from .nodes import Node

SOURCE = "aws.inspector2"

_OF_STATUS: dict[str | None, Reason] = {"CLOSED": "closed", "SUPPRESSED": "suppressed"}


def read(event: Node) -> list[Report]:
    """Return the event's one finding, or the reason to skip the event. Raises MalformedEvent.

    Only a critical finding with an available exploit is accepted.
    """
    detail = event.at("detail").needed_object()
    title = detail.at("title").needed_text()
    if reason := _OF_STATUS.get(detail.at("status").text()):
        return [Skipped(reason, SOURCE)]
    if detail.at("severity").text() != "CRITICAL" or detail.at("exploitAvailable").text() != "YES":
        return [Skipped("not_a_detection", SOURCE)]
    arn = detail.at("findingArn").needed_text()
    return [
        build_finding(
            choose_dates(
                event.at("time"),
                occurred=[detail.at("firstObservedAt")],
                detected=[detail.at("updatedAt")],
                last_seen=[detail.at("lastObservedAt"), detail.at("updatedAt")],
            ),
            source=SOURCE,
            account_id=detail.at("awsAccountId").needed_account_id(),
            key=arn,
            title=title,
            description=detail.at("description").text(),
            category="vulnerability",
            severity="critical",
            asset_ids=[resource.at("id").text() for resource in detail.at("resources").each()],
            alert_ids=[arn],
            tags=[detail.at("type").text(), detail.at("packageVulnerabilityDetails.vulnerabilityId").text()],
        )
    ]
