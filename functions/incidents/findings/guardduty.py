"""Read GuardDuty findings that come directly from the detector.

The EventBridge examples in the GuardDuty user guide describe the fields. "Severity levels of GuardDuty findings" in the
same guide gives the bands: critical from 9.0, high from 7.0, medium from 4.0, low from 1.0. A finding that recurs keeps
its ARN.
"""

import json

from . import assets
from .categories import category_of
from .dates import choose_dates
from .finding import Report, Skipped, build_finding, composed_key
from .kinds import kind_of
from .nodes import Node

SOURCE = "aws.guardduty"

_BANDS = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (1.0, "low"))


def read(event: Node) -> list[Report]:
    """Return the event's one finding, or the reason to skip the event. Raises MalformedEvent.

    The account id comes from ``detail``, which names the member account. In an organization, the envelope names the
    administrator account instead.
    """
    detail = event.at("detail").needed_object()
    service = detail.at("service")
    if service.at("archived").is_true():
        return [Skipped("archived", SOURCE)]
    if _is_sample(service.at("additionalInfo")) or is_sample_title(detail.at("title").text() or ""):
        return [Skipped("sample", SOURCE)]
    title = detail.at("title").title()
    finding_type = detail.at("type").text()
    account_id = detail.at("accountId").needed_account_id()
    arn = detail.at("arn").text()
    resource, sequence = detail.at("resource"), service.at("detection.sequence")
    types = [finding_type] if finding_type else []
    kind = kind_of(SOURCE, "detection", types)
    place = assets.place_of(arn, detail.at("region").text(), account_id)
    place = place._replace(partition=detail.at("partition").text() or place.partition)
    signals = [
        signal.at("uid").text()
        for signal in sequence.at("signals").each()
        if signal.at("type").text() in (None, "FINDING")
    ]
    return [
        build_finding(
            choose_dates(
                event.at("time"),
                occurred=[service.at("eventFirstSeen")],
                detected=[detail.at("createdAt")],
                last_seen=[service.at("eventLastSeen"), detail.at("updatedAt")],
            ),
            source=SOURCE,
            account_id=account_id,
            key=arn
            or composed_key(SOURCE, account_id, detail.at("region").text() or "", detail.at("id").needed_text()),
            title=title,
            description=detail.at("description").text(),
            category=category_of(kind, types),
            severity=severity(detail.at("severity").number()),
            asset_ids=[
                *assets.of_guardduty(resource, place),
                *(assets.one_form(touched.at("uid").text(), place) for touched in sequence.at("resources").each()),
            ],
            alert_ids=[arn or detail.at("id").text(), *signals],
            tags=[finding_type],
            kind=kind,
            finding_class="detection",
            names=types,
            related_keys=[*signals, detail.at("associatedAttackSequenceArn").text()],
        )
    ]


def severity(value: float | None) -> str | None:
    """Return the severity for GuardDuty's severity number, or None without a number."""
    if value is None:
        return None
    return next((name for lowest, name in _BANDS if value >= lowest), "informational")


def is_sample_title(title: str) -> bool:
    """Return whether a title is marked as a generated sample."""
    return title.upper().startswith("[SAMPLE]")


def _is_sample(additional: Node) -> bool:
    """Return whether a finding is a generated sample.

    The flag ``sample`` is a member of ``additional``, or of the JSON text in ``additional.value``.
    """
    if additional.at("sample").is_true():
        return True
    try:
        return Node(json.loads(additional.at("value").text() or "null")).at("sample").is_true()
    except (ValueError, RecursionError):
        return False
