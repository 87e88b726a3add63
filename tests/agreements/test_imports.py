"""What a function loads is what its start costs, and the pure modules stay pure."""

import re
import subprocess
import sys

import pytest

from tests.support.templates import CHECKOUT

ALL = sorted(path.stem for path in (CHECKOUT / "functions").glob("*.py"))
LIGHT = [name for name in ALL if re.match(r'"""(GET|DELETE) ', (CHECKOUT / "functions" / f"{name}.py").read_text())]


def loaded_by(module: str) -> set[str]:
    script = f"import sys, {module}; print(*sorted(sys.modules), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=CHECKOUT / "functions", capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("module", LIGHT)
def test_reads_and_deletions_load_no_pydantic_and_no_ulid(module: str) -> None:
    assert not loaded_by(module) & {"pydantic", "pydantic_core", "ulid", "incidents.domain.payloads"}


@pytest.mark.parametrize("module", ALL)
def test_no_function_loads_what_it_has_no_use_for(module: str) -> None:
    router = "aws_lambda_powertools.event_handler"
    assert not loaded_by(module) & {"boto3", "s3transfer", "aws_xray_sdk", "jwt", "moto", router}


def test_the_domain_and_the_adapters_load_no_aws() -> None:
    domain = sorted(path.stem for path in (CHECKOUT / "functions" / "incidents" / "domain").glob("[a-z]*.py"))
    pure = [f"incidents.domain.{name}" for name in domain if name != "payloads"]  # which alone loads pydantic
    assert len(pure) > 8
    assert not loaded_by(", ".join([*pure, "incidents.findings"])) & {"botocore", "aws_lambda_powertools", "pydantic"}
    assert not loaded_by("incidents.domain.payloads") & {"botocore", "aws_lambda_powertools"}
