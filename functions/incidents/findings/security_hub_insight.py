"""Read the results of a Security Hub insight, which a person sent with a custom action.

"EventBridge event formats" in the Security Hub user guide describes the fields. An insight counts findings by one
attribute. A result is a value of this attribute and the number of findings with this value. The event has no dates
except its own time, and names only the account of the person who sent it.
"""

from .dates import choose_dates
from .finding import Report, build_finding, composed_key
from .kinds import kind_of
from .nodes import Node
from .security_hub import SOURCE

INSIGHT_RESULTS = "Security Hub Insight Results"

_OF_ASSETS = ("ResourceId",)  # the values of these attributes are ids of assets


def read(event: Node) -> list[Report]:
    """Return the event's one finding. Raises MalformedEvent."""
    detail = event.at("detail").needed_object()
    name, insight = detail.at("insightName").needed_text(), detail.at("insightArn").needed_text()
    account_id, attribute = event.at("account").needed_account_id(), detail.at("resultType").text()
    action = detail.at("actionName").text()
    results = [
        (text, number)
        for result in detail.at("insightResults").each()
        if isinstance(result.value, dict)
        for value, count in result.value.items()
        if (text := Node(value).text()) and (number := Node(count).number()) is not None
    ]
    return [
        build_finding(
            choose_dates(event.at("time"), occurred=[], detected=[], last_seen=[]),
            source=SOURCE,
            account_id=account_id,
            key=composed_key(SOURCE, "insight", account_id, insight),
            title=f"Insight of Security Hub: {name}",
            description="\n".join([
                *([f"The findings by {attribute}:"] if attribute else []),
                *(f"{value}: {number:g}" for value, number in results),
            ]) or None,
            category=None,
            severity=None,
            asset_ids=[value for value, _ in results] if attribute in _OF_ASSETS else [],
            alert_ids=[insight],
            tags=[action and f"custom-action:{action}"],
            by_hand=True,
            kind=kind_of(SOURCE, "unknown", []),
            names=[INSIGHT_RESULTS],
        )
    ]  # fmt: skip
