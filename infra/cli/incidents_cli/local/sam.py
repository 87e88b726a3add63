"""Run `sam build` and `sam deploy`. SAM has its own tool environment, because SAM needs an exact version of boto3."""

import platform
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..console import StepFailed, command, run
from . import artifact, for_emulator
from .local_stack import CHECKOUT, TEMPLATE, Stack, subprocess_environment

SAM = ("uvx", "--from", "aws-sam-cli==1.170.0", "sam")
BUILD = CHECKOUT / ".aws-sam" / "build"  # SAM's default
CONFIG = ("--config-file", str(CHECKOUT / "samconfig.toml"))


def host_parameters() -> dict[str, str]:
    """Return the template parameters that build the functions for this Python version and this machine."""
    machine = platform.machine().lower()
    return {
        "PythonRuntime": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "Architecture": "arm64" if machine in ("arm64", "aarch64") else "x86_64",
    }


def install() -> None:
    """Install SAM if it is missing. A separate step keeps a network failure from looking like a build error."""
    advice = "Check that a Python package index is reachable, then try again."
    _sam(("--version",), None, "SAM could not be installed.", advice)


def build(parameters: Mapping[str, str], folder: Path | None = None, log: Path | None = None) -> None:
    """Build the functions into ``folder``, by default ``.aws-sam/build``, and finish the artifacts."""
    arguments = ["build", *CONFIG, "--template-file", str(CHECKOUT / "template.yaml"), *_overrides(parameters)]
    if folder is not None:
        arguments += ["--build-dir", str(folder)]
    _sam(arguments, None, "sam build failed.", "Fix the error that SAM reports, then try again.", log)
    if sys.platform != "linux" and parameters == host_parameters():
        _reinstall_for_host(folder or BUILD)
    host = parameters == host_parameters()
    artifact.finish(folder or BUILD, Path(sys.executable) if host else artifact.interpreter(_deployed_version()))


def _deployed_version() -> str:
    """Return the version of Python that the template uses by default, like ``3.13``."""
    match = re.search(r"PythonRuntime:\n(?:    .*\n)*?    Default: python([0-9.]+)\n", TEMPLATE.read_text())
    if match is None:
        raise StepFailed("template.yaml has no default runtime.", "", "Give the parameter PythonRuntime a default.")
    return match[1]


def deploy(
    stack: Stack, parameters: Mapping[str, str], folder: Path, log: Path, *, versions: bool = False
) -> None:  # fmt: skip
    """Deploy the built templates to the emulator. With ``versions``, the functions have versions, which is slower."""
    # When the emulator updates a nested stack, it loses the attributes of unchanged resources. So each deployment has a
    # new tag, which changes every resource.
    tag = ["--tags", f"deployed={time.time_ns()}"]
    template = for_emulator.write(folder, versions=versions)
    arguments = ["deploy", *CONFIG, "--template-file", str(template), *_overrides(parameters), *tag]
    advice = f"Read SAM's complete output in {log}, or start again with an empty table: {command('up --fresh')}"
    _sam(arguments, stack, "sam deploy failed.", advice, log)


def _sam(arguments: Sequence[str], stack: Stack | None, what: str, advice: str, log: Path | None = None) -> None:
    run((*SAM, *arguments), env=subprocess_environment(stack), cwd=CHECKOUT, what=what, advice=advice, log=log)


def _overrides(parameters: Mapping[str, str]) -> list[str]:
    """Return SAM's arguments for the template parameters. Each value is quoted, because SAM splits at spaces."""
    given = [f'ParameterKey={name},ParameterValue="{value}"' for name, value in parameters.items()]
    return ["--parameter-overrides", *given] if given else []


def _reinstall_for_host(folder: Path) -> None:
    """Install this machine's wheels into the built functions. SAM installs wheels for Linux, on any machine.

    The emulator runs the functions on this machine, so it needs this machine's wheels.
    """
    for built in artifact.artifacts(folder):
        run(
            ("uv", "pip", "install", "--python", sys.executable, "--target", str(built), "--reinstall", "-r",
             str(built / "requirements.txt")),
            env=subprocess_environment(), cwd=CHECKOUT, what="Building for this machine failed.",
            advice="Fix the error that uv reports, then try again.",
        )  # fmt: skip
