"""Read two kinds of CloudTrail events: a sign-in of the root user, and a call that switches off logging or detection.

"CloudTrail record contents" and "AWS Management Console sign-in events" in the CloudTrail user guide describe the
fields. The list of calls follows the technique T1562.008 of MITRE ATT&CK (Disable or Modify Cloud Logs). It has only
the calls that end or interrupt logging or detection. A call that only changes a setting is not in the list.
"""

from .assets import one_form, place_of
from .categories import category_of
from .dates import choose_dates
from .finding import Report, Skipped, build_finding, composed_key
from .kinds import kind_of
from .nodes import Node

SOURCE = "aws.cloudtrail"
SIGN_IN = "AWS Console Sign In via CloudTrail"
CALL = "AWS API Call via CloudTrail"
CONSOLE_LOGIN = "ConsoleLogin"

_MFA: dict[str | None, str] = {"Yes": " with MFA", "No": " without MFA"}

SWITCHES_OFF: dict[str, tuple[str, ...]] = {
    "access-analyzer.amazonaws.com": ("DeleteAnalyzer",),
    "cloudtrail.amazonaws.com": ("DeleteEventDataStore", "DeleteTrail", "StopEventDataStoreIngestion", "StopLogging"),
    "config.amazonaws.com": ("DeleteConfigurationRecorder", "DeleteDeliveryChannel", "StopConfigurationRecorder"),
    "ec2.amazonaws.com": ("DeleteFlowLogs",),
    "guardduty.amazonaws.com": (
        "DeleteDetector", "DeleteMembers", "DisassociateFromAdministratorAccount", "DisassociateFromMasterAccount",
        "DisassociateMembers", "StopMonitoringMembers",
    ),
    "inspector2.amazonaws.com": ("Disable",),
    "macie2.amazonaws.com": ("DisableMacie", "DisassociateFromAdministratorAccount", "DisassociateMember"),
    "securityhub.amazonaws.com": (
        "DisableSecurityHub", "DisableSecurityHubV2", "DisassociateFromAdministratorAccount", "DisassociateMembers",
    ),
}  # fmt: skip
"""The calls that switch off logging or detection, by the service that gets the call."""


def read(event: Node) -> list[Report]:
    """Return the event's one finding, or the reason to skip the event. Raises MalformedEvent."""
    detail = event.at("detail").needed_object()
    name, service = detail.at("eventName").needed_text(), detail.at("eventSource").text() or ""
    who = detail.at("userIdentity")
    is_sign_in = event.at("detail-type").text() == SIGN_IN
    is_root = name == CONSOLE_LOGIN and who.at("type").text() == "Root"
    if not (is_root if is_sign_in else name in SWITCHES_OFF.get(service, ())):
        return [Skipped("not_watched", SOURCE)]
    if any(detail.at(name).text() for name in ("errorCode", "errorMessage")) or _is_failure(detail):
        return [Skipped("failed", SOURCE)]
    recipient = detail.at("recipientAccountId")
    account_id = (recipient if recipient.value is not None else event.at("account")).needed_account_id()
    arn = who.at("sessionContext.sessionIssuer.arn").text() or who.at("arn").text()
    place = place_of(arn, detail.at("awsRegion").text() or event.at("region").text(), account_id)
    mfa = detail.at("additionalEventData.MFAUsed").text()
    asked = detail.at("requestParameters").value
    named = [one_form(Node(value).text(), place) for value in asked.values()] if isinstance(asked, dict) else []
    kind = kind_of(SOURCE, "unknown", [name])
    caller = who.at("userName").text() or arn or who.at("invokedBy").text() or "Somebody"
    return [
        build_finding(
            choose_dates(event.at("time"), occurred=[detail.at("eventTime")], detected=[], last_seen=[]),
            source=SOURCE,
            account_id=account_id,
            key=composed_key(SOURCE, account_id, *([] if is_sign_in else [place.region, service]), name),
            title=f"The root user of account {account_id} signed in{_MFA.get(mfa, '')}"
            if is_sign_in
            else f"{caller} called {name} of {service.removesuffix('.amazonaws.com')}",
            description=_description(detail),
            category=category_of(kind, []),
            severity="medium" if is_sign_in and mfa == "Yes" else "high",
            asset_ids=[arn, *(resource.at("ARN").text() for resource in detail.at("resources").each()), *named],
            alert_ids=[detail.at("eventID").text() or event.at("id").text()],
            tags=[name],
            grouped=True,
            kind=kind,
            names=[name],
        )
    ]


def _is_failure(detail: Node) -> bool:
    return detail.at("responseElements.ConsoleLogin").text() == "Failure"


def _description(detail: Node) -> str | None:
    """Return a text with the caller's address and user agent, or None if the event has neither."""
    address, agent = detail.at("sourceIPAddress").text(), detail.at("userAgent").text()
    parts = [f"From {address}." if address else "", f"User agent: {agent}." if agent else ""]
    return " ".join(part for part in parts if part) or None
