"""Compares each measured figure with its target."""

from collections.abc import Iterator
from statistics import median, quantiles
from typing import Any, NamedTuple

from tests.benchmarks.artifacts import MAIN_PEER, OURS, UNTRACED

READS, WRITES = ("get", "list"), ("create", "update")
_MB = 1_000_000

_OF_A_LIST = (
    "three quarters of a list's instructions are for three steps. Python's json reads DynamoDB's JSON, `to_incident` "
    "makes an incident of each item, and Python's json writes the answer. orjson would read and write faster, but "
    "would make each start slower. The minimal client by hand needs 0.20 itself."
)
WHY_NOT = {
    "warm list 50": _OF_A_LIST,
    "warm list 100": _OF_A_LIST,
    "start of a read: MB resident": "a process that has answered a list holds a page of 50 incidents.",
    "start of a write, the peer as `sam build` leaves it (CPU)": "a write loads pydantic, a third of its start.",
}
"""The reason for each missed target, by the name of the figure."""


class Goal(NamedTuple):
    """A figure and its target. The target is met if the figure is at most the target."""

    what: str
    figure: float
    # The CPU ratio and its spread, which the report shows next to the figure.
    beside: str
    target: float
    form: str = "{:.2f}"

    @property
    def met(self) -> bool:
        return self.figure <= self.target

    @property
    def why_not(self) -> str:
        return "" if self.met else WHY_NOT.get(self.what, "")


def rows(figures: dict[str, Any]) -> Iterator[Goal]:
    """Yield a row for each target whose figure was measured."""
    if "starts" in figures:
        yield from _starts(figures)
    if "loads" in figures:
        loads = [figures["loads"][OURS][operation] for operation in READS]
        for what, most in (("compiled", 0), ("opened", 600), ("modules", 420)):
            name = {"compiled": "sources compiled", "opened": "files opened", "modules": "modules loaded"}[what]
            yield Goal(f"start of a read: {name}", max(one[what] for one in loads), "", most, "{:.0f}")
        if all(one["resident"] for one in loads):
            yield Goal("start of a read: MB resident", max(one["resident"] for one in loads) / _MB, "", 39, "{:.1f}")
    if "calls" in figures:
        yield from _calls(figures)
    if "units" in figures:
        yield from _units(figures["units"])
    if "growth" in figures:
        sizes = figures["growth"]["incidents"]
        small, large = (sizes[str(size)]["first page"] for size in (min(map(int, sizes)), max(map(int, sizes))))
        name = f"first page with {max(map(int, sizes)):,} incidents".replace(",", " ")
        for what, form in (("read", "read units"), ("calls", "calls")):
            yield Goal(
                f"{name}: {form}, as a ratio to {min(map(int, sizes))} incidents", large[what] / small[what], "", 1.0
            )
    if "packages" in figures:
        ours = figures["packages"][OURS]["with byte code"]
        yield Goal("package, MB zipped", ours["zipped"] / _MB, "", 9, "{:.1f}")
        yield Goal("package, MB unzipped", ours["unzipped"] / _MB, "", 24, "{:.1f}")


def _starts(figures: dict[str, Any]) -> Iterator[Goal]:
    starts = figures["starts"]
    for kind, operations, as_built, compiled, untraced in (
        ("read", READS, 0.14, 0.31, 0.48),
        ("write", WRITES, 0.20, 0.48, 0.70),
    ):
        worst = max(operations, key=lambda one: median(starts[OURS]["with byte code"][one]["cpu"]))
        ours = starts[OURS]["with byte code"][worst]["cpu"]
        peers = "get" if kind == "read" else "create"
        built = ratios(ours, starts[MAIN_PEER]["as built"][peers]["cpu"])
        yield Goal(
            f"start of a {kind}, the peer as `sam build` leaves it (CPU)", median(built), spread(built), as_built
        )
        for peer, name, most in ((MAIN_PEER, "", compiled), (UNTRACED, ", without Tracer", untraced)):
            in_cpu = ratios(ours, starts[peer]["with byte code"][peers]["cpu"])
            figure, beside = median(in_cpu), spread(in_cpu)
            if "start instructions" in figures:
                counted = figures["start instructions"]
                figure = max(counted[OURS][one] for one in operations) / counted[peer][peers]
                beside = f"CPU {median(in_cpu):.2f} ({beside})"
            yield Goal(f"start of a {kind}, both with byte code{name}", figure, beside, most)


def _calls(figures: dict[str, Any]) -> Iterator[Goal]:
    targets = {"get": 0.40, "create": 0.68, "update": 0.72, "list 50": 0.20, "list 100": 0.20}
    for scene, most in targets.items():
        canned = figures["calls"]["canned"][scene]
        in_cpu = ratios(canned[OURS]["cpu"], canned[MAIN_PEER]["cpu"])
        figure, beside = median(in_cpu), spread(in_cpu)
        if "call instructions" in figures:
            counted = figures["call instructions"][scene]
            figure, beside = counted[OURS] / counted[MAIN_PEER], f"CPU {median(in_cpu):.2f} ({beside})"
        yield Goal(f"warm {scene}", figure, beside, most)


def _units(units: dict[str, Any]) -> Iterator[Goal]:
    for operation, most in (
        ("create", (15, 19)), ("create with a key", (17, 21)), ("create by an application", (17, 22)),
        ("update", (12, 16)), ("move", (15, 20)), ("close", (16, 21)), ("delete", (13, 17)),
        ("ingest a finding", (25, 29)), ("ingest it again, with an asset", (22, 26)),
    ):  # fmt: skip
        for size, units_at_most in zip(("2 KB", "3 KB"), most, strict=True):
            name = f"write units, incident of up to {size}: {operation}"
            yield Goal(name, units[size][operation]["written"], "", units_at_most, "{:.0f}")
    yield Goal("read units: get of 2 KB", units["2 KB"]["get"]["read"], "", 1, "{:g}")
    yield Goal("read units: list of 50 of 2 KB", units["2 KB"]["list 50"]["read"], "", 14, "{:g}")
    yield Goal("read units: 50 updates of 2 KB", units["2 KB"]["list 50 updates"]["read"], "", 52, "{:g}")
    yield Goal("read units: 10 events of 2.5 KB", units["2 KB"]["list 10 events"]["read"], "", 5, "{:g}")


def ratios(ours: list[float], peers: list[float]) -> list[float]:
    """Return our value divided by the peer's value, for each round.

    Both values of a round were measured at nearly the same time.
    """
    return [one / other for one, other in zip(ours, peers, strict=True)]


def spread(values: list[float]) -> str:
    """Return the range of the middle half of some values, as text."""
    if len(values) < 2:
        return ""
    low, _, high = quantiles(values, n=4, method="inclusive")
    return f"{low:.2f} to {high:.2f}"
