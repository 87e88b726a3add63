"""Tests that the committed console equals a new build of its source. They need node, and `npm ci`."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import templates

SOURCE = templates.CHECKOUT / "infra" / "console"
BUNDLE = templates.CHECKOUT / "infra" / "functions" / "console"
OWN = {"get_console.py", "constant_text.py", "requirements.txt"}


def run(*command: str) -> str:
    if shutil.which("node") is None or not (SOURCE / "node_modules").exists():
        pytest.skip("The console's packages are not installed: cd infra/console && npm ci --ignore-scripts")
    done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_committed_bundle_is_what_a_new_build_makes(tmp_path: Path) -> None:
    run("node", "build.mjs", str(tmp_path))
    made = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    committed = {file.name: file.read_bytes() for file in BUNDLE.iterdir() if file.is_file() and file.name not in OWN}
    assert made == committed, "run: cd infra/console && npm run build"


def test_the_types_are_those_of_the_openapi_document(tmp_path: Path) -> None:
    made = tmp_path / "openapi.d.ts"
    run("npx", "openapi-typescript", "../functions/documentation/openapi.json", "--output", str(made))
    assert made.read_text() == (SOURCE / "src" / "openapi.d.ts").read_text(), "run: cd infra/console && npm run types"
    bounds = tmp_path / "bounds.ts"
    run("node", "bounds.mjs", str(bounds))
    assert bounds.read_text() == (SOURCE / "src" / "bounds.ts").read_text(), "run: cd infra/console && npm run types"


def test_the_source_compiles_in_strict_mode() -> None:
    run("npx", "tsc", "--noEmit")
