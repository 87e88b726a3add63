"""The clocks of one report: the state of each stage of a regime, at a moment.

The computation never guesses a fact. A stage whose anchor is unknown has no due date. It may have a projection, which
the answer shows as a projection. The rules are:

A5   if readings of a rule differ, the earliest date is the due date, and the latest date is the alternative. An
     unconfirmed reading never gives the due date. Its date is an alternative, and ``why`` names it as unconfirmed.
A8   if a stage follows another stage, its term begins with the submission of the other stage. Before the submission,
     there is only a projection.
A11  a submission at exactly the due date is in time.
A12  a stage applies if it is in force on the anchor's local date. If a stage does not apply, the stages that follow it
     do not apply either.
A13  ``detected_at`` replaces ``aware`` only in a projection.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ..timestamps import LAST_YEAR
from . import arithmetic, rules, wording
from .arithmetic import Due, Place
from .rules import Rule
from .starts import Report, Starts, Submission, TermStart, both

_SECOND, _MILLISECOND = timedelta(seconds=1), timedelta(milliseconds=1)
WARN_HOURS = 4  # the warning comes this long before the cap of an initial report without a classification


class Setting(NamedTuple):
    """The place of a regime's clocks. If ``has_zone`` is false, the zone is unknown, and hours are computed in UTC.

    ``member_state`` is the code of the Member State whose readings apply, or None. ``takes_unconfirmed`` is true if the
    tenant has switched the regime on. Then unconfirmed readings can give due dates. ``off`` has the ids of the stages
    that are off.
    """

    place: Place
    has_zone: bool
    member_state: str | None
    takes_unconfirmed: bool = False
    off: frozenset[str] = frozenset()


class _Outcome(NamedTuple):
    """The result of one reading of a term: a due date, a projection, or the names of the missing facts."""

    term: Rule
    start: TermStart | None = None
    due: Due | None = None
    cap: TermStart | None = None
    anchor_missing: str | None = None
    waits_for: str | None = None
    setting_missing: str | None = None

    @property
    def is_fact(self) -> bool:
        return self.due is not None and self.start is not None and not self.start.assumption


class _Dated(NamedTuple):
    """A possible date of a stage. ``label`` explains the date, and ``outcome`` is the reading that gives the date."""

    at: datetime
    label: str
    outcome: _Outcome


class StageClock(NamedTuple):
    """The state of one stage. Moments are in UTC. ``why`` is a text. ``assumption`` belongs to ``projected_at``."""

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
    assumption: str | None = None

    @property
    def next_at(self) -> datetime | None:
        """The date on which the next stage's projection assumes that this stage is sent."""
        return self.due_at or self.projected_at


def run(regime: Rule, report: Report, setting: Setting, now: datetime) -> list[StageClock]:
    """Return the clock of each stage of a regime, in the order of the rules.

    Stages of other Member States are left out. Stages that the tenant's settings switch off are included.
    """
    done: dict[str, StageClock] = {}
    for stage in regime["stages"]:
        if setting.member_state not in stage.get("member_states", (setting.member_state,)):
            continue
        done[stage["id"]] = _Stage(regime, stage, report, setting, done, now).clock()
    return [*done.values()]


class _Stage:
    """The computation of one stage. ``done`` has the clocks of the earlier stages by the stages' ids."""

    def __init__(
        self, regime: Rule, stage: Rule, report: Report, setting: Setting, done: Mapping[str, StageClock], now: datetime
    ) -> None:
        self._regime, self._stage, self._report = regime, stage, report
        self._place, self._setting, self._before, self._now = setting.place, setting, done, now
        self._submission = report.submissions.get(stage["id"])
        self._starts = Starts(regime, stage, report, done, setting.place.zone, setting.off, now)

    def clock(self) -> StageClock:
        if self._stage["due"] is None:
            return self._without_term()
        if not self._starts.applies(self._stage["due"]["from"]):
            return self._not_applicable()
        main, *others = (self._outcome(term) for term in self._terms())
        others = [other for other in others if self._starts.applies(other.term["from"])]
        outcomes = [main, *(other for other in others if self._is_confirmed(other.term))]
        national = _sorted(dated for other in others for dated in self._unconfirmed(other))
        # A5: the earliest known date decides. Another reading's anchor may be known while the rule's own is unknown.
        if main.setting_missing is None and (facts := [outcome for outcome in outcomes if outcome.is_fact]):
            return self._due(facts, national)
        clock = StageClock(
            self._stage,
            "waiting_previous",
            alternative=national[0].at if national else None,
            projected_at=self._projected([each for each in outcomes if each.term["from"] == main.term["from"]]),
            anchor=self._stage["due"]["from"],
            anchor_missing=main.anchor_missing,
            setting_missing=main.setting_missing,
            submission=self._submission,
            why="; ".join([*self._why_projected(main), *map(self._in_words, national)]),
            assumption=main.start and main.start.assumption,
        )
        if self._submission is not None:
            return clock._replace(state="submitted", projected_at=None)
        if main.waits_for is not None:
            return clock
        if main.anchor_missing is not None:
            return clock._replace(state="pending_anchor", warn_at=self._warn_at())
        if main.setting_missing is not None:
            return clock._replace(state="setting_missing")
        return clock._replace(state="not_applicable", why="the date would be after the year 9998")

    def _terms(self) -> Iterator[Rule]:
        """Yield the term of the stage, and its other readings. Readings of other Member States are left out."""
        term: Rule = self._stage["due"]
        yield term
        for reading in self._stage.get("readings", ()):
            if reading.get("member_state") in (None, self._setting.member_state):
                yield {**term, **reading}

    def _is_confirmed(self, term: Rule) -> bool:
        """Return whether a term can give the due date.

        A reading without its own ``source_kind`` is as reliable as its stage.
        """
        return self._setting.takes_unconfirmed or term.get("source_kind", rules.CONFIRMED[0]) in rules.CONFIRMED

    def _outcome(self, term: Rule) -> _Outcome:
        start = self._starts.start_of(term["from"])
        is_chained = term["from"].startswith("stage:")
        missing = term["from"] if not is_chained and (start is None or start.assumption) else None
        waits_for = term["from"] if is_chained and (start is None or start.assumption) else None
        zone_missing = "zone" if arithmetic.needs_zone(term) and not self._setting.has_zone else None
        outcome = _Outcome(term, start, None, None, missing, waits_for, zone_missing)
        if start is None or zone_missing or not self._starts.is_in_force(start):
            return outcome
        cap = None
        if "cap" in term:
            cap = self._starts.start_of(term["cap"]["from"])
            if cap is None or cap.assumption:
                outcome = outcome._replace(anchor_missing=missing or term["cap"]["from"])
                assumed = cap.assumption if cap else f"{term['cap']['from']} leaves enough time"
                term = term if cap else {name: value for name, value in term.items() if name != "cap"}
                start = start._replace(assumption=both(start.assumption, assumed))
        try:
            due = arithmetic.due(term, start.at, self._place, cap.at if cap else None)
        except OverflowError:  # the anchor is in the year 9998, and the term ends later
            return outcome
        return outcome._replace(start=start, due=due, cap=cap)

    def _not_applicable(self) -> StageClock:
        stage = self._stage
        since, until = stage.get("effective_from"), stage.get("effective_to")
        period = f"from {since} to {until}" if since and until else f"from {since}" if since else f"until {until}"
        return StageClock(stage, "not_applicable", submission=self._submission, why=f"the rule is in force {period}")

    def _without_term(self) -> StageClock:
        """Return the clock of a stage without a fixed term, such as "without undue delay"."""
        start = self._starts.start_of(self._stage["anchor"])
        if not self._starts.applies(self._stage["anchor"]):
            return self._not_applicable()
        words = self._stage.get("qualitative", "no fixed term")
        clock = StageClock(self._stage, "no_fixed_term", anchor=self._stage["anchor"], submission=self._submission)
        if self._submission is not None:
            clock = clock._replace(state="submitted")
        if start is None or start.assumption:
            missing = clock._replace(anchor_missing=self._stage["anchor"], why=f"{words}; there is no fixed term")
            return missing if self._submission is not None else missing._replace(state="pending_anchor")
        until = self._submission.first if self._submission else self._now
        since = f"{wording.anchor(start.name)} {wording.moment(start.at, self._place.zone)}"
        why = f"{words} after {since}; there is no fixed term"
        return clock._replace(anchor_at=start.at, elapsed=max(until - start.at, timedelta()), why=why)

    def _due(self, facts: list[_Outcome], unconfirmed: list[_Dated]) -> StageClock:
        """Return the clock of a stage with at least one date that needs no assumption.

        ``unconfirmed`` has the dates of unconfirmed readings. If one of these dates is before the due date, it takes
        precedence over all other alternatives.
        """
        due, *others = _sorted(dated for fact in facts for dated in self._dates(fact))
        national = [dated for dated in unconfirmed if dated.at != due.at]
        later = [dated for dated in _sorted([*others, *national]) if dated.at > due.at]
        earlier = [dated for dated in national if dated.at < due.at]
        targets = [dated for fact in facts for dated in self._targets(fact) if dated.at < due.at]
        other = next(iter([*earlier, *reversed(later), *targets]), None)
        result, term = due.outcome, due.outcome.term
        if result.start is None or result.due is None:
            raise AssertionError("a fact has a start and a due date")
        cap = (result.cap.name, result.cap.at) if result.cap else None
        sentences = [wording.term(term, result.start.name, result.start.at, self._place.zone)]
        shown = result.due if due.at == result.due.at else Due(due.at, due.at, result.due.is_capped)
        sentences += wording.run(term, shown, self._place, cap, result.start.at)
        if due.label:
            sentences.append(due.label)
        if term.get("roll") and not self._setting.has_zone:
            sentences.append("setting_missing: zone: a roll to a working day is not computed")
        sentences += [self._in_words(dated) for dated in ([other] if other else []) if dated not in national]
        sentences += map(self._in_words, national)
        return StageClock(
            self._stage,
            self._state(due, term),
            due_at=due.at,
            alternative=other and other.at,
            anchor=result.start.name,
            anchor_at=result.start.at,
            submission=self._submission,
            why="; ".join(sentences),
        )

    def _dates(self, outcome: _Outcome) -> Iterator[_Dated]:
        """Yield the date of a reading, and later possible dates. The earliest of all dates is the due date (A5)."""
        start, due, term = outcome.start, outcome.due, outcome.term
        if start is None or due is None:
            return
        yield _Dated(self._target(term, due), term.get("reading", ""), outcome)
        inferred = "if the date moves to a working day, which is inferred"
        is_inferred = term.get("roll_read") is False and self._setting.has_zone
        if is_inferred:
            yield _Dated(due.at, inferred, outcome)
        if self._place.calendar.unsure:
            place = self._place._replace(calendar=self._place.calendar.cautious())
            later = arithmetic.due(term, start.at, place, outcome.cap.at if outcome.cap else None)
            unsure = "if the authority is closed on the unsure days of its calendar"
            yield _Dated(self._target(term, later), unsure, outcome)
            if is_inferred:
                yield _Dated(later.at, f"{inferred}, and {unsure}", outcome)

    def _targets(self, outcome: _Outcome) -> Iterator[_Dated]:
        """Yield the date before the roll of 1182/71, if the act states the roll. It is the safer date."""
        term = outcome.term
        if outcome.due is not None and term.get("roll") == "eu_working_day" and term.get("roll_read", True):
            yield _Dated(outcome.due.unrolled, "the date before the roll to a working day: aim for it", outcome)

    def _unconfirmed(self, outcome: _Outcome) -> Iterator[_Dated]:
        """Yield the date of an outcome if its reading is unconfirmed and its date needs no assumption."""
        if outcome.due is not None and outcome.is_fact and not self._is_confirmed(outcome.term):
            label = (
                f"{outcome.term['reading']}, which is unconfirmed: it was not read in the act or in official guidance"
            )
            yield _Dated(self._target(outcome.term, outcome.due), label, outcome)

    def _in_words(self, other: _Dated) -> str:
        return f"alternative {wording.moment(other.at, self._place.zone)}: {other.label or 'the rule itself'}"

    def _projected(self, outcomes: list[_Outcome]) -> datetime | None:
        """Return the earliest date that the readings give if the assumption is right."""
        return min((self._target(outcome.term, outcome.due) for outcome in outcomes if outcome.due), default=None)

    def _state(self, due: _Dated, term: Rule) -> str:
        """Return the state of a stage with a due date. A submission at exactly the due date is in time (A11)."""
        # A day ends with the end of its last second. Noon after a roll is not the end of a day.
        result = due.outcome.due
        is_noon = term.get("roll", "").startswith("dora_noon") and result is not None and result.at != result.unrolled
        last = due.at + _SECOND - _MILLISECOND if term["end"] == "end_of_day" and not is_noon else due.at
        if self._submission is not None:
            return "submitted" if self._submission.first <= last else "submitted_late"
        return "overdue" if self._now > last else "running"

    def _target(self, term: Rule, due: Due) -> datetime:
        """Return the date of a reading: before the roll if the roll is only inferred or its zone is unknown."""
        rolls = self._setting.has_zone and term.get("roll_read", True)
        return due.at if rolls else due.unrolled

    def _warn_at(self) -> datetime | None:
        """Return the time of the warning that a capped report is not classified: four hours before the cap."""
        cap = self._stage["due"].get("cap")
        start = self._starts.start_of(cap["from"]) if cap else None
        if cap is None or start is None or start.assumption:
            return None
        warn_at = start.at + timedelta(hours=cap["n"] - WARN_HOURS)
        return warn_at if warn_at.year <= LAST_YEAR else None

    def _why_projected(self, result: _Outcome) -> Iterator[str]:
        """Yield in words the reasons why there is no due date. The last reasons name a projection's assumption and its
        gaps.
        """
        if result.waits_for is not None:
            yield f"waits for {wording.anchor(result.waits_for)}"
        if result.anchor_missing is not None:
            yield f"the anchor {result.anchor_missing} is missing"
        if result.setting_missing is not None:
            yield "setting_missing: zone, because the date depends on it"
        if self._submission is None and result.due is not None and result.start is not None and result.start.assumption:
            yield f"projection if {result.start.assumption}"
            yield from wording.gaps(result.term, result.due, self._place, result.start.at)


def _sorted(dates: Iterable[_Dated]) -> list[_Dated]:
    return sorted(dates, key=lambda dated: dated.at)


def utc(text: str) -> datetime:
    """Return the moment of a text in the form of ``timestamps``, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)
