"""The beginnings of the terms of a report: facts, or the assumptions of a projection.

A term begins with an anchor such as ``aware``, or with the submission of another stage. The beginning also decides
whether the stage is in force. ``clocks`` gives the rules A8, A12 and A13.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import NamedTuple, Protocol

from . import rules
from .rules import Rule

AWARE, DETECTED = "aware", "detected"


class Submission(NamedTuple):
    """The first and the last submission of a stage. ``reference`` is the recipient's name for the submission."""

    first: datetime
    last: datetime
    reference: str | None


class Report(NamedTuple):
    """The known facts of one regime's report. ``detected_at`` is a field of the incident."""

    anchors: Mapping[str, datetime]
    submissions: Mapping[str, Submission]
    detected_at: datetime | None


class TermStart(NamedTuple):
    """The beginning of a term. ``assumption`` is the assumption of a projection in words, or None for a fact."""

    name: str
    at: datetime
    assumption: str | None = None


class Previous(Protocol):
    """The clock of an earlier stage. ``next_at`` is the date on which a projection assumes that the stage is sent."""

    @property
    def stage(self) -> Rule: ...
    @property
    def state(self) -> str: ...
    @property
    def next_at(self) -> datetime | None: ...
    @property
    def assumption(self) -> str | None: ...


class Starts:
    """The beginnings of terms of one stage. ``before`` has the clocks of the earlier stages by the stages' ids.

    ``zone`` decides on which local date a term begins. ``off`` has the ids of the stages that are off.
    """

    def __init__(
        self, regime: Rule, stage: Rule, report: Report, before: Mapping[str, Previous], zone: tzinfo,
        off: frozenset[str], now: datetime,
    ) -> None:  # fmt: skip
        self._regime, self._stage, self._report, self._before = regime, stage, report, before
        self._zone, self._off, self._now = zone, off, now

    def start_of(self, name: str) -> TermStart | None:
        """Return the beginning of a term: a fact or an assumption. Return None if neither is known."""
        if not name.startswith("stage:"):
            if (at := self._report.anchors.get(name)) is not None:
                return TermStart(name, at)
            if name == DETECTED and self._report.detected_at is not None:
                return TermStart(name, self._report.detected_at)
            if name == AWARE and (detected := self.start_of(DETECTED)) is not None:
                return TermStart(name, detected.at, "aware is when the incident was detected")
            return None
        stage, latest = name.split(":")[1], name.endswith(":latest")
        if (sent := self._report.submissions.get(stage)) is not None:
            return TermStart(name, sent.last if latest else sent.first)
        previous = self._before.get(stage)
        if previous is None or previous.next_at is None:
            return None
        remarks = " and ".join(self._remarks(previous))
        assumed = f"{stage} is submitted when it is due" + (f" ({remarks})" if remarks else "")
        return TermStart(name, previous.next_at, both(previous.assumption, assumed))

    def _remarks(self, previous: Previous) -> Iterator[str]:
        """Yield the reasons, in words, to doubt that a previous stage is submitted when it is due."""
        if is_off := previous.stage["id"] in self._off:
            yield "it is off"
        if previous.state == "overdue" and not is_off:
            yield "it is overdue"
        elif previous.next_at is not None and previous.next_at < self._now:
            yield "its date has passed"

    def applies(self, name: str) -> bool:
        """Return whether the stage is in force on the local date of its anchor, if the anchor is known (A12)."""
        if name.startswith("stage:"):
            previous = self._before.get(name.split(":")[1])
            if previous is not None and previous.state == "not_applicable":
                return False
        starts = (self.start_of(self._regime.get("dated_by", name)), self.start_of(name))
        start = next((start for start in starts if start and not start.assumption), None)
        return start is None or self._is_in_force_on(start)

    def is_in_force(self, start: TermStart) -> bool:
        """Return whether the stage is in force on the local date of an anchor.

        If ``dated_by`` names another anchor, the date of the other anchor decides. But if only ``start`` is a fact, the
        date of ``start`` decides.
        """
        dated = self.start_of(self._regime.get("dated_by", start.name))
        return self._is_in_force_on(dated if dated and (start.assumption or not dated.assumption) else start)

    def _is_in_force_on(self, start: TermStart) -> bool:
        return rules.is_in_force(self._stage, start.at.astimezone(self._zone).date())


def both(first: str | None, second: str | None) -> str | None:
    """Return the text of two assumptions. Equal assumptions appear once."""
    if first is None or second is None or second in first.split(", and "):
        return first or second
    return f"{first}, and {second}"
