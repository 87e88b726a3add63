"""The meanings of the names and values of other programs' columns. The data is in ``words.toml``."""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from . import amounts
from .mapping import folded

_HYPHEN = re.compile(r"-[ \t\r]*\n\s*(?=[a-zäöüß])")
_CHARACTERS = 200  # a longer text is not the name of a column
_SIGNS = " *:\u2020\u2021\u00b2\u00b3"  # signs of a required column or of a footnote
_GENDER = re.compile(r"[/:*_(]-?(?:in|innen|r|n)\)?\Z")  # as in Bearbeiter/in
_LAST_PART = re.compile(r"[(\[]([^()\[\]]*)[)\]]\Z")
_CUSTOM_FIELD = re.compile(
    r"(?:custom field|benutzerdefiniertes feld|champs? personnalisé|campo personalizado) \((.+)\)"
)


@cache
def _words() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))


@cache
def _by_column() -> dict[str, tuple[str, int]]:
    by_word: dict[str, tuple[str, int]] = {}
    for field, listed in _words()["columns"].items():
        for rank, word in enumerate([field, *listed]):
            by_word.setdefault(folded(word), (field, rank))
    return by_word


def meaning(column: str) -> str | None:
    """Return the field that a column's name means, or None."""
    return _entry(column)[0]


def rank(column: str) -> int:
    """Return how well a column's name fits its field: 0 is the field's own name."""
    return _entry(column)[1]


@cache
def _entry(column: str) -> tuple[str | None, int]:
    """Return the field and the rank of a column's name.

    The name may have its words joined, as in ``createdAt``, and a hyphen at the end of a line. It may be the name of a
    custom field of Jira, such as ``Custom field (Cause)``.
    """
    if len(column) > _CHARACTERS:
        return None, 0
    column = _HYPHEN.sub("", column.replace("\u2019", "'"))
    custom = _CUSTOM_FIELD.fullmatch(folded(column))
    column = custom[1] if custom else column
    pairs = zip(f" {column}", column, strict=False)
    parted = "".join(f" {after}" if before.islower() and after.isupper() else after for before, after in pairs)
    known = _by_column()
    return next((known[form] for name in (column, parted) for form in _forms(folded(name)) if form in known), (None, 0))


def _forms(name: str) -> Iterator[str]:
    """Yield a folded name, and its forms without what does not change its meaning.

    These are signs as in ``Status*:``, words as in ``Status (required)``, units as in ``Kosten in €``, an ending as in
    ``Bearbeiter/in``, and words before the name as in ``Incident Status``.
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
    return {folded(word): value for value, listed in _words()["values"][field].items() for word in [value, *listed]}


def value(field: str, text: str) -> str | None:
    """Return the value of ``status`` or ``severity`` that a text means, or None.

    A number before or after the word does not count, as in ``1 - High``. A number alone means nothing: in one program 1
    is the highest severity, and in another one the lowest.
    """
    known = _by_value(field)
    whole = folded(text)
    return known.get(whole) or known.get(whole.replace(" ", "")) or known.get(word(text))


def preset(header: list[str]) -> str | None:
    """Return the preset whose columns a header has, or None."""
    have = {folded(name) for name in header}
    return next((name for name, listed in _words()["presets"].items() if have.issuperset(map(folded, listed))), None)


def word(text: str) -> str:
    """Return a text without a number before or after the word, as in ``1 - High``."""
    whole = folded(text)
    return whole.strip("0123456789 -\u2013:().").strip() or whole


def may_be_closing(column: str) -> bool:
    """Return whether a column's name means the containment or the closing, as in ``Fixed at``."""
    return not set(_words()["either_end"]["words"]).isdisjoint(_forms(folded(column)))


def is_undecided(severity: str) -> bool:
    """Return whether a severity says that nobody has decided, such as ``?`` or ``k. A.``."""
    return folded(severity) in _words()["no_severity"]["words"]


def is_fault(text: str) -> bool:
    """Return whether a text is the fault of a spreadsheet, such as ``#WERT!`` or ``########``."""
    return text.startswith(("#", "Err:")) and (not text.strip("#") or folded(text) in _words()["faults"]["words"])


def is_currency(column: str) -> bool:
    """Return whether a column's name means the currency of the amounts in its row."""
    return folded(column).strip(_SIGNS) in _words()["currency"]["words"]


def is_duration(column: str) -> bool:
    """Return whether a column's name is that of a duration, so its cells are no times of day."""
    return any(part in folded(column) for part in _words()["durations"]["parts"])


def is_time_of_day(column: str) -> bool:
    """Return whether a column's name is that of a time of day."""
    return not set(_words()["times"]["words"]).isdisjoint(re.findall(r"\w+", folded(column)))


@cache
def _totals() -> re.Pattern[str]:
    return re.compile(f"(?:{'|'.join(re.escape(folded(each)) for each in _words()['totals']['words'])})(?:[ :].*)?")


def is_total(text: str) -> bool:
    """Return whether a text begins with a word for a total, such as ``Sum`` or ``Gesamtsumme:``."""
    return _totals().fullmatch(folded(text)) is not None
