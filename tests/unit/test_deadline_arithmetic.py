"""Tests the arithmetic of the deadlines with all vectors. Also tests that vectors detect eight known mistakes."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from incidents.domain.deadlines import arithmetic, calendars, clocks, rules, starts
from incidents.domain.deadlines.arithmetic import Due, Place

from tests.support.deadline_vectors import VECTORS, answer, clock, wanted

REAL_DUE, REAL_LAST_DAY, REAL_IS_OPEN = arithmetic.due, arithmetic._last_day, calendars.Calendar.is_open
FAULT = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['id']} {vector['rule']}")
def test_vector(vector: dict[str, Any]) -> None:
    assert answer(vector) == wanted(vector)


def month_without_clamp(patch: pytest.MonkeyPatch) -> None:
    """A mistake: 31 January plus one month is 3 March."""

    def last_day(term: Any, first: date, calendar: Any) -> date:
        if term["unit"] != "month":
            return REAL_LAST_DAY(term, first, calendar)
        return REAL_LAST_DAY(term, first.replace(day=1), calendar) + timedelta(days=first.day - 1)

    patch.setattr(arithmetic, "_last_day", last_day)


def dates_in_utc(patch: pytest.MonkeyPatch) -> None:
    """A mistake: a date is the date in UTC."""
    patch.setattr(arithmetic, "due", lambda term, at, place, cap=None: REAL_DUE(term, at, _in_utc(place), cap))


def hours_on_the_wall(patch: pytest.MonkeyPatch) -> None:
    """A mistake: 72 h later, the clock shows the same time, even after a change of the clocks."""

    def due(term: Any, at: datetime, place: Place, cap: datetime | None = None) -> Due:
        done = REAL_DUE(term, at, place, cap)
        if term["unit"] != "hour" or done.at != done.unrolled or done.is_capped:
            return done
        wall = (at.astimezone(place.zone) + timedelta(hours=term["n"])).astimezone(UTC)
        return Due(wall, wall)

    patch.setattr(arithmetic, "due", due)


def cap_always(patch: pytest.MonkeyPatch) -> None:
    """A mistake: DORA's initial report is due 24 h after awareness, even if the incident was classified later."""

    def due(term: Any, at: datetime, place: Place, cap: datetime | None = None) -> Due:
        done = REAL_DUE(term, at, place, cap)
        if cap is None:
            return done
        earliest = min(done.at, cap + timedelta(hours=term["cap"]["n"]))
        return Due(earliest, earliest)

    patch.setattr(arithmetic, "due", due)


def exemption_ignored(patch: pytest.MonkeyPatch) -> None:
    """A mistake: a bank's initial report is moved to noon of the next working day."""

    def due(term: Any, at: datetime, place: Place, cap: datetime | None = None) -> Due:
        return REAL_DUE(term, at, place._replace(is_exempt=False), cap)

    patch.setattr(arithmetic, "due", due)


def weekends_open(patch: pytest.MonkeyPatch) -> None:
    """A mistake: only holidays are closed, and weekends are open."""
    patch.setattr(calendars.Calendar, "is_open", lambda self, day: day not in self.closed)


def always_1_march(patch: pytest.MonkeyPatch) -> None:
    """A mistake: 60 days after the end of a year are always 1 March."""

    def last_day(term: Any, first: date, calendar: Any) -> date:
        is_yearly = term["unit"] == "day_after_year_end"
        return date(first.year + 1, 3, 1) if is_yearly else REAL_LAST_DAY(term, first, calendar)

    patch.setattr(arithmetic, "_last_day", last_day)


def hours_extended(patch: pytest.MonkeyPatch) -> None:
    """A mistake: 72 h that end on a weekend or a holiday are extended to the next working day."""

    def due(term: Any, at: datetime, place: Place, cap: datetime | None = None) -> Due:
        done = REAL_DUE(term, at, place, cap)
        if term["unit"] != "hour" or done.at != done.unrolled:
            return done
        first, last = (moment.astimezone(place.zone).date() for moment in (at, done.at))
        rolled = arithmetic._extended({"roll": "eu_working_day", "unit": "day", "n": 3}, first, last, place.calendar)
        return Due(done.at + (rolled - last), done.unrolled)

    patch.setattr(arithmetic, "due", due)


FAULTS: list[FAULT] = [
    month_without_clamp, dates_in_utc, hours_on_the_wall, cap_always, exemption_ignored, weekends_open,
    always_1_march, hours_extended,
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_vectors_catch_the_fault(fault: FAULT, monkeypatch: pytest.MonkeyPatch) -> None:
    fault(monkeypatch)
    assert [vector["id"] for vector in VECTORS if answer(vector) != wanted(vector)]


def test_a_due_date_carries_its_reason_in_words() -> None:
    spring = next(vector for vector in VECTORS if vector["id"] == "V03")
    assert clock(spring).why.startswith("72 h after aware 2026-03-27 18:00 Europe/Paris; hours run through weekends")


@pytest.mark.parametrize("unit", ["month", "day", "day_after_year_end", "business_day", "hour"])
def test_a_date_after_the_year_9998_is_no_date(unit: str) -> None:
    term = {"from": "aware", "n": 9_999, "unit": unit, "end": "instant" if unit == "hour" else "end_of_day"}
    stage = rules.released()["regimes"][0]["stages"][0] | {"due": term, "readings": []}
    regime = rules.released()["regimes"][0] | {"stages": [stage]}
    late = starts.Report({"aware": datetime(9998, 12, 31, 23, 59, tzinfo=UTC)}, {}, None)
    setting = clocks.Setting(Place(UTC, calendars.WEEKENDS), True, None)
    (done,) = clocks.run(regime, late, setting, datetime(2026, 1, 1, tzinfo=UTC))
    assert (done.state, done.due_at) == ("not_applicable", None)


def _in_utc(place: Place) -> Place:
    return place._replace(zone=UTC)
