"""The regimes of a tenant: the rules of this release, the tenant's own rules, and what the tenant switches on or off.

A tenant's settings ``deadlines`` are data. ``parse`` checks them. The rules of a tenant have the form of
``rules.v1.schema.json``; `incidents deadlines settings set` checks them against it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from . import calendars

Rule = Mapping[str, Any]
"""One regime, or one of its stages, in the form of ``rules.json``."""

ON, OFF = "on", "off"
CONFIRMED = ("primary", "official")
"""The sources of a stage that is on by default: the text of the act, or guidance of the authority."""

_MEMBERS = ("zone", "member_state", "facts", "regimes", "rules")


class Settings(NamedTuple):
    """A tenant's settings for deadlines. ``facts`` are of the entity. ``regimes`` says ``on`` or ``off`` by id."""

    zone: str | None = None
    member_state: str | None = None
    facts: Mapping[str, Any] = {}
    regimes: Mapping[str, str] = {}
    rules: Sequence[Rule] = ()

    def to_json(self) -> dict[str, Any]:
        return {**self._asdict(), "rules": [*self.rules]}


class Regimes:
    """The regimes that a tenant's incidents can name: those of this release, and the tenant's own."""

    def __init__(self, settings: Settings) -> None:
        self._switches = settings.regimes
        self._own = {regime["id"] for regime in settings.rules}
        self._by_id = {regime["id"]: regime for regime in (*settings.rules, *released()["regimes"])}
        self._aliases = {
            name.casefold(): regime["id"]
            for regime in self._by_id.values()
            for name in (*regime["aliases"], regime["id"])
        }

    def find(self, name: str) -> Rule | None:
        """Return the regime of an id or an alias. Upper and lower case do not matter."""
        regime_id = name if name in self._by_id else self._aliases.get(name.strip().casefold())
        return None if regime_id is None else self._by_id[regime_id]

    def why_off(self, regime: Rule, stage: Rule) -> str | None:
        """Return why a stage is off, in words; None if it is on.

        A stage is on by default if its regime is in force, and if the stage was read in the act or in official
        guidance. The tenant's settings decide before that. A tenant's own rules need no confirmation.
        """
        if (switch := self._switches.get(regime["id"])) is not None:
            return None if switch == ON else "the tenant's settings switch the regime off"
        is_own = regime["id"] in self._own
        match regime["status"]:
            case "in_force":
                pass
            case "contract" if is_own:
                pass
            case "pending":
                return "the regime is pending: it is not in force, or not yet"
            case "repealed":
                return "the regime is repealed"
            case status:
                return f"the regime is not law ({status}); the tenant's settings can switch it on"
        if is_own or stage["source_kind"] in CONFIRMED:
            return None
        return "the rule is unconfirmed: it was not read in the act or in official guidance"


@cache
def released() -> dict[str, Any]:
    """Return the rules of this release."""
    rules: dict[str, Any] = json.loads(Path(__file__).with_name("rules.json").read_text())
    return rules


def is_in_force(stage: Rule, day: date) -> bool:
    """Return whether a stage is in force on a local date (A12)."""
    text = day.isoformat()
    return (stage.get("effective_from") or "") <= text <= (stage.get("effective_to") or "9999-12-31")


def parse(value: object) -> Settings:
    """Return a tenant's settings from their JSON value. Raises ValueError, whose text says what would be right."""
    if not isinstance(value, dict) or (unknown := sorted({*value} - {*_MEMBERS})):
        what = f"; {unknown[0]} is not one of them" if isinstance(value, dict) else ""
        raise ValueError(f"the settings must be an object with only the members {', '.join(_MEMBERS)}{what}")
    zone, state = value.get("zone"), value.get("member_state")
    if zone is not None:
        check_zone(zone, "zone")
    if state is not None and state not in calendars.member_states():
        raise ValueError(f"member_state must be null or one of {', '.join(calendars.member_states())}")
    facts, switches, own = value.get("facts", {}), value.get("regimes", {}), value.get("rules", [])
    for fact, known in facts.items() if isinstance(facts, dict) else [("facts", None)]:
        if fact != "dora_exempt" or not isinstance(known, bool):
            raise ValueError("facts must be an object with only dora_exempt, which is true or false")
    if not isinstance(own, list):
        raise ValueError("rules must be a list of regimes")
    check_own(own)
    ids = {regime["id"] for regime in (*own, *released()["regimes"])}
    for regime_id, switch in switches.items() if isinstance(switches, dict) else [("regimes", None)]:
        if regime_id not in ids or switch not in (ON, OFF):
            raise ValueError(f"regimes must be an object of regime and on or off; {regime_id} is not right")
    return Settings(zone, state, facts, switches, own)


def check_own(own: Sequence[Any]) -> None:
    """Raise ValueError if a tenant's own rules do not fit together: names, anchors, zones, the order of stages.

    The form of each rule was checked before, against the schema.
    """
    taken = {name.casefold() for regime in released()["regimes"] for name in (regime["id"], *regime["aliases"])}
    for regime in own:
        names = {name.casefold() for name in (regime["id"], *regime["aliases"])}
        if both := names & taken:
            raise ValueError(f"rules: the name {min(both)} is taken by another regime")
        taken |= names
        if regime["zone"] != "entity":
            check_zone(regime["zone"], f"rules: zone of {regime['id']}")
        if regime["calendar"] not in ("entity", "none") and calendars.named(regime["calendar"]) is None:
            raise ValueError(f"rules: {regime['id']} names the calendar {regime['calendar']}, which does not exist")
        before: set[str] = set()
        for stage in regime["stages"]:
            terms = [stage["due"], *stage.get("readings", ())] if stage["due"] else []
            for term in terms:
                start = term.get("from", "")
                if start.startswith("stage:") and start.split(":")[1] not in before:
                    raise ValueError(f"rules: {regime['id']}/{stage['id']} must name an earlier stage, not {start}")
            if stage["id"] in before:
                raise ValueError(f"rules: {regime['id']} names the stage {stage['id']} twice")
            before.add(stage["id"])


def check_zone(name: object, member: str) -> None:
    """Raise ValueError if there is no time zone of a name."""
    try:
        if not isinstance(name, str):
            raise ValueError
        calendars.zone(name)
    except (ValueError, KeyError, OSError):
        raise ValueError(f"{member} must be a time zone of the IANA database, like Europe/Paris") from None
