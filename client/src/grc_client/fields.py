"""The types of the methods' keyword arguments.

The client does not send omitted arguments. So an update changes only the fields that it names.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, Required, TypedDict

from .models import Severity, SourceType, Status

Moment = datetime | str
"""An aware datetime, or an RFC 3339 text like ``2026-11-23T09:30:00Z``. The API refuses times without an offset."""
Day = date | str
"""A date, or a date as text, like ``2026-11-23``."""
Texts = list[str] | tuple[str, ...]


ListEdit = Mapping[Literal["add", "remove"], Texts]
"""An edit of a stored list: the items to add, and the items to remove. ``Add`` and ``Remove`` make edits."""


class _Edit(dict[Literal["add", "remove"], Texts]):
    def __or__(self, other: ListEdit) -> "_Edit":  # type: ignore[override]  # dict's own loses items of self
        """Return the edit with the items of both edits."""
        return _Edit({name: (*self.get(name, ()), *other.get(name, ())) for name in {**self, **other}})


def Add(*items: str) -> _Edit:  # noqa: N802  # reads like a value: tags=Add("x")
    """Return the edit that adds items at the end of a list. An item that the list already has stays in its place.

    To add and remove in one update: ``tags=Add("x") | Remove("y")``.
    """
    return _Edit({"add": items})


def Remove(*items: str) -> _Edit:  # noqa: N802  # as above
    """Return the edit that removes items from a list. An item that the list does not have changes nothing."""
    return _Edit({"remove": items})


class _Fields(TypedDict, total=False):
    description: str | None
    root_cause: str | None
    category: str | None
    severity: Severity | None
    occurred_at: Moment | None
    detected_at: Moment | None
    reported_at: Moment | None
    contained_at: Moment | None
    closed_at: Moment | None
    owner_id: str | None
    reported_to_regulators_at: Moment | None
    customer_notified_at: Moment | None
    mttd_minutes: int | None
    mttr_minutes: int | None
    financial_impact: Decimal | float | None
    lessons_learned: Any
    regulatory_reports: Mapping[str, Any] | None


class NewIncident(_Fields, total=False):
    """The fields that ``create`` accepts."""

    title: Required[str]
    incident_number: str | None
    source: str
    source_type: SourceType
    status: Status
    realized_risk_ids: Texts | None
    affected_asset_ids: Texts | None
    affected_account_ids: Texts | None
    consolidated_investigation_ids: Texts | None
    triggered_by_alert_ids: Texts | None
    commander_ids: Texts | None
    corrective_action_ids: Texts | None
    reportable_to: Texts | None
    tags: Texts | None


class IncidentPatch(_Fields, total=False):
    """The fields that ``update`` accepts. The value ``None`` clears a field or empties a list.

    A list replaces the stored list. ``Add`` and ``Remove`` edit the stored list, and keep what others add.
    """

    title: str
    source: str
    source_type: SourceType
    status: Status
    realized_risk_ids: Texts | ListEdit | None
    affected_asset_ids: Texts | ListEdit | None
    affected_account_ids: Texts | ListEdit | None
    consolidated_investigation_ids: Texts | ListEdit | None
    triggered_by_alert_ids: Texts | ListEdit | None
    commander_ids: Texts | ListEdit | None
    corrective_action_ids: Texts | ListEdit | None
    reportable_to: Texts | ListEdit | None
    tags: Texts | ListEdit | None


class IncidentFilters(TypedDict, total=False):
    """The parameters of ``list``. An incident must match every filter, with any one of the filter's values.

    ``open=True`` selects incidents that are neither closed nor dismissed. ``unowned=True`` selects incidents without
    an owner. ``q`` has words. Each word must be in the title or in the number, regardless of case.
    """

    status: Status | list[Status] | tuple[Status, ...]
    severity: Severity | list[Severity] | tuple[Severity, ...]
    category: str | Texts
    owner_id: str | Texts
    source: str | Texts
    tag: str | Texts
    app_id: str | Texts
    affected_asset_id: str | Texts
    affected_account_id: str | Texts
    triggered_by_alert_id: str | Texts
    consolidated_investigation_id: str | Texts
    realized_risk_id: str | Texts
    corrective_action_id: str | Texts
    commander_id: str | Texts
    reportable_to: str | Texts
    created_from: Moment
    created_to: Moment
    detected_from: Moment
    detected_to: Moment
    incident_number: str
    include_deleted: bool
    open: bool
    unowned: bool
    q: str
    order: Literal["desc", "asc"]
    limit: int
    cursor: str | None


class BoardFilters(TypedDict, total=False):
    """The parameters of ``deadline_board``. An incident is selected if one of its open stages passes all filters.

    ``incident_id`` selects up to 100 incidents, and cannot be combined with other parameters.
    """

    state: str | Texts
    regime: str | Texts
    due_before: Moment
    incident_id: str | Texts
    limit: int
    cursor: str | None


class MetricsWindow(TypedDict, total=False):
    """The parameters of ``metrics``. The window includes the days ``from_`` and ``to``. Default: the last 30 days."""

    from_: Day
    to: Day
    group_by: Literal["severity", "category", "app", "none"]
    interval: Literal["day", "week", "month"]
