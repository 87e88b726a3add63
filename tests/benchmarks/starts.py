"""Measures the CPU and wall-clock time of a start: a fresh process imports the function and makes the first call.

All subjects run in turn. The measurement begins after the bootstrap is loaded, because Lambda loads the bootstrap
before any function. The first call gets canned answers. The measurement includes the first call, so a subject gains
nothing if it creates its client late.
"""

import gc
from collections import defaultdict
from typing import Any

from tests.benchmarks.artifacts import FLOOR, OPERATIONS, OURS
from tests.benchmarks.bench import Bench, Scene

# A peer is one function, so all its operations start in the same way.
PEERS_OPERATIONS = ("get", "create")


def measure(bench: Bench, runs: int) -> dict[str, Any]:
    """Return the CPU seconds and wall-clock seconds of each run, by subject, form and operation.

    The form is "as built" or "with byte code".
    """
    seconds: dict[str, Any] = defaultdict(lambda: defaultdict(lambda: defaultdict(lambda: defaultdict(list))))
    gc.disable()
    for _ in range(runs):
        for subject in bench.subjects:
            forms = {"with byte code": subject.compiled}
            if subject.name not in (OURS, FLOOR):
                forms["as built"] = subject.as_built
            for form, place in forms.items():
                for operation in OPERATIONS if subject.name == OURS else PEERS_OPERATIONS:
                    scene = Scene(operation)
                    bench.set_scene(subject, scene)
                    with bench.worker(subject, place, bench.canned_url) as worker:
                        said = worker.ask(start=subject.module(operation), event=bench.event(subject, scene))
                    for kind in ("cpu", "wall"):
                        seconds[subject.name][form][operation][kind].append(said[kind])
    gc.enable()
    return seconds


def look_into(bench: Bench) -> dict[str, Any]:
    """Return the opened files, compiled sources, modules and resident bytes of a start, by subject and operation."""
    found: dict[str, Any] = defaultdict(dict)
    for subject in bench.subjects:
        for operation in OPERATIONS if subject.name == OURS else PEERS_OPERATIONS:
            scene = Scene(operation)
            bench.set_scene(subject, scene)
            asked = {"start": subject.module(operation), "event": bench.event(subject, scene)}
            with bench.worker(subject, subject.compiled, bench.canned_url) as worker:
                resident = worker.ask(**asked)["resident"]  # without the audit hook, which uses memory itself
            with bench.worker(subject, subject.compiled, bench.canned_url, "--audit") as worker:
                said = worker.ask(**asked)
            found[subject.name][operation] = {
                "opened": said["opened"], "compiled": said["compiled"], "modules": said["modules"],
                "resident": resident,
            }  # fmt: skip
    return found
