"""What `sam build` leaves undone: an artifact without what no function can reach, and with byte code.

Lambda's disk is read-only, so without byte code every cold start compiles every module again, which costs more than all
else together; and botocore brings the descriptions of 400 services, of which the functions call three. What may go is
read from the code: nothing here is a list that could drift. Files are replaced, never written into: `uv` links them
from its cache.
"""

import ast
import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from ..console import StepFailed, run, stderr
from .local_stack import CHECKOUT, subprocess_environment

VIEWER = Path("aws_lambda_powertools", "event_handler", "openapi", "swagger_ui")


def finish(build: Path, python: Path | None) -> None:
    """Finish every artifact that `sam build` left in a folder; ``python`` is of their version, if there is one."""
    services = services_called()
    for artifact in artifacts(build):
        if (artifact / "botocore").is_dir():
            _trim_botocore(artifact / "botocore" / "data", services)
        if not any(VIEWER.name in path.read_text() for path in artifact.glob("*.py")):
            shutil.rmtree(artifact / VIEWER, ignore_errors=True)
        if python is not None:
            _compile(artifact, python)


def artifacts(build: Path) -> list[Path]:
    """Return the folders that become functions' packages."""
    return sorted(requirements.parent for requirements in build.glob("*/requirements.txt"))


def pack(artifact: Path, file: Path) -> None:
    """Write a package's archive; the same bytes for the same files, whenever they were built."""
    with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(path for path in artifact.rglob("*") if path.is_file()):
            entry = ZipInfo(path.relative_to(artifact).as_posix())
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), ZIP_DEFLATED, 1)


def services_called() -> set[str]:
    """Return the names of the services that the functions make a client of: ``sdk.make_client("dynamodb")``.

    Raises StepFailed for one that is made in any other way: it would be missed, and fail on Lambda alone.
    """
    services = set()
    for path in (CHECKOUT / "functions").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="sdk"), attr="make_client"),
                    args=[ast.Constant(value=str(service))],
                    keywords=[],
                ):
                    services.add(service)
                case ast.Call(func=ast.Attribute(attr="create_client")) if path.name != "sdk.py":
                    _unreadable(path, node.lineno)
                case ast.Call(func=ast.Attribute(attr="make_client")):
                    _unreadable(path, node.lineno)
                case ast.ImportFrom(module="sdk" | "runtime.sdk" | "incidents.runtime.sdk"):
                    _unreadable(path, node.lineno)
    return services


def _unreadable(path: Path, line: int) -> NoReturn:
    raise StepFailed(
        f"{path.name}, line {line}, makes a client in a way that cannot be read.", "",
        'Write sdk.make_client("SERVICE"), so that the build knows which descriptions of services to keep.',
    )  # fmt: skip


def _trim_botocore(data: Path, services: set[str]) -> None:
    for folder in (path for path in data.iterdir() if path.is_dir() and path.name not in services):
        shutil.rmtree(folder)
    endpoints = data / "endpoints.json"
    known = json.loads(endpoints.read_bytes())
    prefixes = set(_endpoint_prefixes(data, services))
    for partition in known["partitions"]:
        partition["services"] = {name: service for name, service in partition["services"].items() if name in prefixes}
    _replace(endpoints, json.dumps(known, separators=(",", ":")).encode())
    for rules in data.rglob("endpoint-rule-set-1.json.gz"):
        rules.unlink()
    for described in data.rglob("service-2.json.gz"):
        model = _without_documentation(json.loads(gzip.decompress(described.read_bytes())))
        _replace(described, gzip.compress(json.dumps(model, separators=(",", ":")).encode(), mtime=0))


def _endpoint_prefixes(data: Path, services: set[str]) -> Iterator[str]:
    for service in services:
        for described in (data / service).rglob("service-2.json.gz"):
            yield json.loads(gzip.decompress(described.read_bytes()))["metadata"]["endpointPrefix"]


def _without_documentation(value: Any) -> Any:
    """A text of that name is documentation; a member of that name would be an object."""
    match value:
        case dict():
            return {
                name: _without_documentation(member)
                for name, member in value.items()
                if name != "documentation" or not isinstance(member, str)
            }
        case list():
            return [_without_documentation(member) for member in value]
    return value


def _replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def _compile(artifact: Path, python: Path) -> None:
    """Unchecked: a package's files may get other times on their way, and nobody edits them there."""
    run(
        (str(python), "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", str(artifact)),
        env=subprocess_environment(), cwd=CHECKOUT, what="The functions could not be compiled.",
        advice="Mend what it says, then try again.",
    )  # fmt: skip


def interpreter(version: str) -> Path | None:
    """Return an interpreter of a version like ``3.13`` that this machine has, or None, and say so."""
    try:
        path = run(
            ("uv", "python", "find", "--no-project", version), env=subprocess_environment(), cwd=CHECKOUT,
            what="", advice="",
        )  # fmt: skip
    except StepFailed:
        stderr.print(
            f"There is no Python {version} here: the functions go without byte code, and start in twice the time. "
            f"`uv python install {version}`, then build again."
        )
        return None
    return Path(path.strip())
