"""Strict reading of JSON, and compact writing of JSON.

Duplicate names, NaN and Infinity are refused. A number with a fraction or an exponent keeps its literal, so that an
amount of money is never rounded to a float.
"""

import json
from typing import Any, NoReturn

from .errors import MalformedRequest

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False)


class _NotStrict(Exception):
    """Python's module ``json`` accepts this JSON, but this module does not. The error's text describes correct JSON."""


class Number(float):
    """A JSON number with a fraction or an exponent: a float that keeps its literal."""

    __slots__ = ("literal",)
    literal: str

    def __new__(cls, literal: str) -> "Number":
        number = super().__new__(cls, literal)
        number.literal = literal
        return number


def loads(text: str, name: str = "The body") -> Any:
    """Return the value of a JSON text. Raises MalformedRequest if the text is not strict JSON.

    ``name`` is the subject of the error's text.
    """
    try:
        return json.loads(text, parse_float=Number, parse_constant=_no_constant, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        if text.startswith("\ufeff"):
            raise MalformedRequest(f"{name} must be JSON; at line 1, column 1: a byte order mark.") from error
        place = f"line {error.lineno}, column {error.colno}"
        raise MalformedRequest(f"{name} must be JSON; at {place}: {error.msg}.") from error
    except _NotStrict as error:
        raise MalformedRequest(f"{name} {error}.") from error
    except RecursionError as error:
        raise MalformedRequest(f"{name} is nested too deeply.") from error
    except ValueError as error:  # int() refuses an integer with thousands of digits
        raise MalformedRequest(f"{name} holds a number with too many digits.") from error


def dumps(value: Any) -> str:
    """Return ``value`` as compact JSON. Raises ValueError for numbers that are not finite."""
    return _COMPACT.encode(value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names: set[str] = set()
        repeated = next(name for name, _ in pairs if name in names or names.add(name))  # type: ignore[func-returns-value]
        raise _NotStrict(f"must name each member once; {json.dumps(repeated[:64])} appears twice")
    return members


def _no_constant(constant: str) -> NoReturn:
    raise _NotStrict(f"must be JSON, in which {constant} is not a value")
