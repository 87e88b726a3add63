"""The bodies of requests and answers as JSON Schema, in the version 2020-12 that OpenAPI 3.1 uses.

The service refuses every body that a schema refuses, with two exceptions. It accepts timestamps in the other forms that
``timestamps`` reads. It also accepts a text that the incident already has, if a patch sends this text again. A schema
cannot express some rules, such as the order of timestamps, a number of UTF-8 bytes, or the characters of a text. The
field's description has these rules.
"""

from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from incidents.domain import (
    lists,
    model,
    payloads,
    report_names,
    summary,
    timestamps,
)
from incidents.edges import parameters
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from . import deadlines, metrics
from .json_schema import TIMESTAMP, Schema, object_with, reference

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
    "reported_to_regulators_at": "When regulators were notified. If no value is given, this is the earliest submission "
    "to a regulator in `regulatory_reports`.",
    "customer_notified_at": "When customers were notified.",
    "mttd_minutes": "Whole minutes from `occurred_at` to `detected_at`. The server derives them if both are known. A "
    "given value must then be equal.",
    "mttr_minutes": "Whole minutes from `detected_at` to `closed_at` (R is resolve). The server derives them if both "
    "are known. A given value must then be equal. A patch that reopens the incident must omit this field.",
    "financial_impact": f"The financial impact in USD, exact, with at most {model.IMPACT_DECIMALS} decimals.",
    "regulatory_reports": "The facts of the reports to regulators. A member is a regime that `reportable_to` may "
    "name. It has `anchors` (moments from which terms count), `facts`, and `stages` (submissions). A patch merges into "
    "it (RFC 7396). The deadlines follow from it. The page of deadlines lists the regimes with their anchors and "
    "stages. "
    "A name that is not known is refused, and the error lists the known names.",
    "lessons_learned": f"Any JSON of at most {model.TEXT_BYTES // 1024} KiB and {model.JSON_LEVELS} levels, with only "
    "finite numbers.",
}

_WHEN = f" RFC 3339 with an offset, which may lack its colon, from {timestamps.FIRST_YEAR} to {timestamps.LAST_YEAR}."
_WORDS = {"Status": model.STATUSES, "Severity": model.SEVERITIES, "SourceType": model.SOURCE_TYPES}
_WORDS_OF = {"status": "Status", "severity": "Severity", "source_type": "SourceType"}
_SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}

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
    "_reports": deadlines.REPORTS,
    "_whole": {},
}


_EDITS = "In place of a list, an object edits the stored list. Concurrent edits all take effect."
_OF_OPERATORS = {
    "add": "Items to add at the end. An item that the list already has stays in its place.",
    "remove": "Items to remove.",
}


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
        """Return a schema for a list or for the operators that edit the list."""
        described = self.generate_inner(schema["choices"]["list"])
        items = {"type": "array", "items": described["items"], "maxItems": model.LIST_IDS}
        operators = {name: items | {"description": _OF_OPERATORS[name]} for name in lists.OPERATORS}
        edits = {"type": "object", "properties": operators, "additionalProperties": False, "minProperties": 1}
        return {"anyOf": [described, edits]}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> Schema:
        inner = self.generate_inner(schema["schema"])
        if "anyOf" in inner:
            return {"anyOf": [*inner["anyOf"], {"type": "null"}]}
        if "type" not in inner or "enum" in inner:
            return {"anyOf": [inner, {"type": "null"}]}
        return inner | {"type": [inner["type"], "null"]}

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
        edits = f" {_EDITS}" if any("properties" in form for form in described.get("anyOf", ())) else ""
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
    if field == "regulatory_reports":
        return {"type": ["object", "null"], "additionalProperties": {"type": "object"}}
    match next(part for part in parts if part is not NoneType):
        case kind if get_origin(kind) is list:
            return {"type": "array", "items": {"type": "string"}}
        case kind:
            name = {str: "string", int: "integer", bool: "boolean"}.get(kind, "number")
            form = {"format": "date-time"} if field.endswith("_at") else {"format": "int64"} if kind is int else {}
            return {"type": [name, "null"] if nullable else name, **form}


def _incident() -> Schema:
    properties = {
        field: _of_field(field, hint) | {"description": DESCRIPTIONS[field]}
        for field, hint in get_type_hints(model.Incident).items()
    }
    properties["id"]["pattern"] = f"^{model.INCIDENT_ID.pattern}$"
    properties["version"]["minimum"] = 1
    return object_with(properties, optional=frozenset({"app_id"}), title="Incident")


def _change() -> Schema:
    pair = object_with({"from": {"description": "Null or an empty list if the field was unset."}, "to": {}})
    return object_with(
        {
            "version": {
                "type": "integer", "minimum": 1, "description": "The create is 1. The last one is the incident's ETag.",
            },
            "at": TIMESTAMP,
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
            "evidence": _SHA256 | {"description": "For a change that a finding made: the `sha256` of its event."},
            "nonce": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "Random bytes that `hash` covers."},
            "state_hash": _SHA256 | {
                "description": "The hash of the incident's values after this change. It begins a chain of hashes.",
            },
            "hash": _SHA256 | {
                "description": "The hash of this change and of the change before it. Release 0.1.0 stored no hashes.",
            },
        },
        optional=frozenset({"dates", "evidence", "nonce", "state_hash", "hash"}),
        title="Change",
    )  # fmt: skip


def _finding() -> Schema:
    texts = {"type": "array", "items": {"type": "string"}, "maxItems": summary.VALUES}
    return object_with(
        {
            "observed_at": TIMESTAMP | {"description": "When the source last saw the problem, as of this event."},
            "source": {"type": "string", "description": "The product that found the problem."},
            "adapter": {"type": "string", "description": "The part of the service that read the event."},
            "rule": {"type": "string", "description": "Why the finding became an incident."},
            "sha256": _SHA256 | {"description": "The hash of the event's canonical JSON."},
            "is_cut": {
                "type": "boolean",
                "description": "Whether notes replace parts of the event, such as too long texts.",
            },
            "summary": object_with(
                {
                    "remote_addresses": texts | {"description": "IP addresses and domains of the other side."},
                    "principals": texts | {"description": "Whose credentials were used."},
                    "link": {"type": ["string", "null"], "description": "Where the source shows the finding."},
                    "remediation": {"type": ["string", "null"], "description": "What the source advises."},
                    "processes": texts,
                    "images": texts | {"description": "Images of containers and machines."},
                    "upstream_state": {
                        "type": "object",
                        "additionalProperties": {"type": "string"},
                        "description": "The state of the finding at its source, by the source's names.",
                    },
                },
                description="The main facts of the event, by name. Later releases may add members.",
            ),
            "event": {"type": "object", "description": "The event as it was received. Do not trust its texts."},
        },
        title="Finding",
        description="An event that created or confirmed an incident.",
    )


def _page_of(name: str, things: str = "") -> Schema:
    cursor = {"type": ["string", "null"], "description": "The next page's `cursor`. Null on the last page."}
    items = {"type": "array", "items": reference(name), "maxItems": parameters.LIMIT_MAX}
    return object_with({"items": items, "next_cursor": cursor}, title=f"Page of {things or f'{name}s'}")


def _page_of_updates() -> Schema:
    """Return the schema of a page of updates, which always has a cursor."""
    properties: dict[str, Schema] = {
        "items": {"type": "array", "items": reference("Incident"), "maxItems": parameters.LIMIT_MAX},
        "next_cursor": {"type": "string", "description": "The next page's `cursor`. It stays valid: store it."},
        "caught_up": {
            "type": "boolean",
            "description": "Whether the page ends with the newest update that can be shown. If true, wait before the "
            "next request.",
        },
    }
    return object_with(properties, title="Page of updates")


def all_schemas() -> dict[str, Schema]:
    """Return the schemas of all bodies except the bodies of errors, by name.

    The extensions ``x-allowed-transitions`` and ``x-regimes`` have vocabularies that JSON Schema cannot express. The
    console is built from them.
    """
    schemas = _schemas()
    schemas["Status"]["x-allowed-transitions"] = {
        status: [*after] for status, after in model.ALLOWED_TRANSITIONS.items()
    }
    of_patch = schemas["IncidentPatch"]["properties"]
    of_patch["reportable_to"]["x-regimes"] = {
        regime: aliases[0] for regime, (_, _, aliases, _) in report_names.REGIMES.items()
    }
    return schemas


def _schemas() -> dict[str, Schema]:
    return {
        **{name: {"type": "string", "enum": [*words], "title": name} for name, words in _WORDS.items()},
        "Incident": _incident(),
        "NewIncident": of_payload(payloads.NewIncident, "NewIncident"),
        "IncidentPatch": of_payload(payloads.IncidentPatch, "IncidentPatch"),
        "IncidentPage": _page_of("Incident"),
        "Change": _change(),
        "ChangePage": _page_of("Change"),
        "Finding": _finding(),
        "FindingPage": _page_of("Finding"),
        "BoardPage": _page_of("BoardEntry", "the board of deadlines"),
        "UpdatePage": _page_of_updates(),
        **metrics.schemas(),
        **deadlines.schemas(),
    }
