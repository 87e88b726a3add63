"""Compute a day's totals: the values and counts of its incidents, by application, severity and category.

This module is pure. A tally keeps each value with its number of occurrences, so that the percentiles of any window are
exact.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from . import timestamps
from .metric_definitions import METRICS_OF, Kind, Metric, Reason

CHUNK_BYTES = 250_000  # the largest stored text; its item then stays below 300 KB, and DynamoDB allows 400 KB


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
            return facts.mttr_minutes
        case "time_to_contain":
            if facts.detected_at is None or facts.contained_at is None:
                return None
            return timestamps.minutes_between(facts.detected_at, facts.contained_at)


def exclusion(facts: Facts) -> Reason | None:
    """Return the reason to exclude an incident from every metric, or None. Missing timestamps are not such a reason."""
    return "deleted" if facts.is_deleted else "dismissed" if facts.status == "dismissed" else None


@dataclass
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
            if (metric, facts.occurred_at) == ("mttd", None) or (metric, facts.detected_at) == ("mttr", None):
                self.imported[metric] += 1
        if kind == "detected" and not excluded and facts.status != "closed" and facts.detected_at:
            self.open_since.append(timestamps.to_milliseconds(facts.detected_at))

    def merge(self, other: "Tally") -> None:
        self.minutes.update(other.minutes)
        self.imported.update(other.imported)
        self.excluded.update(other.excluded)
        self.open_since += other.open_since


class Group(NamedTuple):
    """The fields by which metrics can be grouped. A field is None if the incident has no value."""

    app: str | None
    severity: str | None
    category: str | None


Totals = dict[Group, Tally]


def totals_by_group(kind: Kind, incidents: Iterable[Facts]) -> Totals:
    """Return the totals of the incidents of one day, by group."""
    totals: Totals = {}
    for facts in incidents:
        group = Group(facts.app_id, facts.severity, facts.category)
        totals.setdefault(group, Tally()).add(kind, facts)
    return totals


def to_chunks(totals: Totals) -> list[str]:
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


def from_chunk(chunk: str) -> Iterator[tuple[Group, Tally]]:
    """Yield the groups of a stored text with their tallies. A large group is yielded in several pieces."""
    for group, stored in json.loads(chunk):
        yield Group(*group), _from_json(stored)


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
