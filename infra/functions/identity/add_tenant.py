"""Add the tenant to the user pool's access tokens: Cognito's trigger before each token (events V2_0 and V3_0).

A user's tenant is the attribute ``custom:tenant_id``, which only administrators can write. A machine client's tenant
and application come from a scope that the client was granted. ``tenant:acme/soc-portal`` is the application soc-portal
of the tenant acme, and ``tenant:acme/*`` is the complete tenant acme. A client gets only the scopes that an
administrator granted it, so a client cannot choose its tenant. This module never reads metadata, which a caller writes.

The routes' scopes are ``incidents:read`` and ``incidents:write``; Cognito spells them ``incidents/read`` and
``incidents/write``. A caller without a tenant gets no token: an exception here makes Cognito refuse the token.
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
# The scope to change the user's own account. The API does not need it, and users must not write attributes.
OWN_ACCOUNT = "aws.cognito.signin.user.admin"


class Refused(Exception):
    """This caller gets no token. Cognito passes the text on to the caller."""


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Return Cognito's event with the access token's claims and scopes. Raises Refused if there is to be no token."""
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
    """Return the claims of a person, who can access the complete tenant. Raises Refused without a tenant."""
    tenant = attributes.get("custom:tenant_id", "")
    if not TENANT_ID.fullmatch(tenant):
        raise Refused("This user has no tenant. Ask an administrator to set the attribute custom:tenant_id.")
    return {"tenant_id": tenant}


def of_machine(scopes: Sequence[str]) -> dict[str, str]:
    """Return the claims of a machine client. Raises Refused unless exactly one scope names a tenant."""
    granted = [scope for scope in scopes if scope.startswith(TENANT_SERVER)]
    if len(granted) != 1:
        raise Refused(
            f"This request has {len(granted)} scopes that name a tenant, and needs exactly one: tenant:ID/APP_ID."
        )
    tenant, _, app = granted[0].removeprefix(TENANT_SERVER).partition("/")
    if not TENANT_ID.fullmatch(tenant) or not (app == WHOLE_TENANT or APP_ID.fullmatch(app)):
        raise Refused(
            "This client's scope does not name a tenant and an application. It must be tenant:ID/APP_ID or tenant:ID/*."
        )
    return {"tenant_id": tenant} if app == WHOLE_TENANT else {"tenant_id": tenant, "app_id": app}
