"""`incidents import`: its options, its token and its output."""

import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Any

import jwt
import typer
from incidents.domain.errors import NotPermitted
from incidents.domain.identity import ClaimNames, claim_names, tenant_and_app

from ...console import StepFailed, stderr, writing
from ...local import issuer
from ...local.emulator import running_stack
from ...local.local_stack import StackFolder
from .job import Counts, Job, OtherApps
from .progress import Progress

TOKEN = "GRC_TOKEN"  # noqa: S105  # the environment variable's name, as in the client

_LABELS = {
    "right": "valid",
    "created": "created",
    "already_there": "already there",
    "failed": "failed",
    "left_out": "left out",
}


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv|FILE.jsonl", exists=True, dir_okay=False)],
    tenant: Annotated[str, typer.Option(help="Import into this tenant (the token's tenant).")],
    app: Annotated[str | None, typer.Option(help="Import as this application (the token's).")] = None,
    url: Annotated[
        str | None,
        typer.Option(help=f"Use the deployed API at this URL, without /api/v1/grc. Its token is in {TOKEN}."),
    ] = None,
    claims: Annotated[
        str | None,
        typer.Option(help="Read the tenant and the application from these claims: the stack's output TokenClaims."),
    ] = None,
    other_apps: Annotated[
        OtherApps | None, typer.Option(help="Skip or adopt exported incidents that are not of the token's application.")
    ] = None,
    errors: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the failed rows and their errors here. Default: FILE.errors.jsonl"),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Make at most so many calls at once.")] = 8,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the rows. Send nothing.")] = False,
) -> None:
    """Import the incidents of a file with their own dates, numbers and statuses.

    CSV: the first line names fields of a create, and an empty cell gives no value.
    A list is `a; b` or a JSON array. lessons_learned is JSON or, if it is not valid JSON, a text.

    JSON Lines: each line is the body of a create, or a line of `incidents tenant export` or of an errors file.

    A second import of the same file changes nothing, and an interrupted import continues.
    The import recognizes a row by its incident_number, or else by FILE.progress. Keep that file next to FILE.

    Failed rows go to an errors file. Fix them there and import that file.

    Without --url, the import uses the local stack.
    With --url, it uses that API. GRC_TOKEN must have a token of the tenant.
    """
    from . import importer  # 0.8 s: pydantic, and botocore's session

    errors = errors or file.with_name(f"{file.name}.errors.jsonl")
    if errors.resolve() in (file.resolve(), _record(file).resolve()):
        advice = "Name another file: --errors FILE"
        raise StepFailed("The errors file would overwrite the import file or its progress.", f"  {errors}", advice)
    _check_that_it_can_be_made(errors)
    job = Job(file, tenant, app, other_apps, errors)
    counts = importer.dry_run(job) if dry_run else _import(job, url, concurrency, _claim_names(claims))
    for name, value in vars(counts).items():
        if value is not None:
            typer.echo(f"{_LABELS[name]:<14} {value}")
    if counts.failed:
        stderr.print(f"The failed rows and their errors are in {errors}", markup=False)
        raise typer.Exit(1)


def _import(job: Job, url: str | None, concurrency: int, names: ClaimNames) -> Counts:
    from grc_client import Client, GrcError  # 0.3 s: pydantic

    from . import importer  # 0.8 s: pydantic, and botocore's session

    base_url, token = _local(job) if url is None else (url, _given_token())
    job = job._replace(app=_checked_app(job, token, names))
    try:
        client = Client(base_url, token)
    except ValueError as error:
        raise StepFailed("The API cannot be called.", f"  {error}", f"Correct --url or the token in {TOKEN}.") from None
    with client, Progress(_record(job.file)) as progress:
        try:
            return importer.run_import(job, progress, client, f"{job.tenant} {job.app or ''} {base_url}", concurrency)
        except KeyboardInterrupt:
            stderr.print("Stopped. Run the same command again to continue.")
            raise typer.Exit(130) from None
        except GrcError as error:
            raise StepFailed(
                "The API cannot be used.", f"  {error}", f"Check --url and the token in {TOKEN}, then run it again."
            ) from None


def _record(file: Path) -> Path:
    return file.with_name(f"{file.name}.progress")


def _check_that_it_can_be_made(errors: Path) -> None:
    """Check, before anything is sent, that the errors file can be written.

    The import renames an existing errors file. So anything else at that path is refused. Raises StepFailed.
    """
    with writing(errors):
        if errors.is_symlink() or (errors.exists() and not errors.is_file()):
            raise StepFailed(f"{errors} is not a regular file.", "", "Name a regular file or a new file: --errors FILE")
        with TemporaryFile(dir=errors.parent):  # it never has a name in the folder
            pass


def _local(job: Job) -> tuple[str, str]:
    folder = StackFolder()
    stack = running_stack(folder)
    return stack.api_url, issuer.token(stack, folder, tenant=job.tenant, app=job.app)


def _given_token() -> str:
    """Return the deployed API's token from the environment: process lists and shell histories show arguments."""
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise StepFailed(
            f"The environment variable {TOKEN} has no token.", "", f"Set it to a token of the API: export {TOKEN}=..."
        )
    return token


def _claim_names(given: str | None) -> ClaimNames:
    try:
        return ClaimNames() if given is None else claim_names(given)
    except ValueError:
        raise StepFailed(
            "The names of the claims cannot be read.", f"  --claims {given!r}",
            "Copy the stack's output TokenClaims, in quotation marks: the claims of tenant and application, the marker "
            "and the claims of the scopes, with one space between. The marker may be empty.",
        ) from None  # fmt: skip


def _checked_app(job: Job, token: str, names: ClaimNames) -> str | None:
    """Return the token's application, None for a person. Raises StepFailed for another tenant or application.

    The API checks the signature; this function does not.
    """
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise StepFailed("The token is not a JWT.", "", f"Set {TOKEN} to a JWT, without `Bearer` before it.") from None
    as_passed = {  # as the gateway passes them
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
