"""Tests that the OpenAPI document is generated from the code and is valid.

The document must be correct for every operation, error and example.
"""

import importlib
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any
from urllib.parse import urljoin, urlsplit

import pytest
from incidents.domain import errors, model, payloads, wire_form
from incidents.edges import parameters, responses
from incidents.storage.stored_form import Created, Stored
from incidents_cli.documents import openapi
from incidents_cli.documents.openapi import examples as examples_of_the_generator
from incidents_cli.documents.openapi.schemas import DESCRIPTIONS, of_payload
from incidents_cli.local.local_stack import operation_name
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BeforeValidator
from pydantic_core import PydanticUndefined

from tests.support import templates

DOCUMENT: dict[str, Any] = json.loads(openapi.FILE.read_text())
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
WITH_A_TOKEN = {name: found for name, found in OPERATIONS.items() if found[2]["security"]}


def test_the_committed_document_is_the_one_generated_from_the_code() -> None:
    assert openapi.FILE.read_text() == openapi.text(), "run: incidents openapi"


def test_the_document_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_the_document_has_every_operation_with_its_route_and_scope() -> None:
    assert set(WITH_A_TOKEN) == {operation_name(name) for name in templates.operations()}
    for name, (method, path, operation) in WITH_A_TOKEN.items():
        module = importlib.import_module(name)
        assert (module.__doc__ or "").startswith(f"{method} {path}: ")
        assert operation["security"] == [{"jwt": [module.handler.scope]}]
        variables = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
        assert variables == (["incident_id"] if "{incident_id}" in path else [])


def test_the_document_has_every_public_route() -> None:
    public = {f"{method} {path}" for method, path, operation in OPERATIONS.values() if operation["security"] == []}
    events = templates.functions()[templates.DOCUMENTATION]["Events"].values()
    assert public == {f"{event['Properties']['Method']} {event['Properties']['Path']}" for event in events}


def test_the_document_describes_every_field_and_every_error() -> None:
    assert set(DESCRIPTIONS) == set(model.FIELDS)
    documented = {
        schema["$ref"].rpartition("/")[2]
        for answer in DOCUMENT["components"]["responses"].values()
        for content in answer["content"].values()
        for schema in content["schema"].get("oneOf", [content["schema"]])
    }
    raised = {f"{error.__name__}Problem" for error in responses.STATUS_OF}
    assert raised | {"InternalErrorProblem", "GatewayMessage"} == documented
    for error, (status, title) in responses.STATUS_OF.items():
        properties = DOCUMENT["components"]["schemas"][f"{error.__name__}Problem"]["properties"]
        assert (properties["status"]["const"], properties["title"]["const"]) == (status, title)


def test_every_operation_parameter_and_response_has_a_description() -> None:
    for name, (_, _, operation) in OPERATIONS.items():
        assert operation["summary"], name
        for parameter in operation["parameters"]:
            assert parameter["description"], (name, parameter["name"])
        for status, answer in operation["responses"].items():
            assert "$ref" in answer or answer["description"], (name, status)


def examples(place: str, node: Any) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield the path, the schema and the value of each example below a node of the document."""
    if isinstance(node, dict):
        for name, example in node.get("examples", {}).items():
            yield f"{place}/{name}", node["schema"], example["value"]
        for name, member in node.items():
            yield from examples(f"{place}/{name}", member)


EXAMPLES = [
    *examples("paths", DOCUMENT["paths"]),
    *examples("responses", DOCUMENT["components"]["responses"]),
]


def validator(schema: dict[str, Any]) -> Any:
    whole = {"$schema": Draft202012Validator.META_SCHEMA["$id"], "components": DOCUMENT["components"], **schema}
    return Draft202012Validator(whole, format_checker=FormatChecker(["date-time", "date"]))


@pytest.mark.parametrize(("schema", "value"), [one[1:] for one in EXAMPLES], ids=[one[0] for one in EXAMPLES])
def test_every_example_conforms_to_its_schema(schema: dict[str, Any], value: Any) -> None:
    validator(schema).validate(value)


def test_every_request_and_response_body_has_an_example() -> None:
    for name, (_, _, operation) in WITH_A_TOKEN.items():
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        bodies += [answer for status, answer in operation["responses"].items() if status in ("200", "201")]
        for body in bodies:
            for media_type, content in body["content"].items():
                assert content["examples"], (name, media_type)


TEXTS = [
    "",
    "x",
    "x" * 64,
    "x" * 65,
    "x" * 300,
    "x" * 301,
    "x" * 2048,
    "x" * 2049,
    "é" * 300,
    "A#1",
    "Ä-7",
    "INC-2026-000042",
]
VALUES: list[object] = [
    None, True, False, 0, -1, -1000, 1, 5_000_000_000, 5_000_000_001, 10**15, 10**15 + 1, [], ["x"], ["x", "x"], [""],
    ["x" * 256], ["x" * 257],
    ["x" * 2048], ["x" * 2049], ["x"] * 51, [str(n) for n in range(50)], [str(n) for n in range(51)],
    [str(n) for n in range(500)], [str(n) for n in range(501)], [1], {}, {"a": 1}, "x" * 32_768, "x" * 32_769,
    "2026-11-20T08:30:00Z", "2026-11-20",
    "2026-11-20T08:30:00", "2026-11-20t08:30:00.1234567+14:00", "yesterday", *TEXTS, *model.STATUSES, *model.SEVERITIES,
    *model.SOURCE_TYPES,
]  # fmt: skip
# The service refuses values for reasons that a schema cannot express: bytes, equality with the stored value, nulls in a
# patch, blanks, the number of different tags, and the names of reports. The description names them.
LAXER = {"incident_number", "lessons_learned", "regulatory_reports", "category", "tags"}


@pytest.mark.parametrize("field", payloads.IncidentPatch.model_fields)
def test_a_schema_allows_the_values_that_the_service_accepts(field: str) -> None:
    unset = {"lessons_learned": None, "regulatory_reports": None}
    incident = json.loads(wire_form.dump_incident(examples_of_the_generator.stored())) | unset
    kinds: list[tuple[str, Callable[[object], object]]] = [
        ("IncidentPatch", lambda body: payloads.patch(body, incident))
    ]
    if field in payloads.NewIncident.model_fields:
        kinds.append(("NewIncident", payloads.new_incident))
    for kind, take in kinds:
        holds = validator({"$ref": f"#/components/schemas/{kind}"}).is_valid
        for value in VALUES:
            body = {"title": "x", field: value}
            try:
                take(body)
            except errors.InvalidIncident:
                taken = False
            else:
                taken = True
            assert holds(body) or not taken, f"{field}: the service accepts {value!r}, but {kind} refuses it"
            assert taken or not holds(body) or field in LAXER, (
                f"{field}: the service refuses {value!r}, but {kind} allows it"
            )


def test_a_missing_or_unknown_field_is_refused_by_the_schema() -> None:
    for kind, body in (
        ("NewIncident", {}),
        ("NewIncident", {"title": "x", "titel": "x"}),
        ("IncidentPatch", {"id": "x"}),
    ):
        assert not validator({"$ref": f"#/components/schemas/{kind}"}).is_valid(body)
    assert not validator({"$ref": "#/components/schemas/Incident"}).is_valid({})


PARAMETERS = [
    (name, parameter) for name, (_, _, operation) in OPERATIONS.items() for parameter in operation["parameters"]
]


@pytest.mark.parametrize(("operation", "parameter"), PARAMETERS, ids=[f"{op}-{one['name']}" for op, one in PARAMETERS])
def test_the_service_accepts_the_parameter_values_that_the_schema_allows(
    operation: str, parameter: dict[str, Any]
) -> None:
    """The service must accept every word of a parameter's vocabulary, both limits and the example.

    It must refuse values just beyond the limits.
    """
    read: dict[str, Callable[[dict[str, list[str]]], object]] = {
        "list_incidents": parameters.list_request,
        "list_incident_changes": parameters.changes_request,
        "list_incident_findings": parameters.changes_request,
        "list_incident_updates": parameters.updates_request,
        "get_incident_deadlines": parameters.deadlines_request,
        "list_deadlines": parameters.board_request,
        "get_incident_metrics": parameters.metrics_window,
    }
    holds = validator(parameter["schema"]).is_valid
    if "example" in parameter:
        assert holds(parameter["example"])
    if parameter["in"] != "query" or parameter["name"] == "cursor":
        return
    schema = parameter["schema"]
    one = schema.get("items", schema)
    one = DOCUMENT["components"]["schemas"][one["$ref"].rpartition("/")[2]] if "$ref" in one else one
    values = [*one.get("enum", []), "foreign", "", *(str(one[end] + step) for end in ("minimum", "maximum")
              if end in one for step in (-1, 0, 1)), *("x" * (one["maxLength"] + step) for step in (0, 1)
              if "maxLength" in one), "true", "false", "2026-10-01", "2026-10-01T00:00:00Z"]  # fmt: skip
    for value in values:
        typed: object = int(value) if one.get("type") == "integer" and value.isdecimal() else value
        typed = {"true": True, "false": False}.get(value, value) if one.get("type") == "boolean" else typed
        allowed = holds([typed] if "items" in schema else typed)
        try:
            read[operation]({parameter["name"]: [value]})
        except errors.MalformedRequest:
            taken = False
        else:
            taken = True
        assert taken == allowed, f"{parameter['name']}={value}"


def test_an_incident_s_response_has_the_documented_headers() -> None:
    incident = examples_of_the_generator.stored()
    stored = Stored(incident, {})
    made = responses.created(Created(stored, replayed=True))
    for answer, operation, status in (
        (made, "create_incident", "201"),
        (responses.incident(stored), "get_incident", "200"),
        (responses.incident(stored), "update_incident", "200"),
    ):
        documented = OPERATIONS[operation][2]["responses"][status]["headers"]
        assert {name.lower() for name in documented} == set(answer.headers) - {"content-type"}
        for name, header in documented.items():
            validator(header["schema"]).validate(answer.headers[name.lower()])


def test_the_generator_fails_at_an_unknown_validator_of_a_field() -> None:
    class Checked(payloads.NewIncident):
        title: Annotated[str, BeforeValidator(lambda value: value)]

    with pytest.raises(NotImplementedError):
        of_payload(Checked, "Checked")


@pytest.mark.parametrize("body", ["NewIncident", "IncidentPatch"])
def test_no_member_of_a_body_has_a_default_that_generators_would_require_or_send(body: str) -> None:
    for schema in DOCUMENT["components"]["schemas"][body]["properties"].values():
        assert "default" not in schema


def test_the_description_of_a_member_names_its_default() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for field, info in payloads.NewIncident.model_fields.items():
        if info.default not in (None, PydanticUndefined):
            assert f"By default `{info.default}`." in schemas["NewIncident"]["properties"][field]["description"]
            assert "By default" not in schemas["IncidentPatch"]["properties"][field]["description"]


def test_no_parameter_has_a_value_that_the_documentation_page_would_send_as_a_filter() -> None:
    for name, parameter in PARAMETERS:
        assert {"example", "examples"}.isdisjoint({*parameter, *parameter["schema"]}), (name, parameter["name"])
        if "default" in parameter["schema"]:  # the page sends the default, which must change nothing
            assert parameter["name"] in {"limit", "order", "include_deleted", "group_by", "interval", "history"}


def test_the_example_that_the_page_prefills_for_a_patch_is_accepted_by_every_incident() -> None:
    first, *_ = OPERATIONS["update_incident"][2]["requestBody"]["content"]["application/json"]["examples"].values()
    assert set(first["value"]) == {"status", "owner_id"}
    for status, allowed in model.ALLOWED_TRANSITIONS.items():
        assert first["value"]["status"] in (status, *allowed)


def test_the_first_server_is_an_absolute_url_and_the_last_leads_from_the_document_to_its_api() -> None:
    first, last = DOCUMENT["servers"]
    url = first["url"].format(**{name: variable["default"] for name, variable in first["variables"].items()})
    assert urlsplit(url)[:2] == ("https", "api.example")
    served = "https://h.example/stage/prefix/api/v1/grc/incidents/openapi.json"
    assert urljoin(served, last["url"]).rstrip("/") == "https://h.example/stage/prefix"


STATUSES_OF_BOTH = [
    (name, status, {kind: content["schema"] for kind, content in answer["content"].items()})
    for name, (_, _, operation) in WITH_A_TOKEN.items()
    for status, reference in operation["responses"].items()
    if "$ref" in reference
    for answer in [DOCUMENT["components"]["responses"][reference["$ref"].rpartition("/")[2]]]
    if len(answer["content"]) == 2
]


@pytest.mark.parametrize(
    ("operation", "status", "schemas"), STATUSES_OF_BOTH, ids=[f"{one[0]}-{one[1]}" for one in STATUSES_OF_BOTH]
)
def test_a_status_of_the_service_and_the_gateway_has_one_schema_that_holds_both_answers(
    operation: str, status: str, schemas: dict[str, Any]
) -> None:
    assert schemas["application/problem+json"] == schemas["application/json"]
    holds = validator(schemas["application/json"]).is_valid
    problem = {
        name: member.get("const", "x")
        for name, member in DOCUMENT["components"]["schemas"][schemas["application/json"]["$ref"].rpartition("/")[2]][
            "properties"
        ].items()
        if name != "message"
    }
    assert holds(problem)
    assert holds({"message": "Forbidden"})
    assert holds({"message": None})
    for name in problem:
        assert not holds({other: value for other, value in problem.items() if other != name})
        assert not holds(problem | {name: 1})


def test_a_page_of_another_origin_may_read_every_documented_header_and_the_request_id() -> None:
    _, cors, _ = templates.service()["Resources"]["Api"]["Properties"]["CorsConfiguration"]["Fn::If"]
    answers = [answer for _, _, operation in WITH_A_TOKEN.values() for answer in operation["responses"].values()]
    refusals = DOCUMENT["components"]["responses"].values()
    documented = {name.lower() for answer in (*answers, *refusals) for name in answer.get("headers", {})}

    assert set(cors["ExposeHeaders"]) == documented | {"apigw-requestid"}  # the gateway adds this header to each answer
