"""Tests of the names in the tests.

No class has the name of a product class, and each test's name is short enough to read.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.support.templates import CHECKOUT

PRODUCT = [CHECKOUT / "functions", CHECKOUT / "infra", CHECKOUT / "client" / "src"]
TESTS = CHECKOUT / "tests"
CLIENT_TESTS = CHECKOUT / "client" / "tests"
PEERS = TESTS / "benchmarks" / "peers"  # the peers implement the same API with the product's names
LONGEST = 90


def nodes(*folders: Path) -> Iterator[tuple[Path, ast.AST]]:
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            if PEERS not in path.parents:
                for node in ast.walk(ast.parse(path.read_text())):
                    yield path, node


def classes(*folders: Path) -> list[tuple[str, Path]]:
    return [(node.name, path) for path, node in nodes(*folders) if isinstance(node, ast.ClassDef)]


def test_no_class_of_the_tests_has_the_name_of_a_product_class() -> None:
    taken = {name for name, _ in classes(*PRODUCT)}
    assert {"Incident", "IncidentRepository", "Client", "Stack"} <= taken
    assert [(name, str(path)) for name, path in classes(TESTS, CLIENT_TESTS) if name in taken] == []


def test_shared_classes_of_the_tests_have_different_names() -> None:
    shared = [name for name, path in classes(TESTS) if not path.name.startswith("test_")]
    assert [name for name, times in Counter(shared).items() if times > 1] == []


def test_the_name_of_a_test_has_at_most_90_characters() -> None:
    functions = [
        node.name for _, node in nodes(TESTS, CLIENT_TESTS) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    tests = [name for name in functions if name.startswith("test_")]
    assert len(tests) > 600
    assert [name for name in tests if len(name) > LONGEST] == []
