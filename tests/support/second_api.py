"""A second API in front of a stack's functions, as the template makes it with other parameters.

A further deployment would take half a minute. Here the routes, their scopes and the functions' settings come from the
same translated template, and nothing else changes.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from incidents_cli.local import routes
from incidents_cli.local.local_stack import Stack, operation_name

from tests.support.checkout import PATH, Checkout
from tests.support.templates import operations

OF_TOKENS = ("JWT_ISSUER", "TOKEN_CLAIMS")


class SecondApi:
    """Some operations of a stack. They have the stack's own parameters until ``serve`` sets others."""

    def __init__(self, stack: Stack, names: Collection[str]) -> None:
        self._stack, self._template = stack, routes.DeployedTemplate(stack)
        self._gateway, self._lambda = stack.client("apigatewayv2"), stack.client("lambda")
        self._events = {
            logical_id: event["Properties"]
            for logical_id, function in operations().items()
            for event in function["Events"].values()
            if operation_name(logical_id) in names
        }
        self._before = {name: self._settings(name) for name in self._events}
        self._api = self._gateway.create_api(Name="second", ProtocolType="HTTP")["ApiId"]
        self._gateway.create_stage(ApiId=self._api, StageName="$default", AutoDeploy=True)
        self.url = f"{stack.endpoint_url}/_aws/execute-api/{self._api}{PATH}"

    def serve(self, **parameters: str) -> None:
        """Serve the operations as if the stack was deployed with these parameters."""
        template = self._template.changed(**parameters)
        for name, before in self._before.items():
            variables = {one: template.member(name, "Environment", "Variables", one) for one in OF_TOKENS}
            self._set(name, before | variables)
        body = template.member("Api", "Body")
        wanted = [(event["Path"], event["Method"].lower()) for event in self._events.values()]
        body["paths"] = {
            path: {method: one for method, one in methods.items() if (path, method) in wanted}
            for path, methods in body["paths"].items()
        }
        for route in self._gateway.get_routes(ApiId=self._api)["Items"]:
            self._gateway.delete_route(ApiId=self._api, RouteId=route["RouteId"])
        routes.create_from(body, self._stack, self._api)

    def remove(self) -> None:
        """Give the functions their own settings again."""
        self._gateway.delete_api(ApiId=self._api)
        for name, before in self._before.items():
            self._set(name, before)

    def _settings(self, name: str) -> dict[str, str]:
        configuration = self._lambda.get_function_configuration(FunctionName=self._function(name))
        return dict(configuration["Environment"]["Variables"])

    def _set(self, name: str, variables: dict[str, str]) -> None:
        self._lambda.update_function_configuration(
            FunctionName=self._function(name), Environment={"Variables": variables}
        )

    def _function(self, name: str) -> str:
        return (self._stack.functions or {})[operation_name(name)]


@contextmanager
def second_api(stack: Checkout, names: Collection[str]) -> Iterator[SecondApi]:
    api = SecondApi(Stack(stack.port, stack.status["access_key_id"]).discover(), names)
    try:
        yield api
    finally:
        api.remove()
