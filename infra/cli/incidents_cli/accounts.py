"""`incidents account`: which tenant an AWS account's findings belong to."""

from typing import TYPE_CHECKING, Annotated

import typer

from .console import StepFailed, stderr
from .target import RegionOption, StackOption, Target

if TYPE_CHECKING:
    from incidents.storage.account_map import AccountMap
    from mypy_boto3_dynamodb import DynamoDBClient

accounts = typer.Typer(no_args_is_help=True, help="Which tenant an AWS account's findings belong to.")

Account = Annotated[str, typer.Argument(help="An AWS account id: 12 digits.")]


@accounts.command()
def link(
    account: Account,
    tenant: Annotated[str, typer.Argument(help="The tenant id, as in the claim tenant_id.")],
    producer: Annotated[
        str | None,
        typer.Option(help="Let this source on the bus, from this account, escalate alerts for the tenant."),
    ] = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Give an AWS account's findings to a tenant; or let a producer of the account escalate alerts for it."""
    system = _system(stack, region)
    try:
        if producer is None:
            before = system.tenant_of(account)
            system.link(account, tenant)
            if before not in (None, tenant):
                stderr.print(f"It was {before}'s; the incidents of its findings stay there.")
        else:
            system.allow(account, producer, tenant)
    except ValueError as error:
        raise StepFailed("That cannot be linked.", f"  {error}", "Look at what you typed.") from None


@accounts.command()
def unlink(
    account: Account,
    producer: Annotated[str | None, typer.Option(help="Take from this source of the account all its tenants.")] = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Take an AWS account from its tenant: its findings then go to the dead letters. Or stop a producer."""
    system = _system(stack, region)
    if not (system.tenants_of(account, producer) if producer else system.tenant_of(account)):
        raise StepFailed("That is not linked.", f"  {account} {producer or ''}", "See what is: incidents account list")
    if producer is None:
        system.unlink(account)
    else:
        system.disallow(account, producer)


@accounts.command(name="list")
def list_(stack: StackOption = None, region: RegionOption = None) -> None:
    """Print one line a link: account, tenants and, for a producer, its source."""
    found = _system(stack, region).links()
    for one in found:
        typer.echo(f"{one.account_id}  {','.join(one.tenants)}  {one.producer or ''}".rstrip())
    if not found:
        stderr.print("No account is linked. To link one: incidents account link ACCOUNT TENANT")


def _system(stack: str | None, region: str | None) -> "AccountMap":
    target = Target(stack, region)
    return system_repository(target.client("dynamodb"), target.outputs["TableName"])


def system_repository(client: "DynamoDBClient", table_name: str) -> "AccountMap":
    """Return the account map of a deployment, behind the same guard that the functions have."""
    from incidents.storage import guard
    from incidents.storage.account_map import AccountMap

    guard.watch(client)
    return AccountMap(client, table_name)
