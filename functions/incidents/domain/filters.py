"""What a list of incidents may be narrowed by, and which page of it is wanted."""

import json
from collections.abc import Mapping
from typing import NamedTuple


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
