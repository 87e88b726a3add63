"""The commands of ``incidents``. A command prints its result to stdout, and everything else to stderr."""

import errno
import json
import os
import re
import shlex
import signal
import sys
import time
from importlib.metadata import version
from typing import Annotated

import httpx2
import typer
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, WaiterError
from botocore.exceptions import ConnectionError as NoConnection
from incidents.domain.errors import Busy
from typer._click.exceptions import ClickException  # typer has no public name for the base of its usage errors

from .console import MAY_YOU_WRITE, StepFailed, clean, command, interrupted, say, show_failure, stderr
from .documents import costs
from .local import emulator, issuer, log_events, sam, up_down
from .local.listener import check_connections
from .local.local_stack import CHECKOUT, Stack, StackFolder, no_proxy, write
from .operate.accounts import accounts
from .operate.dead_letters import dead_letters
from .operate.deadlines import deadlines
from .operate.deployment import account_map
from .operate.explain import explain
from .operate.history.audit import audit
from .operate.history.commands import history
from .operate.importing.command import import_
from .operate.incident_follow import follow
from .operate.incident_list import list_
from .operate.intake import intake
from .operate.mapping_trial import try_
from .operate.mappings import map_, mappings, unmap
from .operate.metrics import metrics
from .operate.tenants.commands import tenant, verify

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.add_typer(accounts, name="account")
cli.add_typer(dead_letters, name="dlq")
cli.add_typer(audit, name="audit")
cli.add_typer(deadlines, name="deadlines")
cli.add_typer(history, name="history")
cli.add_typer(intake, name="intake")
cli.add_typer(metrics, name="metrics")
cli.add_typer(tenant, name="tenant")
intake.command(name="try")(try_)
intake.command(name="map")(map_)
intake.command()(unmap)
intake.command()(mappings)
cli.command()(explain)
cli.command()(verify)
cli.command(name="import")(import_)
cli.command(name="list")(list_)
cli.command()(follow)


def app() -> None:
    """Run the command that the user typed. Print a failure in a few lines, without a stack trace."""
    os.environ |= no_proxy()  # otherwise, boto3 would call even loopback through the user's proxy
    check_connections()
    try:
        _refuse_empty_words(sys.argv[1:])
        sys.exit(cli(standalone_mode=False))
    except ClickException as misuse:  # the error's text may quote an argument, such as the name of a file
        from typer.rich_utils import rich_format_error  # takes 0.1 s, and a correct call does not need it

        misuse.message = clean(misuse.message)
        rich_format_error(misuse)
        sys.exit(misuse.exit_code)
    except typer.Abort:  # the input ended at a prompt
        stderr.print("Stopped.")
        sys.exit(1)
    except StepFailed as failure:
        show_failure(failure)
        sys.exit(1)
    except Busy:
        show_failure(StepFailed("The table is busy or unreachable.", "", "Run the command again in a minute."))
        sys.exit(1)
    except UnicodeEncodeError as error:
        shown = f"  {error.object[max(0, error.start - 20) : error.end + 20]}"
        show_failure(StepFailed("A text is not valid UTF-8.", shown, "Write the text of the option in UTF-8."))
        sys.exit(1)
    except OSError as error:
        show_failure(StepFailed("A file or folder cannot be read or written.", f"  {error}", _advice_for(error)))
        sys.exit(1)
    except (httpx2.HTTPError, BotoCoreError, ClientError) as error:
        if any(word.partition("=")[0] == "--stack" for word in sys.argv):
            who, advice = "AWS", "Check that --stack, --region and your credentials belong to the deployment."
        elif isinstance(error, BotoCoreError) and not isinstance(error, (HTTPClientError, NoConnection, WaiterError)):
            who, advice = "The AWS library", "Check the variables of your environment, such as those named AWS_*."
        else:
            who = "The emulator"
            log = StackFolder().logs / "emulator.log"
            advice = f"Read the emulator's log {log}, or start again with an empty table: {command('up --fresh')}"
        show_failure(StepFailed(f"{who} refused a call, or the call failed.", f"  {error}", advice))
        sys.exit(1)


def _refuse_empty_words(words: list[str]) -> None:
    """Raise StepFailed for an empty argument. It would count as not given, such as the table of an erasure."""
    if any(not word or re.fullmatch("--[a-z0-9-]+=", word) for word in words):
        raise StepFailed(
            "An argument or the value of an option is empty.", "",
            "Check that each variable in the command line is set, or leave the option out.",
        )  # fmt: skip


def _advice_for(error: OSError) -> str:
    """Return the advice for an error of a file or folder. An error without a file name may be about the output."""
    if error.filename:
        return MAY_YOU_WRITE
    if error.errno == errno.ENOENT:  # an error of Python's TLS does not name the missing file
        return "If you have set SSL_CERT_FILE or SSL_CERT_DIR, check that the file or the folder exists."
    return f"Check where the output goes. Check that its disk and the disk of {StackFolder().path} have room."


def _print_version(asked: bool) -> None:
    if asked:
        say(version("grc-incidents"))
        raise typer.Exit


@cli.callback()
def main(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run and operate the Incident service."""


@cli.command()
def up(
    detach: Annotated[bool, typer.Option("--detach", help="Return as soon as the stack answers.")] = False,
    port: Annotated[
        int | None, typer.Option(min=1024, max=65535, help="Use this port. Default: the last port used, or 4566.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace an existing stack and delete its data.")] = False,
    no_samples: Annotated[bool, typer.Option("--no-samples", help="Start with an empty table.")] = False,
) -> None:
    """Build, deploy and run the complete service on this machine, on 127.0.0.1 only."""
    folder = StackFolder()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # under nohup, SIGHUP must stay ignored
            signal.signal(number, _interrupt)
    with interrupted(lambda: up_down.left_behind(folder)):
        stack, started = up_down.up(
            folder, port=port, fresh=fresh, samples=not no_samples,
            account_map=lambda stack: account_map(stack.client("dynamodb"), stack.table_name),
        )  # fmt: skip
    _print_welcome(stack, folder)
    if detach or not started:
        return
    stderr.print("Press Ctrl-C to stop the stack. Its data is kept.")
    try:
        up_down.wait_for_end(stack, folder)
        stderr.print("Another command stopped the stack.")
    except KeyboardInterrupt:
        up_down.down(folder)


@cli.command()
def down() -> None:
    """Stop this checkout's stack. Its data is kept for the next `up`."""
    if not up_down.down(StackFolder()):
        stderr.print("The stack is not running.")


@cli.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Print the running stack's URLs, key, resource names and functions, and how busy it is."""
    stack = emulator.running_stack(StackFolder())
    values = stack.status() | {"calls": emulator.load(stack)}
    if as_json:
        say(json.dumps(values, indent=2))
        return
    functions, calls = values.pop("functions"), values.pop("calls")
    for name, value in values.items():
        say(f"{name:<18} {value}")
    say(f"{'functions':<18} {', '.join(sorted(functions))}")
    say(f"{'calls':<18} {calls['running']} of at most {calls['limit']} run, {calls['waiting']} wait")


@cli.command()
def token(
    tenant: Annotated[str, typer.Option(help="Set the tenant, by default in the claim tenant_id.")],
    app: Annotated[str | None, typer.Option(help="Make a token of this application (claim app_id).")] = None,
    subject: Annotated[str, typer.Option(help="Set the claim sub, which names the caller.")] = "developer",
    scope: Annotated[str, typer.Option(help="Set the claim scope.")] = issuer.SCOPES,
    expires_in: Annotated[int, typer.Option(help="Let the token expire after this number of seconds.")] = issuer.DAY,
) -> None:
    """Print a token of the development issuer for the running stack."""
    folder = StackFolder()
    stack = emulator.running_stack(folder)
    issuer.check(stack, issuer.claims_of(stack, tenant, app, subject, scope, expires_in))
    say(issuer.token(stack, folder, tenant=tenant, app=app, subject=subject, scope=scope, expires_in=expires_in))


@cli.command()
def logs(
    function: Annotated[
        str | None, typer.Argument(help="Print only this function's log. Example: create_incident. Default: all.")
    ] = None,
    request: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Print only the log events of this request, by the request_id of its answer."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Print only later log events: 30s, 15m, 2h, 7d, or a timestamp.")
    ] = None,
) -> None:
    """Print the functions' log events, oldest first."""
    first = log_events.first_moment(since, time.time()) if since else None
    stack = emulator.running_stack(StackFolder())
    functions = sorted(stack.functions or {})
    if function is not None and function not in functions:
        raise StepFailed(f"There is no function {function}.", "", f"Use one of: {', '.join(functions)}")
    lines = log_events.read(stack, [function] if function else functions, request, first)
    for line in lines:
        say(clean(line))
    if not lines and (request or since):
        stderr.print("No log event matches.")


@cli.command()
def build(
    for_host: Annotated[
        bool, typer.Option("--for-host", help="Build for this machine's Python and architecture.")
    ] = False,
) -> None:
    """Build the functions into .aws-sam/build, by default for the template's runtime and architecture."""
    sam.install()
    sam.build(sam.host_parameters() if for_host else {})
    say(CHECKOUT / ".aws-sam" / "build")


@cli.command()
def openapi() -> None:
    """Generate the table of report names and the OpenAPI document from the code, and print the document's path."""
    from .documents import openapi as generator  # takes 0.8 s, because it imports all modules of the functions
    from .documents import report_names  # takes 0.8 s together with the import above

    report_names.FILE.write_text(report_names.text())
    generator.FILE.write_text(generator.text())
    say(generator.FILE)


@cli.command()
def calendars() -> None:
    """Generate the calendars of the deadlines from the library holidays and the overlay, and print the file's path."""
    from .documents import calendars as generator  # takes 0.2 s (holidays), which is installed only for development

    generator.generate_calendars()


@cli.command(name="costs")
def costs_() -> None:
    """Print the cost tables of docs/runbooks/costs.md, computed from the prices in documents/costs.py."""
    for table in costs.tables().values():
        say(table)


def _print_welcome(stack: Stack, folder: StackFolder) -> None:
    token = issuer.token(stack, folder, tenant=up_down.TENANT)
    write(folder.token, token.encode())
    url = stack.incidents_url
    authorized = f'-H "Authorization: Bearer $(cat {shlex.quote(str(folder.token))})"'
    newest = up_down.newest_incident(stack, folder)
    third = f"{url}/{newest}" if newest else f"{url}?order=asc&limit=1"
    new = json.dumps({"title": "Laptop stolen on a train", "severity": "medium", "detected_at": "2026-11-20T08:30:00Z"})
    say(f"""
The Incident service is up at
  {stack.api_url}

Open the console, signed in as a person of tenant {up_down.TENANT} (this address works once; `up` again prints another)
  {issuer.console_url(stack)}

A token of tenant {up_down.TENANT}, valid for 24 hours ({command("token --help")} has more options)
  {token}

Try it:
curl -sS -w '\\n' {authorized} '{url}?limit=3'
curl -sS -w '\\n' {authorized} -H 'Content-Type: application/json' -d '{new}' '{url}'
curl -sS -w '\\n' {authorized} '{third}'

Read the API's documentation and try the API in a browser:
  {url}/docs
""")


def _interrupt(*_: object) -> None:
    """Handle SIGTERM and SIGHUP like Ctrl-C. The command then stops every process that it started."""
    raise KeyboardInterrupt
