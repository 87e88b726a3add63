"""Tests every mutated token over real HTTP, on every operation: a token reaches at most its bearer's own data.

A second API of the same stack reads other claims and leaves the scopes to the functions. The test sends each token to
one operation of the second API, in turn. This is enough, because the authorizer is the same, and the functions check
claims before they know the operation. The suite of the parser sends each token's claims to every operation.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from incidents.storage import keys

from tests.support.checkout import PATH, Checkout
from tests.support.second_api import second_api
from tests.support.signing import Issuer, genuine
from tests.support.streams import TableStream
from tests.support.tokens import (
    BEARERS,
    MUTATIONS,
    NAMESPACED,
    RENAMED,
    USUAL,
    VICTIM,
    Form,
    Locally,
    Mutation,
    as_text,
    genuine_token,
    taken,
)

INCIDENT = {"title": "Only acme may see this"}
OWN_STATUS = {"create": 201, "get": 404, "list": 200, "update": 404, "delete": 404, "list changes": 404}
Writes = list[tuple[str, str, str]]


MARKS = tuple(f"{kind.partition}#" for kind in keys.MARK_KINDS)


@pytest.fixture(scope="module")
def issuer(stack: Checkout) -> Issuer:
    return Issuer.of(stack)


@pytest.fixture(scope="module")
def url(stack: Checkout) -> str:
    return str(stack.status["api_url"]) + PATH


@pytest.fixture(scope="module")
def victims(issuer: Issuer, url: str, http: httpx2.Client) -> str:
    """Create an incident of the attacked tenant, and return its id."""
    headers = {"authorization": f"Bearer {genuine(issuer, VICTIM)}"}
    return str(http.post(url, json=INCIDENT, headers=headers).raise_for_status().json()["id"])


@pytest.fixture(scope="module")
def held() -> list[Mutation]:
    """Return the list of mutations that this run has shown to be harmless."""
    return []


@pytest.fixture(scope="module")
def answered() -> list[int]:
    """Return the list of the statuses of all answers to mutated tokens."""
    return []


@pytest.fixture(scope="module")
def written_to_others(stack: Checkout) -> Callable[[], Writes]:
    """Return a function that returns the writes to the table since its last call.

    The function leaves out writes to the data of genuine bearers. It also leaves out marks and metrics, because the
    functions behind the stream may write them at any time, and write them only after another write. The function reads
    the stream, which has every write. So the table need not be read twice for each mutation.
    """
    status = stack.status
    stream = TableStream(status["endpoint_url"], status["table_name"], status["access_key_id"])
    bearers = tuple(f"TENANT#{tenant}#" for tenant in BEARERS)

    def written() -> Writes:
        seen = [(one["eventName"], one["dynamodb"]["Keys"]) for one in stream.records()]
        told = [(what, key["pk"]["S"], key["sk"]["S"]) for what, key in seen]
        return [one for one in told if not one[1].startswith(bearers) and not is_of_the_jobs(one[1])]

    return written


def is_of_the_jobs(partition: str) -> bool:
    """Return whether a partition has marks or metrics. The writes of a bearer also cause marks."""
    return partition.startswith(MARKS) or partition.endswith("#METRIC")


def requests(victims: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return one request for each operation. A request with an id uses the victim's incident."""
    return {
        "list": ("GET", "", {}),
        "get": ("GET", f"/{victims}", {}),
        "list changes": ("GET", f"/{victims}/changes", {}),
        "create": ("POST", "", {"json": {"title": "Written with a token that is not right"}}),
        "update": ("PATCH", f"/{victims}", {"json": {"title": "Changed with a token that is not right"}}),
        "delete": ("DELETE", f"/{victims}", {}),
    }


def is_ours(answer: httpx2.Response) -> bool:
    return "application/problem+json" in answer.headers.get("content-type", "")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutated_token_reaches_no_data_except_its_bearer_s(
    mutation: Mutation, issuer: Issuer, url: str, victims: str, http: httpx2.Client,
    written_to_others: Callable[[], Writes], held: list[Mutation], answered: list[int],
) -> None:  # fmt: skip
    written_to_others()
    sent = mutation.request(issuer)

    for operation, (method, path, more) in requests(victims).items():
        if method not in mutation.methods:
            continue
        answer = http.request(method, url + path, **more, **sent)
        answered.append(answer.status_code)
        is_harmless(operation, answer, mutation, issuer, USUAL)

    assert written_to_others() == []
    held.append(mutation)


@pytest.fixture
def second_url(stack: Checkout, victims: str) -> Iterator[str]:
    """The URL of the stack's second API."""
    names = {f"{verb}_incident" for verb in ("create", "get", "update", "delete")}
    with second_api(stack, names | {"list_incidents", "list_incident_changes"}) as api:
        api.serve(**NAMESPACED.parameters)
        yield api.url


def test_a_mutated_token_reaches_no_data_where_only_the_code_checks_scopes(
    issuer: Issuer, second_url: str, victims: str, http: httpx2.Client, written_to_others: Callable[[], Writes],
    held_in_code: list[Mutation],
) -> None:  # fmt: skip
    own = {"authorization": f"Bearer {genuine_token(issuer, VICTIM, NAMESPACED)}"}
    assert http.get(f"{second_url}/{victims}", headers=own).json()["title"] == INCIDENT["title"]
    operations = list(requests(victims).items())
    written_to_others()

    for n, mutation in enumerate([*MUTATIONS, *RENAMED]):
        suitable = [one for one in operations if one[1][0] in mutation.methods]
        operation, (method, path, more) = suitable[n % len(suitable)]
        answer = http.request(method, second_url + path, **more, **mutation.request(issuer, NAMESPACED))
        is_harmless(operation, answer, mutation, issuer, NAMESPACED)
        held_in_code.append(mutation)

    assert written_to_others() == []


@pytest.fixture(scope="module")
def held_in_code() -> list[Mutation]:
    """The mutations that this run has shown to be harmless where only the code checks scopes."""
    return []


def is_harmless(operation: str, answer: httpx2.Response, mutation: Mutation, issuer: Issuer, form: Form) -> None:
    assert INCIDENT["title"] not in answer.text
    where, status = mutation.outcome(form)
    told = f"{mutation.name}, {operation}: {answer.status_code} {answer.text}"
    match where:
        case Locally.GATEWAY:
            assert answer.status_code in (401, 403), told
            assert answer.json() == {"message": {401: "Unauthorized", 403: "Forbidden"}[answer.status_code]}, told
        case Locally.PARSER:
            assert (answer.status_code, is_ours(answer)) == (status, True), told
        case Locally.OWN_DATA:
            assert answer.status_code == OWN_STATUS[operation], told
            belongs_to_its_bearer(operation, answer, mutation, issuer, form)


def belongs_to_its_bearer(
    operation: str, answer: httpx2.Response, mutation: Mutation, issuer: Issuer, form: Form
) -> None:
    claims = mutation.all_claims(issuer, form)
    tenant, subject = taken(claims[form.names.get("tenant_id", "tenant_id")]), as_text(claims["sub"])
    if operation == "list":
        assert {item["tenant_id"] for item in answer.json()["items"]} <= {tenant}
    if operation == "create":
        incident = answer.json()
        assert (incident["tenant_id"], incident["created_by"]) == (tenant, subject)
        assert incident.get("app_id") == (taken(mutation.claims["app_id"]) if "app_id" in mutation.claims else None)


def test_a_genuine_token_reads_the_attacked_incident(
    issuer: Issuer, url: str, victims: str, http: httpx2.Client
) -> None:
    headers = {"authorization": f"Bearer {genuine(issuer, VICTIM)}"}

    assert http.get(f"{url}/{victims}", headers=headers).json()["title"] == INCIDENT["title"]


def test_a_single_write_to_the_attacked_tenant_is_detected(
    issuer: Issuer, url: str, victims: str, http: httpx2.Client, written_to_others: Callable[[], Writes]
) -> None:
    headers = {"authorization": f"Bearer {genuine(issuer, VICTIM)}"}
    written_to_others()

    assert http.get(f"{url}/{victims}", headers=headers).status_code == 200
    assert written_to_others() == []
    assert http.patch(f"{url}/{victims}", json={"owner_id": "x"}, headers=headers).status_code == 200
    told = {(what, partition) for what, partition, _ in written_to_others()}
    assert told == {("MODIFY", f"TENANT#{VICTIM}#INCIDENT"), ("INSERT", f"TENANT#{VICTIM}#CHANGE")}


def test_every_mutation_that_is_not_refused_has_a_reason() -> None:
    names = Counter(mutation.name for mutation in [*MUTATIONS, *RENAMED])
    excused = [mutation for mutation in [*MUTATIONS, *RENAMED] if mutation.locally is Locally.OWN_DATA]

    assert not [name for name, times in names.items() if times > 1]
    assert all(bool(mutation.fault) != bool(mutation.legal) for mutation in excused)
    assert len([mutation for mutation in MUTATIONS if not mutation.legal]) >= 45


def test_the_promise_on_forged_tokens_at_the_gateway_has_its_figure(
    promise: Callable[[str, str], None], held: list[Mutation], answered: list[int], held_in_code: list[Mutation]
) -> None:
    wrong = [mutation for mutation in held if not mutation.legal]
    faults = [mutation for mutation in wrong if mutation.locally is Locally.OWN_DATA]
    promise(
        "No forged token reaches data through the gateway",
        f"{len(wrong)} wrong tokens were sent in {len(answered):,} requests: 0 reached data of others, and 0 caused "
        f"a 5xx. {len(faults)} of these tokens have a valid signature but another fault, such as a "
        "wrong value in the token's header. Because of known bugs, the emulator does not notice this fault. These "
        "tokens reach only their bearer's own data. A second API leaves the check of the scopes to the code: "
        f"{len(held_in_code)} more requests with wrong tokens reached no data there",
    )
