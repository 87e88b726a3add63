"""Tests that the artifact gets exactly the packages of uv.lock, checked by hash.

Also tests that every waiver has a reason.
"""

import os
import re
import subprocess
import tomllib

from tests.support.templates import CHECKOUT, read

REQUIREMENTS = CHECKOUT / "functions" / "requirements.txt"
EXPORT = ("export", "--frozen", "--no-dev", "--no-emit-project")


def without_comments(requirements: str) -> list[str]:
    """Return the requirements, each on one line with its hashes.

    uv's comments are removed, because they may change with uv's version.
    """
    lines = [line for line in requirements.splitlines() if not line.lstrip().startswith("#")]
    return "\n".join(lines).replace("\\\n", "").splitlines()


def test_the_requirements_are_the_export_of_the_lock() -> None:
    uv = os.environ.get("UV", "uv")  # `uv run` sets the variable UV
    done = subprocess.run([uv, *EXPORT], cwd=CHECKOUT, capture_output=True, text=True, check=True)

    made_by = f"uv {' '.join(EXPORT)} --output-file functions/requirements.txt"
    assert made_by in REQUIREMENTS.read_text(), "the file must contain the command that makes it"
    assert without_comments(REQUIREMENTS.read_text()) == without_comments(done.stdout), f"run: {made_by}"


def test_every_requirement_is_one_version_with_hashes() -> None:
    requirements = without_comments(REQUIREMENTS.read_text())
    assert requirements
    for requirement in requirements:
        assert re.fullmatch(r"[a-z0-9-]+==\S+( ; [^;]+?)?( +--hash=sha256:[0-9a-f]{64})+ *", requirement), requirement


def test_the_documentation_s_viewer_has_the_locked_version() -> None:
    (viewer,) = without_comments((CHECKOUT / "infra" / "functions" / "documentation" / "requirements.txt").read_text())
    assert viewer in [line.rstrip() for line in without_comments(REQUIREMENTS.read_text())]


def test_the_build_refuses_a_package_without_a_hash() -> None:
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["uv"]["pip"]
    assert settings == {"require-hashes": True, "no-build": True, "no-deps": True}


def test_the_lock_names_only_the_public_index() -> None:
    lock = (CHECKOUT / "uv.lock").read_text()
    assert set(re.findall(r'registry = "([^"]+)"', lock)) == {"https://pypi.org/simple"}
    assert set(re.findall(r'url = "(https?://[^/]+)/', lock)) == {"https://files.pythonhosted.org"}


def test_ci_checks_code_and_templates_as_contributing_says() -> None:
    told = set(re.findall(r"^\| `(.+?)` \|", (CHECKOUT / "CONTRIBUTING.md").read_text(), re.MULTILINE))
    done = {line.strip() for line in (CHECKOUT / ".ci" / "run").read_text().splitlines()}
    assert {
        "uv run python -m tests.support.lint",
        "uv run python -m tests.client.checked",
        "uv run pytest",
    } <= told & done
    assert {"uv run ruff check", "uv run mypy"} <= done


def test_every_waiver_has_a_reason() -> None:
    for template in (CHECKOUT / "template.yaml", *CHECKOUT.glob("infra/*.yaml")):
        for waiver in re.findall(r"checkov:skip=.*", template.read_text()):
            assert re.fullmatch(r"checkov:skip=CKV\w+:\w.{9,}", waiver), f"{template.name}: {waiver}"


def test_the_test_workflow_may_only_read_and_runs_only_ci_run() -> None:
    text = (CHECKOUT / ".github" / "workflows" / "ci.yaml").read_text()
    workflow = read(CHECKOUT / ".github" / "workflows" / "ci.yaml")
    (job,) = workflow["jobs"].values()
    assert workflow["permissions"] == {"contents": "read"}
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert job["timeout-minutes"] <= 40
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", one) for one in re.findall(r"uses: (.+)", text))
    example = (CHECKOUT / "infra" / "delivery" / "github-actions.yaml").read_text()
    assert set(re.findall(r"uses: (.+)", text)) <= set(re.findall(r"uses: (.+)", example))
