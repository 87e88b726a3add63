"""What a caller may ask for: a page of incidents or of changes, or the metrics of a window of days."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Literal, NamedTuple

GroupBy = Literal["severity", "category", "app", "none"]
Interval = Literal["day", "week", "month"]

DAYS_MAX, DAYS_DEFAULT = 366, 30  # of a window


class Filters(NamedTuple):
    """What a list shows: one of the values of each field that is named, and inside both ranges, both ends included."""

    any_of: Mapping[str, tuple[str, ...]]
    created: tuple[str, str]
    detected: tuple[str, str] | None
    incident_number: str | None
    include_deleted: bool

    def canonical(self) -> str:
        """Return the same text for the same filters, in whatever order they were given."""
        return json.dumps([sorted((name, sorted(values)) for name, values in self.any_of.items()), *self[1:]])


class ListRequest(NamedTuple):
    """One page of a list of incidents; ``cursor`` says behind which, as an earlier page gave it."""

    filters: Filters
    limit: int
    newest_first: bool
    cursor: str | None


class ChangesRequest(NamedTuple):
    """One page of a list of changes."""

    limit: int
    cursor: str | None


class Window(NamedTuple):
    """Metrics of the days from ``first`` to ``last``, both included; asked at ``as_of``, in milliseconds since 1970."""

    first: date
    last: date
    group_by: GroupBy
    interval: Interval
    as_of: int
