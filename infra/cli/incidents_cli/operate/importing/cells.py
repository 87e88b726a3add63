"""Convert the cells of a CSV file to field values.

A cell that cannot be converted stays a text. The later check of the row then reports the text as an invalid value.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from incidents.domain import json_text, model
from incidents.domain.errors import MalformedRequest, Violation

from . import amounts, words

TYPED = model.LISTS | model.DERIVED | {"financial_impact", *model.JSON_TEXTS}
"""The fields whose cells are converted. A cell of any other field is a text."""

_SHOWN = 100  # the most characters of a wrong cell that an error shows
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")  # RFC 8259 section 6


def value(field: str, text: str) -> Any:
    """Convert a cell's text, which must not be empty, to a value of the field's type."""
    if not isinstance(text, str):  # in an errors file, a person may have replaced the text with another JSON value
        return text
    if field in model.LISTS:
        return _list(text)
    if field in model.DERIVED and _WHOLE.fullmatch(text.strip()):
        return int(text)
    if field == "financial_impact" and _NUMBER.fullmatch(text.strip()):
        return _json(text)  # an amount with thousands of digits stays a text, which the check refuses
    if field in model.JSON_TEXTS:
        return _json(text)
    return text


def _list(text: str) -> Any:
    """Return a list from a text like ``a; b``, or from a JSON array.

    The list must be a JSON array if an item has a semicolon or the first item begins with ``[``.
    """
    if not text.lstrip().startswith("["):
        return [item.strip() for item in text.split(";")]
    try:
        return json_text.loads(text)
    except MalformedRequest:
        return text


def _json(text: str) -> Any:
    """Return the JSON value of a text, or the text itself if it is not JSON, because most people write plain text."""
    try:
        return json_text.loads(text)
    except MalformedRequest:
        return text


def json_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object that a text is, or None."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        document = json_text.loads(text)
    except MalformedRequest:
        return None
    return document if isinstance(document, dict) else None


def errors(body: Mapping[str, Any]) -> Iterator[Violation]:
    """Yield an error for an amount that is not a plain number. The API's own error would be about JSON."""
    if isinstance(text := body.get("financial_impact"), str):
        yield Violation(
            "/financial_impact", f"must be a plain number such as 48250.50, without a currency, not {text[:_SHOWN]!r}"
        )


def warnings(record: Mapping[str, Any]) -> Iterator[Violation]:
    """Yield a warning for each ambiguous cell of a file that is imported without a mapping."""
    for field, text in record.items():
        if not isinstance(text, str):
            continue
        if field in model.LISTS and "," in text and not text.lstrip().startswith("["):
            yield Violation(f"/{field}", "has a comma inside an item; only a semicolon separates items here")
        if field == "reportable_to" and words.answer(text):
            yield Violation(f"/{field}", "says yes or no, and does not name a regime")
        if field == "financial_impact" and amounts.is_ambiguous(text):
            yield Violation(f"/{field}", f"{amounts.AMBIGUOUS}; it is read with a decimal point")
