"""The bodies of errors as JSON Schema: problem documents (RFC 9457), and the gateway's own messages."""

from collections.abc import Mapping

from incidents.domain import errors
from incidents.edges import responses

from .json_schema import Schema, object_with, reference

_PROBLEMS: dict[type[errors.IncidentError], str] = {
    errors.NotAuthenticated: "The request has no claims of a verified token.",
    errors.NotPermitted: "The claims do not allow this operation, or are ambiguous.",
    errors.NotFound: "There is no such incident that this caller may read. The answer is the same for an unknown "
    "incident and for an incident of another tenant or application.",
    errors.MalformedRequest: "The request cannot be read: for example broken JSON, an unknown parameter, a bad header "
    "or a bad cursor.",
    errors.UnsupportedContent: "This operation does not read the body's media type or charset.",
    errors.InvalidIncident: "Values break rules. `errors` names each value and says what would be right.",
    errors.IncidentTooLarge: "The incident or the body is too large.",
    errors.NumberTaken: "Another incident of the tenant, perhaps a deleted one, has the given incident number.",
    errors.IllegalTransition: "The status cannot move that way. `allowed_transitions` has the statuses to which it can "
    "move.",
    errors.IncidentDeleted: "The incident is deleted. The only change that it accepts is its restoration.",
    errors.PreconditionFailed: "The incident does not have the version that the caller expects. Nothing was changed.",
    errors.KeyReused: "The idempotency key belongs to another request of the last 24 hours.",
    errors.CursorGone: "The cursor belongs to a table that the service no longer uses, because the data was restored. "
    "Start again without a cursor.",
    errors.Busy: "The table refused the request or was unreachable, after every retry. The same request may succeed "
    "later. If the answer was lost, a write may have been stored. With an Idempotency-Key or If-Match, it is safe to "
    "send the same request again.",
}

BY_THE_GATEWAY = {
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 413: "Request Entity Too Large", 429: "Too Many Requests",
    500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip
"""The messages of the gateway's own answers, by status."""


_MESSAGE: Schema = {"type": ["string", "null"], "description": "The gateway's own words. Only the gateway sends it."}


def problem_name(error: type[errors.IncidentError]) -> str:
    return f"{error.__name__}Problem"


def all_problems() -> dict[str, Schema]:
    """Return the schemas of all bodies of errors, by name: each problem document, and the gateway's own message."""
    rule = {
        "pointer": {"type": "string", "description": "A JSON pointer (RFC 6901) to the value."},
        "detail": {"type": "string", "description": "What would be right."},
    }
    blamed: Schema = {"type": "array", "items": reference("Violation"), "minItems": 1}
    more: dict[type[errors.IncidentError], dict[str, Schema]] = {
        errors.InvalidIncident: {"errors": blamed},
        errors.NumberTaken: {"errors": blamed},
        errors.IllegalTransition: {
            "errors": blamed,
            "allowed_transitions": {"type": "array", "items": reference("Status")},
        },
    }
    return {
        "Violation": object_with(
            rule, title="Violation", description="A value that breaks a rule. An answer has at most 50."
        ),
        **{
            problem_name(error): _problem(status, title, _PROBLEMS[error], more.get(error))
            for error, (status, title) in responses.STATUS_OF.items()
        },
        "InternalErrorProblem": _problem(500, "Internal error", "The server failed unexpectedly."),
        "GatewayMessage": object_with(
            {"message": _MESSAGE},
            title="GatewayMessage",
            description="The gateway's own answer, before it calls a function.",
        ),
    }


def _problem(status: int, title: str, description: str, more: Mapping[str, Schema] | None = None) -> Schema:
    """Return the schema of the answers with a status. It also describes the gateway's own answer, if there is one.

    Most generators of clients read only one schema of a status. So one schema describes both answers.
    """
    members: dict[str, Schema] = {
        "type": {"type": "string", "const": responses.problem_type(title)},
        "title": {"type": "string", "const": title},
        "status": {"type": "integer", "const": status},
        "detail": {"type": "string", "description": "What is wrong, and what would be right."},
        "request_id": {"type": "string", "description": "The id by which operators find this request in the logs."},
        **(more or {}),
    }
    if status not in BY_THE_GATEWAY:
        return object_with(members, title=title, description=description)
    either = {"if": {"required": ["message"]}, "else": {"required": [*members]}}
    return {
        "type": "object",
        "title": title,
        "description": f"{description} Or the gateway's own answer, which has only `message`.",
        "properties": members | {"message": _MESSAGE},
        **either,
    }
