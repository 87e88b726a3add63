"""Read the dates of other programs' exports, and return them as the API's timestamps.

If a date can be read in two ways, the mapping must say which way is right. Otherwise the date is refused.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from incidents.domain import timestamps

Order = Literal["day-first", "month-first", "year-first"]
ORDERS: tuple[Order, ...] = get_args(Order)

OTHER_SEASON = "has the zone of the other season, such as CET in summer; the offset of this zone is taken"
TWICE = "is a time that the zone has twice, because the clocks went back; the earlier one is taken"
NO_ZONE = "has no offset, so the mapping must name its zone; pass --zone, for example --zone Europe/Berlin"
DAY_NUMBER = "looks like the number that a spreadsheet keeps for a day"
MANY_ZONES = "has a zone with several meanings"
NO_ORDER = "may be day-first or month-first; pass --date-order with the right one"

# Months by their first letters in seven languages. The same letters mean the same month everywhere.
_MONTHS = {
    1: ("jan", "jän", "ene", "gen"), 2: ("feb", "fév", "fev"), 3: ("mar", "mär", "mrz", "mrt", "maa"),
    4: ("apr", "avr", "abr"), 5: ("may", "mai", "mag", "mei"), 6: ("jun", "juin", "giu"),
    7: ("jul", "juil", "lug"), 8: ("aug", "aoû", "aou", "ago"), 9: ("sep", "set"),
    10: ("oct", "okt", "ott", "out"), 11: ("nov",), 12: ("dec", "dez", "déc", "dic"),
}  # fmt: skip
# Other abbreviations, such as CST, have several meanings.
_SEASONS = ("cet", "cest", "mez", "mesz")
_BERLIN = ZoneInfo("Europe/Berlin")
_HAS_OFFSET = re.compile(r"(?:[+-][0-9]{2}:?[0-9]{2}|Z)\Z")
_ZONES = {"z": 0, "utc": 0, "gmt": 0, "cet": 60, "cest": 120, "mez": 60, "mesz": 120}

# Days of the week in English, German, French and Spanish. Another word before a date could change its meaning.
_WEEKDAY = (
    r"(?:(?=[^\W\d])(?:mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun|monday|tuesday|wednesday|thursday|friday|saturday|sunday|"
    r"mo|di|mi|do|fr|sa|so|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag|"
    r"lun|mar|mer|jeu|ven|sam|dim|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|"
    r"mi\u00e9|jue|vie|s\u00e1b|dom|lunes|martes|mi\u00e9rcoles|jueves|viernes|s\u00e1bado|domingo)\.?,? )?"
)
# The patterns expect single spaces, because the texts are normalized before.
_TIME = (
    r"(?P<hour>[0-9]{1,2})"
    r"(?:(?:[:.]| ?h ?)(?P<minute>[0-9]{2})(?:[:.](?P<second>[0-9]{2})(?:[.,](?P<part>[0-9]+))?)?"
    r"|(?= ?(?:Uhr|h|[AaPp]\.? ?[Mm])))"
    r"(?: ?(?P<half>[AaPp])\.? ?[Mm]\.?)?(?: ?(?:Uhr|h)(?![a-z]))?"
)
_CLOCK = (
    rf"(?:(?:T|,? |, um | um |,? @ |,? at | à | a las? ){_TIME}"
    r"(?: ?(?P<zone>[A-Za-z]{1,4}|(?:UTC|GMT)?[+-][0-9]{2}(?::?[0-9]{2})?|(?:UTC|GMT)[+-][0-9](?::[0-9]{2})?))?)?"
)
_ISO = re.compile(
    _WEEKDAY + r"(?P<year>[0-9]{4})[-/.](?P<month>[0-9]{1,2})[-/.](?P<day>[0-9]{1,2})" + _CLOCK, re.IGNORECASE
)
_NUMERIC = re.compile(
    _WEEKDAY
    + r"(?P<a>[0-9]{1,2})(?P<mark>[-/]|\. ?)(?P<b>[0-9]{1,2})(?P<second_mark>[-/]|\. ?)"
    + r"(?P<c>[0-9]{4}|[0-9]{2})"
    + _CLOCK,
    re.IGNORECASE,
)
_COMMAS = re.compile(r"([0-9]{1,2}),([0-9]{1,2}),[0-9]{4}")
_DAY_NAMED = re.compile(
    _WEEKDAY
    + r"(?P<day>[0-9]{1,2})(?:\.?[-/ ] ?|\.)(?P<name>[^\W\d]{3,12})(?:\.?,?[-/ ]|\.)(?P<year>[0-9]{4}|[0-9]{2})"
    + _CLOCK,
    re.IGNORECASE,
)
_MONTH_NAMED = re.compile(
    _WEEKDAY + r"(?P<name>[^\W\d]{3,12})\.? (?P<day>[0-9]{1,2}),? (?P<year>[0-9]{4})" + _CLOCK, re.IGNORECASE
)
_ONLY_CLOCK = re.compile(rf"(?=.*(?::|h)){_TIME}", re.IGNORECASE)
_CLOCK_CHARACTERS = 20
# Programs and spreadsheets write these dates for an unknown date. Each tuple has the date's numbers, smallest first.
_NO_DATES = frozenset({
    (1, 1, 1), (1, 1, 1601), (1, 1, 1753), (12, 29, 1899), (12, 30, 1899), (12, 31, 1899), (0, 1, 1900), (1, 1, 1900),
    (1, 1, 1904), (1, 1, 1970), (1, 1, 4501), (12, 31, 9999),
})  # fmt: skip
_NAME_OF_ZONE = re.compile(r"(.*[0-9Z]) \((?:[^()0-9]{2,60})\)")  # JavaScript writes the name after the offset
_ONLY_ZONE = re.compile(r"(.*[0-9Mm.]) \((UTC|GMT|CES?T|MES?Z|(?:UTC|GMT)[+-][0-9:]{1,5})\)", re.IGNORECASE)
_ABBREVIATION = re.compile(r"[A-Z]{3,5}|\([A-Z]{3,5}\)")  # the abbreviation of a zone
# Unix writes the year after the time, as in `Mon Mar 04 09:15:22 CET 2024`.
_YEAR_LAST = re.compile(
    r"([A-Z][a-z]{2} [A-Z][a-z]{2} [0-9]{1,2}) ([0-9:]{8})((?: [A-Z]{3,5}| [+-][0-9]{4})?) ([0-9]{4})"
)
_FILLERS = re.compile(r"([0-9])(?:st|nd|rd|th|er)\b|([0-9a-z]) de(?= [0-9a-z])", re.IGNORECASE)  # as in `4th`
_MILITARY = re.compile(r"( [0-2][0-9])([0-5][0-9])(?: ?h(?:rs)?| ?hours)?((?: [A-Z]{3,4})?|Z)\Z")  # as in `0820 hrs`
_CHARACTERS = str.maketrans({"年": "-", "月": "-", "日": "", "\u2212": "-"})
_DAY_NUMBER = re.compile(r"[2-6][0-9]{4}(?:[.,][0-9]+)?")  # these numbers are days of the years 1954 to 2091
_HOURS = re.compile(r"([+-])([0-9]{1,2}):?([0-9]{2})?\Z")  # also as in `GMT+1`
_OFFSET = re.compile(r"([+-])([01][0-9]):?([0-5][0-9])")
# A number of 10 digits is in seconds, and a number of 13 digits is in milliseconds.
_EPOCH = re.compile(r"([0-9]{10})(?:([0-9]{3})|\.([0-9]{1,9}))?", re.ASCII)
_HAS_NO_HOUR = re.compile(r"^(?!.*%[HIcXsfTR])")


class DateRules(NamedTuple):
    """The rules for dates: the zone of dates without an offset, the order of numbers, further ``strptime`` formats."""

    zone: tzinfo | None = None
    order: Order | None = None
    formats: tuple[str, ...] = ()


class Moment(NamedTuple):
    """A timestamp of the API, and a warning if the date could be read in several ways.

    ``next_day`` is the beginning of the next day, if the date has no time.
    """

    text: str
    warning: str | None = None
    next_day: str | None = None


def parse(text: str, rules: DateRules) -> Moment:
    """Return a date as a timestamp of the API. Raises ValueError, whose text describes what is missing or wrong.

    A date without a time is the beginning of the day in the mapping's zone.
    """
    text = " ".join(text.split())
    if epoch := _EPOCH.fullmatch(text):
        return Moment(timestamps.from_milliseconds(int(f"{epoch[1]}{(epoch[2] or epoch[3] or '')[:3]:0<3}")))
    for form in rules.formats:
        try:
            moment = datetime.strptime(text, form)  # noqa: DTZ007  # _in_zone sets the zone
            return _with_next_day(moment, rules) if _HAS_NO_HOUR.search(form) else _in_zone(moment, rules)
        except ValueError as error:
            if "does not match format" not in str(error) and "unconverted data" not in str(error):
                raise
    text = _plain(text)
    text, name = _without_abbreviation(text)
    moment = _read(text, rules.order)
    if name and moment.tzinfo is None and rules.zone is not None:
        moment = moment.replace(tzinfo=_of_abbreviation(name, moment, rules.zone))
        if moment.utcoffset() != moment.replace(tzinfo=rules.zone).utcoffset():
            return _in_zone(moment, rules)._replace(warning=OTHER_SEASON)
    match = _matched(text) if ":" not in text else None  # a colon is only in a time
    if text[-1:].isalpha() and _is_of_other_season(text, moment):
        return _in_zone(moment, rules)._replace(warning=OTHER_SEASON)
    return _with_next_day(moment, rules) if match and match["hour"] is None else _in_zone(moment, rules)


def needs_setting(error: ValueError) -> bool:
    """Return whether an error of ``parse`` is about all dates of a column, and not about one cell."""
    return str(error) in (NO_ZONE, NO_ORDER) or str(error).startswith(DAY_NUMBER)


@lru_cache(maxsize=8)  # several functions ask about the same cell
def _plain(text: str) -> str:
    """Return a date in a form that the patterns know, with single spaces.

    The result has no brackets around the zone, no zone after an offset, no ordinals, and the year before the time.
    """
    text = " ".join(text.split())
    if _matched(text):
        return text
    text = _FILLERS.sub(r"\1\2", text.translate(_CHARACTERS)).strip()
    if ":" not in text:
        text = _MILITARY.sub(r"\1:\2\3", text)
    if parts := _YEAR_LAST.fullmatch(text):
        text = f"{parts[1]} {parts[4]} {parts[2]}{parts[3]}"
    if (only := _ONLY_ZONE.fullmatch(text)) and not _HAS_OFFSET.search(only[1]):
        return f"{only[1]} {only[2]}"
    named = _NAME_OF_ZONE.fullmatch(text)
    date, _, last = text.rpartition(" ")
    date = named[1] if named else date if _ABBREVIATION.fullmatch(last) else ""
    return date if ":" in date and _HAS_OFFSET.search(date) else text


def _without_abbreviation(text: str) -> tuple[str, str | None]:
    """Return a date without the abbreviation of a zone such as ``EST``, and the abbreviation.

    The abbreviations with only one meaning stay in the text.
    """
    date, _, last = text.rpartition(" ")
    name = last.strip("()")
    return (date, name) if _ABBREVIATION.fullmatch(last) and name.casefold() not in _ZONES else (text, None)


def _of_abbreviation(name: str, moment: datetime, of_mapping: tzinfo) -> tzinfo:
    """Return the offset of an abbreviation that the mapping's zone has at a moment, or in the other season.

    Raises ValueError for any other abbreviation, because an abbreviation such as CST has several meanings.
    """
    for month in (moment.month, 1, 7):
        there = moment.replace(month=month, day=1, tzinfo=of_mapping)
        if there.tzname() == name and (offset := there.utcoffset()) is not None:
            return timezone(offset)
    raise ValueError(f"{MANY_ZONES}: {name!r}; write an offset such as +01:00, or pass --zone with the zone of {name}")


def _is_of_other_season(text: str, moment: datetime) -> bool:
    """Return whether a date has a zone such as ``CET`` on a day on which Central Europe has ``CEST``."""
    return (
        text.rpartition(" ")[2].casefold() in _SEASONS and moment.utcoffset() != moment.astimezone(_BERLIN).utcoffset()
    )


def is_clock(text: str) -> bool:
    """Return whether a text is a time of day without a date, such as ``14:30`` or ``9.15 Uhr``."""
    return len(text) <= _CLOCK_CHARACTERS and _ONLY_CLOCK.fullmatch(" ".join(text.split())) is not None


def is_no_date(text: str) -> bool:
    """Return whether a text stands for an unknown date, such as ``0.0.00``, ``0000-00-00`` or ``01.01.4501``."""
    if is_clock(text):
        return False
    text = _plain(text)
    if "0" in text and not text.strip("0 .-/:T"):
        return True
    match = _ISO.fullmatch(text) or _of_numbers(text)
    if match is None:
        return False
    numbers = match.group("year", "month", "day") if match.re is _ISO else match.group("a", "b", "c")
    return tuple(sorted(map(int, numbers))) in _NO_DATES and len(max(numbers, key=len)) == 4


def is_day_number(text: str) -> bool:
    """Return whether a text may be a spreadsheet's number of a day."""
    return _DAY_NUMBER.fullmatch(text) is not None


def is_day(text: str) -> bool:
    """Return whether a text is a date without a time."""
    match = _matched(_plain(text))
    return match is not None and match["hour"] is None


def check_format(form: str) -> None:
    """Raise ValueError unless ``strptime`` can use a format of dates."""
    try:
        datetime.strptime("", form)  # noqa: DTZ007  # only a check
    except ValueError as error:
        if "bad directive" in str(error) or "stray %" in str(error):
            raise ValueError(f"{form!r} is not a format of dates, such as %d.%m.%Y %H:%M") from None
    except (re.error, IndexError, KeyError):
        raise ValueError(f"{form!r} is not a format of dates; it may have each directive only once") from None


def zone(name: str) -> tzinfo:
    """Return the zone with an IANA name or with an offset such as ``+01:00``. Raises ValueError for any other name."""
    if fixed := _OFFSET.fullmatch(name):
        minutes = int(fixed[2]) * 60 + int(fixed[3])
        return timezone(timedelta(minutes=-minutes if fixed[1] == "-" else minutes))
    try:
        return ZoneInfo(name)
    except (OSError, KeyError, ValueError):
        raise ValueError(f"{name!r} is not a time zone, such as Europe/Berlin, UTC or +01:00") from None


def possible_orders(dates: Iterable[str]) -> set[Order] | None:
    """Return the orders of day, month and year that fit all given dates, or None if no date needs an order."""
    possible: set[Order] | None = None
    for text in dates:
        match = _of_numbers(_without_abbreviation(_plain(text))[0])
        if match and match["mark"][0] != ".":
            here: set[Order] = {order for order in ORDERS if _can_be_read(match, order)}
            possible = here if possible is None else possible & here
    return possible


def lacks_offset(text: str) -> bool:
    """Return whether a text is a date that needs a zone."""
    return any(moment.tzinfo is None for moment in _moments(text))


def looks_like_date(text: str) -> bool:
    """Return whether a text can be read as a date in some order."""
    return _EPOCH.fullmatch(text.strip()) is not None or any(True for _ in _moments(text))


def _moments(text: str) -> Iterator[datetime]:
    """Yield the dates that a text means in each order, without the abbreviation of its zone."""
    text, _ = _without_abbreviation(_plain(text))
    for order in ORDERS if _matched(text) else ():
        with suppress(ValueError):
            yield _read(text, order)


def _can_be_read(match: re.Match[str], order: Order) -> bool:
    try:
        _numeric(match, order)
    except ValueError:
        return False
    return True


def _read(text: str, order: Order | None) -> datetime:
    if match := _ISO.fullmatch(text):
        return _at(match, int(match["year"]), int(match["month"]), int(match["day"]))
    if match := _of_numbers(text):
        # Every country that writes dots between the numbers of a date writes the day first.
        order = "day-first" if match["mark"][0] == "." else order
        if order is None:
            possible = [each for each in ORDERS if _can_be_read(match, each)]
            if len(possible) > 1:
                raise ValueError(NO_ORDER)
            order = possible[0] if possible else "day-first"
        return _numeric(match, order)
    if match := _DAY_NAMED.fullmatch(text) or _MONTH_NAMED.fullmatch(text):
        return _at(match, _year(match["year"]), _month(match["name"]), int(match["day"]))
    if _DAY_NUMBER.fullmatch(text):
        raise ValueError(f"{DAY_NUMBER}: {text!r}; format its cells as dates in the spreadsheet program")
    raise ValueError(f"must be a date and time, like 2026-11-23T06:16:30Z, not {text!r}")


def _matched(text: str) -> re.Match[str] | None:
    return _ISO.fullmatch(text) or _of_numbers(text) or _DAY_NAMED.fullmatch(text) or _MONTH_NAMED.fullmatch(text)


def _of_numbers(text: str) -> re.Match[str] | None:
    """Return the match of a date of three numbers. Commas between the numbers are mistyped points."""
    commas = _COMMAS.match(text)
    match = _NUMERIC.fullmatch(f"{commas[1]}.{commas[2]}.{text[commas.end() - 4 :]}" if commas else text)
    return match if match and match["mark"][0] == match["second_mark"][0] else None


def _numeric(match: re.Match[str], order: Order) -> datetime:
    a, b, c = match["a"], match["b"], match["c"]
    if order == "year-first":
        if len(a) != 2 or len(c) != 2:
            raise ValueError(f"is not a date with the year first: {match[0]!r}")
        return _at(match, _year(a), int(b), int(c))
    day, month = (a, b) if order == "day-first" else (b, a)
    return _at(match, _year(c), int(month), int(day))


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else 2000 + int(text) if int(text) < 70 else 1900 + int(text)


def _month(name: str) -> int:
    folded = name.casefold()
    for month, beginnings in _MONTHS.items():
        if folded.startswith(beginnings):
            return month
    raise ValueError(f"has a month that is unknown: {name!r}")


def _at(match: re.Match[str], year: int, month: int, day: int) -> datetime:
    hour = int(match["hour"] or 0)
    if match["half"]:
        if hour > 12:
            raise ValueError(f"is not a date and time: {match[0]!r}")
        hour = hour % 12 + (12 if match["half"] in "pP" else 0)
    micro = int(f"{(match['part'] or '')[:6]:0<6}")
    minute, second = int(match["minute"] or 0), int(match["second"] or 0)
    is_end_of_day = (hour, minute, second, micro) == (24, 0, 0, 0)
    try:
        moment = datetime(year, month, day, 0 if is_end_of_day else hour, minute, second, micro)  # noqa: DTZ001
        moment += timedelta(days=is_end_of_day)
    except (ValueError, OverflowError):
        raise ValueError(f"is not a date and time that exists: {match[0]!r}") from None
    return moment if match["zone"] is None else moment.replace(tzinfo=_offset(match["zone"]))


def _offset(text: str) -> tzinfo:
    known = _ZONES.get(text.casefold())
    if known is not None:
        return timezone(timedelta(minutes=known))
    if text.isalpha():
        raise ValueError(f"{MANY_ZONES}: {text!r}; write an offset such as +01:00")
    sign, hours, minutes = _HOURS.findall(text)[0]
    return zone(f"{sign}{hours:0>2}:{minutes or '00'}")


def _with_next_day(moment: datetime, rules: DateRules) -> Moment:
    """Return the beginning of a day, with the beginning of the next day."""
    try:
        return _in_zone(moment, rules)._replace(next_day=_in_zone(moment + timedelta(days=1), rules).text)
    except OverflowError:
        return _in_zone(moment, rules)


def _in_zone(moment: datetime, rules: DateRules) -> Moment:
    warning = None
    if moment.tzinfo is None:
        if rules.zone is None:
            raise ValueError(NO_ZONE)
        moment = moment.replace(tzinfo=rules.zone)
        later = moment.replace(fold=1)
        if moment.utcoffset() != later.utcoffset():
            if moment.astimezone(UTC).astimezone(rules.zone).replace(tzinfo=None) != moment.replace(tzinfo=None):
                raise ValueError("is a time that the zone does not have, because the clocks went forward")
            warning = TWICE
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"must be {timestamps.WANTED}") from None
    if moment.year < timestamps.FIRST_YEAR:
        raise ValueError(f"must not be before {timestamps.FIRST_YEAR}, not in {moment.year}")
    return Moment(timestamps.parse(moment.isoformat(timespec="milliseconds")), warning)
