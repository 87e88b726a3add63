"""Find the meaning of a column's name by its complete words, in several languages. ``words.toml`` has the words.

Articles, notes in brackets and the word for the incident do not change the meaning. ``Titel des Vorfalls`` means
``Titel``, and ``Fecha de cierre (UTC)`` means ``cierre``. Any other word changes the meaning. So ``Geschlossen durch``
is not a date.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

_NOTE = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_TOKEN = re.compile(r"[^\W_]+[#°]?|[#°]")
_ELISION = re.compile(r"\b(?:d|l|qu)'(?=\w)")
_JOINT = "s"  # the letter between the parts of a German compound, as in Erkennungszeitpunkt
_SHORTEST = 3  # the fewest letters of the first part of a compound


def plain(text: str) -> str:
    """Return a text in lower case without accents, such as ``eindammung`` for ``Eindämmung``."""
    parts = unicodedata.normalize("NFKD", text.casefold().replace("\u2019", "'"))
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def spellings(word: str) -> set[str]:
    """Return the spellings of a listed word: one without accents, and one with ``ae`` instead of ``ä``."""
    long = word.casefold().replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
    return {plain(word), plain(long)}


def tokens(text: str) -> list[str]:
    """Return the plain words of a text."""
    return _TOKEN.findall(_ELISION.sub("", plain(text)))


class Parted(NamedTuple):
    """A text without its notes in brackets, and these notes."""

    text: str
    notes: tuple[str, ...]


@cache
def parted(text: str) -> Parted:
    """Return a text without its notes in brackets, and the notes."""
    return Parted(" ".join(_NOTE.sub(" ", text).split()), tuple(_NOTE.findall(text)))


class Vocabulary(NamedTuple):
    """The words of the section ``names`` of ``words.toml``. The comments in this file explain each list.

    ``recipients`` has a set of words for each name of a date. ``events`` has the name of a date for each word.
    ``single`` has every word that is the name of a column by itself.
    """

    articles: frozenset[str]
    incidents: tuple[str, ...]
    events_of: frozenset[str]
    dates: tuple[str, ...]
    generic: frozenset[str]
    other_meaning: frozenset[str]
    weak: frozenset[str]
    latest: frozenset[str]
    telling: frozenset[str]
    of_telling: frozenset[str]
    recipients: Mapping[str, frozenset[str]]
    events: Mapping[str, str]
    single: frozenset[str]

    @classmethod
    def from_document(cls, words: Mapping[str, Any]) -> "Vocabulary":
        """Return the vocabulary of a TOML document."""
        lists: dict[str, Any] = {name: frozenset(_all(listed)) for name, listed in words["names"].items()}
        lists |= {name: tuple(sorted(lists[name], key=len, reverse=True)) for name in ("incidents", "dates")}
        columns = (word for field, listed in words["columns"].items() for word in [field, *listed])
        events = {form: name for name, listed in words["events"].items() for word in listed for form in spellings(word)}
        return cls(
            **lists,
            recipients={name: frozenset(_all(listed)) for name, listed in words["recipients"].items()},
            events=events,
            single=frozenset(_all(columns)) | events.keys(),
        )

    def core(self, words: Iterable[str]) -> list[str]:
        """Return the words that give a column its meaning, without articles and without the word for the incident."""
        words = list(words)
        names_incident = not set(self.incidents).isdisjoint(words)
        return [
            self._without_incident(word) for n, word in enumerate(words)
            if word not in self.articles and word not in self.incidents
            and not (word in self.events_of and (n or names_incident))
        ]  # fmt: skip

    def moment(self, words: list[str]) -> str | None:
        """Return the date that the words of a column's name mean, such as ``detected at``, or None if it is unclear."""
        has_date = not set(self.dates).isdisjoint(words)
        parts = [part for word in self.core(words) for part in self._without_date(word)]
        if not parts:
            names_incident = not {*self.incidents, *self.events_of}.isdisjoint(words)
            return "occurred at" if names_incident and has_date else None
        is_latest = not self.latest.isdisjoint(parts)
        if not self.telling.isdisjoint(parts):
            return None if is_latest else self._told(parts)
        meant = {self.events.get(part) for part in parts if part not in self.latest}
        if "contained at" in meant:  # `Eindämmung abgeschlossen am` is the containment
            meant -= {"closed at", "resolved at"}
        name = meant.pop() if len(meant) == 1 else None
        return None if is_latest and name != "updated" else name

    def _without_incident(self, word: str) -> str:
        """Return the second part of a compound such as ``Vorfallstitel``."""
        rests = (word.removeprefix(noun) for noun in self.incidents if word.startswith(noun))
        return next((rest for rest in rests if rest in self.single), word)

    def _without_date(self, word: str) -> Iterator[str]:
        """Yield a word, the first part of a compound such as ``Erkennungszeitpunkt``, or nothing for ``Zeitpunkt``."""
        if word in self.events or word in self.telling:
            yield word
        elif word not in self.dates:
            rest = next((word[: -len(end)] for end in self.dates if word.endswith(end)), "")
            rest = rest if rest in self.events or rest in self.telling else rest.removesuffix(_JOINT)
            yield rest if len(rest) >= _SHORTEST else word

    def _told(self, words: list[str]) -> str | None:
        """Return the name of a date of notification. The words for the notified party decide the name."""
        others = [word for word in words if word not in self.telling and word not in self.of_telling]
        others = [word for word in others if word.isdigit()] or others  # a number is an article, so it decides
        names = {next((name for name, who in self.recipients.items() if word in who), None) for word in others}
        return "reported at" if not names else names.pop() if len(names) == 1 else None


def _all(words: Iterable[str]) -> list[str]:
    return [form for word in words for form in spellings(word)]
