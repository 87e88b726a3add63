"""Read the events of CloudWatch alarms that enter the state ALARM.

"Alarm events and EventBridge" in the CloudWatch user guide describes the fields. An alarm has no severity. If one of
the first two words of the alarm's name is a severity, the finding gets this severity. Examples are
``critical-orders-5xx`` and ``incident-critical-orders-5xx``. Only people close incidents, so an alarm that returns to
OK is skipped. An alarm is also skipped if another alarm suppresses its actions or if a mute rule mutes them, because
people do this during maintenance.

A composite alarm with a suppressor first waits for its suppressor (``WaitPeriod``). The wait is no suppression, because
AWS does not document that CloudWatch sends another event after the wait. If CloudWatch sends one when the wait or a
suppression ends, this event has the same key. The alarm was in the state ALARM before, and its former state names what
suppressed the actions.
"""

import json
import re
from collections.abc import Mapping

from .assets import one_form, place_of
from .dates import choose_dates
from .finding import Report, Skipped, build_finding, composed_key, severity_named
from .kinds import kind_of
from .nodes import MalformedEvent, Node

SOURCE = "aws.cloudwatch"

_WAIT = "WaitPeriod"
_WORD = re.compile(r"[A-Za-z]+")


def read(event: Node) -> list[Report]:
    """Return the event's one finding, or the reason to skip the event. Raises MalformedEvent."""
    detail = event.at("detail").needed_object()
    name = detail.at("alarmName").needed_text()
    state = detail.at("state.value").text()
    if state == "OK":
        return [Skipped("ok_state", SOURCE)]
    if state == "INSUFFICIENT_DATA":
        return [Skipped("insufficient_data", SOURCE)]
    if state != "ALARM":
        raise MalformedEvent("detail.state.value must be ALARM, OK or INSUFFICIENT_DATA")
    if detail.at("state.actionsSuppressedBy").text() not in (None, _WAIT) or detail.at("muteDetail").value:
        return [Skipped("suppressed", SOURCE)]
    before = detail.at("previousState")
    if before.at("value").text() == "ALARM" and before.at("actionsSuppressedBy").text() is None:
        return [Skipped("already_in_alarm", SOURCE)]
    account_id = event.at("account").needed_account_id()
    arn = next((resource.text() for resource in event.at("resources").each()), None)
    place = place_of(arn, event.at("region").text(), account_id)
    reason, description = detail.at("state.reason").text(), detail.at("configuration.description").text()
    return [
        build_finding(
            choose_dates(
                event.at("time"),
                occurred=[_reason_data(detail).at("startDate")],
                detected=[detail.at("state.timestamp")],
                last_seen=[detail.at("state.timestamp")],
            ),
            source=SOURCE,
            account_id=account_id,
            key=arn or composed_key(SOURCE, account_id, event.at("region").text() or "", name),
            title=name,
            description="\n\n".join(text for text in (description, reason) if text) or None,
            category=None,
            severity=next((named for word in _WORD.findall(name)[:2] if (named := severity_named(word))), None),
            asset_ids=[one_form(value, place) for value in _dimensions(detail)],
            alert_ids=[arn or name],
            kind=kind_of(SOURCE, "unknown", [name]),
            names=[name],
        )
    ]


def _reason_data(detail: Node) -> Node:
    """Return the JSON value in the text ``reasonData`` as a node. The value is None if the text is not JSON."""
    node = detail.at("state.reasonData")
    try:
        return Node(json.loads(node.text() or "null"), node.path)
    except (ValueError, RecursionError):
        return Node(None, node.path)


def _dimensions(detail: Node) -> list[str | None]:
    """Return the values of all dimensions of an alarm. A composite alarm has no dimensions."""
    dimensions = [metric.at("metricStat.metric.dimensions") for metric in detail.at("configuration.metrics").each()]
    return [
        Node(value).text()
        for by_name in dimensions
        if isinstance(by_name.value, Mapping)
        for value in by_name.value.values()
    ]
