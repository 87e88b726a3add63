"""Builds the measured subjects: this service and its peers.

Each subject has its own folder, as at /var/task on Lambda.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from incidents_cli.console import run
from incidents_cli.local import artifact, sam
from incidents_cli.local.local_stack import subprocess_environment

from tests.support.templates import CHECKOUT

PEERS = Path(__file__).parent / "peers"
OPERATIONS = ("get", "list", "create", "update")
OURS = "this service"
MAIN_PEER, UNTRACED, FLOOR = "Powertools + Tracer", "Powertools", "by hand (the floor)"
_PEERS = {
    MAIN_PEER: ("powertools", "Powertools"),
    UNTRACED: ("untraced", "Untraced"),
    "PynamoDB": ("pynamodb", "PynamoDB"),
    "boto3.resource": ("plain", "Plain"),
    "boto3.client": ("client", "Client"),
    "boto3.client (tuned)": ("tuned", "Tuned"),
    "FastAPI + Mangum": ("fastapi", "FastAPI"),
}
_MODULES = {
    "get": "get_incident", "list": "list_incidents", "create": "create_incident", "update": "update_incident",
    "changes": "list_incident_changes", "deadlines": "get_incident_deadlines", "updates": "list_incident_updates",
    "ingest": "ingest_finding",
}  # fmt: skip


class Subject(NamedTuple):
    """One implementation of the API: its folder as built, and its folder with byte code."""

    name: str
    as_built: Path
    compiled: Path

    def module(self, operation: str) -> str:
        return _MODULES[operation] if self.name == OURS else "app"


def build(folder: Path) -> list[Subject]:
    """Build all subjects into a folder and return them.

    Our artifact contains byte code. For each peer, a copy of the artifact gets byte code.
    """
    parameters = sam.host_parameters()
    sam.build(parameters, folder / "ours")
    (ours,) = (one for one in artifact.artifacts(folder / "ours") if (one / "incidents").is_dir())
    subjects = [Subject(OURS, ours, ours)]
    sources = folder / "sources"
    _write_sources(sources)
    _sam_build(sources, folder / "peers", parameters)
    for name, (_, built) in _PEERS.items():
        subjects.append(_with_byte_code(name, folder / "peers" / built, folder / "compiled" / built))
    subjects.append(_with_byte_code(FLOOR, sources / "floor", folder / "compiled" / "floor"))
    return subjects


def runtime(folder: Path) -> Path:
    """Install Lambda's bootstrap with byte code, and return its folder.

    Lambda loads the bootstrap before any function.
    """
    place = folder / "runtime"
    requirements = folder / "runtime.txt"
    requirements.write_text(_exported("lambda-runtime"))
    _run("uv", "pip", "install", "--python", sys.executable, "--target", str(place), "-r", str(requirements))
    _compile(place)
    return place


def _write_sources(sources: Path) -> None:
    shutil.copytree(PEERS, sources, dirs_exist_ok=True)
    traced = (sources / "powertools" / "app.py").read_text()
    without = "".join(line for line in traced.replace(", Tracer\n", "\n").splitlines(True) if "tracer" not in line)
    assert "Tracer" not in without.split('"""')[2]
    plain, made = (sources / "client" / "app.py").read_text(), 'boto3.client("dynamodb")'
    tuning = 'boto3.client("dynamodb", config=Config(user_agent="incidents", parameter_validation=False))'
    assert made in plain
    tuned = plain.replace(made, tuning).replace("from stamps", "from botocore.config import Config\nfrom stamps")
    for name, code in (("untraced", without), ("tuned", tuned)):
        (sources / name).mkdir(exist_ok=True)
        (sources / name / "app.py").write_text(code)
    for name, _ in _PEERS.values():
        shutil.copy(PEERS / "stamps.py", sources / name)
        (sources / name / "requirements.txt").write_text(_exported(f"peer-{name}"))
    shutil.copy(PEERS / "stamps.py", sources / "floor")


def _exported(group: str) -> str:
    return _run("uv", "export", "--locked", "--quiet", "--only-group", group, "--no-emit-project")


def _sam_build(sources: Path, folder: Path, parameters: dict[str, str]) -> None:
    overrides = [f"ParameterKey={name},ParameterValue={value}" for name, value in parameters.items()]
    _run(
        *sam.SAM, "build", "--beta-features", "--template-file", str(sources / "template.yaml"),
        "--build-dir", str(folder), "--parameter-overrides", *overrides,
    )  # fmt: skip


def _with_byte_code(name: str, as_built: Path, compiled: Path) -> Subject:
    shutil.copytree(as_built, compiled, dirs_exist_ok=True)
    _compile(compiled)
    return Subject(name, as_built, compiled)


def _compile(place: Path) -> None:
    subprocess.run(
        (sys.executable, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", str(place)),
        check=True,
    )


def _run(*command: str) -> str:
    return run(
        command, env=subprocess_environment(), cwd=CHECKOUT, what=f"{command[0]} failed.",
        advice="Fix the cause that the log names, then try again.",
    )  # fmt: skip
