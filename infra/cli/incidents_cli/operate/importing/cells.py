"""The cells of a CSV file: each text as what its field holds. What cannot be read stays text, and is then refused."""

import re
from typing import Any

from incidents.domain import json_text, model
from incidents.domain.errors import MalformedRequest

_WHOLE = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")  # RFC 8259 section 6


def value(field: str, text: str) -> Any:
    """Return what a cell, which is not empty, gives to a field."""
    if not isinstance(text, str):  # of an errors file that somebody mended
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
    """``a; b`` or a JSON array, for items that hold a semicolon or begin with a bracket."""
    if not text.lstrip().startswith("["):
        return [item.strip() for item in text.split(";")]
    try:
        return json_text.loads(text)
    except MalformedRequest:
        return text


def _json(text: str) -> Any:
    """Any JSON; what is none is a text itself, which most people mean."""
    try:
        return json_text.loads(text)
    except MalformedRequest:
        return text
