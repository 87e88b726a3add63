"""Read Macie findings that come directly from Macie.

The EventBridge event schema in the Macie user guide describes the fields. The severity is Low, Medium or High; Macie
has no critical severity. Macie updates a policy finding, which keeps its id. Macie creates a new sensitive data finding
for each object and run. All sensitive data findings with the same bucket and type are one problem.
"""

from .assets import place_of
from .categories import category_of
from .dates import choose_dates
from .finding import Report, Skipped, build_finding, composed_key, severity_named
from .kinds import kind_of
from .nodes import Node

SOURCE = "aws.macie"


def read(event: Node) -> list[Report]:
    """Return the event's one finding, or the reason to skip the event. Raises MalformedEvent.

    Macie's own dates show when Macie made the finding. Only the API call in a policy finding shows when the problem
    began.
    """
    detail = event.at("detail").needed_object()
    if detail.at("archived").is_true():
        return [Skipped("archived", SOURCE)]
    if detail.at("sample").is_true():
        return [Skipped("sample", SOURCE)]
    title, finding_id = detail.at("title").title(), detail.at("id").needed_text()
    finding_type = detail.at("type").text()
    account_id = detail.at("accountId").needed_account_id()
    bucket = detail.at("resourcesAffected.s3Bucket.arn").text()
    partition = place_of(bucket, None, account_id).partition
    path = detail.at("resourcesAffected.s3Object.path").text()
    call = detail.at("policyDetails.action.apiCallDetails")
    types = [finding_type] if finding_type else []
    kind = kind_of(SOURCE, "unknown", types)
    return [
        build_finding(
            choose_dates(
                event.at("time"),
                occurred=[call.at("firstSeen")],
                detected=[detail.at("createdAt")],
                last_seen=[call.at("lastSeen"), detail.at("updatedAt")],
            ),
            source=SOURCE,
            account_id=account_id,
            key=key(account_id, finding_id, finding_type, bucket),
            title=title,
            description=detail.at("description").text(),
            category=category_of(kind, types),
            severity=severity_named(detail.at("severity.description").text()),
            asset_ids=[bucket, path and f"arn:{partition}:s3:::{path}"],
            alert_ids=[finding_id],
            tags=[finding_type],
            grouped=bool(bucket) and is_grouped(finding_type),
            kind=kind,
            names=types,
        )
    ]


def key(account_id: str, finding_id: str, finding_type: str | None, bucket: str | None) -> str:
    """Return a finding's canonical key.

    The key contains the bucket and the type of a sensitive data finding, or the id of any other finding.
    """
    if bucket and finding_type and is_grouped(finding_type):
        return composed_key(SOURCE, account_id, bucket, finding_type)
    return composed_key(SOURCE, account_id, finding_id)


def is_grouped(finding_type: str | None) -> bool:
    """Return whether several findings of this type, each with its own id, can report one problem."""
    return (finding_type or "").startswith("SensitiveData:")
