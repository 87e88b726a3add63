"""Writes the results of a run: a table, all figures as JSON, and a picture."""

import json
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.artifacts import FLOOR, MAIN_PEER, OURS
from tests.benchmarks.targets import Goal, ratios, rows

_COLOURS = (
    "#1b6ca8", "#9aa5b1", "#b9c2cb", "#c9b08a", "#a9b99a", "#8fae9b", "#c3d3b4", "#c79a9a", "#e3e6ea"
)  # fmt: skip
_SCENES = ("get", "create", "update", "list 50", "list 100")


def write(figures: dict[str, Any], folder: Path, console: Console) -> None:
    """Print the table, and write figures.json and table.md.

    If starts and calls were measured, also write picture.png.
    """
    keep(figures, folder)
    found = [*rows(figures)]
    console.print(_table(found))
    for row in found:
        if not row.met:
            console.print(f"{row.what}: {row.why_not or 'NOT EXPLAINED'}", soft_wrap=True)
    further = [*_instructions(figures), "", *_profiles(figures), "", *_metrics(figures), "", *_growth(figures)]
    for line in further:
        console.print(line)
    (folder / "table.md").write_text("\n".join([*_markdown(found), "", *further, ""]))
    if "starts" in figures and "calls" in figures:
        _picture(figures, folder / "picture.png")


def keep(figures: dict[str, Any], folder: Path) -> None:
    """Write figures.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "figures.json").write_text(json.dumps(figures, indent=1))


def _table(found: list[Goal]) -> Table:
    table = Table("what (ratios are to Powertools + Tracer + pydantic + boto3.resource)", box=None)
    for heading in ("measured", "CPU or its middle half", "at most", ""):
        table.add_column(heading, justify="right")
    for row in found:
        word = "" if row.met else "missed"
        table.add_row(row.what, row.form.format(row.figure), row.beside, row.form.format(row.target), word)
    return table


def _markdown(found: list[Goal]) -> list[str]:
    lines = ["| what | measured | CPU or its middle half | at most |", "|---|---|---|---|"]
    for row in found:
        figure = row.form.format(row.figure)
        lines.append(f"| {row.what} | {figure if row.met else f'**{figure}**'} | {row.beside} | "
                     f"{row.form.format(row.target)} |")  # fmt: skip
    return lines


def _instructions(figures: dict[str, Any]) -> list[str]:
    """Return a Markdown table of the millions of instructions of a warm call and of a start, by subject."""
    if not {"call instructions", "start instructions", "own call instructions"} <= figures.keys():
        return []
    calls, starts, own = (figures[f"{name} instructions"] for name in ("call", "start", "own call"))
    base = {scene: counts[MAIN_PEER] for scene, counts in calls.items()}
    scenes = ("get", "create", "update", "list 50")
    lines = [
        "| millions of instructions, and ratio | " + " | ".join(scenes) + " | start of a read | start of a write |"
    ]
    lines.append("|---" * (len(scenes) + 3) + "|")
    for name in starts:
        pairs = [(calls[scene][name], base[scene]) for scene in scenes]
        pairs += [(starts[name][one], starts[MAIN_PEER][one]) for one in ("get", "create")]
        cells = (f"{count / 1e6:.{0 if count > 1e8 else 1}f} ({count / other:.2f})" for count, other in pairs)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", "| operation of this service alone | millions of instructions |", "|---|---|"]
    return lines + [f"| {name} | {count / 1e6:.1f} |" for name, count in own.items()]


def _profiles(figures: dict[str, Any]) -> list[str]:
    """Return a Markdown table of the shares of each layer in the CPU time of a warm call, in percent."""
    scenes = figures.get("profiles", {})
    lines: list[str] = []
    for scene, shares in scenes.items():
        lines = lines or ["| percent of the CPU time | " + " | ".join(shares) + " |", "|---" * (len(shares) + 1) + "|"]
        lines.append(f"| {scene} | " + " | ".join(f"{100 * share:.0f}" for share in shares.values()) + " |")
    return lines


def _metrics(figures: dict[str, Any]) -> list[str]:
    """Return a Markdown table of the cost of a metrics answer for a year."""
    lines = ["| metrics of a year, grouped by category | read units | answer, KB | s | memory, MB | approximate |"]
    lines.append("|---" * 6 + "|")
    for name, year in figures.get("metrics", {}).items():
        lines.append(
            f"| {name} | {year['read']:.0f} | {year['bytes'] / 1000:.0f} | {year['seconds']:.1f} | "
            f"{year['rss_mb']:.0f} | {'yes' if year['approximate'] else 'no'} |"
        )
    return lines if len(lines) > 2 else []


def _growth(figures: dict[str, Any]) -> list[str]:
    """Return Markdown tables of the calls, read units and milliseconds of each operation, by size."""
    if "growth" not in figures:
        return []
    lines: list[str] = []
    for of, heading in (("incidents", "incidents of the tenant"), ("tenants", "tenants of 1 000 incidents")):
        sizes = figures["growth"][of]
        lines += [f"| calls, read units, median ms with ... {heading} | " + " | ".join(sizes) + " |"]
        lines += ["|---" * (len(sizes) + 1) + "|"]
        for operation in next(iter(sizes.values())):
            cells = (
                f"{one['calls']}, {one['read']:g}, {1000 * median(one['seconds']):.0f}"
                for one in (measured[operation] for measured in sizes.values())
            )
            lines.append(f"| {operation} | " + " | ".join(cells) + " |")
        lines.append("")
    return lines


def _picture(figures: dict[str, Any], path: Path) -> None:
    """Draw the CPU time of a start and of a warm call, relative to the peer with Powertools and Tracer."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 4.6), width_ratios=(2, 3))
    colours = dict(zip(figures["starts"], _COLOURS, strict=True))
    starts, base = figures["starts"], figures["starts"][MAIN_PEER]["as built"]
    for place, name in enumerate(starts):
        form = "as built" if "as built" in starts[name] else "with byte code"
        heights = [median(ratios(starts[name][form][one]["cpu"], base[one]["cpu"])) for one in ("get", "create")]
        _bars(left, place, len(starts), heights, name, colours[name])
    left.set_title("a start, each as it is deployed")
    left.set_xticks(range(2), ["read function", "write function"])
    calls = figures["calls"]["canned"]
    for place, name in enumerate(calls["get"]):
        heights = [median(ratios(calls[scene][name]["cpu"], calls[scene][MAIN_PEER]["cpu"])) for scene in _SCENES]
        _bars(right, place, len(calls["get"]), heights, name, colours[name])
    right.set_title("a warm call")
    right.set_xticks(range(len(_SCENES)), _SCENES)
    for axes in (left, right):
        axes.axhline(1, color="#555", linewidth=0.8, linestyle=":")
        axes.spines[["top", "right"]].set_visible(False)
    left.set_ylabel(f"CPU, as a ratio to {MAIN_PEER}")
    names = [OURS, *(name for name in starts if name not in (OURS, FLOOR)), FLOOR]
    handles, labels = left.get_legend_handles_labels()
    order = [labels.index(name) for name in names]
    figure.legend([handles[n] for n in order], names, loc="lower center", ncols=5, frameon=False)
    figure.tight_layout(rect=(0, 0.11, 1, 1))
    figure.savefig(path, dpi=110)


def _bars(axes: Any, place: int, of: int, heights: list[float], name: str, colour: str) -> None:
    width = 0.84 / of
    positions = [group + (place - (of - 1) / 2) * width for group in range(len(heights))]
    axes.bar(positions, heights, width * 0.92, label=name, color=colour)
    if name == OURS:
        for position, height in zip(positions, heights, strict=True):
            axes.text(position, height + 0.01, f"{height:.2f}", ha="center", va="bottom", fontsize=8)
