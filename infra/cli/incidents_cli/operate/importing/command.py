"""`incidents import`: its options, its token, and what it prints."""

import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Any

import jwt
import typer

from ...console import StepFailed, stderr, writing
from ...local import issuer
from ...local.emulator import running_stack
from ...local.local_stack import StackFolder
from .job import Counts, Job, OtherApps
from .progress import Progress

TOKEN = "GRC_TOKEN"  # noqa: S105  # the name of an environment variable, as the client has it


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv|FILE.jsonl", exists=True, dir_okay=False)],
    tenant: Annotated[str, typer.Option(help="Whose incidents they become: the claim tenant_id.")],
    app: Annotated[str | None, typer.Option(help="As this application: the claim app_id.")] = None,
    url: Annotated[
        str | None, typer.Option(help=f"What stands before /api/v1/grc of a deployed API; its token is in {TOKEN}.")
    ] = None,
    other_apps: Annotated[
        OtherApps | None, typer.Option(help="What to do with exported incidents of applications not the token's.")
    ] = None,
    errors: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rows that failed, and why. Default: FILE.errors.jsonl")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Calls at once.")] = 8,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the rows, here; send nothing.")] = False,
) -> None:
    """Import the incidents of a file: with their own dates, numbers and statuses.

    CSV: the first line names fields of a create, and an empty cell is not given.
    A list is `a; b` or a JSON array; lessons_learned is JSON, or else a text.

    JSON Lines: bodies of creates, or lines of `incidents tenant export`.

    To import a file again changes nothing, and an import that was cut off goes on.
    A row is known by its incident_number; one without, by FILE.progress, which is kept beside the file.

    Rows that fail go to an errors file, which can be mended and imported itself.

    Without --url, it is the local stack that they are imported into.
    With it, the API there; its token, in GRC_TOKEN, must be one of the tenant.
    """
    from . import importer  # 0.8 s: pydantic, and botocore's session

    errors = errors or file.with_name(f"{file.name}.errors.jsonl")
    if errors.resolve() in (file.resolve(), _record(file).resolve()):
        advice = "Name another file: --errors"
        raise StepFailed(
            "The errors would be written over the rows, or over which of them are done.", f"  {errors}", advice
        )
    _check_that_it_can_be_made(errors)
    job = Job(file, tenant, app, other_apps, errors)
    counts = importer.dry_run(job) if dry_run else _import(job, url, concurrency)
    for name, value in vars(counts).items():
        if value is not None:
            typer.echo(f"{name.replace('_', ' '):<14} {value}")
    if counts.failed:
        stderr.print(f"The rows that failed, and why: {errors}", markup=False)
        raise typer.Exit(1)


def _import(job: Job, url: str | None, concurrency: int) -> Counts:
    from grc_client import Client, GrcError  # 0.3 s: pydantic

    from . import importer  # 0.8 s: pydantic, and botocore's session

    base_url, token = _local(job) if url is None else (url, _given_token())
    job = job._replace(app=_checked_app(job, token))
    try:
        client = Client(base_url, token)
    except ValueError as error:
        raise StepFailed("The API cannot be called.", f"  {error}", "Look at --url and at the token.") from None
    with client, Progress(_record(job.file)) as progress:
        try:
            return importer.run_import(job, progress, client, f"{job.tenant} {job.app or ''} {base_url}", concurrency)
        except KeyboardInterrupt:
            stderr.print("Stopped. Run the same again: it goes on from there.")
            raise typer.Exit(130) from None
        except GrcError as error:
            raise StepFailed("The API cannot be used.", f"  {error}", "Look at --url and at the token.") from None


def _record(file: Path) -> Path:
    return file.with_name(f"{file.name}.progress")


def _check_that_it_can_be_made(errors: Path) -> None:
    """Find out before anything is sent; an older errors file will be moved aside, and nothing else may be."""
    with writing(errors):
        if errors.is_symlink() or (errors.exists() and not errors.is_file()):
            raise StepFailed(
                f"{errors} is no regular file.", "", "Name one that is, or that is not there yet: --errors"
            )
        with TemporaryFile(dir=errors.parent):  # which no name is given to
            pass


def _local(job: Job) -> tuple[str, str]:
    folder = StackFolder()
    stack = running_stack(folder)
    return stack.api_url, issuer.token(stack, folder, tenant=job.tenant, app=job.app)


def _given_token() -> str:
    """The token of a deployed API. Not an argument: these are seen by whoever lists processes, and kept by shells."""
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise StepFailed(f"{TOKEN} holds no token.", "", f"Put one into this environment variable: export {TOKEN}=...")
    return token


def _checked_app(job: Job, token: str) -> str | None:
    """Return whose token it is, once it is known to be of the tenant. Its signature is the API's to check, not ours."""
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise StepFailed(
            "The token cannot be read.", "", f"{TOKEN} must hold a JWT, without `Bearer` before it."
        ) from None
    if claims.get("tenant_id") != job.tenant:
        raise StepFailed(
            f"The token is not one of tenant {job.tenant}.", f"  Its tenant_id is {claims.get('tenant_id')!r}.",
            "Nothing was sent. Take a token of that tenant, or name the token's own: --tenant",
        )  # fmt: skip
    app = claims.get("app_id")
    if job.app not in (None, app):
        raise StepFailed(
            f"The token is not one of application {job.app}.", f"  Its app_id is {app!r}.",
            "Nothing was sent. Take a token of that application, or leave --app out.",
        )  # fmt: skip
    return app
