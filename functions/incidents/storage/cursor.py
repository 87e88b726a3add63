"""Seal a position in a list as a cursor. Only the same list accepts the cursor, and the cursor reveals nothing.

A cursor is the Base64 text (URL-safe, without padding) of three parts:

| part   | bytes    | contents                                                                            |
|--------|----------|-------------------------------------------------------------------------------------|
| nonce  | 16       | random, so that two cursors of one position have nothing in common                  |
| tag    | 16       | HMAC-SHA-256 over the nonce, the padded position and everything the list depends on |
| sealed | 32 or 64 | the padded position, XOR HMAC-SHA-256 over the tag and the number of the block      |

The list depends on tenant, application, operation, filters and order. A cursor grants no access, because the partition
to read always comes from the caller's identity. The tag prevents callers from using invented positions.

To fill a page, the service also examines incidents that the bearer must not reach. The position may be one of these
incidents, because it is the last examined incident. So the position is sealed.

All cursors of a list have the same length: a position has one block of 32 bytes, and a position in the updates has two.
The construction is SIV (RFC 5297) with HMAC. A repeated nonce shows only that two positions are equal.
"""

import hmac
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode

from ..domain.errors import MalformedRequest
from ..domain.identity import Identity

_NONCE_BYTES = _TAG_BYTES = 16
_BLOCK_BYTES = 32  # one HMAC-SHA-256
_BLOCKS_MAX = 2  # the longest position, of an update, has 62 bytes
_LABELS = b"tag of a cursor", b"position of a cursor"


def seal(position: str, identity: Identity, *about: str) -> str:
    """Return the cursor of a position. ``about`` identifies the list, together with the identity."""
    blocks = max(1, -(-len(position) // _BLOCK_BYTES))
    if blocks > _BLOCKS_MAX:
        raise ValueError(f"a position has at most {_BLOCKS_MAX * _BLOCK_BYTES} characters")
    key, padded, nonce = _keys()[0], position.encode("ascii").ljust(blocks * _BLOCK_BYTES), os.urandom(_NONCE_BYTES)
    tag = _tag(key, nonce, padded, _context(identity, about))
    return urlsafe_b64encode(nonce + tag + _crypt(key, tag, padded)).decode().rstrip("=")


def unseal(cursor: str, identity: Identity, *about: str) -> str:
    """Return the position in a cursor that ``seal`` made with the same arguments. Raises MalformedRequest."""
    refused = MalformedRequest(
        "The parameter `cursor` must be the `next_cursor` of an earlier page of the same list, unchanged, with the "
        "same filters and order."
    )
    if len(cursor) > 2 * (_NONCE_BYTES + _TAG_BYTES + _BLOCKS_MAX * _BLOCK_BYTES):
        raise refused
    try:
        sealed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raise refused from None
    # The decoder ignores unused bits and invalid characters. So accept only a text that encodes back to itself.
    if urlsafe_b64encode(sealed).decode().rstrip("=") != cursor:
        raise refused
    context = _context(identity, about)
    for key in _keys():
        position = _opened(key, sealed, context) or _opened_as_in_0_1(key, sealed, context)
        if position is not None:
            return position.decode("ascii")
    raise refused


def _opened(key: bytes, sealed: bytes, context: bytes) -> bytes | None:
    """Return the position in a cursor, or None if the cursor was not sealed with this key for this list."""
    after_nonce, after_tag = _NONCE_BYTES, _NONCE_BYTES + _TAG_BYTES
    nonce, tag, hidden = sealed[:after_nonce], sealed[after_nonce:after_tag], sealed[after_tag:]
    if len(hidden) not in range(_BLOCK_BYTES, (_BLOCKS_MAX + 1) * _BLOCK_BYTES, _BLOCK_BYTES):
        return None
    padded = _crypt(key, tag, hidden)
    return padded.rstrip() if hmac.compare_digest(tag, _tag(key, nonce, padded, context)) else None


def _opened_as_in_0_1(key: bytes, sealed: bytes, context: bytes) -> bytes | None:
    """Return the position in a cursor of release 0.1.0: the readable position and a MAC. Remove this after 0.2.0."""
    position, mac = sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:]
    return position if hmac.compare_digest(mac, hmac.digest(key, context + position, "sha256")[:_TAG_BYTES]) else None


def _tag(key: bytes, nonce: bytes, padded: bytes, context: bytes) -> bytes:
    return hmac.digest(_key_for(_LABELS[0], key), nonce + padded + context, "sha256")[:_TAG_BYTES]


def _crypt(key: bytes, tag: bytes, text: bytes) -> bytes:
    """Return the text XOR a stream that depends on the tag. Applied twice, it returns the text."""
    keyed, blocks = _key_for(_LABELS[1], key), range(len(text) // _BLOCK_BYTES)
    stream = b"".join(hmac.digest(keyed, tag + bytes([block]), "sha256") for block in blocks)
    return bytes(byte ^ mask for byte, mask in zip(text, stream, strict=True))


def _key_for(label: bytes, key: bytes) -> bytes:
    """Return the key for one purpose, derived from ``key`` and the purpose's label.

    Release 0.1.0 used ``key`` directly, for texts that begin with ``[``. No label begins with ``[``, so no derived key
    equals a MAC of that release.
    """
    return hmac.digest(key, label, "sha256")


def _keys() -> list[bytes]:
    """Return the current key and then the previous one, so that cursors survive a key rotation."""
    keys = [key for name in ("CURSOR_KEY", "CURSOR_KEY_BEFORE") if (key := os.environ.get(name, "").strip())]
    if not keys or any(key.startswith("{{") for key in keys):
        raise RuntimeError("CURSOR_KEY must be a resolved secret; otherwise anybody could forge a cursor")
    return [key.encode() for key in keys]


def _context(identity: Identity, about: tuple[str, ...]) -> bytes:
    return json.dumps([identity.tenant_id, identity.app_id, *about]).encode()
