"""The manifests of a tenant's history: the version and the newest hash of each changed incident, in a signed file.

A manifest is one line of canonical JSON. A second line has its signature. Each manifest has the hash of the manifest
before, so the manifests of a tenant form a chain. docs/history.md has the format.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from .wire_form import canonical_json

FORMAT = 1
ENTRIES = 10_000  # the most entries of a manifest, so that it has less than 1.5 MB
_HIGHEST = 10**10 - 1


class Entry(NamedTuple):
    """The state of an incident. ``head`` has the version and the hash of its newest change that has a hash."""

    version: int
    head: str | None


class Position(NamedTuple):
    """The newest manifest of a tenant: its number, the end of its window, and its hash."""

    number: int
    to: str
    hash: str


class Window(NamedTuple):
    """The times of the changes whose incidents a manifest contains, as RFC 3339 texts. Both ends are included."""

    start: str
    end: str


def dump(
    tenant_id: str,
    table: str,
    before: Position | None,
    window: Window,
    entries: Mapping[str, Entry],
    erasure: str | None = None,
) -> bytes:
    """Return a manifest without its signature.

    ``before`` is the position of the manifest before, or None for the tenant's first manifest. ``entries`` are by
    incident id. ``erasure`` is the SHA-256 of the proof of the tenant's erasure.
    """
    return canonical_json({
        "format": FORMAT,
        "number": before.number + 1 if before else 1,
        "tenant_id": tenant_id,
        "table": table,
        "from": window.start,
        "to": window.end,
        "previous_hash": before.hash if before else None,
        "erasure": erasure,
        "entries": [[incident_id, *entries[incident_id]] for incident_id in sorted(entries)],
    })  # fmt: skip


def position(manifest: bytes) -> Position:
    """Return the position of a manifest. Raises ValueError, TypeError or KeyError if the manifest is damaged."""
    content = json.loads(manifest)
    return Position(int(content["number"]), str(content["to"]), sha256(manifest).hexdigest())


def signed(manifest: bytes, public_key: bytes, signature: bytes) -> bytes:
    """Return the file of a manifest. ``public_key`` has the form SubjectPublicKeyInfo in DER."""
    proof = {"public_key": b64encode(public_key).decode(), "signature": b64encode(signature).decode()}
    return manifest + b"\n" + canonical_json(proof) + b"\n"


def without_signature(file: bytes) -> bytes:
    """Return the manifest in a file, without its signature."""
    return file.partition(b"\n")[0]


def name(tenant_id: str, number: int) -> str:
    """Return the name of a manifest's object in the bucket. The newest manifest is first in the order of the names."""
    return f"{folder(tenant_id)}{_HIGHEST - number:010d}.jsonl"


def folder(tenant_id: str) -> str:
    """Return the beginning of the names of a tenant's manifests. A tenant's id cannot contain ``/``."""
    return f"{tenant_id}/"
