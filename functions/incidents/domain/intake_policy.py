"""Decide which findings become incidents. A tenant's settings are data; this module checks them and applies them.

Every finding has one of these kinds:

``detection``      somebody or something attacks: a tool saw it happen
``exposure``       data or a service that is live can be reached by people who should not reach it
``posture``        a control, a configuration or a benchmark is not met
``vulnerability``  software has a known weakness
``notice``         an announcement, such as a planned maintenance
``alarm``          a measured value is outside its limits, or a service of AWS does not work

Without settings, detections, exposures and alarms become incidents. All other findings are only counted.
"""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple, get_args

from . import model

Kind = Literal["detection", "exposure", "posture", "vulnerability", "notice", "alarm"]
Reason = Literal[
    "detection", "exposure", "posture", "vulnerability", "notice", "alarm", "left_out", "below_severity"
]  # fmt: skip
"""The reasons against an incident: the kind is not wanted, a pattern excludes it, or the severity is too low."""

KINDS: tuple[Kind, ...] = get_args(Kind)
PATTERNS, PATTERN_CHARACTERS = 100, 256
ANY_SEVERITY = model.SEVERITIES[-1]

_PATTERN = re.compile(r"[!-~]([ -~]*[!-~])?")
_MEMBERS = ("kinds", "let_in", "leave_out")


class Policy(NamedTuple):
    """The findings that become incidents of a tenant: by kind, severity, and patterns of products and types.

    ``kinds`` maps each kind that becomes incidents to its lowest severity. ``let_in`` and ``leave_out`` are patterns
    such as ``prowler.*`` or ``Recon:EC2/*``. ``is_default`` is true for a tenant without settings.
    """

    kinds: Mapping[str, str]
    let_in: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    is_default: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the policy as the JSON object that ``parse`` reads."""
        return {"kinds": dict(self.kinds), "let_in": list(self.let_in), "leave_out": list(self.leave_out)}


DEFAULT = Policy(dict.fromkeys(("detection", "exposure", "alarm"), ANY_SEVERITY), is_default=True)


class Decision(NamedTuple):
    """Whether a finding becomes an incident. If not, ``reason`` is set. ``rule`` describes the rule that decided."""

    reason: Reason | None
    rule: str


class Facts(NamedTuple):
    """The facts of a finding that the policy uses. ``names`` has the finding's types and the name of its control."""

    kind: Kind
    severity: str | None
    source: str
    names: tuple[str, ...]
    by_hand: bool
    exploited: bool


def decide(policy: Policy, facts: Facts, enabled: Iterable[str] = ()) -> Decision:
    """Return whether a finding becomes an incident. The first rule that applies decides.

    ``enabled`` are the sources of the stack's parameter EnabledSources. For a tenant without settings, critical
    vulnerabilities from these sources also become incidents if an exploit exists.
    """
    names = (facts.source, *facts.names)
    if facts.by_hand:
        return Decision(None, "a person sent the finding by hand")
    if pattern := _matching(policy.leave_out, names):
        return Decision("left_out", f"the tenant's settings leave out {pattern}")
    if pattern := _matching(policy.let_in, names):
        return Decision(None, f"the tenant's settings let in {pattern}")
    is_pressing = facts.kind == "vulnerability" and facts.severity == "critical" and facts.exploited
    if policy.is_default and is_pressing and facts.source in enabled:
        return Decision(None, "EnabledSources names the source, and a critical vulnerability has an exploit")
    lowest = policy.kinds.get(facts.kind)
    whose = "by default" if policy.is_default else "in the tenant's settings"
    if lowest is None:
        return Decision(facts.kind, f"the kind {facts.kind} is not taken {whose}")
    if not _reaches(facts.severity, lowest):
        actual = facts.severity or "unknown"
        return Decision("below_severity", f"the severity is {actual}; {facts.kind} is taken from {lowest} {whose}")
    return Decision(None, f"the kind {facts.kind} is taken {whose}")


def parse(value: Any) -> Policy:
    """Return the policy in a JSON value.

    Raises ValueError, whose text names the wrong member and describes a correct value.
    """
    if not isinstance(value, Mapping) or set(value) - set(_MEMBERS):
        raise ValueError(f"the settings must be an object with only the members {', '.join(_MEMBERS)}")
    kinds = value.get("kinds", DEFAULT.kinds)
    if not isinstance(kinds, Mapping):
        raise ValueError("`kinds` must be an object that has the lowest severity for each kind that becomes incidents")
    for kind, lowest in kinds.items():
        if kind not in KINDS:
            raise ValueError(f"`kinds` must name only {', '.join(KINDS)}, not {kind!r}")
        if lowest not in model.SEVERITIES:
            raise ValueError(f"kinds.{kind} must be one of {', '.join(model.SEVERITIES)}")
    return Policy(
        {kind: kinds[kind] for kind in KINDS if kind in kinds},
        _patterns("let_in", value.get("let_in", ())),
        _patterns("leave_out", value.get("leave_out", ())),
    )


def _patterns(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > PATTERNS:
        raise ValueError(f"{name} must be a list of at most {PATTERNS} patterns")
    for pattern in value:
        if not isinstance(pattern, str) or not _PATTERN.fullmatch(pattern) or len(pattern) > PATTERN_CHARACTERS:
            raise ValueError(
                f"{name} must hold only patterns of 1 to {PATTERN_CHARACTERS} printable ASCII characters, with no "
                "space at their ends"
            )
    return tuple(dict.fromkeys(value))


def _matching(patterns: Iterable[str], names: Iterable[str]) -> str | None:
    return next((pattern for pattern in patterns if any(fnmatchcase(name, pattern) for name in names)), None)


def _reaches(severity: str | None, lowest: str) -> bool:
    """Return whether a severity is at least ``lowest``. An unknown severity reaches only the lowest severity of all."""
    if severity not in model.SEVERITIES:
        return lowest == ANY_SEVERITY
    return model.SEVERITIES.index(severity) <= model.SEVERITIES.index(lowest)
