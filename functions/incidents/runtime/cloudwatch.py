"""CloudWatch's metrics of this service, as lines of the log in its embedded metric format.

Every dimension is bounded, because each of its values is a metric that costs: an outcome, a severity; never a tenant,
which is a property of the line instead. ``stage`` is the name of the stack.
"""

import os
from collections.abc import Mapping

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit, single_metric

NAMESPACE = "Incidents"


def count(metric: str, dimension: str, counts: Mapping[str, int]) -> None:
    """Tell how often things happened, by the values of one dimension."""
    for value, times in counts.items():
        with single_metric(metric, MetricUnit.Count, times, namespace=NAMESPACE) as line:
            line.add_dimension("stage", _stage())
            line.add_dimension(dimension, value)


def gauge(metric: str, value: float) -> None:
    """Tell how much there is of something now."""
    with single_metric(metric, MetricUnit.NoUnit, value, namespace=NAMESPACE) as line:
        line.add_dimension("stage", _stage())


def minutes(values: Mapping[str, int], severity: str, **properties: str) -> None:
    """Tell how many minutes one incident took, each metric by its name."""
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
