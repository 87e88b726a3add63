"""Tests that issuers' tokens give the right identity.

tests/e2e/test_issuers.py sends the same tokens to the local gateway.
"""

import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from incidents.domain.errors import NotPermitted
from incidents.domain.identity import Identity, claim_names, from_claims
from incidents_cli.console import StepFailed
from incidents_cli.local import issuer
from incidents_cli.local.local_stack import Stack, StackFolder

from tests.support.issuers import ACTION, ENTRA, ORGANIZATIONS, RBAC, READS, SHAPES, WRITES, Shape
from tests.support.tokens import Form, handed_on

NOW = 1_795_000_000
ISSUER = "https://issuer.example"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_an_issuer_s_token_is_of_the_right_caller_or_is_refused_by_name(shape: Shape) -> None:
    names = claim_names(Form(shape.parameters).token_claims)
    for claims in handed_on({"iss": ISSUER, "exp": NOW + 600, **shape.claims}):
        if shape.refused:
            with pytest.raises(NotPermitted, match=f"claim `{shape.refused}` must"):
                from_claims(claims, NOW, ISSUER, names)
            continue
        identity = from_claims(claims, NOW, ISSUER, names)
        assert (identity.tenant_id, identity.app_id) == (shape.tenant, shape.app)
        assert identity.scopes & {"incidents:read", "incidents:write"} == shape.scopes
        assert identity.subject == shape.claims["sub"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tenant_id",
        "tenant_id app_id scope",
        "a b  ",
        " b  scope",
        "a b x= scope",
        "a b =x s",
        "a b  s,,t",
        "a b  ,",
    ],
)
def test_incomplete_names_of_claims_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        claim_names(text)


@pytest.mark.parametrize(
    ("said", "app"), [("true", "scanner"), ("[true]", "scanner"), ("false", None), ("other", None), (None, None)]
)
def test_a_marker_may_be_a_boolean_claim(said: str | None, app: str | None) -> None:
    claims = {"exp": "9999999999", "iss": ISSUER, "tid": "acme", "sub": "s", "azp": "scanner"}
    marked = claims | ({} if said is None else {"is_app": said})
    assert from_claims(marked, NOW, ISSUER, claim_names("tid azp is_app=true scp")).app_id == app


@pytest.mark.parametrize("marker", ["", "null", "<nil>", "{}", "[true null]"])
def test_an_unreadable_boolean_marker_is_refused(marker: str) -> None:
    claims = {"exp": "9999999999", "iss": ISSUER, "tid": "acme", "sub": "s", "azp": "scanner", "is_app": marker}
    with pytest.raises(NotPermitted, match="is_app"):
        from_claims(claims, NOW, ISSUER, claim_names("tid azp is_app=true scp"))


@pytest.mark.parametrize(
    "marker", ["", "[]", "null", "true", "<nil>", "[app null]", "map[a:b]", None, 1, "{}", "[{}]", "{a}", "map[]"]
)
def test_an_unreadable_marker_is_refused_and_makes_no_person(marker: object) -> None:
    claims = {"exp": "9999999999", "iss": ISSUER, "tid": "acme", "sub": "s", "azp": "scanner", "idtyp": marker}
    with pytest.raises(NotPermitted, match="idtyp"):
        from_claims(claims, NOW, ISSUER, claim_names("tid azp idtyp=app scp,roles"))


@pytest.mark.parametrize(
    "parameters", [{}, ENTRA, ACTION, RBAC, ORGANIZATIONS], ids=lambda given: " ".join(given.values())
)
@pytest.mark.parametrize("app", [None, "scanner"])
def test_the_development_issuer_s_tokens_have_the_claims_that_the_stack_reads(
    parameters: dict[str, str], app: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCIDENTS_HOME", str(tmp_path))
    stack = Stack(1, claims=parameters or None)
    made = issuer.token(stack, StackFolder(), tenant="acme", app=app)
    claims = handed_on(jwt.decode(made, options={"verify_signature": False}))[0]
    identity = from_claims(claims, time.time(), stack.issuer, claim_names(Form(parameters).token_claims))
    assert identity == Identity("acme", "developer", app, frozenset({READS, WRITES}))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"tenant": "Not A Tenant"}, "tenant_id"), ({"tenant": "null"}, "tenant_id"), ({"app": ""}, "app_id"),
        ({"app": "two words"}, "app_id"), ({"subject": "system:me"}, "sub"), ({"subject": ""}, "sub"),
        ({"expires_in": 0}, "expired"), ({"expires_in": -60}, "expired"), ({"scope": ""}, "scopes"),
        ({"scope": "openid"}, "scopes"), ({"scope": "incidents:*"}, "scopes"),
        ({"scope": "[incidents:read]"}, "scopes"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("parameters", [{}, ENTRA, ACTION], ids=lambda given: " ".join(given.values()))
def test_the_command_refuses_what_the_api_refuses(
    wrong: dict[str, Any], named: str, parameters: dict[str, str]
) -> None:
    stack = Stack(1, claims=parameters or None)
    usual: dict[str, Any] = {"tenant": "acme", "app": None, "subject": "ada", "scope": READS, "expires_in": 60}
    issuer.check(stack, issuer.claims_of(stack, **usual))
    issuer.check(stack, issuer.claims_of(stack, **usual | {"app": "scanner", "tenant": "ACME_Corp"}))

    with pytest.raises(StepFailed, match="would refuse") as refused:
        issuer.check(stack, issuer.claims_of(stack, **usual | wrong))
    renamed = {"tenant_id": parameters.get("TenantClaim"), "app_id": parameters.get("AppClaim")}
    assert (renamed.get(named) or named) in refused.value.detail
