"""The sign-in of the local stack: authorization code with PKCE at the development issuer (RFC 6749, RFC 7636).

The emulator's process serves it, behind the guard. The emulator's own interpreter loads this file. So the file imports
only the standard library, and ``cryptography`` where a token is signed.

Only a browser that proved the stack's secret may sign in. `incidents up` prints an address with a ticket: a proof for
one use. The page at this address stores a second proof in the browser: the browser's proof. With this proof, the page
of the sign-in lets a developer choose a tenant, an application, a person and the scopes.

The browser's proof is in the storage of the stack's origin, which includes the port. A cookie has no port, so a browser
would also send it to the servers of other users of this machine.
"""

import hashlib
import hmac
import html
import json
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from . import sign_in_pages as pages
from .sign_in_pages import Answer, Identity

AUTHORIZE, TOKEN, SIGN_OUT = "/token-issuer/authorize", "/token-issuer/token", "/token-issuer/sign-out"
OPEN = "/token-issuer/open/"
CLIENT = "console"
CONSOLE = "/api/v1/grc/incidents/console"
SCOPES = pages.SCOPES
KEY_ID = "development"
AUDIENCE = "incidents"
USUAL_NAMES = {"TenantClaim": "tenant_id", "AppClaim": "app_id", "AppMarker": "", "ScopeClaims": "scope,scp"}

_TICKET_SECONDS, _CODE_SECONDS, _ACCESS_SECONDS, _REFRESH_SECONDS = 86_400, 60, 900, 43_200
_BROWSER_SECONDS = 86_400
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_APP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SUBJECT = re.compile(r"[!-~]{1,255}")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_MOST_GRANTS = 1000
_MOST_FIELDS = 50


def ticket(key: str, now: float) -> str:
    """Return the proof that the bearer may sign in: its expiry, a random part, and a signature with the stack's key."""
    said = f"{int(now) + _TICKET_SECONDS}-{secrets.token_urlsafe(12)}"
    return f"{said}.{_signature(key, said)}"


def _signature(key: str, said: str) -> str:
    return hmac.new(key.encode(), f"incidents sign-in {said}".encode(), "sha256").hexdigest()


def claims_of(
    issuer: str, names: Mapping[str, str], tenant: str, app: str | None, subject: str, scope: str, expires_in: int
) -> dict[str, Any]:  # fmt: skip
    """Return the claims of a token for a stack. ``names`` are the stack's parameters that name claims."""
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": subject,
        names["TenantClaim"]: tenant,
        names["ScopeClaims"].split(",")[0]: scope,
        "iat": now,
        "exp": now + expires_in,
    }
    if app is not None:
        claims[names["AppClaim"]] = app
        marker, is_, value = names["AppMarker"].partition("=")
        claims |= {marker: value} if is_ else {}
    return claims


@dataclass
class _Browser:
    """A browser that proved the stack's secret. ``identity`` is None after a sign-out."""

    expires: float
    identity: Identity | None


@dataclass(frozen=True)
class _Code:
    identity: Identity
    redirect_uri: str
    challenge: str
    expires: float
    family: str


@dataclass(frozen=True)
class _Refresh:
    identity: Identity
    family: str
    expires: float


class _Refused(Exception):
    """An error of OAuth, with its code and a sentence for people."""


class SignIn:
    """The authorization endpoint, the token endpoint and the sign-out of a local stack.

    ``record`` returns the stack's record: the id of its API, and the names of the claims. ``sign`` returns a signed
    token for claims. ``origin`` is the stack's URL. Codes, refresh tokens and browsers live in memory.
    """

    def __init__(
        self, origin: str, key: str, record: Callable[[], Mapping[str, Any]], sign: Callable[[dict[str, Any]], str],
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._origin, self._key, self._record, self._sign, self._clock = origin, key, record, sign, clock
        self._issuer = f"{origin}/token-issuer"
        self._started = clock()
        self._used: dict[str, float] = {}
        self._browsers: dict[str, _Browser] = {}
        self._codes: dict[str, _Code] = {}
        self._spent: dict[str, str] = {}
        """The family of each used code and refresh token. If a used code or token comes again, its family ends."""
        self._refreshes: dict[str, _Refresh] = {}

    def answers(self, method: str, path: str) -> bool:
        """Return whether the request is one of the sign-in."""
        if path in (AUTHORIZE, SIGN_OUT):
            return method in ("GET", "POST")
        return (method, path) == ("POST", TOKEN) or (method == "GET" and path.startswith(OPEN))

    def answer(self, method: str, path: str, query: str, body: str) -> Answer:
        try:
            if path == TOKEN:
                return pages.json_answer(200, self._token(_single(body)))
            if path == SIGN_OUT:
                return self._sign_out(method, query, _pairs(body))
            if path == AUTHORIZE:
                return self._authorize(method, query, _pairs(body))
            return self._open(path.removeprefix(OPEN))
        except _Refused as refused:
            error, sentence = refused.args
            if path == TOKEN:
                return pages.json_answer(400, {"error": error, "error_description": sentence})
            return pages.page("The sign-in was refused", f"<p>{html.escape(sentence)}</p>", 400)

    @property
    def console(self) -> str:
        """The console's address. A sign-in returns only to this address."""
        return f"{self._origin}/_aws/execute-api/{self._record()['api_id']}{CONSOLE}"

    def _open(self, given: str) -> Answer:
        """Let a browser with an unused ticket sign in, and send it to the console."""
        said, _, signature = given.rpartition(".")
        now = self._clock()
        self._used = {known: expires for known, expires in self._used.items() if expires > now}
        expires = said.partition("-")[0]
        if not hmac.compare_digest(signature.encode(), _signature(self._key, said).encode()) or int(expires) < now:
            return self._needs_ticket("This address has expired or is incomplete.")
        if int(expires) - _TICKET_SECONDS < int(self._started):  # a restart forgets which tickets were used
            return self._needs_ticket("This address is older than the last start of the stack.")
        if said in self._used:
            return self._needs_ticket("This address was already used. It opens the console once.")
        self._used[said] = int(expires)
        return self._admit(Identity(), self.console)

    def _admit(self, identity: Identity | None, then: str) -> Answer:
        """Give the browser a new proof, and send it to ``then``."""
        proof = secrets.token_urlsafe(32)
        _keep(self._browsers, proof, _Browser(self._clock() + _BROWSER_SECONDS, identity))
        return pages.storing(proof, then)

    def _needs_ticket(self, reason: str) -> Answer:
        advice = (
            "Run <code>uv run incidents up</code> again, and open the console's address that it prints. "
            "Without a terminal, ask the person who runs the stack for such an address."
        )
        return pages.page("Open the console from the command", f"<p>{html.escape(reason)}</p><p>{advice}</p>", 403)

    def _authorize(self, method: str, query: str, form: list[tuple[str, str]]) -> Answer:
        """Check a request for a code. The browser sends such a request twice, the second time with its proof."""
        asked = _single(query)
        if asked.get("client_id") != CLIENT:
            raise _Refused("invalid_client", f"The client must be {CLIENT}.")
        if asked.get("redirect_uri") != self.console:
            raise _Refused("invalid_request", f"The sign-in returns only to {self.console}. Open the console there.")
        state = {"state": asked["state"]} if "state" in asked else {}

        def failed(error: str, sentence: str) -> Answer:
            said = {"error": error, "error_description": sentence} | state
            return pages.redirect(f"{self.console}?{urlencode(said)}")

        if asked.get("response_type") != "code":
            return failed("unsupported_response_type", "The response type must be code.")
        challenge = asked.get("code_challenge", "")
        if asked.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
            return failed("invalid_request", "The request needs a code challenge with the method S256.")
        scopes = asked.get("scope", "").split() or [*SCOPES]
        if not {*scopes} <= {*SCOPES}:
            return failed("invalid_scope", f"The scopes are {' and '.join(SCOPES)}.")
        target = f"{AUTHORIZE}?{query}"
        if method == "GET":
            return pages.proving(target)
        proof = dict(form).get("proof", "")
        browser = self._browsers.get(proof)
        if browser is None or browser.expires < self._clock():
            return self._needs_ticket("This browser has not yet opened an address of the local stack.")
        if "tenant" in dict(form):
            chosen = _chosen(form)
            if isinstance(chosen, str):
                return pages.form(target, proof, Identity(), chosen, scopes)
            browser.identity = chosen
        elif browser.identity is None or asked.get("prompt") in ("login", "select_account"):
            return pages.form(target, proof, browser.identity or Identity(), "", scopes)
        assert browser.identity is not None  # noqa: S101
        granted = [scope for scope in browser.identity.scope.split() if scope in scopes]  # RFC 6749 3.3
        if not granted:
            return failed("access_denied", f"The person who signed in did not permit {' '.join(scopes)}.")
        identity = replace(browser.identity, scope=" ".join(granted))
        code, family = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
        expires = self._clock() + _CODE_SECONDS
        _keep(self._codes, code, _Code(identity, self.console, challenge, expires, family))
        return pages.redirect(f"{self.console}?{urlencode({'code': code} | state | {'iss': self._issuer})}")

    def _token(self, asked: Mapping[str, str]) -> dict[str, Any]:
        if asked.get("client_id") != CLIENT:
            raise _Refused("invalid_client", f"The client must be {CLIENT}.")
        match asked.get("grant_type"):
            case "authorization_code":
                identity, family = self._redeemed(asked)
            case "refresh_token":
                identity, family = self._rotated(asked.get("refresh_token", ""))
            case _:
                raise _Refused("unsupported_grant_type", "The grant is authorization_code or refresh_token.")
        names = USUAL_NAMES | (self._record().get("claims") or {})
        claims = claims_of(
            self._issuer, names, identity.tenant, identity.app or None, identity.subject, identity.scope,
            _ACCESS_SECONDS,
        )  # fmt: skip
        refresh = secrets.token_urlsafe(32)
        _keep(self._refreshes, refresh, _Refresh(identity, family, self._clock() + _REFRESH_SECONDS))
        return {
            "access_token": self._sign(claims),
            "token_type": "Bearer",
            "expires_in": _ACCESS_SECONDS,
            "refresh_token": refresh,
            "scope": identity.scope,
        }

    def _redeemed(self, asked: Mapping[str, str]) -> tuple[Identity, str]:
        """Return the request and the identity of a code. A second use of a code ends the tokens of the first use."""
        code = self._spend(self._codes, asked.get("code", ""))
        verifier = asked.get("code_verifier", "")
        hashed = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if (
            code.expires < self._clock()
            or code.redirect_uri != asked.get("redirect_uri")
            or not _VERIFIER.fullmatch(verifier)
            or not hmac.compare_digest(hashed, code.challenge)
        ):
            raise _Refused("invalid_grant", "The code has expired, or belongs to another request.")
        return code.identity, code.family

    def _rotated(self, token: str) -> tuple[Identity, str]:
        refresh = self._spend(self._refreshes, token)
        if refresh.expires < self._clock():
            raise _Refused("invalid_grant", "The session has ended. Sign in again.")
        return refresh.identity, refresh.family

    def _spend(self, kept: dict[str, Any], secret: str) -> Any:
        """Remove the entry of a code or of a refresh token from ``kept``, and return the entry.

        A code or a refresh token works only once. A second use makes all refresh tokens of its family invalid.
        """
        if (family := self._spent.get(secret)) is not None:
            self._refreshes = {token: refresh for token, refresh in self._refreshes.items() if refresh.family != family}
        if secret not in kept:
            raise _Refused("invalid_grant", "The code or refresh token was used before, or is unknown.")
        given = kept.pop(secret)
        _keep(self._spent, secret, given.family)
        return given

    def _sign_out(self, method: str, query: str, form: list[tuple[str, str]]) -> Answer:
        """Forget the browser's proof. Its new proof needs a choice of a person."""
        back = _single(query).get("post_logout_redirect_uri")
        if method == "GET":
            return pages.proving(f"{SIGN_OUT}?{query}")
        browser = self._browsers.pop(dict(form).get("proof", ""), None)
        if back != self.console:
            return pages.page("Signed out", "<p>You are signed out.</p>")
        return pages.redirect(back) if browser is None else self._admit(None, back)


def load_signer(key_file: Path) -> Callable[[dict[str, Any]], str]:
    """Return a function that signs claims as a JWT with the issuer's key (RS256). It reads the key at each call."""

    def sign(claims: dict[str, Any]) -> str:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101
        head = {"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}
        said = ".".join(_base64(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
        return f"{said}.{_base64(key.sign(said.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    return sign


def _base64(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return the parameters of a request. Raises _Refused for too many parameters."""
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise _Refused("invalid_request", f"A request may have at most {_MOST_FIELDS} parameters.") from None


def _single(text: str) -> dict[str, str]:
    """Return the parameters of a request. Raises _Refused for a repeated parameter (RFC 6749 3.1)."""
    pairs = _pairs(text)
    if len({name for name, _ in pairs}) != len(pairs):
        raise _Refused("invalid_request", "A parameter is repeated.")
    return dict(pairs)


def _chosen(pairs: list[tuple[str, str]]) -> Identity | str:
    """Return the identity that a form names, or the text of an error."""
    form = {name: value.strip() for name, value in pairs if name != "scope"}
    scope = " ".join(scope for scope in SCOPES if ("scope", scope) in pairs)
    if not _TENANT.fullmatch(form.get("tenant", "")):
        return "A tenant has 2 to 63 letters, digits, dots, hyphens or underscores. It begins with a letter or digit."
    if form.get("app") and not _APP.fullmatch(form["app"]):
        return "An application begins with a letter or digit, and has up to 128 letters, digits and characters of ._-"
    if not _SUBJECT.fullmatch(form.get("subject", "")):
        return "A person has 1 to 255 printable ASCII characters without spaces."
    if not scope:
        return "Choose at least one scope."
    return Identity(form["tenant"], form.get("app", ""), form["subject"], scope)


def _keep(kept: dict[str, Any], name: str, value: Any) -> None:
    """Add an entry, and drop the oldest ones above the limit."""
    kept[name] = value
    while len(kept) > _MOST_GRANTS:
        del kept[next(iter(kept))]
