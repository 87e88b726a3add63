"""Random tenants with sealed histories, as an export and a bucket would have them, and attacks on their histories."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from decimal import Decimal
from hashlib import sha256
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from incidents import sealing
from incidents.domain import manifests, model, timestamps, wire_form
from incidents.domain.manifests import Erasure, Position, Record
from incidents.domain.model import Change, Incident
from incidents.manifest_store import Overtaken
from incidents.sealing import Order
from incidents.storage import stored_form
from incidents_cli.operate.history import verify_history
from ulid import ULID

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
    """A tenant with random incidents, which the job's code seals. ``documents`` are the lines of an export.

    ``files`` are the manifests. The index shows a change up to an hour late. Some runs end early, and some write
    several manifests. ``past`` may be ``an erasure`` or ``a restore``.
    """

    def __init__(self, random: Random, tenant_id: str, key: SigningKey, steps: int = 40, past: str = "") -> None:
        self.tenant_id, self.key = tenant_id, key
        self.files: list[bytes] = []
        self.entries: dict[str, set[int]] = {}  # the sealed versions by incident
        self.now = START
        self._random = random
        self._stored: dict[str, tuple[Incident, stored_form.Stored, list[Change]]] = {}
        self._index: dict[str, list[tuple[int, stored_form.Item]]] = {}  # the items, and when the index shows them
        self._position = manifests.START
        self._left = 0  # the manifests that a run may still put
        self._created = 0
        self._table = "table"
        for _ in range(4):
            self._create()
        self._live(steps)
        if past == "an erasure":
            self.erase()
            self._create()
            self._live(steps)
        if past == "a restore":
            kept, at = self.kept(), self.now
            self._live(steps // 2)
            self.restore(kept, at)
            self._live(steps // 2)
        self._change()
        self.now += HOUR  # so that the index shows all changes
        self.seal(at_once=manifests.ENTRIES)
        self.now += random.choice([2 * HOUR, 1])
        self._change()  # which no manifest has
        self.export()

    def _live(self, steps: int) -> None:
        for _ in range(steps):
            self.now += self._random.randrange(1, HOUR)
            self._random.choices(
                [self._create, self._change, self.seal, self._change_often, self._fail], [2, 10, 2, 1, 1]
            )[0]()

    def export(self) -> None:
        self.documents = [self._document(incident_id) for incident_id in sorted(self._stored)]

    def lines(self) -> list[bytes]:
        return [json.dumps(document, ensure_ascii=False, default=_exact).encode() for document in self.documents]

    def report(self, *, keys: set[str] | None = None) -> verify_history.Report:
        """Return the verifier's report on the tenant's export and manifests."""
        lines = [line for file in self.files for line in file.splitlines(keepends=True)]
        return verify_history.check(self.tenant_id, keys or {self.key.fingerprint}, lines, self.lines())

    def faults(self) -> list[str]:
        return self.report().faults

    def seal(self, record: Record = manifests.NOTHING, *, whole: bool = False, at_once: int = 0) -> None:
        """Run the job's code. ``at_once`` is the number of entries of a manifest, usually a random number."""
        settle, most = self._random.choice([0, 300_000]), manifests.ENTRIES
        manifests.ENTRIES = at_once or self._random.choice([2, 3, most])
        self._left = self._left or 10_000
        store: Any = self
        try:
            sealing._seal(Order(self.tenant_id, whole, record), store, self._serving, settle, 0.0, self.now)
        finally:
            manifests.ENTRIES, self._left = most, 0

    def _fail(self) -> None:
        """Run the job's code, and end it after a manifest."""
        self._left = 2
        with suppress(Overtaken):
            self.seal(at_once=2)

    def newest(self, _: str) -> Position:
        return self._position

    def put(self, _: str, manifest: bytes) -> Position:
        self._left -= 1
        if self._left == 0:
            raise Overtaken
        for incident_id, version, _head in json.loads(manifest)["entries"]:
            self.entries.setdefault(incident_id, set()).add(version)
        self.files.append(self.key.sign(manifest))
        self._position = manifests.position(manifest)
        return self._position

    @contextmanager
    def _serving(self, _: str) -> Iterator[Any]:
        yield SimpleNamespace(table_name=self._table, entries=self._read_index)

    def _read_index(self, start: str) -> list[stored_form.Item]:
        shown = [next((item for at, item in reversed(items) if at <= self.now), None) for items in self._index.values()]
        items = [item for item in shown if item and item["updated_at"]["S"] >= start]
        return sorted(items, key=lambda item: (item["updated_at"]["S"], item["sk"]["S"]))

    def kept(self) -> Any:
        """Return the content of the table, for a restore."""
        return deepcopy(self._stored)

    def restore(self, kept: Any, at: int, *, is_sealed: bool = True) -> None:
        """Restore the table to an earlier time, live a little with it, and seal the restore."""
        self._stored, self._table = kept, f"{self._table}-restored"
        self._index = {incident_id: [(0, stored.item)] for incident_id, (_, stored, _) in kept.items()}
        self.now += 1
        self._change()
        if self._random.random() < 0.5:
            self.seal()
        if not is_sealed:
            return
        self.entries = {}
        self.seal(Record(restored_to=timestamps.from_milliseconds(at)), whole=True)

    def erase(self) -> None:
        """Erase the tenant, and seal the erasure, while the index still shows all incidents."""
        self._stored, self.entries = {}, {}
        self.seal_erasure(self.now)
        self._index = {}
        self.now += 1

    def seal_erasure(self, ended: int) -> None:
        self.seal(Record(Erasure(timestamps.from_milliseconds(ended), "0" * 64)))

    def take_head_away(self) -> bool:
        """Remove the newest hash from an item of the next manifest. Return whether there is such an item."""
        start = timestamps.from_milliseconds(timestamps.to_milliseconds(self._position.to) - HOUR)
        for incident_id, (incident, stored, changes) in self._stored.items():
            if incident["updated_at"] >= start and changes[-1].hash:
                del stored.item["chain_head"]
                self._index[incident_id] = [(0, stored.item)]
                return True
        return False

    def forge_change(self, incident_id: str, at: int) -> None:
        """Append a change with an invented time, as the holder of the table could."""
        real, self.now = self.now, at
        self._change(incident_id)
        self.now = real
        self._index[incident_id] = [(real, self._index[incident_id][-1][1])]

    def forge_incident(self, at: int) -> None:
        real, self.now = self.now, at
        self._create()
        self.now = real

    def replace_last(self, content: Document) -> None:
        """Sign another manifest in place of the last one."""
        manifest = wire_form.canonical_json(content)
        self.files[-1], self._position = self.key.sign(manifest), manifests.position(manifest)

    def ends(self) -> list[int]:
        """Return the ends of the manifests, in milliseconds."""
        return [timestamps.to_milliseconds(json.loads(manifests.without_signature(file))["to"]) for file in self.files]

    def last_change(self, incident_id: str) -> int:
        return timestamps.to_milliseconds(self._stored[incident_id][0]["updated_at"])

    def ids(self) -> list[str]:
        return sorted(self._stored)

    def _create(self) -> None:
        incident = cast("Incident", dict(model.unset_fields()))
        incident_id, self._created = f"inc_{ULID.from_int((self.now << 80) + self._created)}", self._created + 1
        incident.update({
            "id": incident_id, "tenant_id": self.tenant_id, "created_at": self._at(), "updated_at": self._at(),
            "created_by": "ada", "updated_by": "ada", "schema_version": 1, "version": 1, "is_deleted": False,
            "incident_number": f"INC-2026-{self._created:06d}", "title": "first 🔐\u2028", "status": "new",
            "source": "edm", "source_type": "api",
        })  # fmt: skip
        if self._random.random() < 0.5:
            incident.update({"financial_impact": Decimal("1250000.5000"), "tags": ["a"], "severity": "low"})
        self._write(incident, Change(1, self._at(), "ada", "created", {}, {"detected_at": "x"}), None)

    def _change_often(self) -> None:
        """Change one incident again and again, so that it always moves in the index, also while runs seal it."""
        incident_id = self._random.choice(sorted(self._stored))
        for _ in range(8):
            self.now += 10_000
            self._change(incident_id)
            if self._random.random() < 0.2:
                self.seal()

    def _change(self, incident_id: str = "") -> None:
        incident_id = incident_id or self._random.choice(sorted(self._stored))
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
        shown = self._index.setdefault(incident["id"], [])
        late = self._random.choice([0, 0, 0, self._random.randrange(HOUR)])
        shown.append((max(self.now + late, shown[-1][0] if shown else 0), item))
        self._stored[incident["id"]] = (incident, stored_form.Stored(incident, item), [*changes, change])

    def _document(self, incident_id: str) -> Document:
        incident, _, changes = self._stored[incident_id]
        trail = ",".join(map(wire_form.dump_change, changes))
        line = f'{{"incident":{wire_form.dump_incident(incident)},"changes":[{trail}]}}'
        return cast("Document", json.loads(line, parse_float=Decimal))

    def _at(self) -> str:
        return timestamps.from_milliseconds(self.now)


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
LATEST = timestamps.to_milliseconds(LATER)
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


def _malformed(name: str, form: Callable[[Any], Any]) -> Damage:
    """Give a member another form with the same digits."""

    def damage(random: Random, incident: Document, changes: list[Document]) -> None:
        given = [part for part in (incident, *changes) if part.get(name) is not None]
        part = random.choice(given)
        part[name] = form(part[name])

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
MALFORMED: dict[str, Damage] = {
    "an amount as text": _malformed("financial_impact", lambda amount: f"{amount}"),
    "an amount with an underscore": _malformed("financial_impact", lambda amount: f"{int(amount):_}"),
    "an amount with spaces": _malformed("financial_impact", lambda amount: f" {amount} "),
    "a version as true": _malformed("version", lambda version: True if version == 1 else 1 / 0),
    "a version with a fraction": _malformed("version", float),
    "a version as text": _malformed("version", str),
    "a hash that is null": _malformed("hash", lambda _: None),
    "a nonce that is null": _malformed("nonce", lambda _: None),
    "an unknown schema version": _malformed("schema_version", lambda _: 2),
    "a schema version as true": _malformed("schema_version", lambda _: True),
}


def damaged(random: Random, tenant: SealedTenant) -> Iterator[tuple[str, SealedTenant]]:
    """Yield copies of a tenant, each with one attack on an incident's sealed history.

    In half of the copies, all hashes of the incident were computed anew after the attack.
    """
    for name, damage in (DAMAGES | MALFORMED).items():
        for is_computed_anew in (False, True) if name in DAMAGES else (False,):
            forged = deepcopy(tenant)
            fit = [one for one in forged.documents if _is_sealed(tenant, one)]
            random.shuffle(fit)
            for document in fit:
                before = deepcopy(document)
                try:
                    damage(random, document["incident"], document["changes"])
                except (IndexError, ValueError, ArithmeticError):  # the trail does not fit this attack
                    document.clear()
                    document.update(before)
                    continue
                if repr(document) == repr(before):  # 1 and true are equal in Python
                    continue
                if is_computed_anew:
                    computed_anew(tenant.tenant_id, document)
                yield f"{name}{', computed anew' if is_computed_anew else ''}", forged
                break


def _is_sealed(tenant: SealedTenant, document: Document) -> bool:
    """Return whether a manifest has the incident's newest change."""
    incident = document["incident"]
    return incident["version"] in tenant.entries.get(incident["id"], ()) and "hash" in document["changes"][-1]


# --- attacks on the incidents of a tenant and on its manifests


def attacked(random: Random, tenant: SealedTenant, other: SealedTenant) -> Iterator[tuple[str, SealedTenant]]:
    """Yield copies of a tenant, each with one attack on its incidents or its manifests."""

    def copy() -> SealedTenant:
        return deepcopy(tenant)

    forged = copy()
    gone = random.choice(sorted(tenant.entries))
    forged.documents = [document for document in forged.documents if document["incident"]["id"] != gone]
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
        "an erasure": {"erasure": [LATER, "0" * 64]},
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
        "another member": content | {"note": 1},
        "another format": content | {"format": 2},
        "an entry with a wrong head": content | {"entries": [[entry[0], 1, f"2:{'0' * 64}"]]},
        "an entry without a version": content | {"entries": [[entry[0], "1", None]]},
        "a window that begins late": content | {"from": content["to"], "to": "2999-01-01T00:00:00.000Z"},
        "a window that ends before it begins": content | {"to": "1970-01-01T00:00:00.000Z"},
        "another tenant": content | {"tenant_id": "other"},
        "another number": content | {"number": content["number"] - 1},
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


# --- attacks with invented times: the next manifests have the forged changes


def timed(random: Random, tenant: SealedTenant) -> Iterator[tuple[str, SealedTenant]]:
    """Yield copies of a tenant in which somebody added changes with invented times before the last runs."""

    def copy() -> SealedTenant:
        forged = deepcopy(tenant)
        forged.now += HOUR
        return forged

    def sealed(forged: SealedTenant, *, whole: bool) -> SealedTenant:
        forged.now += HOUR  # so that the index shows the forged change
        forged.seal(whole=whole)
        forged.export()
        return forged

    tenant = deepcopy(tenant)
    tenant.now += 3 * HOUR
    tenant.seal(at_once=manifests.ENTRIES)  # so each change must be sealed already
    ends = tenant.ends()
    last = max(ends) - HOUR - 1  # the newest time at which a change must be sealed already
    old = [incident_id for incident_id in tenant.ids() if tenant.last_change(incident_id) < last]
    for whole in (False, True):
        how = ", and all incidents are sealed again" if whole else ""
        forged, target = copy(), random.choice(old)
        forged.forge_change(target, random.randrange(tenant.last_change(target), last))
        yield f"a backdated last change{how}", sealed(forged, whole=whole)
        forged, target = copy(), random.choice(old)
        forged.forge_change(target, random.randrange(tenant.last_change(target), last))
        forged.forge_change(target, forged.now)
        yield f"a backdated change before a change of now{how}", sealed(forged, whole=whole)
        forged = copy()
        forged.forge_incident(random.randrange(START, last))
        yield f"a backdated incident{how}", sealed(forged, whole=whole)
        forged, target = copy(), random.choice(old)
        hops = [end + 1 for end in sorted({*ends}) if end > tenant.last_change(target)]
        for at in hops:
            forged.forge_change(target, at)
        if min(hops) <= last:
            yield f"backdated changes shortly after each run{how}", sealed(forged, whole=whole)
    for name, ahead in {"two hours ahead": 2 * HOUR + 1, "in the year 2999": 10**9 * HOUR}.items():
        forged = copy()
        forged.forge_change(random.choice(tenant.ids()), min(forged.now + HOUR + ahead, LATEST))
        yield f"a change {name}", sealed(forged, whole=False)
    forged = deepcopy(tenant)
    forged.forge_change(random.choice(tenant.ids()), LATEST)
    forged.export()
    yield "an unsealed change in the year 2999", forged
