"""The meanings of the names and values of other programs' columns. The data is in ``words.toml``."""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from incidents.domain import model

from . import amounts
from .mapping import folded
from .names import Vocabulary, parted, plain, spellings, tokens

_HYPHEN = re.compile(r"-[ \t\r]*\n\s*(?=[a-zäöüß])")
_CHARACTERS = 200  # a longer text is not the name of a column
_SIGNS = " *:\u2020\u2021\u00b2\u00b3"  # these signs mark a required column or a footnote
_GENDER = re.compile(r"[/:*_(]-?(?:in|innen|r|n)\)?\Z")  # as in Bearbeiter/in
_LAST_PART = re.compile(r"[(\[]([^()\[\]]*)[)\]]\Z")
_DASHES = "-\u2013\u2014"
_PARTS = re.compile(rf"\s[{_DASHES}]|[{_DASHES}]\s|[:;,/|>\u2192]")
_ALTERNATIVES = re.compile(r"[/&]|\s(?:und|oder|and|or|et|ou|y|o)\s")
_TEXTS = model.LISTS | model.PARAGRAPHS | {"title", "category"}
_ANSWER_END = re.compile(r"[\s,;:./(\[!]")
_ENDS = ("contained_at", "closed_at")
_NAMED = re.compile(r"(?:priority|priorität|prio|severity|schweregrad|status)[ :]+(?=\S)", re.IGNORECASE)
_OFFSET = re.compile(r"(?:UTC|GMT) ?([+-])([0-9]{1,2}):?([0-9]{2})?", re.IGNORECASE)
_PICTURES = ("So", "Sk", "Cf", "Mn")  # the categories of the characters of an emoji
_CUSTOM_FIELD = re.compile(
    r"(?:custom field|benutzerdefiniertes feld|champs? personnalisé|campo personalizado) \((.+)\)"
)


@cache
def _words() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))


class _Entry(NamedTuple):
    """The meaning of a column's name. ``field`` is None if the meaning is unknown.

    ``rank`` is 0 for the field's own name, and higher for a name that fits less. ``doubt`` orders names of one rank: 0
    for a name without a note in brackets, and 2 for a note such as ``(estimated)``. ``is_loose`` is true if only the
    words of the name were recognized. Then most cells must be dates before the column is a date.
    """

    field: str | None = None
    rank: int = 0
    doubt: int = 0
    is_loose: bool = False


_UNKNOWN = _Entry()


@cache
def _vocabulary() -> Vocabulary:
    return Vocabulary.from_document(_words())


@cache
def _by_column() -> dict[str, _Entry]:
    by_word: dict[str, _Entry] = {}
    for field, listed in _words()["columns"].items():
        for rank, word in enumerate([field, *listed]):
            by_word.setdefault(folded(word), _Entry(field, rank))
    return by_word


@cache
def _by_core() -> dict[str, _Entry]:
    """Return the entries by their normalized words: without articles, accents and the word for the incident."""
    by_core: dict[str, _Entry] = {}
    for word, entry in _by_column().items():
        for spelling in spellings(word):
            core = " ".join(_vocabulary().core(tokens(spelling)))
            by_core.setdefault(core, _by_column().get(core, entry))
    del by_core[""]  # a name such as Ticket has only the word for an incident, so its core is empty
    return by_core


def meaning(column: str) -> str | None:
    """Return the field that a column's name means, or None."""
    return _entry(column).field


def rank(column: str) -> int:
    """Return the rank of a column's name: 0 for its field's own name, and higher for a name that fits less."""
    return _entry(column).rank


def is_entry(column: str) -> bool:
    """Return whether a column has the date of the entry, such as ``Created``, which may be used as the detection."""
    return _entry(column).field == "detected_at" and rank(column) >= rank("opened")


def doubt(column: str) -> int:
    """Return the doubt about a column's name: 1 or 2 if the name has a note in brackets, and otherwise 0."""
    return _entry(column).doubt


def must_prove_dates(column: str) -> bool:
    """Return whether a column is a date of the incident only if most of its cells are dates."""
    return _entry(column).is_loose


def zone(column: str) -> str | None:
    """Return the zone in a column's name, such as UTC in ``Created (UTC)`` or ``+01:00`` in ``GMT+1``, or None."""
    if offset := _OFFSET.search(column):
        return f"{offset[1]}{offset[2]:0>2}:{offset[3] or '00'}"
    return None if {"utc", "gmt"}.isdisjoint(tokens(column)) else "UTC"


@cache
def _entry(column: str) -> _Entry:
    """Return the entry of a column's name.

    The words of the name may be joined, as in ``createdAt``, or divided by a hyphen at the end of a line. The name may
    be that of a custom field of Jira, such as ``Custom field (Cause)``.
    """
    if len(column) > _CHARACTERS:
        return _UNKNOWN
    column = _HYPHEN.sub("", column.replace("\u2019", "'"))
    custom = _CUSTOM_FIELD.fullmatch(folded(column))
    column = custom[1] if custom else column
    pairs = zip(f" {column}", column, strict=False)
    divided = "".join(f" {after}" if before.islower() and after.isupper() else after for before, after in pairs)
    known = _by_column()
    forms = (form for name in (column, divided) for form in _forms(folded(name)))
    exact = next((known[form] for form in forms if form in known), None)
    return exact or _by_words(column) or _by_words(divided) or _of_label(folded(divided)) or _UNKNOWN


def _of_label(name: str) -> _Entry | None:
    """Return the entry of the words for a status or a severity, such as ``status_label`` next to ``status``."""
    first, _, last = name.rpartition(" ")
    entry = _entry(first) if last in _words()["marks"]["labels"] and first else _UNKNOWN
    return entry if entry.field in ("status", "severity") else None


def _by_words(name: str) -> _Entry | None:
    """Return the entry of a name by its words. If the words are unknown, ignore the notes in brackets."""
    bare, notes = parted(name)
    noted = set(tokens(" ".join(notes)))
    if noted & _vocabulary().other_meaning:
        return None
    if (entry := _of_words(name)) or not notes:
        return entry
    form = next((form for form in _forms(folded(bare)) if form in _by_column()), None)
    if (form or " ".join(_vocabulary().core(tokens(bare)))) in _vocabulary().generic:
        return None
    entry = _by_column()[form] if form else _of_words(bare)
    is_weak = bool(noted & _vocabulary().weak)
    if entry is None or (is_weak and entry.field in _ENDS):
        return None
    return entry._replace(doubt=1 + is_weak)


def _of_words(name: str) -> _Entry | None:
    words = tokens(name)
    moment = None if is_duration(name) else _vocabulary().moment(words)
    entry = _by_column()[moment] if moment else _by_core().get(" ".join(_vocabulary().core(words)))
    entry = entry or _of_alternatives(name)
    return entry._replace(is_loose=True) if entry else None


def _of_alternatives(name: str) -> _Entry | None:
    """Return the entry of two names, such as ``Betroffene Systeme / Anwendungen``. The second name may be unknown."""
    first, *others = map(str.strip, _ALTERNATIVES.split(name))
    entry = _entry(first) if others else _UNKNOWN
    if entry.field not in _TEXTS or any(_entry(other).field not in (entry.field, None) for other in others):
        return None
    return entry


def _forms(name: str) -> Iterator[str]:
    """Yield a folded name, and its forms without parts that do not change its meaning.

    Such parts are signs as in ``Status*:``, words as in ``Status (required)``, units as in ``Kosten in €``, endings as
    in ``Bearbeiter/in``, and words before the name as in ``Incident Status``.
    """
    yield name
    yield (bare := name.strip(_SIGNS))
    if (last := _LAST_PART.search(bare)) and last[1].strip(_SIGNS) in _words()["marks"]["words"]:
        yield (bare := bare[: last.start()].strip(_SIGNS))
    yield (bare := _GENDER.sub("", bare))
    if (unit := amounts.unit(bare)) and (at := bare.rfind(unit)) > 0 and not bare[at + len(unit) :].strip(" .)]"):
        bare = bare[:at].rstrip(" ([,")
        yield (bare := bare[:-3].rstrip(" ([,") if bare.endswith((" in", "(in", "[in", " en")) else bare)
    first, _, others = bare.replace("-", " ").partition(" ")
    if first in _words()["marks"]["prefixes"]:
        yield others


@cache
def _by_value(field: str) -> dict[str, str]:
    listed = _words()["values"][field].items()
    pairs = [(form, value) for value, words in listed for word in [value, *words] for form in spellings(folded(word))]
    return {_squeezed(form): value for form, value in pairs} | dict(pairs)


def _squeezed(text: str) -> str:
    """Return a text without spaces and hyphens, as in ``Onhold`` or ``P-1``."""
    return text.replace(" ", "").replace("-", "")


def value(field: str, text: str) -> str | None:
    """Return the value of ``status`` or ``severity`` that a text means, or None.

    A number before or after the word is ignored, as in ``1 - High``. A number alone has no meaning, because 1 is the
    highest severity in one program and the lowest in another. A note is ignored, as in ``Closed - by vendor`` or
    ``in Bearbeitung (ext.)``, unless the note also means a value. Then the text means a value only if the two agree.
    """
    named = _NAMED.match(text)  # as in `Priority 1 - Critical`
    return _value(field, text) or (_value(field, text[named.end() :]) if named else None)


def _value(field: str, text: str) -> str | None:
    if exact := _listed(field, text):
        return exact
    bare, notes = parted(text)
    parts = [part.strip(f"{_DASHES} ") for part in _PARTS.split(bare)]
    first, *others = [part for part in parts if any(map(str.isalpha, part))] or [""]
    head, *rest = _connected(field, first)
    if head is None:
        return None
    meant = {head, *rest}
    for other in (*others, *notes):
        meant.update(_connected(field, other))
    return _agreed(meant - {None})


def _listed(field: str, text: str) -> str | None:
    known = _by_value(field)
    whole = plain(folded(text))
    of_incident = " ".join(word for word in whole.split() if word not in _vocabulary().incidents)
    forms = (whole, _squeezed(whole), whole.replace("-", " "), plain(word(text)), of_incident)
    return next((known[form] for form in forms if form in known), None)


def _connected(field: str, text: str) -> list[str | None]:
    """Return the value that a text means, or that the two parts of a text such as ``closed as duplicate`` mean."""
    if (whole := _listed(field, text)) or not (parts := _connectors().fullmatch(folded(text))):
        return [whole]
    return [_listed(field, parts[1]), _listed(field, parts[2] or "")]


@cache
def _connectors() -> re.Pattern[str]:
    """Return a pattern that divides a text into two parts, of which the second part only explains the first part."""
    between, last = ("|".join(re.escape(each) for each in _words()["notes"][name]) for name in ("connectors", "last"))
    return re.compile(rf"(.+?)\s+(?:(?:{between})\s+(.+)|(?:{last}))")


def _agreed(meant: set[str | None]) -> str | None:
    """Return the most precise of the values that the parts of a text mean, as in ``Closed - duplicate``."""
    if meant == {"closed", "dismissed"}:
        return "dismissed"
    # The other open states are more precise than ``new``.
    if "new" in meant and not meant & {"closed", "dismissed"}:
        meant = meant - {"new"} or meant
    return meant.pop() if len(meant) == 1 else None


def preset(header: list[str]) -> str | None:
    """Return the preset whose columns a header has, or None."""
    have = {folded(name) for name in header}
    return next((name for name, listed in _words()["presets"].items() if have.issuperset(map(folded, listed))), None)


def word(text: str) -> str:
    """Return a text without a number or a picture before or after the word, as in ``1 - High``."""
    whole = "".join(letter for letter in folded(text) if unicodedata.category(letter) not in _PICTURES)
    return whole.strip("0123456789 -\u2013:().").strip() or whole


def may_be_closing(column: str) -> bool:
    """Return whether a column's name means the containment or the closing, as in ``Fixed at``."""
    bare, notes = parted(column)
    if not _vocabulary().other_meaning.isdisjoint(tokens(" ".join(notes))):
        return False
    return not set(_words()["either_end"]["words"]).isdisjoint([*_forms(folded(column)), *_forms(folded(bare))])


def is_undecided(severity: str) -> bool:
    """Return whether a severity means that it is still undecided, such as ``?`` or ``k. A.``."""
    if len(severity) > _CHARACTERS:
        return False
    text = folded(severity)
    bare = text.strip("-\u2013.?*<>() ")
    return not bare or any(
        form in _words()[name]["words"] for name in ("no_severity", "nothing") for form in (text, bare)
    )


def is_nothing(text: str) -> bool:
    """Return whether the text of a cell stands for no value, such as ``-``.

    This is only for columns of owners, categories or lists.
    """
    return is_undecided(text)


def answer(text: str) -> Literal["yes", "no"] | None:
    """Return yes or no if a cell of a column of regimes is only such an answer, as in ``ja (BaFin)`` or ``n. b.``."""
    whole = folded(text)
    first = _ANSWER_END.split(whole, maxsplit=1)[0]
    if not {whole, first}.isdisjoint(_words()["answers"]["yes"]):
        return "yes"
    return "no" if is_nothing(text) or not {whole, first}.isdisjoint(_words()["answers"]["no"]) else None


def is_plan(column: str, end: Literal["start", "due"]) -> bool:
    """Return whether a column may be a date of a plan: the start of the work, or its due date."""
    return not set(_words()["plans"][end]).isdisjoint(_forms(folded(column)))


def asks_closed(column: str) -> bool:
    """Return whether a column's name may ask if an incident is closed, as in ``Closed?`` or ``Erledigt (ja/nein)``."""
    return folded(parted(column).text).strip(f"{_SIGNS}?") in _words()["closed"]["words"]


def may_be_place(column: str) -> bool:
    """Return whether a column's name means a status or a part of a country, such as ``State``."""
    return folded(column).strip(_SIGNS) in _words()["places"]["words"]


def part_of_form(column: str) -> str | None:
    """Return what a column's name says about the filling of a form: ``start``, ``sent``, ``person``, or None."""
    name = folded(column)
    return next((part for part, listed in _words()["forms"].items() if name in listed), None)


def is_verdict(text: str) -> bool:
    """Return whether a text says if an alert was right, such as ``False positive``."""
    return folded(text) in _words()["verdicts"]["words"]


def name_of(document: Mapping[str, Any]) -> str | None:
    """Return the name of a JSON object in a cell, or of an object in it. Return None if it has no name."""
    members = [document.get(member) for member in _words()["objects"]["members"]]
    texts = [member for member in members if isinstance(member, str) and member.strip()]
    texts += [text for member in members if isinstance(member, dict) and (text := name_of(member))]
    return texts[0] if texts else None


def is_fault(text: str) -> bool:
    """Return whether a text is the fault of a spreadsheet, such as ``#WERT!`` or ``########``."""
    return text.startswith(("#", "Err:")) and (not text.strip("#") or folded(text) in _words()["faults"]["words"])


def by_cells(column: str) -> str | None:
    """Return the field that a column's name may mean if the cells fit, such as ``severity`` for ``Risiko``."""
    names = set(_forms(folded(column)))
    return next((field for field, listed in _words()["by_cells"].items() if not names.isdisjoint(listed)), None)


def is_of_authority(column: str) -> bool:
    """Return whether a column's name means the file number that an authority gives, such as ``Aktenzeichen``."""
    return not set(_words()["authority"]["words"]).isdisjoint(_forms(folded(column)))


def is_currency(column: str) -> bool:
    """Return whether a column's name means the currency of the amounts in its row."""
    return folded(column).strip(_SIGNS) in _words()["currency"]["words"]


def is_duration(column: str) -> bool:
    """Return whether a column's name means a duration. Then its cells are not times of day."""
    return any(part in folded(column) for part in _words()["durations"]["parts"])


def is_time_of_day(column: str) -> bool:
    """Return whether a column's name means a time of day."""
    return not set(_words()["times"]["words"]).isdisjoint(re.findall(r"\w+", folded(column)))


@cache
def _totals() -> re.Pattern[str]:
    return re.compile(f"(?:{'|'.join(re.escape(folded(each)) for each in _words()['totals']['words'])})(?:[ :].*)?")


def is_total(text: str) -> bool:
    """Return whether a text begins with a word for a total, such as ``Sum`` or ``Gesamtsumme:``."""
    return _totals().fullmatch(folded(text)) is not None
