"""Generate a table from the rules of the deadlines. It has the names that reports to regulators may use.

A function that writes incidents loads only this small table. It does not load the rules and their arithmetic.
"""

import json

from incidents.domain.deadlines import calendars, rules
from incidents.domain.deadlines.arithmetic import DORA_EXEMPT
from incidents.domain.reports import names_of

from ..local.local_stack import CHECKOUT

FILE = CHECKOUT / "functions" / "incidents" / "domain" / "report_names.py"


def text() -> str:
    """Return the module's text: one line for each regime."""
    lines = []
    for regime in rules.released()["regimes"]:
        names = names_of(regime)
        others = [stage for stage in names.stages if stage not in names.to_regulators]
        texts = " ".join(names.anchors), " ".join(names.stages), "|".join(names.aliases), " ".join(others)
        lines.append(f'    "{regime["id"]}": ({", ".join(map(json.dumps, texts))}),\n')
    states = " ".join(calendars.member_states())
    head = "The names that ``regulatory_reports`` may use. `incidents openapi` generates this module from the rules."
    return f'''"""{head}"""

# fmt: off
# ruff: noqa: E501, SIM905
RULES_VERSION = "{rules.released()["rules_version"]}"
FACTS = ("member_state", "{DORA_EXEMPT}")
MEMBER_STATES = (
    "{states}"
).split()
_NAMES = {{
{"".join(lines)}}}
REGIMES = {{
    regime: (
        tuple(anchors.split()), tuple(stages.split()), tuple(aliases.split("|")),
        tuple(stage for stage in stages.split() if stage not in others.split()),
    )
    for regime, (anchors, stages, aliases, others) in _NAMES.items()
}}
"""The anchors, the stages, the aliases, and the stages that go to a regulator, of each regime."""
'''
