"""Convert a CSV file's cells to field values. A cell that cannot be converted stays a text, which the rules refuse."""

import re
from typing import Any

from incidents.domain import json_text, model
from incidents.domain.errors import MalformedRequest

_WHOLE = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")  # RFC 8259 section 6


def value(field: str, text: str) -> Any:
    """Return the value that a cell's text, which is not empty, gives to a field."""
    if not isinstance(text, str):  # from an errors file that somebody edited
        return text
    if field in model.LISTS:
        return _list(text)
    if field in model.DERIVED and _WHOLE.fullmatch(text.strip()):
        return int(text)
    if field == "financial_impact" and _NUMBER.fullmatch(text.strip()):
        return json_text.loads(text)
    if field == "lessons_learned":
        return _json(text)
    return text


def _list(text: str) -> Any:
    """Return the list of ``a; b`` or of a JSON array, which items with a semicolon or a leading bracket need."""
    if not text.lstrip().startswith("["):
        return [item.strip() for item in text.split(";")]
    try:
        return json_text.loads(text)
    except MalformedRequest:
        return text


def _json(text: str) -> Any:
    """Return the JSON value of a text, or the text itself if it is not JSON: most people mean a plain text."""
    try:
        return json_text.loads(text)
    except MalformedRequest:
        return text
