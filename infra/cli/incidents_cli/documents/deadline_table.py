"""Generate the table of the regimes in docs/deadlines.md from the rules."""

from collections.abc import Mapping
from typing import Any

from incidents.domain.deadlines import rules

_UNITS = {"minute": "min", "hour": "h", "day": "days", "month": "months", "business_day": "working days"}
HEAD = "| regime, names | stage: term | source of the rule |\n|---|---|---|"


def table() -> str:
    """Return the table. A row has a regime with its stages. ``off`` marks a stage that is off by default."""
    rows = [HEAD]
    for regime in rules.released()["regimes"]:
        names = ", ".join(f"`{name}`" for name in regime["aliases"])
        lines = "<br>".join(
            f"`{stage['id']}`{_where(stage)}: {_term(stage)}. {_in_table(stage['citation'])}"
            for stage in regime["stages"]
        )
        kinds = "<br>".join(_kind(regime, stage) for stage in regime["stages"])
        rows.append(f"| `{regime['id']}`<br>{names} | {lines} | {kinds} |")
    return "\n".join(rows)


def _term(stage: Mapping[str, Any]) -> str:
    term = stage["due"]
    if term is None:
        return f'"{stage.get("qualitative", "no fixed term")}" (anchor: {_anchor(stage["anchor"])})'
    if term["unit"] == "day_after_year_end":
        return f"{term['n']} days after the end of the year of {_anchor(term['from'])}"
    unit = _UNITS[term["unit"]]
    unit = unit.removesuffix("s") if term["n"] == 1 else unit
    cap = f", at most {term['cap']['n']} h after {_anchor(term['cap']['from'])}" if "cap" in term else ""
    return f"{term['n']} {unit} after {_anchor(term['from'])}{cap}"


def _where(stage: Mapping[str, Any]) -> str:
    states = ", ".join(stage.get("member_states", ()))
    return f" (only {states})" if states else ""


def _anchor(name: str) -> str:
    stage = name.removeprefix("stage:").removesuffix(":latest")
    return f"`{name}`" if stage == name else f"the submission of `{stage}`"


def _kind(regime: Mapping[str, Any], stage: Mapping[str, Any]) -> str:
    off = rules.Regimes(rules.Settings()).why_off(regime, stage)
    status = "" if regime["status"] == "in_force" else f"{regime['status']}, "
    return f"{status}{stage['source_kind']}{', off' if off else ''}"


def _in_table(text: str) -> str:
    return text.replace("|", "/")
