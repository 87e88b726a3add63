"""Check the history of a tenant without AWS. README.md, in the same folder, describes the formats and checks."""

import argparse
import json
import re
import sys
from base64 import b64decode
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

UNREADABLE = (KeyError, ValueError, TypeError, AttributeError, ArithmeticError, LookupError, RecursionError)
MEMBERS = {"entries", "erasure", "from", "more", "number", "previous_hash", "restored_to", "table", "to"}
FIXED = ("tenant_id", "schema_version", "version", "updated_at", "updated_by", "created_at", "created_by")
NUMBERS = Context(prec=28, Emin=-400, Emax=400, traps=[Inexact, InvalidOperation, Overflow])  # refuses longer numbers
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
DIGITS = str.maketrans("JKMNPQRSTVWXYZ", "IJKLMNOPQRSTUV")  # from the digits of ids to the digits of Python
ENTRY = re.compile(r"\['inc_[0-7][0-9A-HJKMNP-TV-Z]{25}', [1-9][0-9]{0,9}, (None|'([1-9][0-9]{0,9}):[0-9a-f]{64}')\]")


class Report:
    """A check's result. ``late`` changes were sealed a day too late. ``lost`` incidents lost changes by a restore."""

    incidents = manifests = unsealed = unproved = 0  # unproved incidents: a change has no hash
    until, newest = "1970-01-01T00:00:00.000Z", "newest manifest: none"

    def __init__(self) -> None:
        self.faults, self.late, self.ends, self.lost = list[str](), list[str](), list[str](), set[str]()
        self.erasures, self.restores, self.sealed = list[Any](), list[Any](), dict[str, list[Any]]()  # by incident


def check(tenant_id: str, keys: set[str], manifests: Iterable[bytes], export: Iterable[bytes]) -> Report:
    """Check the lines of an export against the lines of manifests. ``keys`` are fingerprints, in any writing."""
    report, last = Report(), ""
    read_manifests(report, tenant_id, {re.sub(r"[:\s]", "", key).lower() for key in keys}, manifests)
    missing = {*report.sealed}
    for number, line in enumerate(export, start=1):
        subject = f"line {number} of the export"
        try:
            if "incident" not in (document := read_json(line)):
                continue  # an event of a finding, or settings
            incident, changes = document["incident"], document["changes"]
            if not last < incident["id"]:
                raise ValueError("the incidents are not in the order of their ids")
            last, subject, report.incidents = incident["id"], incident["id"], report.incidents + 1
            missing.discard(subject)
            faults = [*history_faults(tenant_id, incident, changes), *seal_faults(report, subject, changes)]
            report.faults += [f"{subject}: {fault}" for fault in dict.fromkeys(faults)]
            report.unproved += not all("hash" in change for change in changes)
        except UNREADABLE as error:
            report.faults.append(f"{subject}: it cannot be read ({type(error).__name__}: {error})")
    report.faults += [f"{gone}: {fault}" for gone in sorted(missing) for fault in {*seal_faults(report, gone, [])}]
    return report


def read_manifests(report: Report, tenant_id: str, keys: set[str], lines: Iterable[bytes]) -> None:
    """Read the manifests of a tenant, oldest first: for each manifest, its line and the line of its signature."""
    previous, number, reached, rest = None, 0, report.until, iter(lines)
    for report.manifests, line in enumerate(rest, start=1):
        name, manifest, proof_line = f"manifest {report.manifests}", line.rstrip(b"\n"), next(rest, b"")
        try:
            content, proof = read_json(manifest), read_json(proof_line)
            if (fingerprint := sha256(der := b64decode(proof["public_key"], validate=True)).hexdigest()) not in keys:
                raise ValueError(f"is signed by another key, with the fingerprint {fingerprint}")
            key: Any = serialization.load_der_public_key(der)
            key.verify(b64decode(proof["signature"], validate=True), manifest, ECDSA(hashes.SHA256()))
            own, last, here, other = sha256(manifest).hexdigest(), "", report.manifests, content["tenant_id"]
            if digest({name: content[name] for name in MEMBERS} | {"format": 1, "tenant_id": tenant_id}) != own:
                raise ValueError("has another format" if other == tenant_id else f"belongs to the tenant {other!r}")
            follows = content["previous_hash"] == previous and content["number"] > number
            if not follows or content["from"] > min(reached, content["to"]):
                report.faults.append(f"{name}: does not follow manifest number {number} with the end {reached}")
            previous, number, reached = own, content["number"], max(reached, content["to"])
            report.newest = f"newest manifest: number {number}, with the SHA-256 {previous}"
            report.erasures += [(here, ended, milliseconds(ended)) for ended in (content["erasure"] or [])[:1]]
            if content["restored_to"]:
                report.restores.append((here, shifted(content["restored_to"], 0), (content["table"], len(report.ends))))
            for entry in content["entries"]:
                if (form := ENTRY.fullmatch(str(entry))) and int(form[2] or 1) <= entry[1] and last < entry[0]:
                    seal = (here, len(report.ends), shifted(content["to"], 1), *entry[1:], content["table"])
                    report.sealed.setdefault(last := entry[0], []).append(seal)
                else:
                    report.faults.append(f"{name}: has an entry of another form or in the wrong order: {entry}")
            if not content["more"]:  # the run is complete
                report.until = reached
                report.ends.append(shifted(reached, -1))
        except (*UNREADABLE, InvalidSignature) as error:
            report.faults.append(f"{name}: {str(error) or type(error).__name__}")
    report.faults += [] if report.manifests else ["there is no manifest"]


def history_faults(tenant_id: str, incident: dict[str, Any], changes: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the faults of an incident and its changes, oldest first. Changes of older releases may have no hash."""
    first, last, count, numbers = changes[0], changes[-1], len(changes), [change["version"] for change in changes]
    named = [incident[name] for name in FIXED] + [milliseconds(incident["id"])]
    wanted = [tenant_id, 1, count, last["at"], last["by"], first["at"], first["by"], milliseconds(first["at"])]
    if digest([*named, *numbers]) != digest([*wanted, *range(1, count + 1)]):
        yield f"its members {named} do not fit the tenant, the schema version 1, or its changes, or a change lacks"
    times, previous, is_next = [change["at"] for change in changes], None, False
    if times != sorted(times) or not all(map(TIME.fullmatch, times)) or times[-1] > shifted(str(datetime.now(UTC)), 1):
        yield "the times of its changes go back, are in the future, or have another form"
    for change in changes:
        own = change | {"tenant_id": tenant_id, "incident_id": incident["id"], "previous_hash": previous}
        own["changes"] = {name: {end: text(name, pair[end]) for end in pair} for name, pair in own["changes"].items()}
        if "hash" in change and is_next == ("state_hash" in change):
            yield f"change {change['version']} does not fit its chain, in which only the first change has a state_hash"
        if own.pop("hash", None) != (digest(own) if {"hash", "nonce", "state_hash"} & {*change} else None):
            yield f"change {change['version']} differs from its hash"
        is_next, previous = "hash" in change, change.get("hash", previous)
    state = {name: text(name, value) for name, value in incident.items()}
    for change in reversed(changes):  # from the current values back to the values after each start of a chain
        if "state_hash" in change:
            state |= {"version": change["version"], "updated_at": change["at"], "updated_by": change["by"]}
            if change["state_hash"] != digest({name: state[name] for name in state if state[name] not in (None, [])}):
                yield f"its values do not lead back to the values after change {change['version']}"
        for name, pair in change["changes"].items():
            after, later = ([] if value is None else value for value in (text(name, pair["to"]), state.get(name)))
            if "hash" in change and digest(after) != digest(later):
                yield f"{name} has another value than change {change['version']} gave it"
            state[name] = text(name, pair["from"])


def seal_faults(report: Report, incident_id: str, changes: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the contradictions between an incident and the manifests, and its changes that were not sealed in time."""
    heads, runs, seals = list[str | None]([None]), dict[int, int](), report.sealed.get(incident_id, [])
    had = {start: max([seal[3] for seal in seals if start <= seal[0] and seal[1] == run], default=0)
           for start, _, (_, run) in report.restores if run < len(report.ends)}  # fmt: skip
    erased = max((place for place, _, at in report.erasures if milliseconds(incident_id) <= at), default=0)
    yield from ["it is older than an erasure of the tenant"][: erased and len(changes)]
    for version, change in enumerate(changes, start=1):
        heads.append(f"{version}:{change['hash']}" if "hash" in change else heads[-1])
    for place, run, limit, version, head, table in seals:  # "~" is after all times
        at, is_same = (changes[version - 1]["at"], head == heads[version]) if version <= len(changes) else ("~", False)
        cut = [(to, had.get(start, version)) for start, to, new in report.restores
                if start > place and new[0] != table and to < min(at, limit)]  # fmt: skip
        if place > erased and cut and not (is_same and (at <= limit or "hash" in changes[version - 1])):
            version = min(version, sum(k["at"] <= shifted(min(cut)[0], 1 / 60) for k in changes), *[n for _, n in cut])
            report.lost.add(incident_id)
        elif place > erased and not is_same:
            yield f"a manifest has another change {version}" if changes else "the export does not have it"
        elif is_same and at > limit:
            yield f"change {version} has the time {at}, but a manifest that ends before {limit} has it"
        runs[run] = max(version, runs.get(run, 0))  # the highest version that a run has
    for version, change in enumerate(changes, start=1):
        run = bisect_left(report.ends, change["at"])  # the run that must have the change; the newest run may be too old
        whole = [had.get(start, version) for start, _, (_, end) in report.restores[-1:] if run <= end]  # all incidents
        if run < len(report.ends) and min([runs.get(run, 0), *whole]) < version:
            yield f"change {version} of {change['at']} is in no manifest of its time"
        elif 0 < run < len(report.ends) and report.ends[run] > shifted(change["at"], 24):
            report.late.append(f"{incident_id}: change {version} of {change['at']}")
    report.unsealed += max(runs.values(), default=0) < len(changes)


def text(name: str, value: Any) -> Any:
    """Return a value as it enters a hash: amounts and JSON fields as text."""
    if value is not None and name in ("lessons_learned", "regulatory_reports"):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)
    if name == "financial_impact" and type(value) not in (int, Decimal, type(None)):
        raise ValueError(f"the amount {value!r} is not a number")
    return f"{Decimal(value).normalize():f}" if value is not None and name == "financial_impact" else value


def milliseconds(at: str) -> int:  # since 1970, of a time or of an id, which says when the incident was created
    return int(at[4:14].translate(DIGITS), 32) if at[3] == "_" else round(datetime.fromisoformat(at).timestamp() * 1000)


def shifted(at: str, hours: float) -> str:
    return (datetime.fromisoformat(at) + timedelta(hours=hours)).isoformat(timespec="milliseconds")[:23] + "Z"


def digest(value: Any) -> str:
    return sha256(json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()).hexdigest()


def read_json(line: bytes) -> Any:
    return json.loads(line, parse_float=NUMBERS.create_decimal, parse_constant=Decimal,  # a name appears only once
        object_pairs_hook=lambda pairs: dict(zip(dict(pairs), [pair[1] for pair in pairs], strict=True)))  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Check the history of a tenant without AWS.")
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--key", required=True, action="append", help="the key's fingerprint; repeat it for more keys")
    parser.add_argument("files", type=Path, nargs=2, help="manifests.jsonl and export.jsonl")
    given = parser.parse_args()
    report = check(given.tenant, set(given.key), *(path.open("rb") for path in given.files))
    lines = [f"FAULT  {fault}" for fault in report.faults] + [f"LATE  {change}" for change in report.late]
    lines += [f"{report.incidents} incidents, {report.manifests} manifests until {report.until}; changed later: "
              f"{report.unsealed}; without a hash: {report.unproved}; lost changes of: {len(report.lost)}; erasures: "
              f"{[at for _, at, _ in report.erasures]}; restores: {[at for _, at, _ in report.restores]}"]  # fmt: skip
    sys.stdout.write("".join(f"{line.encode('unicode_escape').decode()}\n" for line in (*lines, report.newest)))
    sys.exit(f"{len(report.faults)} faults" if report.faults else 0)
