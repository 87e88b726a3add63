"""The regimes of a tenant: the rules of this release, the tenant's own rules, and the switches in its settings.

A tenant's settings ``deadlines`` are data, which ``parse`` checks. The rules of a tenant have the form of
``rules.v1.schema.json``. `incidents deadlines settings set` checks the rules against this schema.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from . import calendars
from .alerts import APPROACHING

Rule = Mapping[str, Any]
"""One regime, or one of its stages, in the form of ``rules.json``."""

ON, OFF = "on", "off"
CONFIRMED = ("primary", "official")
"""A stage with one of these sources is on by default: the text of the act, or guidance of the authority."""

UNITS = ("minute", "hour", "day", "month", "business_day", "day_after_year_end")
MOST_UNITS = 10_000
MOST_WORKING_DAYS = 1_000
OWN_REGIMES, STAGES, READINGS = 100, 20, 8
"""The most own regimes of a tenant, the most stages of a regime, and the most other readings of a stage."""
STAGES_IN_ALL, WORKING_DAYS_IN_ALL = 400, 20_000
"""The most stages of all own regimes, and the most working days of all their terms.

An answer takes longer with each stage and with each working day. With the most of both, the own rules take about 0.1 s
of a full processor.
"""

UNREADABLE = "the tenant's own rule cannot be read: {}"
NOT_OF_THE_FORM = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""The errors of code that reads a rule in a wrong form. `incidents deadlines settings set` checks the entire form."""

_ID, _NAME = re.compile("[a-z0-9][a-z0-9-]{0,63}"), re.compile("[a-z][a-z0-9_]{0,63}")
_START = re.compile("stage:[a-z0-9_]{1,64}(:latest)?|[a-z][a-z0-9_]{0,63}")
_END_OF_DATE = re.compile("end_of_day|([01][0-9]|2[0-3]):[0-5][0-9]")
_MEMBERS = ("zone", "member_state", "facts", "regimes", "rules", "alerts")


class Settings(NamedTuple):
    """A tenant's settings for deadlines. ``facts`` are of the entity. ``regimes`` has ``on`` or ``off`` by id.

    Only ``read`` fills ``unread`` and ``unknown``. For each of the tenant's rules that cannot be read, ``unread`` has
    the reason under the rule's names. ``unknown`` has a sentence for each other setting that this release does not
    know. ``version`` is the version of the stored settings, or None if nothing is stored.

    ``alerts`` has the kinds of ``alerts.APPROACHING`` that the tenant wants. The service always announces a missed
    deadline.
    """

    zone: str | None = None
    member_state: str | None = None
    facts: Mapping[str, Any] = {}
    regimes: Mapping[str, str] = {}
    rules: Sequence[Rule] = ()
    alerts: Sequence[str] = APPROACHING
    unread: Mapping[str, str] = {}
    unknown: Sequence[str] = ()
    version: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the settings as they are stored."""
        lists = {"rules": [*self.rules], "alerts": [*self.alerts]}
        return {name: getattr(self, name) for name in _MEMBERS} | lists


class Regimes:
    """The regimes that a tenant's incidents can name: the regimes of this release, and the tenant's own regimes."""

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

    def is_own(self, regime: Rule) -> bool:
        """Return whether a regime is one of the tenant's own rules."""
        return regime["id"] in self._own

    def why_off(self, regime: Rule, stage: Rule) -> str | None:
        """Return the reason, in words, why a stage is off. Return None if the stage is on.

        A stage is on by default if its regime is in force, and if the stage was read in the act or in official
        guidance. But the tenant's settings take precedence. A tenant's own rules need no confirmation.
        """
        if (switch := self._switches.get(regime["id"])) is not None:
            return None if switch == ON else "the tenant's settings switch the regime off"
        is_own = self.is_own(regime)
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
    """Return a tenant's settings from their JSON value. Raises ValueError with a text that says what would be right."""
    if not isinstance(value, dict) or (unknown := sorted({*value} - {*_MEMBERS})):
        what = f"; {unknown[0]} is not one of them" if isinstance(value, dict) else ""
        raise ValueError(f"the settings must be an object with only the members {', '.join(_MEMBERS)}{what}")
    zone, state = value.get("zone"), value.get("member_state")
    if zone is not None:
        check_zone(zone, "zone")
    if state is not None and not calendars.is_member_state(state):
        raise ValueError(f"member_state must be null or one of {', '.join(calendars.member_states())}")
    facts, switches, own = value.get("facts", {}), value.get("regimes", {}), value.get("rules", [])
    for fact, known in facts.items() if isinstance(facts, dict) else [("facts", None)]:
        if fact != "dora_exempt" or not isinstance(known, bool):
            raise ValueError("`facts` must be an object with only `dora_exempt`, which is true or false")
    if not isinstance(own, list):
        raise ValueError("`rules` must be a list of regimes")
    check_own(own)
    ids = {regime["id"] for regime in (*own, *released()["regimes"])}
    for regime_id, switch in switches.items() if isinstance(switches, dict) else [("regimes", None)]:
        if regime_id not in ids or switch not in (ON, OFF):
            raise ValueError(f'`regimes` must be an object with "on" or "off" for each regime; correct {regime_id}')
    wanted = value.get("alerts", APPROACHING)
    if "alerts" in value and (not isinstance(wanted, list) or any(kind not in APPROACHING for kind in wanted)):
        raise ValueError(f"`alerts` must be a list of kinds of alerts. The kinds are {', '.join(APPROACHING)}")
    return Settings(zone, state, facts, switches, own, wanted)


def read(value: object) -> Settings:
    """Return a tenant's stored settings. ``unread`` and ``unknown`` name the settings that cannot be used.

    A setting may be unknown because another release stored it. A tenant's rule cannot be used, for example, if this
    release has a regime with the same name.
    """
    if not isinstance(value, dict):
        return Settings(unknown=(_unknown_setting("settings"),))
    unknown = [_unknown_setting(name) for name in sorted({*value} - {*_MEMBERS})]
    known: dict[str, Any] = {}
    for name in ("zone", "member_state", "facts", "alerts"):
        try:
            known[name] = getattr(parse({name: value[name]} if name in value else {}), name)
        except ValueError:
            unknown.append(_unknown_setting(name))
    switches, stored = value.get("regimes", {}), value.get("rules", [])
    if not isinstance(switches, dict) or any(switch not in (ON, OFF) for switch in switches.values()):
        unknown.append(_unknown_setting("regimes"))
    known["regimes"] = {
        name: switch for name, switch in (switches.items() if isinstance(switches, dict) else ()) if switch in (ON, OFF)
    }
    own: list[Rule] = []
    unread: dict[str, str] = {}
    if not isinstance(stored, list):
        unknown.append(_unknown_setting("rules"))
    taken = _released_names()
    for place, regime in enumerate(stored if isinstance(stored, list) else ()):
        try:
            taken |= _check_regime(regime, taken, len(own))
            own.append(regime)
        except NOT_OF_THE_FORM as error:
            # Only a ValueError of this module has a text that describes a valid rule.
            fault = str(error) if type(error) is ValueError else "it does not have the form of this release"
            unread |= dict.fromkeys(_names(regime), UNREADABLE.format(fault))
            unknown += [] if _names(regime) else [_unknown_setting(f"rules[{place}]")]
    return Settings(**known, rules=own, unread=unread, unknown=unknown)


def _unknown_setting(name: str) -> str:
    return f"The tenant's setting `{name}` is not known to this release, so the service ignores it."


def _names(regime: object) -> list[str]:
    """Return the names of a rule in lower case, for a comparison. The rule may have any form."""
    if not isinstance(regime, dict):
        return []
    aliases = regime.get("aliases")
    names = [regime.get("id"), *(aliases if isinstance(aliases, list) else ())]
    return [name.strip().casefold() for name in names if isinstance(name, str)]


def check_own(own: Sequence[Any]) -> None:
    """Raise ValueError if the names, anchors, zones or stages of a tenant's own rules contradict each other.

    The caller has already checked the form of each rule against the schema.
    """
    taken = _released_names()
    for place, regime in enumerate(own):
        taken |= _check_regime(regime, taken, place)
    stages = [stage for regime in own for stage in regime["stages"]]
    if len(stages) > STAGES_IN_ALL:
        raise ValueError(f"`rules` must have at most {STAGES_IN_ALL} stages, all regimes together, not {len(stages)}")
    terms = [term for stage in stages for term in _terms(stage)]
    days = sum(term["n"] for term in terms if term["unit"] == "business_day")
    if days > WORKING_DAYS_IN_ALL:
        raise ValueError(
            f"`rules` must have at most {WORKING_DAYS_IN_ALL} working days, all terms together, not {days}"
        )


@cache
def _released_names() -> frozenset[str]:
    """Return the ids and the aliases of this release's regimes, in lower case."""
    return frozenset(name.casefold() for regime in released()["regimes"] for name in (regime["id"], *regime["aliases"]))


def _check_regime(regime: Any, taken: frozenset[str], before: int) -> frozenset[str]:
    """Check a tenant's own regime, and return its id and its aliases in lower case. Raises ValueError.

    ``taken`` has the names of the other regimes. ``before`` is the number of the tenant's own regimes before this one.
    """
    if before >= OWN_REGIMES:
        raise ValueError(f"`rules` must have at most {OWN_REGIMES} regimes")
    if not _ID.fullmatch(regime["id"]):
        raise ValueError(f"rules: the `id` of a regime must have only a-z, 0-9 and -, not {regime['id']!r}")
    if odd := [alias for alias in regime["aliases"] if not alias or alias != alias.strip()]:
        raise ValueError(f"rules: {regime['id']} must have `aliases` without spaces at their ends, not {odd[0]!r}")
    names = frozenset(name.casefold() for name in (regime["id"], *regime["aliases"]))
    if both := names & taken:
        raise ValueError(f"rules: the name {min(both)} is taken by another regime")
    if regime["zone"] != "entity":
        check_zone(regime["zone"], f"rules: zone of {regime['id']}")
    if regime["calendar"] not in ("entity", "none") and calendars.named(regime["calendar"]) is None:
        raise ValueError(f"rules: {regime['id']} names the calendar {regime['calendar']}, which does not exist")
    if len(regime["stages"]) > STAGES:
        raise ValueError(f"rules: {regime['id']} must have at most {STAGES} stages")
    earlier: set[str] = set()
    for stage in regime["stages"]:
        if not _NAME.fullmatch(stage["id"]):
            raise ValueError(
                f"rules: the stages of {regime['id']} must have an `id` from a-z, 0-9 and _, not {stage['id']!r}"
            )
        if stage["id"] in earlier:
            raise ValueError(f"rules: {regime['id']} names the stage {stage['id']} twice")
        _check_stage(stage, earlier, f"rules: {regime['id']}/{stage['id']}")
        earlier.add(stage["id"])
    return names


def _check_stage(stage: Rule, before: set[str], name: str) -> None:
    """Raise ValueError if the parts of a stage contradict each other. ``before`` has the ids of the earlier stages."""
    since, until = stage.get("effective_from"), stage.get("effective_to")
    for day in (since, until):
        _check_date(day, name)
    if since is not None and until is not None and until < since:
        raise ValueError(f"{name} must have an `effective_to` that is not before its `effective_from`")
    readings = stage.get("readings", ())
    if len(readings) > READINGS:
        raise ValueError(f"{name} must have at most {READINGS} readings")
    terms = _terms(stage)
    if terms and stage["due"]["from"] != stage["anchor"]:
        raise ValueError(f"{name} must name the same event in `anchor` and in `due.from`")
    for start in (
        stage["anchor"],
        *(term["from"] for term in terms),
        *(term["cap"]["from"] for term in terms if "cap" in term),
    ):
        if not _START.fullmatch(start):
            raise ValueError(
                f"{name} names {start!r}. It must name an event (with only a-z, 0-9 and _) or an earlier stage"
            )
        if start.startswith("stage:") and start.split(":")[1] not in before:
            raise ValueError(f"{name} must name an earlier stage, not {start}")
    for term in terms:
        _check_term(term, name)


def _terms(stage: Rule) -> list[Rule]:
    """Return the term of a stage and its other readings, or an empty list if the stage has no term."""
    due = stage["due"]
    return [due, *({**due, **reading} for reading in stage.get("readings", ()))] if due else []


def _check_term(term: Rule, name: str) -> None:
    """Raise ValueError if a term does not have the schema's form. Readings must be merged into ``due`` before."""
    for n in (term["n"], term.get("cap", {}).get("n", 1)):
        if type(n) is not int or not 1 <= n <= MOST_UNITS:
            raise ValueError(f"{name} must have a whole number from 1 to {MOST_UNITS} as `n`, such as 3, not {n}")
    if term["unit"] == "business_day" and term["n"] > MOST_WORKING_DAYS:
        raise ValueError(f"{name} must have at most {MOST_WORKING_DAYS} working days, not {term['n']}")
    unit, end, roll = term["unit"], term["end"], term.get("roll")
    if unit not in UNITS:
        raise ValueError(f"{name} must have one of the units {', '.join(UNITS)}, not {unit}")
    if unit in ("minute", "hour"):
        if end not in ("instant", "next_hour"):
            ends = "instant or next_hour"
            raise ValueError(f"{name} has a term of minutes or hours, so `end` must be {ends}, not {end}")
        if roll not in (None, "dora_noon", "dora_noon_all"):
            rolls = "dora_noon or dora_noon_all"
            raise ValueError(f"{name} has a term of minutes or hours, so roll must be {rolls}, not {roll}")
    else:
        if not _END_OF_DATE.fullmatch(end):
            raise ValueError(f"{name} has a term of dates, so `end` must be end_of_day or a time like 17:00, not {end}")
        if "cap" in term:
            raise ValueError(f"{name} has a term of dates, so it must not have a `cap`")


def _check_date(text: object, name: str) -> None:
    """Raise ValueError if a value is neither None nor a date such as 2026-01-31."""
    try:
        is_date = text is None or (isinstance(text, str) and date.fromisoformat(text).isoformat() == text)
    except ValueError:
        is_date = False
    if not is_date:
        raise ValueError(f"{name} must have dates such as 2026-01-31, or null, not {text!r}")


def check_zone(name: object, member: str) -> None:
    """Raise ValueError if there is no time zone of a name."""
    try:
        if not isinstance(name, str):
            raise ValueError
        calendars.zone(name)
    except (ValueError, KeyError, OSError):
        raise ValueError(f"{member} must be a time zone of the IANA database, like Europe/Paris") from None
