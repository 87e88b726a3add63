"""Reads the templates as data, with intrinsic functions in their long form."""

import json
import pickle
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from incidents_cli.local.sam import SAM

CHECKOUT = Path(__file__).parents[2]
STORAGE = CHECKOUT / "infra" / "storage.yaml"


class _Loader(yaml.CSafeLoader):
    """Reads a template's YAML. The import of cfn-lint's own reader would take two seconds of every run."""


def _intrinsic(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    """Return the long form of ``!Name ...``."""
    value: Any
    match node:
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            value = loader.construct_mapping(node, deep=True)
        case _:
            value = node.value.split(".", 1) if name == "GetAtt" else node.value
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def read(path: Path) -> dict[str, Any]:
    template: dict[str, Any] = pickle.loads(_read(path.read_text()))  # noqa: S301  # a copy, which a test may change
    return template


@cache
def _read(text: str) -> bytes:
    return pickle.dumps(yaml.load(text, _Loader))  # noqa: S506


def service() -> dict[str, Any]:
    return read(CHECKOUT / "template.yaml")


def functions() -> dict[str, dict[str, Any]]:
    """Return the properties of each function in the template, by logical id."""
    resources = service()["Resources"]
    return {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


@cache
def translated() -> dict[str, Any]:
    """Return the service's template as SAM translates it for CloudFormation. The translation takes two seconds."""
    if shutil.which(SAM[0]) is None:
        pytest.skip("SAM's translator needs uvx")
    command = (*SAM[:-1], "python", "-m", "tests.support.translate")
    done = subprocess.run(
        command, cwd=CHECKOUT, input=json.dumps(service()), capture_output=True, text=True, check=True
    )
    template: dict[str, Any] = json.loads(done.stdout)
    return template


def scopes_of(route: dict[str, Any]) -> list[str]:
    """Return the scopes of a route if the gateway checks them, which depends on the condition GatewayReadsScopes."""
    return [one["Fn::If"][1] for one in route["Auth"]["AuthorizationScopes"]]


DOCUMENTATION, CONSOLE = "GetDocumentation", "GetConsole"
OPTIONAL = {CONSOLE: "HasConsole", "SealHistory": "SealsHistory"}
"""The functions that a stack may lack, and the condition of each."""
PUBLIC = {DOCUMENTATION: "infra/functions/documentation/", CONSOLE: "infra/functions/console/"}
"""The only functions that answer without a token, and where their code is. It is not in functions/."""


def operations() -> dict[str, dict[str, Any]]:
    """Return, by logical id, the properties of each function that answers HTTP requests with a token."""
    return {
        name: properties
        for name, properties in functions().items()
        if any(event["Type"] == "HttpApi" for event in properties.get("Events", {}).values()) and name not in PUBLIC
    }


def table() -> dict[str, Any]:
    """Return the keys and indexes of the deployed table, without its stream.

    With a stream, DynamoDB Local becomes slower with each record that it keeps.
    """
    properties = read(STORAGE)["Resources"]["Incidents"]["Properties"]
    wanted = ("AttributeDefinitions", "KeySchema", "BillingMode")
    indexes = [
        {name: value for name, value in index.items() if name != "OnDemandThroughput"}
        for index in properties["GlobalSecondaryIndexes"]
    ]
    return {name: properties[name] for name in wanted} | {"GlobalSecondaryIndexes": indexes}


def stream() -> dict[str, Any]:
    """Return the definition of the deployed table's stream, as CreateTable and UpdateTable take it."""
    specification = read(STORAGE)["Resources"]["Incidents"]["Properties"]["StreamSpecification"]
    return {"StreamSpecification": {"StreamEnabled": True, **specification}}


def no_stream() -> dict[str, Any]:
    """Return the arguments with which UpdateTable ends the stream.

    Without the stream, DynamoDB Local does not store the stream records, which these tests never read.
    """
    return {"StreamSpecification": {"StreamEnabled": False}}
