"""The templates as data, intrinsic functions in their long form."""

from pathlib import Path
from typing import Any

from cfnlint.decode.cfn_yaml import load

CHECKOUT = Path(__file__).parents[2]
STORAGE = CHECKOUT / "infra" / "storage.yaml"


def read(path: Path) -> dict[str, Any]:
    template: dict[str, Any] = load(str(path))  # type: ignore[no-untyped-call]
    return template


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


DOCUMENTATION = "GetDocumentation"
"""The one function that answers without a token, and whose code is not in functions/."""


def operations() -> dict[str, dict[str, Any]]:
    """Return the properties of each function that answers over HTTP to who has a token, by logical id."""
    return {
        name: properties
        for name, properties in functions().items()
        if any(event["Type"] == "HttpApi" for event in properties.get("Events", {}).values()) and name != DOCUMENTATION
    }


def table() -> dict[str, Any]:
    """Return what of the deployed table DynamoDB itself must know: keys, indexes, stream."""
    properties = read(STORAGE)["Resources"]["Incidents"]["Properties"]
    wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    stream = {"StreamEnabled": True, **properties["StreamSpecification"]}
    indexes = [
        {name: value for name, value in index.items() if name != "OnDemandThroughput"}
        for index in properties["GlobalSecondaryIndexes"]
    ]
    return {name: properties[name] for name in wanted} | {
        "StreamSpecification": stream,
        "GlobalSecondaryIndexes": indexes,
    }
