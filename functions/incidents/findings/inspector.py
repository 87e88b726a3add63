"""Inspector; off by default. A vulnerability is only a risk; it becomes an incident if an exploit is available.

Fields as in the EventBridge schema of the Inspector user guide. Its dates have two forms, neither of them ISO 8601.
"""

from .dates import choose_dates
from .finding import Reason, Report, Skipped, build_finding
from .nodes import Node

SOURCE = "aws.inspector2"

_OF_STATUS: dict[str | None, Reason] = {"CLOSED": "closed", "SUPPRESSED": "suppressed"}


def read(event: Node) -> list[Report]:
    """Return the one finding of the event, critical and with an available exploit, or why it is skipped.

    Raises MalformedEvent.
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
