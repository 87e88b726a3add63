"""Reading an event that may be anything: a value with the path at which it stands, so that what is wrong has a name."""

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..domain.model import ACCOUNT_ID

# Invisible, and six bytes each once they are JSON: with them a text at its bound would not fit into a document.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class EventRefused(Exception):
    """Base of the two ways to refuse an event for good; ``reason`` names places in the event, never its values."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownEvent(EventRefused):
    """No adapter takes this source and detail-type."""

    def __init__(self) -> None:
        super().__init__("no adapter takes this source and detail-type")


class MalformedEvent(EventRefused):
    """A value that the adapter cannot do without is missing or is not what it should be."""


class Node(NamedTuple):
    """A JSON value of an event and the path to it, like ``detail.findings[0].Title``. Whatever is absent is None."""

    value: Any
    path: str = ""

    def at(self, path: str) -> "Node":
        """Return the node at a dotted path below this one, None where anything on the way is no object."""
        value = self.value
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return Node(value, f"{self.path}.{path}" if self.path else path)

    def each(self) -> list["Node"]:
        """Return the items of a list, nothing of anything else."""
        items = self.value if isinstance(self.value, list) else []
        return [Node(item, f"{self.path}[{place}]") for place, item in enumerate(items)]

    def text(self) -> str | None:
        """Return a text that says something, without control characters and lone surrogates; else None."""
        if not isinstance(self.value, str):
            return None
        unicode = self.value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return _CONTROL_CHARACTERS.sub("", unicode).strip() or None

    def number(self) -> float | None:
        """Return a finite number, else None; true is no number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            return None
        try:
            number = float(self.value)
        except OverflowError:
            return None
        return number if math.isfinite(number) else None

    def is_true(self) -> bool:
        """Tell whether this is true, as a boolean or as the text that some sources write."""
        return self.value is True or (isinstance(self.value, str) and self.value.strip().lower() == "true")

    def needed_text(self) -> str:
        """Return the text, or raise MalformedEvent."""
        text = self.text()
        if text is None:
            raise MalformedEvent(f"{self.path} must be a text that is not empty")
        return text

    def needed_object(self) -> "Node":
        """Return this node if it is an object, or raise MalformedEvent."""
        if not isinstance(self.value, Mapping):
            raise MalformedEvent(f"{self.path or 'the event'} must be an object")
        return self

    def needed_items(self) -> list["Node"]:
        """Return the objects of a list that has some, or raise MalformedEvent."""
        items = self.each()
        if not items:
            raise MalformedEvent(f"{self.path} must be a list that is not empty")
        return [item.needed_object() for item in items]

    def needed_account_id(self) -> str:
        """Return an AWS account id, or raise MalformedEvent: to guess another account is to guess a tenant."""
        text = self.text()
        if text is None or not ACCOUNT_ID.fullmatch(text):
            raise MalformedEvent(f"{self.path} must be an AWS account id of 12 digits")
        return text
