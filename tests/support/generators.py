"""Runs generators of API clients. Each generator has a fixed version, its own environment and its default options.

The Python tools are fetched by uvx. The npm packages are the packages that docs/client.md installs, and are kept in
.cache.
"""

import fcntl
import shutil
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from incidents_cli.documents import openapi

from tests.support import documents
from tests.support.templates import CHECKOUT

OPENAPI_PYTHON_CLIENT = "openapi-python-client==0.29.1"
OPENAPI_GENERATOR = "openapi-generator-cli==7.26.0"
DATAMODEL_CODE_GENERATOR = "datamodel-code-generator==0.89.0"
# The libraries that the generated clients import.
_LIBRARIES = ("attrs==26.1.0", "httpx==0.28.1", "pydantic==2.14.3", "python-dateutil==2.9.0.post0", "urllib3==2.8.0")


def what_is_missing() -> str | None:
    """Return one line that names the programs that this machine lacks, or None if it lacks none."""
    missing = [program for program in ("java", "node", "npm") if shutil.which(program) is None]
    return f"the generators of clients need {' and '.join(missing)} on the PATH" if missing else None


def make_openapi_python_client(folder: Path) -> None:
    """Make the package ``incidents_client`` in a folder."""
    package = folder / "incidents_client"
    _tool(OPENAPI_PYTHON_CLIENT, "generate", "--path", openapi.FILE, "--meta", "none", "--output-path", package)


def make_openapi_generator_client(folder: Path) -> None:
    """Make the package ``openapi_client`` in a folder."""
    _tool(OPENAPI_GENERATOR, "generate", "-i", openapi.FILE, "-g", "python", "-o", folder)


def make_models(folder: Path) -> None:
    """Make the module ``incident_models`` in a folder."""
    output = folder / "incident_models.py"
    _tool(DATAMODEL_CODE_GENERATOR, "--input", openapi.FILE, "--output", output,
          "--output-model-type", "pydantic_v2.BaseModel")  # fmt: skip


def run_python(script: str, folder: Path, *arguments: str, given: str = "") -> str:
    """Run a script with the generated packages of a folder and an input, and return the script's output."""
    libraries = [word for library in _LIBRARIES for word in ("--with", library)]
    command = ("uv", "run", "--no-project", "--isolated", *libraries, "python", "-c", script, *arguments)
    return _run(*command, cwd=folder, given=given)  # python -c imports from the working directory


def link_node_modules(install: str, folder: Path) -> None:
    """Give a folder the npm packages that a script installs."""
    installed = _installed(install)
    shutil.copy(installed / "package.json", folder)
    (folder / "node_modules").symlink_to(installed / "node_modules")


def run_typescript(files: Mapping[str, str], folder: Path, *arguments: str) -> str:
    """Compile files in strict mode against the types of the document. Run the first file and return its output."""
    _, install, _, _ = documents.blocks(documents.PAGES["client.md"], "bash")
    link_node_modules(install, folder)
    _run("npx", "openapi-typescript", str(openapi.FILE), "--output", "schema.d.ts", cwd=folder)
    for name, code in files.items():
        (folder / name).write_text(code)
    options = ("--strict", "--skipLibCheck", "--target", "es2022", "--module", "preserve", "--outDir", "out",
               "--types", "node")  # fmt: skip
    _run("npx", "tsc", *options, *files, cwd=folder)
    first, *_ = files
    return _run("node", str(Path("out", first).with_suffix(".js")), *arguments, cwd=folder)


def _installed(install: str) -> Path:
    """Return the folder in .cache in which the script has installed its packages."""
    folder = CHECKOUT / ".cache" / f"npm-{sha256(install.encode()).hexdigest()[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of several processes installs them, and the others wait
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            _run("bash", "-euo", "pipefail", "-c", install, cwd=part)
            part.replace(folder)
    return folder


def _tool(package: str, *arguments: str | Path) -> None:
    name = package.partition("==")[0]
    command = {"datamodel-code-generator": "datamodel-codegen"}.get(name, name)
    _run("uvx", "--from", package, command, *map(str, arguments), cwd=CHECKOUT)


def _run(*command: str, cwd: Path, given: str = "") -> str:
    done = subprocess.run(command, cwd=cwd, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
