"""Tokens as issuers make them.

Each has the template's parameters for its issuer, and the correct tenant and application.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tests.support.templates import CHECKOUT

PAGE = CHECKOUT / "docs" / "tokens.md"
READS, WRITES = "incidents:read", "incidents:write"
BOTH = frozenset({READS, WRITES})
READ = frozenset({READS})


class Shape(NamedTuple):
    """The claims of a token, and the correct answer: a tenant, an application and scopes, or the refused claim."""

    name: str
    parameters: Mapping[str, str]
    claims: Mapping[str, Any]
    tenant: str = ""
    app: str | None = None
    scopes: frozenset[str] = BOTH
    refused: str = ""


_DIRECTORY = "5f0c9a1e-3b1d-4d6a-9d0c-0a1b2c3d4e5f"
_ORGANIZATION = "org_9ybsU1dN2dKfDkBi"
# The correct tenant, application and scopes of each token on the page, in the order of the page.
_OF_THE_PAGE: dict[str, list[tuple[str, str | None, frozenset[str]]]] = {
    "Microsoft Entra ID": [
        (_DIRECTORY, None, BOTH),
        (_DIRECTORY, "00000000-0000-0000-0000-00000000c002", BOTH),
    ],
    "Okta": [("acme", None, BOTH), ("acme", "0oa9z8y7x6w5v4u3t2", READ)],
    "Auth0: an Action": [("acme", None, BOTH), ("acme", "soc-portal", BOTH)],
    "Auth0: organizations and RBAC": [
        (_ORGANIZATION, None, BOTH),
        (_ORGANIZATION, "awZdfIir8YFdGZWkvCejDoUb7SjTDicx", READ),
    ],
    "Keycloak": [("acme", None, READ), ("acme", "soc-portal", BOTH), ("acme", None, READ)],
    "Amazon Cognito": [("acme", None, BOTH), ("acme", "soc-portal", BOTH)],
}


def of_the_page() -> Iterator[Shape]:
    """Yield the tokens of docs/tokens.md, each with the parameters that the page gives before it."""
    page = PAGE.read_text().split("## Your own issuer")[1].split("\n## ")[0]
    found: dict[str, int] = {}
    for heading in re.split(r"^### ", page, flags=re.MULTILINE)[1:]:
        issuer, text = heading.split("\n", 1)
        parameters: dict[str, str] = {}
        for kind, block in re.findall(r"^```(text|json)\n(.+?)\n```$", text, re.MULTILINE | re.DOTALL):
            if kind == "text":
                parameters = dict(one.split("=", 1) for one in block.split())
                continue
            n = found[issuer] = found.get(issuer, 0) + 1
            tenant, app, scopes = _OF_THE_PAGE[issuer][n - 1]
            yield Shape(f"{issuer} {n}", parameters, json.loads(block), tenant, app, scopes)
    assert found == {issuer: len(tokens) for issuer, tokens in _OF_THE_PAGE.items()}, "the page has other tokens"


ENTRA = {"TenantClaim": "tid", "AppClaim": "azp", "AppMarker": "idtyp=app", "ScopeClaims": "scp,roles"}
ACTION = {"TenantClaim": "https://example.com/tenant_id", "AppClaim": "https://example.com/app_id"}
RBAC = {"TenantClaim": "org_id", "AppClaim": "azp", "AppMarker": "gty=client-credentials", "ScopeClaims": "permissions"}
ORGANIZATIONS = {"TenantClaim": "organization", "AppClaim": "client_id"}
_PERSON = {"sub": "ada", "scope": f"{READS} {WRITES}"}
_ENTRA_PERSON = {"azp": "portal", "oid": "o", "scp": READS, "sub": "AAAAbbbb", "tid": _DIRECTORY}
_DAEMON = {"azp": "daemon", "idtyp": "app", "roles": [READS, WRITES], "sub": "d1", "tid": _DIRECTORY}
_KEYCLOAK = {"azp": "soc-web", "scope": f"openid {READS}", "sub": "f7c1-uuid"}
FURTHER = [
    # Tokens that adopters reported, and further tokens that the same issuers make with other settings.
    Shape("Entra: a daemon with a tenant_id too", ENTRA, _DAEMON | {"tenant_id": "acme"}, _DIRECTORY, "daemon"),
    Shape("Entra: a user with idtyp user", ENTRA, _ENTRA_PERSON | {"idtyp": "user"}, _DIRECTORY, None, READ),
    Shape("Entra: a user whose roles exceed the client's scopes", ENTRA,
          _ENTRA_PERSON | {"roles": [READS, WRITES]}, _DIRECTORY, None, READ),
    Shape("Entra: a daemon with one role", ENTRA, _DAEMON | {"roles": [READS]}, _DIRECTORY, "daemon", READ),
    Shape("Entra: a daemon without roles", ENTRA,
          {name: value for name, value in _DAEMON.items() if name != "roles"}, _DIRECTORY, "daemon", frozenset()),
    Shape("Entra: a daemon's token of version 1", ENTRA,
          {name: value for name, value in _DAEMON.items() if name != "azp"} | {"appid": "daemon"}, refused="azp"),
    Shape("Entra: without tid", ENTRA, _ENTRA_PERSON | {"tid": None}, refused="tid"),
    Shape("Okta: a scope of another service", {}, {"scp": ["openid"], "sub": "ada@example.com", "tenant_id": "acme"},
          "acme", None, frozenset()),
    Shape("Okta: a group claim of two customers", {}, {"scp": [READS], "sub": "a", "tenant_id": ["acme", "globex"]},
          refused="tenant_id"),
    Shape("Okta: without the tenant's claim", {}, {"scp": [READS], "sub": "a", "cid": "0oa1"}, refused="tenant_id"),
    Shape("Auth0: an organization as tenant_id", {}, _PERSON | {"tenant_id": _ORGANIZATION}, _ORGANIZATION),
    Shape("Auth0: permissions, scopes not asked for", RBAC | {"TenantClaim": "tenant_id"},
          {"permissions": [READS, WRITES], "scope": "openid profile", "sub": "auth0|64a1b2", "tenant_id": "acme"},
          "acme"),
    Shape("Auth0: permissions that are empty", RBAC,
          {"org_id": _ORGANIZATION, "permissions": [], "scope": f"{READS} {WRITES}", "sub": "auth0|1"},
          _ORGANIZATION, None, frozenset()),
    Shape("Auth0: a user without an organization", RBAC, {"permissions": [READS], "sub": "auth0|1"}, refused="org_id"),
    Shape("Auth0: the claim without its namespace", ACTION, _PERSON | {"tenant_id": "acme"},
          refused="https://example.com/tenant_id"),
    Shape("Auth0: a namespaced object", ACTION, _PERSON | {"https://example.com/tenant_id": {"id": "acme"}},
          refused="https://example.com/tenant_id"),
    Shape("Keycloak: an attribute with two values", {}, _KEYCLOAK | {"tenant_id": ["acme", "globex"]},
          refused="tenant_id"),
    Shape("Keycloak: an attribute with no value", {}, _KEYCLOAK | {"tenant_id": []}, refused="tenant_id"),
    Shape("Keycloak: an organization with its id", ORGANIZATIONS, _KEYCLOAK | {"organization": {"acme": {"id": "x"}}},
          refused="organization"),
    Shape("Keycloak: two organizations", ORGANIZATIONS, _KEYCLOAK | {"organization": ["acme", "globex"]},
          refused="organization"),
    Shape("Keycloak: without the scope basic", {}, {"scope": READS, "tenant_id": "acme"}, refused="sub"),
    Shape("Keycloak: an application that is a list of one", {},
          _KEYCLOAK | {"tenant_id": "acme", "app_id": ["soc-portal"]}, "acme", "soc-portal", READ),
    Shape("Kubernetes: a service account", {}, _PERSON | {"sub": "system:serviceaccount:soc:a", "tenant_id": "acme"},
          "acme"),
    Shape("Kubernetes: a node", {}, _PERSON | {"sub": "system:node:ip-10-0-0-1", "tenant_id": "acme"}, "acme"),
    Shape("Kubernetes: the name of our intake", {}, _PERSON | {"sub": "system:aws.health", "tenant_id": "acme"},
          refused="sub"),
]  # fmt: skip
SHAPES = [*of_the_page(), *FURTHER]
