"""Read Security Hub CSPM findings in the format ASFF. A product imported the findings, or a person sent them.

The ASFF syntax in the Security Hub user guide describes the fields. The severity labels are this service's severities
in capitals. Without a label, the severity depends on the number ``Normalized``. The same guide gives the bands:
critical from 90, high from 70, medium from 40, low from 1, informational for 0.
"""

from . import assets, health, security_hub
from .dates import choose_dates
from .finding import Finding, Report, Skipped, SkipReason, build_finding, each, severity_named
from .nodes import EventRefused, Node
from .security_hub import HubFinding

CUSTOM_ACTION = "Security Hub Findings - Custom Action"

_BANDS = ((90, "critical"), (70, "high"), (40, "medium"), (1, "low"))
_OF_WORKFLOW: dict[str | None, SkipReason] = {"SUPPRESSED": "suppressed", "RESOLVED": "resolved"}
_OF_COMPLIANCE: dict[str | None, SkipReason] = {
    "PASSED": "passed", "WARNING": "warning", "NOT_AVAILABLE": "not_available",
}  # fmt: skip
_SAMPLE_FLAGS = ("additionalInfo/sample", "additionalInfo/value", "additionalInfo")


def read(event: Node) -> list[Report]:
    """Return one report for each finding of the event. The guide promises one finding, but the format allows several.

    Raises MalformedEvent if no finding can be read. A finding that a person sent with a custom action is accepted in
    any state, and its ``seen_at`` is never before the time of the action.
    """
    sent_by_hand = event.at("detail-type").text() == CUSTOM_ACTION
    return each(event.at("detail.findings").needed_items(), lambda item: _read(event, item, sent_by_hand))


def _read(event: Node, item: Node, sent_by_hand: bool) -> Finding | Skipped:
    product_arn = item.at("ProductArn").needed_text()
    product = security_hub.product(product_arn, item.at("CompanyName").text(), item.at("ProductName").text())
    if sent_by_hand:
        return _finding(event, item, product_arn, product, sent_by_hand=True)
    reason = _why_not(item, product, item.at("Title").text() or "")
    if reason is None:
        return _finding(event, item, product_arn, product, sent_by_hand=False)
    return Skipped(reason, product.source, _solved(event, item, product_arn, product, reason))


def _finding(
    event: Node, item: Node, product_arn: str, product: security_hub.Product, *, sent_by_hand: bool
) -> Finding:
    title = item.at("Title").title()
    report = _report(item, product_arn, product, title)
    its_kind = security_hub.kind(report)
    if product == security_hub.Product(health.SOURCE, is_aws=True):
        return health.read_asff(event, item, report.account_id, sent_by_hand)
    place = assets.place_of(report.finding_id, item.at("Region").text(), report.account_id)
    resources = item.at("Resources").each()
    action = event.at("detail.actionName").text() if sent_by_hand else None
    sequence = [
        signal.at("Id").text()
        for signal in item.at("Detection.Sequence.Signals").each()
        if signal.at("Type").text() in (None, "FINDING")
    ]
    return build_finding(
        choose_dates(
            event.at("time"),
            occurred=[item.at("FirstObservedAt")] if its_kind == "detection" else [],
            detected=[item.at("CreatedAt")],
            last_seen=[item.at("LastObservedAt"), item.at("UpdatedAt"), *([event.at("time")] if sent_by_hand else [])],
        ),
        source=product.source,
        account_id=report.account_id,
        key=security_hub.key(report, its_kind),
        former_keys=security_hub.former_keys(report, its_kind),
        related_keys=sequence,
        title=title,
        description=item.at("Description").text(),
        category=security_hub.category(report, its_kind),
        severity=_severity(item.at("Severity")),
        asset_ids=[asset for resource in resources for asset in assets.of_asff(resource, place)],
        alert_ids=[report.finding_id, *sequence],
        tags=[security_hub.tag(report, its_kind), action and f"custom-action:{action}"],
        grouped=security_hub.is_grouped(report),
        by_hand=sent_by_hand,
        kind=its_kind,
        finding_class=report.finding_class,
        names=security_hub.names_for_policy(report),
        exploited=any(
            weakness.at("ExploitAvailable").text() == "YES" for weakness in item.at("Vulnerabilities").each()
        ),
    )


def _solved(
    event: Node, item: Node, product_arn: str, product: security_hub.Product, reason: SkipReason
) -> Finding | None:
    """Return the finding if its check passed or if somebody resolved it in the hub. Otherwise, return None."""
    if reason not in ("passed", "resolved") or item.at("Compliance.Status").value is None:
        return None
    try:
        finding = _finding(event, item, product_arn, product, sent_by_hand=False)
    except EventRefused:
        return None
    return finding if finding.kind == "posture" else None


def _report(item: Node, product_arn: str, product: security_hub.Product, title: str) -> HubFinding:
    resources, finding_id = item.at("Resources").each(), item.at("Id").needed_text()
    types = [text for name in item.at("Types").each() if (text := name.text())]
    vulnerabilities = [known.at("Id").text() for known in item.at("Vulnerabilities").each()]
    mentioned = security_hub.cves(*vulnerabilities, title, finding_id, *types)
    is_check = item.at("Compliance.Status").value is not None
    buckets = [resource.at("Id").text() for resource in resources if resource.at("Type").text() == "AwsS3Bucket"]
    return HubFinding(
        product=product,
        product_arn=product_arn,
        account_id=item.at("AwsAccountId").needed_account_id(),
        finding_id=finding_id,
        finding_class="compliance" if is_check else "vulnerability" if vulnerabilities or mentioned else "unknown",
        types=types,
        control=_control(item, product) if is_check else None,
        resource=next((resource.at("Id").text() for resource in resources), None),
        bucket=next(iter(buckets), None),
        cves=mentioned,
    )


def _control(item: Node, product: security_hub.Product) -> str | None:
    """Return the id of a control.

    If the finding does not name the control, the control's id is the generator's id. For Security Hub's own controls,
    it is only the last part of the generator's id or of the finding's id.
    """
    if named := item.at("Compliance.SecurityControlId").text():
        return named
    generator, finding_id = item.at("GeneratorId").text(), item.at("Id").text() or ""
    if product != security_hub.Product(security_hub.SOURCE, is_aws=True):
        return generator
    return (generator or finding_id.partition("/finding/")[0]).rpartition("/")[2] or None


def _why_not(item: Node, product: security_hub.Product, title: str) -> SkipReason | None:
    """Return the reason to skip an imported finding, or None."""
    if item.at("RecordState").text() == "ARCHIVED":
        return "archived"
    if _is_sample(item, product, title):
        return "sample"
    status = item.at("Compliance.Status").text()
    if status == "PASSED":
        return "passed"
    return _OF_WORKFLOW.get(item.at("Workflow.Status").text()) or _OF_COMPLIANCE.get(status)


def _is_sample(item: Node, product: security_hub.Product, title: str) -> bool:
    fields = item.at("ProductFields").value
    fields = fields if isinstance(fields, dict) else {}
    flags = [Node(value) for name, value in fields.items() if isinstance(name, str) and name.endswith(_SAMPLE_FLAGS)]
    resources = [title, *(resource.at("Id").text() for resource in item.at("Resources").each())]
    return security_hub.is_sample(product, title, [item.at("Sample"), *flags], resources)


def _severity(severity: Node) -> str | None:
    if named := severity_named(severity.at("Label").text()):
        return named
    normalized = severity.at("Normalized").number()
    if normalized is None:
        return None
    return next((name for lowest, name in _BANDS if normalized >= lowest), "informational")
