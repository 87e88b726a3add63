"""Divide a cell into the items of a list, as people write lists: with commas, bullets, or brackets around a note."""

import re
from collections.abc import Iterable, Iterator, Sequence

SLASH = " / "
"""A separator only if the mapping names it, because a name such as ``HR / Payroll`` may be one item."""

_PRINTED = re.compile(r"\[([^\[\]]*)\]")
_BULLET = re.compile(r"[-*\u2022\u2013\u2014] +")  # a dash without a space may be a part of the item


def items(text: str, separators: Sequence[str]) -> list[str]:
    """Return the items of a cell. A separator inside brackets divides nothing, as in ``Server (FS01, FS02)``.

    A program may print a list as ``[a, b]`` or ``['a', 'b']``, which is not JSON.
    """
    if printed := _PRINTED.fullmatch(text.strip()):
        return [item.strip("'\"") for item in items(printed[1], (",", ";"))]
    stripped = map(str.strip, _parts(text, separators))
    return [
        item for item in (_BULLET.sub("", part, count=1) if _BULLET.match(part) else part for part in stripped) if item
    ]


def of_sharepoint(text: str) -> str:
    """Return the items that SharePoint has written into a cell, with semicolons and without the ids of the items.

    SharePoint writes ``;#Mail;#ERP;#`` for choices, and ``Kim;#12;#Ana;#14`` or ``12;#Kim`` for items with ids.
    """
    parts = [part for part in text.split(";#") if part]
    if not text.startswith(";#") and len(parts) % 2 == 0:
        for named, ids in ((parts[::2], parts[1::2]), (parts[1::2], parts[::2])):
            if all(map(str.isdigit, ids)):
                return ";".join(named)
    return ";".join(parts)


def _parts(text: str, separators: Sequence[str]) -> Iterator[str]:
    has_brackets = _is_balanced(text)
    depth = start = at = 0
    while at < len(text):
        if has_brackets:
            depth += (text[at] == "(") - (text[at] == ")")
        mark = next((mark for mark in separators if text.startswith(mark, at)), "") if depth == 0 else ""
        if mark:
            yield text[start:at]
            start = at + len(mark)
        at += len(mark) or 1
    yield text[start:]


def _is_balanced(text: str) -> bool:
    """Return whether each bracket of a text is closed."""
    depth = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return False
    return depth == 0


def prove_slashes(cells: Iterable[str]) -> bool:
    """Return whether each cell with a slash between spaces has an item that another cell also has."""
    divided = {True: list[str](), False: list[str]()}
    for text in cells:
        divided[SLASH in text].append(text)
    known = {item.casefold() for text in divided[False] for item in items(text, (";", ",", "\n"))}
    return all(any(item.casefold() in known for item in items(text, (SLASH, ";", ",", "\n"))) for text in divided[True])
