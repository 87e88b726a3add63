"""The stack that an operator's command uses: the local stack, or a stack in the operator's AWS account.

Commands use clients that are ``guarded`` for a tenant's metrics and for the account map. ``storage.guard`` checks the
requests of these clients, as it checks the requests of the functions.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer
from incidents.domain import model
from incidents.storage import guard

from ..console import StepFailed, stderr
from ..local.emulator import running_stack
from ..local.local_stack import NAME, Stack, StackFolder

if TYPE_CHECKING:
    import boto3
    from incidents.storage.account_map import AccountMap
    from incidents.storage.settings import Settings, TenantSettings
    from mypy_boto3_dynamodb import DynamoDBClient

StackOption = Annotated[str | None, typer.Option("--stack", help="Use this stack on AWS. Default: the local stack.")]
RegionOption = Annotated[
    str | None, typer.Option("--region", help="Use this AWS region. Default: the AWS CLI's setting.")
]
TableOption = Annotated[
    str | None, typer.Option("--table", help="Use this table, for example a restored one. Default: the stack's table.")
]


class Deployment:
    """A deployed stack, with boto3 clients for its AWS services, its outputs and the name of its table."""

    def __init__(self, stack: str | None, region: str | None) -> None:
        self._name, self._region = stack, region
        self._local: Stack | None = None if stack else running_stack(StackFolder())

    def client(self, service: str) -> Any:
        """Return a boto3 client for an AWS service. For the local stack, the client calls the emulator."""
        if self._local is not None:
            return self._local.client(service)  # type: ignore[call-overload]
        return self._session.client(service)  # type: ignore[call-overload]

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name. Raises StepFailed if the stack cannot be read."""
        return {output["OutputKey"]: output["OutputValue"] for output in self._described["Outputs"]}

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The values of the stack's parameters by name. Raises StepFailed if the stack cannot be read."""
        given = self._described.get("Parameters", [])
        return {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in given}

    @cached_property
    def _described(self) -> dict[str, Any]:
        cloudformation = self.client("cloudformation")
        try:
            described: dict[str, Any] = cloudformation.describe_stacks(StackName=self._name or NAME)["Stacks"][0]
        except cloudformation.exceptions.ClientError as error:
            raise StepFailed(
                f"The stack {self._name} cannot be read.", f"  {error}",
                "Check that --stack, --region and your credentials belong to the deployment.",
            ) from None  # fmt: skip
        return described

    @property
    def table_name(self) -> str:
        return self.outputs["TableName"]

    @cached_property
    def guarded_dynamodb(self) -> "DynamoDBClient":
        """A DynamoDB client that sends only requests for the tenant that ``guard.serving_tenant`` names."""
        return guarded(self.client("dynamodb"))

    @contextmanager
    def settings_of(self, tenant_id: str) -> Iterator["TenantSettings"]:
        """Yield a tenant's settings, and let the client reach this tenant. Raises StepFailed for an invalid id."""
        from incidents.storage.settings import TenantSettings  # takes 0.4 s (botocore), so `--help` does not import it

        if not model.TENANT_ID.fullmatch(tenant_id):
            raise StepFailed(
                "The tenant id is not valid.", f"  {tenant_id}", f"A tenant id has {model.TENANT_ID_RULE}."
            )
        with guard.serving_tenant(tenant_id):
            yield TenantSettings(tenant_id, self.guarded_dynamodb, self.table_name)

    def caller(self) -> str:
        """Return the ARN of the identity that runs the command."""
        arn: str = self.client("sts").get_caller_identity()["Arn"]
        return arn

    def account_map(self) -> "AccountMap":
        """Return the account map of the stack's table."""
        return account_map(self.client("dynamodb"), self.table_name)

    @cached_property
    def _session(self) -> "boto3.Session":
        import boto3  # takes 0.5 s, so `--help` does not import it
        from botocore.config import Config
        from botocore.session import get_session

        patient = get_session()
        # A command may take long. So its clients make up to 12 attempts, and slow down when AWS throttles them.
        patient.set_default_client_config(Config(retries={"mode": "adaptive", "total_max_attempts": 12}))
        return boto3.Session(botocore_session=patient, region_name=self._region)


def guarded(client: "DynamoDBClient") -> "DynamoDBClient":
    """Let the guard check every request of a client, as in the functions. Return the same client."""
    guard.watch(client)
    return client


def account_map(client: "DynamoDBClient", table_name: str) -> "AccountMap":
    """Return the account map of a table. The guard checks the map's requests."""
    from incidents.storage.account_map import AccountMap  # takes 0.4 s (botocore), so `--help` does not import it

    return AccountMap(guarded(client), table_name)


def with_versions(settings: "TenantSettings", name: str) -> "tuple[Settings | None, list[Settings]]":
    """Return the current settings with a name, or None without settings, and all stored versions, oldest first."""
    current = settings.read(name)
    versions = [settings.read(name, version) for version in range(1, current.version + 1)] if current else []
    return current, [stored for stored in versions if stored is not None]


def print_versions(tenant_id: str, versions: "list[Settings]") -> None:
    """Print each version of a tenant's settings with its author and time, or a line for no settings."""
    for stored in versions:
        stderr.print(f"version {stored.version}  {stored.changed_at}  {stored.changed_by}", markup=False)
    if not versions:
        stderr.print(f"The tenant {tenant_id} has no settings, so these are the defaults.", markup=False)
