"""Counts the instructions of a start and of a call with valgrind.

Even on a busy machine, repeated counts differ by less than a percent. The count of a start excludes the instructions of
the bootstrap. The count of a call comes from two processes: one makes three calls, and the other makes thirteen. A
tenth of the difference is the count of one call.
"""

import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from typing import Any

from tests.benchmarks.artifacts import OPERATIONS, OURS, Subject
from tests.benchmarks.bench import OWN_SCENES, SCENES, WORKER, Bench, Scene
from tests.benchmarks.starts import PEERS_OPERATIONS

_BEFORE, _MORE = 3, 10


def available() -> bool:
    return shutil.which("valgrind") is not None


def of_starts(bench: Bench) -> dict[str, dict[str, int]]:
    """Return the instructions of a start with byte code, by subject and operation.

    The instructions of the bootstrap are subtracted.
    """
    bootstrap = _count(bench, bench.subjects[0], [], bench.canned_url)
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for subject in bench.subjects:
        for operation in OPERATIONS if subject.name == OURS else PEERS_OPERATIONS:
            scene = Scene(operation)
            bench.set_scene(subject, scene)
            asked = [{"start": subject.module(operation), "event": bench.event(subject, scene)}]
            found[subject.name][operation] = _count(bench, subject, asked, bench.canned_url) - bootstrap
    return found


def of_calls(bench: Bench) -> dict[str, dict[str, float]]:
    """Return the instructions of a warm call, by scene and subject."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for scene in SCENES:
        for subject in bench.subjects:
            bench.set_scene(subject, scene)
            found[str(scene)][subject.name] = _of_call(bench, subject, scene, bench.canned_url)
    return found


def of_own_calls(bench: Bench) -> dict[str, float]:
    """Return the instructions of a warm call of the operations that no peer has. DynamoDB Local answers the calls."""
    (ours,) = (subject for subject in bench.subjects if subject.name == OURS)
    return {str(scene): _of_call(bench, ours, scene, bench.dynamodb_url) for scene in OWN_SCENES}


def _of_call(bench: Bench, subject: Subject, scene: Scene, url: str) -> float:
    few, many = (
        _count(
            bench, subject,
            [{"load": subject.module(scene.operation)}, {"calls": calls, "event": bench.event(subject, scene)}], url,
        )
        for calls in (_BEFORE, _BEFORE + _MORE)
    )  # fmt: skip
    return (many - few) / _MORE


def _count(bench: Bench, subject: Subject, requests: list[dict[str, Any]], url: str) -> int:
    command = (
        "valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", sys.executable, "-P",
        "-s", "-S", str(WORKER), str(subject.compiled), str(bench.runtime),
    )  # fmt: skip
    done = subprocess.run(
        command, env=bench.environment(subject, url), capture_output=True, text=True, check=True,
        input="".join(json.dumps(request) + "\n" for request in requests),
    )  # fmt: skip
    counted = re.search(r"I +refs: +([0-9,]+)", done.stderr)
    assert counted is not None, done.stderr
    assert all(json.loads(line).get("status", 200) in (200, 201) for line in done.stdout.splitlines())
    return int(counted[1].replace(",", ""))
