"""Generate the calendars of the deadlines from the library ``holidays`` and from an overlay that people edit.

Only this module uses the library, and it runs only on a developer's machine. The functions read the generated file.
Check the differences of the file before you commit it, because a correction of the library can move a due date.
"""

import json
import time
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import holidays

from ..console import say
from ..local.local_stack import CHECKOUT

GENERATED = CHECKOUT / "functions" / "incidents" / "domain" / "deadlines" / "calendars.json"
OVERLAY = Path(__file__).with_name("calendar_overlay.json")
FIRST_YEAR, LAST_YEAR = 2018, 2032

# The Member States of the European Economic Area. A country's calendar has only the holidays of the entire country.
COUNTRIES = {
    "AT": "Europe/Vienna", "BE": "Europe/Brussels", "BG": "Europe/Sofia", "CY": "Asia/Nicosia", "CZ": "Europe/Prague",
    "DE": "Europe/Berlin", "DK": "Europe/Copenhagen", "EE": "Europe/Tallinn", "ES": "Europe/Madrid",
    "FI": "Europe/Helsinki", "FR": "Europe/Paris", "GR": "Europe/Athens", "HR": "Europe/Zagreb",
    "HU": "Europe/Budapest", "IE": "Europe/Dublin", "IS": "Atlantic/Reykjavik", "IT": "Europe/Rome",
    "LI": "Europe/Vaduz", "LT": "Europe/Vilnius", "LU": "Europe/Luxembourg", "LV": "Europe/Riga",
    "MT": "Europe/Malta", "NL": "Europe/Amsterdam", "NO": "Europe/Oslo", "PL": "Europe/Warsaw",
    "PT": "Europe/Lisbon", "RO": "Europe/Bucharest", "SE": "Europe/Stockholm", "SI": "Europe/Ljubljana",
    "SK": "Europe/Bratislava",
}  # fmt: skip
# Each value: the country in the library, its subdivision, the categories of closed days, and those of unsure days.
AUTHORITIES: dict[str, tuple[str, str | None, tuple[str, ...], tuple[str, ...]]] = {
    "us-sec": ("US", None, ("public",), ()),
    "us-fed": ("US", None, ("public",), ()),
    "br": ("BR", None, ("public",), ("optional",)),
    "au-nsw": ("AU", "NSW", ("public",), ()),
    "jp": ("JP", None, ("public",), ()),
}


def generate_calendars() -> None:
    """Write the calendars of the deadlines again, from the installed library `holidays` and from the overlay."""
    GENERATED.write_text(to_text(calendars(), datetime.fromtimestamp(time.time(), UTC).date()))
    say(GENERATED)


def calendars(overlay: Path = OVERLAY) -> dict[str, dict[str, Any]]:
    """Return the calendars by name: their ``closed`` and ``unsure`` days from Monday to Friday, as sorted texts.

    An unsure day counts as open, so the due date is the earlier date. The later date is then the alternative.
    """
    corrections: dict[str, dict[str, dict[str, str]]] = json.loads(overlay.read_text())
    wanted = AUTHORITIES | {country: (country, None, ("public",), ()) for country in COUNTRIES}
    made = {}
    for name, (country, subdivision, closed, unsure) in sorted(wanted.items()):
        days = _days(country, subdivision, closed) | {*corrections.get(name, {}).get("closed", {})}
        maybe = (_days(country, subdivision, unsure) | {*corrections.get(name, {}).get("unsure", {})}) - days
        made[name] = {"closed": sorted(days), "unsure": sorted(maybe)}
    return made


def to_text(made: dict[str, dict[str, Any]], on: date) -> str:
    """Return the file's text: one line for each calendar, so that a difference shows which calendar changed."""
    head = {
        "generated_on": on.isoformat(), "library": f"holidays {version('holidays')}",
        "first_year": FIRST_YEAR, "last_year": LAST_YEAR, "zones": COUNTRIES,
    }  # fmt: skip
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(days, separators=(',', ':'))}" for name, days in made.items())
    return f'{json.dumps(head)[:-1]},\n"calendars": {{\n{lines}\n}}}}\n'


def _days(country: str, subdivision: str | None, categories: tuple[str, ...]) -> set[str]:
    if not categories:
        return set()
    years = range(FIRST_YEAR, LAST_YEAR + 1)
    library_days = holidays.country_holidays(country, subdiv=subdivision, years=years, categories=categories)
    return {day.isoformat() for day in library_days if day.weekday() < 5 and FIRST_YEAR <= day.year <= LAST_YEAR}
