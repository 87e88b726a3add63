"""Cursors: a position in a list, sealed so that only the list that gave it can take it.

A cursor is base 64 (URL-safe, unpadded) of the position and a MAC over the position and everything that the list
depends on: tenant, application, operation, filters, order. It grants nothing: the partition that is read always comes
from the caller's identity. The MAC keeps others from probing with positions of their own.
"""

import hmac
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode

from ..domain.errors import MalformedRequest
from ..domain.identity import Identity

_MAC_BYTES = 16


def seal(position: str, identity: Identity, *about: str) -> str:
    """Return the cursor of a position; ``about`` is what the list depends on, beside who asks."""
    text = position.encode("ascii")
    return urlsafe_b64encode(text + _mac(_keys()[0], text, identity, about)).decode().rstrip("=")


def unseal(cursor: str, identity: Identity, *about: str) -> str:
    """Return the position of a cursor that ``seal`` made of the same things. Raises MalformedRequest."""
    refused = MalformedRequest(
        "The parameter cursor must be the next_cursor of an earlier page of the same list: unchanged, with the same "
        "filters and order."
    )
    try:
        sealed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raise refused from None
    # Base 64 has spare bits and skips foreign characters: only what encodes back to itself is a cursor of ours.
    if urlsafe_b64encode(sealed).decode().rstrip("=") != cursor:
        raise refused
    text, mac = sealed[:-_MAC_BYTES], sealed[-_MAC_BYTES:]
    if not any(hmac.compare_digest(mac, _mac(key, text, identity, about)) for key in _keys()):
        raise refused
    return text.decode("ascii")


def _keys() -> list[bytes]:
    """The key that seals, and then the one before it: cursors outlive a rotation."""
    keys = [key for name in ("CURSOR_KEY", "CURSOR_KEY_BEFORE") if (key := os.environ.get(name, "").strip())]
    if not keys or any(key.startswith("{{") for key in keys):
        raise RuntimeError("CURSOR_KEY is missing, or the reference to its secret was not resolved: anyone could seal")
    return [key.encode() for key in keys]


def _mac(key: bytes, text: bytes, identity: Identity, about: tuple[str, ...]) -> bytes:
    context = json.dumps([identity.tenant_id, identity.app_id, *about]).encode()
    return hmac.digest(key, context + text, "sha256")[:_MAC_BYTES]
