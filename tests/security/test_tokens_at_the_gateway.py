"""Every mutation of a token over real HTTP, on every operation: none reaches what is not its bearer's."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import boto3
import httpx
import pytest

from tests.support.checkout import PATH, Checkout
from tests.support.signing import Issuer, genuine
from tests.support.tokens import MUTATIONS, NUMBER, VICTIM, VISITOR, Locally, Mutation, as_text

INCIDENT = {"title": "Only acme may see this"}
OWN_STATUS = {"create": 201, "get": 404, "list": 200, "update": 404, "delete": 404, "list changes": 404}
Items = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def issuer(stack: Checkout) -> Issuer:
    return Issuer.of(stack)


@pytest.fixture(scope="module")
def url(stack: Checkout) -> str:
    return str(stack.status["api_url"]) + PATH


@pytest.fixture(scope="module")
def victims(issuer: Issuer, url: str, http: httpx.Client) -> str:
    """The id of an incident of the tenant that is attacked."""
    headers = {"authorization": f"Bearer {genuine(issuer, VICTIM)}"}
    return str(http.post(url, json=INCIDENT, headers=headers).raise_for_status().json()["id"])


@pytest.fixture(scope="module")
def held() -> list[Mutation]:
    """The mutations that this run has shown to be harmless."""
    return []


@pytest.fixture(scope="module")
def answered() -> list[int]:
    """The status of every answer to them."""
    return []


@pytest.fixture(scope="module")
def items_of_others(stack: Checkout) -> Callable[[], Items]:
    """All that the table holds, but for what belongs to the bearers of genuine tokens."""
    status = stack.status
    session = boto3.Session(status["access_key_id"], status["secret_access_key"], region_name=status["region"])
    client = session.client("dynamodb", endpoint_url=status["endpoint_url"])
    bearers = tuple(f"TENANT#{tenant}#" for tenant in (VISITOR, NUMBER))

    def items() -> Items:
        pages = client.get_paginator("scan").paginate(TableName=status["table_name"])
        found = [item for page in pages for item in page["Items"]]
        return {(item["pk"]["S"], item["sk"]["S"]): item for item in found if not item["pk"]["S"].startswith(bearers)}

    return items


def requests(victims: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """One request for each operation, those by id at the victim's incident."""
    return {
        "list": ("GET", "", {}),
        "get": ("GET", f"/{victims}", {}),
        "list changes": ("GET", f"/{victims}/changes", {}),
        "create": ("POST", "", {"json": {"title": "Written with a token that is not right"}}),
        "update": ("PATCH", f"/{victims}", {"json": {"title": "Changed with a token that is not right"}}),
        "delete": ("DELETE", f"/{victims}", {}),
    }


def is_ours(answer: httpx.Response) -> bool:
    return "application/problem+json" in answer.headers.get("content-type", "")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_token_that_is_not_right_reaches_nothing_but_its_bearers_own(
    mutation: Mutation, issuer: Issuer, url: str, victims: str, http: httpx.Client,
    items_of_others: Callable[[], Items], held: list[Mutation], answered: list[int],
) -> None:  # fmt: skip
    before = items_of_others()
    sent = mutation.request(issuer)

    for operation, (method, path, more) in requests(victims).items():
        if method not in mutation.methods:
            continue
        answer = http.request(method, url + path, **more, **sent)
        answered.append(answer.status_code)

        assert INCIDENT["title"] not in answer.text
        match mutation.locally:
            case Locally.GATEWAY:
                assert answer.status_code in (401, 403), answer.text
                assert answer.json() == {"message": {401: "Unauthorized", 403: "Forbidden"}[answer.status_code]}
            case Locally.PARSER:
                assert (answer.status_code, is_ours(answer)) == (mutation.parser, True), answer.text
            case Locally.FAILS:
                assert (answer.status_code, is_ours(answer)) == (500, False), answer.text
            case Locally.OWN_DATA:
                assert answer.status_code == OWN_STATUS[operation], answer.text
                belongs_to_its_bearer(operation, answer, mutation.all_claims(issuer))

    assert items_of_others() == before
    held.append(mutation)


def belongs_to_its_bearer(operation: str, answer: httpx.Response, claims: dict[str, Any]) -> None:
    tenant, subject = as_text(claims["tenant_id"]), as_text(claims["sub"])
    if operation == "list":
        assert {item["tenant_id"] for item in answer.json()["items"]} <= {tenant}
    if operation == "create":
        incident = answer.json()
        assert (incident["tenant_id"], incident["created_by"]) == (tenant, subject)
        assert incident.get("app_id") == (as_text(claims["app_id"]) if "app_id" in claims else None)


def test_a_genuine_token_reaches_what_the_mutations_are_after(
    issuer: Issuer, url: str, victims: str, http: httpx.Client
) -> None:
    headers = {"authorization": f"Bearer {genuine(issuer, VICTIM)}"}

    assert http.get(f"{url}/{victims}", headers=headers).json()["title"] == INCIDENT["title"]


def test_the_table_excuses_nothing_without_a_reason() -> None:
    names = Counter(mutation.name for mutation in MUTATIONS)
    excused = [mutation for mutation in MUTATIONS if mutation.locally in (Locally.FAILS, Locally.OWN_DATA)]

    assert not [name for name, times in names.items() if times > 1]
    assert all(bool(mutation.fault) != bool(mutation.legal) for mutation in excused)
    assert len([mutation for mutation in MUTATIONS if not mutation.legal]) >= 45


def test_the_figure_of_the_promise(
    promise: Callable[[str, str], None], held: list[Mutation], answered: list[int]
) -> None:
    wrong = [mutation for mutation in held if not mutation.legal]
    faults = [mutation for mutation in wrong if mutation.locally is Locally.OWN_DATA]
    promise(
        "No forged token reaches data, at the gateway",
        f"{len(wrong)} mutations, {len(answered)} requests; 0 got through, 0 of our own 5xx. {len(faults)} mutations,"
        " genuinely signed, reach their bearer's own data by named faults of the emulator",
    )
