"""The schemas of the reports to regulators, and of the answer with an incident's deadlines."""

from collections.abc import Mapping

from incidents.domain import questions, report_names, reports
from incidents.domain.deadlines import history as trail

from .json_schema import TIMESTAMP, Schema

STATES = (
    "not_applicable", "pending_anchor", "waiting_previous", "setting_missing", "running", "submitted", "submitted_late",
    "overdue", "no_fixed_term", "off",
)  # fmt: skip
"""The states of a stage. `off`: the regime is switched off, pending, or the rule is unconfirmed."""
REGIME_STATES = ("on", "off", "no_rule", "not_reportable")

_MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
_TEXT: Schema = {"type": "string"}
_OPTIONAL: Schema = {"type": ["string", "null"]}


def _patched(properties: Mapping[str, Schema] | Schema, *, named: bool = True) -> Schema:
    """Return the schema of an object in a merge patch: with named properties, or with any names."""
    if not named:
        return {"type": ["object", "null"], "additionalProperties": properties}
    return {"type": ["object", "null"], "additionalProperties": False, "properties": properties}


_SUBMISSION = {
    "submitted_at": _MOMENT | {"description": "When the stage was submitted for the first time."},
    "resubmitted_at": _MOMENT | {"description": "When the last update of the stage was submitted."},
    "reference": _OPTIONAL
    | {"minLength": 1, "maxLength": reports.REFERENCE_CHARACTERS, "description": "The recipient's reference."},
}
_FACTS: dict[str, Schema] = {
    "member_state": {"type": ["string", "null"], "enum": [*report_names.MEMBER_STATES, None]},
    "dora_exempt": {"type": ["boolean", "null"]},
}
REPORTS = _patched(
    _patched({
        "anchors": _patched(_MOMENT, named=False),
        "facts": _patched(_FACTS),
        "stages": _patched(_patched(_SUBMISSION), named=False),
    }),
    named=False,
)  # fmt: skip
"""The schema of ``regulatory_reports`` in a request. The names of regimes, anchors and stages are in the errors."""


def schemas() -> dict[str, Schema]:
    """Return the schemas of an answer with deadlines, by name."""
    stage = {
        "stage": _TEXT,
        "recipient": _TEXT,
        "condition": _described(_OPTIONAL, "The stage is due only under this condition. A person checks it."),
        "state": {"type": "string", "enum": [*STATES]},
        "due_at": _described(_MOMENT, "When the report is due. Null if it is not known: see `why`."),
        "due_local": _described(_OPTIONAL, "`due_at` with the offset of the zone."),
        "alternative": _described(
            _MOMENT, "The date by another reading of the rule, which may be unconfirmed: see `why`."
        ),
        "projected_at": _described(_MOMENT, "No due date, but a projection: `why` says what it assumes."),
        "why": _described(_TEXT, "The reason for the date, with the citation and the version of the rules."),
        "anchor": _described(_OPTIONAL, "The event from which the term counts."),
        "anchor_at": _MOMENT,
        "anchor_missing": _described(_OPTIONAL, "The anchor that nobody has recorded yet."),
        "setting_missing": _described(_OPTIONAL, "The tenant's setting that the date needs."),
        "warn_at": _described(_MOMENT, "When to warn that the incident is not classified yet."),
        "elapsed_minutes": {"type": ["integer", "null"], "minimum": 0, "format": "int64"},
        "submitted_at": _MOMENT,
        "resubmitted_at": _MOMENT,
        "reference": _OPTIONAL,
        "note": _OPTIONAL,
        "citation": _TEXT,
        "source_kind": {"type": "string", "enum": ["primary", "official", "secondary", "unconfirmed"]},
        "why_off": _OPTIONAL,
        "unconfirmed_at": _described(
            _MOMENT, "The date that the stage would have if it were not `off`. `why_off` has the reason."
        ),
    }
    regime = {
        "named": _described(_OPTIONAL, "The text in `reportable_to`."),
        "regime": _described(_OPTIONAL, "The id of the regime. Null without a rule for the text."),
        "state": {"type": "string", "enum": [*REGIME_STATES]},
        "why": _OPTIONAL,
        "stages": {"type": "array", "items": _reference("StageDeadline")},
    }
    more = dict.fromkeys(("applies_to", "trigger", "citation", "note", "zone", "member_state", "calendar"), _OPTIONAL)
    moved = {"regime": _TEXT, "stage": _TEXT, "from": _MOMENT, "to": _MOMENT}
    change = {
        "version": {"type": "integer", "minimum": 1, "format": "int64"},
        "at": TIMESTAMP,
        "by": _TEXT,
        "due_dates": {"type": "array", "items": _object(moved)},
    }
    answer = {
        "incident_id": _TEXT,
        "version": {"type": "integer", "minimum": 1, "format": "int64"},
        "as_of": TIMESTAMP,
        "rules_version": _TEXT,
        "calendars_generated_on": {"type": "string", "format": "date"},
        "notice": _TEXT,
        "regimes": {"type": "array", "items": _reference("RegimeDeadlines")},
    }
    history: dict[str, Schema] = {
        "history_since_version": {
            "type": "integer", "minimum": 1, "format": "int64",
            "description": "The first change at which `history` looks. It looks at the newest "
            f"{trail.CHANGES} changes, or at fewer if they have more than {trail.DATES} due dates.",
        },
        "history_is_partial": {
            "type": "boolean",
            "description": "True if the trail has changes before `history_since_version`. `history` omits them.",
        },
        "history": {"type": "array", "items": _reference("DeadlineChange")},
    }  # fmt: skip
    open_stage = {
        "regime": _TEXT,
        "stage": _TEXT,
        "state": {"type": "string", "enum": [*questions.OPEN_STAGES]},
        **{name: stage[name] for name in ("due_at", "projected_at", "anchor_missing", "setting_missing")},
    }
    entry = {
        "incident_id": _TEXT,
        "incident_number": _TEXT,
        "app_id": _OPTIONAL,
        "status": _reference("Status"),
        "version": _described(
            {"type": "integer", "minimum": 1, "format": "int64"},
            "The version of the incident that the service used for this entry.",
        ),
        "stages": _described(
            {"type": "array", "items": _reference("OpenStage"), "minItems": 1},
            "The open stages, in the order of their dates.",
        ),
    }
    return {
        "OpenStage": _object(open_stage) | {"title": "OpenStage"},
        "BoardEntry": _object(entry) | {"title": "BoardEntry"},
        "StageDeadline": _object(stage) | {"title": "StageDeadline"},
        "RegimeDeadlines": _object(regime, more) | {"title": "RegimeDeadlines"},
        "DeadlineChange": _object(change) | {"title": "DeadlineChange"},
        "Deadlines": _object(answer, history) | {"title": "Deadlines"},
    }


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    return {"type": "object", "required": [*required], "properties": {**required, **(optional or {})}}


def _described(schema: Schema, description: str) -> Schema:
    return schema | {"description": description}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
