"""The command `incidents list`: the incidents that match filters, from the API."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import clean, say, stderr
from .api import App, Tenant, Url, api_client

if TYPE_CHECKING:
    from grc_client import Client, IncidentFilters


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
        for incident in _incidents(client, filters):
            say(as_json(incident) if is_json else _as_line(incident))
            n += 1
    if not is_json:
        stderr.print("No incident matches." if n == 0 else f"{n} incident{'s' if n > 1 else ''}.")


def _incidents(client: "Client", filters: "IncidentFilters") -> Iterator[dict[str, Any]]:
    """Yield the incidents of all pages as the API sends them, with exact amounts."""
    while True:
        answer = client.grc.incidents.with_raw_response.list(**filters)
        page = json.loads(answer.body, parse_float=Decimal)
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        filters["cursor"] = page["next_cursor"]


def _as_line(incident: dict[str, Any]) -> str:
    severity, day = incident["severity"] or "-", incident["created_at"][:10]
    return clean(f"{incident['incident_number']:<16} {incident['status']:<13} {severity:<13} {day} {incident['title']}")


def as_json(incident: dict[str, Any]) -> str:
    """Return an incident as JSON. Only the amount can have more digits than a float."""

    def text(value: object) -> str:
        return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False, default=float)

    return "{" + ", ".join(f'"{field}": {text(value)}' for field, value in incident.items()) + "}"
