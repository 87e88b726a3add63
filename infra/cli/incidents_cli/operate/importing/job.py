"""The parameters of an import, and its numbers of rows by result."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .mapping import Mapping
from .reasons import Reasons

OtherApps = Literal["skip", "adopt"]
"""How to import an exported incident of another application than the token's: skip the incident or adopt it."""

ClosedWithoutDate = Literal["last-known", "review"]
"""How to import a closed or contained row without the date: with the last known date, or with the status review."""


class Job(NamedTuple):
    """The parameters of an import. ``app`` is the token's application, or None for the token of a person."""

    file: Path
    tenant: str
    app: str | None
    other_apps: OtherApps | None
    errors: Path
    mapping: Mapping | None = None
    without_date: ClosedWithoutDate | None = None


@dataclass
class Counts:
    """The numbers of rows of an import, by result.

    None instead of a number means that this import cannot have the result.

    A row in ``repaired`` is also in another count. ``repairs`` has the number of repairs by rule. ``reasons`` sums up
    the errors of the failed rows. ``preview`` has the lines and the values of the first valid rows of a dry run.
    """

    right: int | None = None
    created: int | None = None
    already_there: int | None = None
    failed: int = 0
    left_out: int | None = None
    repaired: int | None = None
    repairs: Counter[str] = field(default_factory=Counter)
    reasons: Reasons = field(default_factory=Reasons)
    preview: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
