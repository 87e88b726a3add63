"""This service's CloudWatch metrics, written as log lines in the embedded metric format.

CloudWatch bills each value of a dimension as a separate metric. So a dimension has few values, such as the outcomes or
the severities. The tenant is not a dimension but a property of the log line. ``stage`` is the name of the stack.
"""

import os
from collections.abc import Mapping

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit, single_metric

NAMESPACE = "Incidents"


def count(metric: str, dimension: str, counts: Mapping[str, int]) -> None:
    """Write one count for each value of a dimension."""
    for value, times in counts.items():
        with single_metric(metric, MetricUnit.Count, times, namespace=NAMESPACE) as line:
            line.add_dimension("stage", _stage())
            line.add_dimension(dimension, value)


def gauge(metric: str, value: float) -> None:
    """Write the current value of a quantity."""
    with single_metric(metric, MetricUnit.NoUnit, value, namespace=NAMESPACE) as line:
        line.add_dimension("stage", _stage())


def minutes(values: Mapping[str, int], severity: str, **properties: str) -> None:
    """Write the minutes of one incident, by metric name. The properties are in the log line, but not in the metric."""
    line = EphemeralMetrics(namespace=NAMESPACE)
    line.add_dimension("stage", _stage())
    line.add_dimension("severity", severity)
    for metric, value in values.items():
        line.add_metric(metric, MetricUnit.NoUnit, value)
    for name, text in properties.items():
        line.add_metadata(name, text)
    line.flush_metrics()


def _stage() -> str:
    return os.environ.get("STAGE", "none")
