"""What the user pool's access tokens say of their bearer: Cognito's trigger before each token (events V2_0, V3_0).

A user's tenant is the attribute ``custom:tenant_id``, which administrators alone write. A machine client's tenant, and
its application, is a scope that the client was granted: ``tenant:acme/soc-portal`` is the application soc-portal of the
tenant acme, and ``tenant:acme/*`` all of acme. Cognito gives a client no scope beyond those that an administrator
granted it, so no client chooses its own tenant. What a caller can write (its metadata) is never read.

The routes' scopes are ``incidents:read`` and ``incidents:write``; Cognito spells them ``incidents/read`` and
``incidents/write``. Whoever has no tenant gets no token: an exception here makes Cognito refuse it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

MACHINE = "TokenGeneration_ClientCredentials"
TENANT_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
APP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
RESOURCE_SERVER = "incidents/"
TENANT_SERVER = "tenant:"
WHOLE_TENANT = "*"
# The power to change the user's own account. Our API has no use for it, and attributes are not for users to write.
OWN_ACCOUNT = "aws.cognito.signin.user.admin"


class Refused(Exception):
    """No token for this caller. Cognito hands the text on to whoever asked."""


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Return Cognito's event with what the access token is to say. Raises Refused: then there is no token."""
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
    """Return the claims of a person, who reaches all of the tenant. Raises Refused without a tenant."""
    tenant = attributes.get("custom:tenant_id", "")
    if not TENANT_ID.fullmatch(tenant):
        raise Refused("This user has no tenant. An administrator gives it one: the attribute custom:tenant_id.")
    return {"tenant_id": tenant}


def of_machine(scopes: Sequence[str]) -> dict[str, str]:
    """Return the claims of a machine client. Raises Refused unless its scopes name one tenant, once."""
    granted = [scope for scope in scopes if scope.startswith(TENANT_SERVER)]
    if len(granted) != 1:
        raise Refused(f"This request has {len(granted)} scopes that name a tenant, and needs one: tenant:ID/APP_ID.")
    tenant, _, app = granted[0].removeprefix(TENANT_SERVER).partition("/")
    if not TENANT_ID.fullmatch(tenant) or not (app == WHOLE_TENANT or APP_ID.fullmatch(app)):
        raise Refused("This client's scope names no tenant and application: tenant:ID/APP_ID, or tenant:ID/*.")
    return {"tenant_id": tenant} if app == WHOLE_TENANT else {"tenant_id": tenant, "app_id": app}
