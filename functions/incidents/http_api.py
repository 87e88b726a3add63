"""The HTTP edge: an API Gateway event (payload 2.0) becomes a request, a result or an error becomes an answer.

Every operation passes through ``operation``: claims to identity, scope, the one log line, and errors as RFC 9457
problem documents. No router: each function has one route.
"""

import json
import os
import re
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import cached_property, wraps
from math import inf
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import parse_qsl

from . import dynamodb, errors, guard, json_text, timeouts
from .errors import (
    IncidentError,
    IncidentTooLarge,
    MalformedRequest,
    NotAuthenticated,
    NotPermitted,
    UnsupportedContent,
)
from .identity import Identity, from_claims
from .items import Created, Stored
from .keys import INCIDENT_ID
from .model import DOCUMENT_BYTES
from .observability import logger
from .queries import JsonPage
from .repository import IncidentRepository

if TYPE_CHECKING:
    from .metrics.repository import MetricRepository

PATH = "/api/v1/grc/incidents"
BODY_BYTES = 6 * DOCUMENT_BYTES  # a document whose every character is escaped as \uXXXX
PARAMETERS_MAX = 100
KEY_CHARACTERS = 255

_ENTITY_TAGS = re.compile(r'\s*(W/)?"[!#-~]*"(\s*,\s*(W/)?"[!#-~]*")*\s*')  # RFC 9110 8.8.3

STATUS_OF: dict[type[IncidentError], tuple[int, str]] = {
    errors.NotAuthenticated: (401, "Not authenticated"),
    errors.NotPermitted: (403, "Not permitted"),
    errors.NotFound: (404, "Not found"),
    errors.MalformedRequest: (400, "Malformed request"),
    errors.UnsupportedContent: (415, "Unsupported content"),
    errors.InvalidIncident: (422, "Invalid incident"),
    errors.IncidentTooLarge: (413, "Incident too large"),
    errors.NumberTaken: (409, "Number taken"),
    errors.IllegalTransition: (409, "Illegal transition"),
    errors.IncidentDeleted: (409, "Incident deleted"),
    errors.PreconditionFailed: (412, "Precondition failed"),
    errors.KeyReused: (422, "Key reused"),
    errors.Busy: (503, "Busy"),
}
_MORE_HEADERS = {401: {"www-authenticate": "Bearer"}, 503: {"retry-after": "1"}}


class Response(NamedTuple):
    """An answer before it takes the gateway's form."""

    status: int
    body: str
    headers: Mapping[str, str]
    incident_id: str | None = None


class Request:
    """One authenticated request."""

    def __init__(self, event: Mapping[str, Any], identity: Identity) -> None:
        self._event = event
        self.identity = identity

    @cached_property
    def incidents(self) -> IncidentRepository:
        """The incidents that this caller may reach."""
        return IncidentRepository(self.identity, dynamodb.client(), dynamodb.table_name())

    @cached_property
    def metrics(self) -> "MetricRepository":
        """The metrics that this caller may reach."""
        from .metrics.repository import MetricRepository  # one operation needs it, and all others start without

        return MetricRepository(self.identity, dynamodb.client(), dynamodb.table_name())

    @property
    def incident_id(self) -> str:
        """The path's ``{incident_id}``, of whatever form."""
        path: Mapping[str, str] = self._event["pathParameters"]
        return path["incident_id"]

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The query string. Read from its raw form: the gateway joins repeated parameters with commas."""
        try:
            pairs = parse_qsl(
                self._event.get("rawQueryString", ""),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=PARAMETERS_MAX,
            )
        except UnicodeDecodeError as error:
            raise MalformedRequest("The query string must be percent-encoded UTF-8.") from error
        except ValueError as error:
            raise MalformedRequest(f"The query string must hold at most {PARAMETERS_MAX} parameters.") from error
        parameters: dict[str, list[str]] = {}
        for name, value in pairs:
            parameters.setdefault(name, []).append(value)
        return parameters

    @property
    def json(self) -> Any:
        """The body's JSON value. Raises UnsupportedContent, IncidentTooLarge or MalformedRequest."""
        return self._body("application/json")

    @property
    def merge_patch(self) -> Any:
        """The body's JSON value, sent as a merge patch or as plain JSON. Raises as ``json`` does."""
        return self._body("application/merge-patch+json", "application/json")

    @property
    def idempotency_key(self) -> str | None:
        """The header Idempotency-Key. Raises MalformedRequest."""
        key = self._header("idempotency-key")
        if key is not None and not 1 <= len(key) <= KEY_CHARACTERS:
            raise MalformedRequest(f"The header Idempotency-Key must be 1 to {KEY_CHARACTERS} characters.")
        return key

    @property
    def if_match(self) -> frozenset[int] | None:
        """The versions that the header If-Match names (RFC 9110 13.1.1: weak tags match none); None for any."""
        header = self._header("if-match")
        if header is None or header.strip() == "*":
            return None
        return frozenset(version for weak, version in _versions(header) if not weak)

    def not_wanted(self, version: int) -> bool:
        """Tell whether the header If-None-Match (RFC 9110 13.1.2) says that the caller has this version already."""
        header = self._header("if-none-match") or ""
        return header.strip() == "*" or version in {version for _, version in _versions(header)}

    def _header(self, name: str) -> str | None:
        headers: Mapping[str, str] = self._event.get("headers", {})
        return headers.get(name)

    def _body(self, *media_types: str) -> Any:
        sent_as = (self._header("content-type") or "").partition(";")[0].strip().lower()
        if sent_as not in media_types:
            raise UnsupportedContent(f"The body must be sent as Content-Type: {' or '.join(media_types)}.")
        body: str = self._event.get("body") or ""
        # The gateway encodes what it does not take for text, so the flag decides, never the type.
        sent = b64decode(body) if self._event.get("isBase64Encoded") else body.encode(errors="surrogatepass")
        if len(sent) > BODY_BYTES:
            raise IncidentTooLarge(f"The body must be at most {BODY_BYTES // 1024} KiB.")
        try:
            return json_text.loads(sent.decode())
        except UnicodeDecodeError as error:
            raise MalformedRequest("The body must be UTF-8.") from error


def _versions(header: str) -> list[tuple[bool, int]]:
    """Return (is weak, version) of each of our entity tags in a list of them; a header of another form lists none."""
    if not _ENTITY_TAGS.fullmatch(header):
        return []
    return [(bool(weak), int(digits)) for weak, digits in re.findall(r'(W/)?"([1-9][0-9]{0,9})"', header)]


Operate = Callable[[Request], Response]


class Handler(Protocol):
    """What Lambda calls, with the scope that it asks for."""

    scope: str

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]: ...


def operation(*, scope: str) -> Callable[[Operate], Handler]:
    """Make a Lambda handler of an operation that callers with ``scope`` may use. It never raises."""

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
                with guard.serving_tenant(identity.tenant_id), timeouts.within(_seconds_left(context)):
                    response = operate(Request(event, identity))
            except IncidentError as error:
                response = problem(error, request_id)
                line["error"] = type(error).__name__
            except Exception as error:  # the unforeseen: a problem for the caller, the whole story for us
                response = unforeseen(request_id)
                line["error"] = type(error).__qualname__
                # Frames without the exception's text, which may quote what a caller sent.
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


def created(made: Created) -> Response:
    """201 with the incident, its place and its version; also for a repeat, which says that it is one."""
    answer = incident(made.stored)
    more = {"location": f"{PATH}/{made.stored.incident['id']}"}
    if made.replayed:
        more["idempotency-replayed"] = "true"
    return answer._replace(status=201, headers={**answer.headers, **more})


def incident(stored: Stored) -> Response:
    """200 with one incident as it now stands, and its version as a strong ETag."""
    headers = {"content-type": "application/json", "etag": f'"{stored.version}"'}
    return Response(200, json_text.dump_incident(stored.incident), headers, stored.incident["id"])


def incident_unless_known(request: Request, stored: Stored) -> Response:
    """200 with one incident, or 304 if the caller has that version."""
    answer = incident(stored)
    if request.not_wanted(stored.version):
        return answer._replace(status=304, body="", headers={"etag": answer.headers["etag"]})
    return answer


def deleted(stored: Stored) -> Response:
    """204."""
    return Response(204, "", {}, stored.incident["id"])


def page(found: JsonPage) -> Response:
    """200 with one page of a list."""
    return Response(200, json_text.dump_page(found.items, found.next_cursor), {"content-type": "application/json"})


def metrics(answer: Mapping[str, Any]) -> Response:
    """200 with the metrics of a window."""
    return Response(200, json.dumps(answer), {"content-type": "application/json"})


def problem(error: IncidentError, request_id: str) -> Response:
    """The problem document (RFC 9457) of an error."""
    status, title = STATUS_OF[type(error)]
    return _problem_document(status, title, error.detail, request_id, error.members)


def unforeseen(request_id: str) -> Response:
    """The problem document of an error that nobody foresaw."""
    return _problem_document(
        500, "Internal error", "Something went wrong on our side; the request id finds it.", request_id
    )


def problem_type(title: str) -> str:
    """Return the URN that names a kind of problem."""
    return f"urn:problem-type:incidents:{title.lower().replace(' ', '-')}"


def _seconds_left(context: Any) -> float:
    remaining = getattr(
        context, "get_remaining_time_in_millis", None
    )  # Lambda has it; who calls from elsewhere may not
    return inf if remaining is None else remaining() / 1000


def _incident_named(event: Mapping[str, Any]) -> dict[str, str]:
    """The incident that the path names, for the log, if that can be one: what else stands there is not for logs."""
    incident_id = (event.get("pathParameters") or {}).get("incident_id", "")
    return {"incident_id": incident_id} if INCIDENT_ID.fullmatch(incident_id) else {}


def _identity(gateway: Mapping[str, Any]) -> Identity:
    """The gateway verified the token; its claims are checked again, because a route can lose its authorizer."""
    try:
        claims = gateway["authorizer"]["jwt"]["claims"]
    except (KeyError, TypeError):
        claims = None
    if not isinstance(claims, dict):
        raise NotAuthenticated("Send a token as Authorization: Bearer <JWT>.")
    return from_claims(claims, time.time(), _issuer())


def _issuer() -> str | None:
    """The issuer that the template trusts. A deployed function that was not told trusts nobody."""
    issuer = os.environ.get("JWT_ISSUER")
    if not issuer and "AWS_LAMBDA_RUNTIME_API" in os.environ:
        raise RuntimeError("JWT_ISSUER is missing: any issuer would do")
    return issuer or None


def _problem_document(
    status: int, title: str, detail: str, request_id: str, more: Mapping[str, Any] | None = None
) -> Response:
    document = {
        "type": problem_type(title),
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": request_id,
        **(more or {}),
    }
    # Escaped to ASCII: a detail may quote what a caller sent, and not all of that can be encoded.
    return Response(
        status, json.dumps(document), {"content-type": "application/problem+json", **_MORE_HEADERS.get(status, {})}
    )
