"""Find the numbers of a workbook whose number format shows another currency than the US dollar.

The library that reads workbooks gives such a cell as a plain number, so its currency would be lost.
``workbook_process`` reads the formats.
"""

import re
from collections.abc import Mapping
from functools import cache

from . import amounts

_TEXT = re.compile(r'"([^"]*)"|\[\$([^\[\]\-]*)(?:-[^\[\]]*)?\]|\\(.)')

Cells = dict[tuple[int, int], str]
"""Currencies by row and column. Both begin at 0."""


def foreign(formats: Mapping[tuple[int, int], str]) -> Cells:
    """Return the currencies of the cells that are not in US dollars, from the number formats of the cells."""
    return {place: currency for place, form in formats.items() if (currency := _currency(form))}


@cache
def _currency(form: str) -> str | None:
    """Return the other currency that a number format shows. Only texts in the format count, not its letters."""
    texts = ["".join(group for group in groups if group) for groups in _TEXT.findall(form)]
    bare = _TEXT.sub(" ", form)
    return amounts.other_unit(" ".join(texts)) or amounts.other_unit(re.sub(r"[a-zA-Z]", " ", bare))
