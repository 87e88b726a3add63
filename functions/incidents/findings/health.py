"""Read AWS Health events, including abuse reports, directly or through Security Hub.

The EventBridge schema in the AWS Health user guide describes the fields of the event. Its mapping to ASFF is in the
Security Hub user guide ("Interpreting AWS Health finding names"): the title, the type and the severity of the hub say
less than the event. So title, category and severity come from the event's description and code, which arrive both
directly and through the hub.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from . import assets
from .dates import Dates, choose_dates
from .finding import Finding, Report, Skipped, build_finding, composed_key
from .kinds import kind_of
from .nodes import Node

SOURCE = "aws.health"
ABUSE_EVENT = "AWS Health Abuse Event"

_SEVERITIES = {"detection": "high", "exposure": "high", "alarm": "medium", "notice": "low"}
_PLANNED = re.compile(r"MAINTENANCE|SCHEDULED|RETIREMENT|END_OF_SUPPORT|LIFECYCLE|UPDATE")
_CREDENTIALS_EXPOSED = "AWS_RISK_CREDENTIALS_EXPOSED"
_OPERATIONAL_ISSUE = "_OPERATIONAL_ISSUE"
_PAGE = re.compile(r"[1-9][0-9]{0,3}")
_HUBS_WORD = "AWS Health - "  # the hub's title is this text and the event's code
_END_OF_SENTENCE = re.compile(r"[.!?:;](?=\s)|\n")
_WORDS = 200  # the most characters of the description in a title


def read(event: Node) -> list[Report]:
    """Return the event's one finding, or the reason to skip the event. Raises MalformedEvent.

    One event can have several pages. The pages have the same key and the same ``seen_at``, but different entities and
    a different ``page``.
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
    entities = [entity.at("entityValue").text() for entity in detail.at("affectedEntities").each()]
    dates = choose_dates(
        event.at("time"), occurred=[detail.at("startTime")], detected=[], last_seen=[detail.at("lastUpdatedTime")]
    )
    is_public = detail.at("eventScopeCode").text() == "PUBLIC"
    category = "abuse" if event.at("detail-type").text() == ABUSE_EVENT else detail.at("eventTypeCategory").text()
    return [
        _finding(
            dates, code, arn, account_id, entities, _description(detail), category or "unknown",
            is_public=is_public, page=_page(detail.at("page").value),
        )
    ]  # fmt: skip


def read_asff(event: Node, item: Node, account_id: str, sent_by_hand: bool) -> Finding:
    """Return the finding of a Health event that came through Security Hub in the format ASFF.

    ``CreatedAt`` is the event's start, and ``UpdatedAt`` is the time of the event.
    """
    arn, former = _arn_of(item.at("Id").needed_text()), item.at("Id").needed_text()
    dates = choose_dates(
        event.at("time"),
        occurred=[item.at("CreatedAt")],
        detected=[item.at("UpdatedAt")],
        last_seen=[item.at("UpdatedAt"), *([event.at("time")] if sent_by_hand else [])],
    )
    title = item.at("Title").text() or ""
    code = item.at("GeneratorId").text() or title.removeprefix(_HUBS_WORD)
    entities = [resource.at("Id").text() for resource in item.at("Resources").each()]
    action = event.at("detail.actionName").text() if sent_by_hand else None
    return _finding(
        dates, code, arn, account_id, entities, item.at("Description").text(), "unknown",
        former=former, by_hand=sent_by_hand, action=action,
    )  # fmt: skip


def read_ocsf(event: Node, item: Node, account_id: str, types: Sequence[str]) -> Finding:
    """Return the finding of a Health event that came through the second version of Security Hub."""
    info = item.at("finding_info")
    arn, former = _arn_of(info.at("uid").needed_text()), info.at("uid").needed_text()
    dates = choose_dates(
        event.at("time"),
        occurred=[info.at("created_time_dt"), info.at("created_time")],
        detected=[info.at("modified_time_dt"), info.at("modified_time")],
        last_seen=[info.at("modified_time_dt"), info.at("modified_time")],
    )
    title = (info.at("title").text() or "").removeprefix(_HUBS_WORD)
    code = info.at("analytic.uid").text() or next((name for name in types if name.startswith("AWS_")), title)
    entities = [resource.at("uid").text() for resource in item.at("resources").each()]
    return _finding(
        dates, code, arn, account_id, entities, info.at("desc").text(), "unknown", former=former
    )  # fmt: skip


def _finding(
    dates: Dates,
    code: str,
    arn: str,
    account_id: str,
    entities: Iterable[str | None],
    description: str | None,
    event_category: str,
    *,
    is_public: bool = False,
    page: int = 1,
    former: str | None = None,
    by_hand: bool = False,
    action: str | None = None,
) -> Finding:
    """Build the finding of a Health event from its code and its ARN, which arrive both directly and through a hub.

    An operational issue of AWS becomes one incident of the tenant, with all accounts that it affects. Every other
    public event does too, but only if it arrives directly, because the hub does not say which events are public.
    """
    parts = arn.split(":", 5)
    region, service = (parts[3] if len(parts) > 3 else ""), next(iter(arn.split("/")[1:]), "")
    kind = kind_of(SOURCE, event_category, [code])
    is_public = is_public or code.endswith(_OPERATIONAL_ISSUE)
    by_account = composed_key(SOURCE, arn, account_id)
    key = composed_key(SOURCE, arn) if is_public else by_account
    former_keys = [former_key for former_key in (by_account, former) if former_key and former_key != key]
    place = assets.place_of(arn, region, account_id)
    severity = "informational" if kind == "notice" and _PLANNED.search(code) else _SEVERITIES[kind]
    return build_finding(
        dates,
        source=SOURCE,
        account_id=account_id,
        key=key,
        former_keys=former_keys,
        title=_title(code, description, service, region),
        description=description,
        category=_category(code, kind),
        severity=severity,
        asset_ids=[assets.one_form(entity, place) for entity in entities],
        alert_ids=[arn],
        tags=[code, action and f"custom-action:{action}"],
        page=page,
        grouped=is_public,
        by_hand=by_hand,
        kind=kind,
        finding_class=event_category,
        names=[code],
    )


def _arn_of(finding_id: str) -> str:
    """Return the ARN of the event from the finding's id. The hub makes this id from the ARN, the account and a hash."""
    parts = finding_id.split(":", 5)
    if len(parts) < 6 or parts[2] != "health":
        return finding_id
    parts[4] = ""
    return ":".join([*parts[:5], "/".join(parts[5].split("/")[:4])])


def _title(code: str, description: str | None, service: str, region: str) -> str:
    """Return the event's first sentence with its service and region, or its code in words if it has no description."""
    text = (description or "").strip()
    end = _END_OF_SENTENCE.search(text)
    words = (text[: end.start()] if end else text.rstrip("."))[:_WORDS].strip()
    if not words:
        words = code.removeprefix("AWS_").removeprefix(f"{service}_").replace("_", " ").capitalize()
    where = ", ".join(part for part in (service, region) if part)
    return f"{words} ({where})" if where else words


def _description(detail: Node) -> str | None:
    """Return the English description, or the first description if there is no English one."""
    descriptions = detail.at("eventDescription").each()
    descriptions.sort(key=lambda description: not (description.at("language").text() or "").startswith("en"))
    return next((text for description in descriptions if (text := description.at("latestDescription").text())), None)


def _category(code: str, kind: str) -> str | None:
    if code == _CREDENTIALS_EXPOSED:
        return "unauthorized_access"
    if kind == "exposure":
        return "misconfiguration"
    if kind == "detection":
        return "denial_of_service" if "_DOS_" in code or "DDOS" in code else "policy_violation"
    return "third_party" if kind == "alarm" else None


def _page(value: Any) -> int:
    """Return the page number, which AWS Health writes as text. Return 1 if there is no valid page number."""
    return int(value) if isinstance(value, str | int) and _PAGE.fullmatch(str(value)) else 1
