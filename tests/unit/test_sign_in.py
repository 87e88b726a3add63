"""Tests of the local stack's sign-in: the admitted browsers, the address of the answer, and the uses of a code."""

import hashlib
import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from incidents_cli.local import sign_in
from incidents_cli.local.sign_in import AUTHORIZE, OPEN, SIGN_OUT, TOKEN, SignIn, load_signer, ticket

KEY, ORIGIN = "0123456789abcdef", "http://127.0.0.1:4566"
CONSOLE = f"{ORIGIN}/_aws/execute-api/a1b2c3/api/v1/grc/incidents/console"
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "response_type": "code", "client_id": "console", "redirect_uri": CONSOLE, "state": "s", "scope": "incidents:read",
    "code_challenge": CHALLENGE, "code_challenge_method": "S256",
}  # fmt: skip


def stored(answer: tuple[int, dict[str, str], str]) -> str:
    """Return the proof that a page stores in the browser, before the page continues to the console."""
    status, _, page = answer
    data = re.search(r'<script data-proof="([^"]+)" data-then="([^"]+)">', page)
    assert data is not None
    assert (status, html.unescape(data[2])) == (200, CONSOLE)
    return data[1]


class Local:
    """A sign-in with a clock that a test moves."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        self.sign_in = SignIn(ORIGIN, KEY, lambda: {"api_id": "a1b2c3"}, json.dumps, lambda: self.now)

    def get(self, path: str, **asked: str) -> tuple[int, dict[str, str], str]:
        return self.sign_in.answer("GET", path, urlencode(asked), "")

    def post(self, path: str, proof: str, form: str = "", **asked: str) -> tuple[int, dict[str, str], str]:
        """Send what the page of a GET sends by its script."""
        return self.sign_in.answer("POST", path, urlencode(asked), f"{urlencode({'proof': proof})}&{form}")

    def proof(self) -> str:
        return stored(self.get(OPEN + ticket(KEY, self.now)))

    def code(self, proof: str | None = None, **asked: str) -> str:
        status, headers, _ = self.post(AUTHORIZE, self.proof() if proof is None else proof, **(ASKED | asked))
        assert status == 303
        return dict(parse_qsl(urlsplit(headers["location"]).query))["code"]

    def sign_out(self, proof: str) -> str:
        """Sign out as the console does. Return the browser's new proof."""
        return stored(self.post(SIGN_OUT, proof, post_logout_redirect_uri=CONSOLE))

    def token(self, **asked: str) -> tuple[int, dict[str, Any]]:
        status, _, body = self.sign_in.answer("POST", TOKEN, "", urlencode({"client_id": "console"} | asked))
        return status, json.loads(body)

    def redeem(self, code: str, **other: str) -> tuple[int, dict[str, Any]]:
        asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": CONSOLE, "code_verifier": VERIFIER}
        return self.token(**(asked | other))

    def refresh(self, token: str) -> tuple[int, dict[str, Any]]:
        return self.token(grant_type="refresh_token", refresh_token=token)


@pytest.fixture
def local() -> Local:
    return Local()


def test_a_code_becomes_a_token_of_the_chosen_person(local: Local) -> None:
    status, tokens = local.redeem(local.code())
    claims = json.loads(tokens["access_token"])
    assert status == 200
    assert claims["tenant_id"] == "acme"
    assert claims["scope"] == tokens["scope"] == "incidents:read"
    assert (claims["aud"], claims["iss"]) == ("incidents", f"{ORIGIN}/token-issuer")
    assert claims["exp"] - claims["iat"] == tokens["expires_in"] == 900


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("incidents:read", "incidents:read"),
        ("incidents:write", "incidents:write"),
        ("incidents:write incidents:read", "incidents:read incidents:write"),
        ("", "incidents:read incidents:write"),
    ],
)
def test_a_token_has_only_the_scopes_that_were_asked_for(local: Local, asked: str, granted: str) -> None:
    tokens = local.redeem(local.code(scope=asked))[1]
    for each in (tokens, local.refresh(tokens["refresh_token"])[1]):
        assert json.loads(each["access_token"])["scope"] == each["scope"] == granted


def test_the_form_shows_only_the_scopes_that_were_asked_for_and_grants_no_others(local: Local) -> None:
    proof = local.sign_out(local.proof())
    assert local.post(AUTHORIZE, proof, **ASKED)[2].count('type="checkbox"') == 1
    _, headers, _ = local.post(AUTHORIZE, proof, "tenant=acme&subject=ada&scope=incidents:write", **ASKED)
    answer = dict(parse_qsl(urlsplit(headers["location"]).query))
    assert (answer["error"], answer["state"]) == ("access_denied", "s")
    assert "code" not in answer


def test_a_ticket_opens_once_within_a_day_and_only_with_the_stack_s_key(local: Local) -> None:
    good = ticket(KEY, local.now)
    assert local.get(OPEN + good)[0] == 200
    assert local.get(OPEN + good)[0] == 403
    assert local.get(OPEN + ticket("another key", local.now))[0] == 403
    later = ticket(KEY, local.now)
    local.now += 86_401
    assert local.get(OPEN + later)[0] == 403
    for wrong in ("", ".", "x", good[:-1], good + "0", "é" * 20):
        assert local.get(OPEN + wrong)[0] == 403


def test_a_used_ticket_stays_used_after_a_restart(local: Local) -> None:
    good = ticket(KEY, local.now)
    assert local.get(OPEN + good)[0] == 200
    local.now += 5
    restarted = Local(local.now)
    assert restarted.get(OPEN + good)[0] == 403
    assert restarted.get(OPEN + ticket(KEY, restarted.now))[0] == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", [AUTHORIZE, TOKEN, SIGN_OUT])
def test_too_many_parameters_are_refused(local: Local, method: str, path: str) -> None:
    many = "&".join(f"p{n}=x" for n in range(51))
    assert local.sign_in.answer(method, path, many, many)[0] == 400


def test_a_browser_without_a_ticket_gets_neither_code_nor_form(local: Local) -> None:
    for proof in ("", "guessed", local.proof()[:-1]):
        status, headers, body = local.post(AUTHORIZE, proof, "tenant=acme&subject=ada&scope=incidents:read", **ASKED)
        assert status == 403
        assert "location" not in headers
        assert "<form" not in body


def test_the_proof_of_a_browser_is_no_cookie_and_ends_after_a_day_and_at_the_sign_out(local: Local) -> None:
    """A browser sends its cookies to every port of 127.0.0.1, so also to servers of other users."""
    proof = local.proof()
    answers = [
        local.get(OPEN + ticket(KEY, local.now)), local.get(AUTHORIZE, **ASKED), local.post(AUTHORIZE, proof, **ASKED),
        local.get(SIGN_OUT), local.post(SIGN_OUT, local.proof(), post_logout_redirect_uri=CONSOLE),
    ]  # fmt: skip
    assert not [headers for _, headers, _ in answers if "set-cookie" in headers]
    assert proof not in "".join(page for _, _, page in answers)

    renewed = local.sign_out(proof)
    assert local.post(AUTHORIZE, proof, **ASKED)[0] == 403
    status, _, page = local.post(AUTHORIZE, renewed, **ASKED)
    assert status == 200
    assert 'name="tenant"' in page
    local.now += 86_401
    assert local.post(AUTHORIZE, renewed, **ASKED)[0] == 403


def test_a_request_without_a_proof_gets_a_page_that_sends_the_proof_to_the_same_address(local: Local) -> None:
    status, headers, page = local.get(AUTHORIZE, **ASKED)
    assert status == 200
    assert f'action="{html.escape(AUTHORIZE + "?" + urlencode(ASKED))}"' in page
    (script,) = re.findall("<script>(.*?)</script>", page)
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    "redirect",
    [
        CONSOLE + "/", CONSOLE + "?x", CONSOLE + "#", CONSOLE.replace("127.0.0.1", "localhost"), CONSOLE.upper(),
        CONSOLE.replace("http:", "https:"), CONSOLE.replace(":4566", ":4567"), "https://evil.example/", "",
        CONSOLE + "%20",
        CONSOLE.replace("127.0.0.1:4566", "127.0.0.1:4566@evil.example"), CONSOLE.replace("a1b2c3", "other"),
    ],
)  # fmt: skip
def test_an_answer_goes_only_to_the_console_s_exact_address(local: Local, redirect: str) -> None:
    for answer in (local.get, lambda path, **asked: local.post(path, local.proof(), **asked)):
        status, headers, page = answer(AUTHORIZE, **(ASKED | {"redirect_uri": redirect}))
        assert status == 400
        assert "location" not in headers
        assert "<form" not in page


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "incidents:read admin"}, "invalid_scope"),
    ],
)
def test_other_faults_are_told_to_the_console_with_its_state(local: Local, change: dict[str, str], error: str) -> None:
    _, headers, _ = local.get(AUTHORIZE, **(ASKED | change))
    answer = dict(parse_qsl(urlsplit(headers["location"]).query))
    assert headers["location"].startswith(CONSOLE + "?")
    assert (answer["error"], answer["state"]) == (error, "s")
    assert "code" not in answer


def test_a_parameter_that_comes_twice_is_refused(local: Local) -> None:
    query = urlencode(ASKED) + f"&redirect_uri={CONSOLE}"
    assert local.sign_in.answer("GET", AUTHORIZE, query, "")[0] == 400


@pytest.mark.parametrize(
    "other",
    [{"code_verifier": "w" * 43}, {"code_verifier": ""}, {"redirect_uri": CONSOLE + "/"}, {"client_id": "other"}],
)
def test_a_code_is_only_for_who_asked_for_it(local: Local, other: dict[str, str]) -> None:
    status, answer = local.redeem(local.code(), **other)
    assert status == 400
    assert answer["error"] in ("invalid_grant", "invalid_client")


def test_a_code_lives_a_minute_and_a_second_use_ends_its_session(local: Local) -> None:
    late = local.code()
    local.now += 61
    assert local.redeem(late)[0] == 400
    code = local.code()
    tokens = local.redeem(code)[1]
    assert local.redeem(code)[0] == 400
    assert local.refresh(tokens["refresh_token"])[0] == 400


def test_refresh_tokens_rotate_and_a_stolen_one_ends_the_session(local: Local) -> None:
    first = local.redeem(local.code())[1]["refresh_token"]
    status, renewed = local.refresh(first)
    assert status == 200
    assert renewed["refresh_token"] != first
    assert local.refresh(first)[0] == 400, "used before"
    assert local.refresh(renewed["refresh_token"])[0] == 400, "the whole session has ended"
    other = local.redeem(local.code())[1]["refresh_token"]
    local.now += 43_201
    assert local.refresh(other)[0] == 400


def test_the_form_lets_a_developer_choose_and_says_what_is_wrong(local: Local) -> None:
    proof = local.sign_out(local.proof())
    status, headers, page = local.post(AUTHORIZE, proof, **ASKED)
    assert status == 200
    assert page.count("<form") == 1
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    for wrong in ("tenant=a&subject=x&scope=incidents:read", "tenant=acme&subject=&scope=incidents:read",
                  "tenant=acme&subject=x&app=a b&scope=incidents:read",
                  "tenant=acme&subject=x&app=-&scope=incidents:read",
                  "tenant=acme&subject=x"):  # fmt: skip
        status, _, page = local.post(AUTHORIZE, proof, wrong, **ASKED)
        assert status == 200
        assert 'role="alert"' in page
    chosen = "tenant=globex&app=soc-portal&subject=scanner&scope=incidents:read"
    _, headers, _ = local.post(AUTHORIZE, proof, chosen, **ASKED)
    code = dict(parse_qsl(urlsplit(headers["location"]).query))["code"]
    claims = json.loads(local.redeem(code)[1]["access_token"])
    assert (claims["tenant_id"], claims["app_id"], claims["sub"], claims["scope"]) == (
        "globex", "soc-portal", "scanner", "incidents:read",
    )  # fmt: skip


def test_a_request_cannot_write_markup_into_the_form(local: Local) -> None:
    hostile = ASKED | {"state": '"><script>alert(1)</script>'}
    proof = local.sign_out(local.proof())
    for page in (local.post(AUTHORIZE, proof, **hostile)[2], local.get(AUTHORIZE, **hostile)[2]):
        assert "alert(1)</script>" not in page
    # a browser sends these characters encoded, but another client can send them as they are
    raw = urlencode(ASKED) + '&x="><script>alert(1)</script>'
    assert "alert(1)</script>" not in local.sign_in.answer("GET", AUTHORIZE, raw, "")[2]
    assert "alert(1)</script>" not in local.sign_in.answer("GET", SIGN_OUT, raw, "")[2]


@pytest.mark.parametrize("back", ["https://evil.example/", CONSOLE + "?x", ""])
def test_a_sign_out_returns_only_to_the_console(local: Local, back: str) -> None:
    status, headers, page = local.post(SIGN_OUT, local.proof(), post_logout_redirect_uri=back)
    assert status == 200
    assert "location" not in headers
    assert "<script" not in page


def test_what_is_kept_in_memory_is_bounded(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "_MOST_GRANTS", 3)
    proof = local.proof()
    codes = [local.code(proof) for _ in range(5)]
    assert [local.redeem(code)[0] for code in codes] == [400, 400, 200, 200, 200]


def test_a_token_is_signed_with_the_issuer_s_key(tmp_path: Any) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "key.pem").write_bytes(key.private_bytes(*form))
    token = load_signer(tmp_path / "key.pem")({"sub": "ada", "aud": "incidents"})
    assert jwt.decode(token, key.public_key(), algorithms=["RS256"], audience="incidents")["sub"] == "ada"
    assert jwt.get_unverified_header(token)["kid"] == "development"
