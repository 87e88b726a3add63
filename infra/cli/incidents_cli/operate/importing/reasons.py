"""Sum up the errors or the warnings of many rows by reason, for the screen."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from incidents.domain.errors import Violation

from ...console import clean

_KEPT = 500  # the most reasons that are counted separately, to limit the memory; all others are counted together
_SHOWN = 20
_FIRST = 20  # lines of a reason
_CHARACTERS = 300  # of a reason
_NAME = 100  # of the name of a field
_LINE = re.compile(r"\bline [0-9]+\b")
_OTHERS = ("", "other reasons; the errors file has them")
# This pattern matches the parts of an error's text that differ from row to row, such as dates, ids and quoted texts.
_SINGLE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z|inc_[0-9A-Z]{26}|'[^']*'|must be [0-9]+, the|\bline [0-9]+\b"
    r'|"(?:[^"\\]|\\.)*" = ""'
)


@dataclass
class Reasons:
    """The reasons of errors or warnings.

    Each reason has the number of its rows, their first lines, and the text of the first row.
    """

    _found: dict[tuple[str, str], tuple[int, list[int], str]] = field(default_factory=dict)

    def add(self, line: int, violations: Iterable[Violation]) -> None:
        """Add a row's violations. Several violations with the same reason count as one."""
        for reason, text in {_reason(violation): violation.detail for violation in violations}.items():
            if reason not in self._found and len(self._found) >= _KEPT:
                reason, text = _OTHERS, _OTHERS[1]
            count, lines, first = self._found.get(reason, (0, [], text[:_CHARACTERS]))
            if _LINE.findall(first) != _LINE.findall(text[:_CHARACTERS]):  # the rows name different lines
                first = _LINE.sub("another line", first)
            self._found[reason] = (count + 1, lines if len(lines) == _FIRST else [*lines, line], first)

    def __bool__(self) -> bool:
        return bool(self._found)

    def table(self, title: str) -> Iterator[str]:
        """Yield the lines of a table, with the most frequent reason first."""
        ordered = sorted(self._found.items(), key=lambda item: -item[1][0])
        rows = [
            (
                str(count),
                clean(name) or "(row)",
                ", ".join(map(str, lines)) + (", ..." if count > len(lines) else ""),
                clean(" ".join(text.split())),
            )
            for (name, _), (count, lines, text) in ordered[:_SHOWN]
        ]
        heads = ("rows", "field", "lines", title)
        widths = [max(len(row[n]) for row in [heads, *rows]) for n in range(3)]
        for row in [heads, *rows]:
            count, name, lines, reason = row
            yield f"{count:>{widths[0]}}  {name:<{widths[1]}}  {lines:<{widths[2]}}  {reason}"
        if len(ordered) > _SHOWN:
            yield f"... and {len(ordered) - _SHOWN} more reasons"


def _reason(violation: Violation) -> tuple[str, str]:
    name = violation.pointer[:_NAME].lstrip("/").partition("/")[0]
    return name, _SINGLE.sub("...", violation.detail)[:_CHARACTERS]
