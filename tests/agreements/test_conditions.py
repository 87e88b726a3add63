"""The templates are sound whichever of their conditions hold: linted with all, with none, and with every other one."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import rendered, templates

PATHS = [templates.CHECKOUT / "template.yaml", *sorted((templates.CHECKOUT / "infra").glob("*.yaml"))]
CHECKOV = re.search(r"uvx (checkov@[\d.]+)", (templates.CHECKOUT / ".ci" / "run").read_text())

# A customer's key for logs and secrets: whoever brings none has the services' own. It is a parameter, as for the table.
WITHOUT_A_KEY = {"CKV_AWS_149", "CKV_AWS_158"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("rendered")
    for path in PATHS:
        for n, (truth, template) in enumerate(rendered.every_way(path)):
            key = "" if truth.get("HasKmsKey", True) else "-keyless"
            (made / f"{path.stem}-{n}{key}.json").write_text(json.dumps(template))
    return made


def run(*command: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=templates.CHECKOUT, env=os.environ | more, capture_output=True, text=True, check=False
    )


def test_every_condition_is_tried_both_ways() -> None:
    for path in PATHS:
        ways = list(rendered.every_way(path))
        assert all("Fn::If" not in json.dumps(template) for _, template in ways)
        for condition in templates.read(path).get("Conditions", {}):
            assert {truth[condition] for truth, _ in ways} == {True, False}, condition


def test_cfn_lint_finds_nothing(folder: Path) -> None:
    files = [str(path) for path in sorted(folder.iterdir())]
    assert len(files) >= 14
    # A parameter that only a condition asks for is unused once the conditions are decided. What is named here takes the
    # place of what a template says of itself, which is template.yaml's W3011.
    done = run("uv", "run", "cfn-lint", "--ignore-checks", "W2001", "W3011", "--", *files)
    assert done.returncode == 0, done.stdout


def test_checkov_finds_nothing(folder: Path) -> None:
    assert CHECKOV is not None
    done = run(
        "uvx", CHECKOV[1], "--config-file", ".ci/checkov.yaml", "-d", str(folder), "-o", "json",
        CKV_PARSE_ERROR_FAIL="true",
    )  # fmt: skip
    report: Any = json.loads(done.stdout)
    summary = report["summary"]
    failed = [
        (one["check_id"], one["resource"], one["file_path"])
        for one in report["results"]["failed_checks"]
        if one["check_id"] not in WITHOUT_A_KEY or "-keyless" not in one["file_path"]
    ]
    assert (failed, summary["parsing_errors"]) == ([], 0)
    assert summary["passed"] > 400
