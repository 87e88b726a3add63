"""What incidents add up to: the values and the counts of a day, by application, severity and category.

A day's values are kept, each with how often it occurs, so that percentiles of any window are exact. Pure.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .. import timestamps
from ..items import Item
from .definitions import METRICS_OF, Kind, Metric, Reason

PART_BYTES = 250_000  # of one stored part, before 300 KB; an item may have 400


class Seen(NamedTuple):
    """What the metrics see of an incident. Timestamps are texts of ``timestamps``, minutes are whole."""

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


def seen(item: Item) -> Seen:
    """Return what an item shows, the table's or a day index's, which hold different parts of it."""

    def text(name: str) -> str | None:
        return item[name]["S"] if name in item else None

    def whole(name: str) -> int | None:
        return int(item[name]["N"]) if name in item else None

    return Seen(
        app_id=text("app_id"),
        severity=text("severity"),
        category=text("category"),
        status=item["status"]["S"],
        is_deleted=item["is_deleted"]["BOOL"],
        occurred_at=text("occurred_at"),
        detected_at=text("detected_at"),
        contained_at=text("contained_at"),
        closed_at=text("closed_at"),
        mttd_minutes=whole("mttd_minutes"),
        mttr_minutes=whole("mttr_minutes"),
    )


def minutes(metric: Metric, one: Seen) -> int | None:
    """Return an incident's value of a metric, or None where it is not known."""
    match metric:
        case "mttd":
            return one.mttd_minutes
        case "mttr":
            return one.mttr_minutes
        case "time_to_contain":
            if one.detected_at is None or one.contained_at is None:
                return None
            return timestamps.minutes_between(one.detected_at, one.contained_at)


def left_out(one: Seen) -> Reason | None:
    """Return why an incident counts in no metric, whatever its timestamps; None if it does."""
    return "deleted" if one.is_deleted else "dismissed" if one.status == "dismissed" else None


@dataclass
class Tally:
    """A sum: of one day, of one row of it, or of a whole window. ``open_since`` are milliseconds since 1970."""

    minutes: Counter[tuple[Metric, int]] = field(default_factory=Counter)
    imported: Counter[Metric] = field(default_factory=Counter)
    excluded: Counter[tuple[Reason, Metric]] = field(default_factory=Counter)
    open_since: list[int] = field(default_factory=list)

    def add(self, kind: Kind, one: Seen) -> None:
        """Count an incident on one of its two days."""
        excluded = left_out(one)
        for metric in METRICS_OF[kind]:
            value = minutes(metric, one)
            if excluded or value is None:
                self.excluded[excluded or "timestamps_missing", metric] += 1
                continue
            self.minutes[metric, value] += 1
            if (metric, one.occurred_at) == ("mttd", None) or (metric, one.detected_at) == ("mttr", None):
                self.imported[metric] += 1
        if kind == "detected" and not excluded and one.status != "closed" and one.detected_at:
            self.open_since.append(timestamps.to_milliseconds(one.detected_at))

    def merge(self, other: "Tally") -> None:
        self.minutes.update(other.minutes)
        self.imported.update(other.imported)
        self.excluded.update(other.excluded)
        self.open_since += other.open_since


class Row(NamedTuple):
    """By what the metrics can be grouped; None where an incident has none."""

    app: str | None
    severity: str | None
    category: str | None


Rows = dict[Row, Tally]


def rows(kind: Kind, incidents: Iterable[Seen]) -> Rows:
    """Return what the incidents of one day add up to."""
    found: Rows = {}
    for one in incidents:
        row = Row(one.app_id, one.severity, one.category)
        found.setdefault(row, Tally()).add(kind, one)
    return found


def to_parts(of: Rows) -> list[str]:
    """Return rows as texts, each small enough for an item; at least one."""
    parts: list[list[str]] = [[]]
    size = 0
    for row, tally in sorted(of.items(), key=repr):
        for text in _texts(row, tally):
            if size and size + len(text) > PART_BYTES:
                parts.append([])
                size = 0
            parts[-1].append(text)
            size += len(text) + 1
    return [f"[{','.join(texts)}]" for texts in parts]


def from_part(part: str) -> Iterator[tuple[Row, Tally]]:
    """Yield the rows of a stored text; a large one comes in pieces."""
    for row, stored in json.loads(part):
        yield Row(*row), _from_json(stored)


def _texts(row: Row, tally: Tally) -> list[str]:
    """Return a row as one text, or as pieces where it is too large for a part."""
    text = _text(row, tally)
    if len(text) <= PART_BYTES:
        return [text]
    values, since = sorted(tally.minutes.items()), sorted(tally.open_since)
    pieces = -(-2 * len(text) // PART_BYTES)
    cut = [Tally(Counter(dict(values[n::pieces])), open_since=since[n::pieces]) for n in range(pieces)]
    cut[0].imported, cut[0].excluded = tally.imported, tally.excluded
    return [_text(row, piece) for piece in cut]


def _text(row: Row, tally: Tally) -> str:
    return json.dumps([row, _to_json(tally)], separators=(",", ":"))


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
