"""Imports point down, in the functions and in the command: from room to room, without a circle, nothing hidden."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.templates import CHECKOUT

SERVICES = "services"
"""What stands at the root of the package ``incidents``, and its package ``commands``."""


class House(NamedTuple):
    """A tree of modules. ``floors`` are its rooms from the top down; rooms on one floor import nothing of each other.

    ``figure``: what a line with a hidden import must say to be one that a measured start needs.
    """

    root: Path
    package: str
    floors: tuple[tuple[str, ...], ...]
    figure: str | None

    def modules(self) -> dict[str, str]:
        """Return the text of each module, by its dotted name."""
        return {
            ".".join(path.relative_to(self.root).with_suffix("").parts).removesuffix(".__init__"): path.read_text()
            for path in sorted(self.root.rglob("*.py"))
        }

    def room(self, module: str) -> str:
        """Return the room that a module is in."""
        package, _, rest = module.partition(".")
        if package != self.package:
            return "handlers"
        name = rest.partition(".")[0]
        return name if any(name in floor for floor in self.floors) else SERVICES

    def floor(self, module: str) -> int:
        return next(n for n, rooms in enumerate(self.floors) if self.room(module) in rooms)


FUNCTIONS = House(
    CHECKOUT / "functions",
    "incidents",
    (("handlers",), ("edges",), (SERVICES,), ("findings",), ("storage",), ("runtime",), ("domain",)),
    None,
)
COMMAND = House(
    CHECKOUT / "infra" / "cli",
    "incidents_cli",
    (("main",), ("operate", "documents"), ("local",), ("console",), (SERVICES,)),
    r"[0-9] (ms|s)\b",
)
HOUSES = (FUNCTIONS, COMMAND)
HEAVY = {"pydantic", "boto3", "botocore.session", "matplotlib", "grc_client", "ulid"}
each_house = pytest.mark.parametrize("house", HOUSES, ids=lambda house: house.package)


class Import(NamedTuple):
    """An import of one of a house's modules by another; ``line`` where it stands inside a function, else 0."""

    importer: str
    imported: str
    line: int


def imports(modules: Mapping[str, str]) -> Iterator[Import]:
    """Yield every import of a module by another, but for those that only a type checker follows."""
    for name, text in modules.items():
        tree = ast.parse(text)
        is_package = any(other.startswith(f"{name}.") for other in modules)
        package = name if is_package else name.rpartition(".")[0]
        for_types = {id(node) for block in ast.walk(tree) if _is_for_types(block) for node in ast.walk(block)}
        inside = {
            id(node): node.lineno
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        for node in ast.walk(tree):
            if id(node) not in for_types:
                for imported in _named(node, package, modules):
                    yield Import(name, imported, inside.get(id(node), 0))


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _named(node: ast.AST, package: str, modules: Mapping[str, str]) -> set[str]:
    match node:
        case ast.Import(names=names):
            return {alias.name for alias in names} & set(modules)
        case ast.ImportFrom(module=module, names=names, level=level):
            above = package.split(".")[: len(package.split(".")) - level + 1] if level else []
            base = ".".join([*above, *filter(None, [module])])
            members = {f"{base}.{alias.name}" for alias in names} & set(modules)
            return members or {base} & set(modules)
    return set()


def faults(house: House, modules: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the imports of a house's modules, a line each."""
    wrong = []
    below: dict[str, set[str]] = {}
    for importer, imported, line in imports(modules):
        down = house.floor(imported) - house.floor(importer)
        if down < 0 or (down == 0 and house.room(imported) != house.room(importer)):
            wrong.append(f"{importer} imports up: {imported}")
        if line and not (house.figure and re.search(house.figure, _around(modules[importer], line))):
            wrong.append(f"{importer} hides an import of {imported} at line {line}")
        below.setdefault(importer, set()).add(imported)
    try:
        TopologicalSorter(below).prepare()
    except CycleError as error:
        wrong.append(f"a circle: {' -> '.join(error.args[1])}")
    return wrong


def _around(text: str, line: int) -> str:
    """Return a line and the two above it: imports of one function share a figure."""
    return "\n".join(text.splitlines()[max(0, line - 3) : line])


@each_house
def test_imports_point_down(house: House) -> None:
    modules = house.modules()
    assert {house.room(name) for name in modules} == {room for floor in house.floors for room in floor}
    assert len(list(imports(modules))) > 60, "this test sees them"
    assert faults(house, modules) == []


@pytest.mark.parametrize(
    ("house", "module", "planted", "fault"),
    [
        (FUNCTIONS, "incidents.domain.model", "from ..storage import keys", "incidents.domain.model imports up"),
        (FUNCTIONS, "incidents.storage.keys", "import incidents.edges.http", "incidents.storage.keys imports up"),
        (FUNCTIONS, "incidents.intake", "from .edges.request import Request", "incidents.intake imports up"),
        (FUNCTIONS, "incidents.domain.errors", "from .model import Incident", "a circle"),
        (FUNCTIONS, "incidents.queries", "def f():\n    from .domain import payloads", "incidents.queries hides"),
        (COMMAND, "incidents_cli.local.sam", "from ..operate import explain", "incidents_cli.local.sam imports up"),
        (COMMAND, "incidents_cli.operate.explain", "from ..documents import costs", "incidents_cli.operate.explain im"),
        (COMMAND, "incidents_cli.local.sam", "def f():\n    from . import routes", "incidents_cli.local.sam hides"),
    ],
)
def test_a_planted_arrow_is_seen(house: House, module: str, planted: str, fault: str) -> None:
    modules = house.modules()
    modules[module] += f"\n{planted}\n"
    assert any(line.startswith(fault) for line in faults(house, modules)), faults(house, modules)


@each_house
def test_each_room_says_what_is_in_it(house: House) -> None:
    for folder in (path.parent for path in (house.root / house.package).rglob("__init__.py")):
        said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
        for path in folder.iterdir():
            if path.suffix == ".py" and path.stem != "__init__":
                assert f"``{path.stem}``" in said, f"{folder.name}/__init__.py leaves out {path.stem}"
            if (path / "__init__.py").exists():
                assert f"``{path.name}``" in said, f"{folder.name}/__init__.py leaves out {path.name}"


def test_a_command_that_needs_none_of_it_loads_nothing_heavy() -> None:
    script = "import sys, incidents_cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
