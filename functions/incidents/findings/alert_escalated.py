"""Read this service's own event ``Alert Escalated``, version 1, from any producer on the custom bus.

This module refuses exactly the events that the schema ``alert_escalated.v1.json`` refuses. It drops a date that cannot
be read, cuts a value that is too long, and ignores members that version 1 does not define. A blank text counts as
absent, and a blank title as no title.
"""

from ..domain import model
from ..domain.model import TENANT_ID
from .dates import choose_dates
from .finding import Report, build_finding, composed_key, cut_bytes
from .kinds import kind_of
from .nodes import MalformedEvent, Node

SCHEMA_VERSION = 1

_OPTIONAL_TEXTS = ("description", "category", "dedup_key", "url")


def read(event: Node) -> list[Report]:
    """Return the one finding of the event. Raises MalformedEvent if the schema refuses the event.

    The finding's tenant is only the producer's claim. The intake decides whether the producer may name this tenant.
    """
    detail = event.at("detail").needed_object()
    version = detail.at("schema_version")
    if version.number() != SCHEMA_VERSION:
        raise MalformedEvent(f"{version.path} must be {SCHEMA_VERSION}")
    title = _checked_text(detail.at("title")) or ""
    severity, tenant_id = detail.at("severity").value, detail.at("tenant_id").value
    if severity not in model.SEVERITIES:
        raise MalformedEvent(f"detail.severity must be one of {', '.join(model.SEVERITIES)}")
    texts = {
        name: None if detail.at(name).value is None else _checked_text(detail.at(name)) for name in _OPTIONAL_TEXTS
    }
    account_ids, asset_ids, alert_ids = (_id_list(detail.at(f"{kind}_ids")) for kind in ("account", "asset", "alert"))
    producer, account_id = event.at("source").exact_text(), event.at("account").needed_account_id()
    if not model.EVENT_SOURCE.fullmatch(producer):
        raise MalformedEvent(f"source must be {model.EVENT_SOURCE_RULE}")
    if tenant_id is not None and not (isinstance(tenant_id, str) and TENANT_ID.fullmatch(tenant_id)):
        raise MalformedEvent(f"detail.tenant_id must match {TENANT_ID.pattern}")
    problem = _problem(texts["dedup_key"], alert_ids)
    return [
        build_finding(
            choose_dates(
                event.at("time"),
                occurred=[detail.at("occurred_at")],
                detected=[detail.at("detected_at")],
                last_seen=[detail.at("updated_at")],
            ),
            source=producer,
            account_id=account_id,
            tenant_id=tenant_id,
            producer=producer,
            key=composed_key(producer, account_id, *problem),
            former_keys=[composed_key(producer, *problem)],  # release 0.1.0 left out the account
            title=title,
            description=_with_link(texts["description"], texts["url"]),
            category=texts["category"],
            severity=severity,
            account_ids=account_ids,
            asset_ids=asset_ids,
            alert_ids=alert_ids,
            grouped=bool(texts["dedup_key"]),
            kind=kind_of(producer, "escalated", []),
            finding_class="escalated",
        )
    ]


def _problem(dedup_key: str | None, alert_ids: list[str]) -> list[str]:
    """Return what identifies the producer's problem: its dedup_key or, without a dedup_key, the set of alert ids."""
    if dedup_key:
        return [dedup_key]
    if not alert_ids:
        raise MalformedEvent("detail must have a dedup_key or alert_ids")
    return ["alert_ids", *sorted(set(alert_ids))]


def _checked_text(node: Node) -> str | None:
    """Return a text, or None if it is blank. Raises MalformedEvent for another type."""
    if not isinstance(node.value, str):
        raise MalformedEvent(f"{node.path} must be a text")
    return node.text()


def _id_list(node: Node) -> list[str]:
    if node.value is not None and not isinstance(node.value, list):
        raise MalformedEvent(f"{node.path} must be a list")
    return [text for item in node.each() if (text := _checked_text(item))]


def _with_link(description: str | None, url: str | None) -> str | None:
    """Return the description with the link as the last paragraph. The description is cut if necessary."""
    if not (description and url):
        return description or url
    link = f"\n\n{cut_bytes(url, model.TEXT_BYTES // 4)}"
    return cut_bytes(description, model.TEXT_BYTES - len(link.encode())) + link
