"""What an incident is: its fields, who may write them, their bounds, and the rules that hold between them.

Pure: no AWS, no clock, no pydantic (reads load this module too). ``payloads`` holds callers to the bounds given here.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from itertools import combinations
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict, get_args

from . import timestamps
from .errors import Violation

Status = Literal["new", "investigating", "contained", "recovering", "review", "closed", "dismissed"]
Severity = Literal["critical", "high", "medium", "low", "informational"]
SourceType = Literal["frontend", "backend", "server", "system", "api"]
Action = Literal["created", "updated", "closed", "reopened", "deleted", "restored"]

STATUSES: tuple[str, ...] = get_args(Status)
SEVERITIES: tuple[str, ...] = get_args(Severity)
SOURCE_TYPES: tuple[str, ...] = get_args(SourceType)
ACTIONS: tuple[str, ...] = get_args(Action)

ALLOWED_TRANSITIONS: dict[str, tuple[str, ...]] = {
    "new": ("investigating", "contained", "closed", "dismissed"),
    "investigating": ("contained", "recovering", "review", "closed", "dismissed"),
    "contained": ("investigating", "recovering", "review", "closed", "dismissed"),
    "recovering": ("investigating", "contained", "review", "closed"),
    "review": ("investigating", "recovering", "closed"),
    "closed": ("investigating", "review"),
    "dismissed": ("investigating",),
}
"""From a status to those that may follow. The same status again is no move; a new incident may have any."""


class Incident(TypedDict):
    """An incident as its answer shows it: every field, null when unset, ``[]`` for lists, ``app_id`` only if app-made.

    Timestamps are texts of ``timestamps``, minutes are whole, ``financial_impact`` is in USD. ``lessons_learned`` is
    any JSON and held as its text: it is written once and never parsed on a read.
    """

    # Stamped by the server
    id: str
    tenant_id: str
    app_id: NotRequired[str]
    created_at: str
    updated_at: str
    created_by: str
    updated_by: str
    # Where it came from
    source: str
    source_type: str
    # Soft deletion
    is_deleted: bool
    deleted_at: str | None
    deleted_by: str | None
    schema_version: int
    # What it is
    incident_number: str
    title: str
    description: str | None
    root_cause: str | None
    category: str | None
    severity: str | None
    status: str
    # When it happened
    occurred_at: str | None
    detected_at: str | None
    reported_at: str | None
    contained_at: str | None
    closed_at: str | None
    # What and whom it touches
    realized_risk_ids: list[str]
    affected_asset_ids: list[str]
    affected_account_ids: list[str]
    consolidated_investigation_ids: list[str]
    triggered_by_alert_ids: list[str]
    commander_ids: list[str]
    corrective_action_ids: list[str]
    reportable_to: list[str]
    owner_id: str | None
    tags: list[str]
    # Whom it was told to
    reported_to_regulators_at: str | None
    customer_notified_at: str | None
    # What it took and cost
    mttd_minutes: int | None
    mttr_minutes: int | None
    financial_impact: Decimal | None
    lessons_learned: str | None


class Change(NamedTuple):
    """One entry of an incident's audit trail; ``changes`` are (from, to) by field, in the forms of ``Incident``.

    ``dates`` say, for an incident that a finding made, from which part of its event each date was read.
    """

    version: int
    at: str
    by: str
    action: Action
    changes: dict[str, tuple[Any, Any]]
    dates: Mapping[str, str] | None = None


FIELDS: tuple[str, ...] = tuple(Incident.__annotations__)

STAMPED = frozenset({
    "id", "tenant_id", "app_id", "created_at", "updated_at", "created_by", "updated_by", "deleted_at", "deleted_by",
    "schema_version",
})  # fmt: skip
"""Fields that only the server writes; a caller who sends one is told so."""

ID_LISTS = frozenset({
    "realized_risk_ids", "affected_asset_ids", "affected_account_ids", "consolidated_investigation_ids",
    "triggered_by_alert_ids", "commander_ids", "corrective_action_ids", "reportable_to",
})  # fmt: skip
LISTS = ID_LISTS | {"tags"}

DERIVED = frozenset({"mttd_minutes", "mttr_minutes"})

MILESTONES = ("occurred_at", "detected_at", "contained_at", "closed_at")
"""In the order in which they must lie in time, each where it is known."""

SCHEMA_VERSION = 1

# The forms of ids
TENANT_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
ACCOUNT_ID = re.compile(r"[0-9]{12}")
INCIDENT_ID = re.compile(r"inc_[0-7][0-9A-HJKMNP-TV-Z]{25}")  # a ULID: 48 bits of time, 80 of chance

# Bounds. Characters are Unicode code points; KiB are of UTF-8.
TITLE_CHARACTERS = 300
TEXT_BYTES = 32 * 1024  # description, root_cause, lessons_learned
JSON_LEVELS = 16  # lessons_learned
CATEGORY_CHARACTERS = 64
SOURCE_CHARACTERS = 64
ID_CHARACTERS = 128
LIST_IDS = 500
TAGS, TAG_CHARACTERS = 50, 64
NUMBER_CHARACTERS = 64
CALLERS_DIGITS = 9  # of a given number that has the server's own form
IMPACT_MAX, IMPACT_DECIMALS = Decimal(10**15), 4
MINUTES_MAX = 5_000_000_000  # more than lie between the first and the last timestamp
DOCUMENT_BYTES = 128 * 1024  # so that a change record, old and new, stays under DynamoDB's 400 KB

_GENERATED = re.compile(r"INC-([0-9]{4})-([0-9]{6,})")

_PAIRS_IN_ORDER = (
    *combinations(MILESTONES, 2),
    ("detected_at", "reported_at"),
    ("occurred_at", "reported_at"),  # follows from the two around it, and must hold when detected_at is not known
)
MINUTES = {"mttd_minutes": ("occurred_at", "detected_at"), "mttr_minutes": ("detected_at", "closed_at")}


_UNSET: dict[str, Any] = {field: None for field in FIELDS if field != "app_id"} | {"is_deleted": False}


def unset_fields() -> dict[str, Any]:
    """Return every field in the order of the answer, unset; ``app_id`` is absent until somebody has one."""
    fields = _UNSET.copy()
    for field in LISTS:
        fields[field] = []
    return fields


def apply_rules(
    incident: Incident, given: Mapping[str, Any], now: str, before: Incident | None = None
) -> list[Violation]:
    """Apply the rules that hold between fields, in place, and return those that ``given`` made impossible.

    ``given`` are the caller's values of this request, already merged into ``incident``; ``now`` is the moment of the
    request; ``before`` is the incident as it stood, None for a new one. Entering a status stamps its milestone, leaving
    ``closed`` clears it; then the minutes are derived.
    """
    stamped: set[str] = set()
    if before is None or before["status"] != incident["status"]:
        if before is not None and before["status"] == "closed":
            incident["closed_at"], incident["mttr_minutes"] = given.get("closed_at"), None
            if given.get("mttr_minutes") is not None:
                return [Violation("/mttr_minutes", "must be left out when the incident is reopened")]
        stamped = _stamp_milestones(incident, now)
    return (
        _closing_rule(incident)
        or _order_of_timestamps(incident, given)
        or _derive_minutes(incident, given, before or incident, stamped)
    )


def _stamp_milestones(incident: Incident, now: str) -> set[str]:
    """Stamp what the status asks for, never before a milestone that it follows, and return which fields that were."""
    if incident["status"] == "contained" and incident["contained_at"] is None:
        incident["contained_at"] = max(now, incident["occurred_at"] or "", incident["detected_at"] or "")
        return {"contained_at"}
    if incident["status"] == "closed" and incident["closed_at"] is None:
        earlier = (incident["occurred_at"], incident["detected_at"], incident["contained_at"])
        incident["closed_at"] = max(now, *(moment or "" for moment in earlier))
        return {"closed_at"}
    return set()


def _closing_rule(incident: Incident) -> list[Violation]:
    is_closed = incident["status"] == "closed"
    if is_closed == (incident["closed_at"] is not None):
        return []
    if is_closed:
        return [Violation("/closed_at", "must not be null while status is closed; reopen the incident to clear it")]
    return [Violation("/closed_at", "must be left out unless status is closed")]


def _order_of_timestamps(incident: Incident, given: Mapping[str, Any]) -> list[Violation]:
    """Blame the later one of a pair, unless only the earlier one was sent."""
    values: Mapping[str, Any] = incident
    return [
        Violation(f"/{earlier}", f"must not be after {later}, which is {values[later]}")
        if earlier in given and later not in given
        else Violation(f"/{later}", f"must not be before {earlier}, which is {values[earlier]}")
        for earlier, later in _PAIRS_IN_ORDER
        if values[earlier] and values[later] and values[later] < values[earlier]
    ]


def _derive_minutes(
    incident: Incident, given: Mapping[str, Any], before: Incident, stamped: set[str]
) -> list[Violation]:
    """MTTD is detection minus occurrence (NIST SP 800-61r2 3.4.2); MTTR is closing minus detection, R for resolve.

    Derived replaces given, null included; a given value that differs is refused, unless the server has just stamped the
    end. Where a timestamp is missing, a caller's value (an import's) stands; minutes that were derived go with their
    timestamps; and there is no value that nobody gave: null, never 0. ``before`` is the incident itself for a new one.
    """
    values: dict[str, Any] = incident  # type: ignore[assignment]  # keys that are known to be there, by name
    earlier: Mapping[str, Any] = before
    violations = []
    for field, (start, end) in MINUTES.items():
        if values[start] is not None and values[end] is not None:
            minutes = timestamps.minutes_between(values[start], values[end])
            if given.get(field) not in (None, minutes) and end not in stamped:
                violations.append(
                    Violation(
                        f"/{field}", f"must be {minutes}, as {start} and {end} tell, or be left out to be derived"
                    )
                )
            values[field] = minutes
        elif field not in given and earlier[start] is not None and earlier[end] is not None:
            values[field] = None
    return violations


def changed_values(before: Incident, after: Incident) -> dict[str, tuple[Any, Any]]:
    """Return (from, to) of every field that differs, but for the stamps that every change moves."""
    old: Mapping[str, Any] = before
    new: Mapping[str, Any] = after
    return {
        field: (old[field], new[field])
        for field in new
        if field not in ("updated_at", "updated_by") and old[field] != new[field]
    }


def action(before: Incident, after: Incident) -> Action:
    """Return what a change did: exactly one word, the first that holds."""
    if before["is_deleted"] != after["is_deleted"]:
        return "deleted" if after["is_deleted"] else "restored"
    if "closed" in (before["status"], after["status"]) and before["status"] != after["status"]:
        return "closed" if after["status"] == "closed" else "reopened"
    return "updated"


def generated_number(year: int, count: int) -> str:
    """Return the server's own form of an incident number: ``INC-2026-000042``."""
    return f"INC-{year:04d}-{count:06d}"


def parse_generated(incident_number: str) -> tuple[int, int] | None:
    """Return (year, count) of a number that ``generated_number`` would give to them, else None."""
    match = _GENERATED.fullmatch(incident_number)
    if match is None:
        return None
    parsed = int(match[1]), int(match[2])
    return parsed if incident_number == generated_number(*parsed) else None


def has_too_many_digits(incident_number: str) -> bool:
    """Tell whether a number is of the server's form and too long to be given by a caller.

    A given number of the server's form raises the counter to it. Were there no end to that, a caller could take the
    counter's next numbers before it draws them; so those beyond nine digits are the counter's alone.
    """
    return parse_generated(incident_number) is not None and len(incident_number) > len("INC-2026-") + CALLERS_DIGITS
