"""`incidents account`: which tenant an AWS account's findings belong to."""

from typing import Annotated

import typer

from ..console import StepFailed, command, stderr
from .deployment import Deployment, RegionOption, StackOption

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
    account_map = Deployment(stack, region).account_map()
    try:
        if producer is None:
            before = account_map.tenant_of(account)
            account_map.link(account, tenant)
            if before not in (None, tenant):
                stderr.print(f"It was {before}'s; the incidents of its findings stay there.")
        else:
            account_map.allow(account, producer, tenant)
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
    account_map = Deployment(stack, region).account_map()
    if not (account_map.tenants_of(account, producer) if producer else account_map.tenant_of(account)):
        raise StepFailed(
            "That is not linked.", f"  {account} {producer or ''}", f"See what is: {command('account list')}"
        )
    if producer is None:
        account_map.unlink(account)
    else:
        account_map.disallow(account, producer)


@accounts.command(name="list")
def list_(stack: StackOption = None, region: RegionOption = None) -> None:
    """Print one line a link: account, tenants and, for a producer, its source."""
    links = Deployment(stack, region).account_map().links()
    for linked in links:
        typer.echo(f"{linked.account_id}  {','.join(linked.tenants)}  {linked.producer or ''}".rstrip())
    if not links:
        stderr.print(f"No account is linked. To link one: {command('account link ACCOUNT TENANT')}")
