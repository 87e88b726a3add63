"""Tell a person, before an import, which cells of a file are probably wrong."""

from collections.abc import Iterator, Set
from collections.abc import Mapping as Table

from . import choosing, moments
from .convert import DATES, as_text
from .ends import is_early
from .facts import Cells, Column, File
from .mapping import quoted

_SHOWN = 3  # examples of cells


def notes(
    of_file: File, by_name: Table[str, Column], mapped: dict[str, str], times: Set[str], rules: moments.DateRules
) -> Iterator[str]:
    """Yield notes about cells that will make their rows fail, and about numbers that may only count the rows.

    ``times`` has the names of the columns of times of day. ``rules`` compares the dates of one row.
    """
    for column in (by_name[name] for name, target in mapped.items() if target in DATES):
        is_time = column.name in times
        what = "times of day" if is_time else "dates"
        for cells in (column.not_dates, *([] if is_time else [column.loose_clocks])):
            if cells.count:
                yield f"{quoted(column.name)} has cells that are not {what}: {cells}. Their rows will fail."
        if column.future.count and not is_time:
            yield f"{quoted(column.name)} has dates in the future: {column.future}. Their rows will fail."
        if is_time and (texts := list(column.without_digits)[:_SHOWN]):
            listed = ", ".join(map(quoted, texts))
            yield (
                f"{quoted(column.name)} has texts without a time, such as {listed}. Their rows get the date without a "
                "time, and a tag."
            )
    if early := _early(of_file, mapped, rules):
        yield early
    for name, target in mapped.items():
        if target == "incident_number" and (wrong := choosing.no_numbers(by_name[name])):
            listed = ", ".join(map(quoted, wrong[:_SHOWN]))
            yield f"{quoted(name)} has cells that are not numbers, such as {listed}. Their rows get another number."
        if target == "incident_number" and (faults := choosing.faults_of_numbers(by_name[name], by_name)):
            yield (
                f"{quoted(name)} has {faults}. A row without a number gets another number. Rows with the same number "
                "fail, unless they are equal."
            )
        if target == "incident_number" and by_name[name].only_counts:
            yield f"{quoted(name)} {choosing.COUNTS}."


def _early(of_file: File, mapped: dict[str, str], rules: moments.DateRules) -> str | None:
    """Return a note about the detections more than a year before the report, in the first rows of the file."""
    place = {column.name: n for n, column in reversed(list(enumerate(of_file.columns)))}
    first = {target: name for name, target in reversed(mapped.items()) if of_file.columns[place[name]].dates}
    if not {"detected_at", "reported_at"} <= first.keys():
        return None
    detected, reported = place[first["detected_at"]], place[first["reported_at"]]
    early = Cells()
    for line, cells in zip(of_file.sampled, of_file.sample, strict=True):
        start, end = (choosing.moment(cells, at, rules) for at in (detected, reported))
        if start and end and is_early(start.text, end.text):
            early.add(line, as_text(cells[detected]))
    if not early.count:
        return None
    return (
        f"{quoted(first['detected_at'])} has dates more than a year before {quoted(first['reported_at'])}: {early}. "
        "Check the years."
    )
