"""The OpenAPI document is the code's: generated, valid, and true of every operation, error and example."""

import importlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from incidents import http_api, model
from incidents_cli import openapi
from incidents_cli.openapi.schemas import DESCRIPTIONS
from incidents_cli.stack import operation_name
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support import templates

DOCUMENT: dict[str, Any] = json.loads(openapi.FILE.read_text())
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
WITH_A_TOKEN = {name: found for name, found in OPERATIONS.items() if found[2]["security"]}


def test_it_is_what_the_code_gives_now() -> None:
    assert openapi.FILE.read_text() == openapi.text(), "run: incidents openapi"


def test_it_is_a_valid_document() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_operation_is_in_it_with_its_route_and_scope() -> None:
    assert set(WITH_A_TOKEN) == {operation_name(name) for name in templates.operations()}
    for name, (method, path, operation) in WITH_A_TOKEN.items():
        module = importlib.import_module(name)
        assert (module.__doc__ or "").startswith(f"{method} {path}: ")
        assert operation["security"] == [{"jwt": [module.handler.scope]}]
        variables = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
        assert variables == (["incident_id"] if "{incident_id}" in path else [])


def test_every_public_route_is_in_it() -> None:
    public = {f"{method} {path}" for method, path, operation in OPERATIONS.values() if operation["security"] == []}
    events = templates.functions()[templates.DOCUMENTATION]["Events"].values()
    assert public == {f"{event['Properties']['Method']} {event['Properties']['Path']}" for event in events}


def test_every_field_is_described_and_every_error_documented() -> None:
    assert set(DESCRIPTIONS) == set(model.FIELDS)
    documented = {
        schema["$ref"].rpartition("/")[2]
        for answer in DOCUMENT["components"]["responses"].values()
        for content in answer["content"].values()
        for schema in content["schema"].get("oneOf", [content["schema"]])
    }
    raised = {f"{error.__name__}Problem" for error in http_api.STATUS_OF}
    assert raised | {"InternalErrorProblem", "GatewayMessage"} == documented
    for error, (status, title) in http_api.STATUS_OF.items():
        properties = DOCUMENT["components"]["schemas"][f"{error.__name__}Problem"]["properties"]
        assert (properties["status"]["const"], properties["title"]["const"]) == (status, title)


def test_everything_is_explained() -> None:
    for name, (_, _, operation) in OPERATIONS.items():
        assert operation["summary"], name
        for parameter in operation["parameters"]:
            assert parameter["description"], (name, parameter["name"])
        for status, answer in operation["responses"].items():
            assert "$ref" in answer or answer["description"], (name, status)


def examples(place: str, node: Any) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield each example below a node: where it stands, its schema, its value."""
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
def test_every_example_is_what_its_schema_says(schema: dict[str, Any], value: Any) -> None:
    validator(schema).validate(value)


def test_there_is_an_example_of_every_body() -> None:
    for name, (_, _, operation) in WITH_A_TOKEN.items():
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        bodies += [answer for status, answer in operation["responses"].items() if status in ("200", "201")]
        for body in bodies:
            for media_type, content in body["content"].items():
                assert content["examples"], (name, media_type)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NewIncident", {}),
        ("NewIncident", {"title": ""}),
        ("NewIncident", {"title": "x", "titel": "x"}),
        ("NewIncident", {"title": "x", "severity": "terrible"}),
        ("NewIncident", {"title": "x", "detected_at": "yesterday"}),
        ("NewIncident", {"title": "x", "tags": ["a"] * 51}),
        ("NewIncident", {"title": "x", "affected_asset_ids": ["a", "a"]}),
        ("NewIncident", {"title": "x", "financial_impact": -1}),
        ("NewIncident", {"title": "x", "incident_number": "A#1"}),
        ("NewIncident", {"title": "x", "is_deleted": False}),
        ("IncidentPatch", {"title": None}),
        ("IncidentPatch", {"created_at": "2026-11-23T00:00:00Z"}),
        ("Incident", {}),
    ],
)
def test_what_the_service_refuses_the_schema_refuses(name: str, value: object) -> None:
    assert not validator({"$ref": f"#/components/schemas/{name}"}).is_valid(value)


def test_a_patch_has_no_defaults_which_would_be_sent_by_generators() -> None:
    assert "default" not in json.dumps(DOCUMENT["components"]["schemas"]["IncidentPatch"])
