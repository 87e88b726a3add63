"""Query parameters, path parameters and headers, with the bounds that the service holds callers to."""

from typing import Any, get_args

from incidents import filters, http_api, keys, model
from incidents.metrics import window

from .schemas import Schema

Parameter = dict[str, Any]

_TIMESTAMP: Schema = {"type": "string", "format": "date-time"}

_DESCRIPTIONS = {
    "status": "Incidents in one of these statuses.",
    "severity": "Incidents of one of these severities.",
    "category": "Incidents of one of these categories.",
    "owner_id": "Incidents of one of these owners.",
    "source": "Incidents from one of these sources.",
    "tag": "Incidents with one of these tags.",
    "app_id": "Incidents that one of these applications made. The token of an application shows its own in any case.",
    "limit": "How many items a page holds at most. It may hold fewer, and yet not be the last.",
    "cursor": "The `next_cursor` of an earlier page of the same list: unchanged, with the same filters and order.",
    "order": "By the time of creation: newest first, or oldest first.",
    "created_from": "Created at this moment or later.",
    "created_to": "Created at this moment or earlier.",
    "detected_from": "Detected at this moment or later.",
    "detected_to": "Detected at this moment or earlier.",
    "incident_number": "The incident of this number.",
    "include_deleted": "Show deleted incidents too.",
    "from": f"The first day: {window.DAYS_DEFAULT - 1} days before `to` by default, {window.DAYS_MAX - 1} at most.",
    "to": "The last day, UTC, included; by default today. It may lie in the future.",
    "group_by": "What `groups` are made of.",
    "interval": "How long a span of `trend` is: weeks begin on Monday.",
}

_SCHEMAS: dict[str, Schema] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": filters.LIMIT_MAX, "default": filters.LIMIT_DEFAULT},
    "cursor": {"type": "string", "minLength": 1},
    "order": {"type": "string", "enum": ["desc", "asc"], "default": "desc"},
    "incident_number": {"type": "string", "minLength": 1, "maxLength": model.NUMBER_CHARACTERS},
    "include_deleted": {"type": "boolean", "default": False},
    "from": {"type": "string", "format": "date"},
    "to": {"type": "string", "format": "date"},
    "group_by": {"type": "string", "enum": [*get_args(window.GroupBy)], "default": get_args(window.GroupBy)[0]},
    "interval": {"type": "string", "enum": [*get_args(window.Interval)], "default": get_args(window.Interval)[0]},
    **dict.fromkeys(filters.RANGES, _TIMESTAMP),
}


def of_list() -> list[Parameter]:
    return [*(_repeatable(name) for name in filters.REPEATABLE), *(_single(name) for name in filters.SINGLE)]


def of_changes() -> list[Parameter]:
    return [_single("limit"), _single("cursor")]


def of_metrics() -> list[Parameter]:
    return [_single(name) for name in window.PARAMETERS]


def incident_id() -> Parameter:
    return {
        "name": "incident_id",
        "in": "path",
        "required": True,
        "description": "The id of the incident. What is not the id of one is a 404.",
        "schema": {"type": "string", "pattern": f"^{keys.INCIDENT_ID.pattern}$"},
    }


def idempotency_key() -> Parameter:
    return _header(
        "Idempotency-Key",
        "A word of your own for this request, kept for 24 hours: the same request again, with the same key, makes no "
        "second incident and gets the first one.",
        {"type": "string", "minLength": 1, "maxLength": http_api.KEY_CHARACTERS},
    )


def if_match() -> Parameter:
    return _header("If-Match", "The `ETag` that the incident must still have; else nothing is changed.")


def if_none_match() -> Parameter:
    return _header("If-None-Match", "An `ETag` that you know already: a 304 says that nothing has changed since.")


def _header(name: str, description: str, schema: Schema | None = None) -> Parameter:
    return {"name": name, "in": "header", "description": description, "schema": schema or {"type": "string"}}


def _single(name: str) -> Parameter:
    return {"name": name, "in": "query", "description": _DESCRIPTIONS[name], "schema": _SCHEMAS[name]}


def _repeatable(name: str) -> Parameter:
    vocabulary = {"status": model.STATUSES, "severity": model.SEVERITIES}.get(name)
    one: Schema = {"type": "string", "minLength": 1, "maxLength": model.ID_CHARACTERS}
    schema = {
        "type": "array",
        "items": {"type": "string", "enum": [*vocabulary]} if vocabulary else one,
        "maxItems": filters.VALUES_MAX,
    }
    description = f"{_DESCRIPTIONS[name]} Repeat it for several, up to {filters.VALUES_MAX}."
    return {"name": name, "in": "query", "description": description, "schema": schema, "explode": True}
