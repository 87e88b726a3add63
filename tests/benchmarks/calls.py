"""Measures the CPU seconds of a call to a warm function.

All subjects run in turn, once with canned answers and once with a table.
"""

from collections import defaultdict
from contextlib import ExitStack
from typing import Any

from tests.benchmarks.bench import SCENES, Bench

WARM_UP = 20
# The number of calls in a round of each scene. A round takes a fraction of a second.
CALLS = {"get": 40, "create": 40, "update": 40, "list 50": 8, "list 100": 4}


def measure(bench: Bench, rounds: int, *, canned: bool) -> dict[str, Any]:
    """Return the CPU seconds and the wall-clock seconds of a call, by scene and subject.

    There is one figure for each round.
    """
    seconds: dict[str, Any] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    url = bench.canned_url if canned else bench.dynamodb_url
    with ExitStack() as stack:
        workers = [stack.enter_context(bench.worker(one, one.compiled, url)) for one in bench.subjects]
        for scene in SCENES:
            for _ in range(rounds):
                for subject, worker in zip(bench.subjects, workers, strict=True):
                    bench.set_scene(subject, scene)
                    worker.ask(load=subject.module(scene.operation))
                    event = bench.event(subject, scene)
                    if not seconds[str(scene)][subject.name]["cpu"]:
                        worker.ask(calls=WARM_UP, event=event)
                    said = worker.ask(calls=CALLS[str(scene)], event=event)
                    for kind in ("cpu", "wall"):
                        seconds[str(scene)][subject.name][kind].append(said[kind])
    return seconds
