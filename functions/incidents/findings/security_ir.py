"""Read new cases of AWS Security Incident Response.

"Case events" in the AWS Security Incident Response user guide describes the fields. An event names only the id and the
creator of the case. So the incident has no severity, no category and no asset, and its title names the id. Later events
of a case add nothing to the incident, so no adapter reads them.
"""

from .dates import choose_dates
from .finding import Report, build_finding, composed_key
from .kinds import kind_of
from .nodes import Node

SOURCE = "aws.security-ir"
CASE_CREATED = "Case Created"


def read(event: Node) -> list[Report]:
    """Return the event's one finding. Raises MalformedEvent."""
    detail = event.at("detail").needed_object()
    case_id, account_id = detail.at("caseId").needed_text(), event.at("account").needed_account_id()
    creator = detail.at("createdBy").text()
    case = next((resource.text() for resource in event.at("resources").each()), None)
    opened = f"{creator} opened the case. " if creator else ""
    return [
        build_finding(
            choose_dates(event.at("time"), occurred=[], detected=[], last_seen=[]),
            source=SOURCE,
            account_id=account_id,
            key=composed_key(SOURCE, account_id, case_id),
            title=f"Case {case_id} of AWS Security Incident Response",
            description=f"{opened}The event does not describe the case. Read the case in the AWS console.",
            category=None,
            severity=None,
            asset_ids=[],
            alert_ids=[case or case_id],
            tags=[CASE_CREATED],
            kind=kind_of(SOURCE, "unknown", []),
            names=[CASE_CREATED],
        )
    ]
