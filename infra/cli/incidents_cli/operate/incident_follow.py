"""The command `incidents follow`: the incidents that change, from the API, until somebody stops the command."""

import json
import shlex
import signal
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import StepFailed, clean, command, say, stderr
from .api import App, Tenant, Url, api_client, expected_answer
from .incident_list import as_json

if TYPE_CHECKING:
    from grc_client import ApiError, Client

EVERY_SECONDS = 5.0


def follow(
    tenant: Tenant = None,
    app: App = None,
    url: Url = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Begin with the changes at this time, such as 2026-11-27T00:00:00Z."),
    ] = None,
    cursor: Annotated[
        str | None, typer.Option(help="Continue at the cursor that an earlier run printed. Not with --since.")
    ] = None,
    is_json: Annotated[
        bool, typer.Option("--json", help="Print each incident as JSON on its own line, for programs.")
    ] = False,
) -> None:
    """Print each incident that was created, changed, deleted or restored: time, number, version, status, title.

    Without --since and --cursor, begin with all incidents. At the end, print the cursor for the next run to stderr.
    """
    if since is not None and cursor is not None:
        continues = "With --cursor, the command continues where the run that printed the cursor ended"
        raise typer.BadParameter(f"give --since or --cursor, not both. {continues}")
    with api_client(url, tenant, app) as client:
        _print_updates(client, since, cursor, is_json)


def _print_updates(client: "Client", since: str | None, cursor: str | None, is_json: bool) -> None:
    from grc_client import BadRequest, CursorGone

    last = cursor
    for number in (signal.SIGTERM, signal.SIGHUP):  # if a supervisor stops the command, it still prints the cursor
        if signal.getsignal(number) is not signal.SIG_IGN:  # under nohup, SIGHUP must stay ignored
            signal.signal(number, signal.default_int_handler)
    try:
        for answer in client.grc.incidents.with_raw_response.follow(since=since, cursor=cursor, every=EVERY_SECONDS):
            with expected_answer():
                page = json.loads(answer.body, parse_float=Decimal)
                lines = [as_json(incident) if is_json else _as_line(incident) for incident in page["items"]]
                cursor, caught_up = page["next_cursor"], page["caught_up"]
                if not isinstance(cursor, str) or (cursor == last and not caught_up):
                    raise ValueError("`next_cursor` is not a text or is repeated, so no further updates would come")
            for line in lines:
                say(line)
            last = cursor
    except BadRequest as refused:
        last = None
        raise _refused(refused, "Correct the option --since or --cursor.") from None
    except CursorGone as gone:
        last = None
        raise _refused(gone, f"Start again without a cursor: {command('follow')}") from None
    finally:
        if last is not None:
            # The cursor comes from the server at --url, and a person pastes it into a shell.
            stderr.print(f"To continue later, give --cursor {shlex.quote(clean(last))}")


def _refused(error: "ApiError", advice: str) -> StepFailed:
    return StepFailed("The API refused the call.", f"  {error}", advice)


def _as_line(incident: dict[str, Any]) -> str:
    status = "deleted" if incident["is_deleted"] else incident["status"]
    return clean(
        f"{incident['updated_at']} {incident['incident_number']:<16} v{incident['version']:<4} {status:<13} "
        f"{incident['title']}"
    )
