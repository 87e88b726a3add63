"""The metrics, and the definitions that each answer contains.

NIST SP 800-61r2 section 3.4.2 measures detection from the start of an incident. AWS's Security Incident Response Guide
measures containment from detection. The R of MTTR means *resolve*, and MTTR is measured from detection to the last
closing.
"""

from typing import Literal, get_args

Kind = Literal["detected", "closed"]
Metric = Literal["mttd", "mttr", "time_to_contain"]
Reason = Literal["deleted", "dismissed", "timestamps_missing"]

KINDS: tuple[Kind, ...] = get_args(Kind)
METRICS: tuple[Metric, ...] = get_args(Metric)
REASONS: tuple[Reason, ...] = get_args(Reason)

METRICS_OF: dict[Kind, tuple[Metric, ...]] = {"detected": ("mttd", "time_to_contain"), "closed": ("mttr",)}
"""The metrics by kind of day. A value belongs to the day of ``detected_at`` or ``closed_at`` of its incident."""

# Every answer has these texts. tests/conformance/test_upgrade.py compares them with the recorded answers of a release.
DEFINITIONS = {
    "mttd": "Minutes from occurred_at to detected_at, of the incidents detected in the window.",
    "mttr": "Minutes from detected_at to closed_at, of the incidents closed in the window. R is resolve.",
    "time_to_contain": "Minutes from detected_at to contained_at, of the incidents detected in the window.",
    "minutes": "Each value is floored to whole minutes once; mean is rounded to two decimals.",
    "percentiles": "Nearest rank, over all values of the window, never an average of days. Null where n is 0.",
    "imported": "How many of n are minutes that a caller gave, where the timestamps to derive them are not all known.",
    "window": "UTC days, from and to included.",
    "open": "Incidents detected in the window that are neither closed nor dismissed; age in minutes from detected_at "
    "to as_of, 0 if that lies before.",
    "excluded": "Incidents of the window that are in no value, by the first reason that holds: deleted, dismissed, or "
    "timestamps_missing, which is also why an open incident has no time_to_contain yet.",
    "as_of": "The moment of this answer. Changes are in it once their day was computed again, on a schedule.",
    "computed_at": "The time of the oldest computation that this answer uses. Null if no day was computed, and for an "
    "application.",
    "pending_days": "Days of the window that changed and wait for their next computation.",
    "groups": "The 100 groups with the most incidents, without groups that have no value.",
    "other": "The incidents of all groups that are not shown. Null if they have no value.",
    "approximate": "True if a day had too many categories to store, so that groups may lack incidents.",
}
