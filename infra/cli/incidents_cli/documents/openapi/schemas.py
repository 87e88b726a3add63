"""The bodies of requests and answers as JSON Schema, in the version 2020-12 that OpenAPI 3.1 uses.

The service refuses every body that a schema refuses, with two exceptions: timestamps in the other forms that
``timestamps`` reads, and old texts that a patch repeats. A field's description has the rules that a schema cannot
express, like the order of timestamps, a number of UTF-8 bytes, or the characters of a text.
"""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from incidents.domain import errors, lists, metric_answer, metric_definitions, model, payloads, timestamps
from incidents.edges import parameters, responses
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

Schema = dict[str, Any]

_TEXT_RULES = {
    **dict.fromkeys(model.PARAGRAPHS, " Without control characters except tabs and line ends."),
    **dict.fromkeys(model.LINES, " Not blank, and without control or invisible characters."),
    **dict.fromkeys(model.LISTS, " No item is blank or contains control or invisible characters."),
}

DESCRIPTIONS = {
    "id": "The incident's id, given by the server.",
    "tenant_id": "The tenant, from the token.",
    "app_id": "The application whose token made the incident. Absent if a person or a finding made it.",
    "created_at": "When the incident was stored.",
    "updated_at": "When the incident was last changed.",
    "created_by": "The subject of the token that made the incident, or `system:<source>` for a finding.",
    "updated_by": "The subject of the token that last changed the incident, or `system:<source>` for a finding.",
    "version": "The incident's version, as in its `ETag`: 1 after the create; each change adds 1.",
    "source": "The origin of the incident: the caller's own name for it, or a finding's source.",
    "source_type": "The kind of system that the incident comes from.",
    "is_deleted": "Whether the incident is deleted (softly). A patch with `false` restores it.",
    "deleted_at": "When the incident was deleted.",
    "deleted_by": "Who deleted the incident.",
    "schema_version": "The version of the incident's schema.",
    "incident_number": "The incident's number: unique in the tenant, never changed and never used again. If it is not "
    "given, the server draws `INC-<year>-<number>`. A given number is printable ASCII without `#`. An application "
    "cannot give a number of the server's form.",
    "title": "What happened, in one line.",
    "description": f"What happened. At most {model.TEXT_BYTES // 1024} KiB of UTF-8.",
    "root_cause": f"Why it happened. At most {model.TEXT_BYTES // 1024} KiB of UTF-8.",
    "category": "Free text, such as `malware`, `phishing`, `unauthorized_access`, `data_breach`, `misconfiguration`.",
    "severity": "How severe the incident is.",
    "status": "The incident's status. A patch can move it only along the allowed transitions; a 409 lists them.",
    "occurred_at": "When the incident began, if known. Not after it was detected, reported, contained or closed.",
    "detected_at": "When the incident was detected.",
    "reported_at": "When the incident was reported to the team. Not before it was detected.",
    "contained_at": "When the incident was contained. If it is not given, the time of the first entry into "
    "`contained`.",
    "closed_at": "When the incident was closed. If it is not given, the time of the entry into `closed`. Null in any "
    "other status.",
    "realized_risk_ids": "The risks that the incident realized.",
    "affected_asset_ids": "The affected assets.",
    "affected_account_ids": "The affected accounts.",
    "consolidated_investigation_ids": "The investigations that were merged into this incident.",
    "triggered_by_alert_ids": "The alerts that triggered the incident.",
    "commander_ids": "The people who lead the response.",
    "corrective_action_ids": "The actions that prevent a repetition.",
    "reportable_to": "The parties or rules that require a report, such as `GDPR Art. 33`.",
    "owner_id": "The owner of the incident.",
    "tags": f"The caller's own tags: at most {model.TAGS} different ones. Equal tags count once.",
    "reported_to_regulators_at": "When regulators were notified.",
    "customer_notified_at": "When customers were notified.",
    "mttd_minutes": "Whole minutes from `occurred_at` to `detected_at`. The server derives them if both are known. A "
    "given value must then be equal.",
    "mttr_minutes": "Whole minutes from `detected_at` to `closed_at` (R is resolve). The server derives them if both "
    "are known. A given value must then be equal. A patch that reopens the incident must omit this field.",
    "financial_impact": f"The financial impact in USD, exact, with at most {model.IMPACT_DECIMALS} decimals.",
    "lessons_learned": f"Any JSON of at most {model.TEXT_BYTES // 1024} KiB and {model.JSON_LEVELS} levels, with only "
    "finite numbers.",
}

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
_TIMESTAMP: Schema = {"type": "string", "format": "date-time"}
_WHEN = f" RFC 3339 with an offset, which may lack its colon, from {timestamps.FIRST_YEAR} to {timestamps.LAST_YEAR}."
_WORDS = {"Status": model.STATUSES, "Severity": model.SEVERITIES, "SourceType": model.SOURCE_TYPES}
_WORDS_OF = {"status": "Status", "severity": "Severity", "source_type": "SourceType"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_MINUTES: Schema = {"type": ["integer", "null"], "minimum": 0, "format": "int64"}

# The schema that describes each check in `payloads`. The generator fails if the schema of a check is missing here.
_CHECKS: dict[str, Schema] = {
    "parse": {"format": "date-time"},
    "_within_bytes": {"maxLength": model.TEXT_BYTES},
    "_each_once": {"uniqueItems": True},
    "_at_most_different": {},
    "_unambiguous": {},
    "_callers_number": {"pattern": r'^[ -"$-~]+$'},
    "_optional_amount": {"type": ["number", "null"], "minimum": 0, "maximum": int(model.IMPACT_MAX)},
    "_json_document": {},
    "_whole": {},
}


_EDITS = "In place of a list, an object edits the stored list. Concurrent edits all take effect."
_OF_OPERATORS = {
    "add": "Items to add at the end. An item that the list already has stays in its place.",
    "remove": "Items to remove.",
}


def reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


class _OfPayloads(GenerateJsonSchema):
    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> Schema:
        return super().function_after_schema(schema) | _CHECKS[schema["function"]["function"].__name__]

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> Schema:
        check = _CHECKS.get(schema["function"]["function"].__name__)
        if check is None:
            raise NotImplementedError(f"_OfPayloads has no schema for the check {schema['function']}; add one")
        return super().function_before_schema(schema) | check

    def function_wrap_schema(self, schema: core_schema.WrapValidatorFunctionSchema) -> Schema:
        raise NotImplementedError(f"_OfPayloads has no schema for the check {schema['function']}; add one")

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> Schema:
        raise NotImplementedError(f"_OfPayloads has no schema for the check {schema['function']}; add one")

    def int_schema(self, schema: core_schema.IntSchema) -> Schema:
        return super().int_schema(schema) | {"format": "int64"}

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> Schema:
        """Return one schema for a list or the operators of a list.

        With ``anyOf``, some generators of clients would wrap each list in a class of its own.
        """
        described = self.generate_inner(schema["choices"]["list"])
        items = {"type": "array", "items": described["items"], "maxItems": model.LIST_IDS}
        operators = {name: items | {"description": _OF_OPERATORS[name]} for name in lists.OPERATORS}
        described |= {"type": ["array", "object"], "properties": operators}
        return described | {"additionalProperties": False, "minProperties": 1}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> Schema:
        inner = self.generate_inner(schema["schema"])
        if "type" not in inner or "enum" in inner:
            return {"anyOf": [inner, {"type": "null"}]}
        types = inner["type"] if isinstance(inner["type"], list) else [inner["type"]]
        return inner | {"type": [*types, "null"]}

    def field_title_should_be_set(self, _: Any) -> bool:
        return False


def of_payload(kind: type[payloads.NewIncident | payloads.IncidentPatch], title: str) -> Schema:
    """Return the schema of a request body: a new incident or a patch."""
    schema = kind.model_json_schema(schema_generator=_OfPayloads)
    properties = {}
    for field, described in _named(schema["properties"]).items():
        when = _WHEN if described.get("format") == "date-time" else ""
        # The description has the default. With the member `default`, generated clients would require or send the field.
        default = described.pop("default", None)
        usual = f" By default `{default}`." if default and kind is payloads.NewIncident else ""
        rule = _TEXT_RULES.get(field, "")
        edits = f" {_EDITS}" if "properties" in described else ""
        properties[field] = described | {"description": DESCRIPTIONS[field] + rule + when + usual + edits}
    return {"type": "object", "title": title, "additionalProperties": False, "properties": properties} | (
        {"required": schema["required"]} if "required" in schema else {}
    )


def _named(schema: Any) -> Any:
    """Replace each enum in a schema with a reference to the named schema that has the same words, like ``Status``."""
    match schema:
        case {"enum": words, "type": "string", **more}:
            return more | next(reference(name) for name, known in _WORDS.items() if known == tuple(words))
        case dict():
            return {name: _named(member) for name, member in schema.items()}
        case list():
            return [_named(member) for member in schema]
        case _:
            return schema


def _of_field(field: str, hint: Any) -> Schema:
    """Return the schema that a field of an incident has in answers, from the field's type and name."""
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    nullable = NoneType in parts
    if field in _WORDS_OF:
        words = reference(_WORDS_OF[field])
        return {"anyOf": [words, {"type": "null"}]} if nullable else words
    if field == "lessons_learned":
        return {}
    match next(part for part in parts if part is not NoneType):
        case kind if get_origin(kind) is list:
            return {"type": "array", "items": {"type": "string"}}
        case kind:
            name = {str: "string", int: "integer", bool: "boolean"}.get(kind, "number")
            form = {"format": "date-time"} if field.endswith("_at") else {"format": "int64"} if kind is int else {}
            return {"type": [name, "null"] if nullable else name, **form}


def _object(properties: Mapping[str, Schema], *, optional: frozenset[str] = frozenset(), **more: Any) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": dict(properties), **more}


def _incident() -> Schema:
    properties = {
        field: _of_field(field, hint) | {"description": DESCRIPTIONS[field]}
        for field, hint in get_type_hints(model.Incident).items()
    }
    properties["id"]["pattern"] = f"^{model.INCIDENT_ID.pattern}$"
    properties["version"]["minimum"] = 1
    return _object(properties, optional=frozenset({"app_id"}), title="Incident")


def _change() -> Schema:
    pair = _object({"from": {"description": "Null or an empty list if the field was unset."}, "to": {}})
    return _object(
        {
            "version": {
                "type": "integer", "minimum": 1, "description": "The create is 1. The last one is the incident's ETag.",
            },
            "at": _TIMESTAMP,
            "by": {
                "type": "string",
                "description": "The subject of the token that made the change, or `system:<source>` for a finding.",
            },
            "action": {"type": "string", "enum": [*model.ACTIONS]},
            "changes": {"type": "object", "additionalProperties": pair, "description": "By field; {} for the create."},
            "dates": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "For an incident that a finding made: the part of its event that each date came from.",
            },
        },
        optional=frozenset({"dates"}),
        title="Change",
    )  # fmt: skip


def _page_of(name: str) -> Schema:
    cursor = {"type": ["string", "null"], "description": "The next page's `cursor`. Null on the last page."}
    items = {"type": "array", "items": reference(name), "maxItems": parameters.LIMIT_MAX}
    return _object({"items": items, "next_cursor": cursor}, title=f"Page of {name}s")


def _metrics() -> dict[str, Schema]:
    durations = _object(
        {
            "n": _COUNT,
            "mean": {"type": ["number", "null"], "minimum": 0},
            **dict.fromkeys(("p50", "p90", "p95", "min", "max"), _MINUTES),
            "imported": _COUNT | {"description": metric_definitions.DEFINITIONS["imported"]},
        },
        title="Durations",
        description="The distribution of a duration over incidents, in minutes. The values are null if `n` is 0.",
    )
    of_metrics = {
        metric: reference("Durations") | {"description": metric_definitions.DEFINITIONS[metric]}
        for metric in map(str, metric_definitions.METRICS)
    }
    open_ = _object(
        {"n": _COUNT, **dict.fromkeys(("p50", "p90", "max"), _MINUTES)},
        title="OpenIncidents",
        description=metric_definitions.DEFINITIONS["open"],
    )
    of_open = {"open": reference("OpenIncidents")}
    day: Schema = {"type": "string", "format": "date"}
    group = {"type": ["string", "null"], "description": "The group's value. Null for the incidents without one."}
    counts = _object(dict.fromkeys(map(str, metric_definitions.METRICS), _COUNT), title="MetricCounts")
    answer = _object(
        {
            "from": day,
            "to": day,
            "as_of": _TIMESTAMP | {"description": metric_definitions.DEFINITIONS["as_of"]},
            "computed_at": _TIMESTAMP
            | {"type": ["string", "null"], "description": metric_definitions.DEFINITIONS["computed_at"]},
            "pending_days": _COUNT | {"description": metric_definitions.DEFINITIONS["pending_days"]},
            **of_metrics,
            "groups": {
                "type": "array",
                "items": reference("MetricsGroup"),
                "maxItems": metric_answer.GROUPS,
                "description": metric_definitions.DEFINITIONS["groups"],
            },
            "other": {
                "anyOf": [reference("OtherGroups"), {"type": "null"}],
                "description": metric_definitions.DEFINITIONS["other"],
            },
            "approximate": {"type": "boolean", "description": metric_definitions.DEFINITIONS["approximate"]},
            "trend": {"type": "array", "items": reference("MetricsSpan")},
            **of_open,
            "excluded": _object(
                dict.fromkeys(map(str, metric_definitions.REASONS), reference("MetricCounts")),
                description=metric_definitions.DEFINITIONS["excluded"],
            ),
            "definitions": _object({name: {"type": "string"} for name in metric_definitions.DEFINITIONS}),
        },
        title="Metrics",
        description=f"{metric_definitions.DEFINITIONS['window']} {metric_definitions.DEFINITIONS['percentiles']}",
    )
    return {
        "Durations": durations,
        "OpenIncidents": open_,
        "MetricCounts": counts,
        "MetricsGroup": _object({"group": group, **of_metrics, **of_open}, title="MetricsGroup"),
        "OtherGroups": _object({**of_metrics, **of_open}, title="OtherGroups"),
        "MetricsSpan": _object({"from": day, "to": day, **of_metrics}, title="MetricsSpan"),
        "Metrics": answer,
    }


def problem_name(error: type[errors.IncidentError]) -> str:
    return f"{error.__name__}Problem"


def _problems() -> dict[str, Schema]:
    """Return the schema of each error's problem document (RFC 9457), by the schema's name."""
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
        problem_name(error): _problem(status, title, _PROBLEMS[error], more.get(error))
        for error, (status, title) in responses.STATUS_OF.items()
    } | {"InternalErrorProblem": _problem(500, "Internal error", "The server failed unexpectedly.")}


def _problem(status: int, title: str, description: str, more: Mapping[str, Schema] | None = None) -> Schema:
    """Return the schema of the answers with a status: of the problem document and, if the gateway has one, of its own.

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
        return _object(members, title=title, description=description)
    either = {"if": {"required": ["message"]}, "else": {"required": [*members]}}
    return {
        "type": "object",
        "title": title,
        "description": f"{description} Or the gateway's own answer, which has only `message`.",
        "properties": members | {"message": _MESSAGE},
        **either,
    }


def all_schemas() -> dict[str, Schema]:
    """Return all schemas of the OpenAPI document, by name."""
    rule = {
        "pointer": {"type": "string", "description": "A JSON pointer (RFC 6901) to the value."},
        "detail": {"type": "string", "description": "What would be right."},
    }
    return {
        **{name: {"type": "string", "enum": [*words], "title": name} for name, words in _WORDS.items()},
        "Incident": _incident(),
        "NewIncident": of_payload(payloads.NewIncident, "NewIncident"),
        "IncidentPatch": of_payload(payloads.IncidentPatch, "IncidentPatch"),
        "IncidentPage": _page_of("Incident"),
        "Change": _change(),
        "ChangePage": _page_of("Change"),
        **_metrics(),
        "Violation": _object(
            rule, title="Violation", description="A value that breaks a rule. An answer has at most 50."
        ),
        **_problems(),
        "GatewayMessage": _object(
            {"message": _MESSAGE},
            title="GatewayMessage",
            description="The gateway's own answer, before it calls a function.",
        ),
    }
