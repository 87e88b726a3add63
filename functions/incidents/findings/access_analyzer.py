"""Read findings of external access that IAM Access Analyzer sends directly.

"Monitoring IAM Access Analyzer with Amazon EventBridge" in the IAM user guide describes the fields. The analyzer makes
a finding for each pair of a resource and a principal outside the zone of trust. Here, all findings of one resource are
one problem, because one policy of the resource gives the access. Security Hub also has one finding for each resource.
"""

from .categories import category_of
from .dates import choose_dates
from .finding import Report, Skipped, SkipReason, build_finding, composed_key
from .kinds import kind_of
from .nodes import Node

SOURCE = "aws.access-analyzer"
EXTERNAL_ACCESS = "Software and Configuration Checks/AWS Security Best Practices/External Access Granted"
"""The type that Security Hub gives to a finding of external access."""

_OF_STATUS: dict[str | None, SkipReason] = {"ARCHIVED": "archived", "RESOLVED": "resolved"}


def read(event: Node) -> list[Report]:
    """Return the event's one finding, or the reason to skip the event. Raises MalformedEvent.

    The event has only the dates of the analysis. It does not show when the access was given, so ``occurred_at`` is
    unknown.
    """
    detail = event.at("detail").needed_object()
    reason = _OF_STATUS.get(detail.at("status").text())
    if detail.at("isDeleted").is_true():
        reason = "closed"
    elif detail.at("error").text():
        reason = "not_available"
    if reason:
        return [Skipped(reason, SOURCE)]
    resource, finding_id = detail.at("resource").needed_text(), detail.at("id").needed_text()
    account_id = detail.at("accountId").needed_account_id()
    is_public = detail.at("isPublic").is_true()
    principals = _members(detail.at("principal"))
    whom = "everybody" if is_public else ", ".join(principals) or "a principal outside"
    kind = kind_of(SOURCE, "unknown", [EXTERNAL_ACCESS])
    return [
        build_finding(
            choose_dates(
                event.at("time"),
                occurred=[],
                detected=[detail.at("createdAt")],
                last_seen=[detail.at("updatedAt"), detail.at("analyzedAt")],
            ),
            source=SOURCE,
            account_id=account_id,
            key=key(account_id, resource),
            title=f"External access to {resource} for {whom}",
            description=_description(detail),
            category=category_of(kind, [EXTERNAL_ACCESS]),
            severity=severity(is_public=is_public),
            asset_ids=[resource],
            alert_ids=[finding_id],
            tags=[EXTERNAL_ACCESS],
            grouped=True,
            kind=kind,
            names=[EXTERNAL_ACCESS],
        )
    ]


def key(account_id: str, resource: str) -> str:
    """Return the canonical key of the external access to a resource."""
    return composed_key(SOURCE, "external access", account_id, resource)


def severity(*, is_public: bool) -> str:
    """Return the severity of external access.

    The analyzer gives no severity, and Security Hub rates all external access as low.
    """
    return "high" if is_public else "medium"


def _members(node: Node) -> list[str]:
    """Return the texts in an object, such as ``{"AWS": "111122223333"}``."""
    members = node.value if isinstance(node.value, dict) else {}
    return [text for value in members.values() if (text := Node(value).text())]


def _description(detail: Node) -> str | None:
    """Return the actions and the conditions of the access, or None."""
    actions = [text for action in detail.at("action").each() if (text := action.text())]
    conditions = detail.at("condition").value
    limits = [
        f"{named} is {text}"
        for name, value in (conditions.items() if isinstance(conditions, dict) else ())
        if (named := Node(name).text()) and (text := Node(value).text())
    ]
    parts = [
        f"Actions: {', '.join(actions)}." if actions else "",
        f"Conditions: {'; '.join(limits)}." if limits else "",
    ]
    return " ".join(part for part in parts if part) or None
