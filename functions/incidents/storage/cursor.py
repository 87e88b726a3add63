"""Seal a position in a list as a cursor that only the same list accepts.

A cursor contains the position and a MAC, in URL-safe Base64 without padding. The MAC covers the position and everything
that the list depends on: tenant, application, operation, filters and order. A cursor grants no access, because the
partition to read always comes from the caller's identity. The MAC prevents callers from using invented positions.
"""

import hmac
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode

from ..domain.errors import MalformedRequest
from ..domain.identity import Identity

_MAC_BYTES = 16


def seal(position: str, identity: Identity, *about: str) -> str:
    """Return the cursor of a position. ``about`` identifies the list, together with the identity."""
    text = position.encode("ascii")
    return urlsafe_b64encode(text + _mac(_keys()[0], text, identity, about)).decode().rstrip("=")


def unseal(cursor: str, identity: Identity, *about: str) -> str:
    """Return the position in a cursor that ``seal`` made with the same arguments. Raises MalformedRequest."""
    refused = MalformedRequest(
        "The parameter cursor must be the next_cursor of an earlier page of the same list: unchanged, with the same "
        "filters and order."
    )
    try:
        sealed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raise refused from None
    # The decoder ignores unused bits and invalid characters. So accept only a text that encodes back to itself.
    if urlsafe_b64encode(sealed).decode().rstrip("=") != cursor:
        raise refused
    text, mac = sealed[:-_MAC_BYTES], sealed[-_MAC_BYTES:]
    if not any(hmac.compare_digest(mac, _mac(key, text, identity, about)) for key in _keys()):
        raise refused
    return text.decode("ascii")


def _keys() -> list[bytes]:
    """Return the current key and then the previous one, so that cursors survive a key rotation."""
    keys = [key for name in ("CURSOR_KEY", "CURSOR_KEY_BEFORE") if (key := os.environ.get(name, "").strip())]
    if not keys or any(key.startswith("{{") for key in keys):
        raise RuntimeError("CURSOR_KEY must be a resolved secret; otherwise anybody could forge a cursor")
    return [key.encode() for key in keys]


def _mac(key: bytes, text: bytes, identity: Identity, about: tuple[str, ...]) -> bytes:
    context = json.dumps([identity.tenant_id, identity.app_id, *about]).encode()
    return hmac.digest(key, context + text, "sha256")[:_MAC_BYTES]
