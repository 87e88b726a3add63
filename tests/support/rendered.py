"""Makes variants of the templates without conditions, for the linters.

In each variant, every condition is replaced with true or false, as CloudFormation would do.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support import templates

PATHS = [templates.CHECKOUT / "template.yaml", *sorted((templates.CHECKOUT / "infra").glob("*.yaml"))]
KEYLESS = "-keyless"  # the end of the file's name if the template has no customer's key
_NOTHING = {"Ref": "AWS::NoValue"}
_SKIPPED = re.compile(r"^    # checkov:skip=(\w+):(.*)$", re.MULTILINE)


def every_way(path: Path) -> Iterator[tuple[dict[str, bool], dict[str, Any]]]:
    """Yield up to four variants of a template: the values of its conditions, and the template without conditions.

    The variants have all conditions true, none true, every second one true, and only the other ones true.
    """
    conditions = templates.read(path).get("Conditions", {})
    own = [name for name, rule in conditions.items() if "Condition" not in json.dumps(rule)]
    seen: list[set[str]] = []
    for true in (set(own), set[str](), set(own[::2]), set(own[1::2])):
        if true not in seen:
            seen.append(true)
            truth = {one: _holds(conditions[one], conditions, true, one) for one in conditions}
            yield truth, render(path, truth)


def write(folder: Path) -> list[Path]:
    """Write every variant of every template for the linters, and return the files."""
    files = []
    for path in PATHS:
        for n, (truth, template) in enumerate(every_way(path)):
            key = "" if truth.get("HasKmsKey", True) else KEYLESS
            files.append(folder / f"{path.stem}-{n}{key}.json")
            files[-1].write_text(json.dumps(_without_false_alarms(template)))
    return files


def _without_false_alarms(template: dict[str, Any]) -> dict[str, Any]:
    """Turn off cfn-lint's check W2001 in a template, and return the template.

    W2001 reports unused parameters. If only a condition uses a parameter, a variant without conditions does not use it.
    """
    told = template.setdefault("Metadata", {}).setdefault("cfn-lint", {}).setdefault("config", {})
    told["ignore_checks"] = [*told.get("ignore_checks", []), "W2001"]
    return template


def render(path: Path, truth: dict[str, bool]) -> dict[str, Any]:
    """Return a template without conditions.

    checkov's waivers move from comments to metadata, because checkov reads only the metadata of such a file.
    """
    template = templates.read(path)
    text = path.read_text()
    for section in ("Resources", "Outputs"):
        for name, one in list(template.get(section, {}).items()):
            if not truth.get(one.pop("Condition", ""), True):
                del template[section][name]
    for name, resource in template["Resources"].items():
        block = re.search(rf"^  {name}:\n(?:(?:    .*)?\n)*", text, re.MULTILINE)
        assert block is not None
        if waived := [{"id": one, "comment": why} for one, why in _SKIPPED.findall(block[0])]:
            resource["Metadata"] = resource.get("Metadata", {}) | {"checkov": {"skip": waived}}
        if "Location" in resource["Properties"]:
            resource["Properties"]["Location"] = str(path.parent / resource["Properties"]["Location"])
    for parameter in template["Parameters"].values():
        if parameter.get("Default") == "":  # the condition is true only if a user sets the parameter
            del parameter["Default"]
    template.pop("Conditions", None)
    decided: dict[str, Any] = decide(template, truth)
    return decided


def _holds(rule: Any, conditions: dict[str, Any], true: set[str], name: str = "") -> bool:
    if name in true:
        return True
    match rule:
        case {"Fn::Or": parts}:
            return any(_holds(part, conditions, true) for part in parts)
        case {"Condition": other}:
            return _holds(conditions[other], conditions, true, other)
    return False


def decide(value: Any, truth: dict[str, bool]) -> Any:
    """Return a part of a template with its conditions decided. AWS::NoValue removes a list's item or a member."""
    match value:
        case {"Fn::If": [condition, then, otherwise]}:
            return decide(then if truth[condition] else otherwise, truth)
        case dict():
            members = {name: decide(member, truth) for name, member in value.items()}
            return {name: member for name, member in members.items() if member != _NOTHING}
        case list():
            return [member for one in value if (member := decide(one, truth)) != _NOTHING]
    return value
