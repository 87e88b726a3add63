"""Repair texts of exported incidents that an earlier release accepted and today's API refuses. Count each repair."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from incidents.domain import json_text, model, texts
from incidents.domain.errors import MalformedRequest

BLANK_TITLE = f"blank title replaced by {texts.UNTITLED}"
BLANK_TEXT = "blank text left out"
CHARACTERS = "control or invisible characters removed"
REPLACEMENT = "U+FFFD replaced by ?"
EQUAL = "equal items merged"


class Repaired(NamedTuple):
    """The values of a create after the repair, and the rule of each repair. Several repairs may have the same rule."""

    body: dict[str, Any]
    repairs: tuple[str, ...] = ()


def repair(body: dict[str, Any]) -> Repaired:
    """Return the values with every text repaired.

    A value of a wrong type is unchanged, because the API's rules refuse it.
    """
    repairs: list[str] = []
    repaired = {field: _value(field, value, repairs) for field, value in body.items()}
    return Repaired({field: value for field, value in repaired.items() if value is not None}, tuple(repairs))


def _value(field: str, value: Any, repairs: list[str]) -> Any:
    if field in model.JSON_TEXTS:
        return _json(value, repairs)
    if field in model.PARAGRAPHS and isinstance(value, str):
        return _noted(value, texts.repair_paragraphs(value), repairs)
    if field in model.LISTS and isinstance(value, list):
        items = list(_items(value, repairs))
        earlier: set[str] = set()
        once = [item for item in items if not isinstance(item, str) or not (item in earlier or earlier.add(item))]  # type: ignore[func-returns-value]
        if len(once) < len(items):
            repairs.append(EQUAL)
        return once
    if field in model.LINES and isinstance(value, str):
        line = _noted(value, _line(value), repairs)
        if not line:
            repairs.append(BLANK_TITLE if field == "title" else BLANK_TEXT)
            return texts.UNTITLED if field == "title" else None
        return line
    return value


def _items(items: list[Any], repairs: list[str]) -> Iterator[Any]:
    for item in items:
        line = _noted(item, _line(item), repairs) if isinstance(item, str) else item
        if line == "":
            repairs.append(BLANK_TEXT)
        else:
            yield line


def _line(text: str) -> str:
    """Return the repaired text.

    It keeps characters that this machine's Unicode does not know, because the service may know them.
    """
    return texts.repair_line(text, texts.undecided(text))


def _json(value: Any, repairs: list[str]) -> Any:
    """Return a JSON value with ``?`` for each U+FFFD. If two names would become equal, return the unchanged value."""
    try:
        text = json_text.dumps(value)
        repaired = json_text.loads(text.replace(texts.REPLACEMENT, "?")) if texts.REPLACEMENT in text else value
    except (ValueError, RecursionError, MalformedRequest):
        return value
    if repaired is not value:
        repairs.append(REPLACEMENT)
    return repaired


def _noted(before: str, after: str, repairs: list[str]) -> str:
    if before != after and after:
        repairs.append(REPLACEMENT if before.replace(texts.REPLACEMENT, "?") == after else CHARACTERS)
    return after
