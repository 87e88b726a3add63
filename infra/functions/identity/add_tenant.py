"""Add the tenant to the access tokens of the Cognito user pool. Cognito calls this trigger before it issues a token.

The trigger reads events of the versions V2_0 and V3_0. A user's tenant is the attribute ``custom:tenant_id``, which
only administrators can write. A machine client's tenant and application come from one of the client's scopes. The scope
``tenant:acme/soc-portal`` means the application soc-portal of the tenant acme. ``tenant:acme/*`` means the complete
tenant acme. A client has only the scopes that an administrator granted it, so it cannot choose its tenant. This module
never reads the request's metadata, because the caller writes it.

The API's routes require the scopes ``incidents:read`` and ``incidents:write``. Cognito writes them with a slash:
``incidents/read`` and ``incidents/write``. If a caller has no tenant, this module raises an exception, and Cognito
issues no token.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

MACHINE = "TokenGeneration_ClientCredentials"
TENANT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
APP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
RESOURCE_SERVER = "incidents/"
TENANT_SERVER = "tenant:"
WHOLE_TENANT = "*"
# With this scope, users could change the attributes of their own accounts, which is not allowed. No
# route needs this scope.
OWN_ACCOUNT = "aws.cognito.signin.user.admin"


class Refused(Exception):
    """The caller gets no token. Cognito shows the error's text to the caller."""


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Return Cognito's event, with the claims and scopes for the access token. Raises Refused to prevent the token."""
    request = event["request"]
    scopes: Sequence[str] = request.get("scopes") or ()
    claims = of_machine(scopes) if event["triggerSource"] == MACHINE else of_user(request["userAttributes"])
    ours = [scope for scope in scopes if scope.startswith(RESOURCE_SERVER)]
    event["response"] = {
        "claimsAndScopeOverrideDetails": {
            "accessTokenGeneration": {
                "claimsToAddOrOverride": claims,
                "scopesToAdd": [scope.replace("/", ":", 1) for scope in ours],
                "scopesToSuppress": [
                    scope for scope in scopes if scope in (*ours, OWN_ACCOUNT) or scope.startswith(TENANT_SERVER)
                ],
            }
        }
    }
    return event


def of_user(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return the claims for a user, who can access the complete tenant. Raises Refused if the user has no tenant."""
    tenant = attributes.get("custom:tenant_id", "")
    if not TENANT_ID.fullmatch(tenant):
        raise Refused("This user has no tenant. Ask an administrator to set the attribute custom:tenant_id.")
    return {"tenant_id": tenant}


def of_machine(scopes: Sequence[str]) -> dict[str, str]:
    """Return the claims for a machine client. Raises Refused unless exactly one valid scope names a tenant."""
    granted = [scope for scope in scopes if scope.startswith(TENANT_SERVER)]
    if len(granted) != 1:
        raise Refused(
            f"This request has {len(granted)} scopes that name a tenant. It must have exactly one: tenant:ID/APP_ID."
        )
    tenant, _, app = granted[0].removeprefix(TENANT_SERVER).partition("/")
    if not TENANT_ID.fullmatch(tenant) or not (app == WHOLE_TENANT or APP_ID.fullmatch(app)):
        raise Refused(
            "This client's scope does not name a tenant and an application. It must be tenant:ID/APP_ID or tenant:ID/*."
        )
    return {"tenant_id": tenant} if app == WHOLE_TENANT else {"tenant_id": tenant, "app_id": app}
