"""The command `incidents list`: the incidents that match filters, from the API."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import StepFailed, clean, say, stderr
from .api import TOKEN, address_and_token

if TYPE_CHECKING:
    from grc_client import Client, IncidentFilters


def list_(
    tenant: Annotated[
        str | None, typer.Option(help="List the incidents of this tenant of the local stack. Not with --url.")
    ] = None,
    app: Annotated[
        str | None, typer.Option(help="List only what this application of the local stack can reach. Not with --url.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help=f"Use the deployed API at this URL (without /api/v1/grc) and the token in {TOKEN}."),
    ] = None,
    is_open: Annotated[bool, typer.Option("--open", help="Only incidents that are not closed or dismissed.")] = False,
    unowned: Annotated[bool, typer.Option("--unowned", help="Only incidents without an owner.")] = False,
    asset: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only incidents that affect this asset. Repeatable.")
    ] = None,
    q: Annotated[
        str | None, typer.Option("--q", metavar="WORDS", help="Only incidents with all these words in title or number.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each incident as JSON on its own line, for programs.")
    ] = False,
) -> None:
    """Print the incidents that match all filters, newest first: number, status, severity, day of creation, title."""
    from grc_client import Client, GrcError  # takes 0.3 s (pydantic)

    if (tenant is None) is (url is None) or (url is not None and app is not None):
        raise typer.BadParameter("give --tenant for the local stack, or --url alone: its token says the tenant")
    filters: IncidentFilters = {"limit": 100}
    if is_open:
        filters["open"] = True
    if unowned:
        filters["unowned"] = True
    if asset:
        filters["affected_asset_id"] = asset
    if q is not None:
        filters["q"] = q
    base_url, token = address_and_token(url, tenant or "", app)
    try:
        client = Client(base_url, token)
    except ValueError as error:
        raise StepFailed("The API cannot be called.", f"  {error}", f"Correct --url or the token in {TOKEN}.") from None
    n = 0
    try:
        with client:
            for incident in _incidents(client, filters):
                say(_as_json(incident) if as_json else _as_line(incident))
                n += 1
    except GrcError as error:
        raise StepFailed(
            "The API refused or failed a call.", f"  {error}", f"Check the filters, --url and the token in {TOKEN}."
        ) from None
    if not as_json:
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


def _as_json(incident: dict[str, Any]) -> str:
    """Return an incident as JSON. Only the amount can have more digits than a float."""

    def text(value: object) -> str:
        return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False, default=float)

    return "{" + ", ".join(f'"{field}": {text(value)}' for field, value in incident.items()) + "}"
