"""The command `incidents intake try`. It prints the incident that a mapping makes from an event, and unused lines."""

import json
import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from incidents.domain import evidence, intake_policy, summary
from incidents.domain.summary import is_link, summary_of
from incidents.findings import EventRefused, Finding, Node, as_from_aws, dates, mapping
from incidents.findings.finding import severity_named
from incidents.findings.mapping import Place, SourceMapping, Value, ValueMissing, spelled
from incidents.findings.paths import PathReader

from ..console import StepFailed, clean, say, stderr
from . import json_lines
from .json_files import json_of, text_of
from .mappings import MappingFile, read_mapping

_ENVELOPE = ("source", "detail-type", "account", "time", "detail")
_DATES = ("occurred_at", "detected_at", "updated_at")
_SHOWN = 5  # the most values or names in a message
_CHARACTERS = 80  # the most characters of a value in a message
_NO_LINK = f"which is not an http or https URL of at most {summary.CHARACTERS} characters without a user name"


class Note(NamedTuple):
    """A problem of a member of a mapping with an event. ``place`` leads to the member."""

    place: Place
    text: str


def try_(
    file: MappingFile,
    event_file: Annotated[
        Path, typer.Argument(metavar="EVENT.json", help="A file with one event as EventBridge delivers it.")
    ],
) -> None:
    """Print the incident that an event would become by a mapping, and the lines of the mapping that find nothing.

    The command needs no stack, and writes nothing.
    """
    checked, text = read_mapping(file)
    event = as_from_aws(json_of(event_file, text_of(event_file)))
    _check_envelope(event_file, event)
    # The messages may take any number of steps, because only one person waits for them.
    read_at = PathReader(event, checked.name, steps=math.inf)
    try:
        _check_taken(checked, event, text)
        unfulfilled = [
            Note(
                condition.place,
                f'{condition.path} {_described(read_at.search(condition.path))}. "in" has {_several(condition.values)}',
            )
            for condition in checked.when
            if not condition.is_fulfilled(read_at)
        ]
        if unfulfilled:
            say("no incident    not_mapped: the event does not fulfill the conditions in `when`")
            say(_lines(unfulfilled, text))
            return
        report = mapping.read(checked, Node(event))
    except EventRefused as refused:
        _warn(notes(checked, event, read_at, {}), text)
        line = f"line {json_lines.line_of(text, refused.place)}: " if isinstance(refused, ValueMissing) else ""
        raise StepFailed(
            "The event would become a dead letter.", f"  {line}{clean(refused)}", "Correct the mapping, or the event."
        ) from None
    if isinstance(report, Finding):
        _warn(notes(checked, event, read_at, report.dates), text)
        _show(report, event)


def notes(checked: SourceMapping, event: Any, read_at: PathReader, read_from: Mapping[str, str]) -> Iterator[Note]:
    """Yield a note for each value that finds nothing in an event, or finds an unusable value.

    ``read_from`` has the field from which each date was read, as in ``Dates``.
    """
    for name, values in (*checked.values.items(), *checked.summary.items()):
        for value in values:
            if flaw := _flaw(name, value, event, read_at, read_from):
                yield Note((*value.place, "constant" if value.path is None else "path"), flaw)
    for member, values in checked.summary.items():
        if cut := _cut_of(member, [text for value in values for text in value.texts(read_at)]):
            yield Note(("summary", member), cut)
    titles = checked.values["title"]
    from_event = [text for value in titles if _texts_at(value, read_at) for text in value.texts(read_at)]
    if not from_event and any(value.texts(read_at) for value in titles):
        yield Note(("title",), "no path finds a value in this event, so the title has only constants")


def _cut_of(member: str, texts: list[str]) -> str | None:
    """Return a sentence about the texts of a member of the summary that are not stored, or None if all texts are
    stored.
    """
    kept = evidence.lifted({member: texts})[member]
    if member == "link" or kept == texts:
        return None
    return (
        f"the service stores the first {evidence.LIFTED} texts, and {evidence.LIFTED_CHARACTERS} characters of each. "
        f"This event has {len(texts)} texts, and the longest has {max(map(len, texts))} characters"
    )


def _flaw(name: str, value: Value, event: Any, read_at: PathReader, read_from: Mapping[str, str]) -> str | None:
    """Return the problem of a value in an event, or None if the service can use the value."""
    texts = value.texts(read_at)
    if name == "link" and texts and not any(map(is_link, texts)):
        return f"{value.path or 'the member'} gives {_shown(texts[0])}, {_NO_LINK}"
    if value.path is None:
        return None
    there = read_at.search(value.path)
    finds, instead = f"{value.path} {_described(there)}", ', so "otherwise" is used' if value.otherwise else ""
    if name in _DATES and there not in (None, []):
        return _flaw_of_date(name, there, finds, event, read_from.get(name, "").partition(f"{value.path}, ")[2])
    if members := list(dict.fromkeys(member for item in _objects(there) for member in item)):
        return f"{value.path} finds objects, which are not values. Name a member: {', '.join(members[:_SHOWN])}"
    words = _texts_at(value, read_at)
    if not words:
        return f"{finds}{instead}"
    if value.table is not None:
        return _flaw_of_table(value.table, words, finds, instead)
    if name == "severity" and severity_named(texts[0]) is None:
        return f"{finds}, which is not a severity. Translate the value with a table"
    return None


def _flaw_of_date(name: str, there: Any, finds: str, event: Any, dropped: str) -> str | None:
    date, latest = dates.parse(there), dates.latest_of(event["time"])
    if date is None:
        return f"{finds}, which is {'a list. Select one date' if isinstance(there, list) else 'not a date'}"
    if name != "occurred_at" and latest is not None and date > latest:
        return f"{finds}, which is more than 24 hours after the time of the event"
    return f"{finds}, {dropped}" if dropped else None


def _flaw_of_table(table: Mapping[str, str], words: list[str], finds: str, instead: str) -> str | None:
    missing = [word for word in words if word not in table]
    alike = [row for row in table if any(_is_alike(row, word) for word in missing)]
    if not missing or (instead and not alike):
        return None
    rows = f", but it has a row for {_several(alike)}" if alike else ""
    return f"{finds}. The table has no row for {_several(missing)}{rows}{instead}"


def _is_alike(row: str, word: str) -> bool:
    """Return whether a row is for the same value in another spelling, like ``True`` for ``true``."""
    try:
        return row.casefold() == word.casefold() or float(row) == float(word)
    except ValueError:
        return False


def _texts_at(value: Value, read_at: PathReader) -> list[str]:
    return [] if value.path is None else read_at.texts(value.path)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a value and, for a list, of its items."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
        elif isinstance(item, list):
            waiting += reversed(item)


def _described(value: Any) -> str:
    return "finds nothing in this event" if value in (None, []) else f"finds {_shown(value)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}..."


def _several(words: Collection[str]) -> str:
    return ", ".join(map(_shown, sorted(words)[:_SHOWN])) + (", ..." if len(words) > _SHOWN else "")


def _lines(listed: list[Note], text: str) -> str:
    """Return the notes in the order of their lines in the mapping's text."""
    numbered = sorted((json_lines.line_of(text, note.place), spelled(note.place), note.text) for note in listed)
    return "\n".join(clean(f"  line {line}: {member}: {said}") for line, member, said in numbered)


def _warn(given: Iterator[Note], text: str) -> None:
    if listed := list(given):
        stderr.print("! Check these lines of the mapping. An event may lack an optional value.", markup=False)
        stderr.print(_lines(listed, text), markup=False)


def _check_envelope(file: Path, event: Any) -> None:
    """Raise StepFailed if a JSON value is not an event of EventBridge. For example, it may be only the payload."""
    if not isinstance(event, dict):
        lacks = "The file must have one object."
    elif missing := [name for name in _ENVELOPE if name not in event]:
        lacks = f"The event has no {', '.join(missing)}."
    elif not isinstance(event["detail"], dict):
        lacks = "detail must be an object."
    else:
        return
    raise StepFailed(
        f"{file} is not an event of EventBridge.",
        f"  {lacks}",
        'Put the payload into the envelope: {"source": "aws.partner/...", "detail-type": "...", '
        '"account": "111122223333", "time": "2026-11-20T10:00:00Z", "detail": PAYLOAD}.',
    )


def _check_taken(checked: SourceMapping, event: dict[str, Any], text: str) -> None:
    source, detail_type = Node(event).at("source").exact_text(), Node(event).at("detail-type").exact_text()
    differing = []
    if not checked.takes(source, checked.detail_types[0]):
        differing.append(Note(("source",), f"the mapping has {checked.source}. The event has {source}"))
    if detail_type not in checked.detail_types:
        types = _several(checked.detail_types)
        differing.append(Note(("detail_type",), f"the mapping has {types}. The event has {_shown(detail_type)}"))
    if differing:
        raise StepFailed(
            "The mapping does not take the event.", _lines(differing, text), "Correct these lines of the mapping."
        )


def _show(finding: Finding, event: Any) -> None:
    from incidents import intake as service  # takes 0.8 s (pydantic and botocore), so `--help` does not import it

    decision = intake_policy.decide(intake_policy.DEFAULT, finding.facts)
    say(f"kind           {finding.kind}")
    say(clean(f"{'no incident' if decision.reason else 'incident':<14} {decision.rule}"))
    say(clean(f"key            {finding.key}"))
    for date, read_from in finding.dates.items():
        say(clean(f"{date:<14} from {read_from}"))
    say(json.dumps(service.incident_of(finding), indent=2, ensure_ascii=False))
    stored = evidence.lifted(finding.summary or {})
    say(json.dumps({"summary": summary_of(event, stored)}, indent=2, ensure_ascii=False))
