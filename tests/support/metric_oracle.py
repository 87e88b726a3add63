"""Computes the expected metrics by brute force, from all documents that a caller sees.

It does not use the service's method. It has no floats, no buckets and no counters, and it sorts all values for each
figure.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any

Document = dict[str, Any]

SEVERITIES = ["critical", "high", "medium", "low", "informational"]
METRICS = ["mttd", "mttr", "time_to_contain"]


def answer(
    documents: Iterable[Document], first: str, last: str, group_by: str, interval: str, as_of: str, most: int
) -> dict[str, Any]:
    """Return the expected answer, from all incidents that the caller may see. It has at most ``most`` groups.

    The members ``definitions``, ``computed_at``, ``pending_days`` and ``approximate`` are not in the result.
    """
    documents = list(documents)
    groups: list[dict[str, Any]] = []
    rest: list[Document] = []
    if group_by != "none":
        field = {"app": "app_id"}.get(group_by, group_by)
        for group in {one.get(field) for one in documents}:
            members = [one for one in documents if one.get(field) == group]
            told = {"group": group, **_metrics(members, first, last), "open": _open(members, first, last, as_of)}
            if any(told[name]["n"] for name in (*METRICS, "open")):
                groups.append(told)
        groups.sort(key=lambda told: _size_rank(told["group"], documents, field, first, last))
        hidden = [told["group"] for told in groups[most:]]
        rest = [one for one in documents if one.get(field) in hidden]
        groups = groups[:most]
        if field == "severity":
            groups.sort(key=lambda told: [*SEVERITIES, None].index(told["group"]))
    return {
        "from": first,
        "to": last,
        "as_of": as_of,
        **_metrics(documents, first, last),
        "groups": groups,
        "other": {**_metrics(rest, first, last), "open": _open(rest, first, last, as_of)} if rest else None,
        "trend": [
            {"from": start, "to": end, **_metrics(documents, start, end)}
            for start, end in _spans(first, last, interval)
        ],
        "open": _open(documents, first, last, as_of),
        "excluded": {
            reason: {
                metric: sum(why == reason for why in _excluded(documents, metric, first, last)) for metric in METRICS
            }
            for reason in ("deleted", "dismissed", "timestamps_missing")
        },
    }


def _size_rank(
    group: str | None, documents: list[Document], field: str, first: str, last: str
) -> tuple[int, bool, str]:
    """Return the sort key of a group. The group with the most incidents is first."""
    alive = [
        one for one in documents if one.get(field) == group and not one["is_deleted"] and one["status"] != "dismissed"
    ]
    size = sum(_on(one, "detected_at", first, last) + _on(one, "closed_at", first, last) for one in alive)
    return -size, group is None, group or ""


def _on(one: Document, field: str, first: str, last: str) -> bool:
    return one[field] is not None and first <= one[field][:10] <= last


def _belonging(documents: list[Document], metric: str, first: str, last: str) -> list[Document]:
    field = "closed_at" if metric == "mttr" else "detected_at"
    return [one for one in documents if _on(one, field, first, last)]


def _value(one: Document, metric: str) -> int | None:
    if metric == "time_to_contain":
        if one["contained_at"] is None or one["detected_at"] is None:
            return None
        return (_moment(one["contained_at"]) - _moment(one["detected_at"])) // timedelta(minutes=1)
    value: int | None = one[f"{metric}_minutes"]
    return value


def _excluded(documents: list[Document], metric: str, first: str, last: str) -> list[str]:
    reasons = []
    for one in _belonging(documents, metric, first, last):
        if one["is_deleted"]:
            reasons.append("deleted")
        elif one["status"] == "dismissed":
            reasons.append("dismissed")
        elif _value(one, metric) is None:
            reasons.append("timestamps_missing")
    return reasons


def _metrics(documents: list[Document], first: str, last: str) -> dict[str, Any]:
    told = {}
    for metric in METRICS:
        counted = [
            one
            for one in _belonging(documents, metric, first, last)
            if not one["is_deleted"] and one["status"] != "dismissed" and _value(one, metric) is not None
        ]
        values = sorted(value for one in counted if (value := _value(one, metric)) is not None)
        start = {"mttd": "occurred_at", "mttr": "detected_at", "time_to_contain": "contained_at"}[metric]
        told[metric] = {
            "n": len(values),
            "mean": _mean(values),
            **{f"p{percent}": _nearest_rank(values, percent) for percent in (50, 90, 95)},
            "min": values[0] if values else None,
            "max": values[-1] if values else None,
            "imported": sum(one[start] is None for one in counted),
        }
    return told


def _open(documents: list[Document], first: str, last: str, as_of: str) -> dict[str, Any]:
    ages = sorted(
        max(timedelta(0), _moment(as_of) - _moment(one["detected_at"])) // timedelta(minutes=1)
        for one in documents
        if _on(one, "detected_at", first, last)
        and not one["is_deleted"]
        and one["status"] not in ("closed", "dismissed")
    )
    return {
        "n": len(ages),
        "p50": _nearest_rank(ages, 50),
        "p90": _nearest_rank(ages, 90),
        "max": ages[-1] if ages else None,
    }


def _mean(values: list[int]) -> float | None:
    if not values:
        return None
    with localcontext(prec=60):
        return float((Decimal(sum(values)) / len(values)).quantize(Decimal("0.01"), ROUND_HALF_EVEN))


def _nearest_rank(values: list[int], percent: int) -> int | None:
    """Return the smallest value for which at least ``percent`` percent of all values are not larger."""
    for value in values:
        if 100 * sum(other <= value for other in values) >= percent * len(values):
            return value
    return None


def _spans(first: str, last: str, interval: str) -> list[tuple[str, str]]:
    name: Callable[[date], object] = {
        "day": lambda day: day,
        "week": lambda day: day.isocalendar()[:2],
        "month": lambda day: (day.year, day.month),
    }[interval]
    spans: dict[object, list[str]] = {}
    day = date.fromisoformat(first)
    while day <= date.fromisoformat(last):
        spans.setdefault(name(day), []).append(day.isoformat())
        day += timedelta(days=1)
    return [(days[0], days[-1]) for days in spans.values()]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
