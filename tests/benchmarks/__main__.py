"""Runs all benchmarks with `uv run python -m tests.benchmarks`.

The command prints a table of the results, and writes the figures, the table and a picture.
"""

import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer
from rich.console import Console

from tests.benchmarks import bench, calls, growth, instructions, metrics, packages, profiles, report, starts
from tests.support import dynamodb_local, templates, units
from tests.support.templates import CHECKOUT

SORTS = ("start", "warm", "units", "metrics", "growth", "package")
console = Console(stderr=True)


def main(
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"Measure only this part. You can repeat this option. Parts: {', '.join(SORTS)}."),
    ] = None,
    runs: Annotated[int, typer.Option(min=2, help="Number of fresh processes for each start.")] = 20,
    rounds: Annotated[int, typer.Option(min=2, help="Number of rounds of warm calls.")] = 15,
    largest: Annotated[int, typer.Option(min=100, help="Number of incidents of the largest tenant.")] = 100_000,
    valgrind: Annotated[bool, typer.Option(help="Count instructions too, if valgrind is installed.")] = True,
    out: Annotated[Path, typer.Option(help="Folder for the figures, the table and the picture.")] = CHECKOUT
    / ".benchmarks",
) -> None:
    """Measure this service and other implementations of the same API, in about half an hour. --only selects parts."""
    if missing := dynamodb_local.what_is_missing():
        raise typer.BadParameter(missing)
    wanted = set(only or SORTS)
    if unknown := wanted - set(SORTS):
        raise typer.BadParameter(f"unknown part: {', '.join(sorted(unknown))}; the parts are {', '.join(SORTS)}")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # the benchmarks must not reach an AWS account of the user
    figures: dict[str, Any] = {
        "python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count(),
        "runs": runs, "rounds": rounds,
    }  # fmt: skip
    counted = valgrind and instructions.available()

    def measure(name: str, measured: Callable[[], Any]) -> None:
        with console.status(f"Measuring {name} ..."):
            figures[name] = measured()
        report.keep(figures, out)  # if a later part fails, these figures are not lost

    if wanted & {"start", "warm", "package"}:
        folder = Path(tempfile.mkdtemp(prefix="incidents-benchmarks-"))
        try:
            console.print("Building this service and its peers ...")
            with bench.ready(folder) as ready:
                if "package" in wanted:
                    measure("packages", lambda: packages.measure(ready.subjects))
                if "start" in wanted:
                    measure("loads", lambda: starts.look_into(ready))
                    measure("starts", lambda: starts.measure(ready, runs))
                if "warm" in wanted:
                    measure("calls", lambda: {
                        "canned": calls.measure(ready, rounds, canned=True),
                        "table": calls.measure(ready, rounds, canned=False),
                    })  # fmt: skip
                    measure("profiles", lambda: profiles.measure(ready))
                if counted and "start" in wanted:
                    measure("start instructions", lambda: instructions.of_starts(ready))
                if counted and "warm" in wanted:
                    measure("call instructions", lambda: instructions.of_calls(ready))
                    measure("own call instructions", lambda: instructions.of_own_calls(ready))
        finally:
            shutil.rmtree(folder)
    if "units" in wanted:
        measure("units", _units)
    if "metrics" in wanted:
        measure("metrics", metrics.measure)
    if "growth" in wanted:
        sizes = [size for size in (100, 1_000, 10_000, 100_000) if size <= largest]
        measure("growth", lambda: growth.measure(sizes, [1, 10, 100] if largest >= 100_000 else [1, 10]))
    report.write(figures, out, Console())
    console.print(f"The figures, the table and the picture are in {out}.")


def _units() -> dict[str, Any]:
    os.environ |= {"CURSOR_KEY": "the key of the benchmarks", "FEED_SETTLE_SECONDS": "0"}
    found = {}
    with dynamodb_local.running() as url:
        client = boto3.Session("local", "local", region_name="us-east-1").client("dynamodb", endpoint_url=url)
        client.create_table(TableName="incidents", **templates.table(), **templates.stream())
        for size in (2, 3):
            of_size = units.of_operations(client, "incidents", size)
            found[f"{size} KB"] = {operation: used._asdict() for operation, used in of_size.items()}
    return found


if __name__ == "__main__":
    typer.run(main)
