"""Older documents, read by newer code: one step a schema version, each from its number to the next.

A list's filters look at what is stored. So a step that changes a field which lists filter by (as 0 does) needs the old
documents written anew before such a filter can be relied on; a step that only adds does not.

Reading upcasts; the next change of the incident stores what was upcast. A document of a newer version than this code's
is read as it is: newer versions only add, and what this code does not know survives its changes.
"""

from collections.abc import Callable
from typing import Any

Item = dict[str, Any]


def from_0(item: Item) -> Item:
    """Version 0 had no schema_version, wrote severities in capitals and kept tags in one text, separated by commas."""
    newer = item | {"schema_version": {"N": "1"}}
    if severity := item.get("severity"):
        newer["severity"] = {"S": severity["S"].lower()}
    if (tags := item.get("tags")) and "S" in tags:
        newer["tags"] = {"L": [{"S": tag.strip()} for tag in tags["S"].split(",") if tag.strip()]}
    return newer


STEPS: dict[int, Callable[[Item], Item]] = {0: from_0}


def upcast(item: Item) -> Item:
    """Return the item in the form of this code's schema version; the one given is not changed."""
    version = int(item["schema_version"]["N"]) if "schema_version" in item else 0
    while version in STEPS:
        item = STEPS[version](item)
        version += 1
    return item
