"""Read AWS Health events, including abuse reports.

The EventBridge schema in the AWS Health user guide describes the fields. An event has no severity, so the finding's
severity depends on the event's category. The severity is high for an abuse report and for a risk to the account itself.
"""

import re
from typing import Any

from .dates import choose_dates
from .finding import Report, Skipped, build_finding, composed_key
from .nodes import Node

SOURCE = "aws.health"
ABUSE_EVENT = "AWS Health Abuse Event"

_SEVERITIES = {
    "issue": "medium",
    "investigation": "medium",
    "accountNotification": "low",
    "scheduledChange": "informational",
}
_CREDENTIALS_EXPOSED = "AWS_RISK_CREDENTIALS_EXPOSED"
_PAGE = re.compile(r"[1-9][0-9]{0,3}")


def read(event: Node) -> list[Report]:
    """Return the event's one finding, or the reason to skip the event. Raises MalformedEvent.

    One event can have several pages. The pages have the same key and the same ``seen_at``, but different entities and
    a different ``page``. The event's ARN is not unique, so the key also contains the affected account.
    """
    detail = event.at("detail").needed_object()
    code = detail.at("eventTypeCode").needed_text()
    if detail.at("backupEvent").is_true():
        return [Skipped("backup", SOURCE)]
    if detail.at("statusCode").text() == "closed":
        return [Skipped("closed", SOURCE)]
    account = detail.at("affectedAccount")
    account_id = (account if account.value is not None else event.at("account")).needed_account_id()
    arn = detail.at("eventArn").needed_text()
    is_abuse = event.at("detail-type").text() == ABUSE_EVENT
    category = detail.at("eventTypeCategory").text()
    is_high = is_abuse or code.startswith("AWS_RISK_")
    return [
        build_finding(
            choose_dates(
                event.at("time"),
                occurred=[detail.at("startTime")],
                detected=[],
                last_seen=[detail.at("lastUpdatedTime")],
            ),
            source=SOURCE,
            account_id=account_id,
            key=composed_key(SOURCE, arn, account_id),
            title=code,
            description=_description(detail),
            category=_category(code, category, is_abuse),
            severity="high" if is_high else _SEVERITIES.get(category or ""),
            asset_ids=[entity.at("entityValue").text() for entity in detail.at("affectedEntities").each()],
            alert_ids=[arn],
            tags=[category],
            page=_page(detail.at("page").value),
        )
    ]


def _description(detail: Node) -> str | None:
    """Return the English description, or the first description if there is no English one."""
    descriptions = detail.at("eventDescription").each()
    descriptions.sort(key=lambda description: not (description.at("language").text() or "").startswith("en"))
    return next((text for description in descriptions if (text := description.at("latestDescription").text())), None)


def _category(code: str, category: str | None, is_abuse: bool) -> str | None:
    if code == _CREDENTIALS_EXPOSED:
        return "unauthorized_access"
    if is_abuse:
        return "denial_of_service" if "_DOS_" in code else "policy_violation"
    return "third_party" if category in ("issue", "investigation") else None


def _page(value: Any) -> int:
    """Return the page number, which AWS Health writes as text. Return 1 if there is no valid page number."""
    return int(value) if isinstance(value, str | int) and _PAGE.fullmatch(str(value)) else 1
