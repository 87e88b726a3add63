"""Read the reports of an event. The source's adapter reads the event or, for a partner's event, a tenant's mapping."""

import time
from collections.abc import Callable
from typing import Any

from . import findings
from .domain import timestamps
from .findings import EventRefused, Finding, MalformedEvent, Node, Report, UnknownEvent, dates, mapping
from .storage.account_map import AccountMap


class Unmapped(EventRefused):
    """The account map has no tenant for the finding. There is no default tenant."""


def reports_of(event: Any, received: Any = None, of_partner: Callable[[Node], Report] | None = None) -> list[Report]:
    """Return the reports of an event as ``findings.read`` does.

    ``of_partner`` reads a partner's event without an adapter. An event from the future also raises MalformedEvent,
    because such an event would make all later events look old.
    """
    try:
        reports = findings.read(event, received)
    except UnknownEvent:
        if of_partner is None or not event["source"].startswith(findings.PARTNER):
            raise
        report = of_partner(Node(event))
        came = event if received is None else received
        reports = [report._replace(received=came) if isinstance(report, Finding) else report]
    sent_at = dates.parse(event.get("time"))
    latest = timestamps.from_milliseconds(time.time_ns() // 1_000_000 + dates.LATEST_MS)
    if sent_at is not None and sent_at > latest:
        raise MalformedEvent("time must not be more than 24 h after the receipt of the event")
    return reports


def mapped(event: Node, accounts: AccountMap, mappings_of: Callable[[str], Any]) -> Report:
    """Read a partner's event by the first mapping of its tenant that takes the event.

    ``mappings_of`` returns a tenant's stored mappings, or None. Raises Unmapped unless the account map gives the source
    exactly one tenant. Raises NoMapping if no mapping takes the event. Raises MalformedEvent as ``mapping.read`` does.
    """
    source, account_id = event.at("source").exact_text(), event.at("account").needed_account_id()
    tenants = accounts.tenants_of(account_id, source)
    if len(tenants) != 1:
        raise Unmapped("the source of the partner must be allowed for exactly one tenant")
    stored = mappings_of(tenants[0])
    for candidate in mapping.parse_all({} if stored is None else stored):
        if candidate.takes(source, event.at("detail-type").exact_text()):
            return mapping.read(candidate, event)
    raise NoMapping


class NoMapping(EventRefused):
    """No mapping of the tenant takes the event."""

    def __init__(self) -> None:
        super().__init__("no mapping of the tenant takes this source and detail-type")
