"""The API of the local stack or of a deployment: its address, a token for it, and a client."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import StepFailed, command
from ..local import issuer
from ..local.emulator import running_stack
from ..local.local_stack import StackFolder

if TYPE_CHECKING:
    from grc_client import Client

TOKEN = "GRC_TOKEN"  # noqa: S105  # the environment variable's name, as in the client

# The options of the commands that read incidents.
Tenant = Annotated[str | None, typer.Option(help="Read as this tenant of the local stack. Not with --url.")]
App = Annotated[
    str | None, typer.Option(help="Read only what this application of the local stack can reach. Not with --url.")
]
Url = Annotated[
    str | None, typer.Option(help=f"Use the deployed API at this URL (without /api/v1/grc) and the token in {TOKEN}.")
]


@contextmanager
def api_client(url: str | None, tenant: str | None, app: str | None) -> Iterator["Client"]:
    """Yield a client for the options. Raises typer.BadParameter for options that contradict each other.

    Within the block, an error of the API becomes StepFailed.
    """
    from grc_client import Client, GrcError  # takes 0.3 s (pydantic)

    if (tenant is None) is (url is None) or (url is not None and app is not None):
        raise typer.BadParameter("give either --tenant or --url; with --url, the token names the tenant")
    base_url, token = address_and_token(url, tenant or "", app)
    try:
        client = Client(base_url, token)
    except ValueError as error:
        raise StepFailed("The API cannot be called.", f"  {error}", f"Correct --url or the token in {TOKEN}.") from None
    try:
        with client:
            yield client
    except GrcError as error:
        raise StepFailed("A call of the API failed.", f"  {error}", advice_for(url)) from None


def advice_for(url: str | None) -> str:
    """Return the advice after an error of the API."""
    if url is None:
        return f"Check the options. Check that the stack still runs: {command('status')}"
    return f"Check the options, --url and the token in {TOKEN}."


@contextmanager
def expected_answer() -> Iterator[None]:
    """Raise StepFailed if the block fails to read an answer that breaks the API's contract."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise StepFailed(
            "The answer is not from this API.", f"  {type(error).__name__}: {str(error)[:200]}",
            "Check the address in --url. Check also whether a newer version of this command exists.",
        ) from None  # fmt: skip


def address_and_token(url: str | None, tenant: str, app: str | None) -> tuple[str, str]:
    """Return the address and a token of the local stack. With ``url``, return ``url`` and the environment's token.

    Raises StepFailed if there is no token, or if it has a character that a token cannot have. The token is not an
    argument, because process lists and shell histories show arguments.
    """
    if url is None:
        folder = StackFolder()
        stack = running_stack(folder)
        return stack.api_url, issuer.token(stack, folder, tenant=tenant, app=app)
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise StepFailed(
            f"The environment variable {TOKEN} has no token.", "", f"Set it to the API's token: export {TOKEN}=..."
        )
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token):  # RFC 6750 section 2.1
        raise StepFailed(
            f"The value of {TOKEN} is not a token.",
            "",
            f"Set {TOKEN} to a JWT in one line, without `Bearer` before it.",
        )
    return url, token
