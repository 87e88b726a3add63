"""What a list may be narrowed by: from query parameters to values, and from values to a DynamoDB filter expression."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from . import keys, model, timestamps
from .errors import MalformedRequest

REPEATABLE = ("status", "severity", "category", "owner_id", "source", "tag", "app_id")
RANGES = ("created_from", "created_to", "detected_from", "detected_to")
SINGLE = ("limit", "cursor", "order", *RANGES, "incident_number", "include_deleted")
VALUES_MAX = 10  # of one parameter; each value of an indexed one is a query of its own
LIMIT_DEFAULT, LIMIT_MAX = 50, 100
ORDERS = ("desc", "asc")

_VOCABULARIES = {"status": model.STATUSES, "severity": model.SEVERITIES}
_FIRST, _LAST = "1970-01-01T00:00:00.000Z", "9998-12-31T23:59:59.999Z"


class Filters(NamedTuple):
    """What a list shows: one of the values of each field that is named, and inside both ranges, both ends included."""

    any_of: Mapping[str, tuple[str, ...]]
    created: tuple[str, str]
    detected: tuple[str, str] | None
    incident_number: str | None
    include_deleted: bool

    def canonical(self) -> str:
        """Return the same text for the same filters, in whatever order they were given."""
        return json.dumps([sorted((name, sorted(values)) for name, values in self.any_of.items()), *self[1:]])

    def id_range(self) -> tuple[str, str]:
        """Return the first and the last id of incidents created within ``created``: an id begins with its time."""
        first, last = (timestamps.to_milliseconds(end) for end in self.created)
        return keys.ids_made_at(first)[0], keys.ids_made_at(last)[1]

    def expression(self, *, already_selected: str | None) -> tuple[str, dict[str, str], dict[str, Any]]:
        """Return a filter expression with its names and values, but for the field that the index has selected."""
        parts: list[str] = []
        names: dict[str, str] = {}
        values: dict[str, Any] = {}
        for field, accepted in self.any_of.items():
            if field == already_selected:
                continue
            places = [f":{field}{n}" for n in range(len(accepted))]
            values |= {place: {"S": value} for place, value in zip(places, accepted, strict=True)}
            if field == "tag":
                names["#tags"] = "tags"
                parts.append(f"({' OR '.join(f'contains(#tags, {place})' for place in places)})")
            else:
                names[f"#{field}"] = field
                parts.append(f"#{field} IN ({', '.join(places)})")
        if self.detected:
            names["#detected_at"] = "detected_at"
            values |= {":detected_from": {"S": self.detected[0]}, ":detected_to": {"S": self.detected[1]}}
            parts.append("#detected_at BETWEEN :detected_from AND :detected_to")
        return " AND ".join(parts), names, values


class ListRequest(NamedTuple):
    """The parameters of a list, read."""

    filters: Filters
    limit: int
    newest_first: bool
    cursor: str | None


def from_parameters(parameters: Mapping[str, list[str]]) -> ListRequest:
    """Read the query string of a list. Raises MalformedRequest, naming the parameter and what would be right."""
    for name, values in parameters.items():
        if name not in REPEATABLE and name not in SINGLE:
            known = ", ".join((*REPEATABLE, *SINGLE))
            raise MalformedRequest(f"The parameter {name[:64]!a} is not known; known are {known}.")
        if name in SINGLE and len(values) > 1:
            raise MalformedRequest(f"The parameter {name} must be given once.")
        if len(values) > VALUES_MAX:
            raise MalformedRequest(f"The parameter {name} must be given at most {VALUES_MAX} times.")
    single = {name: values[0] for name, values in parameters.items() if name in SINGLE}
    detected = _range("detected", single) if {"detected_from", "detected_to"} & set(single) else None
    number = single.get("incident_number")
    if number is not None and not 1 <= len(number) <= model.NUMBER_CHARACTERS:
        raise MalformedRequest(f"The parameter incident_number must be 1 to {model.NUMBER_CHARACTERS} characters.")
    filters = Filters(
        any_of={name: _accepted(name, parameters[name]) for name in REPEATABLE if name in parameters},
        created=_range("created", single),
        detected=detected,
        incident_number=number,
        include_deleted=_choice(single, "include_deleted", ("false", "true")) == "true",
    )
    newest_first = _choice(single, "order", ORDERS) == "desc"
    return ListRequest(filters, limit(single.get("limit")), newest_first, single.get("cursor"))


def limit(text: str | None) -> int:
    """Read a page's limit; 50 unless asked otherwise."""
    if text is None:
        return LIMIT_DEFAULT
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= LIMIT_MAX:
        raise MalformedRequest(f"The parameter limit must be a whole number from 1 to {LIMIT_MAX}.")
    return int(text)


def _accepted(name: str, values: list[str]) -> tuple[str, ...]:
    for value in values:
        if name in _VOCABULARIES and value not in _VOCABULARIES[name]:
            raise MalformedRequest(f"The parameter {name} must be one of {', '.join(_VOCABULARIES[name])}.")
        if not 1 <= len(value) <= model.ID_CHARACTERS:
            raise MalformedRequest(f"The parameter {name} must be 1 to {model.ID_CHARACTERS} characters.")
    return tuple(dict.fromkeys(values))


def _choice(single: Mapping[str, str], name: str, choices: tuple[str, str]) -> str:
    value = single.get(name, choices[0])
    if value not in choices:
        raise MalformedRequest(f"The parameter {name} must be {' or '.join(choices)}.")
    return value


def _range(name: str, single: Mapping[str, str]) -> tuple[str, str]:
    ends = []
    for parameter, unset in ((f"{name}_from", _FIRST), (f"{name}_to", _LAST)):
        try:
            ends.append(timestamps.parse(single.get(parameter, unset)))
        except ValueError as error:
            raise MalformedRequest(f"The parameter {parameter} {error}.") from error
    if ends[0] > ends[1]:
        raise MalformedRequest(f"The parameter {name}_from must not be after {name}_to.")
    return ends[0], ends[1]
