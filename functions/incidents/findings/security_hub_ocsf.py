"""Read findings of the second version of Security Hub, in the format OCSF.

"OCSF findings" in the Security Hub user guide describes the fields. The severity ids are OCSF's: 6 fatal, 5 critical,
4 high, 3 medium, 2 low, 1 informational. Fatal becomes critical. The class of a finding is a class of OCSF.
"""

from . import assets, health, security_hub
from .dates import choose_dates
from .finding import Finding, Report, Skipped, SkipReason, build_finding, each, severity_named
from .nodes import EventRefused, MalformedEvent, Node
from .security_hub import HubFinding

_CLASSES: dict[float, str] = {
    2002: "vulnerability", 2003: "compliance", 2004: "detection", 2005: "detection", 2006: "data_security",
    2007: "compliance",
}  # fmt: skip
_SEVERITIES = {6: "critical", 5: "critical", 4: "high", 3: "medium", 2: "low", 1: "informational"}
_OF_STATUS_ID: dict[float | None, SkipReason] = {2: "in_progress", 3: "suppressed", 4: "resolved", 5: "archived"}
_OF_STATUS: dict[str, SkipReason] = {
    "in progress": "in_progress", "suppressed": "suppressed", "resolved": "resolved", "archived": "archived",
}  # fmt: skip
_OF_CHECK: dict[str, SkipReason] = {
    "pass": "passed", "passed": "passed", "warning": "warning", "manual": "not_available", "unknown": "not_available",
    "not_available": "not_available",
}  # fmt: skip
_CHECK_STATUS_IDS: dict[float | None, SkipReason] = {0: "not_available", 1: "passed", 2: "warning"}
_FAILS = ("fail", "failed")
_CLOSE = 3  # the activity_id of a finding that was closed


def read(event: Node) -> list[Report]:
    """Return one report for each finding of the event. Raises MalformedEvent if no finding can be read."""
    return each(event.at("detail.findings").needed_items(), lambda item: _read(event, item))


def _read(event: Node, item: Node) -> Finding | Skipped:
    product_arn, named = item.at("metadata.product.uid").needed_text(), item.at("metadata.product")
    product = security_hub.product(product_arn, named.at("vendor_name").text(), named.at("name").text())
    if item.at("class_uid").number() is None:
        raise MalformedEvent(f"{item.path}.class_uid must be a number")
    info = item.at("finding_info").needed_object()
    reason = _why_not(item, product, info.at("title").text() or "")
    if reason is None:
        return _finding(event, item, product_arn, product)
    return Skipped(reason, product.source, _solved(event, item, product_arn, product, reason))


def _finding(event: Node, item: Node, product_arn: str, product: security_hub.Product) -> Finding:
    info = item.at("finding_info").needed_object()
    title = info.at("title").title()
    report = _report(item, info, product_arn, product, title)
    its_kind = security_hub.kind(report)
    if product == security_hub.Product(health.SOURCE, is_aws=True):
        return health.read_ocsf(event, item, report.account_id, report.types)
    place = assets.place_of(report.finding_id, item.at("cloud.region").text(), report.account_id)
    place = place._replace(partition=item.at("cloud.cloud_partition").text() or place.partition)
    sequence = [
        signal.at("uid").text()
        for signal in info.at("related_events").each()
        if (signal.at("type").text() or "FINDING").upper() == "FINDING"
    ]
    return build_finding(
        choose_dates(
            event.at("time"),
            occurred=_both_forms(info, "first_seen_time") if its_kind == "detection" else [],
            detected=_both_forms(info, "created_time"),
            last_seen=[*_both_forms(info, "last_seen_time"), *_both_forms(info, "modified_time")],
        ),
        source=product.source,
        account_id=report.account_id,
        key=security_hub.key(report, its_kind),
        former_keys=security_hub.former_keys(report, its_kind),
        related_keys=sequence,
        title=title,
        description=info.at("desc").text(),
        category=security_hub.category(report, its_kind),
        severity=_severity(item),
        asset_ids=[asset for resource in item.at("resources").each() for asset in assets.of_ocsf(resource, place)],
        alert_ids=[report.finding_id, *sequence],
        tags=[security_hub.tag(report, its_kind)],
        grouped=security_hub.is_grouped(report),
        kind=its_kind,
        finding_class=report.finding_class,
        names=security_hub.names_for_policy(report),
        exploited=any(weakness.at("is_exploit_available").is_true() for weakness in item.at("vulnerabilities").each()),
    )


def _solved(
    event: Node, item: Node, product_arn: str, product: security_hub.Product, reason: SkipReason
) -> Finding | None:
    """Return the finding if its check passed or if somebody resolved it in the hub. Otherwise, return None."""
    if reason not in ("passed", "resolved"):
        return None
    try:
        finding = _finding(event, item, product_arn, product)
    except EventRefused:
        return None
    return finding if finding.kind == "posture" else None


def _report(item: Node, info: Node, product_arn: str, product: security_hub.Product, title: str) -> HubFinding:
    finding_id, resources = info.at("uid").needed_text(), item.at("resources").each()
    types = [text for name in info.at("types").each() if (text := name.text())]
    vulnerabilities = [known.at("cve.uid").text() for known in item.at("vulnerabilities").each()]
    mentioned = security_hub.cves(*vulnerabilities, title, finding_id, *types)
    finding_class = _CLASSES.get(item.at("class_uid").number() or 0, "unknown")
    if _check_status(item) is not None:
        finding_class = "compliance"
    elif finding_class in ("detection", "unknown") and vulnerabilities:
        finding_class = "vulnerability"
    buckets = [
        resource.at("uid").text()
        for resource in resources
        if resource.at("type").text() in ("AWS::S3::Bucket", "AwsS3Bucket")
    ]
    return HubFinding(
        product=product,
        product_arn=product_arn.replace(":productv2/", ":product/"),
        account_id=item.at("cloud.account.uid").needed_account_id(),
        finding_id=finding_id,
        finding_class=finding_class,
        types=types,
        control=item.at("compliance.control").text() if finding_class == "compliance" else None,
        resource=next((resource.at("uid").text() for resource in resources), None),
        bucket=next(iter(buckets), None),
        cves=mentioned,
    )


def _check_status(item: Node) -> str | None:
    """Return the result of a check in lower case: the status of its ``compliance``, or its ``status_code``.

    A report that is no check can also have a ``status_code``, in the words of its product.
    """
    status = (item.at("compliance.status").text() or "").lower()
    is_check = _CLASSES.get(item.at("class_uid").number() or 0) == "compliance" or item.at("compliance").value
    code = (item.at("status_code").text() or "").lower() if is_check else ""
    return next((word for word in (status, code) if word in _OF_CHECK or word in _FAILS), None)


def _both_forms(info: Node, name: str) -> list[Node]:
    """Return a date's two nodes: the date as text, and the date in milliseconds since 1970."""
    return [info.at(f"{name}_dt"), info.at(name)]


def _why_not(item: Node, product: security_hub.Product, title: str) -> SkipReason | None:
    status = item.at("status").text() or ""
    reason = _OF_STATUS_ID.get(item.at("status_id").number()) or _OF_STATUS.get(status.lower())
    if reason == "archived":
        return reason
    if security_hub.is_sample(product, title, _sample_flags(item), [title, *_uids(item)]):
        return "sample"
    of_check = _OF_CHECK.get(_check_status(item) or "") or _CHECK_STATUS_IDS.get(
        item.at("compliance.status_id").number()
    )
    if of_check == "passed":
        return of_check
    if reason := reason or of_check:
        return reason
    return "resolved" if item.at("activity_id").number() == _CLOSE else None


def _sample_flags(item: Node) -> list[Node]:
    unmapped = item.at("unmapped").value
    fields = unmapped.items() if isinstance(unmapped, dict) else ()
    flags = [Node(value) for name, value in fields if isinstance(name, str) and name.lower().endswith("sample")]
    return [*flags, item.at("unmapped.additionalInfo.sample"), item.at("vendor_attributes.sample")]


def _uids(item: Node) -> list[str | None]:
    return [resource.at("uid").text() for resource in item.at("resources").each()]


def _severity(item: Node) -> str | None:
    number = item.at("severity_id").number()
    if number is not None and number in _SEVERITIES:
        return _SEVERITIES[int(number)]
    word = item.at("severity").text()
    return "critical" if word and word.lower() == "fatal" else severity_named(word)
