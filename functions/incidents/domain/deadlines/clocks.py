"""The clocks of one report: the state of each stage of a regime, at a moment.

Nothing is guessed. Without its anchor, a stage has no due date, but it may have a projection, which is labelled as one:

A5   if readings of a rule differ, the earliest date is the due date, and the latest one is the alternative.
A8   a stage that follows another one is due from that stage's submission. Before it, there is only a projection.
A11  the states; a submission on the dot is in time.
A12  a stage applies if it is in force on the anchor's local date. A stage after one that does not apply does not apply.
A13  ``detected_at`` stands in for ``aware`` only in a projection.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from . import arithmetic, rules, wording
from .arithmetic import Due, Place
from .rules import Rule

_SECOND = timedelta(seconds=1)
AWARE, DETECTED = "aware", "detected"
WARN_HOURS = 4  # before the cap of an initial report that waits for its classification


class Submission(NamedTuple):
    """When a stage was first submitted, and when last. ``reference`` is the recipient's."""

    first: datetime
    last: datetime
    reference: str | None


class Report(NamedTuple):
    """What is known of one regime's report. ``detected_at`` is the incident's."""

    anchors: Mapping[str, datetime]
    submissions: Mapping[str, Submission]
    detected_at: datetime | None


class Setting(NamedTuple):
    """Where the clocks of a regime run. ``zone`` is None if it is unknown: hours are then computed in UTC.

    ``member_state`` is the code of the Member State whose readings apply, if any.
    """

    place: Place
    has_zone: bool
    member_state: str | None


class _Start(NamedTuple):
    """Where a term begins. ``assumption`` says in words what a projection assumes; None for a fact."""

    name: str
    at: datetime
    assumption: str | None = None


class _Outcome(NamedTuple):
    """What one reading of a term gives: a due date or a projection, or what is missing for it."""

    start: _Start | None = None
    due: Due | None = None
    cap: _Start | None = None
    anchor_missing: str | None = None
    waits_for: str | None = None
    setting_missing: str | None = None
    applies: bool = True


class StageClock(NamedTuple):
    """The state of one stage. A moment is in UTC. ``why`` is in words."""

    stage: Rule
    state: str
    due_at: datetime | None = None
    alternative: datetime | None = None
    projected_at: datetime | None = None
    anchor: str | None = None
    anchor_at: datetime | None = None
    anchor_missing: str | None = None
    setting_missing: str | None = None
    warn_at: datetime | None = None
    elapsed: timedelta | None = None
    submission: Submission | None = None
    why: str = ""

    @property
    def next_at(self) -> datetime | None:
        """When the stage will be sent, for the projection of the next stage."""
        return self.due_at or self.projected_at


def run(regime: Rule, report: Report, setting: Setting, now: datetime) -> list[StageClock]:
    """Return the clock of each stage of a regime, in the order of the rules. Switches are not looked at."""
    done: dict[str, StageClock] = {}
    for stage in regime["stages"]:
        done[stage["id"]] = _Stage(regime, stage, report, setting, done).clock(now)
    return [*done.values()]


class _Stage:
    """The computation of one stage. ``before`` are the clocks of the earlier stages."""

    def __init__(
        self, regime: Rule, stage: Rule, report: Report, setting: Setting, before: Mapping[str, StageClock]
    ) -> None:
        self._regime, self._stage, self._report = regime, stage, report
        self._place, self._setting, self._before = setting.place, setting, before
        self._submission = report.submissions.get(stage["id"])

    def clock(self, now: datetime) -> StageClock:
        if self._stage["due"] is None:
            return self._without_term(now)
        main, *others = (self._outcome(term) for term in self._terms())
        if not main.applies:
            return self._not_applicable()
        dated = [(main, self._stage["due"])]
        dated += [(other, term) for other, term in zip(others, [*self._terms()][1:], strict=True) if other.applies]
        # A5: the earliest fact decides. A projection is of the rule itself, never of another reading.
        facts = [
            (result, term) for result, term in dated if result.due and result.start and not result.start.assumption
        ]
        if facts:
            return self._due(facts, now)
        projected = main.due if main.start is not None else None
        clock = StageClock(
            self._stage,
            "waiting_previous",
            projected_at=projected and self._target(self._stage["due"], projected),
            anchor=self._stage["due"]["from"],
            anchor_missing=main.anchor_missing,
            setting_missing=main.setting_missing,
            submission=self._submission,
            why=self._why_projected(main),
        )
        if self._submission is not None:
            return clock._replace(state="submitted", projected_at=None)
        if main.anchor_missing is not None:
            return clock._replace(state="pending_anchor", warn_at=self._warn_at())
        if main.waits_for is None:
            if main.setting_missing is not None:
                return clock._replace(state="setting_missing")
            return clock._replace(state="not_applicable", why="the date would be after the year 9998")
        return clock

    def _terms(self) -> Iterator[Rule]:
        """Yield the term of the stage, and its other readings. A Member State's reading counts only there."""
        term: Rule = self._stage["due"]
        yield term
        for reading in self._stage.get("readings", ()):
            if reading.get("member_state") in (None, self._setting.member_state):
                yield {**term, **reading}

    def _outcome(self, term: Rule) -> _Outcome:
        start = self._start(term["from"])
        if not self._applies(term["from"], start):
            return _Outcome(applies=False)
        is_chained = term["from"].startswith("stage:")
        missing = term["from"] if not is_chained and (start is None or start.assumption) else None
        waits_for = term["from"] if is_chained and (start is None or start.assumption) else None
        zone_missing = "zone" if arithmetic.needs_zone(term) and not self._setting.has_zone else None
        if start is None or zone_missing:
            return _Outcome(start, None, None, missing, waits_for, zone_missing)
        cap = None
        if "cap" in term:
            cap = self._start(term["cap"]["from"])
            if cap is None or cap.assumption:
                missing = missing or term["cap"]["from"]
                assumed = cap.assumption if cap else f"{term['cap']['from']} leaves enough time"
                term = term if cap else {name: value for name, value in term.items() if name != "cap"}
                start = start._replace(assumption=start.assumption or assumed)
        try:
            due = arithmetic.due(term, start.at, self._place, cap.at if cap else None)
        except OverflowError:  # the year 9998 plus a term
            return _Outcome(start, None, cap, missing, waits_for)
        return _Outcome(start, due, cap, missing, waits_for)

    def _start(self, name: str) -> _Start | None:
        """Return where a term begins: a fact, or an assumption; None if nothing is known."""
        if not name.startswith("stage:"):
            if (at := self._report.anchors.get(name)) is not None:
                return _Start(name, at)
            if name == DETECTED and self._report.detected_at is not None:
                return _Start(name, self._report.detected_at)
            if name == AWARE and self._report.detected_at is not None:
                return _Start(name, self._report.detected_at, "aware is when the incident was detected")
            return None
        stage, latest = name.split(":")[1], name.endswith(":latest")
        if (sent := self._report.submissions.get(stage)) is not None:
            return _Start(name, sent.last if latest else sent.first)
        previous = self._before.get(stage)
        if previous is None or previous.next_at is None:
            return None
        return _Start(name, previous.next_at, f"{stage} is submitted when it is due")

    def _applies(self, name: str, start: _Start | None) -> bool:
        """Return whether the stage is in force on the local date of the anchor (A12)."""
        if name.startswith("stage:"):
            previous = self._before.get(name.split(":")[1])
            if previous is not None and previous.state == "not_applicable":
                return False
        dated_by = self._report.anchors.get(self._regime.get("dated_by", ""))
        days = [at.astimezone(self._place.zone).date() for at in (dated_by, start.at if start else None) if at]
        return all(rules.is_in_force(self._stage, day) for day in days)

    def _not_applicable(self) -> StageClock:
        stage = self._stage
        since, until = stage.get("effective_from"), stage.get("effective_to")
        period = f"from {since}" + (f" to {until}" if until else "")
        return StageClock(stage, "not_applicable", submission=self._submission, why=f"the rule is in force {period}")

    def _without_term(self, now: datetime) -> StageClock:
        """Return the clock of a stage without a fixed term, such as "without undue delay"."""
        start = self._start(self._stage["anchor"])
        if not self._applies(self._stage["anchor"], start):
            return self._not_applicable()
        words = self._stage.get("qualitative", "no fixed term")
        clock = StageClock(self._stage, "no_fixed_term", anchor=self._stage["anchor"], submission=self._submission)
        if self._submission is not None:
            clock = clock._replace(state="submitted")
        if start is None or start.assumption:
            missing = clock._replace(anchor_missing=self._stage["anchor"], why=f"{words}; there is no fixed term")
            return missing if self._submission is not None else missing._replace(state="pending_anchor")
        until = self._submission.first if self._submission else now
        since = f"{wording.anchor(start.name)} {wording.moment(start.at, self._place.zone)}"
        why = f"{words} after {since}; there is no fixed term"
        return clock._replace(anchor_at=start.at, elapsed=max(until - start.at, timedelta()), why=why)

    def _due(self, facts: list[tuple[_Outcome, Rule]], now: datetime) -> StageClock:
        """Return the clock of a stage with at least one date that rests on facts."""
        dates: list[tuple[datetime, str, _Outcome, Rule]] = []
        for result, term in facts:
            if result.due is None:
                continue
            label = term.get("reading", "")
            dates.append((self._target(term, result.due), label, result, term))
            if result.due.at != dates[-1][0] and self._setting.has_zone:
                dates.append((result.due.at, "if the date moves to a working day, which is inferred", result, term))
            elif term.get("roll_read") and result.due.unrolled != result.due.at:
                dates.append(
                    (result.due.unrolled, "the date before the roll to a working day: aim for it", result, term)
                )
            if (later := self._cautious(term, result)) is not None:
                dates.append((later, "if the authority is closed on the unsure days of its calendar", result, term))
        kept = dates if not self._stage["due"].get("roll_read") else dates[:1]
        due_at, label, result, term = min(kept, key=lambda dated: dated[0])
        others = [dated for dated in dates if dated[0] != due_at]
        other = max(others, key=lambda dated: dated[0]) if others else None
        if result.start is None or result.due is None:
            raise AssertionError("a fact has a start and a due date")
        state = self._state(due_at, term, now)
        cap = (result.cap.name, result.cap.at) if result.cap else None
        sentences = [wording.term(term, result.start.name, result.start.at, self._place.zone)]
        shown = result.due if due_at == result.due.at else Due(due_at, due_at, result.due.is_capped)
        sentences += wording.run(term, shown, self._place, cap)
        if label:
            sentences.append(label)
        if term.get("roll") and not self._setting.has_zone:
            sentences.append("setting_missing: zone: a roll to a working day is not computed")
        if other is not None:
            sentences.append(
                f"alternative {wording.moment(other[0], self._place.zone)}: {other[1] or 'the rule itself'}"
            )
        return StageClock(
            self._stage,
            state,
            due_at=due_at,
            alternative=other and other[0],
            anchor=result.start.name,
            anchor_at=result.start.at,
            submission=self._submission,
            why="; ".join(sentences),
        )

    def _state(self, due_at: datetime, term: Rule, now: datetime) -> str:
        """Return the state of a stage with a due date. On the dot is in time (A11)."""
        # A day ends with its last second, not with the begin of that second.
        last = due_at + _SECOND - timedelta(milliseconds=1) if term["end"] == "end_of_day" else due_at
        if self._submission is not None:
            return "submitted" if self._submission.first <= last else "submitted_late"
        return "overdue" if now > last else "running"

    def _target(self, term: Rule, due: Due) -> datetime:
        """Return the date of a reading: after the roll, unless the roll is only inferred or its zone is unknown."""
        rolls = self._setting.has_zone and term.get("roll_read", True)
        return due.at if rolls else due.unrolled

    def _cautious(self, term: Rule, result: _Outcome) -> datetime | None:
        """Return the date if the unsure days of the calendar are closed, if that makes a difference."""
        if not self._place.calendar.unsure or result.start is None or not result.due:
            return None
        place = self._place._replace(calendar=self._place.calendar.cautious())
        later = arithmetic.due(term, result.start.at, place, result.cap.at if result.cap else None).at
        return later if later > result.due.at else None

    def _warn_at(self) -> datetime | None:
        """Return when to warn that a report with a cap is not classified: four hours before the cap."""
        cap = self._stage["due"].get("cap")
        start = self._start(cap["from"]) if cap else None
        if cap is None or start is None or start.assumption:
            return None
        return start.at + timedelta(hours=cap["n"] - WARN_HOURS)

    def _why_projected(self, result: _Outcome) -> str:
        """Return why there is no due date, and what a projection assumes."""
        reasons = []
        if result.anchor_missing is not None:
            reasons.append(f"the anchor {result.anchor_missing} is missing")
        elif result.waits_for is not None:
            reasons.append(f"waits for {wording.anchor(result.waits_for)}")
        if result.setting_missing is not None:
            reasons.append("setting_missing: zone, because the date depends on it")
        if result.due is not None and result.start is not None and result.start.assumption:
            reasons.append(f"projection if {result.start.assumption}")
        return "; ".join(reasons)


def utc(text: str) -> datetime:
    """Return the moment of a text from ``timestamps``."""
    return datetime.fromisoformat(text).astimezone(UTC)
