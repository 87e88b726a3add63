"""The requests of a caller for metrics, or for a page of incidents, changes, updates or the board of deadlines."""

import json
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal, NamedTuple

from .model import LISTS, Incident

GroupBy = Literal["severity", "category", "app", "none"]
Interval = Literal["day", "week", "month"]

DAYS_MAX, DAYS_DEFAULT = 366, 30  # the longest and the default window, in days
OPEN_STAGES = ("running", "overdue", "waiting_previous", "pending_anchor", "setting_missing", "no_fixed_term")
"""The states of an open stage. A stage is open if it is on, applies, and is not submitted."""

FILTERS = {
    "status": "status",
    "severity": "severity",
    "category": "category",
    "owner_id": "owner_id",
    "source": "source",
    "app_id": "app_id",
    "tag": "tags",
    "affected_asset_id": "affected_asset_ids",
    "affected_account_id": "affected_account_ids",
    "triggered_by_alert_id": "triggered_by_alert_ids",
    "consolidated_investigation_id": "consolidated_investigation_ids",
    "realized_risk_id": "realized_risk_ids",
    "corrective_action_id": "corrective_action_ids",
    "commander_id": "commander_ids",
    "reportable_to": "reportable_to",
}
"""The field that each filter compares, by the filter's name. A filter of a list compares each item of the list."""


class Filters(NamedTuple):
    """The filters of a list. An incident must pass all of them.

    ``any_of`` holds the accepted values of each filter in ``FILTERS``. Both ranges include their ends. ``unowned`` is
    True for incidents without an owner, False for incidents with an owner, and None for all. ``words`` are case-folded.
    """

    any_of: Mapping[str, tuple[str, ...]]
    created: tuple[str, str]
    detected: tuple[str, str] | None
    incident_number: str | None
    include_deleted: bool
    unowned: bool | None = None
    words: tuple[str, ...] = ()

    def canonical(self) -> str:
        """Return a text that is the same for equal filters, regardless of the order of the filters, values and words.

        A filter that release 0.1.0 did not have adds to the text only if it is set. So cursors of 0.1.0 stay valid.
        """
        values = sorted((name, sorted(values)) for name, values in self.any_of.items())
        before = [values, self.created, self.detected, self.incident_number, self.include_deleted]
        added = {"unowned": self.unowned} if self.unowned is not None else {}
        return json.dumps([*before, *([added | {"q": sorted(self.words)}] if added or self.words else [])])

    def accepts(self, incident: Incident) -> bool:
        """Return whether an incident passes all filters except ``created`` and ``incident_number``.

        These two filters select ids before the incidents are read.
        """
        for filter_, accepted in self.any_of.items():
            held: Any = incident.get(FILTERS[filter_])
            if not any(value in accepted for value in (held if FILTERS[filter_] in LISTS else (held,))):
                return False
        return (
            (self.include_deleted or not incident["is_deleted"])
            and (self.detected is None or self.detected[0] <= (incident["detected_at"] or "") <= self.detected[1])
            and (self.unowned is None or self.unowned is (incident["owner_id"] is None))
            and self.has_words(incident)
        )

    def has_words(self, incident: Incident) -> bool:
        """Return whether the title or the number of an incident contains each word. ``words`` are folded."""
        if not self.words:
            return True
        title, number = folded(incident["title"]), folded(incident["incident_number"])
        return all(word in title or word in number for word in self.words)


def folded(text: str) -> str:
    """Return a text in the form in which words are compared.

    Two texts have the same form if they differ only in upper and lower case, or only in the encoding of their accents
    (Unicode Standard Annex 15). Case folding can decompose an accented letter, so the text is composed again.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


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


class UpdatesRequest(NamedTuple):
    """A request for one page of updates: the incidents by their last change, from ``since`` to ``until``.

    A ``cursor`` continues after an earlier page and replaces ``since``. Both ends are texts of ``timestamps``.
    """

    since: str
    until: str
    limit: int
    cursor: str | None


class BoardFilters(NamedTuple):
    """The filters of the board of deadlines. An incident is selected if one of its open stages passes all filters.

    ``due_before`` is a text of ``timestamps``. A stage without a date does not pass this filter. None and () accept
    every stage.
    """

    states: tuple[str, ...] = ()
    regimes: tuple[str, ...] = ()
    due_before: str | None = None

    def canonical(self) -> str:
        """Return a text that is the same for equal filters, regardless of the order of the values."""
        return json.dumps([sorted(self.states), sorted(self.regimes), self.due_before])

    def accept(self, stage: Mapping[str, Any]) -> bool:
        """Return whether an open stage of a board entry passes all filters."""
        at = stage["due_at"] or stage["projected_at"]
        return (
            (not self.states or stage["state"] in self.states)
            and (not self.regimes or stage["regime"] in self.regimes)
            and (self.due_before is None or (at is not None and at < self.due_before))
        )


class BoardRequest(NamedTuple):
    """A request for one page of the board of deadlines. ``as_of`` is the current time in milliseconds since 1970.

    If ``incident_ids`` is not empty, the answer has only these incidents. Then there are no filters and no further
    page.
    """

    filters: BoardFilters
    incident_ids: tuple[str, ...]
    limit: int
    cursor: str | None
    as_of: int


class Window(NamedTuple):
    """A request for the metrics of the days from ``first`` to ``last``, both included.

    ``as_of`` is the time of the request, in milliseconds since 1970.
    """

    first: date
    last: date
    group_by: GroupBy
    interval: Interval
    as_of: int
