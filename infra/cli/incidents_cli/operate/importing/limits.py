"""The limits of one row of an import file, in all formats. So a hostile file cannot take all memory or fill a disk.

A workbook is checked in the process that reads it, so no longer text reaches the command.
"""

from collections.abc import Sequence
from typing import Any

CELL_CHARACTERS = 1024 * 1024  # of a cell; a complete incident has fewer characters
ROW_CHARACTERS = 16 * CELL_CHARACTERS  # of a row; of a line of JSON Lines, the bytes count, also those of its history
COLUMNS = 16_384  # of a row; the most that Excel can have
NAME_CHARACTERS = 4096  # of a column's name, because each row of the errors file repeats the names

SHORTER_CELL = f"Shorten the cell to {CELL_CHARACTERS:,} characters"
SHORTER_ROW = f"Shorten the row to {ROW_CHARACTERS:,} characters"


def fault(cells: Sequence[Any], first: int = 0) -> tuple[str, str] | None:
    """Return what is too large in a row, as a sentence, and the advice. Return None for a row within the limits.

    ``first`` is the column of the first cell, from 0.
    """
    if len(cells) > COLUMNS:
        return f"The row has {len(cells):,} cells.", f"Shorten the row to {COLUMNS:,} cells."
    sizes = [len(cell) if isinstance(cell, str) else 0 for cell in cells]
    longest = max(sizes, default=0)
    if longest > CELL_CHARACTERS:
        column = _letters(first + sizes.index(longest))
        return f"The cell in column {column} has {longest:,} characters.", f"{SHORTER_CELL}."
    if sum(sizes) > ROW_CHARACTERS:
        return f"The row has {sum(sizes):,} characters.", f"{SHORTER_ROW}."
    return None


def _letters(index: int) -> str:
    """Return the letters of a workbook's column, such as ``AB``. The index begins at 0."""
    letters = ""
    while index >= 0:
        letters = chr(ord("A") + index % 26) + letters
        index = index // 26 - 1
    return letters
