"""Tests the claims of every mutated token at every operation, as if the gateway had accepted the token."""

import json
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incidents.domain.identity import claim_names, from_claims
from incidents.storage import dynamodb

from tests.support import scale
from tests.support.checkout import free_port
from tests.support.events import ISSUER, claims
from tests.support.operations import OPERATIONS, call, calls_to_dynamodb
from tests.support.signing import Issuer, strangers_key
from tests.support.tokens import MUTATIONS, NAMESPACED, RENAMED, USUAL, Form, Mutation, as_text, handed_on, taken

TRUSTED = Issuer(ISSUER, "incidents", strangers_key())
CASES = [
    *((mutation, USUAL) for mutation in MUTATIONS),
    *((mutation, NAMESPACED) for mutation in [*MUTATIONS, *RENAMED]),
]
SHOWING = [case for case in CASES if case[0].parser is not None]
LEGAL = [case for case in CASES if case[0].legal and (case[0].claims or case[0].own_names)]

LOWER, DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


@pytest.fixture(autouse=True, scope="module")
def _no_table() -> Iterator[None]:
    """Give the functions a DynamoDB address without a server.

    So the tests notice an unexpected call, but the call reaches no table.
    """
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{free_port()}")
        environment.setenv("TABLE_NAME", "unreachable")
        dynamodb.client.cache_clear()
        dynamodb.client()
        yield
        dynamodb.client.cache_clear()


def assert_refused_everywhere(caller: dict[str, str], status: int) -> None:
    for operation in OPERATIONS:
        with calls_to_dynamodb() as made:
            answer = call(operation, caller)
        problem = json.loads(answer["body"])
        assert answer["headers"]["content-type"] == "application/problem+json"
        assert (answer["statusCode"], problem["status"]) == (status, status), problem
        assert made == []


@pytest.fixture(scope="module")
def refused() -> list[dict[str, str]]:
    """Return the list of claim sets that all operations refused in this run."""
    return []


def name_of(one: object) -> str:
    return one.name if isinstance(one, Mutation) else "usual" if one is USUAL else "other names"


@pytest.mark.parametrize(("mutation", "form"), SHOWING, ids=name_of)
def test_wrong_claims_are_refused_by_every_operation(
    mutation: Mutation, form: Form, refused: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_CLAIMS", form.token_claims)
    assert mutation.parser is not None
    for caller in handed_on(mutation.all_claims(TRUSTED, form)):
        if form is USUAL and mutation.claims == {"app_id": None} and "app_id" not in caller:
            # AWS passes these claims as a person's, because they name no application.
            continue
        assert_refused_everywhere(caller, mutation.parser)
        refused.append(caller)


@pytest.mark.parametrize(("mutation", "form"), LEGAL, ids=name_of)
def test_right_claims_are_accepted_unchanged(mutation: Mutation, form: Form) -> None:
    sent = mutation.all_claims(TRUSTED, form)
    (caller,) = handed_on(sent)

    identity = from_claims(caller, time.time(), ISSUER, claim_names(form.token_claims))

    assert (identity.tenant_id, identity.subject) == (
        taken(sent[form.names.get("tenant_id", "tenant_id")]), as_text(sent["sub"])
    )  # fmt: skip
    assert identity.app_id == (taken(mutation.claims["app_id"]) if "app_id" in mutation.claims else None)
    assert identity.scopes == {"incidents:read", "incidents:write"}


def may_be(name: str, value: str) -> bool:
    """Return whether a claim may have this value, by the rule of docs/tokens.md.

    This function is written independently of the parser.
    """
    if name != "sub" and value.startswith("[") and value.endswith("]"):
        value = value[1:-1]
    if value in ("null", "true", "false"):
        return False
    first, rest = value[:1], value[1:]
    letters = {*LOWER, *LOWER.upper(), *DIGITS}
    match name:
        case "tenant_id":
            return len(value) in range(2, 64) and first in letters and set(rest) <= letters | {*"._-"}
        case "app_id":
            return len(value) in range(1, 129) and first in letters and set(rest) <= letters | {*"._-"}
        case _:
            ours = value.startswith("system:") and value.count(":") == 1
            named_for_us = value.startswith(("[", "{", "map[")) or ours
            inner_spaces = value.strip(" ") == value and set(value) <= {*PRINTABLE, " "}
            return len(value) in range(1, 256) and inner_spaces and not named_for_us


LISTED = st.text(LOWER + ". ", max_size=6).map(lambda value: f"[{value}]")
SIGNS = st.characters() | st.sampled_from("#*[]{}/\\%. \0\n\u0430\u2028")
ALMOST = st.tuples(st.text(LOWER, max_size=3), SIGNS, st.text(LOWER, max_size=3)).map("".join)


@settings(max_examples=scale.of(short=500, full=20_000), deadline=None)
@given(
    name=st.sampled_from(["tenant_id", "app_id", "sub"]),
    value=st.text(max_size=400) | ALMOST | LISTED | st.text(PRINTABLE, max_size=300),
)
def test_any_claim_value_is_accepted_unchanged_or_refused_by_every_operation(name: str, value: str) -> None:
    caller = claims(**{name: value})
    if may_be(name, value):
        identity = from_claims(caller, time.time(), ISSUER)
        expected = value if name == "sub" or value[:1] != "[" else value[1:-1]
        assert {"tenant_id": identity.tenant_id, "app_id": identity.app_id, "sub": identity.subject}[name] == expected
    else:
        assert_refused_everywhere(caller, 403)


SCOPE = st.sampled_from(["a incidents:read b", "incidents:read", "incidents:read incidents:write"])
NESTED = st.recursive(
    SCOPE | st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCOPE | st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=scale.of(short=200, full=5_000), deadline=None)
@given(scope=SCOPE, more=NESTED)
def test_no_scope_is_read_from_an_object_or_a_nested_list(scope: str, more: object) -> None:
    for value in ({"x": scope, "y": more}, {scope: more}, [{"x": scope}, more], [[scope, "c"], more]):
        (caller,) = handed_on(TRUSTED.claims("acme") | {"scope": value})
        assert from_claims(caller, time.time(), ISSUER).scopes == frozenset()


def test_the_promise_on_forged_tokens_at_the_parser_has_its_figure(
    promise: Callable[[str, str], None], refused: list[dict[str, str]]
) -> None:
    promise(
        "No forged token reaches data through the parser",
        f"{len(refused)} wrong sets of claims were sent to each of {len(OPERATIONS)} operations: all requests were "
        "refused without a call to DynamoDB, and 0 caused a 5xx",
    )
