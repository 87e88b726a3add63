"""What a call costs once the function is warm: seconds of CPU, all subjects in turn, on canned answers and for real."""

from collections import defaultdict
from contextlib import ExitStack
from typing import Any

from tests.benchmarks.bench import SCENES, Bench

WARM_UP = 20
CALLS = {"get": 40, "create": 40, "update": 40, "list 50": 8, "list 100": 4}  # a round of each takes a part of a second


def measure(bench: Bench, rounds: int, *, canned: bool) -> dict[str, Any]:
    """Return, by scene and subject, the seconds of CPU and of the clock of a call, one figure a round."""
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
