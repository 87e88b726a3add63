"""Shows where the CPU time of a warm call goes: the shares of the service's layers, from Python's profiler."""

from collections import Counter

from tests.benchmarks.artifacts import OURS
from tests.benchmarks.bench import OWN_SCENES, SCENES, Bench

_BEFORE, _CALLS = 20, 200
_LAYERS = {
    "sign, send, receive": (
        "incidents/runtime/endpoint", "/http/", "/socket.py", "/hmac.py", "/ssl.py", "/email/", "/selectors.py"
    ),
    "the rest of botocore": ("botocore/", "dateutil/", "jmespath/", "urllib3/"),
    "JSON": ("/json/", "incidents/domain/json_text"),
    "stored form and answer": (
        "incidents/storage/stored_form", "incidents/storage/upcasting", "incidents/domain/wire_form"
    ),
    "request and log": ("incidents/edges/", "aws_lambda_powertools/", "/logging/"),
    "the rest of incidents": ("incidents/",),
}  # fmt: skip
REST = "other"


def measure(bench: Bench) -> dict[str, dict[str, float]]:
    """Return the share of each layer in the CPU time of a warm call, from 0 to 1, by scene. DynamoDB Local answers.

    The profiler makes Python code slower, and code in C not. So the shares are rough.
    """
    (ours,) = (subject for subject in bench.subjects if subject.name == OURS)
    found: dict[str, dict[str, float]] = {}
    for scene in (*SCENES[:4], *OWN_SCENES):
        with bench.worker(ours, ours.compiled, bench.dynamodb_url) as worker:
            worker.ask(load=ours.module(scene.operation))
            worker.ask(calls=_BEFORE, event=bench.event(ours, scene))
            files = worker.ask(profile=_CALLS, event=bench.event(ours, scene))["shares"]
        shares = Counter[str]()
        for file, share in files.items():
            shares[_layer(file)] += share
        found[str(scene)] = {layer: shares[layer] for layer in (*_LAYERS, REST)}
    return found


def _layer(file: str) -> str:
    return next((layer for layer, parts in _LAYERS.items() if any(part in file for part in parts)), REST)
