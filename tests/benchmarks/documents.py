"""The incident of all measurements, and the requests in the form in which the gateway passes them."""

import json
from typing import Any
from uuid import uuid4

from tests.support import recorded
from tests.support.queues import sqs_event

PATH = "/api/v1/grc/incidents"
TENANT, PERSON, APP = "acme", "auth0|5f7c8ec7c33c6c004bbafe82", "soc-portal"

INCIDENT: dict[str, Any] = {
    "title": "Credentials of a build server used from an unknown network",
    "description": (
        "A key of the build server's role was used from a network that we do not know, first to list buckets and then "
        "to read the release artifacts of March. The key was on a developer's machine that had been stolen a day "
        "before. The role could read the artifacts and write logs, nothing else."
    ),
    "root_cause": "A long-lived key on a laptop without disk encryption; the offboarding list did not name it.",
    "category": "unauthorized_access",
    "severity": "high",
    "status": "investigating",
    "source": "soc-portal",
    "source_type": "backend",
    "occurred_at": "2026-03-14T08:12:45.000Z",
    "detected_at": "2026-03-14T11:42:10.000Z",
    "reported_at": "2026-03-14T12:00:00.000Z",
    "realized_risk_ids": ["RISK-0042", "RISK-0107"],
    "affected_asset_ids": ["arn:aws:s3:::release-artifacts"],
    "affected_account_ids": ["111122223333"],
    "consolidated_investigation_ids": ["INV-2026-0031"],
    "triggered_by_alert_ids": ["alert-77b1", "alert-77b2"],
    "commander_ids": ["ada"],
    "corrective_action_ids": ["CA-0093"],
    "reportable_to": ["GDPR"],
    "owner_id": "team-red",
    "tags": ["laptop", "build", "keys", "march"],
    "reported_to_regulators_at": "2026-03-15T09:30:00.000Z",
    "customer_notified_at": "2026-03-16T10:00:00.000Z",
    "financial_impact": 12500,
    "lessons_learned": "Keys of build roles live for an hour, and every list of keys is compared with the account.",
}

# The worker replaces %N% with the number of the call, so that each call changes a value.
PATCH = {
    "owner_id": "team-%N%",
    "root_cause": "A key that lived too long, as look no. %N% at the laptop's image says.",
}


def event(operation: str, incident_id: str = "", limit: int = 50) -> dict[str, Any]:
    """Return the event of a request to an operation, as a gateway with a JWT authorizer passes it (payload 2.0).

    The event of ``ingest`` is that of a queue with a new finding.
    """
    if operation == "ingest":
        arn = f"arn:aws:guardduty:us-east-1:{recorded.ACCOUNT}:detector/1/finding/{uuid4().hex}%N%"
        return sqs_event(recorded.event("guardduty", id=f"{uuid4()}-%N%", detail__arn=arn))
    method, path, body = {
        "get": ("GET", f"{PATH}/{incident_id}", None),
        "list": ("GET", PATH, None),
        "create": ("POST", PATH, json.dumps(INCIDENT)),
        "update": ("PATCH", f"{PATH}/{incident_id}", json.dumps(PATCH)),
        "changes": ("GET", f"{PATH}/{incident_id}/changes", None),
        "deadlines": ("GET", f"{PATH}/{incident_id}/deadlines", None),
        "updates": ("GET", f"{PATH}/updates", None),
    }[operation]
    route = f"{method} {PATH}" + ("/{incident_id}" if incident_id else "")
    claims = {
        "iss": "https://issuer.example/", "aud": "incidents", "sub": PERSON, "tenant_id": TENANT, "app_id": APP,
        "scope": "incidents:read incidents:write", "iat": "1774000000", "exp": "4070908800",
    }  # fmt: skip
    query = f"limit={limit}" if operation in ("list", "updates") else ""
    more: dict[str, Any] = {}
    if body is not None:
        more["body"] = body
    if incident_id:
        more["pathParameters"] = {"incident_id": incident_id}
    if query:
        more["queryStringParameters"] = {"limit": str(limit)}
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "accept": "application/json", "accept-encoding": "gzip", "authorization": f"Bearer {'x' * 700}",
            "content-type": "application/json", "host": "api.example", "user-agent": "python-httpx/0.28.1",
            "x-amzn-trace-id": "Root=1-67000000-000000000000000000000000", "x-forwarded-for": "203.0.113.9",
        },
        "requestContext": {
            "accountId": "111122223333", "apiId": "a1b2c3d4e5", "domainName": "api.example", "domainPrefix": "api",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9",
                     "userAgent": "python-httpx/0.28.1"},
            "authorizer": {"jwt": {"claims": claims, "scopes": ["incidents:read"]}},
            "requestId": "JKJaXmPLvHcESHA=", "routeKey": route, "stage": "$default",
            "time": "14/Mar/2026:12:00:00 +0000", "timeEpoch": 1773489600000,
        },
        "isBase64Encoded": False,
        **more,
    }  # fmt: skip
