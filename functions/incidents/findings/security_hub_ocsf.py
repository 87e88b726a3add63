"""Read findings of the second version of Security Hub, in the format OCSF.

"OCSF findings" in the Security Hub user guide describes the fields. The severity ids are OCSF's: 6 fatal, 5 critical,
4 high, 3 medium, 2 low, 1 informational. Fatal becomes critical. Only class 2004 is accepted, which is a detection or
an exposure. Three classes are skipped: 2002 (vulnerability), 2003 (compliance) and 2006 (data security, which Macie
reports itself).
"""

from . import security_hub
from .dates import choose_dates
from .finding import Finding, Reason, Report, Skipped, build_finding, each, severity_named
from .nodes import MalformedEvent, Node

DETECTION_FINDING = 2004

_SEVERITIES = {6: "critical", 5: "critical", 4: "high", 3: "medium", 2: "low", 1: "informational"}
_OF_STATUS_ID: dict[float | None, Reason] = {2: "in_progress", 3: "suppressed", 4: "resolved", 5: "archived"}
_OF_STATUS: dict[str, Reason] = {
    "in progress": "in_progress", "suppressed": "suppressed", "resolved": "resolved", "archived": "archived",
}  # fmt: skip
_CLOSE = 3  # the activity_id of a finding that was closed


def read(event: Node) -> list[Report]:
    """Return one report for each finding of the event. Raises MalformedEvent if no finding can be read."""
    return each(event.at("detail.findings").needed_items(), lambda item: _read(event, item))


def _read(event: Node, item: Node) -> Finding | Skipped:
    product_arn = item.at("metadata.product.uid").needed_text()
    product = security_hub.product(product_arn)
    if (class_uid := item.at("class_uid").number()) is None:
        raise MalformedEvent(f"{item.path}.class_uid must be a number")
    if class_uid != DETECTION_FINDING:
        return Skipped("not_a_detection", product.source)
    info = item.at("finding_info").needed_object()
    if reason := _why_not(item):
        return Skipped(reason, product.source)
    title = info.at("title").needed_text()
    if security_hub.is_sample(product, title):
        return Skipped("sample", product.source)
    types = [text for name in info.at("types").each() if (text := name.text())]
    kind = security_hub.finding_type(types)
    account_id = item.at("cloud.account.uid").needed_account_id()
    finding_id = info.at("uid").needed_text()
    return build_finding(
        choose_dates(
            event.at("time"),
            occurred=_both_forms(info, "first_seen_time"),
            detected=_both_forms(info, "created_time"),
            last_seen=[*_both_forms(info, "last_seen_time"), *_both_forms(info, "modified_time")],
        ),
        source=product.source,
        account_id=account_id,
        key=security_hub.key(product, product_arn, account_id, finding_id, kind, None),
        title=title,
        description=info.at("desc").text(),
        category=security_hub.category(product, types),
        severity=_severity(item),
        asset_ids=[resource.at("uid").text() for resource in item.at("resources").each()],
        alert_ids=[finding_id],
        tags=[kind],
    )


def _both_forms(info: Node, name: str) -> list[Node]:
    """Return a date's two nodes: the date as text, and the date in milliseconds since 1970."""
    return [info.at(f"{name}_dt"), info.at(name)]


def _why_not(item: Node) -> Reason | None:
    if reason := _OF_STATUS_ID.get(item.at("status_id").number()) or _OF_STATUS.get(
        (item.at("status").text() or "").lower()
    ):
        return reason
    return "resolved" if item.at("activity_id").number() == _CLOSE else None


def _severity(item: Node) -> str | None:
    number = item.at("severity_id").number()
    if number is not None and number in _SEVERITIES:
        return _SEVERITIES[int(number)]
    word = item.at("severity").text()
    return "critical" if word and word.lower() == "fatal" else severity_named(word)
