"""What a function loads is what its start costs, and the pure modules stay pure."""

import subprocess
import sys
from functools import cache

import pytest

from tests.support.templates import CHECKOUT

ALL = sorted(path.stem for path in (CHECKOUT / "functions").glob("*.py"))
READS = [name for name in ALL if (CHECKOUT / "functions" / f"{name}.py").read_text().startswith('"""GET ')]


# What takes longest to load is loaded once, and each module in a copy of that process. Nothing of it is looked for.
COPIES = """
import botocore.session, aws_lambda_powertools
import importlib, os, sys
for module in sys.argv[1:]:
    if not os.fork():
        importlib.import_module(module)
        print(module, *sorted(sys.modules), flush=True)
        os._exit(0)
    if os.wait()[1]:
        sys.exit(f"{module} cannot be loaded")
"""


def run(script: str, *modules: str) -> str:
    command = [sys.executable, "-c", script, *modules]
    done = subprocess.run(command, cwd=CHECKOUT / "functions", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def loaded() -> dict[str, set[str]]:
    """What each function loads, and the half of the libraries that all of them need."""
    lines = [line.split() for line in run(COPIES, *ALL).splitlines()]
    return {module: set(modules) for module, *modules in lines}


@pytest.mark.parametrize("module", READS)
def test_reads_load_no_pydantic_and_no_ulid(module: str) -> None:
    assert not loaded()[module] & {"pydantic", "pydantic_core", "ulid", "incidents.drafts", "incidents.commands"}


@pytest.mark.parametrize("module", ALL)
def test_no_function_loads_what_it_has_no_use_for(module: str) -> None:
    router = "aws_lambda_powertools.event_handler"
    assert not loaded()[module] & {"boto3", "s3transfer", "aws_xray_sdk", "jwt", "moto", router}


@pytest.mark.parametrize("module", ["errors", "findings", "keys", "model", "timestamps"])
def test_pure_modules_load_no_aws(module: str) -> None:
    modules = run(f"import sys, incidents.{module}; print(*sys.modules)").split()
    assert f"incidents.{module}" in modules
    assert not {"botocore", "aws_lambda_powertools", "pydantic"} & set(modules)
