"""The paths of a mapping: JMESPath without functions (https://jmespath.org/specification.html), in counted steps.

The time for a path grows with the size of the event and with the length of the path. So a path and a mapping have
limits, and all paths together may take only so many steps in one event. The steps are counted, so the same event always
has the same result.
"""

import json
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter

from .nodes import MalformedEvent, Node

CHARACTERS, PARTS, FILTERS = 256, 60, 4  # the limits of one path
STEPS = 200_000  # of all paths in one event
_CHARACTERS_OF_A_STEP = 100

# What a path may consist of.
_PARTS = {
    "field", "subexpression", "index_expression", "index", "projection", "value_projection", "filter_projection",
    "flatten", "comparator", "literal", "or_expression", "and_expression", "not_expression", "identity", "current",
}  # fmt: skip


class TooManySteps(MalformedEvent):
    """The paths take more steps in the event than one event may take."""


class PathReader:
    """Reads an event at the paths of a mapping. Raises TooManySteps if all calls together take more than ``steps``."""

    def __init__(self, event: Any, mapping: str, steps: float = STEPS) -> None:
        self._event = event
        self._interpreter = _CountingInterpreter(mapping, steps)

    def search(self, path: str) -> Any:
        """Return what the event has at a path; None if the path does not fit the types of the event."""
        try:
            return self._interpreter.visit(jmespath.compile(path).parsed, self._event)
        except (JMESPathError, TypeError, ValueError, RecursionError):
            return None

    def texts(self, path: str) -> list[str]:
        """Return the texts at a path, also in lists. A number or a boolean is written as in JSON."""
        texts, waiting = [], [self.search(path)]
        while waiting:
            item = waiting.pop()
            if isinstance(item, list):
                self._interpreter.spend(len(item))
                waiting += reversed(item)
            elif isinstance(item, str):
                self._interpreter.spend(len(item) // _CHARACTERS_OF_A_STEP)
                if text := Node(item).text():
                    texts.append(text)
            elif isinstance(item, bool | int | float):
                texts.append(json.dumps(item))
        return texts


def check(path: Any) -> None:
    """Raise ValueError, whose text says what is wrong, if a value is not a path or is beyond the limits of a path."""
    if not isinstance(path, str) or not 1 <= len(path) <= CHARACTERS:
        raise ValueError(f"must be a path of 1 to {CHARACTERS} characters")
    try:
        waiting = [jmespath.compile(path).parsed]
    except RecursionError:
        raise ValueError("must be simpler. Its parts are nested too deeply") from None
    except (JMESPathError, ValueError) as error:
        raise ValueError(f"is not a path: {' '.join(str(error).split())[:CHARACTERS]}") from None
    parts = filters = 0
    while waiting:
        part = waiting.pop()
        if part["type"] not in _PARTS:
            raise ValueError(f"must not have a {part['type'].replace('_', ' ')}")
        parts += 1
        filters += part["type"] == "filter_projection"
        waiting += [child for child in part["children"] if isinstance(child, dict)]
    if parts > PARTS or filters > FILTERS:
        raise ValueError(
            f"must be simpler. It has {parts} parts and {filters} filters. A path may have {PARTS} parts, such as "
            f"names and comparisons, and {FILTERS} filters"
        )


class _CountingInterpreter(TreeInterpreter):  # type: ignore[misc]  # the library has no types
    """An interpreter that counts the visited parts, the items of flattened lists, and the compared values."""

    def __init__(self, mapping: str, steps: float) -> None:
        super().__init__()
        self._mapping, self._steps, self._left = mapping, steps, steps

    def spend(self, steps: int) -> None:
        """Count steps. Raises TooManySteps if no more are left."""
        self._left -= steps
        if self._left < 0:
            raise TooManySteps(
                f"the paths of the mapping {self._mapping} take more than {self._steps} steps in the event"
            )

    def visit(self, node: Any, *arguments: Any, **options: Any) -> Any:
        self.spend(1)
        return super().visit(node, *arguments, **options)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        flat = super().visit_flatten(node, value)
        self.spend(len(flat or ()))
        return flat

    def visit_comparator(self, node: Any, value: Any) -> Any:
        sides = [self.visit(child, value) for child in node["children"]]
        self.spend(sum(map(_values_in, sides)))
        literals = [{"type": "literal", "value": side, "children": []} for side in sides]
        return super().visit_comparator({**node, "children": literals}, value)


def _values_in(value: Any) -> int:
    """Return how many values a list or an object has at all levels; 0 for any other value."""
    count, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict | list):
            count += len(item)
            waiting += item.values() if isinstance(item, dict) else item
    return count
