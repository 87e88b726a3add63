"""The complete OpenAPI document, and the API's operations in it."""

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from incidents.domain import errors
from incidents.domain.evidence import EVENTS_KEPT
from incidents.edges import request

from ...local.local_stack import CHECKOUT
from . import examples, handlers, parameters
from .answers import Errors, headers, refusals
from .json_schema import Schema, reference
from .parameters import Parameter
from .problems import all_problems
from .schemas import all_schemas

SAME_API = "../../../.."
"""The URL of the API relative to this document's URL. The documentation page uses only this server."""

_ABOUT = """Create, change, find and measure security and compliance incidents.

- **Access**: The token's claims `tenant_id`, `sub`, `scope` and `app_id` decide who sees which incidents. The token of
  an application has an `app_id`; it sees only that application's incidents.
- **Safe writes**: You can send a create with an `Idempotency-Key` again. With `If-Match`, an update does not overwrite
  somebody else's change. A delete is soft. The audit trail keeps every change.
- **Errors** are problem documents (RFC 9457). They say what would be right, and give the JSON pointer of each wrong
  value. The gateway's own errors, before it calls a function, have only a `message`.
- **Time** is RFC 3339 with an offset. Answers are in UTC, with milliseconds."""

# The statuses of the gateway's own errors
_FROM_THE_GATEWAY = frozenset({429, 500, 503})  # on any route
_ABOUT_TOKENS = frozenset({401, 403})  # on routes that need a token
_ABOUT_PATHS = frozenset({404})  # if the path may match no route
_ABOUT_BODIES = frozenset({413})  # if the request has a body
_ALWAYS: Errors = (errors.NotAuthenticated, errors.NotPermitted, errors.Busy)
_OF_DOCUMENTATION: dict[str, tuple[str, Schema]] = {
    "ETag": ("The version of the text, for `If-None-Match`.", {"type": "string", "pattern": '^W/"[0-9a-f]+"$'}),
    "Cache-Control": ("How long a client can use its copy without a new request.", {"type": "string"}),
    "Vary": ("The answer depends on `Accept-Encoding`: a client that accepts gzip gets gzip.", {"type": "string"}),
    "X-Content-Type-Options": ("Browsers must use the given media type.", {"type": "string", "const": "nosniff"}),
    "Referrer-Policy": ("Links do not disclose this page's URL.", {"type": "string", "const": "no-referrer"}),
    "Content-Security-Policy": ("Browsers run only the scripts and styles inside the page.", {"type": "string"}),
}
_NOT_MODIFIED = "Your copy is current."
_DOCUMENTATION = {
    "openapi.json": "Get the OpenAPI document",
    "docs": "Get a page to read the documentation and to try the API",
}
"""The summaries of the routes that serve the documentation, by the last part of the path."""


class Operation(NamedTuple):
    """The texts, input and answers of an API operation. The operation's route and scope come from its handler."""

    summary: str
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
            "Create an incident",
            "A new incident may have any status, for imports. If you give a number, it must never have been used.",
            201,
            ("Incident", examples.created()),
            headers=("ETag", "Location", "Idempotency-Replayed"),
            parameters=[parameters.idempotency_key()],
            body=("NewIncident", {"usual": examples.new_incident(), "whole": examples.whole_incident()}),
            errors=(*writing, errors.NumberTaken, errors.KeyReused),
        ),
        "list_incidents": Operation(
            "List incidents, page by page",
            "The list has the incidents that match every filter: they have one of its values, or a time in its range. "
            "A page may be short or even empty, and still have a `next_cursor`.",
            200,
            ("IncidentPage", {"items": [examples.incident()], "next_cursor": None}),
            parameters=parameters.of_list(),
            errors=(errors.MalformedRequest,),
        ),
        "list_incident_updates": Operation(
            "List the incidents that changed, in the order of their last changes",
            "The list has the current state of each incident that was created, changed, deleted or restored since a "
            "moment, or since the page of a cursor. It never ends: always continue with `next_cursor`. Without `since` "
            "and `cursor`, the list begins with all incidents. No change is left out, and an incident may come again. "
            "The list ends some time before now: two minutes, unless the deployment sets another time.",
            200,
            ("UpdatePage", {"items": [examples.incident()], "next_cursor": examples.CURSOR, "caught_up": True}),
            parameters=parameters.of_updates(),
            errors=(errors.MalformedRequest, errors.CursorGone),
        ),
        "get_incident_deadlines": Operation(
            "Get the due dates of the reports about an incident",
            "The deadlines are computed at the moment of the call, from `reportable_to` and `regulatory_reports`. Each "
            "date has its reason and its citation. This is not legal advice.",
            200,
            ("Deadlines", examples.deadlines()),
            parameters=[*of_one, *parameters.of_deadlines()],
            errors=(errors.NotFound, errors.MalformedRequest),
        ),
        "list_deadlines": Operation(
            "List the incidents with open deadlines, in the order of their dates",
            "An incident is on this board while it has an open stage. A stage is open if it is on, applies, and is not "
            "submitted. Deleted and dismissed incidents are not on the board. The date of a stage is its due date. If "
            "a stage has no due date, its date is its projection. Incidents without a date are last. An incident "
            "passes the filters if one of its open stages passes all filters. The incidents are always in the order "
            "of their soonest open stages. A change of an incident appears on the board after about a minute. A page "
            "may be short or even empty, and still have a `next_cursor`. The dates are not legal advice.",
            200,
            ("BoardPage", {"items": [examples.on_the_board()], "next_cursor": None}),
            parameters=parameters.of_board(),
            errors=(errors.MalformedRequest,),
        ),
        "get_incident_metrics": Operation(
            "Get MTTD, MTTR and time to contain for a window of days",
            "A schedule computes the metrics of each day. `definitions` explains each figure.",
            200,
            ("Metrics", examples.metrics()),
            parameters=parameters.of_metrics(),
            errors=(errors.MalformedRequest,),
        ),
        "get_incident": Operation(
            "Get an incident",
            "This operation also returns a deleted incident.",
            200,
            incident,
            headers=("ETag",),
            parameters=[*of_one, parameters.if_none_match()],
            errors=(errors.NotFound, errors.MalformedRequest),
            not_modified=True,
        ),
        "update_incident": Operation(
            "Update an incident with a JSON Merge Patch, or restore it",
            "The patch changes only the fields that it names, and null clears a field. Without `If-Match`, concurrent "
            "patches of different fields all take effect. A patch that changes nothing writes nothing. To change a "
            "deleted incident, restore it with `is_deleted: false`, alone or with other changes.",
            200,
            incident,
            headers=("ETag",),
            parameters=[*of_one, parameters.if_match()],
            body=("IncidentPatch", {"usual": examples.taking_over(), "closing": examples.closing()}),
            media_types=("application/merge-patch+json", "application/json"),
            errors=(*writing, errors.NotFound, errors.PreconditionFailed, errors.IllegalTransition,
                    errors.IncidentDeleted),
        ),
        "delete_incident": Operation(
            "Delete an incident softly",
            "A second delete changes nothing. A patch with `is_deleted: false` restores the incident.",
            204,
            None,
            parameters=[*of_one, parameters.if_match()],
            errors=(errors.NotFound, errors.PreconditionFailed, errors.MalformedRequest),
        ),
        "list_incident_changes": Operation(
            "List an incident's changes, oldest first",
            "Version 1 is the create. An entry is never changed or removed.",
            200,
            ("ChangePage", {"items": [examples.change()], "next_cursor": None}),
            parameters=[*of_one, *parameters.of_changes()],
            errors=(errors.NotFound, errors.MalformedRequest),
        ),
        "list_incident_findings": Operation(
            "List the findings of an incident, newest last",
            "Each item is an event that created or confirmed the incident: a summary, and the event as it was "
            "received. The list is empty for an incident that a caller created. Events are stored forever, up to "
            f"{EVENTS_KEPT} for one finding. A page ends early if its events are large.",
            200,
            ("FindingPage", {"items": [examples.finding()], "next_cursor": None}),
            parameters=[*of_one, *parameters.of_changes()],
            errors=(errors.NotFound, errors.MalformedRequest),
        ),
    }  # fmt: skip


def document() -> dict[str, Any]:
    """Return the complete OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    for name, operation in _operations().items():
        module = handlers.load(name)
        method, path = _route(module.__doc__ or "")
        paths.setdefault(path, {})[method.lower()] = _described(name, module.handler.scope, operation)
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
        # Only a deployment knows its host and its stage. Most generators of clients need an absolute URL.
        "servers": [
            {
                "url": "https://{host}",
                "description": "A deployment. Give a generated client the part of the API's URL before `/api/v1/grc`.",
                "variables": {
                    "host": {"default": "api.example", "description": "The API's host, with the stage if there is one"}
                },
            },
            {"url": SAME_API, "description": "The API that serves this document"},
        ],
        "tags": [
            {"name": "incidents", "description": "Incidents and their changes."},
            {"name": "metrics", "description": "MTTD, MTTR and time to contain."},
            {"name": "documentation", "description": "This documentation. It needs no token."},
        ],
        "paths": paths,
        "components": {
            "schemas": all_schemas() | all_problems(),
            "responses": refusals,
            "securitySchemes": {
                "jwt": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of the issuer that the deployment trusts, with the scope of the operation: "
                    "`incidents:read` or `incidents:write`.",
                }
            },
        },
    }


def _shared(paths: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Replace the error answers of each operation with references. Return the replaced answers by name."""
    shared: dict[str, Any] = {}
    for operation in (operation for operations in paths.values() for operation in operations.values()):
        for status, answer in operation["responses"].items():
            if status < "400":
                continue
            name = re.sub(r"\W", "", answer["description"].title())
            same = (known for known, other in shared.items() if other == answer)
            if name in shared and shared[name] != answer:  # another operation has the same errors with other examples
                name = next(same, name + "In" + operation["operationId"].title().replace("_", ""))
            shared[name] = answer
            operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return shared


def _route(docstring: str) -> tuple[str, str]:
    """Return the method and the path at the beginning of a handler's docstring."""
    match = re.match(r"([A-Z]+) (/\S+): ", docstring)
    if match is None:
        raise ValueError(f"a handler's docstring must begin with its route, like 'GET /path: ', not {docstring!r}")
    return match[1], match[2]


def _documentation() -> list[tuple[str, str, str, str]]:
    """Return the method, path, summary and media type of each route that serves the documentation.

    The routes are in the docstring of ``get_documentation``.
    """
    text = (Path(CHECKOUT) / "infra" / "functions" / "documentation" / "get_documentation.py").read_text()
    routes = re.findall(r"^([A-Z]+) (/\S+): ", text, re.MULTILINE)
    return [
        (
            method,
            path,
            _DOCUMENTATION[path.rpartition("/")[2]],
            "application/json" if path.endswith("json") else "text/html",
        )
        for method, path in routes
    ]


def _described(name: str, scope: str, operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": name,
        "summary": operation.summary,
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
            "description": f"At most {request.BODY_BYTES // 1024} KiB. No member may be there twice.",
            "content": dict.fromkeys(operation.media_types, content),
        }
    answers: dict[int, Any] = {operation.status: _answer(operation)}
    if operation.not_modified:
        answers[304] = {"description": _NOT_MODIFIED, "headers": headers("ETag")}
    about_paths = _ABOUT_PATHS if errors.NotFound in operation.errors else frozenset()
    about_bodies = _ABOUT_BODIES if operation.body else frozenset()
    gateway = _FROM_THE_GATEWAY | _ABOUT_TOKENS | about_paths | about_bodies
    answers |= refusals(name, (*operation.errors, *_ALWAYS), gateway)
    described["responses"] = {str(status): answers[status] for status in sorted(answers)}
    return described


def _public(path: str, summary: str, media_type: str) -> dict[str, Any]:
    schema, example = (
        ("object", {"openapi": "3.1.0"}) if media_type == "application/json" else ("string", "<!doctype html>")
    )
    content = {media_type: {"schema": {"type": schema}, "examples": {"its beginning": {"value": example}}}}
    names = [name for name in _OF_DOCUMENTATION if name != "Content-Security-Policy" or media_type == "text/html"]
    sent = headers(*names, known=_OF_DOCUMENTATION)
    return {
        "operationId": f"get_documentation_{'document' if path.endswith('json') else 'page'}",
        "summary": summary,
        "tags": ["documentation"],
        "security": [],
        "parameters": [parameters.if_none_match(checked=False)],
        "responses": {
            "200": {"description": "Success.", "content": content, "headers": sent},
            "304": {"description": _NOT_MODIFIED, "headers": sent},
            **{str(status): answer for status, answer in refusals("", (), _FROM_THE_GATEWAY).items()},
        },
    }


def _answer(operation: Operation) -> dict[str, Any]:
    if operation.answer is None:
        return {"description": "The incident is deleted."}
    schema, example = operation.answer
    answer = {
        "description": "The incident is stored." if operation.status == 201 else "Success.",
        "content": {"application/json": {"schema": reference(schema), "examples": {"usual": {"value": example}}}},
    }
    return answer | ({"headers": headers(*operation.headers)} if operation.headers else {})
