"""The deployment that an operator's command works on: the local stack, or one in the operator's own AWS account."""

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import StepFailed
from .stack import NAME, Home, Stack

if TYPE_CHECKING:
    import boto3

StackOption = Annotated[str | None, typer.Option("--stack", help="A stack on AWS; without it, the local one.")]
RegionOption = Annotated[str | None, typer.Option("--region", help="Its AWS region; default: as for the AWS CLI.")]


TableOption = Annotated[str | None, typer.Option("--table", help="A table beside the stack's own: one restored.")]


class Target:
    """A deployed stack: clients of its services, and its outputs by name."""

    def __init__(self, stack: str | None, region: str | None) -> None:
        from .local import running_stack  # which itself links the samples' account

        self._name, self._region = stack, region
        self._local: Stack | None = None if stack else running_stack(Home())

    def client(self, service: str) -> Any:
        """Return a botocore client of a service of the stack's account and region, or of the emulator."""
        if self._local is not None:
            return self._local.client(service)  # type: ignore[call-overload]
        return self._session.client(service)  # type: ignore[call-overload]

    @cached_property
    def outputs(self) -> dict[str, str]:
        """What the template gives out. Raises StepFailed where there is no such stack."""
        cloudformation = self.client("cloudformation")
        try:
            described = cloudformation.describe_stacks(StackName=self._name or NAME)["Stacks"][0]
        except cloudformation.exceptions.ClientError as error:
            raise StepFailed(
                f"The stack {self._name} cannot be read.", f"  {error}",
                "Are --stack, --region and your credentials those of the deployment?",
            ) from None  # fmt: skip
        return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}

    @cached_property
    def _session(self) -> "boto3.Session":
        import boto3
        from botocore.config import Config
        from botocore.session import get_session

        patient = get_session()
        # A command has time: where the table throttles it, it slows down.
        patient.set_default_client_config(Config(retries={"mode": "adaptive", "total_max_attempts": 12}))
        return boto3.Session(botocore_session=patient, region_name=self._region)
