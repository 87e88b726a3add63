"""Finish the artifacts of `sam build`: add byte code, and remove the files that no function needs.

Lambda's disk is read-only. Without byte code in the artifact, every cold start compiles every module again. The
compilation takes longer than the rest of the start.

botocore includes the descriptions of 400 AWS services, and the functions call only three of these services. This module
finds the called services in the functions' code, so there is no list that could become wrong.

Some modules are imported at each start, although no function calls them. This module replaces these modules.

`uv` hard-links the files from its cache. So this module replaces files, and never writes into them.
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

_UNUSED = {
    "botocore/docs/__init__.py": "",
    "botocore/docs/docstring.py": """class NoDocstring(str):
    def __new__(cls, *_, **__):
        return super().__new__(cls)

    def __init__(self, *_, **__):
        pass

ClientMethodDocstring = PaginatorDocstring = WaiterDocstring = NoDocstring
""",
    "urllib3/http2/__init__.py": "",
}
"""Modules that are imported but not used, with their replacements.

The first two would import the generator of botocore's documentation. The third would import ``importlib.metadata``, to
find out the version of a package for HTTP/2 that the artifact does not have. With these modules, the start of a read
costs 1.07 times as much.
"""


def finish(build: Path, python: Path | None) -> None:
    """Finish every artifact of `sam build` in a folder.

    ``python`` is an interpreter of the functions' Python version. If ``python`` is None, no byte code is added.
    """
    services = services_called()
    for artifact in artifacts(build):
        if (artifact / "botocore").is_dir():
            _trim_botocore(artifact / "botocore" / "data", services)
            for name, content in _UNUSED.items():
                _replace(artifact / name, content.encode())
        if not any(VIEWER.name in path.read_text() for path in artifact.glob("*.py")):
            shutil.rmtree(artifact / VIEWER, ignore_errors=True)
        if python is not None:
            _compile(artifact, python)


def artifacts(build: Path) -> list[Path]:
    """Return the folders in a build that become the functions' packages."""
    return sorted(requirements.parent for requirements in build.glob("*/requirements.txt"))


def pack(artifact: Path, file: Path) -> None:
    """Write a package's archive. The archive's bytes depend only on the packed files, not on the time."""
    with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(path for path in artifact.rglob("*") if path.is_file()):
            entry = ZipInfo(path.relative_to(artifact).as_posix())
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), ZIP_DEFLATED, 1)


def services_called() -> set[str]:
    """Return the names of the AWS services for which the functions make a client: ``sdk.make_client("dynamodb")``.

    The build removes botocore's data of every service that this function does not find. Without this data, a client
    works on this machine but fails on Lambda. So the function raises StepFailed if the code makes a client in a way
    that hides the name of the service.
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
        f"{path.name}, line {line}: the build cannot read for which AWS service this line makes a client.", "",
        'Write sdk.make_client("SERVICE"). The build removes the botocore data of all services without such a call.',
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
        if rules.parents[1].name != "s3":  # only S3's rules are needed: they put the bucket's name into the URL
            rules.unlink()
    for described in data.rglob("service-2.json.gz"):
        model = _without_documentation(json.loads(gzip.decompress(described.read_bytes())))
        for parameter in model.get("clientContextParams", {}).values():
            parameter["documentation"] = ""  # botocore reads this member
        _replace(described, gzip.compress(json.dumps(model, separators=(",", ":")).encode(), mtime=0))


def _endpoint_prefixes(data: Path, services: set[str]) -> Iterator[str]:
    for service in services:
        for described in (data / service).rglob("service-2.json.gz"):
            yield json.loads(gzip.decompress(described.read_bytes()))["metadata"]["endpointPrefix"]


def _without_documentation(value: Any) -> Any:
    """Return a JSON value without the texts whose member name is ``documentation``.

    A member with this name that is not a text stays, because it belongs to the description of the service.
    """
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
    """Add byte code to an artifact. Python uses this byte code without a check that the sources are unchanged.

    Packing changes the files' times, so a check of the times would reject the byte code. No check is needed, because
    nobody edits the files.
    """
    run(
        (str(python), "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", str(artifact)),
        env=subprocess_environment(), cwd=CHECKOUT, what="The functions could not be compiled.",
        advice="Fix the error that the compiler reports, then try again.",
    )  # fmt: skip


def interpreter(version: str) -> Path | None:
    """Return the path of this machine's Python of a version like ``3.13``. If there is none, warn and return None."""
    try:
        path = run(
            ("uv", "python", "find", "--no-project", version), env=subprocess_environment(), cwd=CHECKOUT,
            what="", advice="",
        )  # fmt: skip
    except StepFailed:
        stderr.print(
            f"This machine has no Python {version}. So the functions get no byte code, and need twice the time to "
            f"start. To add byte code, run `uv python install {version}`, then build again."
        )
        return None
    return Path(path.strip())
