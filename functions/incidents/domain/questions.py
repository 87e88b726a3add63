"""The requests that a caller can send: for a page of incidents, a page of changes, or the metrics of some days."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Literal, NamedTuple

GroupBy = Literal["severity", "category", "app", "none"]
Interval = Literal["day", "week", "month"]

DAYS_MAX, DAYS_DEFAULT = 366, 30  # the length of a window


class Filters(NamedTuple):
    """The filters of a list. An incident must pass all of them.

    ``any_of`` holds the accepted values of each field. Both ranges include their ends.
    """

    any_of: Mapping[str, tuple[str, ...]]
    created: tuple[str, str]
    detected: tuple[str, str] | None
    incident_number: str | None
    include_deleted: bool

    def canonical(self) -> str:
        """Return a text that is the same for equal filters, regardless of the order of the filters and values."""
        return json.dumps([sorted((name, sorted(values)) for name, values in self.any_of.items()), *self[1:]])


class Expected(NamedTuple):
    """The versions that a write expects the incident to have.

    ``has_weak`` is true if the caller sent weak tags, too. They never match.
    """

    versions: frozenset[int]
    has_weak: bool = False


class ListRequest(NamedTuple):
    """A request for one page of incidents. ``cursor`` is the last page's ``next_cursor``, None for the first page."""

    filters: Filters
    limit: int
    newest_first: bool
    cursor: str | None


class ChangesRequest(NamedTuple):
    """A request for one page of changes."""

    limit: int
    cursor: str | None


class Window(NamedTuple):
    """A request for the metrics of the days from ``first`` to ``last``, both included.

    ``as_of`` is the time of the request, in milliseconds since 1970.
    """

    first: date
    last: date
    group_by: GroupBy
    interval: Interval
    as_of: int
