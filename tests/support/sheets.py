"""Reads a CSV file like spreadsheets, which split its lines at commas, semicolons or tabs."""

import csv
import io
from itertools import product

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def hostile_texts() -> list[str]:
    """Return texts that try to begin a cell with a formula."""
    splits, gaps = ("", ";", "\t", "\r", "\n", "\r\n", ";;", '";'), ("", " ", '"', '""', "'", ' "')
    return ["".join((*parts, "1")) for parts in product(("", "a"), splits, gaps, _FORMULA)]


def must_have_no_formula(text: str) -> None:
    """Fail if a spreadsheet could run a cell of a CSV file as a formula."""
    for delimiter in ",;\t":
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            for cell in row:
                assert not cell.strip(' "').startswith(_FORMULA), (delimiter, row)
