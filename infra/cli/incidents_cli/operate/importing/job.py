"""What an import is to do, and what came of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

OtherApps = Literal["skip", "adopt"]
"""What to do with exported incidents of applications not the token's."""


class Job(NamedTuple):
    """What to import as whom. ``app`` is the token's application, ``other_apps`` what to do with others' incidents."""

    file: Path
    tenant: str
    app: str | None
    other_apps: OtherApps | None
    errors: Path


@dataclass
class Counts:
    """How many rows came to what; None for what does not arise."""

    right: int | None = None
    created: int | None = None
    already_there: int | None = None
    failed: int = 0
    left_out: int | None = None
