"""Random tenants with sealed histories, as an export and a bucket would have them, and attacks on their histories."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from copy import deepcopy
from decimal import Decimal
from hashlib import sha256
from random import Random
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from incidents.domain import manifests, model, timestamps, wire_form
from incidents.domain.manifests import Entry, Position, Window
from incidents.domain.model import Change, Incident
from incidents.storage import stored_form
from incidents_cli.operate.history import verify_history

Document = dict[str, Any]
HOUR = 3_600_000
START = 1_780_000_000_000


class SigningKey:
    """A signing key, as AWS KMS has it."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.public_key = self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.fingerprint = sha256(self.public_key).hexdigest()

    def sign(self, manifest: bytes) -> bytes:
        """Return the file of a manifest."""
        return manifests.signed(manifest, self.public_key, self.private.sign(manifest, ec.ECDSA(SHA256())))


class SealedTenant:
    """A tenant with random incidents. ``documents`` are the lines of an export, and ``files`` the manifests."""

    def __init__(self, random: Random, tenant_id: str, key: SigningKey, steps: int = 40) -> None:
        self.tenant_id, self.key = tenant_id, key
        self.files: list[bytes] = []
        self.entries: dict[str, set[int]] = {}  # the sealed versions by incident
        self._random, self._now = random, START
        self._stored: dict[str, tuple[Incident, stored_form.Stored, list[Change]]] = {}
        self._position: Position | None = None
        for _ in range(4):
            self._create()
        for _ in range(steps):
            self._now += random.randrange(1, HOUR)
            random.choices([self._create, self._change, self.seal], [1, 5, 1])[0]()
        self._change()
        self.seal()
        self._now += random.choice([2 * HOUR, 1])
        self._change()  # which no manifest has
        self.documents = [self._document(incident_id) for incident_id in sorted(self._stored)]

    def lines(self) -> list[bytes]:
        return [json.dumps(document, ensure_ascii=False, default=_exact).encode() for document in self.documents]

    def faults(self, *, keys: set[str] | None = None) -> list[str]:
        """Return the faults that the verifier finds in the tenant's export and manifests."""
        lines = [line for file in self.files for line in file.splitlines(keepends=True)]
        return verify_history.check(self.tenant_id, keys or {self.key.fingerprint}, lines, self.lines()).faults

    def seal(self) -> None:
        """Add a manifest with the incidents that changed since an hour before the manifest before."""
        start = timestamps.to_milliseconds(self._position.to) - HOUR if self._position else 0
        window = Window(timestamps.from_milliseconds(start), self._at())
        entries = {
            incident_id: Entry(incident["version"], stored.item.get("chain_head", {}).get("S"))
            for incident_id, (incident, stored, _) in self._stored.items()
            if incident["updated_at"] >= window.start
        }
        for incident_id, entry in entries.items():
            self.entries.setdefault(incident_id, set()).add(entry.version)
        manifest = manifests.dump(self.tenant_id, "table", self._position, window, entries)
        self.files.append(self.key.sign(manifest))
        self._position = manifests.position(manifest)

    def take_head_away(self) -> bool:
        """Remove the newest hash from an item of the next manifest. Return whether there is such an item."""
        assert self._position is not None
        start = timestamps.from_milliseconds(timestamps.to_milliseconds(self._position.to) - HOUR)
        for incident, stored, changes in self._stored.values():
            if incident["updated_at"] >= start and changes[-1].hash:
                del stored.item["chain_head"]
                return True
        return False

    def _create(self) -> None:
        incident = cast("Incident", dict(model.unset_fields()))
        incident_id = f"inc_{len(self._stored):026d}"
        incident.update({
            "id": incident_id, "tenant_id": self.tenant_id, "created_at": self._at(), "updated_at": self._at(),
            "created_by": "ada", "updated_by": "ada", "schema_version": 1, "version": 1, "is_deleted": False,
            "incident_number": f"INC-2026-{len(self._stored):06d}", "title": "first 🔐\u2028", "status": "new",
            "source": "edm", "source_type": "api",
        })  # fmt: skip
        if self._random.random() < 0.5:
            incident.update({"financial_impact": Decimal("1250000.5000"), "tags": ["a"], "severity": "low"})
        self._write(incident, Change(1, self._at(), "ada", "created", {}, {"detected_at": "x"}), None)

    def _change(self) -> None:
        incident_id = self._random.choice(sorted(self._stored))
        before, stored, _ = self._stored[incident_id]
        values: Document = self._random.choice([
            {"title": f"title {self._random.random()}"}, {"severity": "high", "tags": ["b", "c"]}, {"tags": []},
            {"financial_impact": Decimal(self._random.randrange(10**9)) / 4}, {"financial_impact": None},
            {"lessons_learned": '{"b":[1e+200,0.5,true],"a":"ü"}'}, {"is_deleted": not before["is_deleted"]},
            {"mttd_minutes": 0}, {"mttd_minutes": None},
        ])  # fmt: skip
        changed = {name: (before[name], value) for name, value in values.items() if before[name] != value}  # type: ignore[literal-required]
        after = cast("Incident", dict(before) | values)
        after.update({"version": before["version"] + 1, "updated_at": self._at(), "updated_by": "grace"})
        change = Change(after["version"], self._at(), "grace", "updated", changed, evidence=None)
        self._write(after, change, stored, is_old_release=self._random.random() < 0.1)

    def _write(
        self, incident: Incident, change: Change, before: stored_form.Stored | None, *, is_old_release: bool = False
    ) -> None:
        item = stored_form.from_incident(incident)
        if is_old_release:
            if before and "chain_head" in before.item:
                item["chain_head"] = before.item["chain_head"]
        else:
            change = stored_form.chained(change, incident, before)
            item |= stored_form.chain_head(change)
        changes = self._stored[incident["id"]][2] if before else []
        self._stored[incident["id"]] = (incident, stored_form.Stored(incident, item), [*changes, change])

    def _document(self, incident_id: str) -> Document:
        incident, _, changes = self._stored[incident_id]
        trail = ",".join(map(wire_form.dump_change, changes))
        line = f'{{"incident":{wire_form.dump_incident(incident)},"changes":[{trail}]}}'
        return cast("Document", json.loads(line, parse_float=Decimal))

    def _at(self) -> str:
        return timestamps.from_milliseconds(self._now)


def _exact(amount: Decimal) -> float:
    return float(amount)


def computed_anew(tenant_id: str, document: Document) -> None:
    """Compute all hashes of an incident's history anew, as the holder of the table could."""
    incident, previous = document["incident"], None
    state = {name: verify_history.text(name, value) for name, value in incident.items()}
    for change in reversed(document["changes"]):
        if "state_hash" in change:
            then = state | {"version": change["version"], "updated_at": change["at"], "updated_by": change["by"]}
            change["state_hash"] = verify_history.digest({k: v for k, v in then.items() if v not in (None, [])})
        state |= {name: verify_history.text(name, pair["from"]) for name, pair in change["changes"].items()}
    for change in document["changes"]:
        if "hash" in change:
            entry = {name: value for name, value in change.items() if name != "hash"}
            entry["changes"] = {
                name: {end: verify_history.text(name, value) for end, value in pair.items()}
                for name, pair in change["changes"].items()
            }
            entry |= {"tenant_id": tenant_id, "incident_id": incident["id"], "previous_hash": previous}
            previous = change["hash"] = verify_history.digest(entry)


# --- attacks on an incident. A damage gets the sealed changes, and the complete trail.

LATER = "2999-01-01T00:00:00.000Z"
Damage = Callable[[Random, Document, list[Document]], object]


def _renumbered(incident: Document, changes: list[Document]) -> None:
    for version, change in enumerate(changes, start=1):
        change["version"] = version
    incident["version"] = len(changes)
    incident["updated_at"], incident["updated_by"] = changes[-1]["at"], changes[-1]["by"]


def _value(random: Random, incident: Document, changes: list[Document]) -> None:
    pairs = [
        (name, pair) for change in changes if "hash" in change for name, pair in change["changes"].items()
        if name in ("title", "severity")
    ]  # fmt: skip
    random.choice(pairs)[1][random.choice(["from", "to"])] = "forged"


def _current_value(random: Random, incident: Document, changes: list[Document]) -> None:
    incident[random.choice(["title", "severity", "owner_id", "created_by", "incident_number"])] = "forged"


def _removed(random: Random, incident: Document, changes: list[Document]) -> None:
    del changes[random.randrange(len(changes) - 1)]
    _renumbered(incident, changes)


def _added(random: Random, incident: Document, changes: list[Document]) -> None:
    if len(changes) < 2:
        raise IndexError("a record after the last one would be a new change, which no manifest covers")
    changes.insert(1, deepcopy(changes[0]) | {"action": "updated"})
    changes[1].pop("state_hash", None)
    _renumbered(incident, changes)


def _swapped(random: Random, incident: Document, changes: list[Document]) -> None:
    one, other = random.sample(range(len(changes) - 1), 2)
    changes[one], changes[other] = changes[other], changes[one]
    _renumbered(incident, changes)


def _cut(random: Random, incident: Document, changes: list[Document]) -> None:
    for name, pair in changes.pop()["changes"].items():
        incident[name] = pair["from"]
    _renumbered(incident, changes)


def _first_value(random: Random, incident: Document, changes: list[Document]) -> None:
    """Change a value that the create gave: in the incident, or in the first change of the field."""
    first = next((change for change in changes if "title" in change["changes"]), None)
    if first:
        first["changes"]["title"]["from"] = "forged"
    else:
        incident["title"] = "forged"


def _without_hashes(random: Random, incident: Document, changes: list[Document]) -> None:
    for change in changes:
        for name in ("hash", "nonce", "state_hash"):
            change.pop(name, None)
    incident["title"] = "forged"


def _appended(incident: Document, changes: list[Document], **more: str) -> None:
    """Forge a first value, and append a change that pretends to begin a chain with the forged values."""
    incident["title"] = "forged"
    last = changes[-1]
    changes.append({"version": 0, "at": LATER, "by": last["by"], "action": "updated", "changes": {}, **more})
    _renumbered(incident, changes)
    state = {name: verify_history.text(name, value) for name, value in incident.items()}
    filled = {name: value for name, value in state.items() if value not in (None, [])}
    changes[-1]["state_hash"] = verify_history.digest(filled)
    if more:
        ids = {"tenant_id": incident["tenant_id"], "incident_id": incident["id"], "previous_hash": last["hash"]}
        changes[-1]["hash"] = verify_history.digest(changes[-1] | ids)


def _pretended_conversion(random: Random, incident: Document, changes: list[Document]) -> None:
    _appended(incident, changes, nonce="0" * 32)


def _pretended_conversion_without_a_hash(random: Random, incident: Document, changes: list[Document]) -> None:
    _appended(incident, changes)


def _back_in_time(random: Random, incident: Document, changes: list[Document]) -> None:
    changes.insert(0, changes[0] | {"at": LATER})
    _renumbered(incident, changes)


def _set(name: str, value: str) -> Damage:
    def damage(random: Random, incident: Document, changes: list[Document]) -> None:
        random.choice([change for change in changes if "hash" in change])[name] = value
        incident["updated_at"], incident["updated_by"] = changes[-1]["at"], changes[-1]["by"]

    return damage


DAMAGES: dict[str, Damage] = {
    "a changed value": _value,
    "a changed current value": _current_value,
    "another author": _set("by", "mallory"),
    "another time": _set("at", "2026-01-01T00:00:00.000Z"),
    "another action": _set("action", "closed"),
    "another nonce": _set("nonce", "0" * 32),
    "a removed record": _removed,
    "an added record": _added,
    "swapped records": _swapped,
    "a cut tail": _cut,
    "a forged first value": _first_value,
    "a history without hashes": _without_hashes,
    "a pretended conversion": _pretended_conversion,
    "a pretended conversion without a hash": _pretended_conversion_without_a_hash,
    "a time that goes back": _back_in_time,
}


def damaged(random: Random, tenant: SealedTenant) -> Iterator[tuple[str, SealedTenant]]:
    """Yield copies of a tenant, each with one attack on an incident's sealed history.

    In half of the copies, all hashes of the incident were computed anew after the attack.
    """
    for name, damage in DAMAGES.items():
        for is_computed_anew in (False, True):
            forged = deepcopy(tenant)
            fit = [one for one in forged.documents if _is_sealed(tenant, one)]
            random.shuffle(fit)
            for document in fit:
                before = deepcopy(document)
                try:
                    damage(random, document["incident"], document["changes"])
                except (IndexError, ValueError):  # the trail is too short for this attack
                    document.clear()
                    document.update(before)
                    continue
                if document == before:
                    continue
                if is_computed_anew:
                    computed_anew(tenant.tenant_id, document)
                yield f"{name}{', computed anew' if is_computed_anew else ''}", forged
                break


def _is_sealed(tenant: SealedTenant, document: Document) -> bool:
    """Return whether a manifest has the incident's newest change."""
    incident = document["incident"]
    return incident["version"] in tenant.entries[incident["id"]] and "hash" in document["changes"][-1]


# --- attacks on the incidents of a tenant and on its manifests


def attacked(random: Random, tenant: SealedTenant, other: SealedTenant) -> Iterator[tuple[str, SealedTenant]]:
    """Yield copies of a tenant, each with one attack on its incidents or its manifests."""

    def copy() -> SealedTenant:
        return deepcopy(tenant)

    forged = copy()
    forged.documents.pop(random.randrange(len(forged.documents)))
    yield "a removed incident", forged

    forged = copy()
    if forged.take_head_away():
        forged.seal()
        yield "a head that was taken away during a seal", forged

    forged = copy()
    added = deepcopy(forged.documents[0])
    added["incident"]["id"] = "inc_0ZZZZZZZZZZZZZZZZZZZZZZZZZ"
    added["incident"]["updated_at"] = added["changes"][-1]["at"] = timestamps.from_milliseconds(START)
    computed_anew(tenant.tenant_id, added)
    forged.documents.append(added)
    yield "an added incident", forged

    forged = copy()
    forged.documents.insert(1, deepcopy(forged.documents[0]))
    yield "an incident twice", forged

    one, last = random.randrange(len(tenant.files) - 1), len(tenant.files) - 1
    for name, files in {
        "a manifest left out": [*tenant.files[:one], *tenant.files[one + 1 :]],
        "an old manifest replayed at the end": [*tenant.files[:-1], tenant.files[one]],
        "an old manifest added": [*tenant.files, tenant.files[one]],
        "a manifest twice": [*tenant.files[: one + 1], *tenant.files[one:]],
        "manifests in the wrong order": [
            *tenant.files[:one],
            tenant.files[one + 1],
            tenant.files[one],
            *tenant.files[one + 2 :],
        ],
        "another tenant's manifests": other.files,
        "another tenant's last manifest": [*tenant.files[:-1], other.files[-1]],
        "a manifest cut in the middle": [*tenant.files[:-1], tenant.files[-1].partition(b"\n")[0] + b"\n"],
        "a manifest without its end": [*tenant.files[:-1], tenant.files[-1][10:]],
        "no manifest": [],
    }.items():
        forged = copy()
        forged.files = files
        yield name, forged

    manifest, proof = tenant.files[last].split(b"\n")[:2]
    content = json.loads(manifest)
    entry = content["entries"][0]
    altered = {
        "a truncated list": {"entries": content["entries"][1:]},
        "another head": {"entries": [[entry[0], entry[1], f"{entry[1]}:{'0' * 64}"], *content["entries"][1:]]},
        "an earlier end": {"to": content["from"]},
        "another table": {"table": "other"},
        "an erasure": {"erasure": "0" * 64},
    }
    for name, members in altered.items():
        forged = copy()
        forged.files[last] = wire_form.canonical_json(content | members) + b"\n" + proof + b"\n"
        yield f"{name}, with the old signature", forged
        forged = copy()
        forged.files[last] = SigningKey().sign(wire_form.canonical_json(content | members))
        yield f"{name}, signed with another key", forged
    # Even the right key must not sign a manifest of another form.
    ill_formed = {
        "duplicate ids": content | {"entries": [entry, *content["entries"]]},
        "the wrong order": content | {"entries": [*content["entries"], ["inc_0", 1, None]]},
        "another member": content | {"more": 1},
        "another format": content | {"format": 2},
        "an entry with a wrong head": content | {"entries": [[entry[0], 1, f"2:{'0' * 64}"]]},
        "an entry without a version": content | {"entries": [[entry[0], "1", None]]},
        "a window that begins late": content | {"from": content["to"], "to": "2999-01-01T00:00:00.000Z"},
        "a window that ends before it begins": content | {"to": "1970-01-01T00:00:00.000Z"},
        "another tenant": content | {"tenant_id": "other"},
        "another number": content | {"number": content["number"] + 1},
    }
    for name, members in ill_formed.items():
        forged = copy()
        forged.files[last] = tenant.key.sign(wire_form.canonical_json(members))
        yield f"{name}, with a right signature", forged
    for name, line in {
        "other JSON": manifest.replace(b'"format":', b'"format": '), "a name twice": b'{"format":1,' + manifest[1:]
    }.items():  # fmt: skip
        forged = copy()
        forged.files[last] = tenant.key.sign(line)
        yield f"{name}, with a right signature", forged
    forged = copy()
    forged.files[last] = manifest + b"\n" + proof.replace(b'"signature":"', b'"signature":"' + b64encode(b"0")) + b"\n"
    yield "a damaged signature", forged
