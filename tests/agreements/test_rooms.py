"""The rooms of the command `incidents`: imports point down, as its ``__init__`` draws them."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter

import pytest

from tests.support.templates import CHECKOUT

ROOT = CHECKOUT / "infra" / "cli"
FLOORS = {"main": 3, "operate": 2, "documents": 2, "local": 1, "console": 0}
HEAVY = {"pydantic", "boto3", "botocore.session", "matplotlib", "grc_client", "ulid"}


def modules() -> dict[str, ast.Module]:
    paths = sorted(ROOT.rglob("incidents_cli/**/*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text()) for path in paths}


MODULES = modules()


def imported_by(module: str) -> Iterator[str]:
    """Yield the command's own modules that a module imports, also inside its functions."""
    package = module.rpartition(".")[0]
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
            named = f"{base}.{node.module}" if node.module else base
            for alias in node.names:
                inner = f"{named}.{alias.name}"
                yield next(name for name in (inner, f"{inner}.__init__", named, f"{named}.__init__") if name in MODULES)


def room(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    for name in imported_by(module):
        assert room(name) == room(module) or FLOORS[room(name)] < FLOORS[room(module)], name


def test_there_is_no_circle() -> None:
    assert [*TopologicalSorter({module: set(imported_by(module)) for module in MODULES}).static_order()]


@pytest.mark.parametrize("module", [name for name in MODULES if name.endswith("__init__")])
def test_each_room_says_what_is_in_it(module: str) -> None:
    package = module.removesuffix(".__init__")
    inside = {name.removeprefix(f"{package}.").split(".")[0] for name in MODULES if name.startswith(f"{package}.")}
    for name in inside - {"__init__"}:
        assert f"``{name}``" in (ast.get_docstring(MODULES[module]) or ""), name


def test_a_command_that_needs_none_of_it_loads_nothing_heavy() -> None:
    script = "import sys, incidents_cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
