"""A second API in front of a stack's functions, as the template makes it with other parameters.

A further deployment takes half a minute. Here the routes, their scopes and the functions' settings come from the same
translated template, and only they change.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from incidents_cli.local import routes
from incidents_cli.local.local_stack import Stack, operation_name

from tests.support.checkout import PATH, Checkout
from tests.support.templates import operations

OF_TOKENS = ("JWT_ISSUER", "TOKEN_CLAIMS")


@contextmanager
def served(stack: Checkout, names: Collection[str], **parameters: str) -> Iterator[str]:
    """Serve these operations with other parameters; yield the incidents' URL. Restore the functions at the end."""
    deployed = Stack(stack.port).discover()
    template, functions = routes.DeployedTemplate(deployed, **parameters), deployed.functions or {}
    lambda_, gateway = deployed.client("lambda"), deployed.client("apigatewayv2")
    before = {}
    api = gateway.create_api(Name="second", ProtocolType="HTTP")["ApiId"]
    try:
        for logical_id in operations():
            function = functions[operation_name(logical_id)]
            if operation_name(logical_id) in names:
                kept = lambda_.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
                before[function] = kept
                variables = {name: template.member(logical_id, "Environment", "Variables", name) for name in OF_TOKENS}
                lambda_.update_function_configuration(
                    FunctionName=function, Environment={"Variables": {**kept, **variables}}
                )
        routes.create_from(template.member("Api", "Body"), deployed, api)
        gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
        yield f"{deployed.endpoint_url}/_aws/execute-api/{api}{PATH}"
    finally:
        gateway.delete_api(ApiId=api)
        for function, variables in before.items():
            lambda_.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
