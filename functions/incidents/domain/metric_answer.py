"""Compute the metrics of a window of days. The caller passes in the reader of the stored days."""

from bisect import bisect
from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

from . import model, timestamps
from .metric_definitions import DEFINITIONS, KINDS, METRICS, METRICS_OF, REASONS, Kind
from .questions import GroupBy, Window
from .tally import DayBucket, Tally, by_size, unpack

GROUPS = 100


class StoredDays(Protocol):
    """The stored metrics of one caller. ``storage.metric_repository.MetricRepository`` is one."""

    @property
    def tells_times(self) -> bool: ...

    def pending_days(self, first_day: str, last_day: str) -> int: ...

    def buckets(self, kind: Kind, first_day: str, last_day: str) -> Iterable[DayBucket]: ...


def get_incident_metrics(window: Window, stored: StoredDays) -> dict[str, Any]:
    """Return the metrics of a window, with the members in the order of the answer. Raises the errors of ``stored``."""
    first, last, as_of = window.first.isoformat(), window.last.isoformat(), window.as_of
    # Read the marks before the buckets. A job removes a mark only after it has replaced the buckets. So if a bucket
    # below is outdated, its day's mark still existed when the marks were read.
    pending_days = stored.pending_days(first, last)
    computed_at: int | None = None
    whole = Tally()
    groups = _Groups(window.group_by)
    trend: list[dict[str, Any]] = [
        {"from": start.isoformat(), "to": end.isoformat(), **_metrics(Tally())} for start, end in _spans(window)
    ]
    for kind in KINDS:
        days = stored.buckets(kind, first, last)
        # Process one span after another, so that the values of only one span are in memory.
        for span, of_span in groupby(days, key=lambda bucket: bisect(trend, bucket.day, key=itemgetter("from")) - 1):
            tally = Tally()
            for bucket in of_span:
                computed_at = min(bucket.computed_at, computed_at or bucket.computed_at)
                for piece in groups.collect(bucket):
                    tally.merge(piece)
            values = _metrics(tally)
            trend[span] |= {metric: values[metric] for metric in METRICS_OF[kind]}
            whole.merge(tally)
    shown, approximate = groups.largest()
    other = whole.without(shown.values()) if window.group_by != "none" else Tally()
    return {
        "from": first,
        "to": last,
        "as_of": timestamps.from_milliseconds(as_of),
        "computed_at": timestamps.from_milliseconds(computed_at) if computed_at and stored.tells_times else None,
        "pending_days": pending_days,
        **_metrics(whole),
        "groups": [{"group": name, **_metrics(tally), "open": _open(tally, as_of)} for name, tally in shown.items()],
        "other": {**_metrics(other), "open": _open(other, as_of)} if other.shows_a_value else None,
        "approximate": approximate,
        "trend": trend,
        "open": _open(whole, as_of),
        "excluded": {reason: {metric: whole.excluded[reason, metric] for metric in METRICS} for reason in REASONS},
        "definitions": DEFINITIONS,
    }


class _Groups:
    """Collects the groups of a window, and finds the groups with the most incidents.

    A window can have 100 000 categories. So memory holds the packed categories of each day, and not the tallies of all
    categories.
    """

    def __init__(self, by: GroupBy) -> None:
        self._by = by
        self._tallies: dict[str | None, Tally] = {}
        self._packed: list[bytes] = []

    def collect(self, bucket: DayBucket) -> Iterator[Tally]:
        """Yield the tallies of a bucket, and add the bucket to the groups."""
        is_packed = self._by == "category" and bool(bucket.categories)
        if is_packed:
            self._packed.append(bucket.categories)
        for group, piece in bucket.rows():
            if self._by != "none" and not is_packed:
                self._tallies.setdefault(getattr(group, self._by), Tally()).merge(piece)
            yield piece

    def largest(self) -> tuple[dict[str | None, Tally], bool]:
        """Return the groups with the most incidents and with a value, and whether they are approximate.

        The groups are approximate if the packed categories of some day lack a category that may be one of the largest
        groups.
        """
        sizes = Counter({name: tally.incidents for name, tally in self._tallies.items()})
        valued = {name for name, tally in self._tallies.items() if tally.shows_a_value}
        omitted, certain = 0, Counter[str | None]()
        for packed in self._packed:
            largest_omitted, stored = unpack(packed)
            omitted += largest_omitted
            for category in stored:
                certain[category.name] += largest_omitted
                sizes[category.name] += category.incidents
                if category.shows_a_value:
                    valued.add(category.name)
        names = by_size({name: sizes[name] for name in valued})
        shown = {name: self._tallies.get(name, Tally()) for name in names[:GROUPS]}
        for packed in self._packed:
            for category in unpack(packed).stored:
                if category.name in shown:
                    shown[category.name].merge(category.tally)
        # ``omitted - certain[name]`` is the highest possible number of a group's incidents on the
        # days that lack the group.
        smallest = sizes[names[GROUPS - 1]] if len(names) >= GROUPS else 0
        # ``hidden`` also has groups without a known value: a day may have left out such a group and its value.
        hidden = sizes.keys() - shown.keys()
        largest_hidden = max((sizes[name] + omitted - certain[name] for name in hidden), default=0)
        approximate = any(certain[name] < omitted for name in shown) or max(largest_hidden, omitted) > smallest
        if self._by == "severity":
            shown = {name: shown[name] for name in sorted(shown, key=_severity_rank)}
        return shown, omitted > 0 and approximate


def _metrics(tally: Tally) -> dict[str, Any]:
    values: dict[str, Counter[int]] = {metric: Counter() for metric in METRICS}
    for (metric, value), count in tally.minutes.items():
        values[metric][value] = count
    return {
        metric: {
            "n": values[metric].total(),
            "mean": _mean(values[metric]),
            **_ranked(values[metric], p50=50, p90=90, p95=95, min=0, max=100),
            "imported": tally.imported[metric],
        }
        for metric in METRICS
    }


def _open(tally: Tally, as_of: int) -> dict[str, int | None]:
    ages = Counter(max(0, as_of - since) // 60_000 for since in tally.open_since)
    return {"n": ages.total(), **_ranked(ages, p50=50, p90=90, max=100)}


def _mean(values: Counter[int]) -> float | None:
    n = values.total()
    if not n:
        return None
    # The mean is exact and rounded half to even, like round() of a Fraction. This code avoids loading ``fractions``.
    hundredths, rest = divmod(100 * sum(value * count for value, count in values.items()), n)
    rounds_up = 2 * rest > n or (2 * rest == n and hundredths % 2 == 1)
    return (hundredths + rounds_up) / 100


def _ranked(values: Counter[int], **percents: int) -> dict[str, int | None]:
    """Return percentiles by nearest rank.

    For example, the 90th percentile is the smallest value that at least 90 % of the values do not exceed.
    """
    n = values.total()
    ranks = {name: max(1, -(-n * percent // 100)) for name, percent in percents.items()}
    percentiles: dict[str, int | None] = dict.fromkeys(percents)
    passed = 0
    for value, count in sorted(values.items()):
        for name, rank in ranks.items():
            if passed < rank <= passed + count:
                percentiles[name] = value
        passed += count
    return percentiles


def _severity_rank(severity: str | None) -> int:
    """Return the position of a severity in the order from critical to informational. None comes last."""
    return len(model.SEVERITIES) if severity is None else model.SEVERITIES.index(severity)


def _spans(window: Window) -> Iterable[tuple[date, date]]:
    """Yield the first and the last day of each interval: a day, a week (from Monday, ISO 8601) or a month.

    The first and the last interval are cut to the window.
    """
    first = window.first
    while first <= window.last:
        match window.interval:
            case "day":
                last = first
            case "week":
                last = first + timedelta(days=6 - first.weekday())
            case "month":
                last = first.replace(day=monthrange(first.year, first.month)[1])
        last = min(last, window.last)
        yield first, last
        first = last + timedelta(days=1)
