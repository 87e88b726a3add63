"""Who is calling: one pure function from verified claims to an identity. It fails closed."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from .errors import NotAuthenticated, NotPermitted
from .keys import TENANT_ID

_APP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SUBJECT = re.compile(r"[!-Z^-~\\\]][!-~]{0,254}")  # printable, no spaces, and no "[": that is how a list arrives
_EXPIRY = re.compile(r"[0-9]{1,12}")


class Identity(NamedTuple):
    """One caller. ``app_id`` is set when the token was minted for an application, which reaches its own incidents."""

    tenant_id: str
    subject: str
    app_id: str | None
    scopes: frozenset[str]


def from_claims(claims: Mapping[str, object], now: float) -> Identity:
    """Return the identity that the claims of a JWT give; ``now`` is in seconds since 1970.

    An HTTP API hands every claim on as text: numbers as digits, lists as ``[a b]``. A claim that cannot be read beyond
    doubt (a list where one value is wanted, a null) is refused, never guessed.

    Raises NotAuthenticated if the token has no expiry or is past it, NotPermitted for any other claim.
    """
    expiry = str(claims.get("exp", ""))
    if not _EXPIRY.fullmatch(expiry) or int(expiry) <= now:
        raise NotAuthenticated("The token has expired, or says nothing of its expiry.")
    subject = _one(claims, "sub", _SUBJECT)
    if subject.startswith("system:"):
        raise NotPermitted("The claim sub must not begin with system:, which is how the service names itself.")
    return Identity(
        tenant_id=_one(claims, "tenant_id", TENANT_ID),
        subject=subject,
        app_id=_one(claims, "app_id", _APP_ID) if "app_id" in claims else None,
        scopes=frozenset(_words(claims.get("scope", ""))),
    )


def _one(claims: Mapping[str, object], name: str, form: re.Pattern[str]) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or value == "null" or not form.fullmatch(value):
        raise NotPermitted(f"The token's claim {name} is missing or not of the form {form.pattern}.")
    return value


def _words(scope: object) -> list[str]:
    if not isinstance(scope, str):
        return []
    return (scope[1:-1] if scope.startswith("[") and scope.endswith("]") else scope).split(" ")
