"""Imports point down: from room to room, without a circle, and at the top of a module."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import pytest

from tests.support.templates import CHECKOUT

FUNCTIONS = CHECKOUT / "functions"
FLOORS = ("handlers", "edges", "services", "findings", "storage", "runtime", "domain")
"""From the top down, as ``incidents/__init__.py`` draws them."""


class Import(NamedTuple):
    """One import of ours, from a module to a module; ``line`` is 0 unless it stands inside a function."""

    importer: str
    imported: str
    hidden_at: int


def sources() -> dict[str, str]:
    """Return the text of each module below functions/, by its dotted name."""
    return {
        ".".join(path.relative_to(FUNCTIONS).with_suffix("").parts).removesuffix(".__init__"): path.read_text()
        for path in sorted(FUNCTIONS.rglob("*.py"))
    }


def floor(module: str) -> str:
    """Return the floor that a module is on."""
    if not module.startswith("incidents"):
        return "handlers"
    room = (*module.split("."), "")[1]
    return room if room in FLOORS else "services"


def imports(modules: Mapping[str, str]) -> Iterator[Import]:
    """Yield every import of one of these modules by another, but for those that only a type checker follows."""
    for name, text in modules.items():
        tree = ast.parse(text)
        package = name if any(other.startswith(f"{name}.") for other in modules) else name.rpartition(".")[0]
        unseen = {id(node) for block in ast.walk(tree) if _is_for_types(block) for node in ast.walk(block)}
        inside = {
            id(node): node.lineno
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        for node in ast.walk(tree):
            if id(node) not in unseen:
                for imported in _named(node, package, modules):
                    yield Import(name, imported, inside.get(id(node), 0))


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _named(node: ast.AST, package: str, modules: Mapping[str, str]) -> set[str]:
    match node:
        case ast.Import(names=names):
            return {alias.name for alias in names if alias.name in modules}
        case ast.ImportFrom(module=module, names=names, level=level):
            above = package.split(".")[: len(package.split(".")) - level + 1] if level else []
            base = ".".join([*above, *filter(None, [module])])
            members = {f"{base}.{alias.name}" for alias in names}
            return (members & set(modules)) or ({base} & set(modules))
    return set()


def faults(modules: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the imports of these modules, a line each."""
    found = list(imports(modules))
    wrong = [
        f"{one.importer} imports up: {one.imported}"
        for one in found
        if FLOORS.index(floor(one.importer)) > FLOORS.index(floor(one.imported))
    ]
    wrong += [
        f"{one.importer} hides an import of {one.imported} at line {one.hidden_at}" for one in found if one.hidden_at
    ]
    below: dict[str, set[str]] = {}
    for one in found:
        below.setdefault(one.importer, set()).add(one.imported)
    try:
        TopologicalSorter(below).prepare()
    except CycleError as error:
        wrong.append(f"a circle: {' -> '.join(error.args[1])}")
    return wrong


def test_imports_point_down() -> None:
    modules = sources()
    assert {floor(name) for name in modules} == set(FLOORS)
    assert len(list(imports(modules))) > 200, "this test sees them"
    assert faults(modules) == []


@pytest.mark.parametrize(
    ("module", "planted", "fault"),
    [
        ("incidents.domain.model", "from ..storage import keys", "incidents.domain.model imports up"),
        ("incidents.storage.keys", "import incidents.edges.http", "incidents.storage.keys imports up"),
        ("incidents.intake", "from .edges.request import Request", "incidents.intake imports up"),
        ("incidents.domain.errors", "from .model import Incident", "a circle"),
        (
            "incidents.queries",
            "def late() -> None:\n    from .domain import payloads",
            "incidents.queries hides an import",
        ),
    ],
)
def test_a_planted_arrow_is_seen(module: str, planted: str, fault: str) -> None:
    modules = sources()
    modules[module] += f"\n{planted}\n"
    assert any(line.startswith(fault) for line in faults(modules)), faults(modules)


def test_the_map_in_the_package_names_every_room() -> None:
    text = (FUNCTIONS / "incidents" / "__init__.py").read_text()
    rooms = [
        path.name for path in (FUNCTIONS / "incidents").iterdir() if path.is_dir() and (path / "__init__.py").exists()
    ]
    assert {"edges", "findings", "storage", "runtime", "domain"} <= set(rooms)
    assert all(f"``{room}``" in text for room in rooms)
    for room in ("edges", "storage", "runtime", "domain"):
        listed = (FUNCTIONS / "incidents" / room / "__init__.py").read_text()
        for path in (FUNCTIONS / "incidents" / room).glob("[a-z]*.py"):
            assert f"``{path.stem}``" in listed, f"{room}/__init__.py leaves out {path.stem}"
