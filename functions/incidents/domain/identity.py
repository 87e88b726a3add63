"""Read the caller's identity from verified claims, with one pure function that refuses every ambiguous claim."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from .errors import NotAuthenticated, NotPermitted
from .model import TENANT_ID, TENANT_ID_RULE

_SUBJECT = re.compile(
    r"(?!map\[)[!-Z^-z|-~\\\]]([ -~]{0,253}[!-~])?"
)  # not "[", "{" or "map[" at the start, because the text of a list or an object begins with one of these
_APP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_FORMS = {
    "tenant_id": (TENANT_ID, TENANT_ID_RULE),
    "sub": (_SUBJECT, "1 to 255 printable ASCII characters, with no space, [ or { at its ends"),
    "app_id": (_APP_ID, "1 to 128 of A-Z, a-z, 0-9 and ._-, beginning with a letter or a digit"),
}
# The names that the service gives to itself. Subjects of other systems have more colons, such as system:node:n1.
_OURS = re.compile(r"system:[^:]*")
_NO_TEXT = frozenset({"", "null", "true", "false", "<nil>"})
_BOOLEANS = frozenset({"true", "false"})  # the accepted values of a Boolean marker such as is_app=true
_SCOPES = re.compile(r"\[?[!#-Z^-~ ]*\]?")  # matches words or a list of words, but not an object or a nested list
_EXPIRY = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")  # RFC 7519: a number, possibly with a fraction


class ClaimNames(NamedTuple):
    """The names of the claims that identify a caller, from the template's parameters TenantClaim to AppMarker.

    ``scopes`` names several claims: the first claim that the token has is used. If there is a ``marker`` (a claim and a
    value), only a token with this value in this claim is an application's token. If there is none, every token with the
    claim ``app`` is an application's token.
    """

    tenant: str = "tenant_id"
    app: str = "app_id"
    scopes: tuple[str, ...] = ("scope", "scp")  # in this order, as the gateway
    marker: tuple[str, str] | None = None


def claim_names(text: str) -> ClaimNames:
    """Return the names in the functions' setting TOKEN_CLAIMS: ``tenant_id app_id idtyp=app scope,scp``.

    Raises ValueError for another form. The marker may be empty.
    """
    tenant, app, marker, scopes = text.split(" ")
    name, is_, value = marker.partition("=")
    if not (tenant and app and all(scopes.split(","))) or bool(marker) != bool(name and is_ and value):
        raise ValueError("TOKEN_CLAIMS lacks the name of a claim")
    return ClaimNames(tenant, app, tuple(scopes.split(",")), (name, value) if marker else None)


_USUAL = ClaimNames()


class Identity(NamedTuple):
    """One caller. ``app_id`` is set if the token is an application's. An application reaches only its own incidents."""

    tenant_id: str
    subject: str
    app_id: str | None
    scopes: frozenset[str]


def from_claims(claims: Mapping[str, object], now: float, issuer: str | None, names: ClaimNames = _USUAL) -> Identity:
    """Return the identity in the claims of a JWT. ``now`` is in seconds since 1970, ``issuer`` is the trusted issuer.

    An HTTP API passes every claim as text: numbers as digits, lists as ``[a b]``. For tenant and application, a list of
    one value counts as that value. An ambiguous claim is refused, never guessed: a list of several values, an object,
    null, true or false.

    Raises NotAuthenticated if the token has no expiry, has expired, has another issuer, or is not an access token.
    Raises NotPermitted if any other claim is unusable. If ``issuer`` is None, the function is not deployed, and accepts
    every issuer that the gateway accepted.
    """
    expiry = str(claims.get("exp", ""))
    if not _EXPIRY.fullmatch(expiry) or float(expiry) <= now:
        raise NotAuthenticated("The token has expired, or has no valid claim `exp`.")
    if issuer is not None and claims.get("iss") != issuer:
        raise NotAuthenticated("The token must come from the issuer that this service trusts.")
    if claims.get("token_use", "access") != "access":  # a claim of Amazon Cognito, whose ID tokens grant no access
        raise NotAuthenticated("The token is not an access token.")
    subject = _one(claims, "sub", "sub")
    if _OURS.fullmatch(subject):
        raise NotPermitted(
            "The token's claim `sub` must not be `system:` followed by a text without a colon. Such names are reserved "
            "for the service."
        )
    tenant_id, app_id = tenant_and_app(claims, names)
    scopes = next((claims[name] for name in names.scopes if name in claims), "")
    return Identity(tenant_id, subject, app_id, frozenset(_words(scopes)))


def tenant_and_app(claims: Mapping[str, object], names: ClaimNames) -> tuple[str, str | None]:
    """Return the tenant and the application of a token.

    The application is None for a person's token. Raises NotPermitted if a claim is unusable, as ``from_claims`` does.
    """
    app_id = _one(claims, names.app, "app_id") if _is_of_an_application(claims, names) else None
    return _one(claims, names.tenant, "tenant_id"), app_id


def _one(claims: Mapping[str, object], name: str, what: str) -> str:
    value, (form, wanted) = claims.get(name), _FORMS[what]
    if isinstance(value, str) and what != "sub" and value.startswith("[") and value.endswith("]"):
        value = value[1:-1]  # a list of several values has spaces, so the check below refuses it
    if not isinstance(value, str) or value in _NO_TEXT or not form.fullmatch(value):
        raise NotPermitted(f"The token's claim `{name}` must be one text: {wanted}.")
    return value


def _is_of_an_application(claims: Mapping[str, object], names: ClaimNames) -> bool:
    """Return whether the token is an application's. Raises NotPermitted if the marker's claim cannot be read."""
    if names.marker is None:
        return names.app in claims
    name, value = names.marker
    if name not in claims:
        return False
    words = _words(claims[name])
    unreadable = _NO_TEXT - _BOOLEANS if value in _BOOLEANS else _NO_TEXT
    # Refuse an unreadable marker. If an application's token counted as a person's, the application could reach all
    # incidents of the tenant.
    if not words or not unreadable.isdisjoint(words) or any(word[:1] == "{" for word in words):
        raise NotPermitted(f"The token's claim `{name}` must be a text or a list of texts.")
    return value in words


def _words(scope: object) -> list[str]:
    if not isinstance(scope, str) or not _SCOPES.fullmatch(scope):
        return []
    return (scope[1:-1] if scope.startswith("[") and scope.endswith("]") else scope).split(" ")
