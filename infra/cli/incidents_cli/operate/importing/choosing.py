"""Choose the field of each column of a file, by the column's name and its cells."""

import re
from collections.abc import Iterable
from collections.abc import Mapping as Table
from typing import Any

from incidents.domain import model

from . import amounts, moments, words
from .convert import DATES, as_number
from .facts import Column
from .mapping import CHOICES, CURRENCY, OPEN, Mapping, folded, quoted, shown

_ROUNDED = re.compile(r"[0-9][.,][0-9]+E\+[0-9]+")  # a spreadsheet has rounded a long number, as in 1.21143E+15
_VALUES = 12  # a column of statuses or severities seldom has more values
TIMES_OF = "the times of day of "
_LISTS_OF_IDS = {"corrective_action_ids", "realized_risk_ids", "triggered_by_alert_ids"}
_WEAKEST = {"severity": "urgency", "status": "current milestone"}
"""By field, the first of the weak names. A column with a weak name gets the field if no better column has the field."""
COUNTS = "may only count the rows; if the next export begins with 1 again, remove the column from [columns]"


def targets(columns: Iterable[str], known: Mapping | None) -> dict[str, str]:
    """Return the fields of the columns, by column: from the preset, or else from the meaning of the column's name.

    The columns of one field are in the order in which an import takes them.
    """
    named = list(dict.fromkeys(columns))
    fields = given(named, known) if known is not None else {}
    have = set(fields.values())
    others = [name for name in named if name not in fields and (known is None or folded(name) not in known.leave_out)]
    meant = {name: target for name in others if (target := words.meaning(name))}
    certain = {(target, words.rank(name)) for name, target in meant.items() if not words.doubt(name)}
    meant = {
        name: target for name, target in meant.items()
        if not (words.doubt(name) and target in CHOICES
                and any(other == target and rank <= words.rank(name) for other, rank in certain))
    }  # fmt: skip
    place = {target: n for n, target in reversed(list(enumerate(meant.values())))}
    ordered = sorted(meant.items(), key=lambda pair: (place[pair[1]], words.rank(pair[0]), words.doubt(pair[0])))
    for name, target in ordered:
        if known is None or target not in have or target in model.LISTS:
            fields[name] = target
    return fields


def given(named: list[str], known: Mapping) -> dict[str, str]:
    """Return the fields of the columns that a mapping names, in the mapping's order."""
    order = {column: n for n, column in enumerate(known.columns)}
    first = sorted((name for name in named if folded(name) in order), key=lambda name: order[folded(name)])
    return {name: known.columns[folded(name)] for name in first}


def drop_misfits(mapped: dict[str, str], by_name: dict[str, Column]) -> dict[str, str]:
    """Remove the columns whose cells cannot be values of their field, such as a column of dates without any date.

    Return the reasons by column.
    """
    reasons: dict[str, str] = {}
    for name, target in list(mapped.items()):
        column = by_name[name]
        if target in DATES and column.filled and not column.dates:
            unread = next(iter(column.not_dates.texts), None)
            reasons[name] = f"has no dates that can be read, such as {quoted(unread)}" if unread else ""
            if column.day_number:
                reasons[name] = f"has no dates ({column.day_number} {moments.DAY_NUMBER})"
        elif target in DATES and 2 * column.dates < column.filled - column.nothings and words.must_prove_dates(name):
            reasons[name] = ""  # an empty reason: the column is listed among the columns without a field
        elif target == "incident_number" and (wrong := _mostly_no_numbers(column)):
            reasons[name] = f"has a value that cannot be a number of an incident: {quoted(wrong)}"
        elif target in model.LISTS and _is_prose(column, target):
            reasons[name] = "has sentences, and no list of ids or names"
        elif target in _WEAKEST and _are_other_values(column, target):
            reasons[name] = f"has no values of a {target}"
        elif target == "realized_risk_ids" and _are_values(column, "severity"):
            reasons[name] = "has levels, and no ids of risks"
        elif target == "category" and _are_verdicts(column):
            reasons[name] = "says whether an alert was right, and is not a category"
        elif target == "category" and column.longest > model.CATEGORY_CHARACTERS:
            reasons[name] = f"has a cell of more than {model.CATEGORY_CHARACTERS} characters"
        else:
            continue
        del mapped[name]
    choose_number(mapped, by_name, reasons)
    for field, weakest in _WEAKEST.items():
        all_names = [name for name, target in mapped.items() if target == field]
        weak = [name for name in all_names if words.rank(name) >= words.rank(weakest)]
        for name in weak if len(weak) < len(all_names) else ():
            del mapped[name]
    drop_unneeded(mapped, by_name, reasons)
    return {name: reason for name, reason in reasons.items() if reason}


def choose_number(mapped: dict[str, str], by_name: dict[str, Column], reasons: dict[str, str]) -> None:
    """Keep the best column of incident numbers, and remove those that only count the rows, repeat or lack numbers.

    The file number of an authority is the incident's own number only if no better column exists.
    """
    numbers = [name for name, target in mapped.items() if target == "incident_number"]
    if not numbers:
        return
    faults = {name: faults_of_numbers(by_name[name], by_name) for name in numbers}
    most = max(column.filled for column in by_name.values())

    def is_bad(name: str) -> bool:
        column = by_name[name]
        is_sparse = 2 * column.filled < most or (words.is_of_authority(name) and column.filled < most)
        return column.repeated > 0 or is_sparse

    best = min(numbers, key=lambda name: (is_bad(name), by_name[name].only_counts, faults[name] != "",
                                          words.is_of_authority(name)))  # fmt: skip
    for name in numbers:
        if name == best:
            continue
        if by_name[name].only_counts:
            reasons[name] = "only counts the rows"
        elif faults[name] and not faults[best]:
            reasons[name] = f"has {faults[name]}, but each row has its own {quoted(best)}"
        elif words.is_of_authority(name):
            reasons[name] = f"is the file number of an authority, and {quoted(best)} is the number of the incident"
        else:
            continue
        del mapped[name]
    if why := COUNTS if by_name[best].only_counts else f"has {faults[best]}" if faults[best] else "":
        reasons[best] = why


def faults_of_numbers(column: Column, by_name: Table[str, Column]) -> str:
    """Return the numbers of empty and of repeated cells in a column of incident numbers, or an empty text."""
    empty = max(other.filled for other in by_name.values()) - column.filled
    counts = ((empty, "empty"), (column.repeated, "repeated"))
    listed = " and ".join(f"{count} {what}" for count, what in counts if count)
    return listed and f"{listed} cells"


def drop_unneeded(mapped: dict[str, str], by_name: dict[str, Column], reasons: dict[str, str]) -> None:
    """Of several columns of a status or a severity, remove those with unknown values that no row needs.

    A column without any known value, such as the numbers of statuses, is needed only where the other columns are empty.
    """
    most = max(column.filled for column in by_name.values())
    for field in _WEAKEST:
        names = [name for name, target in mapped.items() if target == field]
        ordered = sorted(names, key=lambda name: not _known(by_name[name], field))
        mapped |= {name: mapped.pop(name) for name in ordered if ordered != names}
        full = next((name for name in names if _known(by_name[name], field) == most), None)
        for name in names:
            if full not in (None, name) and _known(by_name[name], field) < by_name[name].filled:
                reasons[name] = f"is not needed, because each row has its {quoted(str(full))}"
                del mapped[name]


def _known(column: Column, field: str) -> int:
    """Return the number of cells whose value of a status or a severity is known."""
    return sum(count for text, count in column.values.items() if words.value(field, text))


def _are_other_values(column: Column, field: str) -> bool:
    """Return whether no cell can be a value of the field: a column ``State`` may have places, or scores."""
    is_doubtful = len(column.values) > _VALUES or words.may_be_place(column.name)
    may_be = any(text.isdigit() and len(column.values) <= _VALUES for text in column.values)
    return is_doubtful and column.filled > 0 and not may_be and not _known(column, field)


def _are_verdicts(column: Column) -> bool:
    """Return whether all cells say if an alert was right."""
    return bool(column.values) and all(map(words.is_verdict, column.values))


def _is_prose(column: Column, target: str) -> bool:
    """Return whether the cells are texts of a person, and not lists of ids or names.

    People describe an action in a few words, so a list of actions or risks must have ids. Names of systems may be long.
    """
    if target in _LISTS_OF_IDS:
        return column.sentences > 0 or 2 * column.phrases >= max(1, column.filled)
    return 2 * column.sentences > column.filled


def no_numbers(column: Column) -> list[str]:
    """Return the values in a column of incident numbers that cannot be numbers, such as ``folgt``."""
    wrong = [text for text in column.values if _is_no_number(text)]
    without = [text for text in column.without_digits if text not in wrong and not words.is_total(text)]
    is_rare = 2 * sum(column.values.get(text, 1) for text in without) < column.filled
    return [*wrong, *(without if is_rare else ())]


def _mostly_no_numbers(column: Column) -> str | None:
    """Return the first value that cannot be an incident number, if most cells have such values."""
    wrong = [text for text in column.values if _is_no_number(text)]
    is_mostly = 2 * sum(column.values[text] for text in wrong) >= sum(column.values.values())
    return wrong[0] if wrong and is_mostly else None


def _is_no_number(text: str) -> bool:
    text = as_number(text)
    return (
        "://" in text
        or len(text) > model.NUMBER_CHARACTERS
        or not text.isascii()
        or not text.isprintable()
        or "#" in text
        or _ROUNDED.fullmatch(text) is not None
    )


def drop_other_currencies(
    mapped: dict[str, str], by_name: dict[str, Column], settings: Table[str, Any], reasons: dict[str, str],
    notes: list[str],
) -> list[str]:  # fmt: skip
    """Remove the columns of amounts that are not in US dollars. Return the mapping's line about the currency."""
    has_amounts = "financial_impact" in mapped.values()
    named = [name for name, column in by_name.items() if has_amounts and name not in mapped and column.is_currency]
    in_dollars = [text for name in named for text in by_name[name].values if amounts.is_dollars(text)]
    other = next((text for name in named for text in by_name[name].values if not amounts.is_dollars(text)), None)
    given = settings.get("currency")
    unclear = []
    for name in [name for name, target in mapped.items() if target == "financial_impact"]:
        column, is_named = by_name[name], amounts.is_dollars(name) or words.rank(name) == 0
        unit = amounts.other_unit(name) or (column.unit if not is_named else None)
        if not unit and not is_named and not column.shows_dollars and not in_dollars:
            unit = other or (given if given and not amounts.is_dollars(given) else None)
            unclear += [column] if not unit and not given else []
        if unit:
            reasons[name] = f"is in {unit}, and financial_impact is in US dollars"
            del mapped[name]
    if in_dollars and "financial_impact" in mapped.values():
        mapped |= dict.fromkeys(named, CURRENCY)
        reasons |= dict.fromkeys(named, "only the amounts of rows with US dollars become financial_impact")
        notes += [f"{quoted(name)} has the currencies, so {reasons[name]}." for name in named]
    if given:
        return [f"currency = {quoted(given)}  # of amounts that show none"]
    marks = settings.get("decimal") or "".join(mark for column in unclear for mark in column.marks)
    if unclear and marks == ",":
        example = quoted(next(iter(unclear[0].values)))
        return [f'currency = "{OPEN}"  # currency: in which currency is {example}? Pass --currency, such as EUR or USD']
    notes += [f"{quoted(column.name)} shows no currency, so its amounts become US dollars." for column in unclear]
    return []


def choose_by_cells(mapped: dict[str, str], by_name: dict[str, Column], reasons: dict[str, str]) -> None:
    """Add the columns whose cells show the field, such as ``Stand`` with ``offen`` or ``Risiko`` with ``hoch``."""
    for name, column in by_name.items():
        target = words.by_cells(name) if name not in mapped else None
        if target is None or target in mapped.values():
            continue
        if target in DATES:
            fits = column.dates > 0 and 2 * column.dates >= column.filled - column.nothings
        else:
            fits = _are_titles(column) if target == "title" else _are_values(column, target)
        if fits:
            mapped[name] = target
            reasons[name] = f"the {target}, because its cells fit and no other column is"


def choose_answers(mapped: dict[str, str], by_name: dict[str, Column], reasons: dict[str, str]) -> None:
    """If no other column is the status, add a column such as ``Closed?`` whose cells are only yes or no."""
    for name, column in by_name.items():
        is_answer = column.values and words.asks_closed(name) and all(map(words.answer, column.values))
        if is_answer and "status" not in mapped.values():
            mapped[name] = "status"
            reasons[name] = "the status, because its cells say yes or no and no other column is"


def _are_values(column: Column, target: str) -> bool:
    """Return whether most cells are values of a status or a severity."""
    return 2 * _known(column, target) > column.filled


def _are_titles(column: Column) -> bool:
    """Return whether the cells are short texts of several words."""
    several = sum(count for text, count in column.values.items() if " " in text)
    return column.longest <= model.TITLE_CHARACTERS and not column.dates and 2 * several > sum(column.values.values())


def choose_title(mapped: dict[str, str], by_name: dict[str, Column], reasons: dict[str, str]) -> None:
    """Make a description the title if no column has a title, and if the cells of the description are short enough."""
    described = next((name for name, target in mapped.items() if target == "description"), None)
    if described and "title" not in mapped.values() and by_name[described].longest <= model.TITLE_CHARACTERS:
        mapped[described] = "title"
        reasons[described] = "the title, because no other column is"


def choose_closing(mapped: dict[str, str], by_name: dict[str, Column], reasons: dict[str, str]) -> None:
    """Make a column such as `Fixed at` the closing if no other column has the closing, and if rows are closed."""
    unclear = [name for name in mapped if words.may_be_closing(name)]
    if not unclear or "closed_at" in mapped.values():
        return
    states = [text for name, target in mapped.items() if target == "status" for text in by_name[name].values]
    if not states:
        mapped |= dict.fromkeys(unclear, OPEN)
        reasons |= dict.fromkeys(unclear, "columns: is it the containment (contained_at) or the closing (closed_at)?")
    elif any(words.value("status", text) == "closed" for text in states):
        mapped |= dict.fromkeys(unclear, "closed_at")
        reasons |= dict.fromkeys(unclear, "the closing, because no other column is")


def given_clocks(mapped: dict[str, str], by_name: dict[str, Column]) -> dict[str, str]:
    """Return the reasons for the columns of times of day. Each follows its column of dates in the given mapping."""
    pairs = zip(mapped, list(mapped)[1:], strict=False)
    return {
        name: TIMES_OF + shown(before) for before, name in pairs
        if mapped[name] in DATES and mapped[before] == mapped[name] and by_name[before].days
        and _has_clocks(by_name[name])
    }  # fmt: skip


def with_clocks(mapped: dict[str, str], columns: list[Column], reasons: dict[str, str]) -> dict[str, str]:
    """Return the fields after the columns of times of day were added.

    A column of times directly after a column of dates gets the same field, and is the next line in the mapping. A
    column of times in another place becomes a question.
    """
    joined = dict(mapped)
    has_days = any(column.days and mapped.get(column.name) in DATES for column in columns)
    for before, column in zip([None, *columns], columns, strict=False):
        if column.name in mapped or not has_days or not _has_clocks(column):
            continue
        target = mapped.get(before.name) if before and before.days else None
        if before and target in DATES and not words.is_duration(column.name):
            joined = {
                name: to for each, field in joined.items() if each != column.name
                for name, to in ((each, field), *([(column.name, field)] if each == before.name else []))
            }  # fmt: skip
            reasons[column.name] = TIMES_OF + shown(before.name)
        elif words.is_time_of_day(column.name) and not words.is_duration(column.name):
            joined[column.name] = OPEN
            reasons[column.name] = (
                f"columns: {quoted(column.name)} has times of day. Move this line below the column of its date and "
                "write the same field, or delete this line"
            )
    return joined


def _has_clocks(column: Column) -> bool:
    """Return whether a column has times of day: one readable time if its name says so, and otherwise most cells."""
    if words.is_time_of_day(column.name) and not words.is_duration(column.name):
        return column.clocks + column.other_clocks > 0
    return 2 * column.clocks > column.filled
