"""The command `incidents list`: the incidents that match filters, from the API."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import clean, say, stderr
from .api import App, Tenant, Url, api_client, expected_answer

if TYPE_CHECKING:
    from grc_client import Client, IncidentFilters

_DIGITS = 100  # the most digits of a number; an amount has at most 19


def list_(
    tenant: Tenant = None,
    app: App = None,
    url: Url = None,
    is_open: Annotated[bool, typer.Option("--open", help="Only incidents that are not closed or dismissed.")] = False,
    unowned: Annotated[bool, typer.Option("--unowned", help="Only incidents without an owner.")] = False,
    asset: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only incidents that affect this asset. Repeatable.")
    ] = None,
    q: Annotated[
        str | None, typer.Option("--q", metavar="WORDS", help="Only incidents with all these words in title or number.")
    ] = None,
    is_json: Annotated[
        bool, typer.Option("--json", help="Print each incident as JSON on its own line, for programs.")
    ] = False,
) -> None:
    """Print the incidents that match all filters, newest first: number, status, severity, day of creation, title."""
    filters: IncidentFilters = {"limit": 100}
    if is_open:
        filters["open"] = True
    if unowned:
        filters["unowned"] = True
    if asset:
        filters["affected_asset_id"] = asset
    if q is not None:
        filters["q"] = q
    n = 0
    with api_client(url, tenant, app) as client:
        for line in _lines(client, filters, as_json if is_json else _as_line):
            say(line)
            n += 1
    if not is_json:
        stderr.print("No incident matches." if n == 0 else f"{n} incident{'s' if n > 1 else ''}.")


def _lines(client: "Client", filters: "IncidentFilters", line_of: Callable[[dict[str, Any]], str]) -> Iterator[str]:
    """Yield the lines of the incidents of all pages, with exact amounts."""
    cursors: set[str] = set()
    while True:
        answer = client.grc.incidents.with_raw_response.list(**filters)
        with expected_answer():
            page = json.loads(answer.body, parse_float=Decimal)
            lines = [line_of(incident) for incident in page["items"]]
            cursor = page["next_cursor"]
            if cursor is not None:
                if not isinstance(cursor, str) or cursor in cursors:
                    raise ValueError("`next_cursor` is not a text or is repeated, so the list would never end")
                cursors.add(cursor)
        yield from lines
        if cursor is None:
            return
        filters["cursor"] = cursor


def _as_line(incident: dict[str, Any]) -> str:
    severity, day = incident["severity"] or "-", incident["created_at"][:10]
    return clean(f"{incident['incident_number']:<16} {incident['status']:<13} {severity:<13} {day} {incident['title']}")


def as_json(incident: dict[str, Any]) -> str:
    """Return an incident as JSON. Only the amount can have more digits than a float."""

    def text(value: object) -> str:
        if not isinstance(value, Decimal):
            return json.dumps(value, ensure_ascii=False, default=float)
        if abs(value.adjusted()) > _DIGITS:  # a short text such as 1e999999999 stands for very many digits
            raise ValueError("a number has too many digits")
        return f"{value:f}"

    return "{" + ", ".join(f'"{field}": {text(value)}' for field, value in incident.items()) + "}"
