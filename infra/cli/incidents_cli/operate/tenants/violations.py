"""A stored item that breaks a rule, and the rule that every kind of item shares."""

from typing import NamedTuple

from incidents.storage.stored_form import Item

UNREADABLE = (KeyError, ValueError, TypeError, AttributeError, ArithmeticError)
"""The errors of an item that does not have the form in which the service writes it."""
_SHOWN = 160  # the most characters of a printed value


class Violation(NamedTuple):
    """A stored item that breaks a rule. ``subject`` is the incident's id or the item's sort key.

    ``found`` describes the stored value, and ``wanted`` the value that the rule requires.
    """

    rule: str
    subject: str
    found: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.subject}  {self.rule}: found {_shorten(self.found)}; expected {_shorten(self.wanted)}"


def of_expiry(subject: str, item: Item, part: str = "") -> list[Violation]:
    """Check that a permanent item has no ``expires_at``, because DynamoDB's TTL would silently delete the item."""
    if "expires_at" not in item:
        return []
    actual = f"expires_at {next(iter(item['expires_at'].values()))}{part}"
    return [Violation("expiry", subject, actual, "no expires_at: DynamoDB deletes the item at that time")]


def _shorten(text: str) -> str:
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return printable if len(printable) <= _SHOWN else f"{printable[:_SHOWN]}..."
