"""Show metrics to people, as tables and a trend in the terminal or as a picture."""

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..console import clean, private

_NAMES = {"mttd": "MTTD", "time_to_contain": "To contain", "mttr": "MTTR"}
_REASONS = {"deleted": "deleted", "dismissed": "dismissed", "timestamps_missing": "timestamps missing"}
_NOTHING = "-"
_BLOCKS = "▁▂▃▄▅▆▇█"


def show(answer: dict[str, Any], tenant: str) -> None:
    """Print a tenant's metrics to stdout as tables. ``answer`` is the body of the API's answer to GET metrics."""
    console = Console(highlight=False)
    console.print(f"[bold]{tenant}[/bold], {answer['from']} to {answer['to']} (UTC), as of {answer['as_of']}\n")
    console.print(_whole(answer))
    if answer["groups"]:
        console.print(_groups(answer))
    if len(answer["trend"]) > 1:
        console.print(_trend(answer))
    exclusions = ", ".join(
        f"{_REASONS[reason]} {_NAMES[metric]} {count}"
        for reason, counts in answer["excluded"].items()
        for metric, count in counts.items()
        if count
    )
    console.print(f"Excluded incidents: {exclusions or 'none'}.")


def _whole(answer: dict[str, Any]) -> Table:
    columns = ("n", "mean", "p50", "p90", "p95", "min", "max")
    table = _table("Complete window")
    for column in columns:
        table.add_column(column, justify="right")
    for metric, name in _NAMES.items():
        values = answer[metric]
        table.add_row(name, str(values["n"]), *(duration(values[column]) for column in columns[1:]))
    age = answer["open"]
    table.add_row(
        "Age of open", str(age["n"]), "", duration(age["p50"]), duration(age["p90"]), "", "", duration(age["max"])
    )
    return table


def _groups(answer: dict[str, Any]) -> Table:
    table = _table("By group: p50/p90 (n)")
    for name in (*_NAMES.values(), "Age of open"):
        table.add_column(name, justify="right")
    for group in answer["groups"]:
        cells = (
            f"{_short(values['p50'])}/{_short(values['p90'])} ({values['n']})" if values["n"] else _NOTHING
            for values in (group[metric] for metric in (*_NAMES, "open"))
        )
        table.add_row(Text(clean(group["group"] or "none")), *cells)
    return table


def _trend(answer: dict[str, Any]) -> Table:
    table = _table("Trend of p50")
    table.add_column(f"{answer['from']} … {answer['to']}", overflow="fold")
    table.add_column("highest", justify="right")
    for metric, name in _NAMES.items():
        values = [span[metric]["p50"] for span in answer["trend"]]
        known = [value for value in values if value is not None]
        table.add_row(name, _line(values, max(known, default=0)), duration(max(known, default=None)))
    return table


def _table(title: str) -> Table:
    return Table("", title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)


def _line(values: list[int | None], highest: int) -> str:
    """Return one character per value of the trend: a block whose height shows the value, or a dot for None."""
    return "".join("·" if value is None else _BLOCKS[value * (len(_BLOCKS) - 1) // max(highest, 1)] for value in values)


def duration(minutes: float | None) -> str:
    """Format minutes in days and hours, or in hours and minutes if below a day: ``3d 4h``. Show days only from 100."""
    if minutes is None:
        return _NOTHING
    days, rest = divmod(round(minutes), 24 * 60)
    hours, rest = divmod(rest, 60)
    if days:
        return f"{days}d {hours}h" if days < 100 else f"{days}d"
    return f"{hours}h {rest}m" if hours else f"{rest}m"


def _short(minutes: int) -> str:
    """Format minutes in one unit, which is days, hours or minutes: ``3.2d``."""
    if minutes < 60:
        return f"{minutes}m"
    return f"{minutes / 60:.1f}h" if minutes < 24 * 60 else f"{minutes / (24 * 60):.1f}d"


def draw(answer: dict[str, Any], tenant: str, file: Path) -> None:
    """Write a picture of the trend. It shows p50 and p90 of each metric, and the number of incidents in each span."""
    import matplotlib as mpl  # takes 1.7 s, and is only a development dependency

    mpl.use("agg")
    mpl.rcParams["date.converter"] = "concise"
    from matplotlib import pyplot
    from matplotlib.ticker import MaxNLocator

    figure, places = pyplot.subplots(len(_NAMES), 1, sharex=True, figsize=(9, 7), layout="constrained")
    figure.suptitle(f"How long incidents take: {tenant}, {answer['from']} to {answer['to']}")
    days = [date.fromisoformat(span["from"]) for span in answer["trend"]]
    for (metric, name), place in zip(_NAMES.items(), places, strict=True):
        behind = place.twinx()
        behind.bar(
            days, [span[metric]["n"] for span in answer["trend"]], color="0.85", width=_width(days) / timedelta(days=1)
        )
        behind.set_ylabel("incidents", color="0.5")
        behind.tick_params(axis="y", colors="0.5")
        behind.yaxis.set_major_locator(MaxNLocator(integer=True))
        behind.set_ylim(0, 3 * max(1, *(span[metric]["n"] for span in answer["trend"])))
        place.set_zorder(behind.get_zorder() + 1)
        place.patch.set_visible(False)
        for percentile, color, style in (("p90", "tab:orange", "--"), ("p50", "tab:blue", "-")):
            known = [(day, span[metric][percentile] / 60) for day, span in zip(days, answer["trend"], strict=True)
                     if span[metric][percentile] is not None]  # fmt: skip
            place.plot(*zip(*known, strict=True) if known else ([], []), style, color=color, marker="o", ms=3.5,
                       label=percentile)  # fmt: skip
        whole = answer[metric]
        place.set_title(f"{name}: n {whole['n']}, p50 {duration(whole['p50'])}, p90 {duration(whole['p90'])}",
                        loc="left", fontsize="medium")  # fmt: skip
        place.set_ylabel("hours")
        place.set_ylim(bottom=0)
        place.grid(axis="y", color="0.9")
    places[0].legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False, ncols=2)
    figure.savefig(private(file), dpi=110)
    pyplot.close(figure)


def _width(days: list[date]) -> timedelta:
    """Return the width of a bar: 90 % of the smallest distance between two spans, or 90 % of a day for one span."""
    return min((later - earlier for earlier, later in pairwise(days)), default=timedelta(days=1)) * 0.9
