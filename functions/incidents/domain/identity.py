"""Who is calling: one pure function from verified claims to an identity. It fails closed."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from .errors import NotAuthenticated, NotPermitted
from .model import TENANT_ID

_SUBJECT = re.compile(
    r"[!-Z^-z|-~\\\]]([ -~]{0,253}[!-~])?"
)  # no "[" or "{" at its start: so a list or an object arrives
_APP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_FORMS = {
    "tenant_id": (TENANT_ID, "2 to 63 of a-z, 0-9 and -, not beginning with -"),
    "sub": (_SUBJECT, "1 to 255 printable ASCII characters, with no space, [ or { at its ends"),
    "app_id": (_APP_ID, "1 to 128 of A-Z, a-z, 0-9 and ._-, beginning with a letter or a digit"),
}
_NO_TEXT = frozenset({"null", "true", "false"})
_SCOPES = re.compile(r"\[?[!#-Z^-~ ]*\]?")  # words or a list of them: no object, which has quotes, no list in a list
_EXPIRY = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")  # RFC 7519: a number, which may have a fraction


class Identity(NamedTuple):
    """One caller. ``app_id`` is set when the token was minted for an application, which reaches its own incidents."""

    tenant_id: str
    subject: str
    app_id: str | None
    scopes: frozenset[str]


def from_claims(claims: Mapping[str, object], now: float, issuer: str | None) -> Identity:
    """Return the identity that the claims of a JWT give; ``now`` is in seconds since 1970, ``issuer`` the one trusted.

    An HTTP API hands every claim on as text: numbers as digits, lists as ``[a b]``. A claim that cannot be read beyond
    doubt (a list or an object where one value is wanted, a null, true, false) is refused, never guessed.

    Raises NotAuthenticated if the token has no expiry, is past it, is another issuer's or no access token; NotPermitted
    for any other claim. Without an issuer to trust (None: not deployed), any will do that the gateway let through.
    """
    expiry = str(claims.get("exp", ""))
    if not _EXPIRY.fullmatch(expiry) or float(expiry) <= now:
        raise NotAuthenticated("The token has expired, or says nothing of its expiry.")
    if issuer is not None and claims.get("iss") != issuer:
        raise NotAuthenticated("The token is not of the issuer that this service trusts.")
    if claims.get("token_use", "access") != "access":  # Amazon Cognito's claim; its ID tokens say who, not what for
        raise NotAuthenticated("The token is not an access token.")
    subject = _one(claims, "sub")
    if subject.startswith("system:"):
        raise NotPermitted("The claim sub must not begin with system:, which is how the service names itself.")
    return Identity(
        tenant_id=_one(claims, "tenant_id"),
        subject=subject,
        app_id=_one(claims, "app_id") if "app_id" in claims else None,
        scopes=frozenset(_words(claims.get("scope", claims.get("scp", "")))),  # as the gateway itself reads them
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
