"""Compute a day's totals, and their stored form: the values and counts of incidents, by application and other fields.

This module is pure. A tally keeps each value with its number of occurrences, so that the percentiles of any window are
exact.
"""

import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from . import timestamps
from .metric_definitions import METRICS_OF, Kind, Metric, Reason

# The size of the largest stored text. With this text and a share of the categories, an item stays below 300 KB.
CHUNK_BYTES = 180_000
CATEGORIES_OF_DAY = 1_000
# The least room that the categories of a day have, in bytes. On a larger day, they may take half
# the size of its chunks.
_LEAST_ROOM = 4_096


class Facts(NamedTuple):
    """The fields of an incident that the metrics use. Timestamps are texts from ``timestamps``, minutes are whole."""

    app_id: str | None
    severity: str | None
    category: str | None
    status: str
    is_deleted: bool
    occurred_at: str | None
    detected_at: str | None
    contained_at: str | None
    closed_at: str | None
    mttd_minutes: int | None
    mttr_minutes: int | None


def minutes(metric: Metric, facts: Facts) -> int | None:
    """Return an incident's value of a metric in minutes, or None if the value is unknown."""
    match metric:
        case "mttd":
            return facts.mttd_minutes
        case "mttr":
            return _minutes_to_last_known(facts) if facts.mttr_minutes is None else facts.mttr_minutes
        case "time_to_contain":
            if facts.detected_at is None or facts.contained_at is None:
                return None
            return timestamps.minutes_between(facts.detected_at, facts.contained_at)


def _minutes_to_last_known(facts: Facts) -> int | None:
    """Return the minutes from detection to the last known date of an incident without MTTR, or None without both dates.

    The service derives the MTTR of every real end. So if detection and end are known and MTTR is not, the end is only
    the last known date, and the incident has the tag ``model.LAST_KNOWN_END``. This function cannot read the tag,
    because the day index has no tags.
    """
    if facts.detected_at is None or facts.closed_at is None:
        return None
    return timestamps.minutes_between(facts.detected_at, facts.closed_at)


def is_imported(metric: Metric, facts: Facts) -> bool:
    """Return whether a value of a metric comes from a caller and not from two timestamps that are known."""
    if metric == "mttr":
        return facts.detected_at is None or facts.mttr_minutes is None
    return metric == "mttd" and facts.occurred_at is None


def exclusion(facts: Facts) -> Reason | None:
    """Return the reason to exclude an incident from every metric, or None. Missing timestamps are not such a reason."""
    return "deleted" if facts.is_deleted else "dismissed" if facts.status == "dismissed" else None


@dataclass(slots=True)
class Tally:
    """The totals of a day, of a group of a day, or of a window. ``open_since`` is in milliseconds since 1970."""

    minutes: Counter[tuple[Metric, int]] = field(default_factory=Counter)
    imported: Counter[Metric] = field(default_factory=Counter)
    excluded: Counter[tuple[Reason, Metric]] = field(default_factory=Counter)
    open_since: list[int] = field(default_factory=list)

    def add(self, kind: Kind, facts: Facts) -> None:
        """Add an incident to the totals of its day of detection or closing (``kind``)."""
        excluded = exclusion(facts)
        for metric in METRICS_OF[kind]:
            value = minutes(metric, facts)
            if excluded or value is None:
                self.excluded[excluded or "timestamps_missing", metric] += 1
                continue
            self.minutes[metric, value] += 1
            self.imported[metric] += is_imported(metric, facts)
        if kind == "detected" and not excluded and facts.status != "closed" and facts.detected_at:
            self.open_since.append(timestamps.to_milliseconds(facts.detected_at))

    def merge(self, other: "Tally") -> None:
        self.minutes.update(other.minutes)
        self.imported.update(other.imported)
        self.excluded.update(other.excluded)
        self.open_since += other.open_since

    def without(self, others: Iterable["Tally"]) -> "Tally":
        """Return these totals minus the totals of ``others``. ``excluded`` is empty in the result."""
        part = Tally()
        for other in others:
            part.merge(other)
        open_since = Counter(self.open_since) - Counter(part.open_since)
        return Tally(self.minutes - part.minutes, self.imported - part.imported, Counter(), [*open_since.elements()])

    @property
    def incidents(self) -> int:
        """The number of incidents that are not deleted or dismissed.

        In the totals of a window, an incident counts once for its detection and once for its closing.
        """
        valued = sum(count for (metric, _), count in self.minutes.items() if metric != "time_to_contain")
        return valued + self.excluded["timestamps_missing", "mttd"] + self.excluded["timestamps_missing", "mttr"]

    @property
    def shows_a_value(self) -> bool:
        """Whether an incident has a value in a metric, or is open."""
        return bool(self.minutes or self.open_since)


class Group(NamedTuple):
    """The fields by which metrics can be grouped. A field is None if the incident has no value."""

    app: str | None
    severity: str | None
    category: str | None


Totals = dict[Group, Tally]
Name = TypeVar("Name")


def totals_by_group(kind: Kind, incidents: Iterable[Facts]) -> Totals:
    """Return the totals of the incidents of one day, by group."""
    totals: Totals = {}
    for facts in incidents:
        group = Group(facts.app_id, facts.severity, facts.category)
        totals.setdefault(group, Tally()).add(kind, facts)
    return totals


def merged(pieces: Iterable[tuple[Group, Tally]], name: Callable[[Group], Name]) -> dict[Name, Tally]:
    """Return the sum of the tallies for each name of a group."""
    totals: dict[Name, Tally] = {}
    for group, piece in pieces:
        totals.setdefault(name(group), Tally()).merge(piece)
    return totals


class DayBucket(NamedTuple):
    """The stored totals of one day and kind, of a tenant or of one of its applications.

    ``computed_at`` is a time before the day's incidents were read, in milliseconds since 1970. ``chunks`` are texts
    with the totals by application and severity. ``categories`` are the totals by category, packed. ``categories`` is
    empty if no incident of the day has a category. It is also empty in a bucket of release 0.1.0. The chunks of such a
    bucket have the totals by application, severity and category.
    """

    day: str
    computed_at: int
    chunks: list[str]
    categories: bytes

    def rows(self) -> Iterator[tuple[Group, Tally]]:
        """Yield the groups of the chunks with their tallies. A large group is yielded in several pieces."""
        for chunk in self.chunks:
            for group, stored in json.loads(chunk):
                yield Group(*group), _from_json(stored)


class Category(NamedTuple):
    """The stored totals of a category of one day. Reading ``tally`` takes longer than reading the other members."""

    name: str | None
    incidents: int
    stored: dict[str, Any]

    @property
    def shows_a_value(self) -> bool:
        return bool(self.stored["minutes"] or self.stored["open_since"])

    @property
    def tally(self) -> Tally:
        return _from_json(self.stored)


class Categories(NamedTuple):
    """The stored totals of a day by category. Only the categories with the most incidents are stored.

    ``largest_omitted`` is the number of incidents of the largest category that is not stored, or 0.
    """

    largest_omitted: int
    stored: list[Category]


def to_bucket(day: str, computed_at: int, totals: Totals) -> DayBucket:
    """Return the bucket to store for a day. It has at least one chunk, and each chunk is small enough for an item.

    The packed categories have at most half the size of the chunks, or 4 KB on a smaller day. Because of this limit, the
    read of a busy tenant's window is at most 1.5 times as expensive with categories as without them.
    """
    chunks = _to_chunks(merged(totals.items(), lambda group: group._replace(category=None)))
    by_category = merged(totals.items(), lambda group: group.category)
    categories = {name: total for name, total in by_category.items() if total.incidents}
    room = max(_LEAST_ROOM, sum(map(len, chunks)) // 2)
    return DayBucket(day, computed_at, chunks, _pack(categories, room) if categories.keys() - {None} else b"")


def unpack(categories: bytes) -> Categories:
    largest_omitted, stored = json.loads(zlib.decompress(categories))
    return Categories(largest_omitted, [Category(*entry) for entry in stored])


def by_size(sizes: dict[str | None, int]) -> list[str | None]:
    """Return names in descending order of their sizes. Equal sizes are in the order of the names, None last."""
    return sorted(sizes, key=lambda name: (-sizes[name], name is None, name or ""))


def _pack(categories: dict[str | None, Tally], room: int) -> bytes:
    """Return the packed totals of the largest categories, as many as fit into ``room`` bytes."""
    sizes = {name: total.incidents for name, total in categories.items()}
    names = by_size(sizes)
    kept = min(len(names), CATEGORIES_OF_DAY)
    while True:
        largest_omitted = sizes[names[kept]] if kept < len(names) else 0
        kept_names = sorted(names[:kept], key=lambda name: name or "")
        stored = [Category(name, sizes[name], _to_json(categories[name])) for name in kept_names]
        packed = zlib.compress(json.dumps([largest_omitted, stored], separators=(",", ":")).encode(), 9)
        if len(packed) <= room or not kept:
            return packed
        kept = min(kept - 1, kept * room // len(packed))


def _to_chunks(totals: Totals) -> list[str]:
    """Return totals as a list of texts, each small enough for an item. The list has at least one text."""
    chunks: list[list[str]] = [[]]
    size = 0
    for group, tally in sorted(totals.items(), key=repr):
        for text in _pieces(group, tally):
            if size and size + len(text) > CHUNK_BYTES:
                chunks.append([])
                size = 0
            chunks[-1].append(text)
            size += len(text) + 1
    return [f"[{','.join(texts)}]" for texts in chunks]


def _pieces(group: Group, tally: Tally) -> list[str]:
    """Return a group with its tally as one text, or as several texts if one text would be too large."""
    text = _to_text(group, tally)
    if len(text) <= CHUNK_BYTES:
        return [text]
    values, since = sorted(tally.minutes.items()), sorted(tally.open_since)
    pieces = -(-2 * len(text) // CHUNK_BYTES)
    cut = [Tally(Counter(dict(values[n::pieces])), open_since=since[n::pieces]) for n in range(pieces)]
    cut[0].imported, cut[0].excluded = tally.imported, tally.excluded
    return [_to_text(group, piece) for piece in cut]


def _to_text(group: Group, tally: Tally) -> str:
    return json.dumps([group, _to_json(tally)], separators=(",", ":"))


def _to_json(tally: Tally) -> dict[str, Any]:
    return {
        "minutes": [[metric, value, count] for (metric, value), count in sorted(tally.minutes.items())],
        "imported": dict(sorted(tally.imported.items())),
        "excluded": [[reason, metric, count] for (reason, metric), count in sorted(tally.excluded.items())],
        "open_since": sorted(tally.open_since),
    }


def _from_json(stored: dict[str, Any]) -> Tally:
    return Tally(
        minutes=Counter({(metric, value): count for metric, value, count in stored["minutes"]}),
        imported=Counter(stored["imported"]),
        excluded=Counter({(reason, metric): count for reason, metric, count in stored["excluded"]}),
        open_since=stored["open_since"],
    )
