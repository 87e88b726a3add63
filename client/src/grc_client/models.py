"""The API's answers as frozen models. A model also accepts and keeps the new fields and enum values of a newer API.

Timestamps are aware datetimes in UTC. Durations are whole minutes. Money is a Decimal in USD.
"""

from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, SkipValidation, field_validator, model_validator

Status = Literal["new", "investigating", "contained", "recovering", "review", "closed", "dismissed"]
Severity = Literal["critical", "high", "medium", "low", "informational"]
SourceType = Literal["frontend", "backend", "server", "system", "api"]
Action = Literal["created", "updated", "closed", "reopened", "deleted", "restored"]


def _with_floats(value: Any) -> Any:
    """Return a JSON value with floats instead of Decimals. The client reads all fractions as Decimals, for money."""
    match value:
        case Decimal():
            return float(value)
        case dict():
            return {name: _with_floats(member) for name, member in value.items()}
        case list():
            return [_with_floats(member) for member in value]
        case _:
            return value


class Model(BaseModel, frozen=True, extra="allow", populate_by_name=True, hide_input_in_errors=True):
    """The base class of all models."""


class Result(Model, frozen=True):
    """The base class of the results that are models."""

    @cached_property
    def request_id(self) -> str | None:
        """The API's id of the request whose answer has this result. With it, operators find the request in their logs.

        It is None if the result does not come from an answer.
        """
        return None

    def _made(self, **facts: Any) -> Self:
        """Store facts about the answer where the cached properties read them, and return the result.

        The facts are not fields. So they do not count when two results are compared.
        """
        vars(self).update(facts)
        return self


class Incident(Result, frozen=True):
    """An incident. Lists of ids keep their order. ``app_id`` is None unless an application created the incident."""

    id: str
    tenant_id: str
    app_id: str | None = None
    created_at: datetime
    updated_at: datetime
    created_by: str
    updated_by: str
    version: int
    source: str
    source_type: SkipValidation[SourceType]
    is_deleted: bool
    deleted_at: datetime | None
    deleted_by: str | None
    schema_version: int
    incident_number: str
    title: str
    description: str | None
    root_cause: str | None
    category: str | None
    severity: SkipValidation[Severity | None]
    status: SkipValidation[Status]
    occurred_at: datetime | None
    detected_at: datetime | None
    reported_at: datetime | None
    contained_at: datetime | None
    closed_at: datetime | None
    realized_risk_ids: tuple[str, ...]
    affected_asset_ids: tuple[str, ...]
    affected_account_ids: tuple[str, ...]
    consolidated_investigation_ids: tuple[str, ...]
    triggered_by_alert_ids: tuple[str, ...]
    commander_ids: tuple[str, ...]
    corrective_action_ids: tuple[str, ...]
    reportable_to: tuple[str, ...]
    owner_id: str | None
    tags: tuple[str, ...]
    reported_to_regulators_at: datetime | None
    customer_notified_at: datetime | None
    mttd_minutes: int | None
    mttr_minutes: int | None
    financial_impact: Decimal | None
    lessons_learned: Any
    regulatory_reports: dict[str, Any] | None = None  # answers of release 0.1.0 do not have this field

    _floats = field_validator("lessons_learned", mode="before")(_with_floats)

    @property
    def etag(self) -> str:
        """The incident's version as an entity tag, for ``if_match``."""
        return f'"{self.version}"'

    @cached_property
    def replayed(self) -> bool:
        """Whether ``create`` returned the incident of an earlier request with the same idempotency key."""
        return False

    def __hash__(self) -> int:
        return hash(self.id)


class FieldChange(Model, frozen=True):
    """The value of one field before a change and after it."""

    from_: Any = Field(alias="from")
    to: Any


class Change(Model, frozen=True):
    """One entry of the audit trail. Version 1 is the create. The last version is the incident's etag.

    ``dates`` is set only for an incident that a finding created. It names the part of the finding's event from which
    each date was read. If a finding made the change, ``evidence`` is the ``sha256`` of the finding's event.

    ``history_faults`` checks ``hash``. The changes of release 0.1.0 have no hash.
    """

    version: int
    at: datetime
    by: str
    action: SkipValidation[Action]
    changes: dict[str, FieldChange]
    dates: dict[str, str] | None = None
    evidence: str | None = None
    nonce: str | None = None
    state_hash: str | None = None
    hash: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, entry: Any) -> Any:
        """Convert the numbers in an entry: money to exact Decimals, and numbers in ``lessons_learned`` to floats."""
        changes = {name: _money(change) if name == "financial_impact" else _with_floats(change)
                   for name, change in entry["changes"].items()}  # fmt: skip
        return {**entry, "changes": changes}


def _money(change: dict[str, Any]) -> dict[str, Any]:
    return {end: None if amount is None else Decimal(amount) for end, amount in change.items()}


class FindingSummary(Model, frozen=True):
    """The main facts about a finding, from its event. An unknown list is empty, and an unknown text is None."""

    remote_addresses: list[str]
    principals: list[str]
    link: str | None
    remediation: str | None
    processes: list[str]
    images: list[str]
    upstream_state: dict[str, str]


class Finding(Model, frozen=True):
    """One event that created or confirmed an incident. ``event`` is the event as the service received it.

    ``rule`` says why the finding became an incident. ``sha256`` is the hash of the event's canonical JSON. ``is_cut``
    is true if notes replace some parts of the event.
    """

    observed_at: datetime
    source: str
    adapter: str
    rule: str
    sha256: str
    is_cut: bool
    summary: FindingSummary
    event: dict[str, Any]


class StageDeadline(Model, frozen=True):
    """One stage of a report. ``why`` gives the reason for the date in words. It is not legal advice."""

    stage: str
    recipient: str
    condition: str | None
    state: str
    due_at: datetime | None
    due_local: str | None
    alternative: datetime | None
    projected_at: datetime | None
    why: str
    anchor: str | None
    anchor_at: datetime | None
    anchor_missing: str | None
    setting_missing: str | None
    warn_at: datetime | None
    elapsed_minutes: int | None
    submitted_at: datetime | None
    resubmitted_at: datetime | None
    reference: str | None
    note: str | None
    citation: str
    source_kind: str
    why_off: str | None
    unconfirmed_at: datetime | None


class RegimeDeadlines(Model, frozen=True):
    """The report to one regime. Without a rule for ``named``, ``regime`` is None and there are no stages."""

    named: str | None
    regime: str | None
    state: str
    why: str | None
    applies_to: str | None = None
    trigger: str | None = None
    citation: str | None = None
    note: str | None = None
    zone: str | None = None
    member_state: str | None = None
    calendar: str | None = None
    stages: tuple[StageDeadline, ...]


class MovedDueDate(Model, frozen=True):
    """The due date of one stage before a change and after it."""

    regime: str
    stage: str
    from_: datetime | None = Field(alias="from")
    to: datetime | None


class DeadlineChange(Model, frozen=True):
    """The due dates that one change of the incident moved."""

    version: int
    at: datetime
    by: str
    due_dates: tuple[MovedDueDate, ...]


class Deadlines(Result, frozen=True):
    """The deadlines of an incident at the moment ``as_of``. The two history members are None without ``history``."""

    incident_id: str
    version: int
    as_of: datetime
    rules_version: str
    calendars_generated_on: date
    notice: str
    regimes: tuple[RegimeDeadlines, ...]
    history_since_version: int | None = None
    history_is_partial: bool | None = None
    history: tuple[DeadlineChange, ...] | None = None


class OpenStage(Model, frozen=True):
    """One open stage of a report. ``projected_at`` is not a due date. The dates are not legal advice."""

    regime: str
    stage: str
    state: str
    due_at: datetime | None
    projected_at: datetime | None
    anchor_missing: str | None
    setting_missing: str | None


class BoardEntry(Model, frozen=True):
    """An incident on the board of deadlines. ``stages`` has its open stages, in the order of their dates.

    ``version`` is the version of the incident that the service used for this entry.
    """

    incident_id: str
    incident_number: str
    app_id: str | None
    status: str
    version: int
    stages: tuple[OpenStage, ...]


class Durations(Model, frozen=True):
    """The distribution of ``n`` durations, in minutes. The percentiles are nearest-rank.

    If ``n`` is 0, the mean, the percentiles, the minimum and the maximum are None. ``imported`` is the number of
    durations that a caller gave as minutes.
    """

    n: int
    mean: float | None
    p50: int | None
    p90: int | None
    p95: int | None
    min: int | None
    max: int | None
    imported: int


class OpenIncidents(Model, frozen=True):
    """The number of open incidents, and the distribution of their age in minutes."""

    n: int
    p50: int | None
    p90: int | None
    max: int | None


class MetricsGroup(Model, frozen=True):
    """The metrics of one group of incidents. ``group`` is the incidents' common severity, category or application.

    ``group`` is None for the incidents without such a value.
    """

    group: str | None
    mttd: Durations
    mttr: Durations
    time_to_contain: Durations
    open: OpenIncidents


class OtherGroups(Model, frozen=True):
    """The metrics of all incidents whose group is not shown."""

    mttd: Durations
    mttr: Durations
    time_to_contain: Durations
    open: OpenIncidents


class MetricsSpan(Model, frozen=True):
    """The metrics of one day, week or month, from the date ``from_`` to the date ``to``, both included."""

    from_: date = Field(alias="from")
    to: date
    mttd: Durations
    mttr: Durations
    time_to_contain: Durations


class Metrics(Result, frozen=True):
    """The metrics of a window of UTC days, from ``from_`` to ``to``, both included.

    ``groups`` has at most 100 groups, and ``other`` has the incidents of all other groups. ``pending_days`` is the
    number of days that changed and wait for their next computation. ``definitions`` explains the metrics. An API of
    release 0.1.0 does not send ``computed_at``, ``pending_days``, ``other`` and ``approximate``.
    """

    from_: date = Field(alias="from")
    to: date
    as_of: datetime
    computed_at: datetime | None = None
    pending_days: int = 0
    mttd: Durations
    mttr: Durations
    time_to_contain: Durations
    groups: tuple[MetricsGroup, ...]
    other: OtherGroups | None = None
    approximate: bool = False
    trend: tuple[MetricsSpan, ...]
    open: OpenIncidents
    excluded: dict[str, dict[str, int]]
    definitions: dict[str, str]
