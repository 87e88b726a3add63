"""The parameters of an import, and its numbers of rows by result."""

import re
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .mapping import Mapping
from .reasons import Reasons

_CLEAR = re.compile(r"[^\W_](?:[^\W_]|-| (?! ))*")  # words with single spaces, and without underscores
_CHARACTERS = 60  # of a sheet's name in the name of a file

OtherApps = Literal["skip", "adopt"]
"""How to import an exported incident of another application than the token's: skip the incident or adopt it."""

ClosedWithoutDate = Literal["last-known", "review"]
"""How to import a closed or contained row without the date: with the last known date, or with the status review."""


class Job(NamedTuple):
    """The parameters of an import. ``app`` is the token's application, or None for the token of a person.

    ``sheet`` is the sheet of a workbook. For other files, it is None.
    """

    file: Path
    tenant: str
    app: str | None
    other_apps: OtherApps | None
    errors: Path
    mapping: Mapping | None = None
    without_date: ClosedWithoutDate | None = None
    sheet: str | None = None

    @property
    def record(self) -> Path:
        """The record of the import's progress. Each sheet of a workbook has its own record."""
        return self.file.with_name(f"{self.file.name}{of_sheet(self.sheet)}.progress")


def of_sheet(sheet: str | None) -> str:
    """Return the part of a file's name that stands for a sheet of a workbook. Two sheets have different parts."""
    if sheet is None:
        return ""
    plain = re.sub(r"[^\w-]+", "_", sheet)[:_CHARACTERS]
    # Without a hash, the sheets `A B`, `A_B` and `A.B` would have one file.
    is_clear = _CLEAR.fullmatch(sheet) and len(sheet) <= _CHARACTERS
    return f".{plain}" if is_clear else f".{plain}-{sha256(sheet.encode(errors='surrogatepass')).hexdigest()[:8]}"


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
