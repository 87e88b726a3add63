"""Write incidents, changes and pages as compact UTF-8 JSON, the form of the API.

This module also checks the size of an incident in this form, and computes the hashes of the history (docs/history.md).

Some fields are not plain JSON values in Python and are written separately: ``financial_impact`` is an exact Decimal,
and ``model.JSON_TEXTS`` are already JSON texts.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple, cast

from . import model
from .errors import IncidentTooLarge
from .json_text import dumps
from .model import Change, Incident

SIZE_RULE = f"must be at most {model.DOCUMENT_BYTES // 1024} KiB as JSON."

_NOT_MEASURED = model.STAMPED | model.DERIVED | {"incident_number", "status", "is_deleted", "contained_at", "closed_at"}


# Lambda limits an answer to 6 MB. The answer leaves Lambda as a JSON text inside a JSON envelope, and the limit is for
# this form. Older runtimes escape the envelope to ASCII, and then one control character takes seven bytes.
PAGE_BYTES = 4_000_000
_LONGEST = 12  # the most bytes that one character takes in this form: two escaped surrogates
_CANONICAL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, check_circular=False)


class JsonPage(NamedTuple):
    """One page of a list, with its items as JSON texts. ``next_cursor`` is None on the last page.

    Only a page of updates has ``caught_up``: whether the page ends at the newest update that can be shown.
    """

    items: list[str]
    next_cursor: str | None
    caught_up: bool | None = None


def dump_incident(incident: Incident) -> str:
    """Return the JSON of an incident with all its fields."""
    plain: dict[str, Any] = dict(incident)
    plain.pop(model.DERIVED_TOLD_AT, None)
    amount, lessons = plain.pop("financial_impact"), plain.pop("lessons_learned")
    reports = plain.pop("regulatory_reports") or "null"
    return (
        f'{dumps(plain)[:-1]},"financial_impact":{dump_amount(amount)},'
        f'"lessons_learned":{lessons or "null"},"regulatory_reports":{reports}}}'
    )


def dump_change(change: Change) -> str:
    """Return the JSON of one change."""
    stamps = dumps({"version": change.version, "at": change.at, "by": change.by, "action": change.action})
    pairs = (
        f'"{field}":{{"from":{dump_value(field, before)},"to":{dump_value(field, after)}}}'
        for field, (before, after) in change.changes.items()
    )
    dates = f',"dates":{dumps(change.dates)}' if change.dates else ""
    texts = "".join(
        f',"{name}":{dumps(text)}'
        for name in ("evidence", "nonce", "state_hash", "hash")
        if (text := getattr(change, name))
    )
    return f'{stamps[:-1]},"changes":{{{",".join(pairs)}}}{dates}{texts}}}'


def change_hash(tenant_id: str, incident_id: str, change: Change, previous: str | None) -> str:
    """Return the hash of a change. ``previous`` is the hash of the newest earlier change that has one, or None."""
    entry = {name: value for name, value in change._asdict().items() if value is not None and name != "hash"}
    entry["changes"] = {
        field: {"from": _hashed(before), "to": _hashed(after)} for field, (before, after) in change.changes.items()
    }
    return _sha256(entry | {"tenant_id": tenant_id, "incident_id": incident_id, "previous_hash": previous})


def state_hash(incident: Mapping[str, Any]) -> str:
    """Return the hash of an incident's values. Unset fields do not count, so a new field does not change the hash."""
    return _sha256({
        field: _hashed(value)
        for field, value in incident.items()
        if value is not None and value != [] and field != model.DERIVED_TOLD_AT
    })  # fmt: skip


def _hashed(value: Any) -> Any:
    """Return a value as it enters a hash. An amount enters as text, because other languages read it as a float."""
    return dump_amount(value) if isinstance(value, Decimal) else value


def _sha256(value: Any) -> str:
    return sha256(canonical_json(value)).hexdigest()


def canonical_json(value: Any) -> bytes:
    """Return a value as canonical JSON. The result is RFC 8785 if names are ASCII, and numbers are whole and small.

    The history has only such names and numbers: an amount and a JSON field enter a hash as text.
    """
    return _CANONICAL.encode(value).encode()


def dump_value(field: str, value: Any) -> str:
    """Return the JSON of one field's value."""
    if field == "financial_impact":
        return dump_amount(value)
    return (value or "null") if field in model.JSON_TEXTS else dumps(value)


def dump_page(page: JsonPage) -> str:
    """Return the JSON of a page."""
    more = "" if page.caught_up is None else f',"caught_up":{dumps(page.caught_up)}'
    return f'{{"items":[{",".join(page.items)}],"next_cursor":{dumps(page.next_cursor)}{more}}}'


def cut(documents: list[str], positions: list[str], last: str | None) -> tuple[list[str], str | None]:
    """Return the documents that fit into one answer, and the position after which the next page continues.

    The position is ``last`` if all documents fit into the answer.
    """
    if _LONGEST * sum(map(len, documents)) <= PAGE_BYTES:  # the usual case
        return documents, last
    carried: list[str] = []
    size = 0
    for document in documents:
        size += answered_bytes(document)
        if carried and size > PAGE_BYTES:
            return carried, positions[len(carried) - 1]
        carried.append(document)
    return carried, last


def answered_bytes(document: str) -> int:
    """Return the bytes that a JSON text takes in an answer that is escaped to ASCII."""
    return len(json.dumps(document))


def dump_amount(amount: Decimal | None) -> str:
    """Return the shortest exact JSON of an amount, without exponent and trailing zeros: ``1250000.5``."""
    return "null" if amount is None else f"{amount.normalize():f}"


def check_size(incident: Incident) -> None:
    """Raise IncidentTooLarge if the fields that callers write exceed the size limit.

    Fields that the server may write do not count, so that a stamp can never make an incident too large.
    """
    written = {field: None if field in _NOT_MEASURED else value for field, value in incident.items()}
    # In the first release, an incident had no field `version` and no field `regulatory_reports`. So these fields do not
    # count while no caller gave a value. Otherwise the release's largest incidents would be too large to change.
    del written["version"]
    later = 0 if written["regulatory_reports"] else len(',"regulatory_reports":null')
    if len(dump_incident(cast("Incident", written)).encode()) - later > model.DOCUMENT_BYTES:
        raise IncidentTooLarge(f"The incident {SIZE_RULE}")
