"""Distributes the tests over four processes.

Three processes begin with a local stack each, and one begins with the other modules. The tests of a stack mostly wait,
so two cores are enough for four processes. All tests of a module run in one process. So the module's fixtures are
made only once, and a test can use values that earlier tests recorded. The groups of xdist itself would do the same,
but pytest 9.2 loses them (xdist 3.8).
"""

import re
from functools import cache

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support.templates import CHECKOUT

PROCESSES = 4
_STOPPED_OR_CHANGED = re.compile(r"test_(command|identity|versions|key_rotation|hang|openapi)\.py$")
"""The modules that have the second stack. Most of them stop or change it."""
_AT_SCALE = "test_import_at_scale.py"
"""The module that has the third stack."""
QUICK = [str(CHECKOUT / "tests" / suite) for suite in ("unit", "agreements", "client")]
NOT_QUICK = [str(CHECKOUT / "tests" / "unit" / name) for name in ("test_import_*.py", "test_metrics_view.py")]
"""The unit tests that read workbooks, start processes or draw pictures."""


def ask_for_them(config: pytest.Config) -> None:
    """Set xdist's options if all tests or the quick tests run, and the user gave no number of processes."""
    option = config.option
    many = option.quick or config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if option.quick:
        config.args = QUICK
        option.ignore_glob = NOT_QUICK
    if option.numprocesses is None and many and not option.usepdb and not hasattr(config, "workerinput"):
        option.numprocesses = PROCESSES
    if option.numprocesses and option.dist == "no":
        option.dist = "loadscope"
    option.loadscopereorder = False  # keeps the order that the function sort gives the tests


@cache
def stack_of(module: str) -> str | None:
    """Return which of the three stacks the tests of a module use, or None."""
    if re.search(r"\bstack: Checkout\b|\bpool: Pool\b", (CHECKOUT / module).read_text()) is None:
        return None
    if module.endswith(_AT_SCALE):
        return "third stack"
    return "second stack" if _STOPPED_OR_CHANGED.search(module) else "first stack"


def sort(items: list[pytest.Item]) -> None:
    """Put the tests of the stacks first, because they take longest."""
    items.sort(key=lambda item: stack_of(str(item.path)) or "without a stack")


class OneProcessForEachStack(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return stack_of(module) or module
