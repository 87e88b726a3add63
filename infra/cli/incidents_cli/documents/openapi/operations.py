"""The operations of the API, and the document as a whole."""

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from incidents.domain import errors
from incidents.domain.errors import IncidentError
from incidents.edges import request, responses

from ...local.local_stack import CHECKOUT
from . import examples, handlers, parameters
from .parameters import Parameter
from .schemas import Schema, all_schemas, problem_name, reference

Errors = Sequence[type[IncidentError]]

_ABOUT = """Security and compliance incidents: create them, change them, find them, and learn from them.

- **Who sees what** is in the token: the claims `tenant_id`, `sub`, `scope`, and `app_id` for an application, which
  sees its own incidents only.
- **Nothing is lost**: a create with an `Idempotency-Key` may be sent again; an `If-Match` refuses to overwrite what
  somebody else has changed; a delete is soft; the audit trail keeps every change.
- **Errors** are problem documents (RFC 9457) that say what would be right, with the JSON pointer of each value to
  blame. The gateway's own refusals, before a function is called, are a `message` alone.
- **Time** is RFC 3339 with an offset; it is answered in UTC, with milliseconds."""

# What the gateway itself may say, on any route; on those with a token; and where a path may be no route at all.
_FROM_THE_GATEWAY = {429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}
_ABOUT_TOKENS = {401: "Unauthorized", 403: "Forbidden"}
_ABOUT_PATHS = {404: "Not Found"}
_ABOUT_BODIES = {413: "Request Entity Too Large"}
_ALWAYS: Errors = (errors.NotAuthenticated, errors.NotPermitted, errors.Busy)
_HEADERS: dict[str, tuple[str, Schema]] = {
    "ETag": ("The version, for `If-Match` and `If-None-Match`.", {"type": "string", "pattern": '^"[1-9][0-9]*"$'}),
    "Location": ("The path of the incident.", {"type": "string"}),
    "Idempotency-Replayed": (
        "Present where an earlier request with this key made the incident.",
        {"type": "string", "const": "true"},
    ),
    "Retry-After": ("In how many seconds to try again.", {"type": "string", "pattern": "^[0-9]+$"}),
    "WWW-Authenticate": ("What is wanted: a bearer token.", {"type": "string"}),
}
_OF_DOCUMENTATION: dict[str, tuple[str, Schema]] = {
    "ETag": ("The version of the text, for `If-None-Match`.", {"type": "string", "pattern": '^W/"[0-9a-f]+"$'}),
    "Cache-Control": ("For how long it need not be asked for again.", {"type": "string"}),
    "Vary": ("That it comes compressed to who accepts gzip.", {"type": "string"}),
    "X-Content-Type-Options": ("That its type is what it says.", {"type": "string", "const": "nosniff"}),
    "Referrer-Policy": ("That a link from here tells nobody where it was.", {"type": "string", "const": "no-referrer"}),
    "Content-Security-Policy": ("That nothing runs but what stands in the page.", {"type": "string"}),
}
_OPTIONAL_HEADERS = frozenset({"Idempotency-Replayed", "WWW-Authenticate", "Retry-After"})


class Operation(NamedTuple):
    """What an operation takes and answers, beyond what its handler says: route, summary, scope."""

    description: str
    status: int
    answer: tuple[str, Any] | None  # the name of a schema and an example
    headers: Sequence[str] = ()
    parameters: Sequence[Parameter] = ()
    body: tuple[str, Mapping[str, Any]] | None = None  # the name of a schema, and examples by name
    media_types: Sequence[str] = ("application/json",)
    errors: Errors = ()
    not_modified: bool = False


def _operations() -> dict[str, Operation]:
    incident = ("Incident", examples.incident())
    of_one = [parameters.incident_id()]
    writing: Errors = (errors.MalformedRequest, errors.UnsupportedContent, errors.InvalidIncident,
                       errors.IncidentTooLarge)  # fmt: skip
    return {
        "create_incident": Operation(
            "Any status may be given, for imports. A number that is given must never have been used.",
            201,
            ("Incident", examples.created()),
            headers=("ETag", "Location", "Idempotency-Replayed"),
            parameters=[parameters.idempotency_key()],
            body=("NewIncident", {"usual": examples.new_incident(), "whole": examples.whole_incident()}),
            errors=(*writing, errors.NumberTaken, errors.KeyReused),
        ),
        "list_incidents": Operation(
            "Filters narrow it: one of the values of each field that is named, and inside both ranges. Where filters "
            "leave little, a page may be short, even empty, and yet have a `next_cursor`.",
            200,
            ("IncidentPage", {"items": [examples.incident()], "next_cursor": None}),
            parameters=parameters.of_list(),
            errors=(errors.MalformedRequest,),
        ),
        "get_incident_metrics": Operation(
            "Computed on a schedule from every day's incidents; `definitions` says what each figure is.",
            200,
            ("Metrics", examples.metrics()),
            parameters=parameters.of_metrics(),
            errors=(errors.MalformedRequest,),
        ),
        "get_incident": Operation(
            "A deleted incident can still be read here.",
            200,
            incident,
            headers=("ETag",),
            parameters=[*of_one, parameters.if_none_match()],
            errors=(errors.NotFound,),
            not_modified=True,
        ),
        "update_incident": Operation(
            "What is left out stays as it is, null clears. Without `If-Match`, patches at once to different fields all "
            "survive. A patch that changes nothing writes nothing. A deleted incident takes `is_deleted: false` first.",
            200,
            incident,
            headers=("ETag",),
            parameters=[*of_one, parameters.if_match()],
            body=("IncidentPatch", {"usual": examples.patch()}),
            media_types=("application/merge-patch+json", "application/json"),
            errors=(*writing, errors.NotFound, errors.PreconditionFailed, errors.IllegalTransition,
                    errors.IncidentDeleted),
        ),
        "delete_incident": Operation(
            "To delete again changes nothing. A patch with `is_deleted: false` restores.",
            204,
            None,
            parameters=[*of_one, parameters.if_match()],
            errors=(errors.NotFound, errors.PreconditionFailed),
        ),
        "list_incident_changes": Operation(
            "Version 1 is the create. Entries are never changed and never removed.",
            200,
            ("ChangePage", {"items": [examples.change()], "next_cursor": None}),
            parameters=[*of_one, *parameters.of_changes()],
            errors=(errors.NotFound, errors.MalformedRequest),
        ),
    }  # fmt: skip


def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    for name, operation in _operations().items():
        module = handlers.load(name)
        method, path, summary = _route(module.__doc__ or "")
        paths.setdefault(path, {})[method.lower()] = _described(name, summary, module.handler.scope, operation)
    for method, path, summary, media_type in _documentation():
        paths.setdefault(path, {})[method.lower()] = _public(path, summary, media_type)
    refusals = _shared(paths)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Incidents",
            "version": version("grc-incidents"),
            "summary": "The Incident service of a governance, risk and compliance platform.",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        # Relative to the place of this document: the stage and the host are the deployment's.
        "servers": [{"url": "../../../..", "description": "Where this document comes from"}],
        "tags": [
            {"name": "incidents", "description": "The incidents, and who changed what."},
            {"name": "metrics", "description": "MTTD, MTTR and time to contain."},
            {"name": "documentation", "description": "What you are reading. It needs no token."},
        ],
        "paths": paths,
        "components": {
            "schemas": all_schemas(),
            "responses": refusals,
            "securitySchemes": {
                "jwt": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of the issuer that the deployment trusts, with the scopes "
                    "`incidents:read` and `incidents:write`.",
                }
            },
        },
    }


def _shared(paths: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Take the refusals out of the operations, leave references to them, and return them by name."""
    shared: dict[str, Any] = {}
    for operation in (operation for operations in paths.values() for operation in operations.values()):
        for status, answer in operation["responses"].items():
            if status < "400":
                continue
            name = re.sub(r"\W", "", answer["description"].title())
            same = (known for known, other in shared.items() if other == answer)
            if name in shared and shared[name] != answer:  # the same problems, in words of the operation's own
                name = next(same, name + "In" + operation["operationId"].title().replace("_", ""))
            shared[name] = answer
            operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return shared


def _route(docstring: str) -> tuple[str, str, str]:
    match = re.match(r"([A-Z]+) (/\S+): (\w.*)\.", docstring)
    if match is None:
        raise ValueError(f"no route: {docstring!r}")
    return match[1], match[2], match[3][0].upper() + match[3][1:]


def _documentation() -> list[tuple[str, str, str, str]]:
    """Return the routes of the documentation itself, from its own module."""
    text = (Path(CHECKOUT) / "infra" / "functions" / "documentation" / "get_documentation.py").read_text()
    routes = re.findall(r"^([A-Z]+) (/\S+): (\w.*)\.$", text, re.MULTILINE)
    return [
        (method, path, summary[0].upper() + summary[1:], "application/json" if path.endswith("json") else "text/html")
        for method, path, summary in routes
    ]


def _described(name: str, summary: str, scope: str, operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "description": operation.description,
        "tags": ["metrics" if name.endswith("metrics") else "incidents"],
        "security": [{"jwt": [scope]}],
        "parameters": list(operation.parameters),
    }
    if operation.body:
        schema, bodies = operation.body
        content = {
            "schema": reference(schema),
            "examples": {name: {"value": value} for name, value in bodies.items()},
        }
        described["requestBody"] = {
            "required": True,
            "description": f"At most {request.BODY_BYTES // 1024} KiB; no member twice.",
            "content": dict.fromkeys(operation.media_types, content),
        }
    answers: dict[int, Any] = {operation.status: _answer(operation)}
    if operation.not_modified:
        answers[304] = {"description": "The version is the one that you know.", "headers": _headers(_HEADERS, "ETag")}
    about_paths = _ABOUT_PATHS if errors.NotFound in operation.errors else {}
    about_bodies = _ABOUT_BODIES if operation.body else {}
    gateway = _FROM_THE_GATEWAY | _ABOUT_TOKENS | about_paths | about_bodies
    answers |= _refusals(name, (*operation.errors, *_ALWAYS), gateway)
    described["responses"] = {str(status): answers[status] for status in sorted(answers)}
    return described


def _public(path: str, summary: str, media_type: str) -> dict[str, Any]:
    schema, example = (
        ("object", {"openapi": "3.1.0"}) if media_type == "application/json" else ("string", "<!doctype html>")
    )
    content = {media_type: {"schema": {"type": schema}, "examples": {"its beginning": {"value": example}}}}
    names = [name for name in _OF_DOCUMENTATION if name != "Content-Security-Policy" or media_type == "text/html"]
    headers = _headers(_OF_DOCUMENTATION, *names)
    return {
        "operationId": f"get_documentation_{'document' if path.endswith('json') else 'page'}",
        "summary": summary,
        "tags": ["documentation"],
        "security": [],
        "parameters": [parameters.if_none_match()],
        "responses": {
            "200": {"description": "As asked.", "content": content, "headers": headers},
            "304": {"description": "The version is the one that you know.", "headers": headers},
            **{str(status): answer for status, answer in _refusals("", (), _FROM_THE_GATEWAY).items()},
        },
    }


def _answer(operation: Operation) -> dict[str, Any]:
    if operation.answer is None:
        return {"description": "Done."}
    schema, example = operation.answer
    answer = {
        "description": "Stored." if operation.status == 201 else "As asked.",
        "content": {"application/json": {"schema": reference(schema), "examples": {"usual": {"value": example}}}},
    }
    return answer | ({"headers": _headers(_HEADERS, *operation.headers)} if operation.headers else {})


def _headers(known: Mapping[str, tuple[str, Schema]], *names: str) -> dict[str, Any]:
    return {
        name: {"description": known[name][0], "required": name not in _OPTIONAL_HEADERS, "schema": known[name][1]}
        for name in names
    }


def _refusals(operation: str, raised: Errors, gateway: Mapping[int, str]) -> dict[int, dict[str, Any]]:
    """Return the answer of each status other than success: our problem documents, and the gateway's own messages."""
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
            message = {"value": {"message": gateway[status]}}
            content["application/json"] = {"schema": reference("GatewayMessage"), "examples": {"gateway": message}}
            titles = titles or [gateway[status]]
        answers[status] = {"description": ", or ".join(titles) + ".", "content": content}
        if status in (429, 503):
            answers[status]["headers"] = _headers(_HEADERS, "Retry-After")
        if status == 401:
            answers[status]["headers"] = _headers(_HEADERS, "WWW-Authenticate")
    return answers


def _either(causes: list[type[IncidentError]]) -> Schema:
    """Return the schema of one of several problems, which their ``type`` tells apart."""
    schemas = [reference(problem_name(error)) for error in causes]
    if len(schemas) == 1:
        return schemas[0]
    types = (responses.problem_type(responses.STATUS_OF[error][1]) for error in causes)
    mapping = {kind: schema["$ref"] for kind, schema in zip(types, schemas, strict=True)}
    return {"oneOf": schemas, "discriminator": {"propertyName": "type", "mapping": mapping}}
