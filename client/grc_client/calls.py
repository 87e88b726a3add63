"""Every operation as a value: what to send, whether it may be sent again, and how to read the answer. No network."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import uuid4

import httpx

from .fields import IncidentFilters, IncidentPatch, MetricsWindow, NewIncident
from .models import Change, Incident, Metrics

PATH = "/api/v1/grc/incidents"
_INCIDENT_ID = re.compile(r"inc_\w+", re.ASCII)

T = TypeVar("T")


class Call(NamedTuple, Generic[T]):
    """One request. ``repeatable``: to send it twice comes to the same as to send it once."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    repeatable: bool
    parameters: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = MappingProxyType({})
    body: str | None = None


class Slice(NamedTuple, Generic[T]):
    """Some items of a list, and where it goes on; None at its end."""

    items: tuple[T, ...]
    next_cursor: str | None


def create_incident(idempotency_key: str | None, fields: NewIncident) -> Call[Incident]:
    _known(fields, NewIncident)
    key = str(uuid4()) if idempotency_key is None else idempotency_key
    headers = {"idempotency-key": key, "content-type": "application/json"}
    return Call("POST", PATH, _incident, repeatable=True, headers=headers, body=_json(fields))


def get_incident(incident_id: str) -> Call[Incident]:
    return Call("GET", _path(incident_id), _incident, repeatable=True)


def list_incidents(filters: IncidentFilters) -> Call[Slice[Incident]]:
    _known(filters, IncidentFilters)
    return Call("GET", PATH, _slice_of(Incident), repeatable=True, parameters=_query(filters))


def update_incident(incident_id: str, if_match: str | None, patch: IncidentPatch) -> Call[Incident]:
    _known(patch, IncidentPatch)
    return _patch(incident_id, if_match, _json(patch))


def restore_incident(incident_id: str, if_match: str | None) -> Call[Incident]:
    return _patch(incident_id, if_match, '{"is_deleted": false}')


def delete_incident(incident_id: str, if_match: str | None) -> Call[None]:
    headers = _precondition(if_match)
    return Call("DELETE", _path(incident_id), lambda _: None, repeatable=not headers, headers=headers)


def list_incident_changes(incident_id: str, limit: int | None, cursor: str | None) -> Call[Slice[Change]]:
    given = {"limit": limit, "cursor": cursor}
    parameters = _query({name: value for name, value in given.items() if value is not None})
    return Call("GET", _path(incident_id) + "/changes", _slice_of(Change), repeatable=True, parameters=parameters)


def get_incident_metrics(window: MetricsWindow) -> Call[Metrics]:
    _known(window, MetricsWindow)
    return Call("GET", PATH + "/metrics", _metrics, repeatable=True, parameters=_query(window))


def _patch(incident_id: str, if_match: str | None, body: str) -> Call[Incident]:
    """A merge patch comes to the same when it is sent twice; under a condition, its own first success refuses it."""
    condition = _precondition(if_match)
    headers = {"content-type": "application/merge-patch+json", **condition}
    return Call("PATCH", _path(incident_id), _incident, repeatable=not condition, headers=headers, body=body)


def _precondition(if_match: str | None) -> dict[str, str]:
    return {} if if_match is None else {"if-match": if_match}


def _path(incident_id: str) -> str:
    if not _INCIDENT_ID.fullmatch(incident_id):
        raise ValueError(
            f"incident_id must be an id like inc_01M83J8EHSBKC38ZQ0R08TEPS6, not {incident_id!r}; "
            "list(incident_number=...) finds an incident by its number"
        )
    return f"{PATH}/{incident_id}"


def _known(given: Mapping[str, Any], kind: type) -> None:
    """Refuse a keyword that is none, as Python does where the names stand in the signature."""
    for name in given:
        if name not in kind.__annotations__:
            raise TypeError(f"{name!r} is not one of {', '.join(kind.__annotations__)}")


def _json(fields: Mapping[str, Any]) -> str:
    """JSON in which a Decimal is a number with all its digits; a float cannot hold them."""
    return "{" + ", ".join(f"{json.dumps(name)}: {_value(value)}" for name, value in fields.items()) + "}"


def _value(value: object) -> str:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"Out of range: JSON has no {value}")
        return format(value, "f")
    return json.dumps(value, default=_text, allow_nan=False)


def _query(parameters: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name.rstrip("_"), one if isinstance(one, str) else _text(one))
        for name, value in parameters.items()
        for one in (value if isinstance(value, list | tuple) else (value,))
    )


def _text(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case date():  # and datetime
            return value.isoformat()
    raise TypeError(f"{value!r} is neither JSON nor a date")


def _incident(answer: httpx.Response) -> Incident:
    return Incident.model_validate(_loads(answer))._at(answer.headers.get("etag"))


def _metrics(answer: httpx.Response) -> Metrics:
    return Metrics.model_validate(_loads(answer))


def _slice_of(kind: type[T]) -> Callable[[httpx.Response], Slice[T]]:
    def read(answer: httpx.Response) -> Slice[T]:
        page = _loads(answer)
        return Slice(tuple(kind.model_validate(item) for item in page["items"]), page["next_cursor"])  # type: ignore[attr-defined]

    return read


def _loads(answer: httpx.Response) -> Any:
    return json.loads(answer.content, parse_float=Decimal)
