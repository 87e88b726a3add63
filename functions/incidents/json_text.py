"""JSON in, strictly; JSON out, exactly.

In: duplicate keys, NaN and Infinity are refused, and a number with a fraction or an exponent remembers its literal, so
that money never passes through a float. Out: compact UTF-8; the two fields that are held as more than a
Python value (an exact amount, a JSON text) are written as they are.
"""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NoReturn

from .errors import MalformedRequest
from .model import Change, Incident

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False)


class Number(float):
    """A JSON number with a fraction or an exponent: a float that knows how it was written."""

    __slots__ = ("literal",)
    literal: str

    def __new__(cls, literal: str) -> "Number":
        number = super().__new__(cls, literal)
        number.literal = literal
        return number


def loads(text: str) -> Any:
    """Return the value of a JSON text. Raises MalformedRequest, saying where, if it is not strict JSON."""
    try:
        return json.loads(text, parse_float=Number, parse_constant=_no_constant, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise MalformedRequest(f"The body must be JSON; at {place}: {error.msg}.") from error
    except RecursionError as error:
        raise MalformedRequest("The body is nested too deeply.") from error
    except ValueError as error:  # an integer of thousands of digits, which int() will not read
        raise MalformedRequest("The body holds a number with too many digits.") from error


def dumps(value: Any) -> str:
    """Return ``value`` as compact JSON. Raises ValueError for numbers that are not finite."""
    return _COMPACT.encode(value)


def dump_incident(incident: Incident) -> str:
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


def dump_page(documents: Iterable[str], next_cursor: str | None) -> str:
    """Return the JSON of a page whose items are JSON already."""
    return f'{{"items":[{",".join(documents)}],"next_cursor":{dumps(next_cursor)}}}'


def dump_amount(amount: Decimal | None) -> str:
    """Return the shortest exact form: ``1250000.5``, without an exponent or trailing zeros."""
    return "null" if amount is None else f"{amount.normalize():f}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        repeated = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise MalformedRequest(f"The body must name each member once; {json.dumps(repeated[:64])} stands twice.")
    return members


def _no_constant(name: str) -> NoReturn:
    raise MalformedRequest(f"The body must be JSON, which has no {name}.")
