"""Tests of the client's packages in an empty environment outside the repository.

The environment installs the wheel. Then it runs the client's own tests (client/tests) on the local stack, and the tests
without a network (tests/client).

The tests run with the oldest libraries that the client accepts, and with the newest.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support import documents
from tests.support.checkout import Checkout
from tests.support.templates import CHECKOUT

TWINE = "twine==7.0.0"
UV = os.environ.get("UV", "uv")
LEFT_OUT = ("GRC_", "PYTEST_", "PYTHON", "VIRTUAL_ENV")  # the tests remove the variables with these beginnings
INSTALLED = """
import importlib.util, json, grc_client, httpx2, pydantic
print(json.dumps([pydantic.VERSION, httpx2.__version__, grc_client.__file__, importlib.util.find_spec("httpx")]))
"""


def run(*command: str | Path, cwd: Path, **more: str) -> str:
    """Run a command outside the repository, without settings of this environment, and return its output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
    done = subprocess.run(command, cwd=cwd, env=kept | more, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution, and build the wheel from the source distribution; return the folder of both."""
    folder = tmp_path_factory.mktemp("dist")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    shutil.copytree(CHECKOUT / "client", folder / "client", ignore=ignored)
    run(UV, "build", "-q", "--out-dir", folder, "client", cwd=folder)
    return folder


def test_the_index_would_accept_the_packages(dist: Path) -> None:
    wheel, source = (str(next(dist.glob(pattern))) for pattern in ("*.whl", "*.tar.gz"))

    said = run("uvx", "--from", TWINE, "twine", "check", "--strict", wheel, source, cwd=dist)

    assert said.count("PASSED") == 2
    assert f"uvx {TWINE.replace('==', '@')} check --strict" in documents.PAGES["runbooks/publish-client.md"]


def test_the_source_distribution_has_every_file_of_the_client(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        packed = {Path(*Path(name).parts[1:]) for name in archive.getnames()}
    ours = subprocess.run(["git", "ls-files"], cwd=CHECKOUT / "client", capture_output=True, text=True, check=True)
    assert {Path(name) for name in ours.stdout.splitlines()} <= packed


@pytest.fixture(scope="module")
def tested(stack: Checkout, dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Yield a function that returns the output of the client's tests with libraries of one age.

    The tests with the oldest and with the newest libraries run at the same time.
    """
    wheel = next(dist.glob("*.whl"))

    def test(age: str) -> str:
        folder = tmp_path_factory.mktemp(age)
        python = folder / "venv" / "bin" / "python"
        resolution = {"oldest": "lowest-direct", "newest": "highest"}[age]
        run(UV, "venv", "-q", "--python", sys.executable, "venv", cwd=folder)
        run(UV, "pip", "install", "-q", "--python", python, "--only-binary", ":all:", "--resolution", resolution,
            wheel, "pydantic", "httpx2", f"pytest=={version('pytest')}", cwd=folder)  # fmt: skip
        with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
        (source,) = folder.glob("grc_client-*")
        for path in (CHECKOUT / "tests" / "client").glob("test_*.py"):
            shutil.copy(path, source / "tests")
        installed = run(python, "-c", INSTALLED, cwd=folder)
        return installed + run(
            python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", source, source / "tests", cwd=folder,
            GRC_BASE_URL=stack.status["api_url"], GRC_TOKEN=stack.token(f"client-{age}"),
        )  # fmt: skip

    with ThreadPoolExecutor() as pool:
        running: dict[str, Future[str]] = {age: pool.submit(test, age) for age in ("oldest", "newest")}
        yield lambda age: running[age].result()


@pytest.mark.parametrize("age", ["oldest", "newest"])
def test_the_wheel_alone_passes_the_client_s_tests(tested: Callable[[str], str], age: str, stack: Checkout) -> None:
    installed, *_, last = tested(age).splitlines()

    pydantic, httpx2, module, httpx = json.loads(installed)
    assert "site-packages" in Path(module).parts
    assert httpx is None, "the client must not need httpx"
    if age == "oldest" and sys.version_info < (3, 13):  # newer versions of Python need a newer pydantic
        declared = tomllib.loads((CHECKOUT / "client" / "pyproject.toml").read_text())["project"]["dependencies"]
        assert declared == [f"httpx2>={httpx2.removesuffix('.0.0')}", f"pydantic>={pydantic.removesuffix('.0')}"]
    assert " passed" in last
    assert "skipped" not in last
    assert "failed" not in last
