"""What a function loads is what its start costs, and the pure modules stay pure."""

import subprocess
import sys
from functools import cache

import pytest

from tests.support.templates import CHECKOUT

ALL = sorted(path.stem for path in (CHECKOUT / "functions").glob("*.py"))
READS = [name for name in ALL if (CHECKOUT / "functions" / f"{name}.py").read_text().startswith('"""GET ')]


@cache
def loaded_by(module: str) -> set[str]:
    script = f"import sys, {module}; print(*sorted(sys.modules), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=CHECKOUT / "functions", capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("module", READS)
def test_reads_load_no_pydantic_and_no_ulid(module: str) -> None:
    assert not loaded_by(module) & {"pydantic", "pydantic_core", "ulid", "incidents.drafts", "incidents.commands"}


@pytest.mark.parametrize("module", ALL)
def test_no_function_loads_what_it_has_no_use_for(module: str) -> None:
    router = "aws_lambda_powertools.event_handler"
    assert not loaded_by(module) & {"boto3", "s3transfer", "aws_xray_sdk", "jwt", "moto", router}


@pytest.mark.parametrize("module", ["errors", "findings", "keys", "model", "timestamps"])
def test_pure_modules_load_no_aws(module: str) -> None:
    assert not loaded_by(f"incidents.{module}") & {"botocore", "aws_lambda_powertools", "pydantic"}
