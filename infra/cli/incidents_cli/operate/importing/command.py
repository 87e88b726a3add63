"""The command `incidents import`: its options, the choice of the token, and the printed result."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Any

import jwt
import typer
from incidents.domain.errors import NotPermitted
from incidents.domain.identity import ClaimNames, claim_names, tenant_and_app

from ...console import StepFailed, alone, clean, command, interrupted, require_regular, say, stderr, writing
from ..api import TOKEN, address_and_token, advice_for
from . import mapping, tables
from .job import ClosedWithoutDate, Counts, Job, OtherApps, of_sheet
from .moments import ORDERS
from .progress import Progress

_PRESETS = ", ".join(mapping.presets())

_SHOWN = 90  # the most characters of a value in the preview of a dry run

_LABELS = {
    "right": "valid",
    "created": "created",
    "already_there": "already there",
    "failed": "failed",
    "left_out": "left out",
    "repaired": "repaired",
}


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv|FILE.xlsx|FILE.jsonl", exists=True, dir_okay=False)],
    tenant: Annotated[str | None, typer.Option(help="Import into this tenant (the token's tenant).")] = None,
    app: Annotated[str | None, typer.Option(help="Import as this application (the token's).")] = None,
    url: Annotated[
        str | None,
        typer.Option(help=f"Use the deployed API at this URL (without /api/v1/grc) and the token in {TOKEN}."),
    ] = None,
    claims: Annotated[
        str | None,
        typer.Option(help="Read the tenant and the application from these claims: the stack's output TokenClaims."),
    ] = None,
    other_apps: Annotated[
        OtherApps | None,
        typer.Option(help="Skip or adopt exported incidents of other applications than the token's."),
    ] = None,
    errors: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the failed rows and their errors here. Default: FILE.errors.jsonl"),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Make at most this number of calls at once.")] = 8,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the rows. Send nothing.")] = False,
    map_: Annotated[
        str | None,
        typer.Option(
            "--map", metavar="MAP.toml|PRESET", help=f"Read the columns by this mapping. Presets: {_PRESETS}."
        ),
    ] = None,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Print a mapping for the file, as TOML. Send nothing.")
    ] = False,
    zone: Annotated[
        str | None, typer.Option(help="The zone of dates without an offset, such as Europe/Berlin or UTC.")
    ] = None,
    date_order: Annotated[
        str | None, typer.Option(metavar="|".join(ORDERS), help="The order of dates such as 03/04/2024.")
    ] = None,
    decimal: Annotated[str | None, typer.Option(metavar=".|,", help="The mark before the decimals of amounts.")] = None,
    currency: Annotated[
        str | None, typer.Option(help="The currency of amounts that show none, such as EUR or USD.")
    ] = None,
    sheet: Annotated[
        str | None, typer.Option(help="The sheet of a workbook. Default: the mapping's sheet, or the first one.")
    ] = None,
    without_date: Annotated[
        ClosedWithoutDate | None,
        typer.Option(
            "--closed-without-date",
            help="For a closed or contained row without the date: take its last known date, or put it into review.",
        ),
    ] = None,
) -> None:
    """Import the incidents of a file with their own dates, numbers and statuses.

    Files of other programs: `incidents import FILE --suggest > map.toml` proposes a mapping of columns and values.
    `incidents import FILE --map map.toml` uses it. With a preset, the first step is not needed: `--map jira`.

    CSV: the first line has the names of fields, as in the body of a create. An empty cell leaves its field unset.
    Write a list as `a; b` or as a JSON array. Write lessons_learned as JSON or as plain text.

    JSON Lines: each line is the body of a create, a line of `incidents tenant export`, or a line of an errors file.

    A second import of the same file changes nothing. An interrupted import continues when you run it again.
    The import recognizes a row by its incident_number. For rows without one, keep FILE.progress next to FILE.
    Each sheet of a workbook has its own FILE.SHEET.progress.

    The import writes failed rows to an errors file. Fix the rows there, then import the errors file.

    Without --url, the import uses the local stack.
    With --url, the import uses the API at that URL. GRC_TOKEN must then have a token of the tenant.
    """
    from . import importer  # takes 0.8 s (pydantic and botocore), so `--help` does not import it

    require_regular(file)
    named = {"zone": zone, "date_order": date_order, "decimal": decimal, "currency": currency, "sheet": sheet}
    answers = {name: answer for name, answer in named.items() if answer is not None}
    if suggest:
        _suggest(file, answers, map_)
        return
    if tenant is None and not dry_run:
        raise StepFailed("The tenant is missing.", "", "Pass the tenant of the token: --tenant NAME")
    read_by = _mapping(map_, file, answers)
    chosen = of_sheet(read_by.sheet) if read_by and tables.is_workbook(file) else ""
    errors = errors or file.with_name(f"{file.name}{chosen}.errors.jsonl")
    job = Job(file, tenant or "", app, other_apps, errors, read_by, without_date, _sheet(file, read_by))
    if errors.resolve() in (file.resolve(), job.record.resolve()):
        advice = "Name another file: --errors FILE"
        raise StepFailed("The errors file would overwrite the import file or its .progress.", f"  {errors}", advice)
    _check_that_it_can_be_made(errors)
    with alone(errors):
        importer.ErrorsFile.check(errors)
        counts = importer.dry_run(job) if dry_run else _import(job, url, concurrency, _claim_names(claims))
    for name, label in _LABELS.items():
        if (value := getattr(counts, name)) is not None:
            say(f"{label:<14} {value}")
    for rule, times in counts.repairs.most_common():
        say(clean(f"  {rule}: {times}"))
    for row, values in counts.preview:
        stderr.print(f"Line {row} becomes:")
        for name, value in values.items():
            stderr.print(f"  {name:<16} {_shortened(value)}")
    if counts.failed:
        for line in counts.reasons.table("reason") if counts.reasons else ():
            stderr.print(line)
        stderr.print(f"The failed rows and their errors are in {errors}")
        raise typer.Exit(1)


def _sheet(file: Path, read_by: mapping.Mapping | None) -> str | None:
    """Return the name of the sheet that is imported, or None if the file is not a workbook."""
    if read_by is None or not tables.is_workbook(file):
        return None
    return read_by.sheet or next(iter(tables.sheets(file)))


def _shortened(value: object) -> str:
    """Return a value on one line, for the screen."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
    text = clean(" ".join(text.split()))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _suggest(file: Path, answers: Mapping[str, str], given: str | None) -> None:
    from . import suggesting  # takes 60 ms, which the other commands do not need

    toml, questions, notes = suggesting.suggest(file, answers, given)
    say(toml.removesuffix("\n"))
    for question in questions:
        stderr.print(clean(f"? {question}"))
    if questions:
        options = ", or with the named options" if any("Pass --" in question for question in questions) else ""
        stderr.print(f'Answer the questions in the mapping, where "?" stands{options}.')
    for note in notes:
        stderr.print(clean(note))


def _mapping(given: str | None, file: Path, answers: Mapping[str, str]) -> mapping.Mapping | None:
    if given is not None:
        return mapping.load(given, answers)
    if tables.is_workbook(file):
        return mapping.of_fields(answers)
    if answers:
        raise StepFailed(
            "The options --zone, --date-order, --decimal, --currency and --sheet need a mapping.", "",
            "Pass a mapping or a preset, such as --map jira. This command proposes a mapping: "
            f"{command('import FILE --suggest')}",
        )  # fmt: skip
    return None


def _import(job: Job, url: str | None, concurrency: int, names: ClaimNames) -> Counts:
    from grc_client import Client, GrcError  # takes 0.3 s (pydantic), so `--help` does not import it

    from . import importer  # takes 0.8 s (pydantic and botocore), so `--help` does not import it

    base_url, token = address_and_token(url, job.tenant, job.app)
    job = job._replace(app=_checked_app(job, token, names))
    try:
        client = Client(base_url, token)
    except ValueError as error:
        raise StepFailed("The API cannot be called.", f"  {error}", f"Correct --url or the token in {TOKEN}.") from None
    left = "All answers are recorded. Run the same command again to continue."
    with interrupted(left), client, Progress(job.record) as progress:
        try:
            return importer.run_import(job, progress, client, f"{job.tenant} {job.app or ''} {base_url}", concurrency)
        except GrcError as error:
            raise StepFailed(
                "The API cannot be used.", f"  {error}", f"Import again when it can be used. {advice_for(url)}"
            ) from None


def _check_that_it_can_be_made(errors: Path) -> None:
    """Check before the import that the errors file can be written. Raises StepFailed if it cannot be written.

    The import renames an existing errors file. So the path must be free or name a regular file.
    """
    with writing(errors):
        if errors.is_symlink() or (errors.exists() and not errors.is_file()):
            raise StepFailed(f"{errors} is not a regular file.", "", "Name a regular file or a new file: --errors FILE")
        with TemporaryFile(dir=errors.parent):  # creating a file without a name shows whether the folder is writable
            pass


def _claim_names(given: str | None) -> ClaimNames:
    try:
        return ClaimNames() if given is None else claim_names(given)
    except ValueError:
        raise StepFailed(
            "The names of the claims cannot be read.", f"  --claims {given!r}",
            "Copy the stack's output TokenClaims and put it in quotation marks. It has four parts with one space "
            "between them: TenantClaim, AppClaim, AppMarker (may be empty) and ScopeClaims.",
        ) from None  # fmt: skip


def _checked_app(job: Job, token: str, names: ClaimNames) -> str | None:
    """Return the token's application, or None for the token of a person.

    Raises StepFailed if the token has another tenant or application than the job. Only the API checks the signature.
    """
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise StepFailed("The token is not a JWT.", "", f"Set {TOKEN} to a JWT, without `Bearer` before it.") from None
    # The gateway passes every claim as text.
    as_passed = {
        name: f"[{' '.join(map(str, value))}]" if isinstance(value, list) else value for name, value in claims.items()
    }
    try:
        tenant, app = tenant_and_app(as_passed, names)
    except NotPermitted as error:
        raise StepFailed(
            f"The token is not a token of tenant {job.tenant}.", f"  {error.detail}",
            "Nothing was sent. Use another token, or name the claims that the stack reads with --claims.",
        ) from None  # fmt: skip
    if tenant != job.tenant:
        raise StepFailed(
            f"The token is not a token of tenant {job.tenant}.", f"  Its {names.tenant} is {tenant!r}.",
            "Nothing was sent. Use a token of that tenant, or name the token's tenant with --tenant.",
        )  # fmt: skip
    if job.app not in (None, app):
        raise StepFailed(
            f"The token is not a token of application {job.app}.", f"  Its application is {app!r}.",
            "Nothing was sent. Use a token of that application, or omit --app.",
        )  # fmt: skip
    return app
