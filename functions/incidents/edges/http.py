"""The HTTP edge. It turns an API Gateway event into a request, and a result or an error into an answer.

``operation`` wraps every operation. It turns claims into an identity, checks the scope, writes the one log line, and
turns errors into problem documents. There is no router, because each function has one route.

The docstring of a handler's module begins with ``METHOD /path: ``. The OpenAPI document takes the route from this text.
"""

import os
import time
from collections.abc import Callable, Mapping
from functools import wraps
from math import inf
from traceback import extract_tb
from typing import Any, Protocol

from ..domain.errors import IncidentError, NotAuthenticated, NotPermitted
from ..domain.identity import ClaimNames, Identity, claim_names, from_claims
from ..domain.model import INCIDENT_ID
from ..runtime import deadline, start
from ..runtime.log import logger
from ..storage import dynamodb, guard
from . import responses
from .request import Request
from .responses import Response

Operate = Callable[[Request], Response]


class Handler(Protocol):
    """A function that Lambda calls, with the scope that its callers need."""

    scope: str

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]: ...


def operation(*, scope: str, has_parameters: bool = False) -> Callable[[Operate], Handler]:
    """Make a Lambda handler from an operation for callers with ``scope``. The handler never raises.

    An operation that ``has_parameters`` checks the parameters of the query string itself. Any other operation refuses
    all parameters.
    """
    start.prepare(dynamodb.warm_up)

    def decorate(operate: Operate) -> Handler:
        @wraps(operate)
        def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
            started = time.perf_counter()
            gateway = event.get("requestContext", {})
            request_id = gateway.get("requestId") or context.aws_request_id
            line: dict[str, Any] = {"operation": operate.__module__, "request_id": request_id}
            try:
                identity = _identity(gateway)
                line |= {"tenant_id": identity.tenant_id, **_incident_named(event)}
                if scope not in identity.scopes:
                    raise NotPermitted(f"The token must have the scope {scope}.")
                request = Request(event, identity)
                if not has_parameters:
                    request.refuse_parameters()
                with guard.serving_tenant(identity.tenant_id), deadline.within(_seconds_left(context)):
                    response = operate(request)
            except IncidentError as error:
                response = responses.problem(error, request_id)
                line["error"] = type(error).__name__
            except Exception as error:  # a defect: the caller gets 500, and the log gets the details
                response = responses.unforeseen(request_id)
                line["error"] = type(error).__qualname__
                # Log the frames without the exception's text, which may quote the caller's data.
                line["frames"] = [
                    f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)
                ]
            line |= {"status": response.status, "duration_ms": round((time.perf_counter() - started) * 1000, 1)}
            if response.incident_id:
                line["incident_id"] = response.incident_id
            (logger.error if response.status >= 500 else logger.info)("request", extra=line)
            return {
                "statusCode": response.status,
                "headers": dict(response.headers),
                "body": response.body,
                "isBase64Encoded": False,
            }

        handler.scope = scope  # type: ignore[attr-defined]
        return handler  # type: ignore[return-value]

    return decorate


def _seconds_left(context: Any) -> float:
    # A local caller's context may lack this method, which Lambda's context has.
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return inf if remaining is None else remaining() / 1000


def _incident_named(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the path's incident id for the log. A text without the form of an incident id must not be logged."""
    incident_id = (event.get("pathParameters") or {}).get("incident_id", "")
    return {"incident_id": incident_id} if INCIDENT_ID.fullmatch(incident_id) else {}


def _identity(gateway: Mapping[str, Any]) -> Identity:
    """Return the caller's identity. Raises NotAuthenticated or NotPermitted.

    The gateway has verified the token. The claims are checked again, because a route can lose its authorizer.
    """
    try:
        claims = gateway["authorizer"]["jwt"]["claims"]
    except (KeyError, TypeError):
        claims = None
    if not isinstance(claims, dict):
        raise NotAuthenticated("Send a token as Authorization: Bearer <JWT>.")
    return from_claims(claims, time.time(), _issuer(), _claim_names())


def _issuer() -> str | None:
    """Return the trusted issuer, or None outside Lambda. Raises RuntimeError if a function in Lambda has no issuer."""
    issuer = os.environ.get("JWT_ISSUER")
    if not issuer and start.is_on_lambda():
        raise RuntimeError("JWT_ISSUER is missing, so every issuer would be trusted")
    return issuer or None


def _claim_names() -> ClaimNames:
    """Return the deployed claim names, or the default names if not deployed.

    Raises RuntimeError if a deployed function has no claim names.
    """
    names = os.environ.get("TOKEN_CLAIMS")
    if names is None:
        if start.is_on_lambda():
            raise RuntimeError("TOKEN_CLAIMS is missing: without it, the default claims would be trusted")
        return ClaimNames()
    return claim_names(names)
