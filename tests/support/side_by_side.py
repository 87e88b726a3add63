"""Distributes the tests over three processes.

One process runs all modules that use the local stack, and the other two run all other modules. The first process mostly
waits, so two cores are enough for three processes. All tests of a module run in one process. So the module's fixtures
are made only once, and a test can use values that earlier tests recorded. The groups of xdist itself would do the same,
but pytest 9.2 loses them (xdist 3.8).
"""

import re
from functools import cache

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support.templates import CHECKOUT

PROCESSES = 3
QUICK = [str(CHECKOUT / "tests" / suite) for suite in ("unit", "agreements", "client")]


def ask_for_them(config: pytest.Config) -> None:
    """Set xdist's options if all tests or the quick tests run, and nobody has chosen the number of processes."""
    option = config.option
    many = option.quick or config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if option.quick:
        config.args = QUICK
    if option.numprocesses is None and many and not option.usepdb and not hasattr(config, "workerinput"):
        option.numprocesses = PROCESSES
    if option.numprocesses and option.dist == "no":
        option.dist = "loadscope"
    option.loadscopereorder = False  # keeps the order that the function sort gives the tests


@cache
def uses_the_stack(module: str) -> bool:
    return re.search(r"\bstack: Checkout\b|\bpool: Pool\b", (CHECKOUT / module).read_text()) is not None


def sort(items: list[pytest.Item]) -> None:
    """Put the tests that use the stack first, because they take longest."""
    items.sort(key=lambda item: not uses_the_stack(str(item.path)))


class OneForTheStack(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return "the stack" if uses_the_stack(module) else module
