import pytest
from hypothesis import given
from hypothesis import strategies as st
from incidents.domain.errors import NotAuthenticated, NotPermitted
from incidents.domain.identity import Identity, from_claims

NOW = 1_795_000_000.0
ISSUER = "https://issuer.example"
CLAIMS = {"tenant_id": "acme", "sub": "auth0|ada", "scope": "incidents:read", "exp": "1795000001", "iss": ISSUER}


def test_the_claims_of_a_person_give_an_identity_without_an_application() -> None:
    assert from_claims(CLAIMS, NOW, ISSUER) == Identity("acme", "auth0|ada", None, frozenset({"incidents:read"}))


@pytest.mark.parametrize("exp", ["1795000001", "1795000000.5", "999999999999999"])
def test_a_future_expiry_is_accepted(exp: str) -> None:
    assert from_claims(CLAIMS | {"exp": exp}, NOW, ISSUER).tenant_id == "acme"


def test_scopes_are_also_read_from_the_claim_scp() -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != "scope"} | {"scp": "[incidents:read a]"}
    assert from_claims(claims, NOW, ISSUER).scopes == {"incidents:read", "a"}


def test_the_claim_app_id_gives_the_application() -> None:
    assert from_claims(CLAIMS | {"app_id": "soc-portal"}, NOW, ISSUER).app_id == "soc-portal"


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("incidents:read incidents:write", {"incidents:read", "incidents:write"}),
        ("[incidents:read incidents:write]", {"incidents:read", "incidents:write"}),
        ("incidents:readwrite", {"incidents:readwrite"}),
        ('{"a":"b incidents:read c"}', set()),
        ("[[a incidents:read b]]", set()),
        ("incidents:read\tincidents:write", set()),
    ],
)
def test_scopes_are_read_as_complete_words(scope: str, scopes: set[str]) -> None:
    assert from_claims(CLAIMS | {"scope": scope}, NOW, ISSUER).scopes == scopes


@pytest.mark.parametrize(
    "exp",
    [
        "1795000000",
        "0",
        "-1",
        "",
        "soon",
        "1e12",
        "1795000000.0",
        " 1795000001",
        "9" * 16,
        "9" * 5000,
        "\u0661795000001",
        None,
    ],
)
def test_a_past_or_unreadable_expiry_is_not_authenticated(exp: object) -> None:
    with pytest.raises(NotAuthenticated):
        from_claims(CLAIMS | {"exp": exp}, NOW, ISSUER)


@pytest.mark.parametrize(
    "iss", [None, "", f"{ISSUER}/", ISSUER.upper(), f"[{ISSUER} x]", ISSUER.replace("https", "http")]
)
def test_another_issuer_is_not_authenticated(iss: object) -> None:
    with pytest.raises(NotAuthenticated, match="issuer"):
        from_claims(CLAIMS | {"iss": iss}, NOW, ISSUER)


def test_an_id_token_is_not_authenticated() -> None:
    assert from_claims(CLAIMS | {"token_use": "access"}, NOW, ISSUER)
    with pytest.raises(NotAuthenticated, match="access token"):
        from_claims(CLAIMS | {"token_use": "id"}, NOW, ISSUER)


@given(st.sampled_from(["tenant_id", "sub", "app_id"]), st.text() | st.none() | st.lists(st.text()) | st.integers())
def test_a_claim_is_accepted_unchanged_or_refused(name: str, value: object) -> None:
    try:
        identity = from_claims(CLAIMS | {name: value}, NOW, ISSUER)
    except NotPermitted as refused:
        assert name in refused.detail
    else:
        taken = {"tenant_id": identity.tenant_id, "sub": identity.subject, "app_id": identity.app_id}
        assert isinstance(value, str)
        if name != "sub" and value[:1] == "[":
            value = value[1:-1]
        assert taken[name] == value
        assert not set(value) & set("\x00\n")
        assert value == value.strip(" ")
        assert name == "sub" or not set(value) & set("#*/"), "the value becomes part of keys"
        assert not value.startswith(("[", "{"))


@pytest.mark.parametrize("name", ["tenant_id", "sub", "app_id"])
@pytest.mark.parametrize(
    "value", ["[a b]", "[]", "[[acme]]", "[null]", '{"a":"b"}', "map[a:b]", "null", "true", "false"]
)
def test_the_text_form_of_a_claim_that_was_not_text_is_refused(name: str, value: str) -> None:
    with pytest.raises(NotPermitted, match=name):
        from_claims(CLAIMS | {name: value}, NOW, ISSUER)
