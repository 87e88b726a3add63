"""What reads the metrics."""

import time
from collections.abc import Mapping
from typing import Any

from . import window
from .repository import MetricRepository


def get_incident_metrics(parameters: Mapping[str, list[str]], metrics: MetricRepository) -> dict[str, Any]:
    """Return the metrics of the days that the parameters ask for, as ``window.answer`` lays them out.

    Raises MalformedRequest, which names the parameter and what would be right, or Busy.
    """
    as_of = time.time_ns() // 1_000_000
    asked = window.from_parameters(parameters, as_of)
    first, last = asked.first.isoformat(), asked.last.isoformat()
    return window.answer(asked, as_of, metrics.buckets("detected", first, last), metrics.buckets("closed", first, last))
