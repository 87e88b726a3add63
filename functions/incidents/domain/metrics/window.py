"""A caller's question: which days, grouped by what, in which steps. Pure."""

from datetime import date
from typing import Literal, NamedTuple

GroupBy = Literal["severity", "category", "app", "none"]
Interval = Literal["day", "week", "month"]

DAYS_MAX = 366
DAYS_DEFAULT = 30


class Window(NamedTuple):
    """The first and the last day are included; ``as_of`` is the moment of the question, in milliseconds since 1970."""

    first: date
    last: date
    group_by: GroupBy
    interval: Interval
    as_of: int
