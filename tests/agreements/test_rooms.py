"""Tests that a module imports only from its own room or from lower rooms, in the functions and in the command.

Also tests that there are no circular imports and no hidden imports. A hidden import is an import inside a function.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.templates import CHECKOUT

SERVICES = "services"
"""The name of the room for the modules at the root of ``incidents`` and in ``incidents.commands``."""


class House(NamedTuple):
    """A tree of modules with its rooms.

    ``floors`` lists the rooms from the top floor down. Rooms on the same floor must not import from each other.
    ``figure`` is a pattern for the measured time that a hidden import saves at a start. The pattern must match a part
    of the hidden import's line. If ``figure`` is None, every hidden import is forbidden.
    """

    root: Path
    package: str
    floors: tuple[tuple[str, ...], ...]
    figure: str | None

    def modules(self) -> dict[str, str]:
        """Return the text of each module, by the module's dotted name."""
        return {
            ".".join(path.relative_to(self.root).with_suffix("").parts).removesuffix(".__init__"): path.read_text()
            for path in sorted(self.root.rglob("*.py"))
        }

    def room(self, module: str) -> str:
        """Return the room of a module."""
        package, _, rest = module.partition(".")
        if package != self.package:
            return "handlers"
        name, _, inner = rest.partition(".")
        if any(name in floor for floor in self.floors):
            return name
        return SERVICES if not inner or name == "commands" else name

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
    """An import of one module of a house by another module of the same house.

    ``line`` is the line of an import inside a function. It is 0 for any other import.
    """

    importer: str
    imported: str
    line: int


def imports(modules: Mapping[str, str]) -> Iterator[Import]:
    """Yield every import of a module by another module, except imports for type checkers only."""
    for name, text in modules.items():
        is_package = any(other.startswith(f"{name}.") for other in modules)
        package = name if is_package else name.rpartition(".")[0]
        for node, line in _statements(text):
            for imported in _named(node, package, modules):
                yield Import(name, imported, line)


@cache
def _statements(text: str) -> list[tuple[ast.AST, int]]:
    """Return the import statements of a module with their lines inside a function, or 0 for any other import."""
    tree = ast.parse(text)
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for statement in block.body
        for node in ast.walk(statement)
    }
    inside = {
        id(node): node.lineno
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    return [
        (node, inside.get(id(node), 0))
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in for_types
    ]


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
    """Return the forbidden imports between the modules of a house, one line each."""
    wrong = []
    below: dict[str, set[str]] = {}
    for importer, imported, line in imports(modules):
        down = house.floor(imported) - house.floor(importer)
        if down < 0 or (down == 0 and house.room(imported) != house.room(importer)):
            wrong.append(f"{importer} imports up: {imported}")
        if line and not (house.figure and re.search(house.figure, _line(modules[importer], line))):
            wrong.append(f"{importer} hides an import of {imported} at line {line}")
        below.setdefault(importer, set()).add(imported)
    try:
        TopologicalSorter(below).prepare()
    except CycleError as error:
        wrong.append(f"a circle: {' -> '.join(error.args[1])}")
    return wrong


def forbidden(room: str, text: str) -> set[str]:
    """Return the forbidden names in a module of the functions.

    In every room, other ways to import a module are forbidden. In the rooms ``domain`` and ``findings``, clocks, ``os``
    and ``random`` are forbidden too.
    """
    nodes = list(ast.walk(ast.parse(text)))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    members = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = [node for function in functions for node in ast.walk(function)]
    hidden = {ast.unparse(node) for node in inside if isinstance(node, ast.Import | ast.ImportFrom)}
    found = hidden | (imported & {"importlib", "incidents_cli"}) | (names & {"__import__"})
    if room in ("domain", "findings"):
        found |= (imported & {"time", "os", "random"}) | (members & {"now", "today", "utcnow"})
    return found


def _line(text: str, line: int) -> str:
    return text.splitlines()[line - 1]


@each_house
def test_modules_import_only_from_lower_rooms(house: House) -> None:
    modules = house.modules()
    assert {house.room(name) for name in modules} == {room for floor in house.floors for room in floor}
    assert len(list(imports(modules))) > 60, "the test must find the imports"
    assert faults(house, modules) == []


def test_the_functions_have_no_hidden_import_and_the_domain_reads_no_clock() -> None:
    wrong = {name: forbidden(FUNCTIONS.room(name), text) for name, text in FUNCTIONS.modules().items()}
    assert {name: names for name, names in wrong.items() if names} == {}


@pytest.mark.parametrize(
    "planted",
    [
        "import time",
        "from datetime import datetime\ndatetime.now()",
        "import importlib",
        "def f():\n    import pydantic",
    ],
)
def test_a_planted_forbidden_name_in_the_domain_is_found(planted: str) -> None:
    assert forbidden("domain", planted)


@pytest.mark.parametrize(
    ("house", "module", "planted", "fault"),
    [
        (FUNCTIONS, "incidents.domain.model", "from ..storage import keys", "incidents.domain.model imports up"),
        (FUNCTIONS, "incidents.storage.keys", "import incidents.edges.http", "incidents.storage.keys imports up"),
        (FUNCTIONS, "incidents.intake", "from .edges.request import Request", "incidents.intake imports up"),
        (FUNCTIONS, "incidents.domain.errors", "from .model import Incident", "a circle"),
        (FUNCTIONS, "incidents.queries", "def f():\n    from .domain import payloads", "incidents.queries hides"),
        (FUNCTIONS, "incidents.queries", "async def f():\n    from .domain import payloads", "incidents.queries hides"),
        (COMMAND, "incidents_cli.local.sam", "from ..operate import explain", "incidents_cli.local.sam imports up"),
        (COMMAND, "incidents_cli.operate.explain", "from ..documents import costs", "incidents_cli.operate.explain im"),
        (COMMAND, "incidents_cli.local.sam", "def f():\n    from . import routes", "incidents_cli.local.sam hides"),
    ],
)
def test_a_planted_wrong_import_is_found(house: House, module: str, planted: str, fault: str) -> None:
    modules = house.modules()
    modules[module] += f"\n{planted}\n"
    assert any(line.startswith(fault) for line in faults(house, modules)), faults(house, modules)


def test_an_unknown_folder_is_a_room_of_its_own_without_a_floor() -> None:
    assert FUNCTIONS.room("incidents.helpers.text") == "helpers"
    assert FUNCTIONS.room("incidents.commands.creating") == FUNCTIONS.room("incidents.intake") == SERVICES


@each_house
def test_each_room_s_docstring_names_its_modules(house: House) -> None:
    for folder in (path.parent for path in (house.root / house.package).rglob("__init__.py")):
        said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
        for path in folder.iterdir():
            if path.suffix == ".py" and path.stem != "__init__":
                assert f"``{path.stem}``" in said, f"{folder.name}/__init__.py does not name {path.stem}"
            if (path / "__init__.py").exists():
                assert f"``{path.name}``" in said, f"{folder.name}/__init__.py does not name {path.name}"


def test_the_command_line_loads_no_heavy_library_at_its_start() -> None:
    script = "import sys, incidents_cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
