"""Read Security Hub CSPM findings in the format ASFF. A product imported the findings, or a person sent them.

The ASFF syntax in the Security Hub user guide describes the fields. The severity labels are this service's severities
in capitals. Without a label, the severity depends on the number ``Normalized``. The same guide gives the bands:
critical from 90, high from 70, medium from 40, low from 1, informational for 0.
"""

from . import macie, security_hub
from .dates import choose_dates
from .finding import Finding, Reason, Report, Skipped, build_finding, each, severity_named
from .nodes import Node

CUSTOM_ACTION = "Security Hub Findings - Custom Action"

_BANDS = ((90, "critical"), (70, "high"), (40, "medium"), (1, "low"))
_OF_WORKFLOW: dict[str | None, Reason] = {"SUPPRESSED": "suppressed", "RESOLVED": "resolved"}


def read(event: Node) -> list[Report]:
    """Return one report for each finding of the event. The guide promises one finding, but the format allows several.

    Raises MalformedEvent if no finding can be read. A finding that a person sent with a custom action is accepted in
    any state, and its ``seen_at`` is never before the time of the action.
    """
    sent_by_hand = event.at("detail-type").text() == CUSTOM_ACTION
    return each(event.at("detail.findings").needed_items(), lambda item: _read(event, item, sent_by_hand))


def _read(event: Node, item: Node, sent_by_hand: bool) -> Finding | Skipped:
    product_arn = item.at("ProductArn").needed_text()
    product = security_hub.product(product_arn)
    if not sent_by_hand and (reason := _why_not(item, product, item.at("Title").text() or "")):
        return Skipped(reason, product.source)
    title = item.at("Title").needed_text()
    types = [text for name in item.at("Types").each() if (text := name.text())]
    kind = security_hub.finding_type(types)
    account_id = item.at("AwsAccountId").needed_account_id()
    finding_id = item.at("Id").needed_text()
    resources = item.at("Resources").each()
    buckets = [resource.at("Id").text() for resource in resources if resource.at("Type").text() == "AwsS3Bucket"]
    assets = [resource.at("Id").text() or "" for resource in resources]
    action = event.at("detail.actionName").text() if sent_by_hand else None
    return build_finding(
        choose_dates(
            event.at("time"),
            occurred=[item.at("FirstObservedAt")],
            detected=[item.at("CreatedAt")],
            last_seen=[item.at("LastObservedAt"), item.at("UpdatedAt"), *([event.at("time")] if sent_by_hand else [])],
        ),
        source=product.source,
        account_id=account_id,
        key=security_hub.key(product, product_arn, account_id, finding_id, kind, next(iter(buckets), None)),
        title=title,
        description=item.at("Description").text(),
        category=security_hub.category(product, types),
        severity=_severity(item.at("Severity")),
        asset_ids=[asset for asset in assets if not asset.startswith("AWS::::Account:")],
        alert_ids=[finding_id],
        tags=[kind, action and f"custom-action:{action}"],
        grouped=product.source == macie.SOURCE and bool(buckets) and macie.is_grouped(kind),
        by_hand=sent_by_hand,
    )


def _why_not(item: Node, product: security_hub.Product, title: str) -> Reason | None:
    """Return the reason to skip an imported finding, or None. Only Inspector itself may report vulnerabilities."""
    if item.at("RecordState").text() == "ARCHIVED":
        return "archived"
    if reason := _OF_WORKFLOW.get(item.at("Workflow.Status").text()):
        return reason
    if item.at("Compliance.Status").text() == "PASSED":
        return "passed"
    if item.at("Sample").is_true() or security_hub.is_sample(product, title):
        return "sample"
    return "not_a_detection" if product.source == security_hub.INSPECTOR else None


def _severity(severity: Node) -> str | None:
    if named := severity_named(severity.at("Label").text()):
        return named
    normalized = severity.at("Normalized").number()
    if normalized is None:
        return None
    return next((name for lowest, name in _BANDS if normalized >= lowest), "informational")
