"""Working days of the authorities and the Member States, from the generated calendars."""

import json
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import tzdata  # type: ignore[import-untyped]  # it has only data

_DAY = timedelta(days=1)
_SATURDAY = 5


class Calendar(NamedTuple):
    """The days on which an authority is closed, in addition to Saturdays and Sundays.

    On the days in ``unsure``, the authority may be closed. ``name`` is None if no calendar applies. Then the authority
    is closed only on weekends. The calendar knows the days from ``first_year`` to ``last_year``.
    """

    name: str | None
    closed: frozenset[date] = frozenset()
    unsure: frozenset[date] = frozenset()
    first_year: int = date.min.year
    last_year: int = date.max.year

    def is_open(self, day: date) -> bool:
        """Return whether a day is a working day. An unsure day is a working day, so the due date is earlier (A6)."""
        return day.weekday() < _SATURDAY and day not in self.closed

    def next_open(self, day: date) -> date:
        """Return the first working day after a day."""
        day += _DAY
        while not self.is_open(day):
            day += _DAY
        return day

    def covers(self, year: int) -> bool:
        """Return whether the holidays of a year are known."""
        return self.first_year <= year <= self.last_year

    def cautious(self) -> "Calendar":
        """Return the calendar with the unsure days as closed days, too."""
        return self._replace(closed=self.closed | self.unsure, unsure=frozenset())


WEEKENDS = Calendar(None)


@cache
def _generated() -> dict[str, Any]:
    generated: dict[str, Any] = json.loads(Path(__file__).with_name("calendars.json").read_text())
    return generated


@cache
def named(name: str) -> Calendar | None:
    """Return a calendar by its name, such as ``us-sec`` or ``DE``, or None if there is none."""
    generated = _generated()
    if (days := generated["calendars"].get(name)) is None:
        return None
    closed, unsure = (_dates(days[kind]) for kind in ("closed", "unsure"))
    return Calendar(name, closed, unsure, generated["first_year"], generated["last_year"])


def generated_on() -> str:
    """Return the date on which the calendars were generated, such as ``2026-11-27``. They lack all later decrees."""
    date_: str = _generated()["generated_on"]
    return date_


def member_states() -> dict[str, str]:
    """Return the time zones of the Member States, by their codes of ISO 3166."""
    zones: dict[str, str] = _generated()["zones"]
    return zones


def is_member_state(code: object) -> bool:
    """Return whether a JSON value is the code of a Member State."""
    return isinstance(code, str) and code in member_states()


@cache
def zone(name: str) -> ZoneInfo:
    """Return a time zone. Raises KeyError if the locked package ``tzdata`` has no zone of the name.

    A machine may have more zones, such as ``right/Europe/Paris``. The functions do not have them.
    """
    if name not in _zone_names():
        raise KeyError(name)
    return ZoneInfo(name)


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(Path(tzdata.__file__).with_name("zones").read_text().split())


def _dates(texts: Iterable[str]) -> frozenset[date]:
    return frozenset(map(date.fromisoformat, texts))
