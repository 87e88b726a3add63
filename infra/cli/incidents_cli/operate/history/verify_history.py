"""Check the history of a tenant without AWS. README.md, in the same folder, describes all formats and checks.

    python3 verify_history.py --tenant acme --key FINGERPRINT manifests.jsonl export.jsonl

The fingerprint must come from somebody whom you trust, not from the person who gave you the files. The program needs
Python 3.11 and the package `cryptography`. It prints each fault. If there is a fault, the exit code is 1."""

import argparse
import json
import re
import sys
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

MEMBERS = ["entries", "erasure", "format", "from", "number", "previous_hash", "table", "tenant_id", "to"]
UNREADABLE = (KeyError, ValueError, TypeError, AttributeError, ArithmeticError, LookupError, RecursionError)


@dataclass
class Report:
    """A check's result. ``unsealed`` incidents changed after ``until``, and ``unproved`` incidents have no hash."""

    until: str = "1970-01-01T00:00:00.000Z"
    manifests: int = 0
    incidents: int = 0
    unsealed: int = 0
    unproved: int = 0
    erasures: int = 0
    sealed: dict[str, set[tuple[int, str | None]]] = field(default_factory=dict)  # the versions and heads of incidents
    faults: list[str] = field(default_factory=list)


def check(tenant_id: str, keys: set[str], manifests: Iterable[bytes], export: Iterable[bytes]) -> Report:
    """Check the lines of an export against the lines of manifests. ``keys`` are the fingerprints of allowed keys."""
    report = Report()
    read_manifests(report, tenant_id, keys, manifests)
    last, missing = "", set(report.sealed)
    for number, line in enumerate(export, start=1):
        subject = f"line {number} of the export"
        try:
            if "incident" not in (document := read_json(line)):
                continue  # an event of a finding, or settings
            incident, changes = document["incident"], document["changes"]
            if (subject := str(incident["id"])) <= last:
                raise ValueError("the incidents are not in the order of their ids")
            last, report.incidents = subject, report.incidents + 1
            missing.discard(subject)
            faults = [*history_faults(tenant_id, incident, changes), *seal_faults(report, incident, changes)]
            report.faults += [f"{subject}: {fault}" for fault in faults]
            report.unproved += "hash" not in changes[-1]
        except UNREADABLE as error:
            report.faults.append(f"{subject}: it cannot be read ({type(error).__name__}: {error})")
    report.faults += [f"{gone}: the export does not have it, but a manifest does" for gone in sorted(missing)]
    return report


def read_manifests(report: Report, tenant_id: str, keys: set[str], lines: Iterable[bytes]) -> None:
    """Read the manifests of a tenant, oldest first: for each manifest, its line and the line of its signature."""
    previous, rest = None, iter(lines)
    for line in rest:
        manifest, proof = line.rstrip(b"\n"), next(rest, b"")
        report.manifests += 1
        try:
            content = read_json(manifest)
            check_manifest(tenant_id, keys, content, manifest, read_json(proof))
            if (content["number"], content["previous_hash"]) != (report.manifests, previous):
                raise ValueError("does not follow the manifest before it")
            if content["from"] > report.until:
                raise ValueError(f"begins at {content['from']}, but the manifests before it end at {report.until}")
            if content["erasure"]:
                report.erasures, report.sealed = report.erasures + 1, {}  # the earlier incidents are gone
            for incident_id, version, head in content["entries"]:
                report.sealed.setdefault(incident_id, set()).add((version, head))
            report.until = max(report.until, content["to"])
        except (*UNREADABLE, InvalidSignature) as error:
            report.faults.append(f"manifest {report.manifests}: {str(error) or type(error).__name__}")
        previous = sha256(manifest).hexdigest()
    report.faults += [] if report.manifests else ["there is no manifest"]


def check_manifest(tenant_id: str, keys: set[str], content: Any, manifest: bytes, proof: Any) -> None:
    """Raise an error unless a manifest has the described form, belongs to the tenant, and has an allowed signature."""
    key: Any = load_der_public_key(der := b64decode(proof["public_key"], validate=True))
    if (fingerprint := sha256(der).hexdigest()) not in keys:
        raise ValueError(f"is signed by another key, with the fingerprint {fingerprint}")
    key.verify(b64decode(proof["signature"], validate=True), manifest, ECDSA(SHA256()))
    if sorted(content) != MEMBERS or content["format"] != 1 or canonical(content) != manifest:
        raise ValueError("has another format")
    if content["tenant_id"] != tenant_id or content["from"] > content["to"]:
        raise ValueError(f"belongs to the tenant {content['tenant_id']}, or has no window of time")
    ids = [incident_id for incident_id, _, _ in content["entries"]]
    if len(ids) > 10_000 or ids != sorted(set(ids)):
        raise ValueError("has too many entries, repeated entries, or entries in the wrong order")
    for _, version, head in content["entries"]:
        named = re.fullmatch(r"([1-9][0-9]{0,9}):[0-9a-f]{64}", f"{version}:{'0' * 64}" if head is None else head)
        if type(version) is not int or named is None or int(named[1]) > version:
            raise ValueError("has an entry of another form")


def history_faults(tenant_id: str, incident: dict[str, Any], changes: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the faults of an incident and its changes, oldest first. Changes of older releases may have no hash."""
    count = len(versions := [change["version"] for change in changes])
    if (incident["tenant_id"], incident["version"], versions) != (tenant_id, count, [*range(1, count + 1)]):
        yield f"tenant {incident['tenant_id']}, version {incident['version']} and changes {versions} do not fit"
        return
    if incident["schema_version"] != 1 or [change["at"] for change in changes] != sorted(c["at"] for c in changes):
        yield "it has an unknown schema_version, or the times of its changes go back"
    previous, is_next, starts = None, False, set[int]()
    for change in changes:
        own = {name: value for name, value in change.items() if name != "hash"}
        own |= {"tenant_id": tenant_id, "incident_id": incident["id"], "previous_hash": previous}
        own["changes"] = {name: {end: text(name, pair[end]) for end in pair} for name, pair in own["changes"].items()}
        if "state_hash" in change:
            starts.add(change["version"])
        if "hash" in change and is_next == ("state_hash" in change):
            yield f"change {change['version']} does not fit its chain, in which only the first change has a state_hash"
        if change.get("hash") != (digest(own) if {"hash", "nonce", "state_hash"} & {*change} else None):
            yield f"change {change['version']} differs from its hash"
        is_next, previous = "hash" in change, change.get("hash", previous)
    if (incident["updated_at"], incident["updated_by"]) != (changes[-1]["at"], changes[-1]["by"]):
        yield "its last change has another time or author than the incident"
    state = {name: text(name, value) for name, value in incident.items()}
    for change in reversed(changes):  # from the current values back to the values after each start of a chain
        if change["version"] in starts:
            state |= {"version": change["version"], "updated_at": change["at"], "updated_by": change["by"]}
            if change["state_hash"] != digest({name: state[name] for name in state if state[name] not in (None, [])}):
                yield f"its values do not lead back to the values after change {change['version']}"
        for name, pair in change["changes"].items():
            after, later = ([] if value is None else value for value in (text(name, pair["to"]), state.get(name)))
            if "hash" in change and canonical(after) != canonical(later):
                yield f"{name} has another value than change {change['version']} gave it"
            state[name] = text(name, pair["from"])


def seal_faults(report: Report, incident: dict[str, Any], changes: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the contradictions between an incident and the manifests. The last manifest may lack its last hour."""
    for version, head in sorted(sealed := report.sealed.get(incident["id"], set()), key=str):
        hashed = [f"{change['version']}:{change['hash']}" for change in changes[:version] if "hash" in change]
        if version > incident["version"]:
            yield f"it has version {incident['version']}, but a manifest has version {version}"
        elif head != (hashed[-1] if hashed else None):
            yield f"its change {head.partition(':')[0] if head else version} is not the change that a manifest has"
    if all(version != incident["version"] for version, _ in sealed):
        report.unsealed += 1
        if datetime.fromisoformat(incident["updated_at"]) <= datetime.fromisoformat(report.until) - timedelta(hours=1):
            yield f"no manifest has its version {incident['version']} of {incident['updated_at']}"


def text(name: str, value: Any) -> Any:
    """Return a value as it enters a hash: amounts and JSON fields as text."""
    if value is not None and name in ("lessons_learned", "regulatory_reports"):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)
    return f"{Decimal(value).normalize():f}" if value is not None and name == "financial_impact" else value


def digest(value: Any) -> str:
    return sha256(canonical(value)).hexdigest()


def canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def read_json(line: bytes) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(members := dict(pairs)) != len(pairs):
            raise ValueError("a name appears twice")
        return members

    return json.loads(line, parse_float=Decimal, parse_constant=Decimal, object_pairs_hook=unique)


def main() -> None:
    parser = argparse.ArgumentParser(description="Check the history of a tenant without AWS.")
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--key", required=True, action="append", help="the key's fingerprint; repeat it for more keys")
    parser.add_argument("files", type=Path, nargs=2, metavar=("manifests", "export"))
    given = parser.parse_args()
    with given.files[0].open("rb") as manifests, given.files[1].open("rb") as export:
        report = check(given.tenant, set(given.key), manifests, export)
    faults = "".join(f"FAULT  {fault.encode('unicode_escape').decode()}\n" for fault in report.faults)
    checked = f"{report.incidents} incidents, {report.manifests} manifests until {report.until}"
    rest = f"changed later: {report.unsealed}; without a hash: {report.unproved}; erasures: {report.erasures}"
    sys.stdout.write(f"{faults}{checked}; {rest}\n")
    sys.exit(f"{len(report.faults)} faults" if report.faults else 0)


if __name__ == "__main__":
    main()
