"""The query parameters, path parameters and headers in the OpenAPI document, with the limits of the service.

No parameter has an ``example``, because the documentation page and other tools send the example as a value. They would
send a filter that matches nothing, an id without an incident, or a used key.
"""

from typing import Any, get_args

from incidents.domain import model, questions
from incidents.edges import parameters, request

from . import examples
from .json_schema import Schema, reference

Parameter = dict[str, Any]

_TIMESTAMP: Schema = {"type": "string", "format": "date-time"}
_ENTITY_TAGS: Schema = {"type": "string", "pattern": r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$'}

_DESCRIPTIONS = {
    "status": "Incidents in one of these statuses.",
    "severity": "Incidents of one of these severities.",
    "category": "Incidents of one of these categories.",
    "owner_id": "Incidents that belong to one of these owners.",
    "source": "Incidents from one of these sources.",
    "tag": "Incidents with one of these tags.",
    "affected_asset_id": "Incidents that affect one of these assets.",
    "affected_account_id": "Incidents that affect one of these accounts.",
    "triggered_by_alert_id": "Incidents that one of these alerts triggered.",
    "consolidated_investigation_id": "Incidents into which one of these investigations was merged.",
    "realized_risk_id": "Incidents that realized one of these risks.",
    "corrective_action_id": "Incidents with one of these corrective actions.",
    "commander_id": "Incidents with one of these commanders.",
    "reportable_to": "Incidents that must be reported to one of these.",
    "app_id": "Incidents that one of these applications made. A token of an application shows only its own incidents.",
    "limit": "The most items of a page. A page may have fewer items and still not be the last one.",
    "cursor": "The unchanged `next_cursor` of an earlier page of the same list, with the same filters and order.",
    "order": "The order by time of creation: newest first (`desc`) or oldest first (`asc`).",
    "created_from": "Created at this moment or later, such as `2026-10-01T00:00:00Z`.",
    "created_to": "Created at this moment or earlier, such as `2026-10-31T23:59:59.999Z`.",
    "detected_from": "Detected at this moment or later, such as `2026-10-01T00:00:00+02:00`.",
    "detected_to": "Detected at this moment or earlier, such as `2026-10-31T23:59:59+01:00`.",
    "incident_number": "The incident that has this number, such as `INC-2026-000042`.",
    "state": "Select incidents with an open stage in one of these states.",
    "regime": "Select incidents with an open stage of one of these regimes. Give the ids, such as `eu-gdpr`.",
    "incident_id": "Select these incidents, if they are on the board. Do not combine with other parameters.",
    "due_before": "Select incidents with an open stage that is due or projected before this time.",
    "history": "Also return the due dates that each of the newest 100 changes of the incident moved.",
    "include_deleted": "Include deleted incidents.",
    "open": "With `true`, incidents that are neither closed nor dismissed. With `false`, the others.",
    "unowned": "With `true`, incidents without an owner. With `false`, incidents with an owner.",
    "q": "Words that the title or the number contains. Each word must be in one of the two. Case does not matter.",
    "since": "Changed at this moment or later, such as `2026-10-01T00:00:00Z`. Not with `cursor`.",
    "from": (
        f"The first day (UTC): by default {questions.DAYS_DEFAULT - 1} days before `to`, "
        f"and at most {questions.DAYS_MAX - 1} days before it."
    ),
    "to": "The last day (UTC), included: by default today. It may be in the future.",
    "group_by": "The field whose values make the `groups`.",
    "interval": "The length of each span in `trend`. A week begins on Monday.",
}

_SCHEMAS: dict[str, Schema] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": parameters.LIMIT_MAX, "default": parameters.LIMIT_DEFAULT},
    "cursor": {"type": "string", "minLength": 1},
    "order": {"type": "string", "enum": [*parameters.ORDERS], "default": parameters.ORDERS[0]},
    "incident_number": {"type": "string", "minLength": 1, "maxLength": model.NUMBER_CHARACTERS},
    "history": {"type": "boolean", "default": False},
    "include_deleted": {"type": "boolean", "default": False},
    "open": {"type": "boolean"},
    "unowned": {"type": "boolean"},
    "q": {"type": "string", "minLength": 1, "maxLength": parameters.Q_CHARACTERS, "pattern": r"\S"},
    "from": {"type": "string", "format": "date"},
    "to": {"type": "string", "format": "date"},
    "group_by": {"type": "string", "enum": [*get_args(questions.GroupBy)], "default": get_args(questions.GroupBy)[0]},
    "interval": {"type": "string", "enum": [*get_args(questions.Interval)], "default": get_args(questions.Interval)[0]},
    **dict.fromkeys((*parameters.RANGES, "since", "due_before"), _TIMESTAMP),
}


def of_list() -> list[Parameter]:
    return [*(_repeatable(name) for name in parameters.REPEATABLE), *(_single(name) for name in parameters.SINGLE)]


def of_changes() -> list[Parameter]:
    return [_single("limit"), _single("cursor")]


def of_updates() -> list[Parameter]:
    cursor = "The unchanged `next_cursor` of an earlier page of these updates. Not with `since`."
    return [{**_single(name), **({"description": cursor} if name == "cursor" else {})} for name in parameters.UPDATES]


def of_deadlines() -> list[Parameter]:
    return [_single(name) for name in parameters.DEADLINES]


def of_board() -> list[Parameter]:
    cursor = "The unchanged `next_cursor` of an earlier page of the board, with the same filters."
    more = {"cursor": {"description": cursor}}
    single = [{**_single(name), **more.get(name, {})} for name in parameters.BOARD]
    return [*(_repeatable(name) for name in parameters.BOARD_REPEATABLE), *single]


def of_metrics() -> list[Parameter]:
    return [_single(name) for name in parameters.METRICS]


def incident_id() -> Parameter:
    return {
        "name": "incident_id",
        "in": "path",
        "required": True,
        "description": f"The incident's id, such as `{examples.ID}`. Any other text gives a 404.",
        "schema": {"type": "string", "pattern": f"^{model.INCIDENT_ID.pattern}$"},
    }


def idempotency_key() -> Parameter:
    return _header(
        "Idempotency-Key",
        "Your own name for this request, such as `report-4711`. For 24 hours, the same request with the same key "
        "returns the first incident and makes no second one.",
        {"type": "string", "minLength": 1, "maxLength": request.KEY_CHARACTERS},
    )


def if_match() -> Parameter:
    return _header(
        "If-Match",
        'The `ETag` that the incident must still have, with its quotes, such as `"1"`. If it has another one, nothing '
        "is changed. Separate several by commas to accept any of them. `*` accepts every version. A weak `ETag` (`W/`) "
        "never matches. Any other form is refused.",
        _ENTITY_TAGS,
    )


def if_none_match(*, checked: bool = True) -> Parameter:
    """Return the header If-None-Match. If ``checked`` is false, the service ignores a value that is not an ETag."""
    return _header(
        "If-None-Match",
        'The `ETag` of your copy, with its quotes, such as `"1"`, or several, separated by commas. A 304 means that '
        "your copy is current." + (" Any other form is refused." if checked else ""),
        _ENTITY_TAGS if checked else None,
    )


def _header(name: str, description: str, schema: Schema | None = None) -> Parameter:
    return {"name": name, "in": "header", "description": description, "schema": schema or {"type": "string"}}


def _single(name: str) -> Parameter:
    return {"name": name, "in": "query", "description": _DESCRIPTIONS[name], "schema": _SCHEMAS[name]}


def _repeatable(name: str) -> Parameter:
    vocabulary = {"status": "Status", "severity": "Severity"}.get(name)
    longest = parameters.LONGEST.get(name, model.ID_CHARACTERS)
    word: Schema = {"type": "string", "minLength": 1, "maxLength": longest}
    if name == "state":
        word = {"type": "string", "enum": [*questions.OPEN_STAGES]}
    most = parameters.BOARD_INCIDENTS if name == "incident_id" else parameters.VALUES_MAX
    schema = {
        "type": "array",
        "items": reference(vocabulary) if vocabulary else word,
        "maxItems": most,
    }
    description = f"{_DESCRIPTIONS[name]} Repeat the parameter for up to {most} values."
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": schema,
        "explode": True,
    }
