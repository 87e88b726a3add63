"""Two processes for the whole suite: one for whatever uses the local stack, one for every other module.

A module stays in one process: what its fixtures make, and what its tests remember for the last one, is made once.
"""

import pytest

PROCESSES = 2
_OF_THE_STACK = {"welcome_and_stack", "pool"}


def ask_for_them(config: pytest.Config) -> None:
    """Set xdist's options where all tests are to run and nobody said in how many processes."""
    if not config.pluginmanager.hasplugin("xdist") or hasattr(config, "workerinput"):
        return
    option = config.option
    everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if option.numprocesses is None and everything and not option.usepdb:
        option.numprocesses = PROCESSES
    if option.numprocesses and option.dist == "no":
        option.dist = "loadgroup"
    option.loadscopereorder = False  # as they are sorted here


def sort(items: list[pytest.Item]) -> None:
    """Name each module's process, and let the stack's begin first: it takes longest."""
    of_stack = {item.path for item in items if _OF_THE_STACK & set(getattr(item, "fixturenames", ()))}
    for item in items:
        group = "stack" if item.path in of_stack else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.path not in of_stack)
