"""The address of the API, and a token for it: of the local stack, or of a deployment."""

import os

from ..console import StepFailed
from ..local import issuer
from ..local.emulator import running_stack
from ..local.local_stack import StackFolder

TOKEN = "GRC_TOKEN"  # noqa: S105  # the environment variable's name, as in the client


def address_and_token(url: str | None, tenant: str, app: str | None) -> tuple[str, str]:
    """Return the address and a token of the local stack. With ``url``, return it and the token in the environment.

    Raises StepFailed if there is no token. The token is not an argument, because process lists and shell histories show
    arguments.
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
    return url, token
