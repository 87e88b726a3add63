"""`sam build` and `sam deploy`, in a tool environment of their own: SAM pins boto3 to an exact version."""

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
BUILD = CHECKOUT / ".aws-sam" / "build"  # SAM's own
CONFIG = ("--config-file", str(CHECKOUT / "samconfig.toml"))


def host_parameters() -> dict[str, str]:
    """Return the template parameters for the interpreter and the machine that run this."""
    machine = platform.machine().lower()
    return {
        "PythonRuntime": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "Architecture": "arm64" if machine in ("arm64", "aarch64") else "x86_64",
    }


def install() -> None:
    """Fetch SAM once, so that a missing network is not mistaken for a build error."""
    _sam(("--version",), None, "SAM could not be installed.", "Is a Python package index within reach? Then try again.")


def build(parameters: Mapping[str, str], folder: Path | None = None, log: Path | None = None) -> None:
    """Build the functions into ``folder``, or SAM's own ``.aws-sam/build``, and finish what it leaves undone."""
    arguments = ["build", *CONFIG, "--template-file", str(CHECKOUT / "template.yaml"), *_overrides(parameters)]
    if folder is not None:
        arguments += ["--build-dir", str(folder)]
    _sam(arguments, None, "sam build failed.", "Mend what it says, then try again.", log)
    if sys.platform != "linux" and parameters == host_parameters():
        _reinstall_for_host(folder or BUILD)
    host = parameters == host_parameters()
    artifact.finish(folder or BUILD, Path(sys.executable) if host else artifact.interpreter(_deployed_version()))


def _deployed_version() -> str:
    """Return the version of Python that the template asks for, like ``3.13``."""
    match = re.search(r"PythonRuntime:\n(?:    .*\n)*?    Default: python([0-9.]+)\n", TEMPLATE.read_text())
    if match is None:
        raise StepFailed("template.yaml names no runtime.", "", "Give its parameter PythonRuntime a default.")
    return match[1]


def deploy(
    stack: Stack, parameters: Mapping[str, str], folder: Path, log: Path, *, versions: bool = False
) -> None:  # fmt: skip
    """Deploy what was built onto the emulator; with ``versions`` of its functions as on AWS, or quicker without."""
    # The emulator updates a nested stack without the attributes of what stays the same; a tag that is new each time
    # changes all of it.
    tag = ["--tags", f"deployed={time.time_ns()}"]
    template = for_emulator.write(folder, versions=versions)
    arguments = ["deploy", *CONFIG, "--template-file", str(template), *_overrides(parameters), *tag]
    advice = f"The whole output is in {log}. `{command('up --fresh')}` starts over, with an empty table."
    _sam(arguments, stack, "sam deploy failed.", advice, log)


def _sam(arguments: Sequence[str], stack: Stack | None, what: str, advice: str, log: Path | None = None) -> None:
    run((*SAM, *arguments), env=subprocess_environment(stack), cwd=CHECKOUT, what=what, advice=advice, log=log)


def _overrides(parameters: Mapping[str, str]) -> list[str]:
    """Return the option for the parameters; SAM splits their values at spaces, unless they are quoted."""
    given = [f'ParameterKey={name},ParameterValue="{value}"' for name, value in parameters.items()]
    return ["--parameter-overrides", *given] if given else []


def _reinstall_for_host(folder: Path) -> None:
    """SAM builds for Linux wherever it runs; elsewhere the emulator's workers need this machine's own wheels."""
    for built in artifact.artifacts(folder):
        run(
            ("uv", "pip", "install", "--python", sys.executable, "--target", str(built), "--reinstall", "-r",
             str(built / "requirements.txt")),
            env=subprocess_environment(), cwd=CHECKOUT, what="Building for this machine failed.",
            advice="Mend what it says, then try again.",
        )  # fmt: skip
