"""Read the JSON of a received event, and remember what Python's values do not keep.

Python keeps only the last of several members with the same name, and rounds a number to 17 digits. The evidence of an
incident must say so.
"""

import json
from collections import Counter
from decimal import Decimal
from typing import Any, NoReturn

from .json_text import Number

_EXACT_CHARACTERS = 15  # a shorter number without an exponent is never rounded


class Repeated(dict[str, Any]):
    """A JSON object in which names occurred several times. ``names`` are these names, each once."""

    names: list[str]


def loads(text: str) -> Any:
    """Return the value of a JSON text. Raises ValueError or RecursionError if the text is not JSON.

    A number that Python rounds is a ``Number``, which has the digits. An object that had a name twice is a
    ``Repeated``.
    """
    return json.loads(text, parse_float=_number, parse_constant=_no_constant, object_pairs_hook=_object)


def _number(literal: str) -> float:
    number = float(literal)
    if len(literal) <= _EXACT_CHARACTERS and "e" not in literal and "E" not in literal:
        return number
    try:
        is_exact = Decimal(literal) == Decimal(repr(number))
    except ArithmeticError:  # an exponent of many digits
        is_exact = False
    return number if is_exact else Number(literal)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    repeated = Repeated(members)
    times = Counter(name for name, _ in pairs)
    repeated.names = [name for name in members if times[name] > 1]
    return repeated


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
