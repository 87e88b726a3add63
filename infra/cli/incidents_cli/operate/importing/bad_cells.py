"""Tell a person, before an import, which cells of a file are probably wrong."""

from collections.abc import Iterator, Set
from collections.abc import Mapping as Table

from incidents.domain import model

from . import choosing, misleading, moments, tables
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
        start, end = (misleading.moment(cells, at, rules) for at in (detected, reported))
        if start and end and is_early(start.text, end.text):
            early.add(line, as_text(cells[detected]))
    if not early.count:
        return None
    return (
        f"{quoted(first['detected_at'])} has dates more than a year before {quoted(first['reported_at'])}: {early}. "
        "Check the years."
    )


def of_rests(columns: list[Column], of_file: File, reasons: Table[str, str], rest: str) -> Iterator[str]:
    """Yield notes about the columns without a field, and about their reasons."""
    unknown = [column for column in columns if column.name not in reasons]
    if unknown:
        listed = tables.listed([quoted(column.name) for column in unknown])
        yield f"Columns without a field, which go into the {rest}: {listed}."
    if dated := tables.listed([quoted(column.name) for column in unknown if column.dates]):
        yield f"Of these columns, the following have dates: {dated}. If a date is one of the incident, add its field."
    yield from (f"{quoted(column.name)} {reasons[column.name]}." for column in columns if column.name in reasons)
    for column in unknown:
        if column.values and all(map(_is_zone, column.values)):
            yield (
                f"{quoted(column.name)} has zones, but an import reads all dates without an offset in one zone. "
                "Convert the dates of other zones."
            )
    if rest == "description" and _is_too_long(of_file, {column.name for column in columns}):
        yield (
            "In some rows, the columns without a field have more text than a description can have. These rows will "
            'fail. In the mapping, write rest = "leave_out", or add columns to leave_out.'
        )


def _is_zone(text: str) -> bool:
    """Return whether a text is the name of a time zone, such as ``Europe/Berlin``."""
    try:
        return "/" in text and moments.zone(text) is not None
    except ValueError:
        return False


def _is_too_long(of_file: File, rests: Set[str]) -> bool:
    """Return whether the columns without a field have too much text for a description, in one of the first rows."""
    names = [column.name for column in of_file.columns]
    rows = (zip(names, map(as_text, cells), strict=False) for cells in of_file.sample)
    texts = ("".join(f"{name}: {text}\n" for name, text in row if text and name in rests) for row in rows)
    return any(len(text.encode(errors="replace")) > model.TEXT_BYTES for text in texts)
