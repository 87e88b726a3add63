"""The schemas of the answer with the metrics."""

from incidents.domain import metric_answer, metric_definitions

from .json_schema import TIMESTAMP, Schema, object_with, reference

_COUNT: Schema = {"type": "integer", "minimum": 0}
_MINUTES: Schema = {"type": ["integer", "null"], "minimum": 0, "format": "int64"}


def schemas() -> dict[str, Schema]:
    durations = object_with(
        {
            "n": _COUNT,
            "mean": {"type": ["number", "null"], "minimum": 0},
            **dict.fromkeys(("p50", "p90", "p95", "min", "max"), _MINUTES),
            "imported": _COUNT | {"description": metric_definitions.DEFINITIONS["imported"]},
        },
        title="Durations",
        description="The distribution of a duration over incidents, in minutes. The values are null if `n` is 0.",
    )
    of_metrics = {
        metric: reference("Durations") | {"description": metric_definitions.DEFINITIONS[metric]}
        for metric in map(str, metric_definitions.METRICS)
    }
    open_ = object_with(
        {"n": _COUNT, **dict.fromkeys(("p50", "p90", "max"), _MINUTES)},
        title="OpenIncidents",
        description=metric_definitions.DEFINITIONS["open"],
    )
    of_open = {"open": reference("OpenIncidents")}
    day: Schema = {"type": "string", "format": "date"}
    group = {"type": ["string", "null"], "description": "The group's value. Null for the incidents without one."}
    counts = object_with(dict.fromkeys(map(str, metric_definitions.METRICS), _COUNT), title="MetricCounts")
    answer = object_with(
        {
            "from": day,
            "to": day,
            "as_of": TIMESTAMP | {"description": metric_definitions.DEFINITIONS["as_of"]},
            "computed_at": TIMESTAMP
            | {"type": ["string", "null"], "description": metric_definitions.DEFINITIONS["computed_at"]},
            "pending_days": _COUNT | {"description": metric_definitions.DEFINITIONS["pending_days"]},
            **of_metrics,
            "groups": {
                "type": "array",
                "items": reference("MetricsGroup"),
                "maxItems": metric_answer.GROUPS,
                "description": metric_definitions.DEFINITIONS["groups"],
            },
            "other": {
                "anyOf": [reference("OtherGroups"), {"type": "null"}],
                "description": metric_definitions.DEFINITIONS["other"],
            },
            "approximate": {"type": "boolean", "description": metric_definitions.DEFINITIONS["approximate"]},
            "trend": {"type": "array", "items": reference("MetricsSpan")},
            **of_open,
            "excluded": object_with(
                dict.fromkeys(map(str, metric_definitions.REASONS), reference("MetricCounts")),
                description=metric_definitions.DEFINITIONS["excluded"],
            ),
            "definitions": object_with({name: {"type": "string"} for name in metric_definitions.DEFINITIONS}),
        },
        title="Metrics",
        description=f"{metric_definitions.DEFINITIONS['window']} {metric_definitions.DEFINITIONS['percentiles']}",
    )
    return {
        "Durations": durations,
        "OpenIncidents": open_,
        "MetricCounts": counts,
        "MetricsGroup": object_with({"group": group, **of_metrics, **of_open}, title="MetricsGroup"),
        "OtherGroups": object_with({**of_metrics, **of_open}, title="OtherGroups"),
        "MetricsSpan": object_with({"from": day, "to": day, **of_metrics}, title="MetricsSpan"),
        "Metrics": answer,
    }
