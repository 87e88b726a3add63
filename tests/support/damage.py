"""Falsifies the stored history of an incident, as somebody with write access to the table could."""

from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

from incidents.domain import model, wire_form
from incidents.domain.model import Change
from incidents.storage import stored_form
from incidents_cli.operate.tenants import trails

Item = dict[str, Any]
Damage = Callable[[Random, Item, list[Item]], object]
FORGED = {"S": "mallory"}


def _other_value(random: Random, _: Item, changes: list[Item]) -> None:
    values = [pair["M"] for change in changes for pair in change["changes"]["M"].values()]
    random.choice(values)[random.choice(["from", "to"])] = FORGED


def _other_action(random: Random, _: Item, changes: list[Item]) -> None:
    change = random.choice(changes)
    change["action"] = {"S": random.choice(sorted({*model.ACTIONS} - {change["action"]["S"]}))}


def _swapped(random: Random, _: Item, changes: list[Item]) -> None:
    one, other = random.sample(changes, 2)
    for name in {*one, *other} - {"pk", "sk", "version"}:
        one[name], other[name] = other.get(name), one.get(name)
        for change in (one, other):
            if change[name] is None:
                del change[name]


def _added(random: Random, incident: Item, changes: list[Item]) -> None:
    place = random.randint(1, len(changes))
    changes.insert(place, deepcopy(changes[place - 1]))
    for version, change in enumerate(changes, start=1):
        change["version"], change["sk"] = {"N": str(version)}, {"S": f"{incident['sk']['S']}#{version:010d}"}
    incident["version"] = {"N": str(len(changes))}


def _removed(random: Random, _: Item, changes: list[Item]) -> None:
    del changes[random.randrange(len(changes))]


def _other_first_value(random: Random, incident: Item, changes: list[Item]) -> None:
    """Change a first value: in the incident, or in the first change that has the field."""
    field = random.choice(["title", "owner_id", "category", "severity", "source", "incident_number", "created_by"])
    first = next((change for change in changes if field in change["changes"]["M"]), None)
    if first:
        first["changes"]["M"][field]["M"]["from"] = FORGED
    else:
        incident[field] = FORGED


def _pretended_conversion(_: Random, incident: Item, changes: list[Item]) -> None:
    """Forge a first value, and append a change that begins a chain with the forged values, as after a conversion."""
    last = stored_form.to_change(changes[-1])
    if last.hash is None:
        raise ValueError("the next change rightly begins a chain")
    incident["title"], incident["version"] = FORGED, {"N": str(last.version + 1)}
    values = stored_form.to_incident(incident).incident
    state_hash = wire_form.state_hash(values)
    change = Change(last.version + 1, last.at, last.by, "updated", {}, nonce="0" * 32, state_hash=state_hash)
    own = wire_form.change_hash(values["tenant_id"], values["id"], change, last.hash)
    changes.append(stored_form.from_change(values, change._replace(hash=own)))
    incident |= stored_form.chain_head(change._replace(hash=own))


def _appended(_: Random, incident: Item, changes: list[Item]) -> None:
    """Append a change that fits the chain, and leave the incident as it is."""
    last = stored_form.to_change(changes[-1])
    if last.hash is None:
        raise ValueError("the next change begins a chain")
    values = stored_form.to_incident(incident).incident
    change = Change(last.version + 1, last.at, "mallory", "updated", {}, nonce="0" * 32)
    own = wire_form.change_hash(values["tenant_id"], values["id"], change, last.hash)
    changes.append(stored_form.from_change(values, change._replace(hash=own)))


def _set(name: str, value: Item) -> Damage:
    return lambda random, _, changes: random.choice(changes).update({name: value})


DAMAGES: dict[str, Damage] = {
    "a changed value": _other_value,
    "another author": _set("by", FORGED),
    "another time": _set("at", {"S": "2026-01-01T00:00:00.000Z"}),
    "another action": _other_action,
    "another nonce": _set("nonce", {"S": "0" * 32}),
    "another hash": _set("hash", {"S": "0" * 64}),
    "evidence that was never there": _set("evidence", {"S": "0" * 64}),
    "no hash": lambda random, _, changes: random.choice(changes).pop("hash"),
    "a removed change": _removed,
    "an added change": _added,
    "an appended change": _appended,
    "swapped changes": _swapped,
    "another first value": _other_first_value,
    "a pretended conversion": _pretended_conversion,
    "another end of the chain": lambda random, incident, changes: incident.update(
        stored_form.chain_head(stored_form.to_change(random.choice(changes))._replace(hash="0" * 64))
    ),
}


def missed(random: Random, incident: Item, changes: list[Item]) -> tuple[list[str], int]:
    """Falsify a history in each possible way. Return the damages that its hashes do not show, and the number of tries.

    ``changes`` are oldest first.
    """
    tenant_id, incident_id = incident["tenant_id"]["S"], incident["id"]["S"]
    tried, unseen = 0, []
    for name, damage in DAMAGES.items():
        forged, trail = deepcopy(incident), deepcopy(changes)
        try:
            damage(random, forged, trail)
        except (IndexError, ValueError):
            continue  # the trail is too short for this damage
        tried += 1
        history = trails.history(tenant_id, incident_id, trail)
        stored = stored_form.to_incident(forged).incident
        wrong = [*history.wrong, *trails.of_chains(stored, forged, history)]
        if not any(one.rule in ("chain", "state") and one.subject == incident_id for one in wrong):
            unseen.append(f"{incident_id}: {name}")
    return unseen, tried
