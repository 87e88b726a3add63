"""The headers of answers, and the answers for errors."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from incidents.domain.errors import IncidentError
from incidents.edges import responses

from . import examples
from .json_schema import Schema, reference
from .problems import BY_THE_GATEWAY, problem_name

Errors = Sequence[type[IncidentError]]

HEADERS: dict[str, tuple[str, Schema]] = {
    "ETag": (
        "The incident's version, for `If-Match` and `If-None-Match`.",
        {"type": "string", "pattern": '^"[1-9][0-9]*"$'},
    ),
    "Location": (
        "The incident's address, relative to the URL of the request (RFC 9110).",
        {"type": "string", "format": "uri-reference"},
    ),
    "Idempotency-Replayed": (
        "Present if an earlier request with this key made the incident.",
        {"type": "string", "const": "true"},
    ),
    "Retry-After": ("The seconds to wait before the next try.", {"type": "string", "pattern": "^[0-9]+$"}),
    "WWW-Authenticate": ("The required kind of authentication: a bearer token.", {"type": "string"}),
}
_OPTIONAL = frozenset({"Idempotency-Replayed", "WWW-Authenticate", "Retry-After"})


def headers(*names: str, known: Mapping[str, tuple[str, Schema]] = HEADERS) -> dict[str, Any]:
    """Return the headers of an answer by their names."""
    return {
        name: {"description": known[name][0], "required": name not in _OPTIONAL, "schema": known[name][1]}
        for name in names
    }


def refusals(operation: str, raised: Errors, gateway: Set[int]) -> dict[int, dict[str, Any]]:
    """Return an operation's answers for errors, by status: the API's problem documents and the gateway's messages."""
    by_status: dict[int, list[type[IncidentError]]] = {}
    for error in raised:
        by_status.setdefault(responses.STATUS_OF[error][0], []).append(error)
    answers: dict[int, dict[str, Any]] = {}
    for status in sorted({*by_status, *gateway}):
        content: dict[str, Any] = {}
        titles = []
        if causes := by_status.get(status, []):
            titles = [responses.STATUS_OF[error][1] for error in causes]
            content["application/problem+json"] = {
                "schema": _either(causes),
                "examples": {problem_name(error): {"value": examples.problem(error, operation)} for error in causes},
            }
        if status == 500 and raised:
            titles = ["Internal error"]
            content["application/problem+json"] = {
                "schema": reference("InternalErrorProblem"),
                "examples": {"internal-error": {"value": examples.internal_error()}},
            }
        if status in gateway:
            ours = content.get("application/problem+json", {"schema": reference("GatewayMessage")})
            message = {"value": {"message": BY_THE_GATEWAY[status]}}
            content["application/json"] = {"schema": ours["schema"], "examples": {"gateway": message}}
            titles = titles or [BY_THE_GATEWAY[status]]
        answers[status] = {"description": ", or ".join(titles) + ".", "content": content}
        if status in (429, 503):
            answers[status]["headers"] = headers("Retry-After")
        if status == 401:
            answers[status]["headers"] = headers("WWW-Authenticate")
    return answers


def _either(causes: list[type[IncidentError]]) -> Schema:
    """Return the schema of a body that is any one of several problem documents. Their ``type`` tells them apart."""
    schemas = [reference(problem_name(error)) for error in causes]
    if len(schemas) == 1:
        return schemas[0]
    types = (responses.problem_type(responses.STATUS_OF[error][1]) for error in causes)
    mapping = {kind: schema["$ref"] for kind, schema in zip(types, schemas, strict=True)}
    return {"oneOf": schemas, "discriminator": {"propertyName": "type", "mapping": mapping}}
