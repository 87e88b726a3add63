"""The definition of an incident: its fields, their writers, their limits, and the rules between the fields.

This module uses no AWS and no clock. It does not load pydantic, because reads load this module, too. ``payloads``
checks callers' values against the limits in this module.
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
OPEN_STATUSES = tuple(status for status in STATUSES if status not in ("closed", "dismissed"))

ALLOWED_TRANSITIONS: dict[str, tuple[str, ...]] = {
    "new": ("investigating", "contained", "closed", "dismissed"),
    "investigating": ("contained", "recovering", "review", "closed", "dismissed"),
    "contained": ("investigating", "recovering", "review", "closed", "dismissed"),
    "recovering": ("investigating", "contained", "review", "closed"),
    "review": ("investigating", "recovering", "closed"),
    "closed": ("investigating", "review"),
    "dismissed": ("investigating",),
}
"""The statuses that may follow each status. An incident may keep its status. A new incident may have any status."""


class Incident(TypedDict):
    """An incident with every field, in the order of the answer.

    An unset field is None, and an unset list is ``[]``. ``app_id`` exists only if an application created the incident.
    Timestamps are texts from ``timestamps``, minutes are whole, ``financial_impact`` is in USD. ``lessons_learned`` and
    ``regulatory_reports`` are kept as JSON text: a write serializes them once, and a read never parses them.
    """

    # The server sets these fields
    id: str
    tenant_id: str
    app_id: NotRequired[str]
    created_at: str
    updated_at: str
    created_by: str
    updated_by: str
    version: int  # 1 after the create; each change adds 1
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
    # Lists of related ids, the owner and the tags
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
    # The times at which others were notified
    reported_to_regulators_at: str | None
    customer_notified_at: str | None
    # The incident's duration and cost
    mttd_minutes: int | None
    mttr_minutes: int | None
    financial_impact: Decimal | None
    lessons_learned: str | None
    # The known facts of the reports to regulators
    regulatory_reports: str | None


class Change(NamedTuple):
    """One entry of an incident's trail. ``changes`` holds (from, to) of each changed field.

    If a finding created the incident, ``dates`` names the part of the event from which each date was read. If a finding
    made the change, ``evidence`` is the SHA-256 of its event, unless the event was only counted.

    ``hash`` covers the change and the hash of the change before it, so the changes form a chain. ``nonce`` makes the
    hash unpredictable. ``state_hash`` covers the incident's values after the change. Only the first change of a chain
    has it. Release 0.1.0 stored none of the three. docs/history.md has the format.
    """

    version: int
    at: str
    by: str
    action: Action
    changes: dict[str, tuple[Any, Any]]
    dates: Mapping[str, str] | None = None
    evidence: str | None = None
    nonce: str | None = None
    state_hash: str | None = None
    hash: str | None = None


FIELDS: tuple[str, ...] = tuple(Incident.__annotations__)

STAMPED = frozenset({
    "id", "tenant_id", "app_id", "created_at", "updated_at", "created_by", "updated_by", "deleted_at", "deleted_by",
    "schema_version", "version",
})  # fmt: skip
"""Fields that only the server writes. A caller who sends such a field gets an error."""

ID_LISTS = frozenset({
    "realized_risk_ids", "affected_asset_ids", "affected_account_ids", "consolidated_investigation_ids",
    "triggered_by_alert_ids", "commander_ids", "corrective_action_ids", "reportable_to",
})  # fmt: skip
LISTS = ID_LISTS | {"tags"}

LINES = frozenset({"incident_number", "title", "category", "source", "owner_id"}) | LISTS
PARAGRAPHS = frozenset({"description", "root_cause"})
"""The fields with texts of one line (or lists of them) and with texts of several lines. ``texts`` has the rules."""

JSON_TEXTS = ("lessons_learned", "regulatory_reports")
"""The fields with any JSON, or with an object. Both are kept as JSON text."""

DERIVED = frozenset({"mttd_minutes", "mttr_minutes"})

TOLD_AT = "reported_to_regulators_at"
DERIVED_TOLD_AT = "derived_reported_to_regulators_at"
"""The name of a stored attribute that marks a derived ``TOLD_AT``. The attribute has the same value as ``TOLD_AT``.

The attribute is not a field of the API. If it is missing or has another value, a caller gave ``TOLD_AT``. It is missing
from all incidents of release 0.1.0. An older release can replace a derived ``TOLD_AT``, and then the two values differ.
"""

MILESTONES = ("occurred_at", "detected_at", "contained_at", "closed_at")
"""The milestones in their required order in time. An unknown milestone is skipped."""

SCHEMA_VERSION = 1

# The forms of ids
TENANT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")  # case counts
TENANT_ID_RULE = "2 to 63 of A-Z, a-z, 0-9 and ._-, beginning with a letter or a digit"
ACCOUNT_ID = re.compile(r"[0-9]{12}")
EVENT_SOURCE = re.compile(r"[A-Za-z0-9._/-]{1,256}")  # a producer's event source, which is part of a table key
EVENT_SOURCE_RULE = "1 to 256 of A-Z, a-z, 0-9 and ._-/"
INCIDENT_ID = re.compile(r"inc_[0-7][0-9A-HJKMNP-TV-Z]{25}")  # a ULID: 48 bits of time, 80 random bits

# Limits. Characters are Unicode code points. Bytes are bytes of UTF-8.
TITLE_CHARACTERS = 300
TEXT_BYTES = 32 * 1024  # the limit of description, root_cause and lessons_learned
JSON_LEVELS = 16  # lessons_learned
CATEGORY_CHARACTERS = 64
SOURCE_CHARACTERS = 64
ID_CHARACTERS = 2048  # an ARN of AWS
LIST_IDS = 500
TAGS, TAG_CHARACTERS = 50, 256
NUMBER_CHARACTERS = 64
COUNTED_DIGITS = 15  # if a caller's incident number has more digits, it does not raise the counter
IMPACT_MAX, IMPACT_DECIMALS = Decimal(10**15), 4
MINUTES_MAX = 5_000_000_000  # more than the minutes from the first to the last possible timestamp
DOCUMENT_BYTES = 128 * 1024  # with this limit, a change with its old and new values stays below DynamoDB's 400 KB

_GENERATED = re.compile(r"INC-([0-9]{4})-([0-9]{6,})")
_LIKE_GENERATED = re.compile(r" *INC-[0-9]{4}-[0-9]{6,} *", re.IGNORECASE)

_PAIRS_IN_ORDER = (
    *combinations(MILESTONES, 2),
    ("detected_at", "reported_at"),
    ("occurred_at", "reported_at"),  # needed only if detected_at is unknown
)
LAST_KNOWN_END = "closed-at-last-known"
"""The tag of an incident whose end is unknown. ``closed_at`` is then the last known date of the incident.

The incident's ``mttr_minutes`` are not derived. The metrics count the minutes to ``closed_at`` as ``imported``.
"""
MINUTES = {"mttd_minutes": ("occurred_at", "detected_at"), "mttr_minutes": ("detected_at", "closed_at")}


_UNSET: dict[str, Any] = {field: None for field in FIELDS if field != "app_id"} | {"is_deleted": False}


def unset_fields() -> dict[str, Any]:
    """Return every field, unset, in the order of the answer. ``app_id`` is absent."""
    fields = _UNSET.copy()
    for field in LISTS:
        fields[field] = []
    return fields


def apply_rules(
    incident: Incident, given: Mapping[str, Any], now: str, before: Incident | None = None
) -> list[Violation]:
    """Apply the rules between fields to ``incident``, in place, and return the rules that the values break.

    ``given`` holds the caller's values of this request, which are already merged into ``incident``. ``now`` is the time
    of the request. ``before`` is the incident before the change, or None for a new incident.

    If the incident enters a status, the milestone of the status is stamped. If the incident leaves ``closed``,
    ``closed_at`` is cleared. Then the minutes are derived.
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
    """Stamp the milestone of the status if it is unset, and return the names of the stamped fields.

    The stamp is never before an earlier milestone.
    """
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
    """Return a violation for each pair of timestamps in the wrong order.

    The violation names the later field. It names the earlier field if the caller sent only the earlier field.
    """
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
    """Derive the minutes in place, and return a violation for each given value that contradicts its timestamps.

    MTTD is detection minus occurrence (NIST SP 800-61r2 3.4.2). MTTR is closing minus detection; R means resolve.

    - If both timestamps are known, the derived value replaces the given value, even a null. A given value that differs
      is a violation, unless the server has just stamped the second timestamp.
    - If the incident has the tag ``LAST_KNOWN_END``, its end is only the last known date, and MTTR is unknown.
    - If a timestamp is missing, the caller's value (for example an imported value) stays.
    - If a timestamp was removed, the derived value is removed too, unless the caller gives a value.
    - If nobody gave a value, the value is None, never 0.

    ``before`` is the incident before the change. For a new incident, it is ``incident`` itself.
    """
    values: dict[str, Any] = incident  # type: ignore[assignment]  # all of its keys exist
    earlier: Mapping[str, Any] = before
    violations = []
    for field, (start, end) in MINUTES.items():
        if values[start] is not None and values[end] is not None:
            minutes = timestamps.minutes_between(values[start], values[end])
            if given.get(field) not in (None, minutes) and end not in stamped:
                violations.append(
                    Violation(f"/{field}", f"must be {minutes}, the minutes from {start} to {end}, or be left out")
                )
            is_known = field != "mttr_minutes" or LAST_KNOWN_END not in incident["tags"]
            values[field] = minutes if is_known else None
        elif field not in given and earlier[start] is not None and earlier[end] is not None:
            values[field] = None
    return violations


def is_derived(incident: Mapping[str, Any]) -> bool:
    """Return whether the service derived ``TOLD_AT`` from the submissions. Otherwise, a caller gave it."""
    return incident.get(DERIVED_TOLD_AT) is not None and incident[DERIVED_TOLD_AT] == incident[TOLD_AT]


def changed_values(before: Incident, after: Incident) -> dict[str, tuple[Any, Any]]:
    """Return (from, to) of every field that differs, except the server's stamps that every change sets.

    ``TOLD_AT`` also counts as changed if a caller gave exactly the derived value, or removed the given value with null.
    Then the two values of the change can be equal.
    """
    old: Mapping[str, Any] = before
    new: Mapping[str, Any] = after
    changes = {
        field: (old[field], new[field])
        for field in new
        if field not in ("updated_at", "updated_by", "version", DERIVED_TOLD_AT) and old[field] != new[field]
    }
    if is_derived(old) != is_derived(new):
        changes[TOLD_AT] = (old[TOLD_AT], new[TOLD_AT])
    return changes


def action(before: Incident, after: Incident) -> Action:
    """Return the action of a change, such as ``closed``. Deletion and restoration have priority."""
    if before["is_deleted"] != after["is_deleted"]:
        return "deleted" if after["is_deleted"] else "restored"
    if "closed" in (before["status"], after["status"]) and before["status"] != after["status"]:
        return "closed" if after["status"] == "closed" else "reopened"
    return "updated"


def generated_number(year: int, count: int) -> str:
    """Return an incident number in the server's own form, such as ``INC-2026-000042``."""
    return f"INC-{year:04d}-{count:06d}"


def parse_generated(incident_number: str) -> tuple[int, int] | None:
    """Return (year, count) of an incident number in the server's own form, or None for any other number."""
    match = _GENERATED.fullmatch(incident_number)
    if match is None:
        return None
    parsed = int(match[1]), int(match[2])
    return parsed if incident_number == generated_number(*parsed) else None


def count_raised_by(incident_number: str) -> tuple[int, int] | None:
    """Return (year, count) if a given number raises its year's counter to this count, or None if it does not.

    A number with more than 15 digits raises nothing, because a counter must stay far below the 38 digits of DynamoDB's
    numbers. If the counter ever reaches a number that exists already, the create draws the next number.
    """
    generated = parse_generated(incident_number)
    return generated if generated and generated[1] < 10**COUNTED_DIGITS else None


def rules_for_applications(given: Mapping[str, Any]) -> list[Violation]:
    """Return a violation if an application gives a number of the server's form.

    Such a number would raise the tenant's counter.

    A number that people could take for one of the server's numbers is refused, too: in lower case, with blanks at its
    ends, or with more zeros.
    """
    if not _LIKE_GENERATED.fullmatch(given.get("incident_number") or ""):
        return []
    rule = "must not have the server's form, like INC-2026-000042, if an application gives it"
    return [Violation("/incident_number", f"{rule}; leave it out, or give a number of another form")]
