"""Three processes for the whole suite: one for whatever uses the local stack, two for every other module.

The first waits most of the time, so that two cores do for three.
A module stays in one process: what its fixtures make, and what its tests remember for the last one, is made once.
xdist's own groups would do the same, were they not lost with pytest 9.2 (xdist 3.8).
"""

import re
from functools import cache

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support.templates import CHECKOUT

PROCESSES = 3
QUICK = [str(CHECKOUT / "tests" / suite) for suite in ("unit", "agreements", "client")]


def ask_for_them(config: pytest.Config) -> None:
    """Set xdist's options where all tests are to run, or the quick ones, and nobody said in how many processes."""
    option = config.option
    many = option.quick or config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if option.quick:
        config.args = QUICK
    if option.numprocesses is None and many and not option.usepdb and not hasattr(config, "workerinput"):
        option.numprocesses = PROCESSES
    if option.numprocesses and option.dist == "no":
        option.dist = "loadscope"
    option.loadscopereorder = False  # as they are sorted here


@cache
def uses_the_stack(module: str) -> bool:
    return re.search(r"\bstack: Checkout\b|\bpool: Pool\b", (CHECKOUT / module).read_text()) is not None


def sort(items: list[pytest.Item]) -> None:
    """Let those of the stack begin first: they take longest."""
    items.sort(key=lambda item: not uses_the_stack(str(item.path)))


class OneForTheStack(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return "the stack" if uses_the_stack(module) else module
