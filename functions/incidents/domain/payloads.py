"""Validate a caller's values field by field: types, limits, and an error text for every violation.

Only this module and ``lists`` load pydantic, so only functions that write spend time on loading pydantic. The limits
are in ``model``.
"""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from hashlib import sha256
from itertools import islice
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails

from . import json_text, model, reports, texts, timestamps, wire_form
from .errors import InvalidIncident, Violation
from .lists import OPERATORS, STRICT, Id, Ids, PatchedIds, PatchedTags, Tags, edited, without_form

VIOLATIONS_SHOWN = 50

_TEXTS = model.LINES | model.PARAGRAPHS


def _within_bytes(text: str) -> str:
    if len(text.encode()) > model.TEXT_BYTES:
        raise ValueError(f"must be at most {model.TEXT_BYTES // 1024} KiB of UTF-8")
    return text


def _callers_number(number: str) -> str:
    if not all(" " <= character <= "~" and character != "#" for character in number):
        raise ValueError("must be printable ASCII without #")
    return number


def _amount(value: object) -> Decimal:
    wanted = f"must be an amount in USD from 0 to {model.IMPACT_MAX:,} with at most {model.IMPACT_DECIMALS} decimals"
    if isinstance(value, bool) or not isinstance(value, int | json_text.Number):
        raise ValueError(f"{wanted}, as a JSON number")  # pydantic reports only a ValueError as a violation
    try:
        amount = Decimal(value.literal if isinstance(value, json_text.Number) else value)
        # Check the range first, because quantize() raises another error for a number with a million digits.
        if not 0 <= amount <= model.IMPACT_MAX or amount != amount.quantize(Decimal(1).scaleb(-model.IMPACT_DECIMALS)):
            raise ValueError(wanted)
    except InvalidOperation:  # the exponent is beyond Decimal's range
        raise ValueError(wanted) from None
    return amount + 0  # a negative zero becomes zero


def _whole(value: object) -> object:
    """Return 5 for 5.0, which JSON Schema counts as an integer, and any other value unchanged."""
    if not isinstance(value, json_text.Number) or not value.is_integer():
        return value
    # A float rounds a tiny number to 0, but its literal is exact. Decimal refuses an exponent beyond its range.
    try:
        return int(value) if value or not Decimal(value.literal) else value
    except InvalidOperation:
        return value


def _optional_amount(value: object) -> Decimal | None:
    return None if value is None else _amount(value)


def _json_document(value: object) -> str | None:
    if value is None:
        return None
    if any(level > model.JSON_LEVELS for _, level in _members(value)):
        raise ValueError(f"must be JSON of at most {model.JSON_LEVELS} levels")
    try:
        for number in (member for member, _ in _members(value) if isinstance(member, int)):
            float(number)
        text = json_text.dumps(value)
    except (ValueError, OverflowError):
        raise ValueError("must hold finite numbers only, within the range of a double") from None
    try:
        return _within_bytes(text)
    except UnicodeEncodeError:
        raise ValueError("must be Unicode text without lone surrogates") from None


def _members(value: object) -> Iterator[tuple[object, int]]:
    """Yield every value inside a JSON value, with its level.

    This function is not recursive, because the caller chooses the depth.
    """
    pending = [(value, 0)]
    while pending:
        value, level = pending.pop()
        if isinstance(value, dict | list):
            level += 1
            pending += [(member, level) for member in (value.values() if isinstance(value, dict) else value)]
        yield value, level


def _reports(value: object) -> object:
    """Return the value unchanged. ``reports`` checks it, because it must know the stored value and the tenant's rules.

    The document of the API describes the field at this name.
    """
    return value


Text = Annotated[str, AfterValidator(_within_bytes)]
Timestamp = Annotated[str, AfterValidator(timestamps.parse)]
Minutes = Annotated[int, Field(ge=0, le=model.MINUTES_MAX), BeforeValidator(_whole)]
Source = Annotated[str, Field(min_length=1, max_length=model.SOURCE_CHARACTERS)]
Title = Annotated[str, Field(min_length=1, max_length=model.TITLE_CHARACTERS)]
# An incident of release 0.1.0 may hold an empty category, so only the check of texts refuses a new one.
Category = Annotated[str, Field(max_length=model.CATEGORY_CHARACTERS, json_schema_extra={"minLength": 1})]
Number = Annotated[str, Field(min_length=1, max_length=model.NUMBER_CHARACTERS), AfterValidator(_callers_number)]


class _Values(BaseModel):
    """The fields that a create and a patch share."""

    model_config = STRICT

    description: Text | None = None
    root_cause: Text | None = None
    category: Category | None = None
    severity: model.Severity | None = None
    occurred_at: Timestamp | None = None
    detected_at: Timestamp | None = None
    reported_at: Timestamp | None = None
    contained_at: Timestamp | None = None
    closed_at: Timestamp | None = None
    owner_id: Id | None = None
    reported_to_regulators_at: Timestamp | None = None
    customer_notified_at: Timestamp | None = None
    mttd_minutes: Minutes | None = None
    mttr_minutes: Minutes | None = None
    financial_impact: Annotated[Any, AfterValidator(_optional_amount)] = None
    lessons_learned: Annotated[Any, AfterValidator(_json_document)] = None
    regulatory_reports: Annotated[Any, AfterValidator(_reports)] = None


class NewIncident(_Values):
    """The body of a create."""

    title: Title
    incident_number: Number | None = None
    source: Source = "edm"
    source_type: model.SourceType = "api"
    status: model.Status = "new"
    realized_risk_ids: Ids | None = None
    affected_asset_ids: Ids | None = None
    affected_account_ids: Ids | None = None
    consolidated_investigation_ids: Ids | None = None
    triggered_by_alert_ids: Ids | None = None
    commander_ids: Ids | None = None
    corrective_action_ids: Ids | None = None
    reportable_to: Ids | None = None
    tags: Tags | None = None


class IncidentPatch(_Values):
    """The body of a patch. A field that is left out keeps its value; the defaults here are never used."""

    title: Title = ""
    incident_number: Number = ""
    source: Source = ""
    source_type: model.SourceType = "api"
    status: model.Status = "new"
    is_deleted: bool = False
    realized_risk_ids: PatchedIds | None = None
    affected_asset_ids: PatchedIds | None = None
    affected_account_ids: PatchedIds | None = None
    consolidated_investigation_ids: PatchedIds | None = None
    triggered_by_alert_ids: PatchedIds | None = None
    commander_ids: PatchedIds | None = None
    corrective_action_ids: PatchedIds | None = None
    reportable_to: PatchedIds | None = None
    tags: PatchedTags | None = None


Payload = TypeVar("Payload", bound=_Values)


def new_incident(
    body: object,
    held: Mapping[str, Any] = MappingProxyType({}),
    known: Mapping[str, reports.Names] = reports.RELEASED,
) -> dict[str, Any]:
    """Return the caller's values for a create, with defaults and without nulls, in the forms of ``model.Incident``.

    Repeated tags are still in the result, because ``fingerprint`` hashes the values as they were sent. ``tags_once``
    removes them. ``held`` has the values of an existing incident. A new value may have the refused characters that the
    existing value of its field has. ``known`` has the regimes that ``regulatory_reports`` may name.

    Raises InvalidIncident, which names every invalid value by its JSON pointer.
    """
    given = _checked(NewIncident, body, held, known).model_dump(exclude_none=True)
    return _with_reports(given, None)


def tags_once(given: dict[str, Any]) -> dict[str, Any]:
    """Return the values without repeated tags. The first occurrence of a tag decides its place."""
    return given | {"tags": list(dict.fromkeys(given["tags"]))} if given.get("tags") else given


def patch(
    body: object, incident: model.Incident, known: Mapping[str, reports.Names] = reports.RELEASED
) -> dict[str, Any]:
    """Return the values that a merge patch (RFC 7396) sets in ``incident``. A value of None clears its field.

    Instead of a list, the patch may have an object with ``lists.OPERATORS``. They add items to the incident's list, or
    remove items from it. ``known`` are the names of the regimes that ``regulatory_reports`` may name.

    A text or a list that the incident already has is not checked. An earlier release may have accepted it. Raises
    InvalidIncident, which names every invalid value by its JSON pointer.
    """
    values: Mapping[str, Any] = incident
    kept: dict[str, Any] = {}
    if isinstance(body, dict) and isinstance(body.get("lessons_learned"), dict):
        if any(
            level > model.JSON_LEVELS for _, level in _members(body["lessons_learned"])
        ):  # merge() is recursive, so the depth must be limited
            raise InvalidIncident(
                [Violation("/lessons_learned", f"must be JSON of at most {model.JSON_LEVELS} levels")]
            )
        stored = json_text.loads(incident["lessons_learned"] or "null")
        body = body | {"lessons_learned": merge(stored, body["lessons_learned"])}
    if isinstance(body, dict):
        kept = {field: body[field] for field in _TEXTS.intersection(body) if body[field] == values[field]}
        body = {field: value for field, value in body.items() if field not in kept}
    given = _checked(IncidentPatch, body, values, known).model_dump(exclude_unset=True)
    given = _with_reports(given, incident["regulatory_reports"])
    edits = {field: given.pop(field) for field in model.LISTS if isinstance(given.get(field), dict)}
    given = tags_once(given) | kept | {field: edited(field, values[field], **edit) for field, edit in edits.items()}
    if given.get("incident_number", incident["incident_number"]) != incident["incident_number"]:
        raise InvalidIncident([Violation("/incident_number", "cannot be changed; leave it out")])
    return {field: [] if value is None and field in model.LISTS else value for field, value in given.items()}


def _with_reports(given: dict[str, Any], stored: str | None) -> dict[str, Any]:
    """Return the values with the stored reports after the merge, as JSON text. Raises InvalidIncident."""
    field = "regulatory_reports"
    if field not in given:
        return given
    try:
        return given | {field: reports.merged(given[field], stored)}
    except ValueError as error:
        raise InvalidIncident([Violation(f"/{field}", str(error))]) from None


def merge(target: object, patch: object) -> object:
    """Return ``target`` after a merge patch, as RFC 7396 section 2 defines it."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def same_json(left: str | None, right: str | None) -> bool:
    """Return whether two JSON texts have the same value. The order of members does not matter. ``true`` is not 1."""
    return left == right or (left is not None and right is not None and _canonical(left) == _canonical(right))


def _canonical(text: str) -> str:
    return json.dumps(json_text.loads(text), sort_keys=True)


def fingerprint(given: Mapping[str, Any]) -> str:
    """Return a hash of the values of a create. The hash does not depend on the formatting of the JSON."""
    canonical = {
        field: wire_form.dump_amount(value) if isinstance(value, Decimal) else value for field, value in given.items()
    }
    if lessons := given.get("lessons_learned"):
        canonical["lessons_learned"] = _canonical(lessons)
    if sent := given.get("regulatory_reports"):
        canonical["regulatory_reports"] = _canonical(sent)
    return sha256(json.dumps(canonical, sort_keys=True).encode()).hexdigest()


def _checked(kind: type[Payload], body: object, held: Mapping[str, Any], known: Mapping[str, reports.Names]) -> Payload:
    """Return the checked values of a body. Raises InvalidIncident.

    ``held`` has the incident's present values, which may have characters that are now refused.
    """
    if not isinstance(body, dict):
        raise InvalidIncident([Violation("", "must be a JSON object")])
    if odd := [name for name in body if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name)]:
        # pydantic's error would not name such a member
        raise InvalidIncident(
            [Violation(_pointer((name,)), _why_not_accepted(name)) for name in odd[:VIOLATIONS_SHOWN]]
        )
    violations: dict[str, str] = {}
    try:
        payload = kind.model_validate(body)
    except ValidationError as error:
        # ``_sentence`` may search for a similar name, which is slow. So make only the sentences that the answer shows.
        for detail in islice(error.errors(include_url=False), VIOLATIONS_SHOWN):
            violations.setdefault(_pointer(without_form(detail["loc"])), _sentence(detail))
    for pointer, fault in _faults_of_texts(body, held):
        violations.setdefault(pointer, fault)
    field = "regulatory_reports"
    for path, fault in islice(reports.faults(body.get(field), held.get(field), known), VIOLATIONS_SHOWN):
        violations.setdefault(_pointer((field, *path)), fault)
    if violations:
        raise InvalidIncident([Violation(*violation) for violation in islice(violations.items(), VIOLATIONS_SHOWN)])
    return payload


def _faults_of_texts(body: Mapping[str, Any], held: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (pointer, fault) of each text that holds characters which its field must not hold."""
    for field, value in body.items():
        if field not in _TEXTS:
            continue
        fault_of = texts.paragraphs_fault if field in model.PARAGRAPHS else texts.line_fault
        if isinstance(value, str):
            faults = {_pointer((field,)): value} if fault_of(value) else {}
        else:
            within, items = ((field, "add"), value.get("add")) if isinstance(value, dict) else ((field,), value)
            if not isinstance(items, list):
                continue
            lines = ((place, line) for place, line in enumerate(items) if isinstance(line, str))
            faults = {_pointer((*within, place)): line for place, line in lines if fault_of(line)}
        if faults:
            before = held.get(field, ())
            had = frozenset([before] if isinstance(before, str) else before or ())
            letters = frozenset().union(*had)
            for pointer, text in faults.items():
                if text not in had and (fault := fault_of(text, letters)):
                    yield pointer, fault
    lessons = body.get("lessons_learned")
    lost_before = texts.REPLACEMENT in (held.get("lessons_learned") or "")
    if lessons is not None and not lost_before and any(texts.REPLACEMENT in text for text in _texts_in(lessons)):
        yield "/lessons_learned", texts.REPLACED


def _texts_in(value: object) -> Iterator[str]:
    """Yield every text inside a JSON value, including the members' names."""
    for member, _ in _members(value):
        if isinstance(member, str):
            yield member
        elif isinstance(member, dict):
            yield from member


def _pointer(location: tuple[str | int, ...]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1")[:200] for step in location)


def _sentence(error: ErrorDetails) -> str:
    """Return a text that describes a correct value. Without a text of our own, return pydantic's text."""
    context = error.get("ctx", {})
    kind = error["type"]
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden" and len(error["loc"]) > 1:
        return f"is not an operator of a list; use {' or '.join(OPERATORS)}"
    if kind == "extra_forbidden":
        return _why_not_accepted(str(error["loc"][-1]))
    if error["input"] is None and kind != "missing":
        return "must not be null"
    wanted = {
        "missing": "is required",
        "string_type": "must be a text",
        "string_unicode": "must be Unicode text without lone surrogates",
        "string_too_short": "must not be empty",
        "string_too_long": "must be at most {max_length} characters",
        "list_type": "must be a list",
        "too_long": "must have at most {max_length} items, not {actual_length}",
        "int_type": "must be a whole number",
        "bool_type": "must be true or false",
        "literal_error": "must be one of {expected}",
        "greater_than_equal": "must be at least {ge}",
        "less_than_equal": "must be at most {le}",
    }
    return wanted.get(kind, error["msg"]).format(**context)


def _why_not_accepted(field: str) -> str:
    if field in model.STAMPED:
        return "is set by the server; leave it out"
    if field == "is_deleted":
        return "cannot be set by a create; leave it out"
    closest = get_close_matches(field[:64], IncidentPatch.model_fields, n=1, cutoff=0.8)  # finds only misspellings
    return "is not a field of an incident" + (f"; did you mean {closest[0]}?" if closest else "")
