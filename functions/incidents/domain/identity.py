"""Read the caller's identity from verified claims, with one pure function. It refuses every claim in doubt."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from .errors import NotAuthenticated, NotPermitted
from .model import TENANT_ID

_SUBJECT = re.compile(
    r"[!-Z^-z|-~\\\]]([ -~]{0,253}[!-~])?"
)  # not "[" or "{" at the start, which is how a list or an object arrives
_APP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_FORMS = {
    "tenant_id": (TENANT_ID, "2 to 63 of a-z, 0-9 and -, not beginning with -"),
    "sub": (_SUBJECT, "1 to 255 printable ASCII characters, with no space, [ or { at its ends"),
    "app_id": (_APP_ID, "1 to 128 of A-Z, a-z, 0-9 and ._-, beginning with a letter or a digit"),
}
_NO_TEXT = frozenset({"null", "true", "false"})
_SCOPES = re.compile(r"\[?[!#-Z^-~ ]*\]?")  # words or a list of words; not an object or a nested list
_EXPIRY = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")  # RFC 7519: a number, possibly with a fraction


class Identity(NamedTuple):
    """One caller. ``app_id`` is set if the token is an application's. An application reaches only its own incidents."""

    tenant_id: str
    subject: str
    app_id: str | None
    scopes: frozenset[str]


def from_claims(claims: Mapping[str, object], now: float, issuer: str | None) -> Identity:
    """Return the identity in the claims of a JWT. ``now`` is in seconds since 1970, ``issuer`` is the trusted issuer.

    An HTTP API passes every claim as text: numbers as digits, lists as ``[a b]``. An ambiguous claim is refused, never
    guessed: a list or an object instead of one value, null, true or false.

    Raises NotAuthenticated if the token has no expiry, has expired, has another issuer, or is not an access token.
    Raises NotPermitted for any other claim. If ``issuer`` is None (not deployed), every issuer is accepted that the
    gateway accepted.
    """
    expiry = str(claims.get("exp", ""))
    if not _EXPIRY.fullmatch(expiry) or float(expiry) <= now:
        raise NotAuthenticated("The token has expired, or has no valid claim exp.")
    if issuer is not None and claims.get("iss") != issuer:
        raise NotAuthenticated("The token must come from the issuer that this service trusts.")
    if claims.get("token_use", "access") != "access":  # Amazon Cognito's claim; its ID tokens grant no access
        raise NotAuthenticated("The token is not an access token.")
    subject = _one(claims, "sub")
    if subject.startswith("system:"):
        raise NotPermitted("The token's claim sub must not begin with system:, which is reserved for the service.")
    return Identity(
        tenant_id=_one(claims, "tenant_id"),
        subject=subject,
        app_id=_one(claims, "app_id") if "app_id" in claims else None,
        scopes=frozenset(_words(claims.get("scope", claims.get("scp", "")))),  # the gateway also reads scope before scp
    )


def _one(claims: Mapping[str, object], name: str) -> str:
    value, (form, wanted) = claims.get(name), _FORMS[name]
    if not isinstance(value, str) or value in _NO_TEXT or not form.fullmatch(value):
        raise NotPermitted(f"The token's claim {name} must be one text: {wanted}.")
    return value


def _words(scope: object) -> list[str]:
    if not isinstance(scope, str) or not _SCOPES.fullmatch(scope):
        return []
    return (scope[1:-1] if scope.startswith("[") and scope.endswith("]") else scope).split(" ")
