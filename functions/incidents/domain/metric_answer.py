"""Compute the metrics of a window of days. The caller passes in the function that reads the day buckets."""

from bisect import bisect
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from . import model, timestamps
from .metric_definitions import DEFINITIONS, KINDS, METRICS, METRICS_OF, REASONS, Kind
from .questions import Window
from .tally import Group, Tally

Known = Iterable[tuple[str, Group, Tally]]
"""The totals of a window, in the order of the days. Each item has the day (``2026-11-23``), a group, and its tally."""


def get_incident_metrics(window: Window, buckets: Callable[[Kind, str, str], Known]) -> dict[str, Any]:
    """Return the metrics of a window, with the members in the order of the answer.

    ``buckets`` returns the totals of one kind from a first to a last day. This function does not catch its errors.
    """
    as_of = window.as_of
    groups: dict[str | None, Tally] = {}
    trend: list[dict[str, Any]] = [
        {"from": first.isoformat(), "to": last.isoformat(), **_metrics(Tally())} for first, last in _spans(window)
    ]
    for kind in KINDS:
        known = buckets(kind, window.first.isoformat(), window.last.isoformat())
        # Process one span after another, so that the values of only one span are in memory.
        for span, sums in groupby(known, key=lambda day_sum: bisect(trend, day_sum[0], key=itemgetter("from")) - 1):
            tally = Tally()
            for _, by, piece in sums:
                group = None if window.group_by == "none" else getattr(by, window.group_by)
                groups.setdefault(group, Tally()).merge(piece)
                tally.merge(piece)
            values = _metrics(tally)
            trend[span] |= {metric: values[metric] for metric in METRICS_OF[kind]}
    whole = Tally()
    for group in groups.values():
        whole.merge(group)
    return {
        "from": window.first.isoformat(),
        "to": window.last.isoformat(),
        "as_of": timestamps.from_milliseconds(as_of),
        **_metrics(whole),
        "groups": [
            {"group": group, **_metrics(groups[group]), "open": _open(groups[group], as_of)}
            for group in sorted(groups, key=_rank)
            if window.group_by != "none"
        ],
        "trend": trend,
        "open": _open(whole, as_of),
        "excluded": {reason: {metric: whole.excluded[reason, metric] for metric in METRICS} for reason in REASONS},
        "definitions": DEFINITIONS,
    }


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


def _rank(group: str | None) -> tuple[bool, int, str]:
    """Return the sort key of a group. Severities are first, from critical down, then other names, and None is last."""
    place = model.SEVERITIES.index(group) if group in model.SEVERITIES else len(model.SEVERITIES)
    return group is None, place, group or ""


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
