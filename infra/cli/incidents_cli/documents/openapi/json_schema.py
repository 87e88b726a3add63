"""The parts of JSON Schema that the other modules use."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

TIMESTAMP: Schema = {"type": "string", "format": "date-time"}


def reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def object_with(properties: Mapping[str, Schema], *, optional: frozenset[str] = frozenset(), **more: Any) -> Schema:
    """Return the schema of an object. It must have all properties that are not ``optional``."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": dict(properties), **more}
