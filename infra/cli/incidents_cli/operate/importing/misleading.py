"""Remove the fields of columns whose names mislead: their dates or the other columns show another meaning."""

from typing import Any

from . import moments, words
from .convert import as_text
from .facts import Column, File
from .mapping import quoted


def drop_plans(mapped: dict[str, str], by_name: dict[str, Column], reasons: dict[str, str]) -> None:
    """If the file has due dates, remove a start without times. The two dates are then those of a plan of the work."""
    due = next((name for name in by_name if words.is_plan(name, "due")), None)
    for name in [name for name, target in mapped.items() if target == "occurred_at"]:
        column = by_name[name]
        if due and words.is_plan(name, "start") and column.days + column.midnights == column.dates:
            reasons[name] = f"may be the planned start of the work, because the file also has {quoted(due)}"
            del mapped[name]


def drop_late(mapped: dict[str, str], of_file: File, rules: moments.DateRules, reasons: dict[str, str]) -> None:
    """Remove the dates that contradict the date of the entry, which may be used as the detection.

    A start after the entry is the start of the work. A detection after the entry is another phase, such as the time at
    which the cause was identified. If the report was before the entry, the entry is not the detection.
    """
    place = {column.name: n for n, column in reversed(list(enumerate(of_file.columns)))}
    first = {target: name for name, target in reversed(mapped.items())}
    entry = next((n for n, target in mapped.items() if target == "detected_at" and words.is_entry(n)), None)
    if entry is None:
        return
    entered = [_moment(cells, place[entry], rules) for cells in of_file.sample]

    def is_mostly_after(other: str, *, reverse: bool = False) -> bool:
        """Return whether the other date is after the entry in most rows, or before it if ``reverse`` is true."""
        dates = [_moment(cells, place[other], rules) for cells in of_file.sample]
        signs = [(date > at) - (date < at) for date, at in zip(dates, entered, strict=True) if date and at]
        return sum(signs) < 0 if reverse else sum(signs) > 0

    detection, start, report = first["detected_at"], first.get("occurred_at"), first.get("reported_at")
    if detection != entry and is_mostly_after(detection):
        reasons[detection] = f"is after {quoted(entry)} in most rows, so it is not the detection"
        del mapped[detection]
    elif detection != entry:
        return
    if start and is_mostly_after(start):
        reasons[start] = f"is after {quoted(entry)} in most rows, so it is not the beginning of the incident"
        del mapped[start]
    if report and is_mostly_after(report, reverse=True):
        reasons[entry] = f"is after {quoted(report)} in most rows, so it is not the detection"
        del mapped[entry]


def drop_open_ends(mapped: dict[str, str], of_file: File, rules: moments.DateRules, reasons: dict[str, str]) -> None:
    """Remove a closing that all incidents have that are not closed. It is the end of something else."""
    place = {column.name: n for n, column in reversed(list(enumerate(of_file.columns)))}
    states = [place[name] for name, target in mapped.items() if target == "status"]
    is_open = [
        next((state for at in states if (state := words.value("status", _cell(cells, at)))), "closed")
        not in ("closed", "dismissed") for cells in of_file.sample
    ]  # fmt: skip
    for name in [name for name, target in mapped.items() if target == "closed_at"]:
        ends = [moment(cells, place[name], rules) for cells, each in zip(of_file.sample, is_open, strict=True) if each]
        if len(ends) > 1 and None not in ends:
            reasons[name] = "has a date in each row that is not closed, so it is not the closing"
            del mapped[name]


def read_forms(mapped: dict[str, str], by_name: dict[str, Column], reasons: dict[str, str]) -> None:
    """If the file has the answers to a form, remove when and by whom the form was filled in.

    The form was sent at the date of the report.
    """
    parts = {name: part for name in by_name if (part := words.part_of_form(name))}
    sent = next((name for name, part in parts.items() if part == "sent" and by_name[name].dates), None)
    is_answer = {"person", "start"} <= set(parts.values()) or any(name.endswith("?") for name in by_name)
    if not sent or not is_answer:
        return
    for name in [name for name in parts if name in mapped]:
        reasons[name] = "says when or by whom the form was filled in"
        del mapped[name]
    if "reported_at" not in mapped.values():
        mapped[sent] = "reported_at"
        reasons[sent] = "the time at which the form was sent"


def moment(cells: list[Any], place: int, rules: moments.DateRules) -> moments.Moment | None:
    """Return the date of a cell, or None."""
    try:
        return moments.parse(_cell(cells, place), rules)
    except ValueError:
        return None


def _moment(cells: list[Any], place: int, rules: moments.DateRules) -> str | None:
    """Return the date of a cell that has a time, or None."""
    date = moment(cells, place, rules)
    return None if date is None or date.next_day else date.text


def _cell(cells: list[Any], place: int) -> str:
    return as_text(cells[place]) if place < len(cells) else ""
