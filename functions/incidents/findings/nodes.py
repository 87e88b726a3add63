"""Access to an event whose values may have any type. Each value has its path, so that an error can name the path."""

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..domain.model import ACCOUNT_ID

# Control characters are invisible, but take six bytes each in JSON. So a text within its own size limit could make a
# document too large.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class EventRefused(Exception):
    """The base class of errors that refuse an event forever. ``reason`` may name paths in the event, but no values."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownEvent(EventRefused):
    """There is no adapter for the event's source and detail-type."""

    def __init__(self) -> None:
        super().__init__("no adapter takes this source and detail-type")


class MalformedEvent(EventRefused):
    """A value that the adapter needs is missing or invalid."""


class Node(NamedTuple):
    """A JSON value of an event and its path, like ``detail.findings[0].Title``. An absent value is None."""

    value: Any
    path: str = ""

    def at(self, path: str) -> "Node":
        """Return the node at a dotted path below this node. The value is None if a step is not an object."""
        value = self.value
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return Node(value, f"{self.path}.{path}" if self.path else path)

    def each(self) -> list["Node"]:
        """Return the items of a list, or an empty list for any other value."""
        items = self.value if isinstance(self.value, list) else []
        return [Node(item, f"{self.path}[{place}]") for place, item in enumerate(items)]

    def text(self) -> str | None:
        """Return the text without control characters and lone surrogates, or None for an empty text or another type."""
        if not isinstance(self.value, str):
            return None
        unicode = self.value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return _CONTROL_CHARACTERS.sub("", unicode).strip() or None

    def number(self) -> float | None:
        """Return the value if it is a finite number, else None. ``true`` does not count as a number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            return None
        try:
            number = float(self.value)
        except OverflowError:
            return None
        return number if math.isfinite(number) else None

    def is_true(self) -> bool:
        """Return whether the value is true, or the text ``true``, which some sources write."""
        return self.value is True or (isinstance(self.value, str) and self.value.strip().lower() == "true")

    def needed_text(self) -> str:
        """Return the text, or raise MalformedEvent."""
        text = self.text()
        if text is None:
            raise MalformedEvent(f"{self.path} must be a text that is not empty")
        return text

    def title(self) -> str:
        """Return the text of a title, or an empty text if the title is blank. Raises MalformedEvent without a title."""
        return (self.text() or "") if isinstance(self.value, str) else self.needed_text()

    def exact_text(self) -> str:
        """Return a text that decides about access rights.

        Raises MalformedEvent if the text could be confused with another text.
        """
        if not isinstance(self.value, str) or self.value != self.text():
            raise MalformedEvent(
                f"{self.path} must be a text without control characters, and without blanks at its ends"
            )
        return self.value

    def needed_object(self) -> "Node":
        """Return this node if it is an object, or raise MalformedEvent."""
        if not isinstance(self.value, Mapping):
            raise MalformedEvent(f"{self.path or 'the event'} must be an object")
        return self

    def needed_items(self) -> list["Node"]:
        """Return the items of a list. Raises MalformedEvent if the value is not a list or if the list is empty."""
        items = self.each()
        if not items:
            raise MalformedEvent(f"{self.path} must be a list that is not empty")
        return items

    def needed_account_id(self) -> str:
        """Return an AWS account id, or raise MalformedEvent. A guessed account id could lead to the wrong tenant."""
        if not isinstance(self.value, str) or not ACCOUNT_ID.fullmatch(self.value):
            raise MalformedEvent(f"{self.path} must be an AWS account id of 12 digits")
        return self.value
