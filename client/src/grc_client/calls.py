"""Describe each operation of the API as a ``Call``. This module sends nothing."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import uuid4

from .answer import RawResponse
from .fields import BoardFilters, IncidentFilters, IncidentPatch, MetricsWindow, Moment, NewIncident
from .models import BoardEntry, Change, Deadlines, Finding, Incident, Metrics

PATH = "/api/v1/grc/incidents"
UPDATES_LIMIT = 100  # the incidents of one page of updates; more would be refused
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
_INCIDENT_ID = re.compile(r"inc_\w+", re.ASCII)

T = TypeVar("T")


class Call(NamedTuple, Generic[T]):
    """The description of one request, and the function that reads its answer (``read``).

    ``repeatable`` is true if sending the request twice has the same effect as sending it once.
    """

    method: str
    path: str
    read: Callable[[RawResponse[Any]], T]
    repeatable: bool
    parameters: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = MappingProxyType({})
    body: str | None = None


class Slice(NamedTuple, Generic[T]):
    """The items of one page of a list, and the cursor of the next page. The cursor is None on the last page."""

    items: tuple[T, ...]
    next_cursor: str | None
    request_id: str | None


class Updates(NamedTuple):
    """A page of the incidents that changed, and the cursor of the next page. ``next_cursor`` stays valid: store it.

    ``caught_up`` is true if the page ends with the newest update that the API shows now.
    """

    items: tuple[Incident, ...]
    next_cursor: str
    caught_up: bool
    request_id: str | None


def create_incident(idempotency_key: str | None, fields: NewIncident) -> Call[Incident]:
    _known(fields, NewIncident)
    key = str(uuid4()) if idempotency_key is None else idempotency_key
    headers = {"idempotency-key": _header("idempotency_key", key), "content-type": "application/json"}
    return Call("POST", PATH, _incident, repeatable=True, headers=headers, body=_json(fields))


def get_incident(incident_id: str) -> Call[Incident]:
    return Call("GET", _path(incident_id), _incident, repeatable=True)


def list_incidents(filters: IncidentFilters) -> Call[Slice[Incident]]:
    _known(filters, IncidentFilters)
    return Call("GET", PATH, _slice_of_incidents, repeatable=True, parameters=_query(filters))


def update_incident(incident_id: str, if_match: str | None, patch: IncidentPatch) -> Call[Incident]:
    _known(patch, IncidentPatch)
    return _patch(incident_id, if_match, _json(patch))


def restore_incident(incident_id: str, if_match: str | None) -> Call[Incident]:
    return _patch(incident_id, if_match, '{"is_deleted": false}')


def delete_incident(incident_id: str, if_match: str | None) -> Call[None]:
    headers = _precondition(if_match)
    return Call("DELETE", _path(incident_id), _nothing, repeatable=not headers, headers=headers)


def list_incident_changes(incident_id: str, limit: int | None, cursor: str | None) -> Call[Slice[Change]]:
    parameters = _query({"cursor": cursor} | ({} if limit is None else {"limit": limit}))
    return Call("GET", _path(incident_id) + "/changes", _slice_of_changes, repeatable=True, parameters=parameters)


def list_incident_findings(incident_id: str, limit: int | None, cursor: str | None) -> Call[Slice[Finding]]:
    parameters = _query({"cursor": cursor} | ({} if limit is None else {"limit": limit}))
    return Call("GET", _path(incident_id) + "/findings", _slice_of_findings, repeatable=True, parameters=parameters)


def get_incident_deadlines(incident_id: str, history: bool) -> Call[Deadlines]:
    parameters = _query({"history": True} if history else {})
    return Call("GET", _path(incident_id) + "/deadlines", _deadlines, repeatable=True, parameters=parameters)


def list_deadlines(filters: BoardFilters) -> Call[Slice[BoardEntry]]:
    _known(filters, BoardFilters)
    return Call("GET", PATH + "/deadlines", _slice_of_entries, repeatable=True, parameters=_query(filters))


def list_incident_updates(since: Moment | None, cursor: str | None) -> Call[Updates]:
    """Return the call that reads updates after a cursor or, without one, since a moment or from the beginning."""
    begin = {} if since is None else {"since": since}
    parameters = _query({"limit": UPDATES_LIMIT} | (begin if cursor is None else {"cursor": cursor}))
    return Call("GET", PATH + "/updates", _updates, repeatable=True, parameters=parameters)


def further(call: Call[Slice[T]], cursor: str) -> Call[Slice[T]]:
    """Return a copy of ``call`` with another cursor, to read another page of the same list."""
    others = tuple(parameter for parameter in call.parameters if parameter[0] != "cursor")
    return call._replace(parameters=(*others, ("cursor", cursor)))


def get_incident_metrics(window: MetricsWindow) -> Call[Metrics]:
    _known(window, MetricsWindow)
    return Call("GET", PATH + "/metrics", _metrics, repeatable=True, parameters=_query(window))


def _patch(incident_id: str, if_match: str | None, body: str) -> Call[Incident]:
    """Return the call of a JSON Merge Patch. With ``if_match``, the call is not repeatable.

    The first success changes the incident's version. The same request would then fail.
    """
    condition = _precondition(if_match)
    headers = {"content-type": "application/merge-patch+json", **condition}
    return Call("PATCH", _path(incident_id), _incident, repeatable=not condition, headers=headers, body=body)


def _precondition(if_match: str | None) -> dict[str, str]:
    return {} if if_match is None else {"if-match": _header("if_match", if_match)}


def _header(name: str, value: str) -> str:
    if not _HEADER_VALUE.fullmatch(value):
        raise ValueError(
            f"{name} must be printable ASCII, not empty, and without a space at either end; it is {value!r}"
        )
    return value


def _path(incident_id: str) -> str:
    if not _INCIDENT_ID.fullmatch(incident_id):
        raise ValueError(
            f"incident_id must be an id like inc_01M83J8EHSBKC38ZQ0R08TEPS6, not {incident_id!r}; "
            "to find an incident by its number, use list(incident_number=...)"
        )
    return f"{PATH}/{incident_id}"


def _known(given: Mapping[str, Any], kind: type) -> None:
    """Raise TypeError for an unknown keyword argument, as Python does for a function with named parameters."""
    for name in given:
        if name not in kind.__annotations__:
            closest = get_close_matches(name, kind.__annotations__, n=1, cutoff=0.8)  # finds only typos
            meant = f"did you mean {closest[0]}?" if closest else f"use one of {', '.join(kind.__annotations__)}"
            raise TypeError(f"{name!r} is not a keyword argument here; {meant}")


def _json(fields: Mapping[str, Any]) -> str:
    """Return fields as a JSON object. A Decimal becomes a number with all its digits, which a float could lose."""
    return "{" + ", ".join(f"{json.dumps(name)}: {_value(name, value)}" for name, value in fields.items()) + "}"


def _value(name: str, value: object) -> str:
    try:
        if isinstance(value, Decimal) and value.is_finite():
            return format(value, "f")
        return json.dumps(float(value) if isinstance(value, Decimal) else value, default=_format_value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def _query(parameters: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    query = []
    for name, value in parameters.items():
        values = value if isinstance(value, list | tuple) else (value,)
        if values == (None,) and name == "cursor":  # without a cursor, the API returns the first page
            continue
        if not values or None in values:  # if such a filter were ignored, the list would have all incidents
            raise ValueError(f"{name} must have a value; omit it to list without this filter")
        query += [
            (name.rstrip("_"), str.__str__(member) if isinstance(member, str) else _format_value(member))
            for member in values
        ]
    return tuple(query)


def _format_value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case date():  # also matches a datetime
            return value.isoformat()
    raise TypeError(f"{value!r} must be a JSON value or a date")


def _nothing(answer: RawResponse[Any]) -> None:
    if answer.status != 204:
        raise ValueError("the status must be 204")


def _incident(answer: RawResponse[Any]) -> Incident:
    replayed = answer.headers.get("idempotency-replayed") == "true"
    return Incident.model_validate(_loads(answer))._made(request_id=answer.request_id, replayed=replayed)


def _deadlines(answer: RawResponse[Any]) -> Deadlines:
    return Deadlines.model_validate(_loads(answer))._made(request_id=answer.request_id)


def _metrics(answer: RawResponse[Any]) -> Metrics:
    return Metrics.model_validate(_loads(answer))._made(request_id=answer.request_id)


def _slice_of_incidents(answer: RawResponse[Any]) -> Slice[Incident]:
    page = _loads(answer)
    incidents = (Incident.model_validate(item)._made(request_id=answer.request_id) for item in page["items"])
    return Slice(tuple(incidents), page["next_cursor"], answer.request_id)


def _updates(answer: RawResponse[Any]) -> Updates:
    return Updates(_slice_of_incidents(answer).items, *place_of(answer), answer.request_id)


def place_of(answer: RawResponse[Any]) -> tuple[str, bool]:
    """Return the cursor of the next page of updates, and whether no update waits there now."""
    page = _loads(answer)
    cursor, caught_up = page["next_cursor"], page["caught_up"]
    if not isinstance(cursor, str) or not isinstance(caught_up, bool):
        raise TypeError("a page of updates must have a next_cursor and caught_up")
    return cursor, caught_up


def _slice_of_changes(answer: RawResponse[Any]) -> Slice[Change]:
    page = _loads(answer)
    return Slice(tuple(map(Change.model_validate, page["items"])), page["next_cursor"], answer.request_id)


def _slice_of_findings(answer: RawResponse[Any]) -> Slice[Finding]:
    page = json.loads(answer.body)  # an event has no amounts of money
    return Slice(tuple(map(Finding.model_validate, page["items"])), page["next_cursor"], answer.request_id)


def _slice_of_entries(answer: RawResponse[Any]) -> Slice[BoardEntry]:
    page = _loads(answer)
    return Slice(tuple(map(BoardEntry.model_validate, page["items"])), page["next_cursor"], answer.request_id)


def _loads(answer: RawResponse[Any]) -> Any:
    return json.loads(answer.body, parse_float=Decimal)
