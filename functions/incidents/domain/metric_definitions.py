"""The metrics, and the definitions that each answer contains.

NIST SP 800-61r2 section 3.4.2 measures detection from the start of an incident. AWS's Security Incident Response Guide
measures containment from detection. The R of MTTR is *resolve*: from detection to the last closing.
"""

from typing import Literal, get_args

Kind = Literal["detected", "closed"]
Metric = Literal["mttd", "mttr", "time_to_contain"]
Reason = Literal["deleted", "dismissed", "timestamps_missing"]

KINDS: tuple[Kind, ...] = get_args(Kind)
METRICS: tuple[Metric, ...] = get_args(Metric)
REASONS: tuple[Reason, ...] = get_args(Reason)

METRICS_OF: dict[Kind, tuple[Metric, ...]] = {"detected": ("mttd", "time_to_contain"), "closed": ("mttr",)}
"""The metrics by the day to which an incident's value belongs: the day of ``detected_at`` or of ``closed_at``."""

DEFINITIONS = {
    "mttd": "Minutes from occurred_at to detected_at of the incidents detected in the window.",
    "mttr": "Minutes from detected_at to closed_at of the incidents closed in the window. R means resolve.",
    "time_to_contain": "Minutes from detected_at to contained_at of the incidents detected in the window.",
    "minutes": "Each value is rounded down to whole minutes. mean is rounded to two decimals.",
    "percentiles": "Nearest rank over all values of the window, never an average of days. Null if n is 0.",
    "imported": "How many of n are minutes that a caller gave because a timestamp to derive them is missing.",
    "window": "UTC days. from and to are included.",
    "open": "Incidents detected in the window that are neither closed nor dismissed. Their age is in minutes from "
    "detected_at to as_of, and 0 if detected_at is after as_of.",
    "excluded": "Incidents of the window that have no value in a metric, counted by the first reason that applies: "
    "deleted, dismissed, or timestamps_missing. An open incident without contained_at is timestamps_missing in "
    "time_to_contain.",
    "as_of": "The time of this answer. It includes a change after the change's day was computed again, on a schedule.",
}
