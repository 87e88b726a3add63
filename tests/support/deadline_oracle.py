"""A second computation of deadlines, by brute force: it counts seconds, days and hours one by one.

It follows the rules A1 to A13 and shares no code with the service. It reads the rules and the calendars as data.
"""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.templates import CHECKOUT

FOLDER = CHECKOUT / "functions" / "incidents" / "domain" / "deadlines"
RULES: list[dict[str, Any]] = json.loads((FOLDER / "rules.json").read_text())["regimes"]
CALENDARS: dict[str, Any] = json.loads((FOLDER / "calendars.json").read_text())

Result = dict[str, tuple[str, int | None, int | None, int | None]]
"""By stage: the state, and the due date, the alternative and the projection in milliseconds since 1970."""
DAY = timedelta(days=1)
END = "23:59:59"


def milliseconds(text: str | None) -> int | None:
    return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)


class World:
    """Where the clocks of one report run: a zone, closed days, unsure days."""

    def __init__(self, zone: str | None, calendar: str | None, is_exempt: bool) -> None:
        self.has_zone = zone is not None
        self.zone = ZoneInfo(zone or "UTC")
        days = CALENDARS["calendars"].get(calendar, {"closed": [], "unsure": []})
        self.closed, self.unsure = set(days["closed"]), set(days["unsure"])
        self.is_exempt = is_exempt

    def cautious(self) -> "World":
        other = World(None, None, self.is_exempt)
        other.has_zone, other.zone, other.closed = self.has_zone, self.zone, self.closed | self.unsure
        return other

    def day(self, at: int) -> date:
        return self.wall(at).date()

    def wall(self, at: int) -> datetime:
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(self.zone).replace(tzinfo=None)

    def works(self, day: date) -> bool:
        return day.strftime("%a") not in ("Sat", "Sun") and day.isoformat() not in self.closed

    def at(self, day: date, clock: str) -> int:
        """Return the first moment at which the clocks of the zone show a time: look at each quarter of an hour."""
        shown = datetime.fromisoformat(f"{day}T{clock}" + ("" if len(clock) == 8 else ":00"))
        middle = round(shown.replace(tzinfo=UTC).timestamp())
        for second in range(middle - 16 * 3600, middle + 16 * 3600, 900):
            if self.wall(second * 1000) == shown:
                return second * 1000
        raise LookupError(f"no clock of {self.zone} shows {shown}")


def end_of(term: dict[str, Any], start: int, world: World, cap: int | None) -> int:
    """Return the end of a term before its roll."""
    n, unit = int(term["n"]), term["unit"]
    if unit == "hour":
        at = start + n * 3_600_000
        if term["end"] == "next_hour":
            while True:  # to the next full hour of the wall
                at += 1000 - at % 1000
                if world.wall(at).minute == world.wall(at).second == 0:
                    break
        if cap is not None:
            latest = cap + term["cap"]["n"] * 3_600_000
            if start <= latest:
                at = min(at, latest)
        return at
    day = world.day(start)
    match unit:
        case "day":
            for _ in range(n):
                day += DAY
        case "business_day":
            while n:
                day += DAY
                n -= world.works(day)
        case "day_after_year_end":
            while (day + DAY).year == day.year:
                day += DAY
            for _ in range(n):
                day += DAY
        case "month":
            wanted = day.day
            for _ in range(n):
                day = day.replace(day=28)
                while day.day != 1:
                    day += DAY
            while day.day < wanted and (day + DAY).month == day.month:
                day += DAY
    return world.at(day, END if term["end"] == "end_of_day" else term["end"])


def rolled(term: dict[str, Any], end: int, start: int, world: World) -> int:
    roll, day = term.get("roll"), world.day(end)
    if roll == "eu_working_day":
        first = world.day(start)
        is_short = term["unit"] == "day" and term["n"] == 1
        while not world.works(day) or (not is_short and worked(first, day, world) < 2):
            day += DAY
        return end if day == world.day(end) else world.at(day, END)
    if roll and not (roll == "dora_noon" and world.is_exempt) and not world.works(day):
        while not world.works(day):
            day += DAY
        return world.at(day, "12:00")
    return end


def worked(first: date, last: date, world: World) -> int:
    day, n = first, 0
    while day < last:
        day += DAY
        n += world.works(day)
    return n


class Computation:
    """One report: what people have recorded, and the stages computed so far."""

    def __init__(self, rule: dict[str, Any], stored: dict[str, Any], detected: int | None, world: World) -> None:
        self.rule, self.world, self.detected = rule, world, detected
        self.anchors = {name: milliseconds(text) for name, text in stored.get("anchors", {}).items()}
        self.sent: dict[str, tuple[int, int]] = {}
        for name, stage in stored.get("stages", {}).items():
            if (first := milliseconds(stage.get("submitted_at"))) is not None:
                self.sent[name] = (first, milliseconds(stage.get("resubmitted_at")) or first)
        self.done: dict[str, tuple[str, int | None, int | None, int | None]] = {}

    def start(self, name: str) -> tuple[int | None, bool]:
        """Return where a term begins, and whether that is a fact."""
        if name.startswith("stage:"):
            stage = name.split(":")[1]
            if stage in self.sent:
                return self.sent[stage][name.endswith(":latest")], True
            _, due, _, projected = self.done[stage]
            return (due if due is not None else projected), False
        if name in self.anchors:
            return self.anchors[name], True
        if name in ("aware", "detected") and self.detected is not None:
            return self.detected, name == "detected"
        return None, False

    def applies(self, stage: dict[str, Any], name: str) -> bool:
        if name.startswith("stage:") and self.done[name.split(":")[1]][0] == "not_applicable":
            return False
        days = [self.start(name)[0]]
        if self.rule.get("dated_by") in self.anchors:
            days.append(self.anchors[self.rule["dated_by"]])
        first, last = stage["effective_from"] or "0000", stage["effective_to"] or "9999"
        return all(first <= self.world.day(at).isoformat() <= last for at in days if at is not None)

    def compute(self, stage: dict[str, Any], state: str | None, now: int) -> None:
        term, name = stage["due"], stage["id"]
        is_sent = name in self.sent
        if term is None:
            at, is_fact = self.start(stage["anchor"])
            words = "submitted" if is_sent else "no_fixed_term" if at is not None and is_fact else "pending_anchor"
            applies = self.applies(stage, stage["anchor"])
            self.done[name] = (words if applies else "not_applicable", None, None, None)
            return
        readings = [term]
        readings += [{**term, **more} for more in stage.get("readings", ()) if more.get("member_state", state) == state]
        if not self.applies(stage, term["from"]):
            self.done[name] = ("not_applicable", None, None, None)
            return
        facts: list[tuple[int, bool]] = []  # (date, whether it may be the due date)
        projected, missing = None, None
        for n, reading in enumerate(readings):
            at, is_fact = self.start(reading["from"])
            if not self.applies(stage, reading["from"]):
                continue
            if not is_fact and not n:
                missing = "previous" if reading["from"].startswith("stage:") else "anchor"
            needs_zone = reading["unit"] != "hour" and not self.world.has_zone
            if at is None or needs_zone:
                missing = missing or ("zone" if needs_zone and not n else None)
                continue
            cap, is_cap_fact = self.start(reading["cap"]["from"]) if "cap" in reading else (None, True)
            if not is_cap_fact and not n:
                missing = "anchor"
            end = end_of(reading, at, self.world, cap)
            moved = rolled(reading, end, at, self.world) if self.world.has_zone else end
            target = end if reading.get("roll_read") is False else moved
            if is_fact and is_cap_fact:
                facts += self.dates(reading, end, moved, at, cap)
            elif not n:
                projected = target
        if facts:
            due = min(at for at, is_due in facts if is_due)
            others = [at for at, _ in facts if at != due]
            late = due + (999 if term["end"] == "end_of_day" else 0)
            on_time = self.sent[name][0] <= late if is_sent else now <= late
            words = ("submitted" if on_time else "submitted_late") if is_sent else "running" if on_time else "overdue"
            self.done[name] = (words, due, max(others, default=None), None)
            return
        words = {"anchor": "pending_anchor", "previous": "waiting_previous", "zone": "setting_missing"}[
            missing or "zone"
        ]
        self.done[name] = ("submitted" if is_sent else words, None, None, None if is_sent else projected)

    def dates(
        self, reading: dict[str, Any], end: int, moved: int, start: int, cap: int | None
    ) -> list[tuple[int, bool]]:
        """Return each date of a reading, and whether it may be the due date: A5 takes the earliest of these."""
        read = reading.get("roll_read")
        dates = [(end, read is not True), (moved, True)] if moved != end and read is not None else [(moved, True)]
        cautious = self.world.cautious()
        later = end_of(reading, start, cautious, cap)
        later = rolled(reading, later, start, cautious) if self.world.has_zone else later
        if later > moved:
            dates.append((later, False))
        return dates


def expected(rule: dict[str, Any], incident: dict[str, Any], settings: dict[str, Any], now: int) -> Result:
    """Return the state and the dates of each stage of a report."""
    stored = (incident["regulatory_reports"] or {}).get(rule["id"], {})
    facts = {**settings["facts"], **stored.get("facts", {})}
    state = None
    if rule["zone"] != "entity":
        zone, calendar = rule["zone"], rule["calendar"]
    elif rule["calendar"] != "entity":
        zone, calendar = settings["zone"], rule["calendar"]
    else:
        own, tenants = facts.get("member_state"), settings["member_state"]
        state = calendar = own or tenants
        zone = settings["zone"]
        if state and (zone is None or (own and own != tenants)):
            zone = CALENDARS["zones"][state]
    world = World(zone, calendar, facts.get("dora_exempt") is True)
    report = Computation(rule, stored, milliseconds(incident["detected_at"]), world)
    for stage in rule["stages"]:
        report.compute(stage, state, now)
    return report.done
