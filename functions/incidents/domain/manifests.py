"""The manifests of a tenant's history: the version and the newest hash of each changed incident, in a signed file.

A manifest is one line of canonical JSON. A second line has its signature. Each manifest has the hash of the manifest
before, so the manifests of a tenant form a chain. docs/history.md has the format.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from . import model
from .wire_form import canonical_json

FORMAT = 1
ENTRIES = 10_000  # the most entries of a manifest, so that it has less than 1.5 MB
BEGINNING = "1970-01-01T00:00:00.000Z"
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
HASH = re.compile(r"[0-9a-f]{64}")
_HEAD = re.compile(r"([1-9][0-9]{0,9}):[0-9a-f]{64}")
_NAME = re.compile(r"[0-9]{10}\.jsonl")
_HIGHEST = 10**10 - 1
_MOST = 10**9  # no tenant has so many manifests, and the next numbers must have names, too


class Entry(NamedTuple):
    """The state of an incident. ``head`` has the version and the hash of its newest change that has a hash."""

    version: int
    head: str | None


class Position(NamedTuple):
    """The newest manifest of a tenant: its number, the end of its window, its hash, and the name of the table.

    ``next_number`` is the number of the next manifest. Usually, it is one more than ``number``.
    """

    number: int
    to: str
    hash: str | None
    next_number: int
    table: str | None


START = Position(0, BEGINNING, None, 1, None)
"""The position of a tenant without a manifest."""


class Window(NamedTuple):
    """The times of the changes whose incidents a manifest contains, as RFC 3339 texts. Both ends are included.

    A run reads the index once, and writes one or more manifests. ``more`` is false only in the last manifest of a run.
    """

    start: str
    end: str
    more: bool = False


class Erasure(NamedTuple):
    """An erasure of the tenant: its end, and the SHA-256 of its proof. It covers all incidents until its end."""

    ended: str
    proof: str


class Record(NamedTuple):
    """What an operator records in a manifest: an erasure, or the time of a restore."""

    erasure: Erasure | None = None
    restored_to: str | None = None


NOTHING = Record()


def dump(
    tenant_id: str,
    table: str,
    before: Position,
    window: Window,
    entries: Mapping[str, Entry],
    record: Record = NOTHING,
) -> bytes:
    """Return a manifest without its signature. ``entries`` are by incident id."""
    return canonical_json({
        "format": FORMAT,
        "number": before.next_number,
        "tenant_id": tenant_id,
        "table": table,
        "from": window.start,
        "to": window.end,
        "more": window.more,
        "previous_hash": before.hash,
        "erasure": record.erasure,
        "restored_to": record.restored_to,
        "entries": [[incident_id, *entries[incident_id]] for incident_id in sorted(entries)],
    })  # fmt: skip


def is_sealable(incident_id: str, updated_at: str, entry: Entry) -> bool:
    """Return whether an entry has the right form. The signature would make a wrong form permanent."""
    head = _HEAD.fullmatch(entry.head) if entry.head is not None else None
    return (
        model.INCIDENT_ID.fullmatch(incident_id) is not None
        and TIME.fullmatch(updated_at) is not None
        and 1 <= entry.version < _HIGHEST
        and (entry.head is None or (head is not None and int(head[1]) <= entry.version))
    )


def position(manifest: bytes) -> Position:
    """Return the position of a manifest. Raises ValueError, TypeError or KeyError if the manifest is damaged."""
    content = json.loads(manifest)
    number, to = content["number"], content["to"]
    if type(number) is not int or not TIME.fullmatch(to):
        raise ValueError("the manifest has a number or an end of another form")
    return Position(number, to, sha256(manifest).hexdigest(), number + 1, content["table"])


def position_of_file(tenant_id: str, file_name: str, file: bytes) -> Position:
    """Return the position of the manifest in a file. Raises ValueError, TypeError or KeyError if it is not one.

    The function does not check the signature.
    """
    manifest, proof, rest = file.split(b"\n")
    here = position(manifest)
    is_named = file_name == name(tenant_id, here.number) and here.number <= _MOST
    if rest or not json.loads(proof)["signature"] or not is_named:
        raise ValueError("the file has another form, or the name of another manifest")
    return here


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


def number_of(tenant_id: str, file_name: str) -> int | None:
    """Return the number of the manifest that has this name, or None if the name has another form."""
    own = file_name.removeprefix(folder(tenant_id))
    return _HIGHEST - int(own[:10]) if _NAME.fullmatch(own) else None


def folder(tenant_id: str) -> str:
    """Return the beginning of the names of a tenant's manifests. A tenant's id cannot contain ``/``."""
    return f"{tenant_id}/"
