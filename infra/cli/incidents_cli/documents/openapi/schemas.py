"""The bodies as JSON Schema (2020-12, which OpenAPI 3.1 uses).

A schema is never stricter than the service: what it refuses, the service refuses too. What a schema cannot say (an
order of timestamps, bytes of UTF-8) stands in a description.
"""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from incidents.domain import errors, metric_definitions, model, payloads, timestamps
from incidents.edges import parameters, responses
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

Schema = dict[str, Any]

DESCRIPTIONS = {
    "id": "The server's own id of the incident.",
    "tenant_id": "The tenant, from the token.",
    "app_id": "The application whose token made the incident; absent where a person or a finding did.",
    "created_at": "When the incident was stored.",
    "updated_at": "When it last changed.",
    "created_by": "The subject of the token that made it; `system:<source>` for a finding.",
    "updated_by": "Who last changed it, likewise.",
    "source": "Where the incident comes from: a tag of the caller's, or a finding's source.",
    "source_type": "What kind of system it comes from.",
    "is_deleted": "Whether it is deleted softly. False in a patch restores it.",
    "deleted_at": "When it was deleted.",
    "deleted_by": "Who deleted it.",
    "schema_version": "The version of this document's form.",
    "incident_number": "Unique in the tenant and never used again; the server gives `INC-<year>-<number>` where the "
    "caller gives none. Printable ASCII without `#`, of the server's form with nine digits at most; cannot be changed.",
    "title": "What happened, in a line.",
    "description": f"What happened. At most {model.TEXT_BYTES // 1024} KiB of UTF-8.",
    "root_cause": f"Why it happened. At most {model.TEXT_BYTES // 1024} KiB of UTF-8.",
    "category": "Free text, such as `malware`, `phishing`, `unauthorized_access`, `data_breach`, `misconfiguration`.",
    "severity": "How bad it is.",
    "status": "Where it stands. A patch moves it along the allowed transitions only; a 409 lists them.",
    "occurred_at": "When it began, if that is known; not after it was detected, reported, contained or closed.",
    "detected_at": "When it was detected.",
    "reported_at": "When it was reported to the team; not before it was detected.",
    "contained_at": "When it was contained; stamped at the first entry into `contained` unless given.",
    "closed_at": "When it was closed; stamped at the entry into `closed` unless given, and null in any other status.",
    "realized_risk_ids": "Risks that came true.",
    "affected_asset_ids": "Assets that it touches.",
    "affected_account_ids": "Accounts that it touches.",
    "consolidated_investigation_ids": "Investigations that were joined in it.",
    "triggered_by_alert_ids": "Alerts that raised it.",
    "commander_ids": "Who leads the response.",
    "corrective_action_ids": "What is done so that it does not happen again.",
    "reportable_to": "Whom it must be told to, such as `GDPR Art. 33`.",
    "owner_id": "Who owns it.",
    "tags": "Words of the caller's own.",
    "reported_to_regulators_at": "When regulators were told.",
    "customer_notified_at": "When customers were told.",
    "mttd_minutes": "Whole minutes from `occurred_at` to `detected_at`. Derived where both are known; a given value "
    "must then be the same.",
    "mttr_minutes": "Whole minutes from `detected_at` to `closed_at`; R is resolve. Derived likewise; a patch that "
    "reopens the incident must leave it out.",
    "financial_impact": f"In USD, exact, with at most {model.IMPACT_DECIMALS} decimals.",
    "lessons_learned": f"Any JSON of at most {model.TEXT_BYTES // 1024} KiB and {model.JSON_LEVELS} levels, of "
    "finite numbers.",
}

_TIMESTAMP: Schema = {"type": "string", "format": "date-time"}
_WHEN = f" RFC 3339 with an offset, from {timestamps.FIRST_YEAR} to {timestamps.LAST_YEAR}."
_WORDS = {"Status": model.STATUSES, "Severity": model.SEVERITIES, "SourceType": model.SOURCE_TYPES}
_WORDS_OF = {"status": "Status", "severity": "Severity", "source_type": "SourceType"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_MINUTES: Schema = {"type": ["integer", "null"], "minimum": 0, "format": "int64"}

# What each check of `payloads` comes to in a schema. One that is not here stops it.
_CHECKS: dict[str, Schema] = {
    "parse": {"format": "date-time"},
    "_within_bytes": {"maxLength": model.TEXT_BYTES},
    "_each_once": {"uniqueItems": True},
    "_callers_number": {"pattern": r'^[ -"$-~]+$'},
    "_optional_amount": {"type": ["number", "null"], "minimum": 0, "maximum": int(model.IMPACT_MAX)},
    "_json_document": {},
}


def reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


class _OfPayloads(GenerateJsonSchema):
    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> Schema:
        return super().function_after_schema(schema) | _CHECKS[schema["function"]["function"].__name__]

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> Schema:
        raise NotImplementedError(f"a check that is not known here: {schema['function']}")

    def function_wrap_schema(self, schema: core_schema.WrapValidatorFunctionSchema) -> Schema:
        raise NotImplementedError(f"a check that is not known here: {schema['function']}")

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> Schema:
        raise NotImplementedError(f"a check that is not known here: {schema['function']}")

    def int_schema(self, schema: core_schema.IntSchema) -> Schema:
        return super().int_schema(schema) | {"format": "int64"}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> Schema:
        inner = self.generate_inner(schema["schema"])
        if "type" not in inner or "enum" in inner:
            return {"anyOf": [inner, {"type": "null"}]}
        return inner | {"type": [inner["type"], "null"]}

    def field_title_should_be_set(self, _: Any) -> bool:
        return False


def of_payload(kind: type[payloads.NewIncident | payloads.IncidentPatch], title: str) -> Schema:
    """Return the schema of what a caller may send."""
    schema = kind.model_json_schema(schema_generator=_OfPayloads)
    properties = {}
    for field, described in _named(schema["properties"]).items():
        when = _WHEN if described.get("format") == "date-time" else ""
        properties[field] = described | {"description": DESCRIPTIONS[field] + when}
        if kind is payloads.IncidentPatch:  # its defaults are never used
            properties[field].pop("default", None)
    return {"type": "object", "title": title, "additionalProperties": False, "properties": properties} | (
        {"required": schema["required"]} if "required" in schema else {}
    )


def _named(schema: Any) -> Any:
    """Put the names of the vocabularies in the place of their words."""
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
    """Return the schema of a field of the answer, by its type and its name."""
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
    return _object(properties, optional=frozenset({"app_id"}), title="Incident")


def _change() -> Schema:
    pair = _object({"from": {"description": "Null, or an empty list, for a field that was unset."}, "to": {}})
    return _object(
        {
            "version": {
                "type": "integer", "minimum": 1, "description": "1 is the create; an ETag is the last version.",
            },
            "at": _TIMESTAMP,
            "by": {"type": "string", "description": DESCRIPTIONS["created_by"]},
            "action": {"type": "string", "enum": [*model.ACTIONS]},
            "changes": {"type": "object", "additionalProperties": pair, "description": "By field; {} for the create."},
            "dates": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "For an incident that a finding made: where in its event each date was read.",
            },
        },
        optional=frozenset({"dates"}),
        title="Change",
    )  # fmt: skip


def _page_of(name: str) -> Schema:
    cursor = {"type": ["string", "null"], "description": "For the parameter `cursor`; null on the last page."}
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
        description="Of some incidents, in minutes. Null where n is 0.",
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
    group = {"type": ["string", "null"], "description": "Null for the incidents that have none."}
    counts = _object(dict.fromkeys(map(str, metric_definitions.METRICS), _COUNT), title="MetricCounts")
    answer = _object(
        {
            "from": day,
            "to": day,
            "as_of": _TIMESTAMP | {"description": metric_definitions.DEFINITIONS["as_of"]},
            **of_metrics,
            "groups": {"type": "array", "items": reference("MetricsGroup")},
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
        "MetricsSpan": _object({"from": day, "to": day, **of_metrics}, title="MetricsSpan"),
        "Metrics": answer,
    }


def problem_name(error: type[errors.IncidentError]) -> str:
    return f"{error.__name__}Problem"


def _problems() -> dict[str, Schema]:
    """Return a schema for each error: a problem document (RFC 9457) whose type is a constant."""
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
        problem_name(error): problem(status, title, error.__doc__ or "", more.get(error))
        for error, (status, title) in responses.STATUS_OF.items()
    }


def problem(status: int, title: str, description: str, more: Mapping[str, Schema] | None = None) -> Schema:
    return _object(
        {
            "type": {"type": "string", "const": responses.problem_type(title)},
            "title": {"type": "string", "const": title},
            "status": {"type": "integer", "const": status},
            "detail": {"type": "string", "description": "What is wrong, and what would be right."},
            "request_id": {"type": "string", "description": "By which the operators find this request."},
            **(more or {}),
        },
        title=title,
        description=" ".join(description.split()),
    )


def all_schemas() -> dict[str, Schema]:
    """Return every schema of the document, by its name."""
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
        "Violation": _object(rule, title="Violation", description="A value that breaks a rule; 50 are shown at most."),
        **_problems(),
        "InternalErrorProblem": problem(500, "Internal error", "Something went wrong on the server's side."),
        "GatewayMessage": _object(
            {"message": {"type": ["string", "null"]}},
            title="GatewayMessage",
            description="What the gateway itself says, before a function is called.",
        ),
    }
