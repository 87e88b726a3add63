"""Incidents, changes and pages as the API writes them: compact UTF-8 JSON. And how large an incident may be as that.

Two fields are held as more than a Python value, an exact amount and a JSON text: they are written as they are.
"""

from decimal import Decimal
from typing import Any, NamedTuple, cast

from . import model
from .errors import IncidentTooLarge
from .json_text import dumps
from .model import Change, Incident

SIZE_RULE = f"must be at most {model.DOCUMENT_BYTES // 1024} KiB as JSON."

_NOT_MEASURED = model.STAMPED | model.DERIVED | {"incident_number", "status", "is_deleted", "contained_at", "closed_at"}


class JsonPage(NamedTuple):
    """One page of a list, its items as JSON; ``next_cursor`` is None on the last."""

    items: list[str]
    next_cursor: str | None


def dump_incident(incident: Incident) -> str:
    """Return the JSON of an incident, every field of it."""
    plain: dict[str, Any] = dict(incident)
    amount, lessons = plain.pop("financial_impact"), plain.pop("lessons_learned")
    return f'{dumps(plain)[:-1]},"financial_impact":{dump_amount(amount)},"lessons_learned":{lessons or "null"}}}'


def dump_change(change: Change) -> str:
    """Return the JSON of one entry of the audit trail."""
    stamps = dumps({"version": change.version, "at": change.at, "by": change.by, "action": change.action})
    pairs = (
        f'"{field}":{{"from":{dump_value(field, before)},"to":{dump_value(field, after)}}}'
        for field, (before, after) in change.changes.items()
    )
    dates = f',"dates":{dumps(change.dates)}' if change.dates else ""
    return f'{stamps[:-1]},"changes":{{{",".join(pairs)}}}{dates}}}'


def dump_value(field: str, value: Any) -> str:
    """Return the JSON of one field's value."""
    if field == "financial_impact":
        return dump_amount(value)
    return (value or "null") if field == "lessons_learned" else dumps(value)


def dump_page(page: JsonPage) -> str:
    """Return the JSON of a page."""
    return f'{{"items":[{",".join(page.items)}],"next_cursor":{dumps(page.next_cursor)}}}'


def dump_amount(amount: Decimal | None) -> str:
    """Return the shortest exact form: ``1250000.5``, without an exponent or trailing zeros."""
    return "null" if amount is None else f"{amount.normalize():f}"


def check_size(incident: Incident) -> None:
    """Hold what callers wrote to its bound. What the server stamps does not count: it must never stand in the way.

    Raises IncidentTooLarge.
    """
    written = {field: None if field in _NOT_MEASURED else value for field, value in incident.items()}
    if len(dump_incident(cast("Incident", written)).encode()) > model.DOCUMENT_BYTES:
        raise IncidentTooLarge(f"The incident {SIZE_RULE}")
