"""Convert items of older schema versions to the current form. Each step converts one version to the next.

An item is converted in memory when it is read. The next change of the incident stores the converted form. An item of a
newer version than this code's is not converted. This is safe, because newer versions only add attributes, and a change
keeps unknown attributes.

The filters of a list apply to the stored form. If a step changes a field that has a filter (as step 0 does), the filter
is reliable only after all old items are rewritten. A step that only adds a field needs no rewriting.
"""

from collections.abc import Callable
from typing import Any

Item = dict[str, Any]


def from_0(item: Item) -> Item:
    """Convert an item from version 0 to version 1, and return it.

    An item of version 0 has no schema_version. Its severity is in capitals, and its tags are one text with commas.
    """
    newer = item | {"schema_version": {"N": "1"}}
    if severity := item.get("severity"):
        newer["severity"] = {"S": severity["S"].lower()}
    if (tags := item.get("tags")) and "S" in tags:
        newer["tags"] = {"L": [{"S": tag.strip()} for tag in tags["S"].split(",") if tag.strip()]}
    return newer


STEPS: dict[int, Callable[[Item], Item]] = {0: from_0}


def upcast(item: Item) -> Item:
    """Return the item in the current schema version. The given item is not changed."""
    version = int(item["schema_version"]["N"]) if "schema_version" in item else 0
    while version in STEPS:
        item = STEPS[version](item)
        version += 1
    return item
