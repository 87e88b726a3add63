"""Convert items of older schema versions to the current form. Each step converts one version to the next.

Reading an item converts it in memory. The next change of the incident stores the converted form. An item of a newer
version than this code's is read as it is: newer versions only add attributes, and a change keeps unknown attributes.

A list's filters apply to the stored form. So if a step changes a field that lists filter by (as step 0 does), the old
items must be rewritten before such a filter is reliable. A step that only adds a field does not need this.
"""

from collections.abc import Callable
from typing import Any

Item = dict[str, Any]


def from_0(item: Item) -> Item:
    """Return an item of version 0 in version 1.

    Version 0 has no schema_version, severities in capitals, and all tags in one text, separated by commas.
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
