"""A second computation of deadlines by brute force. It counts hours and days one by one.

The author had not read the service's code, and used only the rules A1 to A13 and the acts. This module shares no code
with the service. It reads the rules and the calendars as data. Moments are milliseconds since 1970.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.templates import CHECKOUT

FOLDER = CHECKOUT / "functions" / "incidents" / "domain" / "deadlines"
RULES: list[dict[str, Any]] = json.loads((FOLDER / "rules.json").read_text())["regimes"]
CALENDARS: dict[str, Any] = json.loads((FOLDER / "calendars.json").read_text())

Rule = dict[str, Any]
Stage = tuple[str, int | None, int | None, int | None]
"""The state of a stage, followed by its due date, alternative and projection, in milliseconds since 1970."""
Result = dict[str, Stage]
"""The expected result by stage."""
HOUR = 3_600_000
DAY = timedelta(days=1)
NOON = 12 * 3600


class ZoneMissing(Exception):
    """The date depends on a zone, and the zone is unknown (A9)."""


def milliseconds(text: str | None) -> int | None:
    return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)


# --- the clocks of a zone


def clock(second: int, zone: str) -> tuple[date, int]:
    """Return the local date and the second of the day in a zone at a Unix time in seconds."""
    at = datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(zone))
    return at.date(), at.hour * 3600 + at.minute * 60 + at.second


def local_date(at: int, zone: str) -> date:
    return clock(at // 1000, zone)[0]


def quarters(day: date) -> Iterator[int]:
    """Yield the first second of each quarter-hour that can belong to a day. Offsets change only at these seconds."""
    midnight = round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    yield from range(midnight - 18 * 3600, midnight + 54 * 3600, 900)


@cache
def end_of_day(day: date, zone: str) -> int:
    """Return the last second of a local day, which is normally 23:59:59 (A3).

    A day ends with the end of its last hour (1182/71 Art. 3(2)), even if a change of the clocks repeats or skips
    23:59:59.
    """
    last = [second for second in quarters(day) if day in (clock(second, zone)[0], clock(second + 899, zone)[0])][-1]
    return max(second for second in range(last, last + 900) if clock(second, zone)[0] == day) * 1000


@cache
def time_of_day(day: date, second_of_day: int, zone: str) -> int:
    """Return the first moment of a local day at which the clock shows the given time or a later time (A5)."""
    wanted = (day, second_of_day)
    quarter = next(second for second in quarters(day) if clock(second + 899, zone) >= wanted)
    return next(second for second in range(quarter, quarter + 900) if clock(second, zone) >= wanted) * 1000


def next_hour(at: int, zone: str) -> int:
    """Return the beginning of the first full local hour after a moment. The event's hour does not count (A2, 3(1))."""
    second = at // 1000 + 1
    while clock(second, zone)[1] % 3600:
        second += 1
    return second * 1000


# --- one term


class Where:
    """The place of a report's terms: the zone, the open days, and whether the entity is exempt from DORA's roll."""

    def __init__(self, rule: Rule, facts: dict[str, Any], settings: dict[str, Any]) -> None:
        own = facts.get("member_state")
        self.state: str | None = own or settings["member_state"]
        self.zone: str | None = rule["zone"]
        if self.zone == "entity":
            # The incident's Member State takes precedence. If it equals the tenant's, the tenant's zone is used.
            is_tenants = settings["zone"] is not None and self.state == settings["member_state"]
            known: dict[str | None, str] = CALENDARS["zones"]
            self.zone = settings["zone"] if is_tenants else known.get(self.state, settings["zone"])
        calendar = self.state if rule["calendar"] == "entity" else rule["calendar"]
        days = CALENDARS["calendars"].get(calendar, {"closed": (), "unsure": ()})  # A6: unknown days are open
        self.closed, self.unsure = set(days["closed"]), set(days["unsure"])
        self.is_exempt = facts.get("dora_exempt") is True

    def is_open(self, day: date, *, is_cautious: bool = False) -> bool:
        """Return whether the authority works on a day (A6). If ``is_cautious``, unsure days are closed."""
        text = day.isoformat()
        return day.weekday() < 5 and text not in self.closed and not (is_cautious and text in self.unsure)


def add_months(day: date, n: int) -> date:
    """Return the same day of a later month, or the last day of a shorter month (A4)."""
    year, month, number = day.year, day.month, day.day
    for _ in range(n):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    while True:
        try:
            return date(year, month, number)
        except ValueError:
            number -= 1


def due_of(term: Rule, start: int, cap: int | None, place: Where, *, is_rolled: bool, is_cautious: bool) -> int:
    """Return the due date of a term, with or without its roll. Raises ZoneMissing."""
    roll = term.get("roll") if is_rolled else None
    if term["unit"] == "hour":
        due = next_hour(start, place.zone or "UTC") if term["end"] == "next_hour" else start
        for _ in range(term["n"]):  # A1: no day and no change of the clocks interrupts the hours
            due += HOUR
        if cap is not None:
            latest = cap
            for _ in range(term["cap"]["n"]):
                latest += HOUR
            due = min(due, latest) if start <= latest else due
    elif place.zone is None:
        raise ZoneMissing
    else:
        day = last_day(term, local_date(start, place.zone), roll == "eu_working_day", place, is_cautious)
        if term["end"] == "end_of_day":
            due = end_of_day(day, place.zone)
        else:
            hours, minutes = map(int, term["end"].split(":"))
            due = time_of_day(day, hours * 3600 + minutes * 60, place.zone)
    if place.zone is None or not (roll == "dora_noon_all" or (roll == "dora_noon" and not place.is_exempt)):
        return due  # without a zone, a term of hours has a due date, but no roll
    day = local_date(due, place.zone)
    if place.is_open(day, is_cautious=is_cautious):
        return due
    while not place.is_open(day, is_cautious=is_cautious):
        day += DAY
    return time_of_day(day, NOON, place.zone)


def last_day(term: Rule, start: date, is_extended: bool, place: Where, is_cautious: bool) -> date:
    """Return the last local day of a term. If ``is_extended``, apply the roll of 1182/71 Art. 3(4) and 3(5)."""
    if term["unit"] == "day_after_year_end":
        while (start.month, start.day) != (12, 31):
            start += DAY
    day, left = start, term["n"]
    if term["unit"] == "month":
        day = add_months(start, left)
    else:
        while left:  # A3: the day of the event does not count
            day += DAY
            left -= term["unit"] != "business_day" or place.is_open(day, is_cautious=is_cautious)
    while is_extended:
        working = [one for one in days_between(start, day) if place.is_open(one, is_cautious=is_cautious)]
        # Art. 3(5): a period of two days or more has at least two working days
        is_long = term["n"] >= 2 or term["unit"] == "month"
        if place.is_open(day, is_cautious=is_cautious) and (len(working) >= 2 or not is_long):
            break
        day += DAY
    return day


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield the days after ``first`` up to ``last``."""
    while first < last:
        first += DAY
        yield first


# --- one report


class StagesOfReport:
    """The recorded facts of one report, and the stages that are computed from these facts."""

    def __init__(self, rule: Rule, incident: dict[str, Any], settings: dict[str, Any], now: int) -> None:
        self.rule, self.now = rule, now
        stored = incident["regulatory_reports"].get(rule["id"], {})
        self.place = Where(rule, {**settings["facts"], **stored.get("facts", {})}, settings)
        self.detected = milliseconds(incident["detected_at"])
        self.anchors = {name: milliseconds(text) for name, text in stored.get("anchors", {}).items()}
        self.sent = stored.get("stages", {})
        self.is_on = settings["regimes"].get(rule["id"]) == "on"
        self.done: Result = {}

    def submission(self, stage: str, *, is_latest: bool = False) -> int | None:
        sent = self.sent.get(stage, {})
        first, again = milliseconds(sent.get("submitted_at")), milliseconds(sent.get("resubmitted_at"))
        return max(first, again) if first is not None and again is not None and is_latest else first

    def fact(self, name: str) -> int | None:
        """Return the known time of an anchor, or None. An assumption does not count (A13)."""
        if name.startswith("stage:"):
            return self.submission(name.split(":")[1], is_latest=name.endswith(":latest"))
        at = self.anchors.get(name)
        return self.detected if at is None and name == "detected" else at

    def assumed(self, name: str) -> int | None:
        """Return the time of an anchor for a projection.

        The projection assumes that the previous stage is sent when it is due (A8), and that ``aware`` is ``detected``.
        """
        if (at := self.fact(name)) is not None:
            return at
        if name.startswith("stage:"):
            _, due, _, projected = self.done[name.split(":")[1]]
            return projected if due is None else due
        return self.fact("detected") if name == "aware" else None

    def in_force(self, stage: Rule, at: int | None) -> bool:
        """Return whether a stage is in force on the local date of a moment (A12)."""
        if at is None:
            return True
        day = local_date(at, self.place.zone or "UTC").isoformat()
        return (stage["effective_from"] or "0000") <= day <= (stage["effective_to"] or "9999")

    def applies(self, stage: Rule, name: str) -> bool:
        """Return whether a stage applies. It applies unless its known anchor shows the contrary.

        If a stage does not apply, a later stage that begins with its submission does not apply either. This is so even
        if the earlier stage was sent.
        """
        if name.startswith("stage:") and self.done[name.split(":")[1]][0] == "not_applicable":
            return False
        dated = self.fact(self.rule.get("dated_by", name))
        return self.in_force(stage, self.fact(name) if dated is None else dated)

    def may_project(self, stage: Rule, name: str) -> bool:
        dated = self.assumed(self.rule.get("dated_by", name))
        return self.in_force(stage, self.assumed(name) if dated is None else dated)

    def terms(self, stage: Rule, *, is_confirmed: bool = True) -> Iterator[Rule]:
        """Yield the term and its other readings, or with ``is_confirmed=False`` the readings that nobody has confirmed.

        A reading of a Member State is for that one only. A reading is confirmed if it was read in the act or in
        official guidance, or if the tenant has switched the regime on.
        """
        if is_confirmed:
            yield stage["due"]
        for reading in stage.get("readings", ()):
            is_read = self.is_on or reading.get("source_kind", "primary") in ("primary", "official")
            if reading.get("member_state", self.place.state) == self.place.state and is_read == is_confirmed:
                yield {**stage["due"], **reading}

    def unconfirmed(self, stage: Rule) -> list[int]:
        """Return the dates of the readings that nobody has confirmed. None of them is a due date."""
        dates = []
        for term in self.terms(stage, is_confirmed=False) if stage["due"] else ():
            start, cap = self.fact(term["from"]), self.fact(term["cap"]["from"]) if "cap" in term else None
            if start is None or ("cap" in term and cap is None) or not self.applies(stage, term["from"]):
                continue
            try:
                is_read = term.get("roll_read", True)
                dates.append(due_of(term, start, cap, self.place, is_rolled=is_read, is_cautious=False))
            except ZoneMissing:
                continue
        return dates

    def dates(self, stage: Rule) -> tuple[int, int | None] | None:
        """Return the due date and the alternative, or None if no reading has its anchors. Raises ZoneMissing.

        Of several readings, the earliest is due (A5). The alternative is the earliest date before it of an unconfirmed
        reading. Without one, it is the latest of the other dates: other readings, a roll that is only inferred,
        unsure days as closed. Without one, it is the date before a roll that was read.
        """
        dues, others, targets = [], [], []
        for term in self.terms(stage):
            start, cap = self.fact(term["from"]), self.fact(term["cap"]["from"]) if "cap" in term else None
            if start is None or ("cap" in term and cap is None) or not self.applies(stage, term["from"]):
                continue
            is_read = term.get("roll_read", True)
            dues.append(due_of(term, start, cap, self.place, is_rolled=is_read, is_cautious=False))
            for is_rolled in {True, is_read}:
                for is_cautious in (False, True):
                    others.append(due_of(term, start, cap, self.place, is_rolled=is_rolled, is_cautious=is_cautious))
            if term.get("roll") == "eu_working_day":
                targets.append(due_of(term, start, cap, self.place, is_rolled=False, is_cautious=False))
        if not dues:
            return None
        due = min(dues)
        target = min((at for at in targets if at < due), default=None)
        unconfirmed = self.unconfirmed(stage)
        later = max((at for at in others + unconfirmed if at > due), default=target)
        return due, min((at for at in unconfirmed if at < due), default=later)

    def projection(self, stage: Rule) -> int | None:
        """Return the earliest date of the readings with the stage's own anchor. The date depends on assumptions."""
        dates = []
        for term in self.terms(stage):
            start, cap = self.assumed(term["from"]), self.assumed(term["cap"]["from"]) if "cap" in term else None
            if start is None or term["from"] != stage["due"]["from"] or not self.may_project(stage, term["from"]):
                continue
            try:
                is_read = term.get("roll_read", True)
                dates.append(due_of(term, start, cap, self.place, is_rolled=is_read, is_cautious=False))
            except ZoneMissing:
                continue
        return min(dates, default=None)

    def stage(self, stage: Rule) -> Stage:
        name = stage["due"]["from"] if stage["due"] else stage["anchor"]
        sent = self.submission(stage["id"])
        if not self.applies(stage, name):
            return "not_applicable", None, None, None
        try:
            dates = self.dates(stage) if stage["due"] else None
        except ZoneMissing:
            dates = None
        if dates is not None:
            due, alternative = dates
            # A day ends with its last second, so the whole second is in time (A11). Noon is no end of a day.
            is_noon = "dora" in stage["due"].get("roll", "") and clock(due // 1000, self.place.zone or "UTC")[1] == NOON
            last = due + (999 if stage["due"]["end"] == "end_of_day" and not is_noon else 0)
            if sent is not None:
                return "submitted" if sent <= last else "submitted_late", due, alternative, None
            return "running" if self.now <= last else "overdue", due, alternative, None
        other = min(self.unconfirmed(stage), default=None)
        if sent is not None:
            return "submitted", None, other, None
        projected = self.projection(stage) if stage["due"] else None
        if self.fact(name) is None:
            return "waiting_previous" if name.startswith("stage:") else "pending_anchor", None, other, projected
        if stage["due"] is None:
            return "no_fixed_term", None, None, None
        if "cap" in stage["due"] and self.fact(stage["due"]["cap"]["from"]) is None:
            return "pending_anchor", None, other, projected
        return "setting_missing", None, other, None


# --- the interface


def is_named(rule: Rule, incident: dict[str, Any]) -> bool:
    """Return whether ``reportable_to`` names a regime by its id or an alias. Upper and lower case do not matter."""
    names = {name.casefold() for name in (rule["id"], *rule["aliases"])}
    return any(name.casefold() in names for name in incident["reportable_to"])


def is_off(rule: Rule, stage: Rule, settings: dict[str, Any]) -> bool:
    """Return whether a stage is off, because it is switched off, not in force, or not confirmed by an official text."""
    if (switch := settings["regimes"].get(rule["id"])) is not None:
        return bool(switch == "off")
    if rule in settings["rules"]:
        return rule["status"] not in ("in_force", "contract")
    return rule["status"] != "in_force" or stage["source_kind"] not in ("primary", "official")


def expected(rule: Rule, incident: dict[str, Any], settings: dict[str, Any], now: int) -> Result:
    """Return the state and the dates of each stage of a report. Without a name in ``reportable_to``, there are none."""
    if not is_named(rule, incident):
        return {}
    report = StagesOfReport(rule, incident, settings, now)
    stages = [
        stage for stage in rule["stages"] if report.place.state in stage.get("member_states", [report.place.state])
    ]
    for stage in stages:
        report.done[stage["id"]] = report.stage(stage)
    return {
        stage["id"]: ("off", None, None, None) if is_off(rule, stage, settings) else report.done[stage["id"]]
        for stage in stages
    }
