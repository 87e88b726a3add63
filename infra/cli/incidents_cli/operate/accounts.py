"""The commands of `incidents account`. They edit the account map, which gives an AWS account's findings to a tenant."""

from typing import Annotated

import typer

from ..console import StepFailed, clean, command, say, stderr
from .deployment import Deployment, RegionOption, StackOption

accounts = typer.Typer(no_args_is_help=True, help="Edit the account map: which tenant owns an AWS account's findings.")

Account = Annotated[str, typer.Argument(help="The AWS account id: 12 digits.")]


@accounts.command()
def link(
    account: Account,
    tenant: Annotated[str, typer.Argument(help="The tenant id, as in the claim tenant_id.")],
    producer: Annotated[
        str | None,
        typer.Option(
            help="Do not link the account. Allow this event source of the account to escalate alerts for the tenant."
        ),
    ] = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Give an AWS account's findings to a tenant.

    With --producer, allow an event source of the account to escalate alerts for the tenant.
    """
    account_map = Deployment(stack, region).account_map()
    try:
        if producer is None:
            before = account_map.tenant_of(account)
            account_map.link(account, tenant)
            if before not in (None, tenant):
                stderr.print(
                    f"The account belonged to {before}. The incidents of its earlier findings still belong to {before}."
                )
        else:
            account_map.allow(account, producer, tenant)
    except ValueError as error:
        raise StepFailed(
            "The account was not linked.", f"  {error}", "Correct the arguments, then run the command again."
        ) from None


@accounts.command()
def unlink(
    account: Account,
    producer: Annotated[
        str | None, typer.Option(help="Unlink only this event source of the account, from all tenants.")
    ] = None,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Unlink an AWS account, or with --producer one of its event sources.

    Later findings of an unlinked account or event source become dead letters.
    """
    account_map = Deployment(stack, region).account_map()
    if not (account_map.tenants_of(account, producer) if producer else account_map.tenant_of(account)):
        raise StepFailed(
            "There is no such link.", f"  {account} {producer or ''}", f"List the links: {command('account list')}"
        )
    if producer is None:
        account_map.unlink(account)
    else:
        account_map.disallow(account, producer)


@accounts.command(name="list")
def list_(stack: StackOption = None, region: RegionOption = None) -> None:
    """Print one line per link: the account, its tenants and, for the link of a producer, the event source."""
    links = Deployment(stack, region).account_map().links()
    for linked in links:
        say(clean(f"{linked.account_id}  {','.join(linked.tenants)}  {linked.producer or ''}".rstrip()))
    if not links:
        stderr.print(f"No account is linked. Link one: {command('account link ACCOUNT TENANT')}")
