"""Tests which libraries each function loads, because they determine the cost of a start.

Also tests that the pure modules load no AWS library.
"""

import re
import subprocess
import sys
from functools import cache

import pytest

from tests.support.templates import CHECKOUT

ALL = sorted(path.stem for path in (CHECKOUT / "functions").glob("*.py"))
LIGHT = [name for name in ALL if re.match(r'"""(GET|DELETE) ', (CHECKOUT / "functions" / f"{name}.py").read_text())]
PYDANTIC = {"payloads", "lists"}  # the only modules of the domain that load pydantic


# The script loads the slowest libraries once. Then it forks a process for each module, and the process imports the
# module and prints the list of its loaded modules. Each list also contains the libraries that the script loaded before
# the fork. So no test may search a list for one of these libraries.
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
    """Return the modules that each function loads, including the libraries that all functions need."""
    lines = [line.split() for line in run(COPIES, *ALL).splitlines()]
    return {module: set(modules) for module, *modules in lines}


@pytest.mark.parametrize("module", LIGHT)
def test_reads_and_deletions_load_no_pydantic_and_no_ulid(module: str) -> None:
    assert not loaded()[module] & {
        "pydantic",
        "pydantic_core",
        "ulid",
        *(f"incidents.domain.{name}" for name in PYDANTIC),
    }


@pytest.mark.parametrize("module", ALL)
def test_no_function_loads_an_unused_library(module: str) -> None:
    router, parser = "aws_lambda_powertools.event_handler", "aws_lambda_powertools.utilities.parser"
    assert not loaded()[module] & {"boto3", "s3transfer", "aws_xray_sdk", "jwt", "moto", router, parser}


@pytest.mark.parametrize("payloads", [False, True], ids=["all else", "payloads, which loads pydantic"])
def test_the_domain_and_the_adapters_load_no_aws_library(payloads: bool) -> None:
    names = sorted(path.stem for path in (CHECKOUT / "functions" / "incidents" / "domain").glob("[a-z]*.py"))
    domain = [f"incidents.domain.{name}" for name in names if (name in PYDANTIC) is payloads]
    wanted = domain if payloads else [*domain, "incidents.findings"]
    modules = set(run(f"import sys, {', '.join(wanted)}; print(*sys.modules)").split())
    assert set(wanted) <= modules
    assert not {"botocore", "aws_lambda_powertools", *([] if payloads else ["pydantic"])} & modules
