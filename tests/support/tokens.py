"""Makes tokens with one wrong part from a genuine token, and names the component that must refuse each token.

The emulator differs from AWS in some places. If a token shows such a difference, ``fault`` describes it. Such a fault
may let a token through only if the issuer signed the token for its bearer. Even then, the token reaches only the
bearer's own data.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tests.support import signing
from tests.support.events import SCOPES
from tests.support.signing import ABSENT, KEY_ID, Issuer, Signature

VICTIM, VISITOR, NUMBER = "acme", "visitor", 4711
BEARERS = (VISITOR, NUMBER, VICTIM.upper(), "visitor_1.a")  # the tenants of the valid tokens
NOW = int(time.time())
READS, WRITES = frozenset({"GET"}), frozenset({"POST", "PATCH", "DELETE"})


@dataclass(frozen=True)
class Form:
    """How a stack names the claims that it reads, and whether its gateway checks the scopes."""

    parameters: Mapping[str, str] = field(default_factory=dict)  # template parameters that differ from the defaults
    names: Mapping[str, str] = field(default_factory=dict)  # the new names of claims, by their default names

    @property
    def token_claims(self) -> str:
        """Return the setting of the functions, as the template makes it."""
        given = {"TenantClaim": "tenant_id", "AppClaim": "app_id", "AppMarker": "", "ScopeClaims": "scope,scp"}
        return " ".join((given | dict(self.parameters)).values())

    @property
    def gateway_reads_scopes(self) -> bool:
        return "ScopeClaims" not in self.parameters

    def renamed(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        made = {self.names.get(name, name): value for name, value in claims.items()}
        if "app_id" in claims and (marker := self.parameters.get("AppMarker")):
            made |= dict([marker.split("=")])
        return made


USUAL = Form()
NAMESPACED = Form(
    {
        "TenantClaim": "https://example.com/tenant_id", "AppClaim": "azp", "AppMarker": "idtyp=app",
        "ScopeClaims": "roles,permissions",
    },
    {"tenant_id": "https://example.com/tenant_id", "app_id": "azp", "scope": "roles"},
)  # fmt: skip


class Locally(Enum):
    """The outcome of a token at the local stack."""

    GATEWAY = "refused by the gateway"
    PARSER = "refused by our parser"
    OWN_DATA = "its bearer's own data"


Sent = Mapping[str, Any]


def bearer(token: str, _: str) -> Sent:
    return {"headers": [("authorization", f"Bearer {token}")]}


def header(form: str) -> Callable[[str, str], Sent]:
    return lambda token, genuine: {"headers": [("authorization", form.format(token=token, genuine=genuine))]}


def two_headers(token: str, genuine: str) -> Sent:
    return {"headers": [("authorization", f"Bearer {genuine}"), ("authorization", f"Bearer {token}")]}


def two_headers_the_genuine_one_last(token: str, genuine: str) -> Sent:
    return {"headers": [("authorization", f"Bearer {token}"), ("authorization", f"Bearer {genuine}")]}


def parameter(name: str) -> Callable[[str, str], Sent]:
    return lambda token, _: {"params": {name: token}}


def as_it_is(token: str) -> str:
    return token


@dataclass(frozen=True)
class Mutation:
    """One change to a genuine token, or to the way in which it is sent."""

    name: str
    claims: Mapping[str, Any] = field(default_factory=dict)
    header: Mapping[str, Any] = field(default_factory=dict)
    signature: Signature = signing.rs256
    whole_header: Any = None
    payload: Any = None
    text: Callable[[str], str] = as_it_is
    sent: Callable[[str, str], Sent] = bearer
    locally: Locally = Locally.GATEWAY
    parser: int | None = None  # our parser's status for these claims; None for valid claims
    # A known bug of the emulator, if the emulator differs from AWS for this token.
    fault: str = ""
    # The reason why the token is valid, if nothing is wrong with it.
    legal: str = ""
    methods: frozenset[str] = READS | WRITES
    is_granted_in_code: bool = False  # true if our parser can read the scopes but the emulator's gateway cannot
    own_names: Mapping[str, Any] = field(default_factory=dict)  # claims that keep their names in every form

    def outcome(self, form: Form) -> tuple[Locally, int | None]:
        """Return the token's outcome at the local stack, and our parser's status if our parser refuses the token."""
        if form.gateway_reads_scopes or "scope" not in self.claims:
            return self.locally, self.parser
        return (Locally.OWN_DATA, None) if self.is_granted_in_code else (Locally.PARSER, self.parser or 403)

    def tenant(self, form: Form) -> str:
        """Return the tenant of a token that gets through, or the tenant that any other token attacks."""
        return VISITOR if self.outcome(form)[0] is Locally.OWN_DATA else VICTIM

    def all_claims(self, issuer: Issuer, form: Form = USUAL) -> dict[str, Any]:
        usual = genuine_claims(issuer, self.tenant(form), form)
        return signing.changed(usual, form.renamed(self.claims) | dict(self.own_names), issuer.url)

    def request(self, issuer: Issuer, form: Form = USUAL) -> Sent:
        """Return the arguments of an httpx2 request with this token."""
        usual = {"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}
        header = signing.changed(usual, self.header, issuer) if self.whole_header is None else self.whole_header
        payload = self.all_claims(issuer, form) if self.payload is None else self.payload
        token = signing.token(issuer, header, payload, self.signature)
        return self.sent(self.text(token), genuine_token(issuer, VISITOR, form))


def genuine_claims(issuer: Issuer, tenant: str, form: Form) -> dict[str, Any]:
    claims = form.renamed(issuer.claims(tenant))
    # If a marker identifies applications, people's tokens may have the application's claim too.
    return claims if form is USUAL else {"azp": "portal"} | claims | {"roles": SCOPES.split()}


def genuine_token(issuer: Issuer, tenant: str, form: Form) -> str:
    header = {"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}
    return signing.token(issuer, header, genuine_claims(issuer, tenant, form), signing.rs256)


def taken(value: object) -> str:
    """Return a value as our parser reads a tenant or an application. A list of one value counts as that value."""
    return as_text(value).removeprefix("[").removesuffix("]")


def as_text(value: object) -> str:
    """Return a claim's value as an HTTP API passes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{' '.join(as_text(item) for item in value)}]"
    return json.dumps(value, separators=(",", ":"))


def handed_on(claims: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the forms in which these claims may reach our parser.

    A claim that is null becomes the text null, or is left out.
    """
    text = {name: as_text(value) for name, value in claims.items()}
    without_nulls = {name: value for name, value in text.items() if claims[name] is not None}
    return [text] if text == without_nulls else [text, without_nulls]


def alg(name: str, signature: Signature, **more: Any) -> Mutation:
    how = "no signature" if signature is signing.nothing else "a signature"
    return Mutation(f"alg {name} with {how}", header={"alg": name}, signature=signature, **more)


def hs(bits: int, secret: Callable[[Issuer], bytes]) -> Mutation:
    signature = signing.hmac_with(secret, f"sha{bits}")
    return Mutation(f"HS{bits} with {secret.__name__}", header={"alg": f"HS{bits}"}, signature=signature)


def in_header(name: str, value: Any) -> Mutation:
    """Return a mutation that has a genuine signature and another value in the token's header.

    The emulator does not read this value.
    """
    fault = f"the emulator ignores the header's {name}; the signature is genuine"
    said = value if isinstance(value, str | list) else "an object"
    return Mutation(f"genuine signature, {name} {said}", header={name: value}, locally=Locally.OWN_DATA, fault=fault)


def lets_through(name: str, fault: str, **more: Any) -> Mutation:
    return Mutation(name, locally=Locally.OWN_DATA, fault=fault, **more)


def legal(name: str, why: str, **more: Any) -> Mutation:
    return Mutation(name, locally=Locally.OWN_DATA, legal=why, **more)


def claim(name: str, value: Any, what: str, parser: int | None = None, **more: Any) -> Mutation:
    return Mutation(f"{name} {what}", claims={name: value}, parser=parser, **more)


def swapped(token: str) -> str:
    first, second, third = token.split(".")
    return f"{second}.{first}.{third}"


def foreign_key(member: str, value: Callable[[Issuer], Any]) -> Mutation:
    return Mutation(f"{member} of a foreign key", header={member: value}, signature=signing.by_a_stranger)


SIGNATURES = [
    *(alg(name, signing.nothing) for name in ("none", "None", "NONE", "nOnE", "", "RS256")),
    alg("none", signing.by_a_stranger),
    *(hs(bits, signing.public_pem) for bits in (256, 384, 512)),
    hs(256, signing.public_pem_in_one_line),
    hs(256, signing.public_pkcs1),
    hs(256, signing.public_number),
    Mutation(
        "HS256 with no secret, kid /dev/null",
        header={"alg": "HS256", "kid": "../../../dev/null"},
        signature=signing.hmac_with(lambda _: b""),
    ),
    alg("RS384", signing.rs384, fault="the emulator knows RS256 alone; AWS takes RSA's family"),
    alg("RS512", signing.rs512, fault="the emulator knows RS256 alone; AWS takes RSA's family"),
    alg("PS256", signing.ps256, fault="the emulator knows RS256 alone; AWS takes RSA's family"),
    Mutation("RS512's signature, alg RS256", signature=signing.rs512),
    alg("ES256", signing.es256),
    Mutation("signed by a stranger with our kid", signature=signing.by_a_stranger),
    Mutation("a payload with another token's signature", signature=signing.over_another_payload),
    Mutation("a signature of zeros", signature=signing.zeros),
    Mutation("a signature that is a byte short", signature=signing.cut),
    Mutation("half a signature", text=lambda token: token[:-171]),
    *(in_header("alg", name) for name in ("none", "HS256", "RS512", "ES256")),
]

HEADERS = [
    Mutation("kid unknown", header={"kid": "another"}),
    Mutation("kid absent", header={"kid": ABSENT}),
    Mutation("kid empty", header={"kid": ""}),
    Mutation("kid null", header={"kid": None}),
    Mutation("kid in other case", header={"kid": "Development"}),
    Mutation("kid a list", header={"kid": [KEY_ID]}),
    Mutation("kid an object", header={"kid": {"kid": KEY_ID}}),
    Mutation("kid with NUL", header={"kid": f"{KEY_ID}\0"}),
    Mutation("kid that walks up", header={"kid": f"../keys/{KEY_ID}"}),
    Mutation("kid with SQL", header={"kid": "' UNION SELECT 'secret"}),
    Mutation("a key that was rotated away", header={"kid": "2025"}, signature=signing.by_a_stranger),
    Mutation("a new key that is not published", header={"kid": "2027"}, signature=signing.by_a_stranger),
    foreign_key("jku", lambda _: "https://attacker.example/keys.json"),
    foreign_key("x5u", lambda _: "https://attacker.example/chain.pem"),
    foreign_key("jwk", lambda _: signing.jwk(signing.strangers_key())),
    foreign_key("x5c", lambda _: ["MIIB"]),
    in_header("jku", "https://attacker.example/keys.json"),
    in_header("jwk", {"kty": "oct", "k": "AAAA"}),
    in_header("crit", ["b64"]),
    in_header("crit", ["exp"]),
    in_header("typ", "secevent+jwt"),
    in_header("typ", "logout+jwt"),
    legal("typ at+jwt", "RFC 9068's name of an access token", header={"typ": "at+jwt"}),
    legal("typ absent", "RFC 7519 asks for none", header={"typ": ABSENT}),
    Mutation("header a list", whole_header=[]),
    Mutation("header null", whole_header=b"null"),
    Mutation("header not JSON", whole_header=b"{"),
    Mutation("header empty", whole_header=b""),
]  # fmt: skip

SHAPES = [
    Mutation("segments swapped", text=swapped),
    Mutation("one segment", text=lambda token: token.split(".")[1]),
    Mutation("two segments", text=lambda token: token.rpartition(".")[0]),
    Mutation("four segments", text=lambda token: f"{token}.e30"),
    Mutation("five segments, as if encrypted", text=lambda token: f"{token}.e30.e30"),
    Mutation("three empty segments", text=lambda _: ".."),
    Mutation("two tokens in one", text=lambda token: f"{token} {token}"),
    Mutation("a space in the payload", text=lambda token: token.replace(".", ". ", 1)),
    Mutation("percent-encoded dots", text=lambda token: token.replace(".", "%2E")),
    Mutation("payload not JSON", payload=b"{tenant_id: acme}"),
    Mutation("payload empty", payload=b""),
    Mutation("payload not UTF-8", payload=b'{"tenant_id": "\xff"}'),
    *(Mutation(f"payload {value.decode()}", payload=value) for value in (b"[]", b"null", b'"acme"', b"4711")),
    Mutation("payload an empty object", payload={}),
    lets_through("padded", "the emulator takes base64 with its padding", text=lambda token: f"{token}=="),
    lets_through("20 KB", "the emulator has no bound on headers; AWS ends at 10 240 bytes", claims={"x": "x" * 15_000}),
    Mutation("20 KB, signed by a stranger", claims={"x": "x" * 15_000}, signature=signing.by_a_stranger),
    Mutation("in a parameter", sent=parameter("access_token")),
    Mutation("in the parameter Authorization", sent=parameter("Authorization")),
    Mutation("in a cookie", sent=lambda token, _: {"headers": [("cookie", f"Authorization={token}")]}),
    Mutation("no token", sent=lambda *_: {}),
    Mutation("Basic", sent=header("Basic {token}")),
    Mutation("Digest", sent=header("Digest {token}")),
    Mutation("Bearer without a token", sent=header("Bearer")),
    Mutation("a genuine token and a forged one in one header", signature=signing.by_a_stranger,
             sent=header("Bearer {genuine}, Bearer {token}")),
    Mutation("two headers, the second forged", signature=signing.by_a_stranger, sent=two_headers),
    Mutation("two headers, the first forged", signature=signing.by_a_stranger, sent=two_headers_the_genuine_one_last),
    Mutation("two genuine headers", sent=two_headers),
    legal("bearer in lower case", "schemes have no case (RFC 9110 11.1)", sent=header("bearer {token}")),
    legal("no scheme", "an HTTP API takes the token alone too", sent=header("{token}")),
    legal("spaces before the token", "one or more are right (RFC 9110 11.4)", sent=header("Bearer   {token}")),
]  # fmt: skip

UNREADABLE: dict[str, Any] = {
    "soon": "soon", "empty": "", "1e12 as text": "1e12", "null": None, "a list": [NOW + 86_400], "an object": {},
    "NaN": float("nan"), "infinite": float("inf"),
}  # fmt: skip
TIMES = [
    claim("exp", NOW - 1, "past", 401),
    claim("exp", 0, "zero", 401),
    claim("exp", -1, "negative", 401),
    claim("exp", NOW - 0.5, "past, with a fraction", 401),
    claim("exp", True, "true", 401),
    claim("exp", str(NOW - 1), "past, as text", 401),
    Mutation("exp absent", claims={"exp": ABSENT}, locally=Locally.PARSER, parser=401,
             fault="the emulator lets a token live for ever"),
    Mutation("exp 1e30", claims={"exp": 1e30}, locally=Locally.PARSER, parser=401,
             fault="the emulator takes any number"),
    Mutation("exp of 400 digits", claims={"exp": 10**400}, locally=Locally.PARSER, parser=401,
             fault="the emulator takes any number"),
    Mutation("exp in Arabic digits", claims={"exp": "\u0669" * 10}, locally=Locally.PARSER, parser=401,
             fault="the emulator reads digits of any script"),
    Mutation("exp as text with spaces", claims={"exp": f" {NOW + 86_400} "}, locally=Locally.PARSER, parser=401,
             fault="the emulator reads text as a number"),
    lets_through("exp as text", "the emulator reads text as a number", claims={"exp": str(NOW + 86_400)}),
    *(Mutation(f"exp {what}", claims={"exp": value}, parser=401) for what, value in UNREADABLE.items()),
    legal("exp with a fraction", "RFC 7519's NumericDate may have one", claims={"exp": NOW + 86_400.5}),
    claim("nbf", NOW + 86_400, "ahead"),
    Mutation("nbf soon", claims={"nbf": "soon"}),
    claim("iat", NOW + 86_400, "ahead"),
]  # fmt: skip

WHOSE = [
    claim("iss", ABSENT, "absent", 401),
    claim("iss", None, "null", 401),
    claim("iss", "", "empty", 401),
    claim("iss", lambda issuer: f"{issuer}/", "with a slash at its end", 401),
    claim("iss", lambda issuer: [issuer], "a list", 401),
    claim("iss", lambda issuer: issuer.upper(), "in other case", 401),
    claim("iss", lambda issuer: f"{issuer}.attacker.example", "that begins like ours", 401),
    claim("iss", "https://attacker.example", "foreign", 401),
    claim("aud", "another", "wrong"),
    claim("aud", ABSENT, "absent"),
    claim("aud", None, "null"),
    claim("aud", "", "empty"),
    claim("aud", "Incidents", "in other case"),
    claim("aud", "incidents-admin", "that begins like ours"),
    claim("aud", ["another", "incident"], "a list without ours"),
    claim("aud", [], "an empty list"),
    claim("aud", {"incidents": True}, "an object"),
    Mutation("another client_id, no aud", claims={"aud": ABSENT, "client_id": "another"}),
    Mutation("aud wrong next to our client_id", claims={"aud": "another", "client_id": "incidents"}),
    legal("aud a list with ours", "RFC 7519", claims={"aud": ["another", "incidents"]}),
    legal("our client_id, no aud", "as Amazon Cognito does", claims={"aud": ABSENT, "client_id": "incidents"}),
]

SCOPE = [
    claim("scope", ABSENT, "absent", 403),
    claim("scope", None, "null", 403),
    claim("scope", "", "empty", 403),
    claim("scope", "openid profile", "of other services", 403),
    claim("scope", "incidents", "that is the beginning of ours", 403),
    claim("scope", "incidents:readwrite incidents:writeall", "that begins like ours", 403),
    claim("scope", SCOPES.upper(), "in other case", 403),
    claim("scope", SCOPES.replace(" ", ","), "with commas", 403),
    claim("scope", SCOPES.replace(" ", "\t"), "with a tab", 403),
    claim("scope", "incidents:*", "with a star", 403),
    claim("scope", "*", "star alone", 403),
    claim("scope", {"incidents:read": True, "incidents:write": True}, "an object", 403),
    claim("scope", {"all": f"of {SCOPES} too"}, "an object whose text holds ours", 403),
    claim("scope", SCOPES.split(), "a list", fault="the emulator reads no list in scope", is_granted_in_code=True),
    claim("scope", "incidents:read", "of reads alone", methods=WRITES),
    claim("scope", "incidents:write", "of writes alone", methods=READS),
    Mutation("an ID token", claims={"token_use": "id", "scope": ABSENT}, parser=401),
    claim("token_use", "id", "id with our scopes", 401, locally=Locally.PARSER),
    claim("token_use", "refresh", "refresh", 401, locally=Locally.PARSER),
]

# The name of a value, the value, and the claims in which it is valid. The claim sub is only a name, so it may contain
# special characters.
HOSTILE: list[tuple[str, Any, str]] = [
    ("a list", ["a", "b"], ""),
    ("a list of one", ["visitor"], "tenant_id app_id"),
    ("a list of a list", [["acme"]], ""),
    ("a list of one that holds two", ["acme visitor"], ""),
    ("a list of null", [None], ""),
    ("an empty list", [], ""),
    ("null", None, ""),  # AWS leaves a null out; without an app_id, the bearer is a person
    ("a number", NUMBER, "tenant_id sub app_id"),  # valid, because an HTTP API passes the number as the text "4711"
    ("true", True, ""),
    ("an object", {"acme": 1}, ""),
    ("an object as Go writes it", "map[acme:1]", ""),
    ("the text null", "null", ""),
    ("a list's text", "[visitor]", "tenant_id app_id"),
    ("half a list's text", "[acme", ""),
    ("empty", "", ""),
    ("a space", " ", ""),
    ("a space at its end", "acme ", ""),
    ("#", "#", "sub"),
    ("a key's beginning", "acme#INCIDENT", "sub"),
    ("*", "*", "sub"),
    ("a*", "a*", "sub"),
    ("NUL", "acme\0", ""),
    ("a newline", "acme\n", ""),
    ("a Cyrillic look-alike", "\u0430cme", ""),
    ("full-width", "\uff41\uff43\uff4d\uff45", ""),
    ("a zero-width space", "ac\u200bme", ""),
    ("a lone surrogate", "\ud800cme", ""),
    ("in upper case", "ACME", "tenant_id sub app_id"),
    ("with a dot and an underscore", "visitor_1.a", "tenant_id sub app_id"),
    ("that begins with a dot", ".acme", "sub"),
    ("that begins with an underscore", "_acme", "sub"),
    ("300 characters", "a" * 300, ""),
    ("a way up", "../acme", "sub"),
    ("percent-encoded", "%61cme", "sub"),
]
VALUES = [
    legal(f"{name} {what}", "a name like any other", claims={name: value})
    if name in right.split()
    else claim(name, value, what, 403, locally=Locally.PARSER)
    for name in ("tenant_id", "sub", "app_id")
    for what, value, right in HOSTILE
] + [
    claim("tenant_id", ABSENT, "absent", 403, locally=Locally.PARSER),
    claim("sub", ABSENT, "absent", 403, locally=Locally.PARSER),
    claim("sub", "system:metrics", "of the service itself", 403, locally=Locally.PARSER),
    claim("sub", "system:aws.guardduty", "of the service's intake", 403, locally=Locally.PARSER),
    claim("sub", "system:", "of nobody", 403, locally=Locally.PARSER),
    legal("sub of a Kubernetes service account", "names of others have one more colon",
          claims={"sub": "system:serviceaccount:soc:scanner"}),
    Mutation("tenant in other case of the claim's name", claims={"tenant_id": ABSENT, "Tenant_Id": VICTIM}, parser=403,
             locally=Locally.PARSER),
]  # fmt: skip

# Mutations for a stack with other names of claims. Claims with the default names have no effect there, and a marker
# decides whether a token is an application's.
RENAMED = [
    legal("the victim in the default claim", "the stack reads another claim", own_names={"tenant_id": VICTIM}),
    legal("an application's claim without the marker", "people's tokens have it too", own_names={"azp": "other"}),
    Mutation("scopes in the default claim alone", own_names={"scope": SCOPES, "roles": ABSENT}, parser=403,
             locally=Locally.PARSER),
    Mutation("scopes in a later claim than the first", own_names={"roles": ["other"], "permissions": SCOPES.split()},
             parser=403, locally=Locally.PARSER),
    legal("scopes in the second claim", "the first is absent",
          own_names={"roles": ABSENT, "permissions": SCOPES.split()}),
    Mutation("the marker without an application", own_names={"idtyp": "app", "azp": ABSENT}, parser=403,
             locally=Locally.PARSER),
    Mutation("the marker with two applications", own_names={"idtyp": "app", "azp": ["a", "b"]}, parser=403,
             locally=Locally.PARSER),
    Mutation("the marker's claim an object", own_names={"idtyp": {"app": True}}, parser=403, locally=Locally.PARSER),
]  # fmt: skip

MUTATIONS = [*SIGNATURES, *HEADERS, *SHAPES, *TIMES, *WHOSE, *SCOPE, *VALUES]
