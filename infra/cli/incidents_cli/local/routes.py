"""Create the HTTP API's routes and authorizer on the emulator.

AWS creates the routes and the authorizer from the OpenAPI body that SAM writes into the template. The emulator ignores
this body, so this module reads the body instead. Therefore, nobody has to maintain a second list of routes.
"""

import re
from copy import copy
from typing import TYPE_CHECKING, Any

from .local_stack import NAME, Stack

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2.type_defs import CorsTypeDef

_METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})


def create(stack: Stack) -> list[str]:
    """Replace the API's routes with the routes in its OpenAPI body. Return keys like ``GET /api/v1/grc/incidents``."""
    _remove_all(stack)
    return create_from(DeployedTemplate(stack).member("Api", "Body"), stack, stack.api_id)


def create_from(body: dict[str, Any], stack: Stack, api_id: str) -> list[str]:
    """Create the routes and the authorizer of an OpenAPI body in an API without routes, and return the routes' keys."""
    api = stack.client("apigatewayv2")
    authorizers = {}
    for name, scheme in body["components"]["securitySchemes"].items():
        wanted = scheme["x-amazon-apigateway-authorizer"]
        authorizers[name] = api.create_authorizer(
            ApiId=api_id,
            Name=name,
            AuthorizerType="JWT",
            IdentitySource=[wanted["identitySource"]],
            JwtConfiguration={
                "Issuer": wanted["jwtConfiguration"]["issuer"],
                "Audience": wanted["jwtConfiguration"]["audience"],
            },
        )["AuthorizerId"]
    if cors := body.get("x-amazon-apigateway-cors"):
        configuration: CorsTypeDef = {name[0].upper() + name[1:]: value for name, value in cors.items()}  # type: ignore[assignment]
        api.update_api(ApiId=api_id, CorsConfiguration=configuration)
    made = []
    for path, operations in body["paths"].items():
        for method in _METHODS.intersection(operations):
            integration = operations[method]["x-amazon-apigateway-integration"]
            target = api.create_integration(
                ApiId=api_id,
                IntegrationType="AWS_PROXY",
                IntegrationUri=integration["uri"],
                PayloadFormatVersion=integration["payloadFormatVersion"],
            )["IntegrationId"]
            security: dict[str, Any] = {}
            for requirement in operations[method].get("security", []):
                for name, scopes in requirement.items():
                    if name == "NONE":  # SAM writes NONE for a public route
                        continue
                    security = {
                        "AuthorizationType": "JWT",
                        "AuthorizerId": authorizers[name],
                        "AuthorizationScopes": scopes,
                    }
            route = f"{method.upper()} {path}"
            api.create_route(ApiId=api_id, RouteKey=route, Target=f"integrations/{target}", **security)
            made.append(route)
    return sorted(made)


def _remove_all(stack: Stack) -> None:
    api, of_api = stack.client("apigatewayv2"), {"ApiId": stack.api_id}
    for route in api.get_routes(**of_api)["Items"]:
        api.delete_route(**of_api, RouteId=route["RouteId"])
    for integration in api.get_integrations(**of_api)["Items"]:
        api.delete_integration(**of_api, IntegrationId=integration["IntegrationId"])
    for authorizer in api.get_authorizers(**of_api)["Items"]:
        api.delete_authorizer(**of_api, AuthorizerId=authorizer["AuthorizerId"])


class DeployedTemplate:
    """The template as SAM transformed it, with the deployed parameters.

    This class resolves the intrinsic functions that SAM leaves in the template. AWS::NoValue removes a list's item or a
    member.
    """

    def __init__(self, stack: Stack) -> None:
        cloudformation = stack.client("cloudformation")
        answer: Any = cloudformation.get_template(StackName=NAME, TemplateStage="Processed")
        template: dict[str, Any] = answer["TemplateBody"]
        self._resources, self._conditions = template["Resources"], template["Conditions"]
        described = cloudformation.describe_stacks(StackName=NAME)["Stacks"][0]
        _, _, _, region, account, _ = described["StackId"].split(":", 5)
        self._values: dict[str, Any] = {
            "AWS::Partition": "aws",
            "AWS::Region": region,
            "AWS::AccountId": account,
            "AWS::StackName": NAME,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": None,
        }
        for parameter in described.get("Parameters", []):
            self._values[parameter["ParameterKey"]] = parameter["ParameterValue"]
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=NAME):
            for part in page["StackResourceSummaries"]:
                self._values[part["LogicalResourceId"]] = part["PhysicalResourceId"]
                if part["ResourceType"] == "AWS::Lambda::Function":
                    arn = f"arn:aws:lambda:{region}:{account}:function:{part['PhysicalResourceId']}"
                    self._values[f"{part['LogicalResourceId']}.Arn"] = arn
                if part["ResourceType"] == "AWS::CloudFormation::Stack":
                    nested = cloudformation.describe_stacks(StackName=part["PhysicalResourceId"])["Stacks"][0]
                    for output in nested.get("Outputs", []):
                        name = f"{part['LogicalResourceId']}.Outputs.{output['OutputKey']}"
                        self._values[name] = output["OutputValue"]

    def changed(self, **parameters: str) -> "DeployedTemplate":
        """Return the same template with other parameters."""
        other = copy(self)
        other._values = self._values | parameters
        return other

    def member(self, resource: str, *path: str) -> Any:
        """Return a property of a resource, or a member of the property, without intrinsic functions."""
        value = self._resources[resource]["Properties"]
        for name in path:
            value = value[name]
        return self.resolve(value)

    def resolve(self, value: Any) -> Any:
        match value:
            case {"Ref": name}:
                return self._values[name]
            case {"Fn::GetAtt": [name, attribute]}:
                return self._values[f"{name}.{attribute}"]
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([^}]+)\}", lambda placeholder: self._values[placeholder[1]], text)
            case {"Fn::Split": [separator, joined]}:
                return self.resolve(joined).split(separator)
            case {"Fn::If": [condition, then, otherwise]}:
                return self.resolve(then if self.resolve(self._conditions[condition]) else otherwise)
            case {"Fn::Not": [condition]}:
                return not self.resolve(condition)
            case {"Fn::Equals": [left, right]}:
                return self.resolve(left) == self.resolve(right)
            case dict():
                members = {name: self.resolve(member) for name, member in value.items()}
                return {name: member for name, member in members.items() if member is not None}
            case list():
                items = [self.resolve(member) for member in value]
                return [item for item in items if item is not None]
        return value
