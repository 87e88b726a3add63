"""Tests the deadlines of random incidents, settings and rules against a second computation by brute force."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from incidents.domain.deadlines import assessment, rules

from tests.support import deadline_oracle, scale

ZONES = [None, "UTC", "Europe/Paris", "Europe/Dublin", "America/New_York", "America/Santiago", "Asia/Kolkata",
         "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns"]  # fmt: skip
STATES = [None, *deadline_oracle.CALENDARS["zones"]]
UNITS = ["hour", "hour", "day", "month", "business_day", "day_after_year_end"]
ROLLS: list[dict[str, Any]] = [{}, {}, {"roll": "eu_working_day", "roll_read": True}, {"roll": "dora_noon"},
         {"roll": "eu_working_day", "roll_read": False}, {"roll": "dora_noon_all"}]  # fmt: skip


def text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(chance: random.Random, near: datetime) -> datetime:
    """Draw a moment. It is often near another moment, often at the end of a month or a year, and seldom far away."""
    match chance.randrange(6):
        case 0:
            end = near.replace(day=1, hour=22) - timedelta(days=chance.choice([1, 2, 31]))
            return end + timedelta(minutes=chance.randrange(240))
        case 1:
            return near.replace(month=12, day=31, hour=chance.randrange(24))
        case _:
            scale_of = chance.choice([60, 1440, 3 * 1440, 40 * 1440])
            drawn = near + timedelta(minutes=chance.randrange(-scale_of, scale_of))
            return drawn + timedelta(milliseconds=chance.choice([0, 0, 1, 999, 250]))


def term(chance: random.Random, start: str) -> dict[str, Any]:
    unit = chance.choice(UNITS)
    most = {"hour": 100, "month": 14, "day": 90, "day_after_year_end": 90}.get(unit, 25)
    end = (
        chance.choice(["instant", "instant", "next_hour"]) if unit == "hour" else chance.choice(["end_of_day", "17:30"])
    )
    n, roll = chance.randrange(1, most), chance.choice(ROLLS)
    if unit == "hour" and roll.get("roll") == "eu_working_day":  # a term of hours cannot have this roll
        roll = {}
    made = {"from": start, "n": n, "unit": unit, "end": end, **roll}
    return made | (
        {"cap": {"from": "aware", "n": chance.randrange(1, 60)}} if unit == "hour" and chance.random() < 0.4 else {}
    )


def readings(chance: random.Random) -> list[dict[str, Any]]:
    """Draw at most two other readings of a term: with another length or another anchor, confirmed or not."""
    kinds: list[dict[str, Any]] = [{}, {"source_kind": "official"}, {"source_kind": "secondary"}]
    changes: list[dict[str, Any]] = [{"n": chance.randrange(1, 40)}, {"from": "detected"}, {"from": "classified"}]
    return [
        {**chance.choice(kinds), **chance.choice(changes), "reading": "x"} for _ in range(chance.choice([0, 0, 1, 2]))
    ]


def own_rule(chance: random.Random) -> dict[str, Any]:
    """Draw a tenant's regime with two stages. The second stage follows the first stage or the first stage's update."""
    starts = [chance.choice(["aware", "detected", "classified"]), chance.choice(["stage:a", "stage:a:latest", "aware"])]
    stages = [
        {"id": name, "recipient": "x", "anchor": start, "effective_from": chance.choice([None, "2025-06-01"]),
         "effective_to": chance.choice([None, None, "2026-06-30"]), "due": term(chance, start), "citation": "x",
         "source_kind": "primary", "readings": readings(chance)}
        for name, start in zip("ab", starts, strict=True)
    ]  # fmt: skip
    status = chance.choice(["contract", "contract", "contract", "in_force", "pending", "repealed"])
    zone = chance.choice(["entity", "entity", "Asia/Tokyo", "America/New_York"])
    calendar = chance.choice(["entity", "none"] if zone == "entity" else ["us-sec", "br", "none"])
    return {"id": "own", "aliases": [], "jurisdiction": "x", "applies_to": "x", "trigger": "x", "status": status,
            "zone": zone, "calendar": calendar, "citation": "x", "stages": stages}  # fmt: skip


def case(chance: random.Random) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], datetime]:
    """Draw a regime, an incident with its report, the tenant's settings, and the moment of the question."""
    rule = own_rule(chance) if chance.random() < 0.3 else chance.choice(deadline_oracle.RULES)
    near = datetime(2024, 1, 15, tzinfo=UTC) + timedelta(minutes=chance.randrange(5 * 365 * 1440))
    starts = [start for stage in rule["stages"] for start in (stage, *stage.get("readings", ()))]
    anchors = {start.get("anchor") or start.get("from", "aware") for start in starts} | {"aware"}
    stored: dict[str, Any] = {
        "anchors": {
            name: text(moment(chance, near)) for name in sorted(anchors) if ":" not in name and chance.random() < 0.75
        },
        "stages": {},
        "facts": {},
    }
    for stage in rule["stages"]:
        if chance.random() < 0.4:
            first = moment(chance, near)
            sent = stored["stages"][stage["id"]] = {"submitted_at": text(first)}
            if chance.random() < 0.3:
                sent["resubmitted_at"] = text(first + timedelta(hours=chance.randrange(2000)))
    if chance.random() < 0.3:
        stored["facts"]["member_state"] = chance.choice(STATES[1:])
    if chance.random() < 0.3:
        stored["facts"]["dora_exempt"] = chance.random() < 0.5
    settings = {"zone": chance.choice(ZONES), "member_state": chance.choice(STATES),
                "facts": chance.choice([{}, {"dora_exempt": True}]),
                "regimes": chance.choice([*[{}] * 4, *[{rule["id"]: "on"}] * 5, {rule["id"]: "off"}]),
                "rules": [rule] if rule["id"] == "own" else []}  # fmt: skip
    detected = text(moment(chance, near)) if chance.random() < 0.5 else None
    name = chance.choice([rule["id"], rule["id"].upper(), *rule["aliases"]])
    named = [] if chance.random() < 0.03 else [name.swapcase() if chance.random() < 0.2 else name]
    incident = {"reportable_to": named, "detected_at": detected, "regulatory_reports": {rule["id"]: stored}}
    return rule, incident, settings, moment(chance, near)


def answered(incident: dict[str, Any], settings: dict[str, Any], now: datetime) -> deadline_oracle.Result:
    stored = incident | {"regulatory_reports": json.dumps(incident["regulatory_reports"])}
    answer = assessment.deadlines(assessment.known(stored), rules.parse(settings), now)
    (entry,) = answer["regimes"]
    as_number = deadline_oracle.milliseconds
    return {
        stage["stage"]: (
            stage["state"], as_number(stage["due_at"]), as_number(stage["alternative"]),
            as_number(stage["projected_at"]),
        )
        for stage in entry["stages"]
    }  # fmt: skip


def test_random_deadlines_equal_a_computation_by_brute_force(promise: Callable[[str, str], None]) -> None:
    n = scale.of(short=200, full=10_000)
    chance, stages, dates, differences = random.Random(20261127), 0, 0, []
    for _ in range(n):
        rule, incident, settings, now = case(chance)
        wanted = deadline_oracle.expected(rule, incident, settings, round(now.timestamp() * 1000))
        got = answered(incident, settings, now)
        stages, dates = stages + len(wanted), dates + sum(due is not None for _, due, _, _ in wanted.values())
        if got != wanted:
            differences.append((rule["id"], incident, settings, text(now), got, wanted))
    assert dates > n // 3
    assert differences == []
    promise(
        "Every due date equals a computation by brute force",
        f"{n:,} random incidents with {stages:,} stages, settings and rules gave {dates:,} due dates: "
        f"{len(differences)} states or dates differ",
    )
