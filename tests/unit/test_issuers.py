"""Issuers' tokens become the right identity. tests/e2e/test_issuers.py signs the same tokens for the local gateway."""

import pytest
from incidents.domain.errors import NotPermitted
from incidents.domain.identity import claim_names, from_claims

from tests.support.issuers import SHAPES, Shape
from tests.support.tokens import Form, handed_on

NOW = 1_795_000_000
ISSUER = "https://issuer.example"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_an_issuer_s_token_is_of_the_right_caller_or_is_refused_by_name(shape: Shape) -> None:
    names = claim_names(Form(shape.parameters).token_claims)
    for claims in handed_on({"iss": ISSUER, "exp": NOW + 600, **shape.claims}):
        if shape.refused:
            with pytest.raises(NotPermitted, match=f"claim {shape.refused} must"):
                from_claims(claims, NOW, ISSUER, names)
            continue
        identity = from_claims(claims, NOW, ISSUER, names)
        assert (identity.tenant_id, identity.app_id) == (shape.tenant, shape.app)
        assert identity.scopes & {"incidents:read", "incidents:write"} == shape.scopes
        assert identity.subject == shape.claims["sub"]


@pytest.mark.parametrize(
    "text", ["", "tenant_id", "tenant_id app_id scope", "a b  ", " b  scope", "a b x= scope", "a b =x s"]
)
def test_incomplete_names_of_claims_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        claim_names(text)
