"""Find the line of a member in a JSON text, of a name that an object has twice, or of too deep nesting."""

import json
import re
from typing import Any

Place = tuple[str | int, ...]


def line_of(text: str, place: Place) -> int:
    """Return the line on which a member of a valid JSON text begins.

    ``place`` has the names and the positions that lead to the member. If the member is missing, return the line of the
    innermost existing object or list on the way to the member.
    """
    begins = value = _skip(text, 0)
    for step in place:
        inner = _inside(text, value, step)
        if inner is None:
            break
        begins, value = inner
    return text.count("\n", 0, begins) + 1


def repeated_name(text: str) -> tuple[int, str] | None:
    """Return the first repeated name of a JSON object, and its line, or None. The text must be valid JSON."""
    names: list[set[str]] = []
    for token in _TOKENS.finditer(text):
        if token[0] in ("{", "["):
            names.append(set())
        elif token[0] in ("}", "]"):
            names.pop()
        elif text.startswith(":", _skip(text, token.end())):
            name = json.loads(token[0])
            if name in names[-1]:
                return text.count("\n", 0, token.start()) + 1, name
            names[-1].add(name)
    return None


def deep_line(text: str, levels: int) -> int | None:
    """Return the number of the first line of a JSON text that is inside more than ``levels`` lists and objects, or
    None.
    """
    depth = 0
    for token in _TOKENS.finditer(text):
        depth += (token[0] in ("{", "[")) - (token[0] in ("}", "]"))
        if depth > levels:
            return text.count("\n", 0, token.start()) + 1
    return None


def _inside(text: str, at: int, step: str | int) -> tuple[int, int] | None:
    """Return the positions of a member and of its value in the text. If a name is repeated, the last member counts."""
    if text[at : at + 1] not in ("{", "["):
        return None
    is_object, places, place = text[at] == "{", None, 0
    at = _skip(text, at + 1)
    while text[at] not in "}]":
        begins, name = at, place
        if is_object:
            name, at = _decoder.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        if name == step:
            places = begins, at
        _, at = _decoder.raw_decode(text, at)
        at = _skip(text, at)
        at, place = (_skip(text, at + 1) if text[at] == "," else at), place + 1
    return places


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n\ufeff":
        at += 1
    return at


_decoder: Any = json.JSONDecoder()
# This pattern matches a bracket or a text. It also matches a text without an end, so that the search stays linear.
_TOKENS = re.compile(r'[{}\[\]]|"[^"\\]*(?:\\.[^"\\]*)*"?')
