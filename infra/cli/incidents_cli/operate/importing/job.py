"""The parameters of an import, and its numbers of rows by result."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

OtherApps = Literal["skip", "adopt"]
"""What an import does with exported incidents of other applications than the token's: skip or adopt them."""


class Job(NamedTuple):
    """The parameters of an import. ``app`` is the token's application, or None for the token of a person."""

    file: Path
    tenant: str
    app: str | None
    other_apps: OtherApps | None
    errors: Path


@dataclass
class Counts:
    """The number of rows with each result; None for a result that this import cannot have.

    ``repaired`` rows are in another count too. ``repairs`` counts the repairs by their rules.
    """

    right: int | None = None
    created: int | None = None
    already_there: int | None = None
    failed: int = 0
    left_out: int | None = None
    repaired: int | None = None
    repairs: Counter[str] = field(default_factory=Counter)
