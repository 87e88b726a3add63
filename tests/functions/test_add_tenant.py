"""Tests of the user pool's trigger, which sets the tenant and the scopes of a token.

Nobody without a tenant gets a token.
"""

import json
import subprocess
import sys
import time
from typing import Any

import pytest
from add_tenant import MACHINE, OWN_ACCOUNT, Refused, handler
from hypothesis import given
from hypothesis import strategies as st
from incidents.domain.identity import Identity, from_claims

from tests.support import templates

CODE_FLOW = "TokenGeneration_HostedAuth"
ROUTES = ["incidents/read", "incidents/write"]


def event(source: str, scopes: list[str] | None, attributes: dict[str, str] | None = None) -> dict[str, Any]:
    """Return an event of version 3, as Cognito documents it."""
    groups: dict[str, Any] = {"groupsToOverride": [], "iamRolesToOverride": [], "preferredRole": None}
    request: dict[str, Any] = {
        "userAttributes": attributes or {},
        "groupConfiguration": None if source == MACHINE else groups,
    }
    if scopes is not None:
        request["scopes"] = scopes
    return {
        "version": "3",
        "triggerSource": source,
        "region": "us-east-1",
        "userPoolId": "us-east-1_example",
        "userName": "ClientCredentials" if source == MACHINE else "ada",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "client"},
        "request": request,
        "response": {"claimsAndScopeOverrideDetails": None},
    }


def token_of(event: dict[str, Any]) -> dict[str, str]:
    """Return the access token's claims, as Cognito makes them from the trigger's response."""
    scopes = event["request"].get("scopes", [])
    details = handler(event, None)["response"]["claimsAndScopeOverrideDetails"]
    assert set(details) == {"accessTokenGeneration"}, "the trigger must not change the ID token"
    said = details["accessTokenGeneration"]
    kept = [scope for scope in scopes if scope not in said["scopesToSuppress"]]
    own = {"sub": "client", "token_use": "access", "iss": "pool", "exp": str(int(time.time()) + 60)}
    added: dict[str, str] = said["claimsToAddOrOverride"]
    return own | added | {"scope": " ".join(kept + said["scopesToAdd"])}


def identity_of(event: dict[str, Any]) -> Identity:
    """Return the identity that the functions read from the token for this event."""
    return from_claims(token_of(event), time.time(), "pool")


@pytest.mark.parametrize(
    "source",
    [CODE_FLOW, "TokenGeneration_Authentication", "TokenGeneration_NewPasswordChallenge",
     "TokenGeneration_AuthenticateDevice", "TokenGeneration_RefreshTokens"],
)  # fmt: skip
def test_a_users_tenant_comes_from_the_user_attribute(source: str) -> None:
    user = {"sub": "8a1", "email": "ada@example.com", "custom:tenant_id": "acme"}
    expected = Identity("acme", "client", None, frozenset({"openid", "incidents:read", "incidents:write"}))
    assert identity_of(event(source, ["openid", *ROUTES], user)) == expected


@pytest.mark.parametrize(
    "tenant", [None, "", "a", ".acme", "_acme", "acme#x", "-acme", "acme ", " acme", "acme\n", "a" * 64]
)
def test_a_user_without_a_tenant_gets_no_token(tenant: str | None) -> None:
    attributes = {"sub": "8a1"} if tenant is None else {"sub": "8a1", "custom:tenant_id": tenant}
    with pytest.raises(Refused):
        handler(event(CODE_FLOW, ROUTES, attributes), None)


def test_a_machine_token_has_the_application_of_its_scope() -> None:
    expected = Identity("acme", "client", "soc-portal", frozenset({"incidents:write"}))
    assert identity_of(event(MACHINE, ["tenant:acme/soc-portal", "incidents/write"])) == expected


@pytest.mark.parametrize("tenant", ["Acme", "org_9ybsU1dN2dKfDkBi", "acme.eu"])
def test_a_tenant_s_name_keeps_its_case_and_its_signs(tenant: str) -> None:
    assert identity_of(event(CODE_FLOW, ROUTES, {"custom:tenant_id": tenant})).tenant_id == tenant
    assert identity_of(event(MACHINE, [f"tenant:{tenant}/*", "incidents/read"])).tenant_id == tenant


def test_a_machine_token_may_be_for_all_applications_of_a_tenant() -> None:
    assert identity_of(event(MACHINE, ["incidents/read", "tenant:acme/*"])).app_id is None


@pytest.mark.parametrize(
    "scopes",
    [
        None,
        [],
        ROUTES,
        ["tenant:acme/soc-portal", "tenant:acme/*"],  # refused, because the machine could choose between the two
        ["tenant:acme/a", "tenant:globex/a"],
        ["tenant:acme"],
        ["tenant:acme/"],
        ["tenant:/a"],
        ["tenant:.acme/a"],
        ["tenant:acme/a", "tenant:Acme/a"],
        ["tenant:acme/-a"],
        ["tenant:acme/a/b"],
        ["tenant:acme/**"],
        ["tenants:acme/a"],
        ["Tenant:acme/a"],
    ],
)
def test_a_machine_whose_scopes_do_not_name_one_tenant_gets_no_token(scopes: list[str] | None) -> None:
    with pytest.raises(Refused):
        handler(event(MACHINE, scopes, {"custom:tenant_id": "acme"}), None)


def test_client_metadata_of_the_caller_is_ignored() -> None:
    asked = event(MACHINE, ["tenant:acme/soc-portal"])
    asked["request"]["clientMetadata"] = {"tenant_id": "globex", "app_id": "other", "custom:tenant_id": "globex"}
    assert identity_of(asked)[:3] == ("acme", "client", "soc-portal")
    asked["request"]["scopes"] = ROUTES
    with pytest.raises(Refused):
        handler(asked, None)


def test_a_tenant_scope_of_a_user_is_ignored() -> None:
    asked = event(CODE_FLOW, ["tenant:globex/other", "incidents/read"], {"custom:tenant_id": "acme"})
    assert identity_of(asked) == Identity("acme", "client", None, frozenset({"incidents:read"}))


def test_an_access_token_has_no_scope_to_change_the_users_account() -> None:
    asked = event("TokenGeneration_Authentication", [OWN_ACCOUNT], {"custom:tenant_id": "acme"})
    assert token_of(asked)["scope"] == ""


SCOPES = st.lists(
    st.sampled_from([*ROUTES, "openid", OWN_ACCOUNT, "incidents/", "incidents:write", "other/incidents/write"])
    | st.builds("tenant:{}/{}".format, st.sampled_from(["acme", "globex", ""]), st.sampled_from(["a", "b", "*", ""]))
    | st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'), min_size=1),
    unique=True,
)


@given(SCOPES)
def test_a_machine_with_any_scopes_gets_a_token_of_one_tenant_or_none(scopes: list[str]) -> None:
    named = [scope for scope in scopes if scope.startswith("tenant:")]
    try:
        claims = token_of(event(MACHINE, scopes))
    except Refused:
        return
    (only,) = named
    assert only == f"tenant:{claims['tenant_id']}/{claims.get('app_id', '*')}"
    assert not set(claims["scope"].split()) & {*named, *ROUTES, OWN_ACCOUNT}
    for route in ROUTES:
        spelled = route.replace("/", ":")
        assert (spelled in claims["scope"].split()) == (route in scopes or spelled in scopes)


def test_the_trigger_returns_the_event_with_only_the_response_changed() -> None:
    asked = event(CODE_FLOW, ROUTES, {"custom:tenant_id": "acme"})
    before = json.loads(json.dumps(asked))
    answered = json.loads(json.dumps(handler(asked, None)))
    del before["response"], answered["response"]
    assert answered == before


def test_the_trigger_imports_only_the_standard_library() -> None:
    folder = templates.CHECKOUT / "infra" / "functions" / "identity"
    code = f"import sys; sys.path[:0] = [{str(folder)!r}]; import add_tenant; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded - set(sys.stdlib_module_names) <= {"add_tenant", "__main__"}
