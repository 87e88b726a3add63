"""Runs the linters on every template as it is, and on variants in which each condition is true or false.

The command is `uv run python -m tests.support.lint`.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support import rendered, templates

CHECKOV = "checkov@3.3.30"

# These two checks require a customer's KMS key for logs and secrets. Without such a key, the AWS services use their own
# keys. The customer's key is an optional parameter, as for the table.
WITHOUT_A_KEY = {"CKV_AWS_149", "CKV_AWS_158"}


def main() -> None:
    with TemporaryDirectory(prefix="rendered-") as folder, ThreadPoolExecutor() as both:
        decided = rendered.write(Path(folder))
        if len(decided) < 14:
            sys.exit(f"There are {len(decided)} templates with decided conditions, and there should be 14 or more.")
        files = [str(path) for path in (*rendered.PATHS, *decided)]
        found = list(both.map(lambda lint: lint(files), (cfn_lint, checkov)))
    for complaint in filter(None, found):
        sys.stderr.write(f"{complaint}\n")
    if any(found):
        sys.exit(1)
    sys.stdout.write(f"cfn-lint and checkov find nothing in {len(files)} templates.\n")


def cfn_lint(files: list[str]) -> str:
    done = _run(str(Path(sys.executable).with_name("cfn-lint")), "--", *files)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def checkov(files: list[str]) -> str:
    done = _run("uvx", CHECKOV, "--config-file", ".ci/checkov.yaml", "-o", "json", "-f", *files)
    try:
        report: Any = json.loads(done.stdout)
    except ValueError:
        return f"checkov printed no valid JSON:\n{done.stdout}{done.stderr}"
    summary = report["summary"]
    failed = [
        f"{one['check_id']} {one['check_name']}: {one['resource']} in {one['file_path']}"
        for one in report["results"]["failed_checks"]
        if one["check_id"] not in WITHOUT_A_KEY or rendered.KEYLESS not in one["file_path"]
    ]
    if summary["parsing_errors"]:
        failed.append(f"checkov could not read {report['results'].get('parsing_errors', summary)}.")
    if summary["passed"] <= 700:
        failed.append(f"Only {summary['passed']} checks of checkov passed: it has not seen all templates.")
    return "\n".join(failed)


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"CKV_PARSE_ERROR_FAIL": "true"}
    return subprocess.run(command, cwd=templates.CHECKOUT, env=environment, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    main()
