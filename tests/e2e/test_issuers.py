"""Signed tokens of each issuer's form, through the local gateway, with the parameters that docs/tokens.md gives.

The development issuer's key signs the tokens. A second API of the same stack has the parameters of one issuer after
another.
"""

import time
from collections.abc import Iterator
from itertools import groupby

import httpx2
import pytest

from tests.support.checkout import Checkout
from tests.support.issuers import READS, SHAPES, WRITES, Shape
from tests.support.second_api import SecondApi, second_api
from tests.support.signing import KEY_ID, Issuer, rs256, token

OPERATIONS = ("create_incident", "list_incidents")


def parameters(shape: Shape) -> list[tuple[str, str]]:
    return sorted(shape.parameters.items())


GROUPS = [list(shapes) for _, shapes in groupby(sorted(SHAPES, key=parameters), key=parameters)]


@pytest.fixture(scope="module")
def api(stack: Checkout) -> Iterator[SecondApi]:
    with second_api(stack, OPERATIONS) as api:
        yield api


@pytest.mark.parametrize("shapes", GROUPS, ids=lambda shapes: " ".join(shapes[0].parameters.values()) or "defaults")
def test_each_issuer_s_tokens_reach_their_tenant_or_are_refused(
    shapes: list[Shape], stack: Checkout, api: SecondApi, http: httpx2.Client
) -> None:
    issuer = Issuer.of(stack)
    api.serve(**shapes[0].parameters)
    for shape in shapes:
        is_right(shape, issuer, api.url, http)


def is_right(shape: Shape, issuer: Issuer, url: str, http: httpx2.Client) -> None:
    now = int(time.time())
    audience = {} if shape.claims.get("client_id") == issuer.audience else {"aud": issuer.audience}
    claims = {**shape.claims, "iss": issuer.url, "iat": now, "exp": now + 600, **audience}
    header = {"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}
    headers = {"authorization": f"Bearer {token(issuer, header, claims, rs256)}"}

    listed = http.get(url, params={"limit": 1}, headers=headers)
    made = http.post(url, json={"title": shape.name}, headers=headers)

    if shape.refused:
        assert listed.status_code == 403, (shape.name, listed.text)
        assert f"claim `{shape.refused}` must" in listed.text, (shape.name, listed.text)
        assert made.status_code == 403
        return
    assert listed.status_code == (200 if READS in shape.scopes else 403), (shape.name, listed.text)
    assert made.status_code == (201 if WRITES in shape.scopes else 403), (shape.name, made.text)
    if made.status_code == 201:
        incident = made.json()
        assert (incident["tenant_id"], incident.get("app_id")) == (shape.tenant, shape.app)
        assert incident["created_by"] == shape.claims["sub"]
