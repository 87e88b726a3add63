"""Read the JSON of a received event, and mark each value that Python cannot keep exactly.

Python keeps only the last of several members with the same name, and rounds a number to 17 digits. The evidence of an
incident must mention such a loss.
"""

import json
from collections import Counter
from decimal import Decimal
from typing import Any, NoReturn

from .json_text import Number

_EXACT_CHARACTERS = 15  # Python rounds no number of this length that has no exponent


class Repeated(dict[str, Any]):
    """A JSON object in which some names occurred several times. ``names`` has each of these names once."""

    names: list[str]


def loads(text: str) -> Any:
    """Return the value of a JSON text. Raises ValueError or RecursionError if the text is not JSON.

    If Python would round a number, or refuse its digits, the number becomes a ``Number``, which keeps all digits. An
    object with a repeated name becomes a ``Repeated``.
    """
    return json.loads(
        text, parse_float=_number, parse_int=_integer, parse_constant=_no_constant, object_pairs_hook=_object
    )


def _integer(literal: str) -> float:
    try:
        return int(literal)
    except ValueError:  # Python refuses an integer with thousands of digits
        return Number(literal)


def _number(literal: str) -> float:
    number = float(literal)
    if len(literal) <= _EXACT_CHARACTERS and "e" not in literal and "E" not in literal:
        return number
    try:
        is_exact = Decimal(literal) == Decimal(repr(number))
    except ArithmeticError:  # the exponent has too many digits for Decimal
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
