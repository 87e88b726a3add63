"""Makes API Gateway events (payload 2.0), in the form that a gateway with a JWT authorizer sends."""

import base64
import json
import time
from typing import Any
from urllib.parse import urlencode

SCOPES = "incidents:read incidents:write"
ISSUER = "https://issuer.example"


class Context:
    """The part of Lambda's context object that the functions read."""

    aws_request_id = "lambda-request-1"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 15_000


def claims(tenant: str = "acme", **changed: str | None) -> dict[str, str]:
    """Return claims as an HTTP API passes them: every value is text.

    A claim that is set to None is left out.
    """
    usual: dict[str, str | None] = {
        "tenant_id": tenant,
        "sub": "ada",
        "scope": SCOPES,
        # The expiry is later than the end of any test run, because some claims are made at import.
        "exp": str(int(time.time()) + 86_400),
        "iss": ISSUER,
    }
    return {name: value for name, value in (usual | changed).items() if value is not None}


def http_event(
    *,
    body: str | bytes | None = None,
    content_type: str | None = "application/json",
    path: dict[str, str] | None = None,
    query: str = "",
    caller: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    event: dict[str, Any] = {
        "version": "2.0",
        "headers": ({} if content_type is None else {"content-type": content_type}) | (headers or {}),
        "rawQueryString": query,
        "requestContext": {
            "requestId": "gateway-request-1",
            "authorizer": {"jwt": {"claims": claims() if caller is None else caller, "scopes": SCOPES.split()}},
        },
        "isBase64Encoded": isinstance(body, bytes),
    }
    if path is not None:
        event["pathParameters"] = path
    if isinstance(body, bytes):
        event["body"] = base64.b64encode(body).decode()
    elif body is not None:
        event["body"] = body
    return event


def create_event(incident: object, **more: Any) -> dict[str, Any]:
    return http_event(body=json.dumps(incident), **more)


def get_event(incident_id: str, **more: Any) -> dict[str, Any]:
    return http_event(path={"incident_id": incident_id}, content_type=None, **more)


def patch_event(incident_id: str, patch: object, **more: Any) -> dict[str, Any]:
    """Return the event of a merge patch.

    Its body is base64, because the gateway treats the media type as binary.
    """
    sent = {"body": json.dumps(patch).encode(), "content_type": "application/merge-patch+json"}
    return http_event(path={"incident_id": incident_id}, **(sent | more))


def delete_event(incident_id: str, **more: Any) -> dict[str, Any]:
    return http_event(path={"incident_id": incident_id}, content_type=None, **more)


def changes_event(incident_id: str, *, caller: dict[str, str] | None = None, **parameters: object) -> dict[str, Any]:
    return http_event(path={"incident_id": incident_id}, content_type=None, caller=caller, query=urlencode(parameters))


def deadlines_event(incident_id: str, *, caller: dict[str, str] | None = None, **parameters: object) -> dict[str, Any]:
    return changes_event(incident_id, caller=caller, **parameters)


def list_event(caller: dict[str, str] | None = None, **parameters: object) -> dict[str, Any]:
    return http_event(query=urlencode(parameters, doseq=True), content_type=None, caller=caller)


def updates_event(caller: dict[str, str] | None = None, **parameters: object) -> dict[str, Any]:
    return http_event(query=urlencode(parameters), content_type=None, caller=caller)


def board_event(caller: dict[str, str] | None = None, **parameters: object) -> dict[str, Any]:
    return http_event(caller=caller, content_type=None, query=urlencode(parameters, doseq=True))


def metrics_event(caller: dict[str, str] | None = None, **parameters: object) -> dict[str, Any]:
    return http_event(query=urlencode(parameters, doseq=True), content_type=None, caller=caller)


def record(old: Any, new: Any, number: int = 100) -> dict[str, Any]:
    """Return one record of the stream, from the item before the write and the item after it."""
    images = {"OldImage": old, "NewImage": new}
    return {"dynamodb": {"SequenceNumber": str(number), **{name: item for name, item in images.items() if item}}}


def stream_event(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the event that Lambda gets from a table's stream."""
    return {"Records": records}
